"""Regimes and waves held against a market whose states are known: confusion, delay, pauses, races of counts."""

import itertools
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.detectors.bars.detector import CLOSE, HIGH, LOW, FloatArray
from fathom.detectors.bars.elliott_wave import ElliottWave, ElliottWaveConfig
from fathom.detectors.bars.flat_market import FlatMarket, FlatMarketConfig
from fathom.detectors.bars.regime import Regime, RegimeConfig, RegimeLabel

STATES: Final = ("flat", "trend_up", "trend_down", "volatile", "crash", "rebound")
"""States of the simulator's scenario `regimes`, in the order of the rows of a confusion matrix."""

WANTED: Final = (
    RegimeLabel.RANGE,
    RegimeLabel.TREND_UP,
    RegimeLabel.TREND_DOWN,
    RegimeLabel.VOLATILE,
    RegimeLabel.CRASH,
    RegimeLabel.VOLATILE,
)
"""What each state should be called. The rebound is the mirror image of a crash: VOLATILE, with a pause."""

_HORIZON: Final = 1_000  # bars after which a race has no winner; by symmetry this favours neither side
_SHOCKS: Final = (STATES.index("crash"), STATES.index("rebound"))

# Ranges of the random search, logarithmic but for the last two.
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "trend_drift": (0.03, 1.0),
    "range_scale": (0.3, 1.0),
    "volatile_scale": (1.2, 4.0),
    "crash_drift": (0.5, 6.0),
    "crash_scale": (0.5, 5.0),
    "freedom": (3.0, 30.0),
    "stay_bars": (10.0, 500.0),
    "enter": (0.5, 0.8),
    "min_bars": (0.0, 12.0),
}


class LabelledBars(NamedTuple):
    """Bars of a market and the state that each was made in.

    Parameters
    ----------
    bars : ndarray
        `fathom.detectors.bars.detector`, shape (n, 8).
    states : ndarray of int64
        Index into `STATES`, at the middle of the bar.

    Examples
    --------
    >>> LabelledBars(np.zeros((2, 8)), np.array([0, 1])).states.tolist()
    [0, 1]
    """

    bars: FloatArray
    states: NDArray[np.int64]


class RegimeReport(NamedTuple):
    """How the names of regimes agree with the states.

    Parameters
    ----------
    confusion : ndarray of int64, shape (6, 6)
        Bars: rows are `STATES`, columns `RegimeLabel`.
    recall : ndarray, shape (6,)
        Share of the bars of each state with the wanted name; NaN where there are none.
    delay_bars : ndarray, shape (6,)
        Median bars from the begin of a spell to the first wanted name, of the spells that got one.
    named : ndarray, shape (6,)
        Share of the spells that got the wanted name at all.
    pause : ndarray, shape (6,)
        Share of the bars of each state with the auto-pause on.
    flat : ndarray, shape (6,)
        Share of the bars of each state that `FlatMarket` calls flat.
    """

    confusion: NDArray[np.int64]
    recall: FloatArray
    delay_bars: FloatArray
    named: FloatArray
    pause: FloatArray
    flat: FloatArray

    @property
    def balanced(self) -> float:
        """Mean recall over the states that were there."""
        return float(np.nanmean(self.recall))


class WaveReport(NamedTuple):
    """What the wave counts were worth.

    Parameters
    ----------
    bars, counted : int
        Bars, and those with a count.
    with_trend, trend_bars : int
        Bars of a trend with a count in whose direction the trend went, and all of a trend with a count.
    races, lost : int
        New counts, followed one after the other until the price reached the invalidation or as far the other way; and
        those in which the invalidation came first. A price without memory loses half.
    broken : int
        Bars whose count was past its own invalidation price: the hard rules forbid it.

    Examples
    --------
    >>> WaveReport(bars=10, counted=5, with_trend=1, trend_bars=2, races=4, lost=2, broken=0).lost_share
    0.5
    """

    bars: int
    counted: int
    with_trend: int
    trend_bars: int
    races: int
    lost: int
    broken: int

    @property
    def lost_share(self) -> float:
        """Share of the races that the invalidation won."""
        return self.lost / self.races if self.races else float("nan")

    @property
    def error(self) -> float:
        """Standard error of that share, were the truth a half."""
        return 0.5 / self.races**0.5 if self.races else float("nan")


