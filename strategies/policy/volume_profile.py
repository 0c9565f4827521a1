"""Volume Profile: how much traded at which price over a rolling session, and what a close outside its value area means.

References
----------
Steidlmayer & Koy (1986), Markets and Market Logic; Dalton, Jones & Dalton (1990), Mind Over Markets: the value area of
70 %, found from the point of control outwards, rejection at its edges and acceptance beyond them.
"""

from typing import Final, NamedTuple

import numpy as np

from data_catalog.messages import Signal
from ml.book.kernel import kernel
from strategies.policy.policy import Floats, MarketBar, Policy

COUNT: Final = 0
CENTRE: Final = 1
WIDTH: Final = 2
POC: Final = 3
LOW_EDGE: Final = 4
HIGH_EDGE: Final = 5
SIDE: Final = 6
STREAK: Final = 7
EXTREME: Final = 8
STREAK_VOLUME: Final = 9
MEAN_VOLUME: Final = 10
RANGE: Final = 11
HIGH_NODE: Final = 12
LOW_NODE: Final = 13
RINGS: Final = 14
"""Cells of the state; from `RINGS` on, three rings of a session (highs, lows, volumes), then the bins' volumes."""

_SESSION, _BINS, _SHARE, _THICK, _THIN, _ACCEPT, _VOLUME_RATIO, _BY_TIME = range(8)

REVERSION: Final = 1
BREAKOUT: Final = 2


@kernel
def _fill(state: Floats, highs: Floats, lows: Floats, volumes: Floats, bins: Floats) -> float:
    # Everything is measured from the centre of the session's range, so that a mirrored price gives mirrored bins.
    top, bottom, total, reach = highs[0], lows[0], 0.0, 0.0
    for i in range(len(highs)):
        top, bottom = max(top, highs[i]), min(bottom, lows[i])
        total += volumes[i]
        reach += highs[i] - lows[i]
    half = len(bins) // 2
    centre, width = (top + bottom) / 2.0, (top - bottom) / len(bins)
    state[CENTRE], state[WIDTH] = centre, width
    state[MEAN_VOLUME], state[RANGE] = total / len(highs), reach / len(highs)
    for k in range(len(bins)):
        bins[k] = 0.0
    if width <= 0.0:
        return 0.0
    for i in range(len(highs)):
        a, b = (lows[i] - centre) / width, (highs[i] - centre) / width
        if b <= a:
            at = int(np.floor(a))
            on_edge = a == at
            for k in (at - 1, at) if on_edge else (at, at):
                bins[min(max(k + half, 0), 2 * half - 1)] += volumes[i] / 2.0
            continue
        for k in range(int(np.floor(a)), int(np.ceil(b))):
            part = (min(b, k + 1.0) - max(a, float(k))) / (b - a)
            bins[min(max(k + half, 0), 2 * half - 1)] += volumes[i] * part
    return total


@kernel
def _control(bins: Floats, close: float) -> int:
    # The fullest bin; of equal ones the nearest to `close` (in bins from the centre).
    half = len(bins) // 2
    best = 0
    for k in range(1, len(bins)):
        nearer = abs(k + 0.5 - half - close) < abs(best + 0.5 - half - close)
        if bins[k] > bins[best] or (bins[k] == bins[best] and nearer):
            best = k
    return best


@kernel
def _area(state: Floats, bins: Floats, total: float, share: float, close: float) -> None:
    half = len(bins) // 2
    centre, width = state[CENTRE], state[WIDTH]
    control = _control(bins, (close - centre) / width)
    low = high = control
    held = bins[control]
    while held < share * total and (low > 0 or high < len(bins) - 1):
        above = bins[high + 1] if high < len(bins) - 1 else -1.0
        below = bins[low - 1] if low > 0 else -1.0
        if above >= below:
            high += 1
        if below >= above:
            low -= 1
        held += above + below if above == below else max(above, below)
    state[POC] = centre + (control + 0.5 - half) * width
    state[LOW_EDGE] = centre + (low - half) * width
    state[HIGH_EDGE] = centre + (high + 1.0 - half) * width


@kernel
def is_high_node(bins: Floats, k: int, least: float) -> bool:
    """Tell whether bin `k` holds at least `least` and no less than its neighbours."""
    below = bins[k - 1] if k > 0 else 0.0
    above = bins[k + 1] if k < len(bins) - 1 else 0.0
    return bins[k] >= least and bins[k] >= below and bins[k] >= above  # type: ignore[no-any-return]


@kernel
def is_low_node(bins: Floats, k: int, most: float) -> bool:
    """Tell whether bin `k` lies inside, holds at most `most` and no more than its neighbours."""
    if k == 0 or k == len(bins) - 1:
        return False
    return bins[k] <= most and bins[k] <= bins[k - 1] and bins[k] <= bins[k + 1]  # type: ignore[no-any-return]


