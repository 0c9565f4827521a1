"""Trend indicators at the last bar of a window of closed bars: directional movement, SAR, SuperTrend, Ichimoku."""

import math

from fathom.market.kernel_cache import cached
from fathom.ml.features.bar_kernels.averages import highest, lowest, true_range


@cached
def _moves(high, low, i):  # type: ignore[no-untyped-def]
    up = high[i] - high[i - 1]
    down = low[i - 1] - low[i]
    if up > 0.0 and up > down:
        return up, 0.0
    if down > 0.0 and down > up:
        return 0.0, down
    return 0.0, 0.0


@cached
def directional(high, low, close, length):  # type: ignore[no-untyped-def]
    """Wilder's ADX, +DI and -DI.

    The running sums begin with the first ``length - 1`` bars, the ADX with the mean of `length` values of DX, as in
    TA-Lib. A bar at which nothing has moved since the start of the window has no DX: it counts 0 in the first mean
    and leaves the ADX as it is later.
    """
    end = len(close)
    if end <= length:
        return math.nan, math.nan, math.nan
    plus = 0.0
    minus = 0.0
    reach = 0.0
    adx = 0.0
    for i in range(1, end):
        up, down = _moves(high, low, i)
        if i >= length:
            plus -= plus / length
            minus -= minus / length
            reach -= reach / length
        plus += up
        minus += down
        reach += true_range(high, low, close, i)
        if i < length:
            continue
        defined = reach > 0.0 and plus + minus > 0.0
        # Both shares have the same denominator: it cancels.
        dx = 100.0 * abs(plus - minus) / (plus + minus) if defined else 0.0
        if i < 2 * length:
            adx += dx / length
        elif defined:
            adx = (adx * (length - 1.0) + dx) / length
    if end < 2 * length:
        adx = math.nan
    if reach <= 0.0:
        return adx, math.nan, math.nan
    return adx, 100.0 * plus / reach, 100.0 * minus / reach


@cached
def parabolic(high, low, step, limit):  # type: ignore[no-untyped-def]
    """Wilder's parabolic stop and reverse at the last bar of the window."""
    end = len(high)
    if end < 2:
        return math.nan
    _, down = _moves(high, low, 1)
    rising = down <= 0.0
    speed = step
    extreme = high[1] if rising else low[1]
    stop = low[0] if rising else high[0]
    shown = stop
    for i in range(1, end):
        before = i if i == 1 else i - 1
        if rising:
            if low[i] <= stop:
                rising = False
                shown = max(extreme, high[before], high[i])
                speed = step
                extreme = low[i]
                stop = max(shown + speed * (extreme - shown), high[before], high[i])
            else:
                shown = stop
                if high[i] > extreme:
                    extreme = high[i]
                    speed = min(speed + step, limit)
                stop = min(shown + speed * (extreme - shown), low[before], low[i])
        elif high[i] >= stop:
            rising = True
            shown = min(extreme, low[before], low[i])
            speed = step
            extreme = high[i]
            stop = min(shown + speed * (extreme - shown), low[before], low[i])
        else:
            shown = stop
            if low[i] < extreme:
                extreme = low[i]
                speed = min(speed + step, limit)
            stop = max(shown + speed * (extreme - shown), high[before], high[i])
    return shown


@cached
def supertrend(high, low, close, length, multiple):  # type: ignore[no-untyped-def]
    """Seban's SuperTrend: a band of ATRs around the middle that only tightens until the close breaks through it.

    The window begins with a rising trend.
    """
    end = len(close)
    if end <= length:
        return math.nan
    reach = 0.0
    for i in range(1, length + 1):
        reach += true_range(high, low, close, i)
    reach /= length
    middle = (high[length] + low[length]) / 2.0
    upper = middle + multiple * reach
    lower = middle - multiple * reach
    rising = True
    for i in range(length + 1, end):
        reach = (reach * (length - 1.0) + true_range(high, low, close, i)) / length
        middle = (high[i] + low[i]) / 2.0
        if middle + multiple * reach < upper or close[i - 1] > upper:
            upper = middle + multiple * reach
        if middle - multiple * reach > lower or close[i - 1] < lower:
            lower = middle - multiple * reach
        rising = close[i] >= lower if rising else close[i] > upper
    return lower if rising else upper


@cached
def midpoint(high, low, length, shift):  # type: ignore[no-untyped-def]
    """Middle between the highest and the lowest price of the `length` bars that end `shift` bars ago."""
    end = len(high) - shift
    if end < length:
        return math.nan
    return (highest(high, length, end) + lowest(low, length, end)) / 2.0
