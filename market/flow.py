"""What happened since the last grid time: order flow, trades and time-weighted states, in one bucket a grid step.

A bucket starts empty and is closed once, so no error builds up in a window: a window is the sum, or the merge of the
moments, of its last buckets. Counts, lots and ticks are int64, hence exact. States (imbalance, spread, depth) are
weighted with the time they stood, by ``ts_init``; the moments of the third order are updated after Pebay.

References
----------
Cont, Kukanov & Stoikov (2014), The Price Impact of Order Book Events, doi:10.1093/jjfinec/nbt003.
Xu, Gould & Howison (2018), Multi-Level Order-Flow Imbalance in a Limit Order Book, doi:10.1142/S2382626619500114.
Easley, Lopez de Prado & O'Hara (2012), Flow Toxicity and Liquidity in a High-frequency World, doi:10.1093/rfs/hhs053.
Pebay (2008), Formulas for Robust, One-Pass Parallel Computation of Covariances and Arbitrary-Order Statistical Moments.
"""

# numba types the kernels: mypy knows neither its integers nor that a kernel is no plain function.
# mypy: disable-error-code="return-value, no-any-return, assignment, call-arg, call-overload, unreachable"

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.market.events import Flag, Side, TradeFlag
from fathom.market.kernel import kernel
from fathom.market.levels import (
    ASK,
    BID,
    BORN,
    BORN_AFTER,
    KEY,
    LOTS,
    NO_KEY,
    UNSEEN,
    BookArrays,
    first_place,
    next_place,
    slot_at,
)
from fathom.market.lifecycle import (
    CAUSE,
    CHANGE,
    CLOSED,
    FINAL_FROM,
    FINAL_TO,
    GONE,
    GONE_AFTER,
    SNAPSHOT_LAST,
    SNAPSHOT_OPEN,
    Cause,
)

TOP: Final = 10
"""Levels a side whose changes are followed message by message."""

WINDOW_MS: Final = 60_000
"""Longest window; the ring holds the buckets of this time."""

# Entries of `FlowArrays.head`.
GRID_NS: Final = 0
SAMPLES: Final = 1  # buckets closed
GRID_TS: Final = 2  # time of the last grid step, UNSEEN before the first
NOW: Final = 3  # largest ts_init so far
HELD: Final = 4  # the held states are defined
HELD_SINCE: Final = 5  # ns
KNOWN: Final = 6  # `top` holds the last message
MID2: Final = 7  # best bid plus best ask after the last message, in ticks: twice the mid
SPREAD: Final = 8  # ticks
LAST_PRICE: Final = 9  # of the last trade, ticks; 0 before the first
LAST_STEP: Final = 10  # change of price of the last trade
STEPS: Final = 11  # trades with a change so far
LATE: Final = 12  # rows older than one before them
BUCKET_LOTS: Final = 13  # size of a VPIN bucket; 0 until it is known
BUCKET_BUY: Final = 14  # lots in the open VPIN bucket
BUCKET_SELL: Final = 15
BUCKET_OPEN: Final = 16  # size of the open VPIN bucket
BUCKETS: Final = 17  # VPIN buckets filled
STALE: Final = 18  # for each side: a level as good as the last of `top` changed since the last message
LOTS_5: Final = 20  # for each side: lots of its 5 best levels after the last message
LOTS_10: Final = 22
ADDED: Final = 24  # for each side: levels that grew in the open message
FLOW_HEAD: Final = 26

MOST_ADDED: Final = 1024
"""Growing levels of a side and message that are looked at; a delta with more is a snapshot in all but name."""

# Columns of `FlowArrays.counts`: int64.
OFI: Final = 0  # order-flow imbalance of level 1, lots; the next four are those of levels 2 to 5
OFI_ALL: Final = 5  # sum over levels 1 to TOP
MESSAGE_COUNT: Final = 6
ROW_COUNT: Final = 7  # level changes
BID_ADDS: Final = 8  # increases of bid levels near the touch, as their message leaves it
ASK_ADDS: Final = 9
QUOTES: Final = 10  # messages that changed price or size of the best bid or ask
MID_MOVES: Final = 11  # sum of squared changes of MID2
SPREAD_MOVES: Final = 12  # sum of squared changes of the spread, ticks
TRADES: Final = 13  # block trades are not counted anywhere
BUYS: Final = 14  # trades of buying aggressors; RPI trades are in TRADES, VOLUME, NOTIONAL and RPI_LOTS only
SELLS: Final = 15
BUY_LOTS: Final = 16
SELL_LOTS: Final = 17
VOLUME: Final = 18
RPI_LOTS: Final = 19
PAIRS: Final = 20  # pairs of successive changes of the trade price, with the sums of both and of their product
STEP_SUM: Final = 21
STEP_LAG_SUM: Final = 22
STEP_CROSS: Final = 23
COUNTS: Final = 24