def check_regimes(
    markets: Sequence[LabelledBars], regime: RegimeConfig | None = None, flat: FlatMarketConfig | None = None
) -> RegimeReport:
    """Run the detectors over the markets, each from its beginning, and count.

    Parameters
    ----------
    markets : sequence of LabelledBars
    regime : RegimeConfig, optional
    flat : FlatMarketConfig, optional

    Examples
    --------
    >>> bars = np.zeros((200, 8))
    >>> bars[:, :3] = np.cumsum(np.random.default_rng(1).normal(size=200))[:, None]
    >>> report = check_regimes([LabelledBars(bars, np.zeros(200, np.int64))])
    >>> int(report.confusion.sum())
    200
    """
    n = len(STATES)
    confusion = np.zeros((n, len(RegimeLabel)), np.int64)
    paused, flats = np.zeros(n), np.zeros(n)
    delays: list[list[float]] = [[] for _ in range(n)]
    spells = np.zeros(n)
    for market in markets:
        readings = Regime(regime).update_many(market.bars)
        labels = readings[:, 0].astype(np.int64)
        np.add.at(confusion, (market.states, labels), 1)
        np.add.at(paused, market.states, readings[:, 2])
        np.add.at(flats, market.states, FlatMarket(flat).update_many(market.bars)[:, 0])
        for first, last in _spells(market.states):
            state = int(market.states[first])
            right = np.flatnonzero(labels[first:last] == WANTED[state])
            spells[state] += 1
            if len(right):
                delays[state].append(float(right[0]))
    total = confusion.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return RegimeReport(
            confusion=confusion,
            recall=np.array([confusion[state, WANTED[state]] for state in range(n)]) / total,
            delay_bars=np.array([np.median(one) if one else np.nan for one in delays]),
            named=np.array([len(one) for one in delays]) / spells,
            pause=paused / total,
            flat=flats / total,
        )


def fit_regimes(markets: Sequence[LabelledBars], *, trials: int = 2_000, seed: int = 1) -> RegimeConfig:
    """Return the settings with the best mean recall on the markets, of a random search that narrows.

    The pause is fitted afterwards: its thresholds maximise the share of crash and rebound bars that are paused, minus
    ten times that of all others. Report on other markets than these.

    Parameters
    ----------
    markets : sequence of LabelledBars
    trials : int
    seed : int

    Examples
    --------
    >>> bars = np.zeros((200, 8))
    >>> bars[:, :3] = np.cumsum(np.random.default_rng(1).normal(size=200))[:, None]
    >>> fit_regimes([LabelledBars(bars, np.zeros(200, np.int64))], trials=3).min_bars >= 0
    True
    """
    rng = np.random.default_rng(seed)
    best, highest = RegimeConfig(), -1.0
    highest = _balanced(markets, best)
    for trial in range(trials):
        around = best if trial > trials // 3 else None
        config = _draw(rng, around, width=1.0 - trial / trials)
        score = _balanced(markets, config)
        if score > highest:
            best, highest = config, score
    candidates = [
        msgspec.structs.replace(best, pause_enter=enter, pause_leave=leave)
        for enter, leave in itertools.product((0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), (0.02, 0.05, 0.1, 0.2, 0.4))
        if leave < enter
    ]
    return max(candidates, key=lambda config: _pause_worth(markets, config))


