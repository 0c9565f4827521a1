"""Support and resistance: prices where the market turned, traded much or shows large sizes, and their strength."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple, Self

import msgspec
import numpy as np
from msgspec import Meta

from fathom.detectors.bars.detector import (
    ASK_WALL,
    ASK_WALL_RATIO,
    BID_WALL,
    BID_WALL_RATIO,
    CLOSE,
    HIGH,
    LOW,
    VOLUME,
    Bar,
    BarDetector,
    FloatArray,
    WatchSettings,
)
from fathom.detectors.bars.zigzag import SCALE, ZIGZAG_CELLS, zigzag_step
from fathom.market.kernel import kernel

# Cells of the state: a zigzag, the newest pivot, the mean volume, a ring of (typical price, volume), the levels.
_PIVOT: Final = ZIGZAG_CELLS
_MEAN_VOLUME: Final = _PIVOT + 2
_COUNT: Final = _MEAN_VOLUME + 1
_RING: Final = _COUNT + 1

# Fields of a level.
_PRICE, _SCORE, _TOUCHES, _REACTIONS, _BREAKS, _VOLUME, _WALL, _BORN, _SIDE, _INSIDE = range(10)
_FIELDS: Final = 10

_REVERSAL, _SPAN, _BAND, _WINDOW, _LEVELS, _HALF_LIFE, _WALL_RATIO, _NODE_RATIO, _LEAST = range(9)

# What a piece of evidence adds to the score of a level; strength is 1 - exp(-score / _NORM).
_PIVOT_POINTS: Final = 1.0
_TOUCH_POINTS: Final = 0.5
_REACTION_POINTS: Final = 1.0
_NODE_POINTS: Final = 0.6
_VOLUME_POINTS: Final = 0.05  # for each usual bar's volume traded at the level
_WALL_POINTS: Final = 0.1  # for each bar that closes with a wall there
_BROKEN: Final = 0.5  # what a break leaves of the score
_NORM: Final = 3.0
_FORGOTTEN: Final = 0.02


class SupportResistanceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `SupportResistance`; distances are in mean true ranges of a bar.

    Parameters
    ----------
    levels : int
        Levels that are tracked at once; the weakest makes room for a new one.
    reversal : float
        Distance that makes a turning point.
    band : float
        Half the width of a level: prices nearer than this are the same level.
    volume_window : int
        Bars in which high-volume prices are looked for.
    node_ratio : float
        Volume within a band over its fair share of the window that makes a level.
    wall_ratio : float
        Resting size over the mean size around it that makes a level.
    half_life_bars : float
        Bars after which an untouched level has lost half its score.
    min_strength : float
        Weaker levels are tracked but not reported as the nearest.
    scale_span : int
        Bars over which the true range and the volume are averaged.

    Examples
    --------
    >>> SupportResistanceConfig().levels
    24
    """

    levels: Annotated[int, Meta(ge=2, le=256)] = 24
    reversal: Annotated[float, Meta(gt=0)] = 5.0
    band: Annotated[float, Meta(gt=0)] = 1.0
    volume_window: Annotated[int, Meta(ge=8, le=4096)] = 120
    node_ratio: Annotated[float, Meta(gt=1)] = 3.0
    wall_ratio: Annotated[float, Meta(gt=1)] = 8.0
    half_life_bars: Annotated[float, Meta(gt=0)] = 500.0
    min_strength: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    scale_span: Annotated[int, Meta(ge=8)] = 200


class LevelsReading(NamedTuple):
    """The nearest levels after a bar; NaN where there is none.

    Parameters
    ----------
    support, resistance : float
        Price of the nearest strong enough level below and above the close.
    support_strength, resistance_strength : float
        Their strength, 0 to 1.

    Examples
    --------
    >>> LevelsReading(99.0, 0.5, 101.0, 0.4).support
    99.0
    """

    support: float
    support_strength: float
    resistance: float
    resistance_strength: float