# Columns of `FlowArrays.sums`: float64.
NOTIONAL: Final = 0  # ticks times lots
SIGNED_SQUARES: Final = 1  # sum of sign times lots squared
SQUARES: Final = 2
COST: Final = 3  # sum of lots times effective spread, bps
COST_LOTS: Final = 4
TTL_WIDTH: Final = 5  # sum of the widths of the time-to-live intervals, ms
PLAIN_SUMS: Final = 6  # the columns before this one add up over buckets; those behind do not
TTL_COUNT: Final = 6
TTL_MEAN: Final = 7  # ms, with the sum of squared deviations
TTL_M2: Final = 8
MID: Final = 9  # mid at the end of the bucket, ticks; NaN without
RETURN: Final = 10  # change of the mid since the end of the bucket before, bps
WEIGHT: Final = 11  # seconds during which the held states were defined
MOMENTS: Final = 12  # mean, M2, M3 of each held state
STATES: Final = 5
SUMS: Final = MOMENTS + 3 * STATES

# The held states.
IMBALANCE_5: Final = 0
MICRO_OFFSET: Final = 1  # weighted mid against the mid, bps
DEPTH_10: Final = 2  # lots of the ten best levels of both sides
TOUCH_LOTS: Final = 3  # mean of the lots of best bid and best ask
SPREAD_TICKS: Final = 4

VPIN_BUCKETS: Final = 20
_VPIN_HORIZON_MS: Final = 60_000
_VPIN_START_MS: Final = 10_000

_NEAR: Final = 2000  # 10 bps of the mid, as a divisor of MID2

_BUY: Final = int(Side.BUY)
_LAST: Final = int(Flag.LAST)
_SELL: Final = int(Side.SELL)
_RPI: Final = int(TradeFlag.RPI)
_BLOCK: Final = int(TradeFlag.BLOCK)
_CANCELLED: Final = int(Cause.CANCELLED)


class FlowArrays(NamedTuple):
    """Arrays of the flow of one instrument; a copy of them is a copy of the state.

    Parameters
    ----------
    head : ndarray of int64, shape (FLOW_HEAD,)
        Clock and last values.
    top : ndarray of int64, shape (2, 2, TOP)
        Keys and lots of the best levels of each side after the last message; `NO_KEY` and 0 where there is none.
    held : ndarray of float64, shape (STATES,)
        States that stand since ``head[HELD_SINCE]``.
    open_counts : ndarray of int64, shape (COUNTS,)
        The open bucket.
    open_sums : ndarray of float64, shape (SUMS,)
        The open bucket.
    counts : ndarray of int64, shape (buckets, COUNTS)
        Ring of the closed buckets.
    sums : ndarray of float64, shape (buckets, SUMS)
        Ring of the closed buckets.
    added : ndarray of int64, shape (2, MOST_ADDED)
        Keys of the levels of each side that grew in the open message.
    vpin : ndarray of int64, shape (VPIN_BUCKETS, 2)
        Ring of the filled volume buckets: absolute imbalance and size, lots.

    Examples
    --------
    >>> new_flow(grid_ms=1000).counts.shape
    (60, 24)
    """

    head: NDArray[np.int64]
    top: NDArray[np.int64]
    held: NDArray[np.float64]
    open_counts: NDArray[np.int64]
    open_sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]
    added: NDArray[np.int64]
    vpin: NDArray[np.int64]


