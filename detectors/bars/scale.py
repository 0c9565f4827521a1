"""How much a price usually moves in one bar: the yardstick that makes every bar detector free of units."""

from typing import Final

from fathom.market.kernel import kernel

# Mean absolute value of a standard normal: sqrt(2 / pi).
MEAN_ABS: Final = 0.7978845608028654
# A move counts at most this many times the present scale, so that one jump does not become the new usual.
WINSOR: Final = 4.0


@kernel
def next_scale(scale: float, count: float, move: float, span: float) -> float:
    """Return the mean absolute move after one more, winsorised; a plain mean until `span` moves were seen."""
    size = abs(move)
    if count > 0.0 and scale > 0.0:
        size = min(size, WINSOR * scale)
    return scale + (size - scale) / min(count + 1.0, span)


@kernel
def true_range(high: float, low: float, before: float) -> float:
    """Return the range of a bar widened to the close before it (Wilder 1978)."""
    return max(high, before) - min(low, before)