class Level(NamedTuple):
    """One tracked level.

    Parameters
    ----------
    price : float
    strength : float
        0 to 1; decays while nothing happens at the level.
    role : int
        1 support (the price came from above), -1 resistance. A break turns it round.
    touches, reactions, breaks : int
        Times the price came, was turned back, and went through.
    volume : float
        Traded at the level, in usual bars' volumes.
    walls : int
        Bars that closed with a large resting size there.
    age_bars : int

    Examples
    --------
    >>> Level(99.0, 0.5, 1, 3, 2, 0, 4.0, 0, 120).role
    1
    """

    price: float
    strength: float
    role: int
    touches: int
    reactions: int
    breaks: int
    volume: float
    walls: int
    age_bars: int


@kernel
def strength_of(score: float) -> float:
    """Return the strength of a level with a score."""
    return float(1.0 - np.exp(-score / _NORM))


@kernel
def _find(levels: FloatArray, price: float, band: float) -> int:
    found = -1
    nearest = band
    for i in range(len(levels)):
        if levels[i, _SCORE] > 0.0:
            distance = abs(levels[i, _PRICE] - price)
            if distance <= nearest and (found < 0 or distance < nearest):
                found, nearest = i, distance
    return found


@kernel
def _support(levels: FloatArray, price: float, points: float, band: float, side: float, now: float) -> int:
    """Strengthen the level at `price`, or begin one in place of the weakest."""
    i: int = _find(levels, price, band)
    if i >= 0:
        # The level follows its evidence: the old price weighs as much as its score.
        old = levels[i, _SCORE]
        levels[i, _PRICE] += (price - levels[i, _PRICE]) * points / (old + points)
        levels[i, _SCORE] = old + points
        return i
    i = 0
    for k in range(len(levels)):
        if levels[k, _SCORE] < levels[i, _SCORE]:
            i = k
    if levels[i, _SCORE] >= points:
        return -1
    levels[i, :] = 0.0
    levels[i, _PRICE], levels[i, _SCORE], levels[i, _BORN], levels[i, _SIDE] = price, points, now, side
    return i


@kernel
def _meet(level: FloatArray, params: FloatArray, bar: FloatArray, band: float, volume: float) -> None:
    """Let a level feel one bar: touch, reaction, break."""
    price, side = level[_PRICE], level[_SIDE]
    overlaps = bar[LOW] <= price + band and bar[HIGH] >= price - band
    if overlaps:
        level[_VOLUME] += volume
        level[_SCORE] += _VOLUME_POINTS * min(volume, 4.0)
        if level[_INSIDE] == 0.0:
            level[_INSIDE] = 1.0
            level[_TOUCHES] += 1.0
            level[_SCORE] += _TOUCH_POINTS
    away = side * (bar[CLOSE] - price)
    if away < -2.0 * band:
        level[_BREAKS] += 1.0
        level[_SIDE] = -side
        level[_SCORE] *= _BROKEN
        level[_INSIDE] = 0.0
    elif level[_INSIDE] > 0.0 and away > 2.0 * band:
        level[_REACTIONS] += 1.0
        level[_SCORE] += _REACTION_POINTS
        level[_INSIDE] = 0.0


@kernel
def _node(ring: FloatArray, held: int, price: float, band: float) -> tuple[float, float]:
    """Return the volume around `price` over its fair share of the window, and the mean price of the window."""
    total = near = mean = 0.0
    low = high = ring[0, 0]
    for i in range(held):
        total += ring[i, 1]
        mean += ring[i, 0] / held
        low, high = min(low, ring[i, 0]), max(high, ring[i, 0])
        if abs(ring[i, 0] - price) <= band:
            near += ring[i, 1]
    if total <= 0.0 or high - low <= 2.0 * band:
        return 0.0, mean
    return near / total * (high - low) / (2.0 * band), mean


@kernel
def _rank(levels: FloatArray, close: float, least: float, found: FloatArray) -> None:
    """Write price and strength of the nearest levels below and above into `found`, shape (2, n, 2); NaN: no more."""
    found[:] = np.nan
    n = found.shape[1]
    for i in range(len(levels)):
        if levels[i, _SCORE] <= 0.0:
            continue
        strength = strength_of(levels[i, _SCORE])
        if strength < least:
            continue
        price = levels[i, _PRICE]
        below = price < close or (price == close and levels[i, _SIDE] > 0.0)
        side = found[0 if below else 1]
        k = n
        while k > 0 and (np.isnan(side[k - 1, 0]) or (price > side[k - 1, 0] if below else price < side[k - 1, 0])):
            k -= 1
        if k == n:
            continue
        for j in range(n - 1, k, -1):
            side[j, 0], side[j, 1] = side[j - 1, 0], side[j - 1, 1]
        side[k, 0], side[k, 1] = price, strength


