"""SAR Wave: reversals of the parabolic SAR that the Elliott count supports, outside flat markets."""

from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta

from fathom.data_catalog.messages.signals import Signal
from fathom.market.kernel import kernel
from fathom.strategies.policy.policy import Floats, MarketBar, Policy

COUNT: Final = 0
HIGH: Final = 1
LOW: Final = 2
CLOSE: Final = 3
TREND: Final = 4
SPEED: Final = 5
EXTREME: Final = 6
SHOWN: Final = 7
NEXT: Final = 8
ATR: Final = 9
CELLS: Final = 10
"""Cells of the state: `SHOWN` is the SAR of the last bar, `NEXT` that of the bar to come."""

_STEP, _LIMIT, _PERIOD = range(3)
_A: Final = 6  # waves from A on correct the impulse


@kernel
def step(state: Floats, params: Floats, high: float, low: float, close: float) -> int:
    """Take one closed bar; return 1 or -1 on the bar that reverses the parabolic SAR to up or down, else 0.

    Wilder's recurrence (New Concepts in Technical Trading Systems, 1978), as TA-Lib's `SAR`, but for its start: TA-Lib
    takes a first bar without a direction of its own for a rise; here the first bar with one decides, so that a price
    turned upside down gives the mirror image. The average true range is Wilder's over the bars there are.
    """
    seen = state[COUNT]
    high_before, low_before = state[HIGH], state[LOW]
    last = state[CLOSE]
    state[COUNT] = seen + 1.0
    state[HIGH], state[LOW], state[CLOSE] = high, low, close
    if seen == 0.0:
        return 0
    reach = max(high, last) - min(low, last)
    state[ATR] += (reach - state[ATR]) / min(seen, params[_PERIOD])
    trend = state[TREND]
    first = trend == 0.0
    if first:
        up, down = high - high_before, low_before - low
        if up > 0.0 and up > down:
            trend, state[NEXT], state[EXTREME] = 1.0, low_before, high
        elif down > 0.0 and down > up:
            trend, state[NEXT], state[EXTREME] = -1.0, high_before, low
        else:
            return 0
        state[SPEED] = params[_STEP]
        high_before, low_before = high, low
    stop, extreme, speed = state[NEXT], state[EXTREME], state[SPEED]
    top, bottom = max(high_before, high), min(low_before, low)
    turned = low <= stop if trend > 0.0 else high >= stop
    if turned:
        trend = -trend
        shown = min(extreme, bottom) if trend > 0.0 else max(extreme, top)
        speed = params[_STEP]
        extreme = high if trend > 0.0 else low
    else:
        shown = stop
        further = high > extreme if trend > 0.0 else low < extreme
        if further:
            extreme = high if trend > 0.0 else low
            speed = min(speed + params[_STEP], params[_LIMIT])
    stop = shown + speed * (extreme - shown)
    state[NEXT] = min(stop, bottom) if trend > 0.0 else max(stop, top)
    state[TREND], state[SPEED], state[EXTREME], state[SHOWN] = trend, speed, extreme, shown
    return int(trend) if turned and not first else 0


@kernel
def run(state: Floats, params: Floats, bars: Floats, out: Floats) -> None:
    """Take bars (n, 3) of high, low, close; write rows of reversal, trend, SAR, next SAR, average true range.

    All but the reversal are NaN until the first direction is known.
    """
    for i in range(len(bars)):
        out[i, 0] = step(state, params, bars[i, 0], bars[i, 1], bars[i, 2])
        known = state[TREND] != 0.0
        out[i, 1] = state[TREND] if known else np.nan
        out[i, 2] = state[SHOWN] if known else np.nan
        out[i, 3] = state[NEXT] if known else np.nan
        out[i, 4] = state[ATR] if known else np.nan


def wave_bias(wave: int, direction: int) -> int:
    """Return where an Elliott count expects the price to go on the whole: 1, -1, or 0 without a count.

    In waves 1 to 5 with the impulse (a retracement 2 or 4 ends in a wave of the impulse), in A to C against it.

    Examples
    --------
    >>> wave_bias(2, 1), wave_bias(7, 1), wave_bias(3, -1), wave_bias(0, 0)
    (1, -1, -1, 0)
    """
    if wave == 0:
        return 0
    return -direction if wave >= _A else direction


class SarWaveParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `SarWavePolicy`.

    Attributes
    ----------
    acceleration, max_acceleration
        Step and limit of the SAR.
    max_flat
        Flat strength above which nothing is traded.
    min_wave_confidence
        Of the Elliott count. 0 takes any count; there must be one.
    atr_period, min_stop_atr, target_risk
        Length of the average true range; least distance of the stop in it; target over stop distance.
    """

    acceleration: Annotated[float, Meta(gt=0, lt=1)] = 0.02
    max_acceleration: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    max_flat: Annotated[float, Meta(ge=0, le=1)] = 0.7
    min_wave_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.2
    atr_period: Annotated[int, Meta(ge=1)] = 14
    min_stop_atr: Annotated[float, Meta(ge=0)] = 1.0
    target_risk: Annotated[float, Meta(gt=0)] = 2.0

    def __post_init__(self) -> None:
        if self.acceleration > self.max_acceleration:
            raise ValueError(f"Expected acceleration up to {self.max_acceleration:g}, was {self.acceleration:g}")


_DEFAULTS: Final = SarWaveParameters()


class SarWavePolicy(Policy):
    """Trade reversals of the parabolic SAR with the Elliott count, with the SAR as trailing stop.

    A reversal is a signal only where (1) the market is known not to be flat: `flat_strength` is at most `max_flat`,
    (2) the count expects the price to go the same way (`wave_bias`), with a confidence of at least
    `min_wave_confidence`. The stop is the SAR of the next bar, but at least `min_stop_atr` average true ranges away;
    the target is `target_risk` times as far. Long and short are mirror images.

    Warm-up: that of the flat market and of the count it is given; by itself, 2 bars.

    Parameters
    ----------
    instrument_id
        What the signals are about.
    parameters
        By default those of `SarWaveParameters`.

    Examples
    --------
    >>> policy = SarWavePolicy("A.B", SarWaveParameters(acceleration=0.1, atr_period=5, min_stop_atr=0.5))
    >>> def told(i, close, flat):
    ...     return policy.decide(MarketBar(close + 0.5, close - 0.5, close, 1.0, ts_init=i, flat_strength=flat, wave=3,
    ...                                    wave_direction=1, wave_confidence=0.5))
    >>> closes = [100.0, 99.0, 98.0, 97.0, 99.5]
    >>> signals = [told(i, close, flat=0.2) for i, close in enumerate(closes)]
    >>> [signal and signal.side for signal in signals], policy.trend, round(policy.trailing_stop, 2)
    ([None, None, None, None, 'BUY'], 1, 96.5)
    """

    source = "sar_wave"

    def __init__(self, instrument_id: str, parameters: SarWaveParameters = _DEFAULTS) -> None:
        self.parameters = parameters
        settings = (parameters.acceleration, parameters.max_acceleration, parameters.atr_period)
        super().__init__(instrument_id, np.zeros(CELLS), settings)

    @property
    def trend(self) -> int:
        """Side of the SAR: 1 rising, -1 falling, 0 while unknown."""
        return int(self.state[TREND])

    @property
    def trailing_stop(self) -> float:
        """SAR of the bar to come; NaN while unknown."""
        return float(self.state[NEXT]) if self.trend else float("nan")

    def decide(self, bar: MarketBar) -> Signal | None:
        side = int(step(self.state, self.params, bar.high, bar.low, bar.close))
        if side == 0 or not bar.flat_strength <= self.parameters.max_flat:  # NaN: not known
            return None
        if (
            wave_bias(bar.wave, bar.wave_direction) != side
            or not bar.wave_confidence >= self.parameters.min_wave_confidence
        ):
            return None
        risk = max(side * (bar.close - self.trailing_stop), self.parameters.min_stop_atr * float(self.state[ATR]))
        if risk <= 0.0:
            return None
        return self._signal(
            side,
            bar,
            strength=(1.0 - bar.flat_strength + bar.wave_confidence) / 2.0,
            stop=bar.close - side * risk,
            target=bar.close + side * self.parameters.target_risk * risk,
        )