def new_flow(*, grid_ms: int = 1000) -> FlowArrays:
    """Return the flow before the first event.

    Parameters
    ----------
    grid_ms : int, default 1000
        Step of the event-time grid; a divisor of 1000, because the windows are whole seconds.

    Returns
    -------
    FlowArrays

    Raises
    ------
    ValueError
        If the grid does not divide a second.

    Examples
    --------
    >>> new_flow(grid_ms=300)
    Traceback (most recent call last):
    ...
    ValueError: Expected a grid_ms that divides 1000 (windows are whole seconds), was 300; take 200 or 250
    """
    if grid_ms <= 0 or 1000 % grid_ms:
        near = sorted((d for d in range(1, 1001) if 1000 % d == 0), key=lambda d: abs(d - grid_ms))[:2]
        raise ValueError(
            f"Expected a grid_ms that divides 1000 (windows are whole seconds), was {grid_ms}; "
            f"take {min(near)} or {max(near)}"
        )
    buckets = WINDOW_MS // grid_ms
    head = np.zeros(FLOW_HEAD, np.int64)
    head[GRID_NS] = grid_ms * 1_000_000
    head[GRID_TS] = UNSEEN
    top = np.zeros((2, 2, TOP), np.int64)
    top[:, 0] = NO_KEY
    return FlowArrays(
        head=head,
        top=top,
        held=np.zeros(STATES),
        open_counts=np.zeros(COUNTS, np.int64),
        open_sums=np.zeros(SUMS),
        counts=np.zeros((buckets, COUNTS), np.int64),
        sums=np.zeros((buckets, SUMS)),
        added=np.zeros((2, MOST_ADDED), np.int64),
        vpin=np.zeros((VPIN_BUCKETS, 2), np.int64),
    )


@kernel(inline=True)
def flow_row(book: BookArrays, flow: FlowArrays, price: int, side_code: int, flags: int) -> None:
    """Count a book row that `book_row` has just applied; the rows of a snapshot do not count."""
    head = flow.head
    side = BID if side_code == _BUY else ASK
    key = price if side == ASK else -price
    if key <= flow.top[side, 0, TOP - 1]:
        head[STALE + side] = 1
    if book.head[SNAPSHOT_OPEN] == 1 or (flags & _LAST and book.head[SNAPSHOT_LAST] == 1):
        return
    flow.open_counts[ROW_COUNT] += 1
    if book.head[CHANGE] > 0 and head[ADDED + side] < MOST_ADDED:
        flow.added[side, head[ADDED + side]] = key
        head[ADDED + side] += 1


@kernel
def flow_message(book: BookArrays, flow: FlowArrays) -> None:
    """Take the book after a message: at the time ``flow.head[NOW]``."""
    head, count, top = flow.head, flow.open_counts, flow.top
    weigh(flow)
    fresh = head[KNOWN] == 0 or book.head[SNAPSHOT_LAST] == 1
    count[MESSAGE_COUNT] += 1
    changed = False
    for side in range(2):
        if head[STALE + side] == 0 and not fresh:
            _count_added(flow, side)
            continue
        head[STALE + side] = 0
        sign = 1 if side == BID else -1
        total = np.int64(0)
        place = first_place(book, side)
        for i in range(TOP):
            key, lots = NO_KEY, np.int64(0)
            if place >= 0:
                slot = slot_at(book, side, place)
                key, lots = book.pool[slot, KEY], book.pool[slot, LOTS]
                place = next_place(book, side, place + 1)
            key_before, lots_before = top[side, 0, i], top[side, 1, i]
            top[side, 0, i] = key
            top[side, 1, i] = lots
            total += lots
            if i == 4:
                head[LOTS_5 + side] = total
            if fresh:
                continue
            pressure = np.int64(0)
            if key <= key_before:
                pressure += lots
            if key >= key_before:
                pressure -= lots_before
            count[OFI_ALL] += sign * pressure
            if i < 5:
                count[OFI + i] += sign * pressure
            if i == 0 and (key != key_before or lots != lots_before):
                changed = True
        head[LOTS_10 + side] = total
        _count_added(flow, side)
    head[KNOWN] = 1
    if changed:
        count[QUOTES] += 1
    _hold(flow, fresh)
    _count_ends(book, flow)


