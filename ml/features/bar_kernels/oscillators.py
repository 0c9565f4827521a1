"""Oscillators at the last bar of a window of closed bars; NaN until it is long enough, and where nothing moved.

TA-Lib answers 0 where nothing moved, which reads as the strongest of falls. Undefined is undefined here.
"""

import math

from fathom.market.kernel_cache import cached
from fathom.ml.features.bar_kernels.averages import ROUNDING, highest, lowest, mean


@cached
def relative_strength(close, length):  # type: ignore[no-untyped-def]
    """Wilder's RSI: average gain as a percentage of average gain plus average loss."""
    end = len(close)
    if end <= length:
        return math.nan
    gain = 0.0
    loss = 0.0
    for i in range(1, length + 1):
        change = close[i] - close[i - 1]
        gain += max(change, 0.0)
        loss += max(-change, 0.0)
    gain /= length
    loss /= length
    for i in range(length + 1, end):
        change = close[i] - close[i - 1]
        gain = (gain * (length - 1.0) + max(change, 0.0)) / length
        loss = (loss * (length - 1.0) + max(-change, 0.0)) / length
    if gain + loss <= 0.0:
        return math.nan
    return 100.0 * gain / (gain + loss)


@cached
def stochastic(high, low, close, length, slow_k, slow_d):  # type: ignore[no-untyped-def]
    """Lane's slow stochastic: %K smoothed over `slow_k` bars, and its mean over `slow_d` bars."""
    end = len(close)
    if end < length + slow_k - 1:
        return math.nan, math.nan
    k = math.nan
    total = 0.0
    for back in range(slow_d):
        last = end - back
        if last < length + slow_k - 1:
            return k, math.nan
        smooth = 0.0
        for j in range(slow_k):
            stop = last - j
            top = highest(high, length, stop)
            bottom = lowest(low, length, stop)
            smooth += 100.0 * (close[stop - 1] - bottom) / (top - bottom) if top > bottom else math.nan
        smooth /= slow_k
        if back == 0:
            k = smooth
        total += smooth
    return k, total / slow_d


@cached
def williams(high, low, close, length):  # type: ignore[no-untyped-def]
    """Williams' %R: -100 at the lowest price of the last `length` bars, 0 at the highest."""
    end = len(close)
    if end < length:
        return math.nan
    top = highest(high, length, end)
    bottom = lowest(low, length, end)
    if top <= bottom:
        return math.nan
    return -100.0 * (top - close[end - 1]) / (top - bottom)


@cached
def commodity_channel(high, low, close, length):  # type: ignore[no-untyped-def]
    """Lambert's CCI: distance of the typical price from its mean, in units of 0.015 mean absolute deviations."""
    end = len(close)
    if end < length:
        return math.nan
    centre = 0.0
    for i in range(end - length, end):
        centre += (high[i] + low[i] + close[i]) / 3.0
    centre /= length
    spread = 0.0
    for i in range(end - length, end):
        spread += abs((high[i] + low[i] + close[i]) / 3.0 - centre)
    spread /= length
    if spread <= ROUNDING * centre:
        return math.nan
    last = (high[end - 1] + low[end - 1] + close[end - 1]) / 3.0
    return (last - centre) / (0.015 * spread)


@cached
def money_flow(high, low, close, volume, length):  # type: ignore[no-untyped-def]
    """Money flow index: turnover of bars with a rising typical price, as a percentage of that of all that moved."""
    end = len(close)
    if end <= length:
        return math.nan
    rising = 0.0
    falling = 0.0
    # Three typical prices: the factor cancels, and the sum of whole ticks is exact.
    before = high[end - length - 1] + low[end - length - 1] + close[end - length - 1]
    for i in range(end - length, end):
        typical = high[i] + low[i] + close[i]
        if typical > before:
            rising += typical * volume[i]
        elif typical < before:
            falling += typical * volume[i]
        before = typical
    if rising + falling <= 0.0:
        return math.nan
    return 100.0 * rising / (rising + falling)


@cached
def chaikin(high, low, close, volume, length):  # type: ignore[no-untyped-def]
    """Accumulation/distribution over the last `length` bars: volume weighted by where in its range each bar closes."""
    end = len(close)
    if end < length:
        return math.nan
    total = 0.0
    for i in range(end - length, end):
        if high[i] > low[i]:
            total += ((close[i] - low[i]) - (high[i] - close[i])) / (high[i] - low[i]) * volume[i]
    return total


@cached
def on_balance(close, volume, length):  # type: ignore[no-untyped-def]
    """Granville's on-balance volume over the last `length` bars: volume of rising minus volume of falling bars."""
    end = len(close)
    if end <= length:
        return math.nan
    total = 0.0
    for i in range(end - length, end):
        if close[i] > close[i - 1]:
            total += volume[i]
        elif close[i] < close[i - 1]:
            total -= volume[i]
    return total


@cached
def ratio(value, scale):  # type: ignore[no-untyped-def]
    """`value` / `scale`; NaN where the scale is not positive."""
    return value / scale if scale > 0.0 else math.nan


@cached
def traded_price(turnover, volume, length):  # type: ignore[no-untyped-def]
    """Volume-weighted average price of the last `length` bars; NaN where nothing traded."""
    if len(volume) < length:
        return math.nan
    return ratio(mean(turnover, length), mean(volume, length))