@kernel
def rank_levels(state: FloatArray, params: FloatArray, close: float, found: FloatArray) -> None:
    levels = state[_RING + 2 * int(params[_WINDOW]) :].reshape(int(params[_LEVELS]), _FIELDS)
    _rank(levels, close, params[_LEAST], found)


@kernel
def step(state: FloatArray, params: FloatArray, bar: FloatArray, out: FloatArray) -> None:
    window = int(params[_WINDOW])
    ring = state[_RING : _RING + 2 * window].reshape(window, 2)
    levels = state[_RING + 2 * window :].reshape(int(params[_LEVELS]), _FIELDS)
    count = int(state[_COUNT])
    pivot = state[_PIVOT : _PIVOT + 2]
    turned = zigzag_step(state[:ZIGZAG_CELLS], bar, params[_REVERSAL], params[_SPAN], pivot)
    band = params[_BAND] * state[SCALE]
    mean = state[_MEAN_VOLUME]
    volume = bar[VOLUME] / mean if mean > 0.0 else 0.0
    state[_MEAN_VOLUME] = mean + (bar[VOLUME] - mean) / min(count + 1.0, params[_SPAN])
    typical = (bar[HIGH] + bar[LOW]) / 2.0
    ring[count % window, 0], ring[count % window, 1] = typical, bar[VOLUME]
    state[_COUNT] = count + 1.0
    now = float(count)
    keep = 0.5 ** (1.0 / params[_HALF_LIFE])
    if band > 0.0:
        for i in range(len(levels)):
            if levels[i, _SCORE] > 0.0:
                levels[i, _SCORE] *= keep
                _meet(levels[i], params, bar, band, volume)
                if levels[i, _SCORE] < _FORGOTTEN:
                    levels[i, :] = 0.0
        if turned != 0:
            # A high is resistance (-1), a low support (1).
            i = _support(levels, pivot[0], _PIVOT_POINTS, band, float(-turned), now)
            if i >= 0 and levels[i, _TOUCHES] == 0.0:
                levels[i, _TOUCHES] = 1.0
        if count + 1 >= window and _find(levels, typical, 2.0 * band) < 0:
            ratio, centre = _node(ring, window, typical, band)
            if ratio >= params[_NODE_RATIO]:
                _support(levels, typical, _NODE_POINTS, band, 1.0 if centre > typical else -1.0, now)
        # The larger wall first: so that the order is the same for a price turned upside down.
        bid_first = bar[BID_WALL_RATIO] > bar[ASK_WALL_RATIO]
        for k in range(2):
            bid = bid_first == (k == 0)
            if bar[BID_WALL_RATIO if bid else ASK_WALL_RATIO] >= params[_WALL_RATIO]:
                price = bar[BID_WALL if bid else ASK_WALL]
                i = _support(levels, price, _WALL_POINTS, band, 1.0 if bid else -1.0, now)
                if i >= 0:
                    levels[i, _WALL] += 1.0
    _rank(levels, bar[CLOSE], params[_LEAST], out.reshape(2, 1, 2))


@kernel
def run(state: FloatArray, params: FloatArray, bars: FloatArray, out: FloatArray) -> None:
    for i in range(len(bars)):
        step(state, params, bars[i], out[i])


def new_levels_state(config: SupportResistanceConfig | None = None) -> tuple[FloatArray, FloatArray]:
    """Return state and parameters of the recurrence `step` before the first bar."""
    c = config or SupportResistanceConfig()
    params = [
        *(c.reversal, c.scale_span, c.band, c.volume_window, c.levels, c.half_life_bars, c.wall_ratio, c.node_ratio),
        c.min_strength,
    ]
    return np.zeros(_RING + 2 * c.volume_window + c.levels * _FIELDS), np.array(params, dtype=np.float64)


class Zones(NamedTuple):
    """The nearest levels around a close.

    Parameters
    ----------
    supports, resistances : tuple of (float, float)
        Price and strength, the nearest first; prices in the unit of the bars.

    Examples
    --------
    >>> Zones(supports=((99.0, 0.5),), resistances=()).supports[0][0]
    99.0
    """

    supports: tuple[tuple[float, float], ...]
    resistances: tuple[tuple[float, float], ...]