def check_waves(markets: Sequence[LabelledBars], config: ElliottWaveConfig | None = None) -> WaveReport:
    """Run `ElliottWave` over the markets, each from its beginning, and hold its counts against what came.

    Parameters
    ----------
    markets : sequence of LabelledBars
    config : ElliottWaveConfig, optional

    Examples
    --------
    >>> bars = np.zeros((900, 8))
    >>> bars[:, :3] = np.cumsum(np.random.default_rng(1).normal(size=900))[:, None]
    >>> check_waves([LabelledBars(bars, np.zeros(900, np.int64))]).broken
    0
    """
    total = np.zeros(7, np.int64)
    for market in markets:
        readings = ElliottWave(config).update_many(market.bars)
        counted = readings[:, 0] > 0
        direction = readings[:, 1]
        trend = np.select([market.states == 1, market.states == 2], [1.0, -1.0], 0.0)
        seen = counted & (trend != 0.0)
        closes, edge = market.bars[:, CLOSE], readings[:, 3]
        # An impulse is invalid where it came from, its correction beyond the top it fell from.
        beyond = np.where(readings[:, 0] >= 6, direction, -direction)
        broken = counted & (beyond * (closes - edge) > 0.0)
        races, lost = _races(market.bars, readings)
        total += [
            *(len(closes), int(counted.sum()), int((direction == trend)[seen].sum()), int(seen.sum())),
            *(races, lost, int(broken.sum())),
        ]
    return WaveReport(*total.tolist())


def _races(bars: FloatArray, readings: FloatArray) -> tuple[int, int]:
    races = lost = 0
    at, n = 1, len(bars)
    while at < n:
        news = readings[at, 0] != readings[at - 1, 0] or readings[at, 1] != readings[at - 1, 1]
        if not news or readings[at, 0] == 0 or bars[at, CLOSE] == readings[at, 3]:
            at += 1
            continue
        start, edge = bars[at, CLOSE], readings[at, 3]
        goal, down = 2.0 * start - edge, edge < start
        high, low = bars[at + 1 : at + 1 + _HORIZON, HIGH], bars[at + 1 : at + 1 + _HORIZON, LOW]
        hit_edge = np.flatnonzero(low <= edge if down else high >= edge)
        hit_goal = np.flatnonzero(high >= goal if down else low <= goal)
        ends = [int(hits[0]) if len(hits) else _HORIZON for hits in (hit_edge, hit_goal)]
        if ends[0] != ends[1]:  # neither, or a bar that reached both, tells nothing
            races += 1
            lost += ends[0] < ends[1]
        at += min(ends) + 1
    return races, lost


def _spells(states: NDArray[np.int64]) -> list[tuple[int, int]]:
    cuts = [0, *(np.flatnonzero(np.diff(states)) + 1).tolist(), len(states)]
    return list(itertools.pairwise(cuts))


def _balanced(markets: Sequence[LabelledBars], config: RegimeConfig) -> float:
    right, total = np.zeros(len(STATES)), np.zeros(len(STATES))
    wanted = np.array([int(label) for label in WANTED])
    for market in markets:
        labels = Regime(config).update_many(market.bars)[:, 0]
        np.add.at(right, market.states, labels == wanted[market.states])
        np.add.at(total, market.states, 1.0)
    return float(np.mean(right[total > 0] / total[total > 0]))


def _pause_worth(markets: Sequence[LabelledBars], config: RegimeConfig) -> float:
    found: list[tuple[Any, Any]] = []
    for market in markets:
        pause = Regime(config).update_many(market.bars)[:, 2]
        found.append((pause, np.isin(market.states, _SHOCKS)))
    pause = np.concatenate([one for one, _ in found])
    shock = np.concatenate([one for _, one in found])
    in_shock = pause[shock].mean() if shock.any() else 0.0
    return float(in_shock - 10.0 * pause[~shock].mean())


def _draw(rng: np.random.Generator, around: RegimeConfig | None, width: float) -> RegimeConfig:
    values: dict[str, float] = {}
    for name, (low, high) in _RANGES.items():
        if name in ("enter", "min_bars"):
            middle = None if around is None else float(getattr(around, name))
            span = high - low
            value = rng.uniform(low, high) if middle is None else rng.normal(middle, 0.3 * width * span)
        else:
            a, b = np.log(low), np.log(high)
            middle = None if around is None else float(np.log(getattr(around, name)))
            value = rng.uniform(a, b) if middle is None else rng.normal(middle, 0.3 * width * (b - a))
            value = float(np.exp(value))
        values[name] = float(np.clip(value, low, high))
    least = round(values.pop("min_bars"))
    rounded = {name: float(f"{value:.3g}") for name, value in values.items()}
    return RegimeConfig(**rounded, min_bars=least)  # type: ignore[arg-type]