@kernel
def _nodes(state: Floats, params: Floats, bins: Floats, side: float, close: float, total: float) -> None:
    # The nearest thick bin beyond the close, and the thin bin nearest to the edge between it and the control.
    half = len(bins) // 2
    mean = total / len(bins)
    edge = state[HIGH_EDGE] if side > 0.0 else state[LOW_EDGE]
    state[HIGH_NODE] = state[LOW_NODE] = np.nan
    for k in range(len(bins)):
        price = state[CENTRE] + (k + 0.5 - half) * state[WIDTH]
        beyond, inside = side * (price - close), side * (edge - price)  # `not >=`: the first one beside NaN counts too
        nearer = beyond > 0.0 and not beyond >= side * (state[HIGH_NODE] - close)
        if nearer and is_high_node(bins, k, params[_THICK] * mean):
            state[HIGH_NODE] = price
        nearer = inside > 0.0 and not inside >= side * (edge - state[LOW_NODE])
        if nearer and side * (price - state[POC]) > 0.0 and is_low_node(bins, k, params[_THIN] * mean):
            state[LOW_NODE] = price


@kernel
def step(state: Floats, params: Floats, high: float, low: float, close: float, volume: float) -> int:
    """Take one closed bar; return the side of the trade times `REVERSION` or `BREAKOUT`, 0 for no event.

    The profile is that of the `session` bars before: a bar is not measured against itself.
    """
    session, count = int(params[_SESSION]), int(params[_BINS])
    seen = int(state[COUNT])
    weight = 1.0 if params[_BY_TIME] > 0.0 else volume
    highs = state[RINGS : RINGS + session]
    lows = state[RINGS + session : RINGS + 2 * session]
    volumes = state[RINGS + 2 * session : RINGS + 3 * session]
    bins = state[RINGS + 3 * session : RINGS + 3 * session + count]
    event = 0
    if seen >= session:
        total = _fill(state, highs, lows, volumes, bins)
        if total > 0.0 and state[WIDTH] > 0.0:
            _area(state, bins, total, params[_SHARE], close)
            event = _take(state, params, bins, high, low, close, weight, total)
    at = seen % session
    highs[at], lows[at], volumes[at] = high, low, weight
    state[COUNT] = seen + 1
    return event


@kernel
def _take(
    state: Floats,
    params: Floats,
    bins: Floats,
    high: float,
    low: float,
    close: float,
    weight: float,
    total: float,
) -> int:
    before = state[SIDE]
    side = 1.0 if close > state[HIGH_EDGE] else -1.0 if close < state[LOW_EDGE] else 0.0
    event = 0
    if before > 0.0:
        state[EXTREME] = max(state[EXTREME], high)
    elif before < 0.0:
        state[EXTREME] = min(state[EXTREME], low)
    if side == 0.0:
        if before != 0.0 and state[STREAK] < params[_ACCEPT]:
            event = -int(before) * REVERSION
        state[SIDE] = state[STREAK] = state[STREAK_VOLUME] = 0.0
        return event
    if side != before:
        state[SIDE] = side
        state[STREAK] = state[STREAK_VOLUME] = 0.0
        state[EXTREME] = high if side > 0.0 else low
    state[STREAK] += 1.0
    state[STREAK_VOLUME] += weight
    least = params[_VOLUME_RATIO] * state[STREAK] * state[MEAN_VOLUME]
    if state[STREAK] == params[_ACCEPT] and state[STREAK_VOLUME] >= least:
        event = int(side) * BREAKOUT
        _nodes(state, params, bins, side, close, total)
    return event


@kernel
def run(state: Floats, params: Floats, bars: Floats, out: Floats) -> None:
    """Take bars (n, 4) of high, low, close, volume; write rows of event, point of control, low edge, high edge.

    All but the event are NaN in the first `session` bars.
    """
    for i in range(len(bars)):
        out[i, 0] = step(state, params, bars[i, 0], bars[i, 1], bars[i, 2], bars[i, 3])
        known = state[COUNT] > params[_SESSION] and state[WIDTH] > 0.0
        out[i, 1] = state[POC] if known else np.nan
        out[i, 2] = state[LOW_EDGE] if known else np.nan
        out[i, 3] = state[HIGH_EDGE] if known else np.nan


class Profile(NamedTuple):
    """Volume by price.

    Parameters
    ----------
    prices, volumes : ndarray
        Middle of each bin, and what traded in it; float64 of shape (bins,).
    point_of_control, low_edge, high_edge : float
        Price of the fullest bin, and the edges of the value area.
    high_nodes, low_nodes : ndarray
        Prices of the bins that are thicker, or thinner, than their neighbours and the mean by the set factors.

    Examples
    --------
    >>> Profile(np.array([1.0]), np.array([2.0]), 1.0, 0.5, 1.5, np.array([1.0]), np.array([])).high_edge
    1.5
    """

    prices: Floats
    volumes: Floats
    point_of_control: float
    low_edge: float
    high_edge: float
    high_nodes: Floats
    low_nodes: Floats


