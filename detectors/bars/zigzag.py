"""Zigzag pivots, online: a turning point counts once the price has come back from it by a given distance."""

from typing import Final

from fathom.detectors.bars.detector import CLOSE, HIGH, LOW, FloatArray
from fathom.detectors.bars.scale import next_scale, true_range
from fathom.market.kernel import kernel

# Cells of the state of a zigzag, relative to its first cell.
BEFORE: Final = 0  # close of the bar before
COUNT: Final = 1  # bars seen
SCALE: Final = 2  # mean true range
DIRECTION: Final = 3  # 1 the leg goes up, -1 down, 0 not known yet
EXTREME: Final = 4  # where the running leg got to
EXTREME_BAR: Final = 5
ORIGIN_HIGH: Final = 6  # highest and lowest price until the first direction is known
ORIGIN_HIGH_BAR: Final = 7
ORIGIN_LOW: Final = 8
ORIGIN_LOW_BAR: Final = 9
ZIGZAG_CELLS: Final = 10


@kernel
def reversal_distance(z: FloatArray, multiple: float) -> float:
    """Return how far the price must come back to confirm a pivot, now."""
    return float(multiple * z[SCALE])


@kernel
def zigzag_step(z: FloatArray, bar: FloatArray, multiple: float, span: float, pivot: FloatArray) -> int:
    """Take a bar; return 1 if it confirmed a high, -1 a low, else 0, and write its price and bar into `pivot`.

    A bar that sets a new extreme confirms nothing: within a bar it is not known whether the high or the low came first.
    The distance is `multiple` times the mean true range before this bar.
    """
    high, low, close = bar[HIGH], bar[LOW], bar[CLOSE]
    count = z[COUNT]
    if count == 0.0:
        z[ORIGIN_HIGH], z[ORIGIN_LOW] = high, low
        z[BEFORE], z[COUNT] = close, 1.0
        return 0
    distance = reversal_distance(z, multiple)
    found = 0
    if distance > 0.0:
        if z[DIRECTION] == 0.0:
            found = _first(z, high, low, distance, pivot)
        elif z[DIRECTION] > 0.0:
            if high > z[EXTREME]:
                z[EXTREME], z[EXTREME_BAR] = high, count
            elif z[EXTREME] - low >= distance:
                pivot[0], pivot[1] = z[EXTREME], z[EXTREME_BAR]
                z[DIRECTION], z[EXTREME], z[EXTREME_BAR] = -1.0, low, count
                found = 1
        elif low < z[EXTREME]:
            z[EXTREME], z[EXTREME_BAR] = low, count
        elif high - z[EXTREME] >= distance:
            pivot[0], pivot[1] = z[EXTREME], z[EXTREME_BAR]
            z[DIRECTION], z[EXTREME], z[EXTREME_BAR] = 1.0, high, count
            found = -1
    if z[DIRECTION] == 0.0:
        if high > z[ORIGIN_HIGH]:
            z[ORIGIN_HIGH], z[ORIGIN_HIGH_BAR] = high, count
        if low < z[ORIGIN_LOW]:
            z[ORIGIN_LOW], z[ORIGIN_LOW_BAR] = low, count
    z[SCALE] = next_scale(z[SCALE], count - 1.0, true_range(high, low, z[BEFORE]), span)
    z[BEFORE], z[COUNT] = close, count + 1.0
    return found


@kernel
def _first(z: FloatArray, high: float, low: float, distance: float, pivot: FloatArray) -> int:
    count = z[COUNT]
    rose = high - z[ORIGIN_LOW]
    fell = z[ORIGIN_HIGH] - low
    if rose >= distance and rose > fell:
        pivot[0], pivot[1] = z[ORIGIN_LOW], z[ORIGIN_LOW_BAR]
        z[DIRECTION], z[EXTREME], z[EXTREME_BAR] = 1.0, high, count
        return -1
    if fell >= distance and fell > rose:
        pivot[0], pivot[1] = z[ORIGIN_HIGH], z[ORIGIN_HIGH_BAR]
        z[DIRECTION], z[EXTREME], z[EXTREME_BAR] = -1.0, low, count
        return 1
    return 0
