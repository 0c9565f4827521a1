"""The L2 book as flat arrays: every level of both sides, found by price and walked from the touch outwards.

A price becomes a *key* that grows away from the touch: the ticks of an ask, minus the ticks of a bid. So both sides
are one code. The keys of a window of `WINDOW` ticks around the touch index a dense array of slots, with a bitmap that
says which are taken; the few levels farther out stand in a sorted array. All levels in the window are better than all
far levels, always; when the touch leaves the first half of the window, the window moves.

Measured on the recorded BTCUSDT perpetual (445 k changes, 5,018 + 4,578 levels at the end, 616,597 ticks, levels from
1,000.00 to 621,368.70; one core), sizes only: sorted arrays with binary search 280-300 ns a change; a dense window with
the bitmap, the ten best levels walked after each message, 19 ns; an open-addressed hash that knows no best price 4 ns.
With every level's life (`market.lifecycle`) this book takes 15 ns, since its kernels are compiled into one another.
"""

# numba types the kernels: mypy knows neither its integers nor that a kernel is no plain function.
# mypy: disable-error-code="return-value, no-any-return, assignment, call-arg, call-overload, unreachable"

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.market.bitmap import WINDOW, clear_bit, last_bit, next_bit, set_bit
from fathom.market.kernel import kernel

BID: Final = 0
ASK: Final = 1

NO_KEY: Final = np.int64(1) << 62
"""Key of a level that does not exist: worse than every price."""

# Columns of `BookArrays.sides`.
ORIGIN: Final = 0  # key of the first tick of the window
BEST: Final = 1  # best key, NO_KEY when the side is empty
COUNT: Final = 2  # levels
FAR: Final = 3  # levels beyond the window
TOTAL: Final = 4  # lots of all levels
HORIZON: Final = 5  # worst key that the feed is known to show (`fathom.market.lifecycle`)
THROUGH: Final = 6  # worst key traded since the last message
THROUGH_TS: Final = 7
THROUGH_BEFORE: Final = 8  # the same for the message before
THROUGH_BEFORE_TS: Final = 9
SIDE_FIELDS: Final = 10

# Columns of `BookArrays.pool`: one level. Volumes obey LOTS = BORN_LOTS + ADDED - CANCELLED - TRADED.
KEY: Final = 0
LOTS: Final = 1
BORN: Final = 2  # time of the message that first showed it, ns
BORN_AFTER: Final = 3  # last time at which it was surely absent, ns; UNSEEN when its birth was not seen
BORN_LOTS: Final = 4
BORN_DISTANCE: Final = 5  # its key minus the best key before it came: negative when it became the best
PEAK: Final = 6  # largest size so far
ADDED: Final = 7
CANCELLED: Final = 8
TRADED: Final = 9
PENDING: Final = 10  # traded here, but not yet seen as a decrease
PENDING_AT: Final = 11  # count of messages when it traded
RECENT: Final = 12  # part of CANCELLED that the message RECENT_AT showed: a late trade may still claim it
RECENT_AT: Final = 13
UPDATES: Final = 14
CHANGED: Final = 15  # time of its last change, ns
LEVEL_FIELDS: Final = 16

UNSEEN: Final = np.int64(-1)

_TOUCH: Final = WINDOW // 4


class BookArrays(NamedTuple):
    """Arrays of one book; a copy of them is a copy of the book.

    Parameters
    ----------
    head : ndarray of int64
        Counters of the messages (`fathom.market.lifecycle`).
    sides : ndarray of int64, shape (2, SIDE_FIELDS)
        State of each side.
    bits : ndarray of uint64, shape (2, WORDS)
        Ticks of the window that hold a level.
    slots : ndarray of int32, shape (2, WINDOW)
        Row of `pool` plus one for each tick of the window; 0 where there is no level.
    far : ndarray of int32, shape (2, levels)
        Rows of `pool` of the levels beyond the window, the nearest last.
    pool : ndarray of int64, shape (levels, LEVEL_FIELDS)
        The levels.
    free : ndarray of int32, shape (levels + 1,)
        Stack of the unused rows of `pool`; the last entry counts them.
    closed : ndarray of int64, shape (CLOSED, CLOSED_FIELDS)
        Ring of the levels that ended last (`fathom.market.lifecycle`).

    Examples
    --------
    >>> from fathom.market.lifecycle import new_book
    >>> new_book(levels=64).pool.shape
    (64, 16)
    """

    head: NDArray[np.int64]
    sides: NDArray[np.int64]
    bits: NDArray[np.uint64]
    slots: NDArray[np.int32]
    far: NDArray[np.int32]
    pool: NDArray[np.int64]
    free: NDArray[np.int32]
    closed: NDArray[np.int64]


@kernel(inline=True)
def find(book: BookArrays, side: int, key: int) -> int:
    """Return the slot of the level at `key`, or -1."""
    x = key - book.sides[side, ORIGIN]
    if x < WINDOW:
        return np.int64(book.slots[side, x]) - 1 if x >= 0 else -1
    at = _far_rank(book, side, key)
    if at < book.sides[side, FAR]:
        slot = np.int64(book.far[side, at])
        if book.pool[slot, KEY] == key:
            return slot
    return -1