class SupportResistance(BarDetector[LevelsReading]):
    """Track support and resistance levels and name the nearest ones.

    A level begins at a confirmed turning point, at a price with much more volume than its share, or at a large resting
    size. It gains strength from turning points, touches, reactions, volume and resting size, and loses it with time
    (exponentially) and by half when the price goes through, which also turns its role round. That orders cluster at
    such levels, and why, is shown by Osler [1]_.

    Parameters
    ----------
    config : SupportResistanceConfig, optional
    published : int
        Levels a side in the news.
    step : float
        Change of a level's strength that is news.

    Attributes
    ----------
    columns : tuple of str
        ``support``, ``support_strength``, ``resistance``, ``resistance_strength``; NaN where there is no level.

    References
    ----------
    .. [1] Osler, C. L. (2003). Currency orders and exchange rate dynamics: an explanation for the predictive success of
       technical analysis. Journal of Finance 58(5), 1791-1820. https://doi.org/10.1111/1540-6261.00588

    Examples
    --------
    A price that swings between 90 and 110:

    >>> import numpy as np
    >>> from fathom.detectors.bars.detector import bars_of
    >>> close = 100 + 10 * np.sin(np.arange(400) / 10)
    >>> detector = SupportResistance()
    >>> nearest = detector.update_many(bars_of(close))[-1]
    >>> round(float(nearest[0])), round(float(nearest[2]))
    (90, 110)
    """

    columns = ("support", "support_strength", "resistance", "resistance_strength")
    name = "levels"
    Config = SupportResistanceConfig
    News = Zones
    message = "fathom.data_catalog.messages.detections:LevelUpdate"

    def __init__(
        self, config: SupportResistanceConfig | None = None, *, published: int = 3, step: float = 0.05
    ) -> None:
        self.config = config or SupportResistanceConfig()
        self._published, self._step = published, step
        state, params = new_levels_state(self.config)
        super().__init__(
            state,
            params,
            run,
            lambda row: LevelsReading(*row),
        )

    @property
    def levels(self) -> list[Level]:
        """Every tracked level, the strongest first."""
        count = self._state[_COUNT]
        table = self._state[_RING + 2 * self.config.volume_window :].reshape(-1, _FIELDS)
        found = [
            Level(
                price=float(row[_PRICE]),
                strength=float(strength_of(row[_SCORE])),
                role=int(row[_SIDE]),
                touches=int(row[_TOUCHES]),
                reactions=int(row[_REACTIONS]),
                breaks=int(row[_BREAKS]),
                volume=float(row[_VOLUME]),
                walls=int(row[_WALL]),
                age_bars=int(count - 1 - row[_BORN]),
            )
            for row in table[table[:, _SCORE] > 0.0]
        ]
        return sorted(found, key=lambda level: -level.strength)

    def nearest(
        self, close: float, count: int
    ) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]:
        """Return price and strength of the strong enough levels below and above `close`, the nearest first.

        Parameters
        ----------
        close : float
            Of the last bar: then the first of each are those of the last reading.
        count : int
            The most levels a side.
        """
        found = np.empty((2, count, 2))
        rank_levels(self._state, self._params, close, found)
        below, above = (tuple((p, s) for p, s in side if p == p) for side in found.tolist())
        return below, above

    @classmethod
    def watching(cls, settings: WatchSettings) -> Self:
        return cls(settings.settings_of(cls), published=settings.nearest, step=settings.level_step)

    def news(self, bar: Bar, readings: Mapping[str, Any]) -> Zones:
        return Zones(*self.nearest(bar.close, self._published))

    def changed(self, old: Zones | None, new: Zones) -> bool:
        """Tell whether a level came, went, moved by a tick, or changed in strength by `step`."""
        if old is None:
            return True
        for before, now in zip(old, new, strict=True):
            if len(before) != len(now):
                return True
            for (price, strength), (new_price, new_strength) in zip(before, now, strict=True):
                if abs(new_price - price) >= 1.0 or abs(new_strength - strength) >= self._step:
                    return True
        return False