class VolumeProfilePolicy(Policy):
    """Fade a failed excursion from the value area, and follow an accepted one.

    The volume of each of the last `session` bars is spread evenly over its range, into `bins` bins of the session's
    range. The value area grows from the fullest bin (the point of control) to the fuller neighbour until it holds
    `value_share` of the volume.

    - *Reversion*: the close was outside for fewer than `acceptance` bars and is inside again. Target: the point of
      control. Stop: `stop_ranges` mean bar ranges beyond the furthest price of the excursion.
    - *Breakout*: the close is outside for the `acceptance`-th time in a row, on at least `volume_ratio` times the mean
      volume. Stop: `stop_ranges` mean ranges behind the thin bin nearest to the edge (the edge, where none is). Target:
      `extension` value areas beyond the edge, or the nearest thick bin before that.

    Either is a signal only if its target is at least `min_reward` times as far as its stop.

    Warm-up: no signal in the first `session` bars.

    Parameters
    ----------
    instrument_id
        What the signals are about.
    session, bins
        Bars of the rolling session; bins of its range (an even number).
    by
        `volume`, or `time`: each bar counts 1 (for bars of quotes, which have no volume).
    value_share
        Share of the volume inside the value area.
    high_node, low_node
        A bin is thick from `high_node` times the mean of all bins on, and thin up to `low_node` times.
    acceptance, volume_ratio, stop_ranges, extension, min_reward
        See above.
    reversion, breakout
        Whether each of the two is traded.

    Examples
    --------
    >>> policy = VolumeProfilePolicy("A.B", session=8, bins=8, by="volume", value_share=0.7, high_node=1.5,
    ...                              low_node=0.5, acceptance=3, volume_ratio=0.0, stop_ranges=0.5, extension=1.0,
    ...                              min_reward=0.2, reversion=True, breakout=True)
    >>> closes = [100, 103, 97, 100, 99, 98, 99, 99, 102.5, 101]
    >>> bars = [MarketBar(c + 1.0, c - 1.0, c, 1.0, ts_init=i) for i, c in enumerate(closes)]
    >>> [(signal.side, signal.target) for signal in map(policy.decide, bars) if signal]
    [('SELL', 99.5)]
    """

    source = "volume_profile"

    def __init__(
        self,
        instrument_id: str,
        *,
        session: int,
        bins: int,
        by: str,
        value_share: float,
        high_node: float,
        low_node: float,
        acceptance: int,
        volume_ratio: float,
        stop_ranges: float,
        extension: float,
        min_reward: float,
        reversion: bool,
        breakout: bool,
    ) -> None:
        if bins < 4 or bins % 2:
            raise ValueError(f"Expected an even number of bins, at least 4, was {bins}.")
        self.stop_ranges = stop_ranges
        self.extension = extension
        self.min_reward = min_reward
        self.reversion = reversion
        self.breakout = breakout
        params = (session, bins, value_share, high_node, low_node, acceptance, volume_ratio, float(by == "time"))
        super().__init__(instrument_id, np.zeros(RINGS + 3 * session + bins), params)

    @property
    def profile(self) -> Profile | None:
        """The profile that the last bar was measured against; None in the warm-up."""
        session, count = int(self.params[_SESSION]), int(self.params[_BINS])
        state = self.state
        if not (state[COUNT] > session and state[WIDTH] > 0.0):
            return None
        bins = state[RINGS + 3 * session :].copy()
        prices = state[CENTRE] + (np.arange(count) + 0.5 - count // 2) * state[WIDTH]
        mean = state[MEAN_VOLUME] * session / count
        thick = [k for k in range(count) if is_high_node(bins, k, self.params[_THICK] * mean)]
        thin = [k for k in range(count) if is_low_node(bins, k, self.params[_THIN] * mean)]
        edges = (float(state[POC]), float(state[LOW_EDGE]), float(state[HIGH_EDGE]))
        return Profile(prices, bins, *edges, prices[thick], prices[thin])

    def decide(self, bar: MarketBar) -> Signal | None:
        event = int(step(self.state, self.params, bar.high, bar.low, bar.close, bar.volume))
        if event == 0:
            return None
        side = 1 if event > 0 else -1
        state = self.state
        margin = self.stop_ranges * float(state[RANGE])
        if abs(event) == REVERSION:
            if not self.reversion:
                return None
            stop, target = float(state[EXTREME]) - side * margin, float(state[POC])
        else:
            if not self.breakout:
                return None
            edge = float(state[HIGH_EDGE] if side > 0 else state[LOW_EDGE])
            thin, thick = float(state[LOW_NODE]), float(state[HIGH_NODE])
            stop = (edge if np.isnan(thin) else thin) - side * margin
            target = edge + side * self.extension * float(state[HIGH_EDGE] - state[LOW_EDGE])
            if side * (target - thick) > 0.0:  # NaN: there is none
                target = thick
        risk, reward = side * (bar.close - stop), side * (target - bar.close)
        if risk <= 0.0 or reward < self.min_reward * risk or reward <= 0.0:
            return None
        strength = reward / (reward + risk)
        return self._signal(side, bar, strength=strength, stop=stop, target=target)