@kernel(inline=True)
def _count_added(flow: FlowArrays, side: int) -> None:
    # The touch of the message decides what is near, wherever its rows stand in it.
    head = flow.head
    if head[HELD] == 1 and flow.top[side, 1, 0] > 0:
        for i in range(head[ADDED + side]):
            if (flow.added[side, i] - flow.top[side, 0, 0]) * _NEAR <= head[MID2]:
                flow.open_counts[BID_ADDS + side] += 1
    head[ADDED + side] = 0


@kernel
def _hold(flow: FlowArrays, fresh: bool) -> None:
    head, held, top = flow.head, flow.held, flow.top
    was_held = head[HELD]
    head[HELD_SINCE] = head[NOW]
    if top[BID, 1, 0] == 0 or top[ASK, 1, 0] == 0:
        head[HELD] = 0
        return
    mid2 = top[ASK, 0, 0] - top[BID, 0, 0]  # the key of a bid is minus its price
    spread = top[ASK, 0, 0] + top[BID, 0, 0]
    if was_held == 1 and not fresh:
        flow.open_counts[MID_MOVES] += (mid2 - head[MID2]) ** 2
        flow.open_counts[SPREAD_MOVES] += (spread - head[SPREAD]) ** 2
    head[HELD] = 1
    head[MID2] = mid2
    head[SPREAD] = spread
    bid, ask = top[BID, 1, 0], top[ASK, 1, 0]
    bids5, asks5 = head[LOTS_5 + BID], head[LOTS_5 + ASK]
    held[IMBALANCE_5] = (bids5 - asks5) / (bids5 + asks5)
    held[MICRO_OFFSET] = 1e4 * (spread * ((bid - ask) / (bid + ask))) / mid2
    held[DEPTH_10] = head[LOTS_10 + BID] + head[LOTS_10 + ASK]
    held[SPREAD_TICKS] = spread
    held[TOUCH_LOTS] = 0.5 * (bid + ask)


@kernel
def _count_ends(book: BookArrays, flow: FlowArrays) -> None:
    total = flow.open_sums
    for n in range(book.head[FINAL_FROM], book.head[FINAL_TO]):
        at = n % CLOSED
        if book.closed[at, CAUSE] != _CANCELLED or book.closed[at, BORN_AFTER] == UNSEEN:
            continue
        shortest = max(0, book.closed[at, GONE_AFTER] - book.closed[at, BORN]) * 1e-6
        longest = max(0, book.closed[at, GONE] - book.closed[at, BORN_AFTER]) * 1e-6
        total[TTL_WIDTH] += longest - shortest
        middle = 0.5 * (shortest + longest)
        total[TTL_COUNT] += 1.0
        delta = middle - total[TTL_MEAN]
        total[TTL_MEAN] += delta / total[TTL_COUNT]
        total[TTL_M2] += delta * (middle - total[TTL_MEAN])


@kernel
def weigh(flow: FlowArrays) -> None:
    """Add the held states to the moments of the bucket, with the time they stood until ``head[NOW]``."""
    head, total = flow.head, flow.open_sums
    passed = (head[NOW] - head[HELD_SINCE]) * 1e-9
    if head[HELD] == 0 or passed <= 0.0:
        return
    before = total[WEIGHT]
    weight = before + passed
    total[WEIGHT] = weight
    share = passed / weight
    head[HELD_SINCE] = head[NOW]
    for i in range(STATES):
        at = MOMENTS + 3 * i
        delta = flow.held[i] - total[at]
        m2 = total[at + 1]
        total[at] += delta * share
        square = delta * delta * before * share
        total[at + 1] += square
        total[at + 2] += square * delta * ((before - passed) / weight) - 3.0 * delta * share * m2