@kernel(inline=True)
def insert(book: BookArrays, side: int, key: int) -> int:
    """Take a free slot for a new level at `key`, place it, and return it; the caller fills its fields but KEY."""
    sides = book.sides
    last = len(book.free) - 1
    left = np.int64(book.free[last]) - 1
    book.free[last] = left
    slot = np.int64(book.free[left])
    book.pool[slot, KEY] = key
    if sides[side, COUNT] == 0:
        sides[side, ORIGIN] = key - _TOUCH
    elif key < sides[side, ORIGIN]:
        _recentre(book, side, key)
    _place(book, side, key, slot)
    sides[side, COUNT] += 1
    sides[side, BEST] = min(sides[side, BEST], key)
    return slot


@kernel(inline=True)
def remove(book: BookArrays, side: int, slot: int) -> None:
    sides = book.sides
    key = book.pool[slot, KEY]
    x = key - sides[side, ORIGIN]
    if x < WINDOW:
        book.slots[side, x] = 0
        clear_bit(book.bits, side, x)
    else:
        at = _far_rank(book, side, key)
        count = sides[side, FAR] - 1
        sides[side, FAR] = count
        for i in range(at, count):
            book.far[side, i] = book.far[side, i + 1]
    last = len(book.free) - 1
    left = np.int64(book.free[last])
    book.free[left] = slot
    book.free[last] = left + 1
    sides[side, COUNT] -= 1
    if key == sides[side, BEST]:
        place = next_place(book, side, min(x + 1, WINDOW))
        if place < 0:
            sides[side, BEST] = NO_KEY
        else:
            best = book.pool[slot_at(book, side, place), KEY]
            sides[side, BEST] = best
            if place >= 2 * _TOUCH:
                _recentre(book, side, best)


@kernel
def clear_side(book: BookArrays, side: int) -> None:
    sides = book.sides
    last = len(book.free) - 1
    left = np.int64(book.free[last])
    place = first_place(book, side)
    while place >= 0:
        book.free[left] = slot_at(book, side, place)
        left += 1
        if place < WINDOW:
            book.slots[side, place] = 0
        place = next_place(book, side, place + 1)
    book.free[last] = left
    book.bits[side, :] = 0
    sides[side, COUNT] = sides[side, FAR] = sides[side, TOTAL] = 0
    sides[side, BEST] = NO_KEY


@kernel
def first_place(book: BookArrays, side: int) -> int:
    """Return the place of the best level, or -1. A place is a tick of the window, or WINDOW plus a rank beyond it."""
    if book.sides[side, COUNT] == 0:
        return -1
    return next_place(book, side, max(0, min(book.sides[side, BEST] - book.sides[side, ORIGIN], WINDOW)))


@kernel(inline=True)
def next_place(book: BookArrays, side: int, place: int) -> int:
    """Return the first place >= `place` that holds a level, or -1."""
    if place < WINDOW:
        x = next_bit(book.bits, side, place)
        if x >= 0:
            return x
        place = WINDOW
    return place if place - WINDOW < book.sides[side, FAR] else -1


@kernel(inline=True)
def slot_at(book: BookArrays, side: int, place: int) -> int:
    if place < WINDOW:
        return np.int64(book.slots[side, place]) - 1
    return np.int64(book.far[side, book.sides[side, FAR] - 1 - (place - WINDOW)])


@kernel
def worst_key(book: BookArrays, side: int) -> int:
    """Return the key farthest from the touch, or -NO_KEY when the side is empty."""
    if book.sides[side, FAR] > 0:
        return book.pool[book.far[side, 0], KEY]
    x = last_bit(book.bits, side)
    return book.sides[side, ORIGIN] + x if x >= 0 else -NO_KEY


@kernel
def _far_rank(book: BookArrays, side: int, key: int) -> int:
    # Far keys fall towards the end of the array: find the first that is not worse than `key`.
    low, high = 0, book.sides[side, FAR]
    while low < high:
        middle = (low + high) >> 1
        if book.pool[book.far[side, middle], KEY] > key:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _place(book: BookArrays, side: int, key: int, slot: int) -> None:
    x = key - book.sides[side, ORIGIN]
    if x < WINDOW:
        book.slots[side, x] = slot + 1
        set_bit(book.bits, side, x)
        return
    at = _far_rank(book, side, key)
    count = book.sides[side, FAR]
    for i in range(count, at, -1):
        book.far[side, i] = book.far[side, i - 1]
    book.far[side, at] = slot
    book.sides[side, FAR] = count + 1


@kernel
def _recentre(book: BookArrays, side: int, best: int) -> None:
    # Rare: the touch went a quarter of the window (16,384 ticks) one way.
    # The entries of the stack above its top are unused, one for each level in use: they hold the levels meanwhile.
    taken = book.free
    bottom = np.int64(book.free[len(book.free) - 1])
    n = bottom
    x = next_bit(book.bits, side, 0)
    while x >= 0:
        taken[n] = book.slots[side, x] - 1
        n += 1
        book.slots[side, x] = 0
        x = next_bit(book.bits, side, x + 1)
    book.bits[side, :] = 0
    origin = best - _TOUCH
    book.sides[side, ORIGIN] = origin
    far = book.sides[side, FAR]
    while far > 0 and book.pool[book.far[side, far - 1], KEY] < origin + WINDOW:
        far -= 1
        taken[n] = book.far[side, far]
        n += 1
    book.sides[side, FAR] = far
    for i in range(bottom, n):
        slot = np.int64(taken[i])
        _place(book, side, book.pool[slot, KEY], slot)
