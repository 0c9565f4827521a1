"""Large orders as an L2 feed shows them: a jump in the size of a level, until as much is taken away again.

A level-2 feed has no orders, only sizes. When a level grows at once by much more than is usual at its distance, that is
taken for one order; when the level later shrinks at once by about as much, and trades do not explain it, the order was
withdrawn. A bait placed where others already rest is found too, though its level is neither born nor deleted.
A level that leaves a limited depth, or comes into it, and the wiping out of the book by a snapshot, say nothing.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.book.order_record import ADDITION, ORDER
from fathom.detectors.book.sizes import (
    CELLS,
    LARGE,
    LAYER,
    SPOOF,
    USUAL,
    SizeArrays,
    distance_bin,
    new_sizes,
    note_size,
    size_cell,
    surprise,
)
from fathom.detectors.book.taker_flow import HITS, MID2, TAKEN, FlowState, new_flow_state
from fathom.market.kernel import kernel
from fathom.market.levels import BEST, BID, COUNT, LOTS, NO_KEY, RECENT, BookArrays, find
from fathom.market.levels import HORIZON as SIDE_HORIZON
from fathom.market.lifecycle import CLOSED, CLOSED_COUNT, END_LOTS, END_TRADED

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
    orders : ndarray of ORDER, shape (CAPACITY,)
        Ring of the orders placed last.
    first : ndarray of int32, shape (levels,)
        For each slot of the book's pool the newest order at that level, plus one.
    ending : ndarray of int32, shape (ENDING,)
        Orders withdrawn in this message and the one before.
    additions : ndarray of ADDITION, shape (ADDITIONS,)
        Of the message being read.
    alike : ndarray of int32, shape (2, CELLS)
        Scratch: the newest addition of each side and size, plus one.

    Examples
    --------
    >>> new_orders(levels=64).first.shape
    (64,)
    """

    head: NDArray[np.int64]
    orders: NDArray[Any]
    first: NDArray[np.int32]
    ending: NDArray[np.int32]
    additions: NDArray[Any]
    alike: NDArray[np.int32]


class PlacedOrders(NamedTuple):
    """What the detectors of one book share: its large orders, the usual sizes, and what aggressors take.

    Parameters
    ----------
    orders : OrderArrays
    sizes : SizeArrays
    flow : FlowState
    band_bps : ndarray of float64, shape (1,)
        Orders farther from the touch are not recorded.

    Examples
    --------
    >>> new_placed_orders(64, layer=0.8, spoof=0.75, band_bps=50.0).orders.first.shape
    (64,)
    """

    orders: OrderArrays
    sizes: SizeArrays
    flow: FlowState
    band_bps: NDArray[np.float64]


def new_placed_orders(levels: int, *, layer: float, spoof: float, band_bps: float) -> PlacedOrders:
    """Return no orders, for a book with room for `levels`; `layer` and `spoof` are shares of `SizeArrays`."""
    return PlacedOrders(new_orders(levels), new_sizes(layer, spoof), new_flow_state(), np.array([band_bps]))


