"""What aggressors take from each side, now and usually, and how far the mid usually moves."""

from math import exp, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BEST, BID, COUNT, BookArrays

FAST_SECS: Final = 0.25
SLOW_SECS: Final = 60.0

# Entries of `FlowState.head`, int64. The side of a flow is the side of the book that it hits.
NOW: Final = 0  # ts_init
BEGAN: Final = 1
TAKEN: Final = 2  # lots taken so far from bids, then from asks
MID2: Final = 4  # best bid plus best ask after the last message
HAS_MID: Final = 5
HITS: Final = 6  # trades so far that hit bids, then asks
HEAD: Final = 8

# Entries of `FlowState.level`, float64: decayed sums.
_FAST: Final = 0  # lots taken from bids, from asks
_SLOW: Final = 2
_TRADES: Final = 4  # number of trades, slow
_VARIANCE: Final = 5  # squared moves of the mid in ticks, slow
LEVEL: Final = 6


class FlowState(NamedTuple):
    """Arrays of the taker flow of one instrument.

    Parameters
    ----------
    head : ndarray of int64
        Clock, totals, mid.
    level : ndarray of float64
        Decayed sums.

    Examples
    --------
    >>> new_flow_state().level.tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """

    head: NDArray[np.int64]
    level: NDArray[np.float64]


def new_flow_state() -> FlowState:
    """Return the flow before the first event."""
    return FlowState(head=np.zeros(HEAD, np.int64), level=np.zeros(LEVEL))


@kernel
def pass_time(flow: FlowState, ts_init: int) -> None:
    """Let every decayed sum fade until `ts_init`."""
    head, level = flow.head, flow.level
    if head[BEGAN] == 0:
        head[BEGAN] = head[NOW] = ts_init
        return
    passed = (ts_init - head[NOW]) * 1e-9
    if passed <= 0.0:
        return
    head[NOW] = ts_init
    fast, slow = exp(-passed / FAST_SECS), exp(-passed / SLOW_SECS)
    level[_FAST] *= fast
    level[_FAST + 1] *= fast
    level[_SLOW] *= slow
    level[_SLOW + 1] *= slow
    level[_TRADES] *= slow
    level[_VARIANCE] *= slow


@kernel
def note_taken(flow: FlowState, side: int, lots: int) -> None:
    """Count a trade that took `lots` from the book's `side`."""
    flow.head[TAKEN + side] += lots
    flow.head[HITS + side] += 1
    flow.level[_FAST + side] += lots
    flow.level[_SLOW + side] += lots
    flow.level[_TRADES] += 1.0


@kernel
def note_mid(flow: FlowState, book: BookArrays) -> None:
    """Take the mid after a message."""
    if book.sides[BID, COUNT] == 0 or book.sides[ASK, COUNT] == 0:
        return
    mid2 = book.sides[ASK, BEST] - book.sides[BID, BEST]
    if flow.head[HAS_MID] == 1:
        move = 0.5 * (mid2 - flow.head[MID2])
        flow.level[_VARIANCE] += move * move
    flow.head[HAS_MID] = 1
    flow.head[MID2] = mid2


@kernel
def _memory(flow: FlowState) -> float:
    # Effective seconds of the slow sums: less than SLOW_SECS while the stream is young.
    age = (flow.head[NOW] - flow.head[BEGAN]) * 1e-9
    return SLOW_SECS * (1.0 - exp(-max(age, 0.1) / SLOW_SECS))


@kernel
def surplus(flow: FlowState, side: int, taken_before: int, secs: float) -> float:
    """Return the logarithm of what was lately taken from `side` over what is usual.

    Lately is the last `FAST_SECS`, fading, but not before `taken_before` was the total; `secs` is the time since.
    One usual trade is added on either side of the fraction, so that no trade at all gives a small negative number.
    """
    lately = min(flow.level[_FAST + side], np.float64(flow.head[TAKEN + side] - taken_before))
    memory = _memory(flow)
    usual = flow.level[_SLOW + side] / memory * min(FAST_SECS, secs)
    trades = flow.level[_TRADES]
    one = (flow.level[_SLOW] + flow.level[_SLOW + 1]) / trades if trades > 0.0 else 1.0
    one = max(one, 1.0)
    ratio = (lately + one) / (usual + one)
    return float(np.log(ratio))


@kernel
def usual_move(flow: FlowState, secs: float) -> float:
    """Return the usual move of the mid in `secs`, in ticks, at least half a tick."""
    return max(0.5, sqrt(flow.level[_VARIANCE] / _memory(flow) * secs))


@kernel
def lean(flow: FlowState, side: int, bids_before: int, asks_before: int) -> float:
    """Return how many more trades hit the other side than `side` since these counts, in deviations of a fair coin."""
    own = flow.head[HITS + side] - (bids_before if side == BID else asks_before)
    other = flow.head[HITS + 1 - side] - (asks_before if side == BID else bids_before)
    return float((other - own) / sqrt(other + own + 1.0))
