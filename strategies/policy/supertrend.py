"""SuperTrend on closed bars: an average-true-range band that follows the price, and flips when the close crosses it."""

from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta

from fathom.data_catalog.messages.signals import Signal
from fathom.market.kernel_cache import cached
from fathom.strategies.policy.policy import Floats, MarketBar, Policy

COUNT: Final = 0
CLOSE: Final = 1
ATR: Final = 2
UPPER: Final = 3
LOWER: Final = 4
TREND: Final = 5
VOLUME_RATIO: Final = 6
VOLUMES: Final = 7
"""Where the numbers lie in the state; from `VOLUMES` on, a ring of the last `volume_window` volumes."""


def new_state(volume_window: int) -> Floats:
    """Return the state before the first bar: zeros, shape (7 + volume_window,), float64."""
    return np.zeros(VOLUMES + volume_window)


@cached
def step(
    state: Floats, period: int, multiplier: float, high: float, low: float, close: float, volume: float
) -> int:  # pragma: no cover - compiled
    """Take one closed bar into the state; return 1 or -1 on the bar that flips the trend to up or down, else 0.

    The average true range is Wilder's (New Concepts in Technical Trading Systems, 1978), as TA-Lib's `ATR`: the mean of
    the first `period` true ranges, which begin with the second bar, then `(atr * (period - 1) + true range) / period`.
    The bands are `(high + low) / 2 +- multiplier * atr`; the upper one only falls and the lower one only rises until a
    close breaks it. The first trend is the side of the bar's middle on which it closes (of the close before, where that
    is its middle), and is no flip.
    """
    seen = int(state[COUNT])
    last = state[CLOSE]
    window = state.size - VOLUMES
    state[VOLUME_RATIO] = np.nan
    if window > 0:
        if seen >= window:
            mean = state[VOLUMES:].mean()
            if mean > 0.0:
                state[VOLUME_RATIO] = volume / mean
        state[VOLUMES + seen % window] = volume
    state[COUNT] = seen + 1
    state[CLOSE] = close
    if seen == 0:
        return 0
    true_range = max(high, last) - min(low, last)
    if seen < period:
        state[ATR] += true_range / period
        return 0
    if seen == period:
        state[ATR] += true_range / period
    else:
        state[ATR] = (state[ATR] * (period - 1) + true_range) / period
    middle = (high + low) / 2.0
    upper = middle + multiplier * state[ATR]
    lower = middle - multiplier * state[ATR]
    if state[TREND] == 0.0:
        state[UPPER] = upper
        state[LOWER] = lower
        state[TREND] = np.sign(close - middle) if close != middle else np.sign(close - last)
        return 0
    if upper < state[UPPER] or last > state[UPPER]:
        state[UPPER] = upper
    if lower > state[LOWER] or last < state[LOWER]:
        state[LOWER] = lower
    if state[TREND] > 0.0 and close < state[LOWER]:
        state[TREND] = -1.0
        return -1
    if state[TREND] < 0.0 and close > state[UPPER]:
        state[TREND] = 1.0
        return 1
    return 0


@cached
def run(
    state: Floats, period: int, multiplier: float, high: Floats, low: Floats, close: Floats, volume: Floats
) -> Floats:  # pragma: no cover - compiled
    """Take bars into the state, one `step` each; return one row a bar: flip, trend, atr, upper, lower, volume ratio.

    Where the average true range is not yet known, all but the flip are NaN; so is the volume ratio while fewer than
    `volume_window` volumes precede the bar.
    """
    out = np.full((close.size, 6), np.nan)
    for i in range(close.size):
        out[i, 0] = step(state, period, multiplier, high[i], low[i], close[i], volume[i])
        out[i, 5] = state[VOLUME_RATIO]
        if state[TREND] != 0.0:
            out[i, 1] = state[TREND]
            out[i, 2] = state[ATR]
            out[i, 3] = state[UPPER]
            out[i, 4] = state[LOWER]
    return out


class SuperTrendParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `SuperTrendPolicy`.

    Attributes
    ----------
    atr_period, multiplier
        Length of the average true range in bars, and the distance of the bands in it.
    volume_window, volume_ratio
        A flip counts only where the bar's volume is at least `volume_ratio` times the mean volume of the
        `volume_window` bars before it. A window of 0 turns the filter off.
    stop_atr, target_atr
        Distances of stop and target from the close, in average true ranges.
    """

    atr_period: Annotated[int, Meta(ge=2)] = 10
    multiplier: Annotated[float, Meta(gt=0)] = 3.0
    volume_window: Annotated[int, Meta(ge=0)] = 20
    volume_ratio: Annotated[float, Meta(ge=0)] = 1.0
    stop_atr: Annotated[float, Meta(gt=0)] = 2.0
    target_atr: Annotated[float, Meta(gt=0)] = 4.0


_DEFAULTS: Final = SuperTrendParameters()


class SuperTrendPolicy(Policy):
    """Closed bars in, signals out: SuperTrend flips, confirmed by volume, with stop and target in average true ranges.

    Warm-up: no signal in the first `max(atr_period, volume_window) + 1` bars.

    Parameters
    ----------
    instrument_id
        What the signals are about.
    parameters
        By default those of `SuperTrendParameters`.

    Examples
    --------
    >>> quick = SuperTrendParameters(atr_period=2, multiplier=1.0, volume_window=0, stop_atr=1.0, target_atr=2.0)
    >>> policy = SuperTrendPolicy("BTCUSDT-LINEAR.BYBIT", quick)
    >>> closes = [100.0, 99.0, 98.0, 97.0, 96.0, 99.5]
    >>> signals = [policy.update(c + 0.5, c - 0.5, c, 1.0, ts_init=i) for i, c in enumerate(closes)]
    >>> [signal and signal.side for signal in signals], signals[-1].stop
    ([None, None, None, None, None, 'BUY'], 96.75)
    """

    source = "supertrend"

    def __init__(self, instrument_id: str, parameters: SuperTrendParameters = _DEFAULTS) -> None:
        self.parameters = parameters
        state = new_state(parameters.volume_window)
        super().__init__(instrument_id, state, (parameters.atr_period, parameters.multiplier))

    @property
    def trend(self) -> int:
        """1 up, -1 down, 0 in the warm-up."""
        return int(self.state[TREND])

    @property
    def trailing_stop(self) -> float:
        """The band behind the price; NaN in the warm-up."""
        if self.trend == 0:
            return float("nan")
        return float(self.state[LOWER] if self.trend > 0 else self.state[UPPER])

    def decide(self, bar: MarketBar) -> Signal | None:
        return self.update(bar.high, bar.low, bar.close, bar.volume, ts_init=bar.ts_init)

    def update(self, high: float, low: float, close: float, volume: float, *, ts_init: int) -> Signal | None:
        """Take one closed bar; return a signal if it flips the trend and the volume confirms it."""
        flip = int(step(self.state, self.parameters.atr_period, self.parameters.multiplier, high, low, close, volume))
        if flip == 0 or not self._volume_confirms():
            return None
        atr = float(self.state[ATR])
        crossed = float(self.state[UPPER] if flip > 0 else self.state[LOWER])
        return self._signal(
            flip,
            MarketBar(high, low, close, volume, ts_init),
            strength=min(1.0, abs(close - crossed) / atr) if atr > 0.0 else 0.0,
            stop=close - flip * self.parameters.stop_atr * atr,
            target=close + flip * self.parameters.target_atr * atr,
        )

    def _volume_confirms(self) -> bool:
        if self.state.size == VOLUMES:
            return True
        return bool(self.state[VOLUME_RATIO] >= self.parameters.volume_ratio)  # NaN: not enough volumes, or all zero