def new_orders(levels: int) -> OrderArrays:
    """Return no orders, for a book with room for `levels`."""
    head = np.zeros(ORDER_HEAD, np.int64)
    head[HORIZON : HORIZON + 2] = NO_KEY
    head[TOUCH : TOUCH + 2] = NO_KEY
    return OrderArrays(
        head=head,
        orders=np.zeros(CAPACITY, ORDER),
        first=np.zeros(levels, np.int32),
        ending=np.zeros(ENDING, np.int32),
        additions=np.zeros(ADDITIONS, ADDITION),
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
        orders.orders[i].status = FREE
    orders.head[ENDING_COUNT] = orders.head[WAITING] = orders.head[ADDITION_COUNT] = 0
    orders.head[IN_SNAPSHOT] = 1


@kernel
def note_addition(head: NDArray[np.int64], additions: NDArray[Any], side: int, key: int, lots: int, size: int) -> None:
    """Keep what a row added to its level, if the feed surely showed the level before, until the message ends."""
    n = head[ADDITION_COUNT]
    if n < ADDITIONS and key <= head[HORIZON + side]:
        row = additions[n]
        row.side, row.key, row.lots, row.before = side, key, lots, size - lots
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
            size = orders.orders[i].size
            miss = abs(np.float64(taken_away - size)) / size
            if taken_away >= _MOST * size and miss < fit:
                best, fit = i, miss
            i = orders.orders[i].next
        if best < 0:
            break
        order = orders.orders[best]
        _unlink(orders, slot, best)
        order.removed, order.removed_after = ts_event, head[BEFORE_TS]
        order.taken_away = min(taken_away, order.size)
        order.late = order.moved = order.scrolled = 0
        order.suspicion = 0.0
        # A trade shows as a decrease in the next message or the one after: so long an RPI trade may explain it too.
        silent = head[MESSAGE] - order.retail_at
        if silent == 0:
            order.retail += order.retail_before
        elif silent > 1:
            order.retail = 0
        n = head[ENDING_COUNT]
        if n < ENDING:
            order.status = WITHDRAWN
            orders.ending[n] = best
            head[ENDING_COUNT] = n + 1
        else:
            order.status = FREE
        taken_away -= order.size
    # What no longer fits into the level is gone: traded, or taken away in parts.
    i = np.int64(orders.first[slot]) - 1
    while i >= 0:
        after = orders.orders[i].next
        if orders.orders[i].size * _MOST > left:
            _unlink(orders, slot, i)
            orders.orders[i].status = FREE
        i = after


@kernel
def _unlink(orders: OrderArrays, slot: int, which: int) -> None:
    i = np.int64(orders.first[slot]) - 1
    if i == which:
        orders.first[slot] = orders.orders[which].next + 1
        return
    while i >= 0:
        after = orders.orders[i].next
        if after == which:
            orders.orders[i].next = orders.orders[which].next
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
                silent = orders.head[MESSAGE] - order.retail_at
                if silent > 0:
                    order.retail_before = order.retail if silent == 1 else 0
                    order.retail = 0
                order.retail += lots
                order.retail_at = orders.head[MESSAGE]
            i = order.next
    for n in range(orders.head[ENDING_COUNT]):
        order = orders.orders[orders.ending[n]]
        if order.price_key == key and order.side == side and ts_event <= order.removed:
            if retail:
                order.retail += lots
            else:
                order.late += lots


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
        cell = size_cell(row.lots)
        row.next = alike[row.side, cell] - 1
        alike[row.side, cell] = a + 1
    for n in range(head[ENDING_COUNT]):
        order = orders.orders[orders.ending[n]]
        if order.moved == 0:
            _note_move(orders, order, n >= head[WAITING])
    for a in range(head[ADDITION_COUNT]):
        row = orders.additions[a]
        alike[row.side, size_cell(row.lots)] = 0


@kernel
def _note_move(orders: OrderArrays, order: Any, is_new: bool) -> None:
    cell = size_cell(order.size)  # sizes that are alike are at most a cell apart
    for c in range(max(0, cell - 1), min(CELLS, cell + 2)):
        a = np.int64(orders.alike[order.side, c]) - 1
        while a >= 0:
            row = orders.additions[a]
            elsewhere = is_new or row.key != order.price_key
            if elsewhere and _ALIKE * abs(row.lots - order.size) <= order.size:
                order.moved = 1
                return
            a = row.next


@kernel
def band_ticks(placed: PlacedOrders) -> float:
    """Return how far from the touch orders are recorded, in ticks."""
    return float(0.5e-4 * placed.flow.head[MID2] * placed.band_bps[0])


@kernel
def end_of_message(book: BookArrays, placed: PlacedOrders, ts_event: int) -> None:
    """Open the large orders of the message, once its touch is known."""
    orders, sizes, flow = placed.orders, placed.sizes, placed.flow
    head = orders.head
    farthest = np.int64(band_ticks(placed))
    for side in range(2):
        if book.sides[side, COUNT] > 0:
            head[TOUCH + side] = book.sides[side, BEST]
    if head[IN_SNAPSHOT] == 0:
        before = head[PLACED_COUNT]
        for n in range(head[ADDITION_COUNT]):
            row = orders.additions[n]
            lots = row.lots
            distance = row.key - head[TOUCH + row.side]
            if distance < 0 or distance > farthest:
                continue
            at = distance_bin(distance)
            usual = sizes.quantiles[at, USUAL]
            # All False also where the usual size is not known yet.
            is_layer, is_spoof = lots >= sizes.quantiles[at, LAYER], lots >= sizes.quantiles[at, SPOOF]
            is_large = lots >= sizes.quantiles[at, LARGE]
            layer_ratio = lots / sizes.quantiles[at, LAYER]
            note_size(sizes, at, lots)
            if is_layer or is_spoof or is_large:
                order = _place(book, orders, sizes, flow, n, distance, ts_event)
                if order >= 0:
                    placed_order = orders.orders[order]
                    placed_order.is_layer, placed_order.is_spoof, placed_order.is_large = is_layer, is_spoof, is_large
                    placed_order.layer_ratio, placed_order.usual_ratio = layer_ratio, lots / usual
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
            if order.side == side and order.distance <= NEAR and order.is_large == 1:
                crowd += 1
        for n in range(before, orders.head[PLACED_COUNT]):
            order = orders.orders[n % CAPACITY]
            if order.side == side:
                order.crowd = crowd


@kernel
def withdrawn_together(orders: OrderArrays, side: int) -> int:
    """Return how many large orders of a side near the touch were withdrawn in the message that is being decided on."""
    crowd = 0
    for n in range(orders.head[WAITING]):
        order = orders.orders[orders.ending[n]]
        if order.side == side and order.distance <= NEAR and order.is_large == 1:
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
        together = i != which and other.side == order.side and other.placed == order.placed
        if together and _TWIN * abs(other.size - order.size) <= order.size:
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
    ts_event: int,
) -> Any:
    # Returns the place of the order, or -1 where none was opened.
    head = orders.head
    row = orders.additions[n]
    side, key, lots = row.side, row.key, row.lots
    slot = find(book, side, key)
    if slot < 0 or book.pool[slot, LOTS] < lots:
        return np.int64(-1)
    i = np.int64(head[PLACED_COUNT] % CAPACITY)
    head[PLACED_COUNT] += 1
    order = orders.orders[i]
    if order.status == WITHDRAWN:
        return np.int64(-1)
    if order.status == STANDING:
        old = find(book, order.side, order.price_key)
        if old >= 0:
            _unlink(orders, old, i)
        head[FORGOTTEN] += 1
    order.price_key, order.side, order.size, order.status = key, side, lots, STANDING
    order.placed, order.placed_after = ts_event, head[BEFORE_TS]
    order.distance = distance
    order.next = np.int64(orders.first[slot]) - 1
    order.taken_bid, order.taken_ask = flow.head[TAKEN], flow.head[TAKEN + 1]
    order.hits_bid, order.hits_ask = flow.head[HITS], flow.head[HITS + 1]
    order.placed_mid2 = flow.head[MID2]
    order.level_before = row.before
    order.retail = order.retail_before = order.late = order.moved = order.scrolled = 0
    order.retail_at = -2
    orders.first[slot] = i + 1
    order.rarity = surprise(sizes, distance_bin(distance), lots)
    return i


