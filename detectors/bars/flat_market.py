"""Flat market: the price covers much less ground than a random walk of its usual step would."""

from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from fathom.detectors.bars.detector import CLOSE, HIGH, LOW, BarDetector, FloatArray
from fathom.detectors.bars.scale import MEAN_ABS, next_scale
from fathom.market.kernel_cache import cached

# Expected range of a Brownian motion over its standard deviation: sqrt(8 / pi) (Feller 1951).
_RANGE: Final = 1.5957691216057308

_BEFORE, _COUNT, _SCALE, _FLAT, _RING = range(5)  # cells of the state; then the highs, then the lows
_WINDOW, _SPAN, _ENTER, _LEAVE = range(4)


class FlatMarketConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `FlatMarket`.

    Parameters
    ----------
    window : int
        Bars over which the ground covered is measured.
    scale_span : int
        Bars over which the usual step is averaged; several times the window, or a long calm becomes the usual.
    enter, leave : float
        Strength at which a flat spell begins and below which it ends. A random walk of constant step is called flat in
        9 % of its bars with these defaults, a mean-reverting one with a half-life of 3 bars in 86 %.

    Examples
    --------
    >>> FlatMarketConfig().window
    60
    """

    window: Annotated[int, Meta(ge=4, le=4096)] = 60
    scale_span: Annotated[int, Meta(ge=8)] = 600
    enter: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    leave: Annotated[float, Meta(gt=0, lt=1)] = 0.35

    def __post_init__(self) -> None:
        if self.leave > self.enter:
            raise ValueError(f"Expected leave up to enter ({self.enter:g}), was {self.leave:g}")


class FlatReading(NamedTuple):
    """What `FlatMarket` says after a bar.

    Parameters
    ----------
    is_flat : bool
        Whether the market is flat, with hysteresis; False during the warm-up.
    strength : float
        1 minus the range of the window over the range expected of a random walk, at least 0; NaN during the warm-up.

    Examples
    --------
    >>> FlatReading(is_flat=True, strength=0.7).strength
    0.7
    """

    is_flat: bool
    strength: float


@cached
def step(state: FloatArray, params: FloatArray, bar: FloatArray, out: FloatArray) -> None:
    window = int(params[_WINDOW])
    count = int(state[_COUNT])
    place = _RING + count % window
    state[place] = bar[HIGH]
    state[place + window] = bar[LOW]
    if count > 0:
        state[_SCALE] = next_scale(state[_SCALE], count - 1.0, bar[CLOSE] - state[_BEFORE], params[_SPAN])
    state[_BEFORE] = bar[CLOSE]
    state[_COUNT] = count + 1.0
    strength = np.nan
    if count + 1 >= window and state[_SCALE] > 0.0:
        top = state[_RING]
        bottom = state[_RING + window]
        for i in range(1, window):
            top = max(top, state[_RING + i])
            bottom = min(bottom, state[_RING + window + i])
        expected = _RANGE * state[_SCALE] / MEAN_ABS * np.sqrt(window)
        strength = max(0.0, 1.0 - (top - bottom) / expected)
        if state[_FLAT] > 0.0:
            if strength < params[_LEAVE]:
                state[_FLAT] = 0.0
        elif strength >= params[_ENTER]:
            state[_FLAT] = 1.0
    out[0] = state[_FLAT]
    out[1] = strength


@cached
def run(state: FloatArray, params: FloatArray, bars: FloatArray, out: FloatArray) -> None:
    for i in range(len(bars)):
        step(state, params, bars[i], out[i])


class FlatMarket(BarDetector[FlatReading]):
    """Tell whether the market goes nowhere.

    The range of the last `window` bars is compared with the range that a random walk with the usual step would cover,
    sqrt(8 / pi) times its standard deviation [1]_. So a market is flat when it has become quiet, and also when it
    swings as ever but returns. It is the same for a price turned upside down.

    Parameters
    ----------
    config : FlatMarketConfig, optional

    Attributes
    ----------
    columns : tuple of str
        ``is_flat`` (0 or 1) and ``strength`` (0 to 1, NaN for the first `window` bars).

    References
    ----------
    .. [1] Feller, W. (1951). The asymptotic distribution of the range of sums of independent random variables. Annals
       of Mathematical Statistics 22(3), 427-432. https://doi.org/10.1214/aoms/1177729589

    Examples
    --------
    A walk that comes to a halt:

    >>> import numpy as np
    >>> from fathom.detectors.bars.detector import bars_of
    >>> steps = np.random.default_rng(1).normal(size=900)
    >>> steps[700:] *= 0.05
    >>> readings = FlatMarket().update_many(bars_of(np.cumsum(steps)))
    >>> int(readings[600, 0]), int(readings[-1, 0])
    (0, 1)
    """

    columns = ("is_flat", "strength")
    name = "flat"
    Config = FlatMarketConfig
    News = FlatReading
    message = None  # its news is part of the regime's

    def __init__(self, config: FlatMarketConfig | None = None) -> None:
        self.config = config or FlatMarketConfig()
        state = np.zeros(_RING + 2 * self.config.window)
        params = np.array(
            [self.config.window, self.config.scale_span, self.config.enter, self.config.leave], dtype=np.float64
        )
        super().__init__(state, params, run, lambda row: FlatReading(row[0] > 0.0, row[1]))
