"""Range-based volatility and volume shares over the last closed bars; NaN until the window is long enough."""

import math

from fathom.market.kernel_cache import cached


@cached
def realized(close, length):  # type: ignore[no-untyped-def]
    """Root mean square of the last `length` log returns (Andersen, Bollerslev, Diebold and Labys 2003)."""
    end = len(close)
    if end <= length:
        return math.nan
    total = 0.0
    for i in range(end - length, end):
        move = math.log(close[i] / close[i - 1])
        total += move * move
    return math.sqrt(total / length)


@cached
def parkinson(high, low, length):  # type: ignore[no-untyped-def]
    """Parkinson's (1980) volatility per bar from the last `length` ranges."""
    end = len(high)
    if end < length:
        return math.nan
    total = 0.0
    for i in range(end - length, end):
        reach = math.log(high[i] / low[i])
        total += reach * reach
    return math.sqrt(total / (4.0 * math.log(2.0) * length))


@cached
def garman_klass(open_, high, low, close, length):  # type: ignore[no-untyped-def]
    """Garman and Klass's (1980) volatility per bar from the last `length` ranges and bodies."""
    end = len(close)
    if end < length:
        return math.nan
    total = 0.0
    for i in range(end - length, end):
        reach = math.log(high[i] / low[i])
        body = math.log(close[i] / open_[i])
        total += 0.5 * reach * reach - (2.0 * math.log(2.0) - 1.0) * body * body
    return math.sqrt(max(total, 0.0) / length)


@cached
def weighted_return(close, volume, length):  # type: ignore[no-untyped-def]
    """Mean simple return of the last `length` bars, weighted by volume; NaN where nothing traded."""
    end = len(close)
    if end <= length:
        return math.nan
    total = 0.0
    weight = 0.0
    for i in range(end - length, end):
        total += (close[i] / close[i - 1] - 1.0) * volume[i]
        weight += volume[i]
    return total / weight if weight > 0.0 else math.nan