@kernel
def note_scrolls(book: BookArrays, orders: OrderArrays) -> None:
    """Mark the withdrawals of this message that may have left a limited depth instead."""
    for n in range(orders.head[WAITING], orders.head[ENDING_COUNT]):
        order = orders.orders[orders.ending[n]]
        if order.price_key > book.sides[order.side, SIDE_HORIZON]:
            order.scrolled = 1


@kernel
def priced(side: int, key: int) -> int:
    """Return the price of a key of the book, in ticks."""
    return -key if side == BID else key


@kernel
def life_low(order: Any) -> int:
    """Return how long an order that ended stood at least, ns."""
    return int(max(0, order.removed_after - order.placed))


@kernel
def life_secs(order: Any) -> float:
    """Return the middle of the interval in which the time to live lies, at least a millisecond."""
    return float(max(1e-3, 0.5e-9 * (life_low(order) + (order.removed - order.placed_after))))


@kernel
def is_withdrawn(order: Any) -> bool:
    """Return whether an order that ended was taken away, not traded: nothing else may explain it."""
    unexplained = order.taken_away - order.late - order.retail
    return bool(order.scrolled == 0 and unexplained >= _MOST * order.size)


@kernel
def shift_endings(orders: OrderArrays) -> None:
    """Drop the withdrawals that were decided on; those of this message wait for the next."""
    head = orders.head
    waiting, count = head[WAITING], head[ENDING_COUNT]
    for n in range(waiting):
        orders.orders[orders.ending[n]].status = FREE
    for n in range(waiting, count):
        orders.ending[n - waiting] = orders.ending[n]
    head[ENDING_COUNT] = head[WAITING] = count - waiting
