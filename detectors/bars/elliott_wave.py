"""Elliott wave: which wave of an impulse and its correction the last pivots allow, and where that count breaks."""

from enum import IntEnum
from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from fathom.detectors.bars.detector import CLOSE, BarDetector, FloatArray
from fathom.detectors.bars.zigzag import EXTREME, ZIGZAG_CELLS, zigzag_step
from fathom.market.kernel_cache import cached


class Wave(IntEnum):
    """The wave under way; NONE where the pivots allow no count."""

    NONE = 0
    ONE = 1
    TWO = 2
    THREE = 3
    FOUR = 4
    FIVE = 5
    A = 6
    B = 7
    C = 8


_WAVES: Final = tuple(Wave)

# A count with m complete waves uses the last m + 1 pivots; the wave under way is m + 1.
_PIVOTS: Final = 8
_ZIGZAG: Final = 0
_HELD: Final = ZIGZAG_CELLS  # pivots held, newest last
_PRICES: Final = _HELD + 1
_CELLS: Final = _PRICES + _PIVOTS
_MULTIPLE, _SPAN, _WIDTH, _LEAST = range(4)
# Wave B may go beyond the end of wave 5 by this share of wave A (an expanded flat, Frost and Prechter 1978).
_EXPANDED: Final = 0.382
# The retracements and extensions that the guidelines name.
_RETRACE_2: Final = (0.5, 0.618)
_EXTEND_3: Final = (1.618, 2.618)
_RETRACE_4: Final = (0.236, 0.382)
_EXTEND_5: Final = (0.618, 1.0, 1.618)
_RETRACE_A: Final = (0.236, 0.382)
_RETRACE_B: Final = (0.5, 0.618, 1.0)


class ElliottWaveConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `ElliottWave`.

    Parameters
    ----------
    reversal : float
        Distance that confirms a pivot, in mean true ranges.
    scale_span : int
        Bars over which the true range is averaged.
    width : float
        Tolerance around the Fibonacci ratios, as a standard deviation of the logarithm of the ratio.
    min_confidence : float
        Counts below it are not reported.

    Examples
    --------
    >>> ElliottWaveConfig(reversal=8.0).width
    0.25
    """

    reversal: Annotated[float, Meta(gt=0)] = 5.0
    scale_span: Annotated[int, Meta(ge=8)] = 200
    width: Annotated[float, Meta(gt=0)] = 0.25
    min_confidence: Annotated[float, Meta(ge=0, lt=1)] = 0.0


class WaveReading(NamedTuple):
    """What `ElliottWave` says after a bar.

    Parameters
    ----------
    wave : Wave
        The wave under way.
    direction : int
        1 for an impulse upwards, -1 downwards, 0 for no count. It is the impulse's direction in waves A to C too.
    confidence : float
        How well the complete waves keep to the Fibonacci guidelines, times the share of the nine pivots that are
        known; 0 to 1, NaN for no count. It is a measure of form, not the probability of a profit.
    invalidation_price : float
        The count is dropped once the price reaches it; NaN for no count. In waves 1 and 2 it is the start of wave 1, in
        wave 4 the end of wave 1, in waves 3, 5, A and C the start of the wave itself, in B a little beyond wave A.
    limit_price : float
        In wave 5 after a wave 3 shorter than wave 1: the price that wave 5 may not reach, else wave 3 would be the
        shortest; NaN where there is no such limit.

    Examples
    --------
    >>> WaveReading(Wave.THREE, 1, 0.4, 99.0, float("nan")).wave.name
    'THREE'
    """

    wave: Wave
    direction: int
    confidence: float
    invalidation_price: float
    limit_price: float


@cached
def breaks_rules(p: FloatArray, waves: int, end: float) -> bool:
    """Tell whether `waves` complete waves over the pivots ``p[0..waves]`` and a running wave to `end` break a rule.

    The three hard rules: wave 2 never goes beyond the start of wave 1; wave 3 is never the shortest of 1, 3 and 5;
    wave 4 never enters the ground of wave 1. Also wave 3 ends beyond wave 1. Prices are mirrored by the caller so that
    the impulse goes up.
    """
    if waves <= 1 and end <= p[0]:
        return True
    if waves >= 2 and p[2] <= p[0]:
        return True
    if waves == 2 and end <= p[2]:
        return True
    if waves >= 3 and p[3] <= p[1]:
        return True
    if waves == 3 and end <= p[1]:
        return True
    if waves >= 4 and p[4] <= p[1]:
        return True
    if waves == 4 and end <= p[4]:
        return True
    if waves >= 4:
        five = (p[5] if waves >= 5 else end) - p[4]
        third = p[3] - p[2]
        if third < p[1] - p[0] and third < five:
            return True
    if waves >= 5 and p[5] <= p[3]:
        return True
    if waves == 5 and end >= p[5]:
        return True
    if waves >= 6:
        ceiling = p[5] + _EXPANDED * (p[5] - p[6])
        if (p[7] if waves >= 7 else end) >= ceiling:
            return True
        if (waves == 6 and end <= p[6]) or (waves >= 7 and end >= p[7]):
            return True
    return False


@cached
def _near(ratio: float, targets: tuple[float, ...], width: float) -> float:
    best = 0.0
    for target in targets:
        z = np.log(max(ratio, 1e-9) / target) / width
        best = max(best, np.exp(-0.5 * z * z))
    return best


@cached
def form(p: FloatArray, waves: int, width: float) -> float:
    """Return how well the complete waves keep to the guidelines: the mean over the ratios, 0.5 where there is none."""
    if waves < 2:
        return 0.5
    one = p[1] - p[0]
    total = _near((p[1] - p[2]) / one, _RETRACE_2, width)
    n = 1.0
    if waves >= 3:
        total += _near((p[3] - p[2]) / one, _EXTEND_3, width)
        n += 1.0
    if waves >= 4:
        total += _near((p[3] - p[4]) / (p[3] - p[2]), _RETRACE_4, width)
        n += 1.0
    if waves >= 5:
        total += _near((p[5] - p[4]) / one, _EXTEND_5, width)
        n += 1.0
    if waves >= 6:
        total += _near((p[5] - p[6]) / (p[5] - p[0]), _RETRACE_A, width)
        n += 1.0
    if waves >= 7:
        total += _near((p[7] - p[6]) / (p[5] - p[6]), _RETRACE_B, width)
        n += 1.0
    return float(total / n)


@cached
def _invalidation(p: FloatArray, waves: int) -> float:
    # Where `breaks_rules` says so of the wave under way.
    if waves <= 1:
        return float(p[0])
    if waves == 3:
        return float(p[1])
    if waves == 6:
        return float(p[5] + _EXPANDED * (p[5] - p[6]))
    return float(p[waves])


@cached
def _push(state: FloatArray, price: float) -> None:
    held = int(state[_HELD])
    if held == _PIVOTS:
        for i in range(_PIVOTS - 1):
            state[_PRICES + i] = state[_PRICES + i + 1]
        held -= 1
    state[_PRICES + held] = price
    state[_HELD] = held + 1.0


@cached
def step(state: FloatArray, params: FloatArray, bar: FloatArray, out: FloatArray) -> None:
    pivot = np.empty(2)
    if zigzag_step(state[_ZIGZAG:_HELD], bar, params[_MULTIPLE], params[_SPAN], pivot) != 0:
        _push(state, pivot[0])
    out[0], out[1], out[2], out[3], out[4] = 0.0, 0.0, np.nan, np.nan, np.nan
    held = int(state[_HELD])
    if held == 0:
        return
    p = np.empty(_PIVOTS)
    extreme, close = state[_ZIGZAG + EXTREME], bar[CLOSE]
    best = -1.0
    for waves in range(min(held, _PIVOTS) - 1, -1, -1):
        first = _PRICES + held - 1 - waves
        if waves == 0:
            up = 1.0 if extreme > state[first] else -1.0
        else:
            up = 1.0 if state[first + 1] > state[first] else -1.0
        for i in range(waves + 1):
            p[i] = up * state[first + i]
        # Both the running extreme and the close must be allowed: the close may have come back beyond a pivot.
        if breaks_rules(p, waves, up * extreme) or breaks_rules(p, waves, up * close):
            continue
        confidence = form(p, waves, params[_WIDTH]) * (waves + 1.0) / (_PIVOTS + 1.0)
        if confidence > best and confidence >= params[_LEAST]:
            best = confidence
            out[0], out[1], out[2] = waves + 1.0, up, confidence
            out[3] = up * _invalidation(p, waves)
            out[4] = np.nan
            if waves == 4 and p[3] - p[2] < p[1] - p[0]:
                out[4] = up * (p[4] + (p[3] - p[2]))


@cached
def run(state: FloatArray, params: FloatArray, bars: FloatArray, out: FloatArray) -> None:
    for i in range(len(bars)):
        step(state, params, bars[i], out[i])


_NOTHING: Final = (Wave.NONE, 0, float("nan"))


class ElliottWave(BarDetector[WaveReading]):
    """Count the waves of an impulse (1 to 5) and its correction (A to C) over online zigzag pivots.

    The three hard rules of the wave principle [1]_ are never broken, by the complete waves or the one under way. Among
    the counts that are left the one is reported that keeps best to the Fibonacci guidelines and explains most pivots.
    Pivots are confirmed by a reversal, so nothing looks ahead; a price turned upside down gives the same waves.

    Parameters
    ----------
    config : ElliottWaveConfig, optional

    Attributes
    ----------
    columns : tuple of str
        ``wave`` (`Wave`), ``direction``, ``confidence``, ``invalidation_price``, ``limit_price``.

    References
    ----------
    .. [1] Frost, A. J. and Prechter, R. R. (1978). Elliott Wave Principle: Key to Market Behavior. New Classics
       Library. Evidence that such counts forecast prices is weak: Batchelor, R. and Ramyar, R. (2005). Magic numbers in
       the Dow. Cass Business School.

    Examples
    --------
    A textbook impulse, 20 bars a wave:

    >>> import numpy as np
    >>> from fathom.detectors.bars.detector import bars_of
    >>> turns = [100.0, 110.0, 104.0, 120.0, 114.0, 124.0]
    >>> close = np.concatenate([np.linspace(a, b, 20, endpoint=False) for a, b in zip(turns, turns[1:])])
    >>> readings = ElliottWave().update_many(bars_of(close))
    >>> Wave(int(readings[-1, 0])).name, float(readings[-1, 3])
    ('FIVE', 114.0)
    """

    name = "waves"
    Config = ElliottWaveConfig
    News = WaveReading
    message = "fathom.data_catalog.messages.detections:WaveUpdate"
    columns = ("wave", "direction", "confidence", "invalidation_price", "limit_price")

    def __init__(self, config: ElliottWaveConfig | None = None) -> None:
        self.config = c = config or ElliottWaveConfig()
        params = np.array([c.reversal, c.scale_span, c.width, c.min_confidence], dtype=np.float64)
        super().__init__(
            np.zeros(_CELLS),
            params,
            run,
            lambda row: WaveReading(_WAVES[int(row[0])], int(row[1]), row[2], row[3], row[4]),
        )

    @property
    def pivots(self) -> FloatArray:
        """Prices of the confirmed pivots that counts are made of, oldest first, at most 8."""
        return self._state[_PRICES : _PRICES + int(self._state[_HELD])].copy()

    def changed(self, old: WaveReading | None, new: WaveReading) -> bool:
        said = _NOTHING if old is None else (old.wave, old.direction, old.invalidation_price)
        return super().changed(said, (new.wave, new.direction, new.invalidation_price))
