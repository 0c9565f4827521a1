"""How large additions to the book usually are at each distance from the touch: decaying histograms and quantiles."""

# numba types the kernels: mypy knows not that its intrinsics are no plain functions.
# mypy: disable-error-code="return-value, call-arg, unreachable"

from math import log
from typing import Final, NamedTuple

import numpy as np
from numba.cpython.unsafe.numbers import leading_zeros
from numpy.typing import NDArray

from fathom.market.kernel import kernel

DISTANCES: Final = 16  # distance 0, 1, 2, 3-4, 5-8, ... ticks
CELLS: Final = 160  # a quarter of an octave of lots each
_PER_OCTAVE: Final = 4.0
_STEPS: Final = np.ceil(2.0 ** (np.arange(CELLS) / _PER_OCTAVE)).astype(np.int64)  # least size of each cell
_FULL: Final = 4096.0  # additions after which a histogram is halved: what it has seen long ago fades
_ENOUGH: Final = 32.0
_REFRESH: Final = 64  # additions between two times that the quantiles are worked out
_EAGER: Final = 16  # while few were seen

LAYER: Final = 0  # columns of `SizeArrays.quantiles`
SPOOF: Final = 1
USUAL: Final = 2
LARGE: Final = 3
FIXED_SHARES: Final = (0.75, 0.8)
"""Share of the additions below the usual size, by which a spoofing order is measured, and below a large one, as crowds
count them: the scores were fitted with these."""


class SizeArrays(NamedTuple):
    """Arrays of the size distributions of one instrument.

    Parameters
    ----------
    cells : ndarray of float64, shape (DISTANCES, CELLS)
        Additions by distance and size, halved now and then.
    totals : ndarray of float64, shape (DISTANCES,)
        Their sums.
    ages : ndarray of int64, shape (DISTANCES,)
        Additions until the quantiles are worked out again.
    quantiles : ndarray of float64, shape (DISTANCES, 4)
        Size that the share `shares` of the additions stays below; NaN until enough are seen.
    shares : ndarray of float64, shape (4,)
        For the orders of a layer, for a spoofing order, and `FIXED_SHARES`.

    Examples
    --------
    >>> new_sizes(0.75, 0.9).quantiles.shape
    (16, 4)
    """

    cells: NDArray[np.float64]
    totals: NDArray[np.float64]
    ages: NDArray[np.int64]
    quantiles: NDArray[np.float64]
    shares: NDArray[np.float64]


def new_sizes(layer: float, spoof: float) -> SizeArrays:
    """Return empty distributions that answer these two quantiles, and the fixed ones.

    Examples
    --------
    >>> import numpy as np
    >>> sizes = new_sizes(0.5, 0.9)
    >>> for lots in np.random.default_rng(1).lognormal(5, 1, 4000):
    ...     note_size(sizes, distance_bin(7), int(lots))
    >>> [round(float(q), -1) for q in sizes.quantiles[distance_bin(7)][:2]]  # the true ones are 148 and 535
    [140.0, 530.0]
    """
    return SizeArrays(
        cells=np.zeros((DISTANCES, CELLS)),
        totals=np.zeros(DISTANCES),
        ages=np.zeros(DISTANCES, np.int64),
        quantiles=np.full((DISTANCES, 4), np.nan),
        shares=np.array([layer, spoof, *FIXED_SHARES]),
    )


@kernel
def distance_bin(ticks: int) -> int:
    """Return the bin of a distance from the touch."""
    if ticks <= 2:
        return max(ticks, 0)
    return min(DISTANCES - 1, 65 - np.int64(leading_zeros(np.uint64(ticks - 1))))


@kernel
def size_cell(lots: int) -> int:
    """Return the cell of a size: the octave, then which quarter of it."""
    octave = 63 - np.int64(leading_zeros(np.uint64(max(lots, 1))))
    if octave >= CELLS // 4:
        return CELLS - 1
    first = 4 * octave
    return first + (lots >= _STEPS[first + 1]) + (lots >= _STEPS[first + 2]) + (lots >= _STEPS[first + 3])


@kernel
def note_size(sizes: SizeArrays, at: int, lots: int) -> None:
    """Take an addition of `lots` in the bin `at` of the distances."""
    cell = size_cell(lots)
    sizes.cells[at, cell] += 1.0
    sizes.totals[at] += 1.0
    sizes.ages[at] -= 1
    if sizes.ages[at] <= 0:
        _refresh(sizes, at)


@kernel
def _refresh(sizes: SizeArrays, at: int) -> None:
    sizes.ages[at] = _EAGER if sizes.totals[at] < 4.0 * _ENOUGH else _REFRESH
    if sizes.totals[at] >= _FULL:
        sizes.totals[at] = 0.0
        for i in range(CELLS):
            sizes.cells[at, i] *= 0.5
            sizes.totals[at] += sizes.cells[at, i]
    _work_out(sizes, at)


@kernel
def _work_out(sizes: SizeArrays, at: int) -> None:
    # Where few additions were seen the neighbouring distances help out.
    first, last = at, at
    total = sizes.totals[at]
    if total < 4.0 * _ENOUGH:
        first, last = max(0, at - 1), min(DISTANCES - 1, at + 1)
        total = 0.0
        for b in range(first, last + 1):
            total += sizes.totals[b]
    if total < _ENOUGH:
        return
    below = 0.0
    missing = 4
    for i in range(CELLS):
        here = sizes.cells[at, i]
        for b in range(first, at):
            here += sizes.cells[b, i]
        for b in range(at + 1, last + 1):
            here += sizes.cells[b, i]
        if here == 0.0:
            continue
        for k in range(4):
            wanted = sizes.shares[k] * total
            if below < wanted <= below + here:
                sizes.quantiles[at, k] = 2.0 ** ((i + (wanted - below) / here) / _PER_OCTAVE)
                missing -= 1
        if missing == 0:
            break
        below += here


@kernel
def surprise(sizes: SizeArrays, at: int, lots: int) -> float:
    """Return minus the logarithm of the share of the additions in the bin `at` that are at least so large.

    One addition more than was seen is counted, so that what was never seen has a finite surprise.
    """
    first, last = at, at
    if sizes.totals[at] < 4.0 * _ENOUGH:
        first, last = max(0, at - 1), min(DISTANCES - 1, at + 1)
    cell = size_cell(lots)
    larger = total = 1.0
    for b in range(first, last + 1):
        total += sizes.totals[b]
        for i in range(cell, CELLS):
            larger += sizes.cells[b, i]
    return log(total / larger)
