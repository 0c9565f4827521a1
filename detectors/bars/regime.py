"""Market regime: trend up, trend down, range, volatile or crash, by a Bayesian filter over standardised moves."""

from collections.abc import Mapping
from enum import IntEnum
from math import lgamma
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from fathom.detectors.bars.detector import CLOSE, Bar, BarDetector, FloatArray
from fathom.detectors.bars.flat_market import FlatReading
from fathom.detectors.bars.scale import MEAN_ABS, next_scale
from fathom.market.kernel_cache import cached


class RegimeLabel(IntEnum):
    """Regime of a market; UNKNOWN during the warm-up."""

    UNKNOWN = 0
    TREND_UP = 1
    TREND_DOWN = 2
    RANGE = 3
    VOLATILE = 4
    CRASH = 5


_LABELS: Final = tuple(RegimeLabel)

# Hidden states: the five labels; the crash turned upside down, which is reported as VOLATILE with a pause; and a walk
# of the usual spread without drift, reported as RANGE: without it whatever is not quiet would be called a trend.
_STATES: Final = 7
_SURGE: Final = 5
_WALK: Final = 6
_FARTHEST: Final = 500.0  # minus the logarithm of the least density of a move that is told from a larger one

_BEFORE, _COUNT, _SCALE, _LABEL, _HELD, _PAUSE, _POSTERIOR = range(7)
_SPAN, _WARM_UP, _FREEDOM, _STAY, _ENTER, _PAUSE_ENTER, _PAUSE_LEAVE, _MIN_BARS, _EMISSION = range(9)
# From _EMISSION: centre, scale and logarithm of the normaliser of each hidden state.


class RegimeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `Regime`; moves are in units of the usual move of a bar.

    Parameters
    ----------
    trend_drift : float
        Mean move of a trend, up or down.
    range_scale : float
        Spread of the moves of a quiet market; one that moves as usual but goes nowhere is called a range too.
    volatile_scale : float
        Spread of the moves of a volatile market.
    crash_drift, crash_scale : float
        Mean (downwards) and spread of the moves of a crash.
    freedom : float
        Degrees of freedom of the Student t density: the fewer, the less a single jump says.
    stay_bars : float
        Bars that a regime lasts on average.
    enter : float
        Probability at which another regime takes over.
    min_bars : int
        Bars that a regime keeps its name at least; a crash does not wait.
    pause_enter, pause_leave : float
        Probability of a shock (a crash, or its mirror image) at which the auto-pause begins and below which it ends.
    scale_span : int
        Bars over which the usual move is averaged.
    warm_up : int
        Bars before the first opinion.

    Examples
    --------
    >>> RegimeConfig(stay_bars=60).enter
    0.6
    """

    trend_drift: Annotated[float, Meta(gt=0)] = 0.6
    range_scale: Annotated[float, Meta(gt=0)] = 0.8
    volatile_scale: Annotated[float, Meta(gt=1)] = 2.5
    crash_drift: Annotated[float, Meta(gt=0)] = 3.0
    crash_scale: Annotated[float, Meta(gt=0)] = 2.0
    freedom: Annotated[float, Meta(gt=1)] = 6.0
    stay_bars: Annotated[float, Meta(gt=1)] = 120.0
    enter: Annotated[float, Meta(ge=0.5, lt=1)] = 0.6
    min_bars: Annotated[int, Meta(ge=0)] = 5
    pause_enter: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    pause_leave: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    scale_span: Annotated[int, Meta(ge=8)] = 1000
    warm_up: Annotated[int, Meta(ge=2)] = 30

    def __post_init__(self) -> None:
        if self.pause_leave > self.pause_enter:
            raise ValueError(f"Expected pause_leave up to pause_enter ({self.pause_enter:g}), was {self.pause_leave:g}")


class RegimeReading(NamedTuple):
    """What `Regime` says after a bar.

    Parameters
    ----------
    regime : RegimeLabel
    confidence : float
        Probability of the regime under the model; NaN while it is UNKNOWN.
    auto_pause : bool
        Whether a shock in either direction is under way: a strategy should not open anything.
    bars_held : int
        Bars since the regime began.

    Examples
    --------
    >>> RegimeReading(RegimeLabel.RANGE, 0.9, False, 12).regime.name
    'RANGE'
    """

    regime: RegimeLabel
    confidence: float
    auto_pause: bool
    bars_held: int


@cached
def _filter(state: FloatArray, params: FloatArray, x: float) -> None:
    # One step of Hamilton's filter. Sums are taken in pairs that a reflection swaps, so that the mirror image of a
    # price gives the mirror image of the probabilities to the last bit.
    leave = 1.0 / params[_STAY]
    p = state[_POSTERIOR : _POSTERIOR + _STATES]
    # Farther out every density would be zero, and nothing would be known for ever: the widest one is kept above that.
    freedom, widest = params[_FREEDOM], 0.0
    for k in range(_STATES):
        widest = max(widest, params[_EMISSION + _STATES + k])
    limit = widest * np.sqrt(freedom * np.expm1(2.0 * _FARTHEST / (freedom + 1.0)))
    x = min(max(x, -limit), limit)
    for k in range(_STATES):
        centre = params[_EMISSION + k]
        scale = params[_EMISSION + _STATES + k]
        z = (x - centre) / scale
        log_density = params[_EMISSION + 2 * _STATES + k] - 0.5 * (params[_FREEDOM] + 1.0) * np.log1p(
            z * z / params[_FREEDOM]
        )
        p[k] = (p[k] * (1.0 - leave) + (1.0 - p[k]) * leave / (_STATES - 1.0)) * np.exp(log_density)
    total = (p[0] + p[1]) + (p[2] + p[3]) + (p[4] + p[5]) + p[_WALK]
    for k in range(_STATES):
        p[k] /= total


@cached
def _probability(p: FloatArray, k: int) -> float:
    if k == 2:
        return float(p[2] + p[_WALK])
    return float(p[3] + p[_SURGE] if k == 3 else p[k])


@cached
def _name(state: FloatArray, params: FloatArray) -> float:
    p = state[_POSTERIOR : _POSTERIOR + _STATES]
    shock = p[4] + p[_SURGE]
    if state[_PAUSE] > 0.0:
        if shock < params[_PAUSE_LEAVE]:
            state[_PAUSE] = 0.0
    elif shock >= params[_PAUSE_ENTER]:
        state[_PAUSE] = 1.0
    label = int(state[_LABEL])
    best = 0
    probability = -1.0
    for k in range(5):
        mine = _probability(p, k)
        if mine > probability:
            best, probability = k + 1, mine
    state[_HELD] += 1.0
    urgent = best == 5
    if best != label and (
        label == 0 or (probability >= params[_ENTER] and (urgent or state[_HELD] >= params[_MIN_BARS]))
    ):
        # Two trends that are equally likely have no name yet.
        if label == 0 and probability < params[_ENTER]:
            return np.nan
        state[_LABEL] = best
        state[_HELD] = 0.0
        label = best
    return float(_probability(p, label - 1))


@cached
def step(state: FloatArray, params: FloatArray, bar: FloatArray, out: FloatArray) -> None:
    count = state[_COUNT]
    probability = np.nan
    if count > 0.0:
        move = bar[CLOSE] - state[_BEFORE]
        if count > params[_WARM_UP] and state[_SCALE] > 0.0:
            _filter(state, params, move * MEAN_ABS / state[_SCALE])
            probability = _name(state, params)
        # The yardstick is what was usual before this bar: it is moved afterwards.
        state[_SCALE] = next_scale(state[_SCALE], count - 1.0, move, params[_SPAN])
    state[_BEFORE] = bar[CLOSE]
    state[_COUNT] = count + 1.0
    out[0] = state[_LABEL]
    out[1] = probability
    out[2] = state[_PAUSE]
    out[3] = state[_HELD]


@cached
def run(state: FloatArray, params: FloatArray, bars: FloatArray, out: FloatArray) -> None:
    for i in range(len(bars)):
        step(state, params, bars[i], out[i])


def _params(c: RegimeConfig) -> FloatArray:
    centres = [c.trend_drift, -c.trend_drift, 0.0, 0.0, -c.crash_drift, c.crash_drift, 0.0]
    spreads = [1.0, 1.0, c.range_scale, c.volatile_scale, c.crash_scale, c.crash_scale, 1.0]
    constant = lgamma((c.freedom + 1) / 2) - lgamma(c.freedom / 2) - 0.5 * np.log(c.freedom * np.pi)
    head = [c.scale_span, c.warm_up, c.freedom, c.stay_bars, c.enter, c.pause_enter, c.pause_leave, c.min_bars]
    return np.array([*head, *centres, *spreads, *(constant - np.log(spreads))], dtype=np.float64)


class RegimeNews(NamedTuple):
    """The regime, and whether the market is flat, where that is watched too.

    Parameters
    ----------
    regime : RegimeLabel
    pause, is_flat : bool
    confidence, flat_strength : float

    Examples
    --------
    >>> RegimeNews(RegimeLabel.RANGE, False, True, 0.8, 0.6).regime.name
    'RANGE'
    """

    regime: RegimeLabel
    pause: bool
    is_flat: bool
    confidence: float
    flat_strength: float


class Regime(BarDetector[RegimeReading]):
    """Name the regime of a market bar by bar.

    A hidden Markov chain with known parameters [1]_: each regime draws the move of a bar, in units of the usual move,
    from a Student t density with its own centre and spread, and regimes last. The filter gives each regime its
    probability from the past alone; a name changes only when another regime is likely enough (hysteresis). Trend up
    and trend down are mirror images. A crash goes down; its mirror image is named VOLATILE, and both set `auto_pause`.

    Parameters
    ----------
    config : RegimeConfig, optional

    Attributes
    ----------
    columns : tuple of str
        ``regime`` (`RegimeLabel`), ``confidence`` (0 to 1, NaN while unknown), ``auto_pause`` (0 or 1), ``bars_held``.

    References
    ----------
    .. [1] Hamilton, J. D. (1989). A new approach to the economic analysis of nonstationary time series and the business
       cycle. Econometrica 57(2), 357-384. https://doi.org/10.2307/1912559

    Examples
    --------
    >>> import numpy as np
    >>> from fathom.detectors.bars.detector import bars_of
    >>> steps = np.random.default_rng(1).normal(size=600)
    >>> steps[400:] += 1.0
    >>> readings = Regime().update_many(bars_of(np.cumsum(steps)))
    >>> RegimeLabel(int(readings[-1, 0])).name
    'TREND_UP'
    """

    columns = ("regime", "confidence", "auto_pause", "bars_held")
    name = "regime"
    Config = RegimeConfig
    News = RegimeNews
    message = "fathom.data_catalog.messages.detections:RegimeChange"

    def __init__(self, config: RegimeConfig | None = None) -> None:
        self.config = config or RegimeConfig()
        state = np.zeros(_POSTERIOR + _STATES)
        state[_POSTERIOR:] = 1.0 / _STATES
        super().__init__(
            state,
            _params(self.config),
            run,
            lambda row: RegimeReading(_LABELS[int(row[0])], row[1], row[2] > 0.0, int(row[3])),
        )

    def news(self, bar: Bar, readings: Mapping[str, Any]) -> RegimeNews | None:
        regime, flat = readings[self.name], readings.get("flat", FlatReading(is_flat=False, strength=float("nan")))
        if regime.regime == RegimeLabel.UNKNOWN:
            return None
        return RegimeNews(regime.regime, regime.auto_pause, flat.is_flat, regime.confidence, flat.strength)

    def changed(self, old: RegimeNews | None, new: RegimeNews) -> bool:
        return old is None or old[:3] != new[:3]
