"""Averages and bands at the last bar of a window of closed bars; NaN until the window is long enough.

Each function reads a whole window (oldest bar first) and keeps nothing between calls. The recursive ones are seeded as
TA-Lib seeds them: a simple mean of the first values of the window.
"""

import math
from typing import Final

from fathom.market.kernel_cache import cached

ROUNDING: Final = 1e-13
"""Relative size below which a spread is taken for the rounding of a mean; a price tick is never so small."""


@cached
def mean(values, length):  # type: ignore[no-untyped-def]
    """Mean of the last `length` values."""
    end = len(values)
    if end < length:
        return math.nan
    total = 0.0
    for i in range(end - length, end):
        total += values[i]
    return total / length


@cached
def deviation(values, length):  # type: ignore[no-untyped-def]
    """Population standard deviation of the last `length` values, in two passes; 0 where they are equal."""
    end = len(values)
    if end < length:
        return math.nan
    centre = mean(values, length)
    total = 0.0
    for i in range(end - length, end):
        total += (values[i] - centre) * (values[i] - centre)
    spread = math.sqrt(total / length)
    # The mean of equal values may miss them by a few roundings; so small a spread is none.
    return spread if spread > ROUNDING * abs(centre) else 0.0


@cached
def exponential(values, length):  # type: ignore[no-untyped-def]
    """Exponential average with weight 2 / (length + 1), seeded by the mean of the first `length` values."""
    end = len(values)
    if end < length:
        return math.nan
    average = mean(values[:length], length)
    weight = 2.0 / (length + 1.0)
    for i in range(length, end):
        average += (values[i] - average) * weight
    return average


@cached
def convergence(values, fast, slow, signal):  # type: ignore[no-untyped-def]
    """MACD line, its signal and their difference (Appel 1979).

    Both averages begin at the bar where the slow one has its seed, so that the line has one first value.
    """
    end = len(values)
    if end < slow + signal - 1:
        return math.nan, math.nan, math.nan
    quick = mean(values[slow - fast : slow], fast)
    steady = mean(values[:slow], slow)
    quick_weight = 2.0 / (fast + 1.0)
    steady_weight = 2.0 / (slow + 1.0)
    signal_weight = 2.0 / (signal + 1.0)
    line = quick - steady
    seed = line
    average = 0.0
    for i in range(slow, end):
        quick += (values[i] - quick) * quick_weight
        steady += (values[i] - steady) * steady_weight
        line = quick - steady
        if i < slow + signal - 1:
            seed += line
            average = seed / signal
        else:
            average += (line - average) * signal_weight
    return line, average, line - average


@cached
def true_range(high, low, close, i):  # type: ignore[no-untyped-def]
    """Largest of the bar's range and its reach from the close before (Wilder 1978); needs ``i >= 1``."""
    return max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1]))


@cached
def average_true_range(high, low, close, length):  # type: ignore[no-untyped-def]
    """Wilder's average of the true range, seeded by the mean of the first `length` true ranges."""
    end = len(close)
    if end <= length:
        return math.nan
    average = 0.0
    for i in range(1, length + 1):
        average += true_range(high, low, close, i)
    average /= length
    for i in range(length + 1, end):
        average = (average * (length - 1.0) + true_range(high, low, close, i)) / length
    return average


@cached
def highest(values, length, end):  # type: ignore[no-untyped-def]
    """Highest of the `length` values that end before index `end`."""
    top = values[end - length]
    for i in range(end - length + 1, end):
        top = max(top, values[i])
    return top


@cached
def lowest(values, length, end):  # type: ignore[no-untyped-def]
    """Lowest of the `length` values that end before index `end`."""
    bottom = values[end - length]
    for i in range(end - length + 1, end):
        bottom = min(bottom, values[i])
    return bottom
