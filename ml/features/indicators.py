"""The technical indicators at the last closed bar, raw and stationary, from the bounded window of closed bars."""

import math
from typing import Final

from fathom.market.kernel_cache import cached
from fathom.ml.features.bar_kernels.averages import average_true_range, convergence, deviation, exponential, mean
from fathom.ml.features.bar_kernels.oscillators import (
    chaikin,
    commodity_channel,
    money_flow,
    on_balance,
    ratio,
    relative_strength,
    stochastic,
    traded_price,
    williams,
)
from fathom.ml.features.bar_kernels.trends import directional, midpoint, parabolic, supertrend
from fathom.ml.features.indicator_specs import ACCUMULATION, NEUTRAL, RAW, SPECS, STATIONARY, TRADED_PRICE

__all__ = ["NEUTRAL", "RAW", "SPECS", "STATIONARY", "indicator_values"]

_RAW = len(RAW)
# Raw columns that are prices, differences of prices and sums of volume, in the order of their stationary forms.
_LEVELS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 21, 23, 27, 28, 30, 34, 35, 36, 37, 38, 39, 40)
_DIFFERENCES: Final = (8, 9, 10, 20, 26)
_SUMS: Final = (29, 31)


@cached
def indicator_values(high, low, close, volume, turnover, out):  # type: ignore[no-untyped-def]
    """Write the indicators of the window of closed bars (oldest first) into `out`, in the order of `SPECS`.

    The window holds ticks and lots; what `SPECS` states in units of price or volume is written in ticks or lots.
    """
    out[:] = math.nan
    end = len(close)
    if end == 0:
        return
    last = close[end - 1]
    out[0] = mean(close, 10)
    out[1] = mean(close, 20)
    out[2] = mean(close, 50)
    out[3] = mean(close, 100)
    out[4] = mean(close, 200)
    out[5] = exponential(close, 10)
    out[6] = exponential(close, 20)
    out[7] = exponential(close, 50)
    out[8], out[9], out[10] = convergence(close, 12, 26, 9)
    out[11], out[12], out[13] = directional(high, low, close, 14)
    out[14] = relative_strength(close, 14)
    out[15] = relative_strength(close, 28)
    out[16], out[17] = stochastic(high, low, close, 14, 3, 3)
    out[18] = williams(high, low, close, 14)
    out[19] = commodity_channel(high, low, close, 20)
    out[20] = last - close[end - 11] if end > 10 else math.nan
    spread = 2.0 * deviation(close, 20)
    out[21] = out[1] + spread
    out[22] = out[1]
    out[23] = out[1] - spread
    out[24] = 1e4 * (2.0 * spread) / out[1]
    out[25] = ratio(last - out[23], 2.0 * spread)
    out[26] = average_true_range(high, low, close, 14)
    reach = 2.0 * average_true_range(high, low, close, 10)
    out[27] = out[6] + reach
    out[28] = out[6] - reach
    out[29] = on_balance(close, volume, ACCUMULATION)
    out[30] = traded_price(turnover, volume, TRADED_PRICE)
    out[31] = chaikin(high, low, close, volume, ACCUMULATION)
    out[32] = ratio(chaikin(high, low, close, volume, 20), 20.0 * mean(volume, 20))
    out[33] = money_flow(high, low, close, volume, 14)
    out[34] = parabolic(high, low, 0.02, 0.2)
    out[35] = supertrend(high, low, close, 10, 3.0)
    out[36] = midpoint(high, low, 9, 0)
    out[37] = midpoint(high, low, 26, 0)
    out[38] = (midpoint(high, low, 9, 26) + midpoint(high, low, 26, 26)) / 2.0
    out[39] = midpoint(high, low, 52, 26)
    out[40] = close[end - 27] if end > 26 else math.nan
    at = _RAW
    for level in _LEVELS:
        out[at] = 1e4 * (out[level] - last) / last
        at += 1
    for difference in _DIFFERENCES:
        out[at] = 1e4 * out[difference] / last
        at += 1
    weight = ACCUMULATION * mean(volume, ACCUMULATION)
    for total in _SUMS:
        out[at] = ratio(out[total], weight)
        at += 1
