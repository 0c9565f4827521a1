"""Sums over the last buckets, and what the walk over the book found: the inputs of the other kernels."""

# numba types the kernels: mypy knows neither its integers nor that a kernel is no plain function.
# mypy: disable-error-code="return-value, no-any-return, assignment, call-arg, call-overload, unreachable"

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.market.flow import COUNTS, GRID_NS, PLAIN_SUMS, SAMPLES, FlowArrays
from fathom.market.kernel import kernel

NEAR: Final = 100
"""Best levels a side in which clusters are looked for."""

WINDOWS_S: Final = (1, 5, 10, 60)
"""Windows of the sums, seconds."""
W1: Final = 0
W5: Final = 1
W10: Final = 2
W60: Final = 3

# Columns of `Scratch.depth`, one row a side: lots.
Q5: Final = 0
Q10: Final = 1
QD5: Final = 2  # sum of lots times distance from the best price, ticks
QD10: Final = 3
TICKS5: Final = 4  # within 5 ticks of the best price
BAND: Final = 5  # within 10 bps of the mid
DEPTHS: Final = 6


class Scratch(NamedTuple):
    """Work space of a sample; nothing in it outlives the sample.

    Examples
    --------
    >>> new_scratch().near.shape
    (2, 2, 100)
    """

    near: NDArray[np.int64]  # keys and lots of the NEAR best levels of each side
    found: NDArray[np.int64]  # how many there are
    depth: NDArray[np.int64]
    pressure: NDArray[np.float64]
    counts: NDArray[np.int64]  # sums of `FlowArrays.counts` over each of WINDOWS_S
    sums: NDArray[np.float64]


def new_scratch() -> Scratch:
    """Return the work space of one instrument."""
    return Scratch(
        near=np.zeros((2, 2, NEAR), np.int64),
        found=np.zeros(2, np.int64),
        depth=np.zeros((2, DEPTHS), np.int64),
        pressure=np.zeros(2),
        counts=np.zeros((len(WINDOWS_S), COUNTS), np.int64),
        sums=np.zeros((len(WINDOWS_S), PLAIN_SUMS)),
    )


@kernel
def buckets_of(flow: FlowArrays, seconds: int) -> int:
    """Return how many buckets a window has."""
    return seconds * 1_000_000_000 // flow.head[GRID_NS]


@kernel
def is_warm(flow: FlowArrays, seconds: int) -> bool:
    """Return whether so many seconds of buckets were closed; the first of them may be cut short by the first event."""
    return flow.head[SAMPLES] >= buckets_of(flow, seconds)


@kernel
def bucket_at(flow: FlowArrays, back: int) -> int:
    """Return the place in the ring of the bucket `back` steps before the last."""
    return (flow.head[SAMPLES] - 1 - back) % len(flow.counts)


@kernel
def add_up(flow: FlowArrays, scratch: Scratch) -> None:
    """Fill the window sums, from the last bucket backwards."""
    begin = np.int64(0)
    for w in range(len(WINDOWS_S)):
        if w == 0:
            scratch.counts[0, :] = 0
            scratch.sums[0, :] = 0.0
        else:
            for i in range(COUNTS):
                scratch.counts[w, i] = scratch.counts[w - 1, i]
            for i in range(PLAIN_SUMS):
                scratch.sums[w, i] = scratch.sums[w - 1, i]
        end = min(buckets_of(flow, WINDOWS_S[w]), flow.head[SAMPLES])
        for back in range(begin, end):
            at = bucket_at(flow, back)
            for i in range(COUNTS):
                scratch.counts[w, i] += flow.counts[at, i]
            for i in range(PLAIN_SUMS):
                scratch.sums[w, i] += flow.sums[at, i]
        begin = max(begin, end)