@kernel
def flow_trade(flow: FlowArrays, price: int, size: int, side_code: int, flags: int) -> None:
    """Count a trade, against the mid of the last message before it."""
    if flags & _BLOCK or size <= 0:
        return
    head, count, total = flow.head, flow.open_counts, flow.open_sums
    count[TRADES] += 1
    count[VOLUME] += size
    total[NOTIONAL] += np.float64(price) * size
    if flags & _RPI:
        count[RPI_LOTS] += size
        return
    if head[LAST_PRICE] != 0:
        step = price - head[LAST_PRICE]
        if head[STEPS] > 0:
            count[PAIRS] += 1
            count[STEP_SUM] += step
            count[STEP_LAG_SUM] += head[LAST_STEP]
            count[STEP_CROSS] += step * head[LAST_STEP]
        head[LAST_STEP] = step
        head[STEPS] += 1
    head[LAST_PRICE] = price
    if side_code == _BUY:
        sign = 1
        count[BUYS] += 1
        count[BUY_LOTS] += size
    elif side_code == _SELL:
        sign = -1
        count[SELLS] += 1
        count[SELL_LOTS] += size
    else:
        return
    square = np.float64(size) * size
    total[SQUARES] += square
    total[SIGNED_SQUARES] += sign * square
    if head[HELD] == 1:
        total[COST] += size * (2e4 * sign * (2 * price - head[MID2]) / head[MID2])
        total[COST_LOTS] += size
    _fill_bucket(flow, size, sign)


@kernel
def _fill_bucket(flow: FlowArrays, size: int, sign: int) -> None:
    head = flow.head
    if head[BUCKET_LOTS] == 0:
        return
    if head[BUCKET_OPEN] == 0:
        head[BUCKET_OPEN] = head[BUCKET_LOTS]
    # A trade that fills more buckets than are kept leaves the same as one that fills just these.
    target = head[BUCKET_LOTS]
    room = head[BUCKET_OPEN] - head[BUCKET_BUY] - head[BUCKET_SELL]
    if size - room > VPIN_BUCKETS * target:
        size = room + VPIN_BUCKETS * target + (size - room) % target
    while size > 0:
        part = min(size, head[BUCKET_OPEN] - head[BUCKET_BUY] - head[BUCKET_SELL])
        if sign > 0:
            head[BUCKET_BUY] += part
        else:
            head[BUCKET_SELL] += part
        size -= part
        if head[BUCKET_BUY] + head[BUCKET_SELL] == head[BUCKET_OPEN]:
            at = head[BUCKETS] % VPIN_BUCKETS
            flow.vpin[at, 0] = abs(head[BUCKET_BUY] - head[BUCKET_SELL])
            flow.vpin[at, 1] = head[BUCKET_OPEN]
            head[BUCKETS] += 1
            head[BUCKET_BUY] = head[BUCKET_SELL] = 0
            head[BUCKET_OPEN] = target


@kernel(inline=True)
def advance(flow: FlowArrays, ts_init: int) -> None:
    """Move the clock to a row."""
    if ts_init >= flow.head[NOW]:
        flow.head[NOW] = ts_init
    else:
        flow.head[LATE] += 1


@kernel
def close_bucket(flow: FlowArrays, ts: int) -> None:
    """End the open bucket at grid time `ts`, and begin the next."""
    head, total = flow.head, flow.open_sums
    head[NOW] = max(head[NOW], ts)
    weigh(flow)
    buckets = len(flow.counts)
    at = head[SAMPLES] % buckets
    mid = 0.5 * head[MID2] if head[HELD] == 1 else np.nan
    total[MID] = mid
    total[RETURN] = np.nan
    if head[SAMPLES] > 0:
        before = flow.sums[(head[SAMPLES] - 1) % buckets, MID]
        total[RETURN] = 1e4 * (mid - before) / before
    for i in range(COUNTS):
        flow.counts[at, i] = flow.open_counts[i]
        flow.open_counts[i] = 0
    for i in range(SUMS):
        flow.sums[at, i] = total[i]
        total[i] = 0.0
    head[SAMPLES] += 1
    head[GRID_TS] = ts
    _size_bucket(flow)


@kernel
def _size_bucket(flow: FlowArrays) -> None:
    # VPIN buckets follow the volume: a window of `_VPIN_HORIZON_MS` fills all of them at the rate of its own volume.
    head = flow.head
    grid_ms = head[GRID_NS] // 1_000_000
    closed = min(head[SAMPLES], len(flow.counts))
    if closed * grid_ms < _VPIN_START_MS:
        return
    lots = np.int64(0)
    for i in range(closed):
        lots += flow.counts[i, BUY_LOTS] + flow.counts[i, SELL_LOTS]
    rate = lots / (closed * grid_ms)
    head[BUCKET_LOTS] = max(1, np.int64(rate * _VPIN_HORIZON_MS / VPIN_BUCKETS))
