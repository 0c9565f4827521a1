"""Large orders as an L2 feed shows them: a jump in the size of a level, until as much is taken away again.

A level-2 feed has no orders, only sizes. When a level grows at once by much more than is usual at its distance, that is
taken for one order; when the level later shrinks at once by about as much, and trades do not explain it, the order was
withdrawn. A bait placed where others already rest is found too, though its level is neither born nor deleted.
A level that leaves a limited depth, or comes into it, and the wiping out of the book by a snapshot, say nothing.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.book.sizes import CELLS, LAYER, SPOOF, SizeArrays, distance_bin, note_size, size_cell, surprise
from fathom.detectors.book.taker_flow import HITS, MID2, TAKEN, FlowState
from fathom.market.kernel import kernel
from fathom.market.levels import BEST, COUNT, LOTS, NO_KEY, RECENT, BookArrays, find
from fathom.market.levels import HORIZON as SIDE_HORIZON
from fathom.market.lifecycle import CLOSED, CLOSED_COUNT, END_LOTS, END_TRADED

# Columns of `OrderArrays.orders`, int64.
PRICE_KEY: Final = 0
SIDE: Final = 1  # BID or ASK of fathom.market.levels
SIZE: Final = 2
STATUS: Final = 3
PLACED: Final = 4  # ts_event of the message that first showed it
PLACED_AFTER: Final = 5  # ts_event of the message before
DISTANCE: Final = 6  # ticks from the touch after that message
NEXT: Final = 7  # next order at the same level, -1 at the end
TAKEN_BID: Final = 8  # lots taken from the bids, and the asks, before it came
TAKEN_ASK: Final = 9
PLACED_MID2: Final = 10
LEVEL_BEFORE: Final = 11  # lots of the level without it
RETAIL_BEFORE: Final = 12  # lots of RPI trades at its price in the message before RETAIL_AT
RETAIL: Final = (
    13  # lots of RPI trades at its price since message RETAIL_AT; from its end on: of all that may explain it
)
RETAIL_AT: Final = 14  # count of complete messages at the last RPI trade
REMOVED: Final = 15  # ts_event of the message that showed it gone
REMOVED_AFTER: Final = 16
HITS_BID: Final = 17  # trades that had hit the bids before it came
TAKEN_AWAY: Final = 18  # lots that the level lost and trades known then do not explain
LATE: Final = 19  # lots of trades before its end that came to be known after it
MOVED: Final = 20  # 1 when as much was placed elsewhere on the same side at the same time
SCROLLED: Final = 21  # 1 when it may have left a limited depth; REMEMBERED once it is to be remembered
REMEMBERED: Final = 2
CROWD: Final = 22  # large orders of its side placed near the touch in the same message, itself included
HITS_ASK: Final = 23  # the same of the asks
ORDER_FIELDS: Final = 24

# Columns of `OrderArrays.ratios`: size over the usual size at its distance (LAYER, SPOOF), and how rare such a size is.
RARITY: Final = 2
RATIOS: Final = 3

FREE: Final = 0
STANDING: Final = 1
WITHDRAWN: Final = 2

CAPACITY: Final = 4096
ENDING: Final = 512  # withdrawals that wait for the next message
ADDITIONS: Final = 4096  # of one message
NEAR: Final = 64  # ticks from the touch

# Entries of `OrderArrays.head`.
PLACED_COUNT: Final = 0
ENDING_COUNT: Final = 1  # withdrawals waiting: the first WAITING of them since the message before
WAITING: Final = 2
ADDITION_COUNT: Final = 3
IN_SNAPSHOT: Final = 4
FORGOTTEN: Final = 5  # standing orders overwritten by newer ones
HORIZON: Final = 6  # worst key that each side was known to show before the message
TOUCH: Final = 8  # best key of each side after the last message
BEFORE_TS: Final = 10  # ts_event of the last complete message
MESSAGE: Final = 11  # complete messages
ORDER_HEAD: Final = 12

_ALIKE: Final = 10  # sizes that differ by less than one part in so many are the same order at another price
_TWIN: Final = 30
_MOST: Final = 0.8  # share of an order that must go at once


class OrderArrays(NamedTuple):
    """Arrays of the large orders of one instrument.

    Parameters
    ----------
    head : ndarray of int64
        Counters.
    orders : ndarray of int64, shape (CAPACITY, ORDER_FIELDS)
        Ring of the orders placed last.
    ratios : ndarray of float64, shape (CAPACITY, 3)
        Size over the usual size at its distance, for a layer and for a spoofing order; and the surprise at it.
    first : ndarray of int32, shape (levels,)
        For each slot of the book's pool the newest order at that level, plus one.
    ending : ndarray of int32, shape (ENDING,)
        Orders withdrawn in this message and the one before.
    additions : ndarray of int64, shape (ADDITIONS, 5)
        Of the message being read: side, key, lots, lots of the level before, the next of like size.
    alike : ndarray of int32, shape (2, CELLS)
        Scratch: the newest addition of each side and size, plus one.

    Examples
    --------
    >>> new_orders(levels=64).first.shape
    (64,)
    """

    head: NDArray[np.int64]
    orders: NDArray[np.int64]
    ratios: NDArray[np.float64]
    first: NDArray[np.int32]
    ending: NDArray[np.int32]
    additions: NDArray[np.int64]
    alike: NDArray[np.int32]


def new_orders(levels: int) -> OrderArrays:
    """Return no orders, for a book with room for `levels`."""
    head = np.zeros(ORDER_HEAD, np.int64)
    head[HORIZON : HORIZON + 2] = NO_KEY
    head[TOUCH : TOUCH + 2] = NO_KEY
    return OrderArrays(
        head=head,
        orders=np.zeros((CAPACITY, ORDER_FIELDS), np.int64),
        ratios=np.zeros((CAPACITY, RATIOS)),
        first=np.zeros(levels, np.int32),
        ending=np.zeros(ENDING, np.int32),
        additions=np.zeros((ADDITIONS, 5), np.int64),
        alike=np.zeros((2, CELLS), np.int32),
    )


def grown_orders(orders: OrderArrays, levels: int) -> OrderArrays:
    """Return the same orders for a book that has grown to `levels`."""
    first = np.zeros(levels, np.int32)
    first[: len(orders.first)] = orders.first
    return orders._replace(first=first)


@kernel
def forget_all(orders: OrderArrays) -> None:
    """Drop every order: a snapshot wipes out the book."""
    orders.first[:] = 0
    for i in range(CAPACITY):
        orders.orders[i, STATUS] = FREE
    orders.head[ENDING_COUNT] = orders.head[WAITING] = orders.head[ADDITION_COUNT] = 0
    orders.head[IN_SNAPSHOT] = 1


@kernel
def note_addition(
    head: NDArray[np.int64], additions: NDArray[np.int64], side: int, key: int, lots: int, size: int
) -> None:
    """Keep what a row added to its level, if the feed surely showed the level before, until the message ends."""
    n = head[ADDITION_COUNT]
    if n < ADDITIONS and key <= head[HORIZON + side]:
        additions[n, 0], additions[n, 1], additions[n, 2], additions[n, 3] = side, key, lots, size - lots
        head[ADDITION_COUNT] = n + 1


@kernel
def level_slot(free: NDArray[np.int32], slot: int) -> int:
    """Return the slot of the level that a row made smaller: `slot` is what the book returned, -1 when it is gone."""
    # The slot of a level that is gone lies on top of the free ones.
    return int(slot if slot >= 0 else free[free[len(free) - 1] - 1])


@kernel
def note_decrease(book: BookArrays, orders: OrderArrays, slot: int, size: int, ts_event: int) -> None:
    """Take a decrease that a row made to a level with large orders: which of them were taken away?"""
    if slot >= 0:
        _match(orders, slot, book.pool[slot, RECENT], size, ts_event)
    else:
        end = book.closed[(book.head[CLOSED_COUNT] - 1) % CLOSED]
        _match(orders, level_slot(book.free, slot), end[END_LOTS] - end[END_TRADED], 0, ts_event)


@kernel
def _match(orders: OrderArrays, slot: int, taken_away: int, left: int, ts_event: int) -> None:
    # Which of the orders at this level fits best what was taken away? Then the rest, for the next.
    head = orders.head
    while True:
        best = np.int64(-1)
        fit = np.float64(1e18)
        i = np.int64(orders.first[slot]) - 1
        while i >= 0:
            size = orders.orders[i, SIZE]
            miss = abs(np.float64(taken_away - size)) / size
            if taken_away >= _MOST * size and miss < fit:
                best, fit = i, miss
            i = orders.orders[i, NEXT]
        if best < 0:
            break
        order = orders.orders[best]
        _unlink(orders, slot, best)
        order[REMOVED], order[REMOVED_AFTER] = ts_event, head[BEFORE_TS]
        order[TAKEN_AWAY] = min(taken_away, order[SIZE])
        order[LATE] = order[MOVED] = order[SCROLLED] = 0
        # A trade shows as a decrease in the next message or the one after: so long an RPI trade may explain it too.
        silent = head[MESSAGE] - order[RETAIL_AT]
        if silent == 0:
            order[RETAIL] += order[RETAIL_BEFORE]
        elif silent > 1:
            order[RETAIL] = 0
        n = head[ENDING_COUNT]
        if n < ENDING:
            order[STATUS] = WITHDRAWN
            orders.ending[n] = best
            head[ENDING_COUNT] = n + 1
        else:
            order[STATUS] = FREE
        taken_away -= order[SIZE]
    # What no longer fits into the level is gone: traded, or taken away in parts.
    i = np.int64(orders.first[slot]) - 1
    while i >= 0:
        after = orders.orders[i, NEXT]
        if orders.orders[i, SIZE] * _MOST > left:
            _unlink(orders, slot, i)
            orders.orders[i, STATUS] = FREE
        i = after


@kernel
def _unlink(orders: OrderArrays, slot: int, which: int) -> None:
    i = np.int64(orders.first[slot]) - 1
    if i == which:
        orders.first[slot] = orders.orders[which, NEXT] + 1
        return
    while i >= 0:
        after = orders.orders[i, NEXT]
        if after == which:
            orders.orders[i, NEXT] = orders.orders[which, NEXT]
            return
        i = after


@kernel
def note_trade_at(
    book: BookArrays, orders: OrderArrays, side: int, key: int, lots: int, retail: bool, ts_event: int
) -> None:
    """Let the orders at a price know that it traded, and those that ended there not before the trade."""
    slot = find(book, side, key)
    if slot >= 0:
        i = np.int64(orders.first[slot]) - 1
        while i >= 0:
            order = orders.orders[i]
            if retail:
                silent = orders.head[MESSAGE] - order[RETAIL_AT]
                if silent > 0:
                    order[RETAIL_BEFORE] = order[RETAIL] if silent == 1 else 0
                    order[RETAIL] = 0
                order[RETAIL] += lots
                order[RETAIL_AT] = orders.head[MESSAGE]
            i = order[NEXT]
    for n in range(orders.head[ENDING_COUNT]):
        order = orders.orders[orders.ending[n]]
        if order[PRICE_KEY] == key and order[SIDE] == side and ts_event <= order[REMOVED]:
            order[RETAIL if retail else LATE] += lots


@kernel
def note_moves(orders: OrderArrays) -> None:
    """Mark the withdrawals whose size was placed elsewhere on the same side, in their message or the next.

    What was placed at the same price in the same message was only said in two rows.
    """
    head, alike = orders.head, orders.alike
    if head[ENDING_COUNT] == 0:
        return
    for a in range(head[ADDITION_COUNT]):
        row = orders.additions[a]
        cell = size_cell(row[2])
        row[4] = alike[row[0], cell] - 1
        alike[row[0], cell] = a + 1
    for n in range(head[ENDING_COUNT]):
        order = orders.orders[orders.ending[n]]
        if order[MOVED] == 0:
            _note_move(orders, order, n >= head[WAITING])
    for a in range(head[ADDITION_COUNT]):
        row = orders.additions[a]
        alike[row[0], size_cell(row[2])] = 0


@kernel
def _note_move(orders: OrderArrays, order: NDArray[np.int64], is_new: bool) -> None:
    cell = size_cell(order[SIZE])  # sizes that are alike are at most a cell apart
    for c in range(max(0, cell - 1), min(CELLS, cell + 2)):
        a = np.int64(orders.alike[order[SIDE], c]) - 1
        while a >= 0:
            row = orders.additions[a]
            elsewhere = is_new or row[1] != order[PRICE_KEY]
            if elsewhere and _ALIKE * abs(row[2] - order[SIZE]) <= order[SIZE]:
                order[MOVED] = 1
                return
            a = row[4]


@kernel
def end_of_message(
    book: BookArrays, orders: OrderArrays, sizes: SizeArrays, flow: FlowState, farthest: int, ts_event: int
) -> None:
    """Open the large orders of the message, once its touch is known."""
    head = orders.head
    for side in range(2):
        if book.sides[side, COUNT] > 0:
            head[TOUCH + side] = book.sides[side, BEST]
    if head[IN_SNAPSHOT] == 0:
        before = head[PLACED_COUNT]
        for n in range(head[ADDITION_COUNT]):
            row = orders.additions[n]
            lots = row[2]
            distance = row[1] - head[TOUCH + row[0]]
            if distance < 0 or distance > farthest:
                continue
            at = distance_bin(distance)
            layer, spoof = sizes.quantiles[at, LAYER], sizes.quantiles[at, SPOOF]
            note_size(sizes, at, lots)
            if lots >= layer:  # False also where the usual size is not known yet
                _place(book, orders, sizes, flow, n, distance, layer, spoof, ts_event)
        _count_crowd(orders, max(before, head[PLACED_COUNT] - CAPACITY))
    head[ADDITION_COUNT] = head[IN_SNAPSHOT] = 0
    head[BEFORE_TS] = ts_event
    head[MESSAGE] += 1
    for side in range(2):
        head[HORIZON + side] = book.sides[side, SIDE_HORIZON]


@kernel
def _count_crowd(orders: OrderArrays, before: int) -> None:
    for side in range(2):
        crowd = 0
        for n in range(before, orders.head[PLACED_COUNT]):
            order = orders.orders[n % CAPACITY]
            if order[SIDE] == side and order[DISTANCE] <= NEAR:
                crowd += 1
        for n in range(before, orders.head[PLACED_COUNT]):
            order = orders.orders[n % CAPACITY]
            if order[SIDE] == side:
                order[CROWD] = crowd


@kernel
def withdrawn_together(orders: OrderArrays, side: int) -> int:
    """Return how many large orders of a side near the touch were withdrawn in the message that is being decided on."""
    crowd = 0
    for n in range(orders.head[WAITING]):
        order = orders.orders[orders.ending[n]]
        if order[SIDE] == side and order[DISTANCE] <= NEAR:
            crowd += 1
    return crowd


@kernel
def twins(orders: OrderArrays, which: int) -> int:
    """Return how many orders of almost the same size and time were withdrawn with this one on its side."""
    order = orders.orders[which]
    alike = 0
    for n in range(orders.head[WAITING]):
        i = np.int64(orders.ending[n])
        other = orders.orders[i]
        together = i != which and other[SIDE] == order[SIDE] and other[PLACED] == order[PLACED]
        if together and _TWIN * abs(other[SIZE] - order[SIZE]) <= order[SIZE]:
            alike += 1
    return alike


@kernel
def _place(
    book: BookArrays,
    orders: OrderArrays,
    sizes: SizeArrays,
    flow: FlowState,
    n: int,
    distance: int,
    layer: float,
    spoof: float,
    ts_event: int,
) -> None:
    head = orders.head
    row = orders.additions[n]
    side, key, lots = row[0], row[1], row[2]
    slot = find(book, side, key)
    if slot < 0 or book.pool[slot, LOTS] < lots:
        return
    i = head[PLACED_COUNT] % CAPACITY
    head[PLACED_COUNT] += 1
    order = orders.orders[i]
    if order[STATUS] == WITHDRAWN:
        return
    if order[STATUS] == STANDING:
        old = find(book, order[SIDE], order[PRICE_KEY])
        if old >= 0:
            _unlink(orders, old, i)
        head[FORGOTTEN] += 1
    order[PRICE_KEY], order[SIDE], order[SIZE], order[STATUS] = key, side, lots, STANDING
    order[PLACED], order[PLACED_AFTER] = ts_event, head[BEFORE_TS]
    order[DISTANCE] = distance
    order[NEXT] = np.int64(orders.first[slot]) - 1
    order[TAKEN_BID], order[TAKEN_ASK] = flow.head[TAKEN], flow.head[TAKEN + 1]
    order[HITS_BID], order[HITS_ASK] = flow.head[HITS], flow.head[HITS + 1]
    order[PLACED_MID2] = flow.head[MID2]
    order[LEVEL_BEFORE] = row[3]
    order[RETAIL] = order[RETAIL_BEFORE] = order[LATE] = order[MOVED] = order[SCROLLED] = 0
    order[RETAIL_AT] = -2
    orders.first[slot] = i + 1
    orders.ratios[i, LAYER] = lots / layer
    orders.ratios[i, SPOOF] = lots / spoof
    orders.ratios[i, RARITY] = surprise(sizes, distance_bin(distance), lots)


@kernel
def note_scrolls(book: BookArrays, orders: OrderArrays) -> None:
    """Mark the withdrawals of this message that may have left a limited depth instead."""
    for n in range(orders.head[WAITING], orders.head[ENDING_COUNT]):
        order = orders.orders[orders.ending[n]]
        if order[PRICE_KEY] > book.sides[order[SIDE], SIDE_HORIZON]:
            order[SCROLLED] = 1


@kernel
def is_withdrawn(order: NDArray[np.int64]) -> bool:
    """Return whether an order that ended was taken away, not traded: nothing else may explain it."""
    unexplained = order[TAKEN_AWAY] - order[LATE] - order[RETAIL]
    return bool(order[SCROLLED] == 0 and unexplained >= _MOST * order[SIZE])


@kernel
def shift_endings(orders: OrderArrays) -> None:
    """Drop the withdrawals that were decided on; those of this message wait for the next."""
    head = orders.head
    waiting, count = head[WAITING], head[ENDING_COUNT]
    for n in range(waiting):
        orders.orders[orders.ending[n], STATUS] = FREE
    for n in range(waiting, count):
        orders.ending[n - waiting] = orders.ending[n]
    head[ENDING_COUNT] = head[WAITING] = count - waiting
