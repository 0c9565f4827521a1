"""The level tracker: what the feed shows of each level's life, and why it ended.

- A birth and a death are intervals. A level first shown by one message was placed after the message before; so the
  time it stood lies between ``GONE_AFTER - BORN`` and ``GONE - BORN_AFTER``, and a feed that speaks every 100 ms
  cannot tell more. Times are the venue's (``ts_event``).
- Births that were not seen carry ``BORN_AFTER = UNSEEN``: levels of a snapshot, and levels farther out than the feed
  is known to show (beyond the worst price of the snapshot, or of a feed limited to `depth` levels).
- A trade consumes its level: it waits there for a decrease in the next two messages (measured on recorded
  perpetuals: 81 and 87 % of the traded volume shows as a decrease in the next message, another 11 and 2 % above the
  background in the one after). A trade whose venue time is not later than the last message is late: it claims what
  that message showed as cancelled. Trades against RPI orders and block trades consume nothing.
- A level ends as `Cause.EXIT` when it left a feed limited to `depth` levels, as `Cause.TRADED` when trades explain at
  least half of what it last held or went through its price, as `Cause.RESET` on a snapshot, else as `Cause.CANCELLED`.
- A snapshot that is empty, has one side only or is crossed leaves the book *unsure* until the next snapshot: whatever
  stands in it, nobody knows the market. An import writes an empty one where its file has a gap.
"""

# numba types the kernels: mypy knows neither its integers nor that a kernel is no plain function.
# mypy: disable-error-code="return-value, no-any-return, assignment, call-arg, call-overload, unreachable"

from collections.abc import Callable
from enum import IntEnum
from typing import Final

import numpy as np

from fathom.market.bitmap import WINDOW, WORDS
from fathom.market.events import Action, Flag, Side, TradeFlag
from fathom.market.kernel import kernel
from fathom.market.levels import (
    ADDED,
    ASK,
    BEST,
    BID,
    BORN,
    BORN_AFTER,
    BORN_DISTANCE,
    BORN_LOTS,
    CANCELLED,
    CHANGED,
    COUNT,
    HORIZON,
    KEY,
    LEVEL_FIELDS,
    LOTS,
    NO_KEY,
    PEAK,
    PENDING,
    PENDING_AT,
    RECENT,
    RECENT_AT,
    SIDE_FIELDS,
    THROUGH,
    THROUGH_BEFORE,
    THROUGH_BEFORE_TS,
    THROUGH_TS,
    TOTAL,
    TRADED,
    UNSEEN,
    UPDATES,
    BookArrays,
    clear_side,
    find,
    insert,
    remove,
    worst_key,
)


class Cause(IntEnum):
    """Why a level ended.

    Examples
    --------
    >>> Cause(1).name
    'CANCELLED'
    """

    OPEN = 0
    CANCELLED = 1
    TRADED = 2
    EXIT = 3
    RESET = 4


# Entries of `BookArrays.head`.
MESSAGES: Final = 0  # messages completed
LAST_TS: Final = 1  # venue time of the last completed message, UNSEEN before the first
DEPTH: Final = 2  # levels a side that the feed shows, 0 when it shows all
SNAPSHOT_OPEN: Final = 3  # the message being read is a snapshot
CLOSED_COUNT: Final = 4  # levels ended so far; the ring holds the last of them
CLOSED_NOW: Final = 5  # CLOSED_COUNT when the message being read began
FINAL_FROM: Final = 6  # ends [FINAL_FROM, FINAL_TO) became final with the last message: no late trade can claim them
FINAL_TO: Final = 7
UNKNOWN_DELETES: Final = 8  # deletions of levels that were not there
UNMATCHED_LOTS: Final = 9  # traded where no level stood
MALFORMED: Final = 10  # rows with a side or action that means nothing
CHANGE: Final = 11  # lots that the last book row added to its level, or took from it
SNAPSHOT_LAST: Final = 12  # the last completed message was a snapshot
UNSURE: Final = 13  # the last snapshot cannot be a market's, or is empty: 1 until a good one came
HEAD_FIELDS: Final = 14

# Columns of `BookArrays.closed` after the fields of the level.
END_SIDE: Final = 16
GONE_AFTER: Final = 17  # last time at which it surely stood, ns
GONE: Final = 18  # time of the message that showed its end, ns
CAUSE: Final = 19
END_LOTS: Final = 20  # what it held before its end
END_TRADED: Final = 21  # part of END_LOTS that trades explain
END_THROUGH: Final = 22  # 1 when trades went through its price
END_MESSAGE: Final = 23
CLOSED_FIELDS: Final = 24

CLOSED: Final = 2048
"""Ends that the ring holds. When two messages end more levels, the oldest of these ends are not counted."""

_PENDING_MESSAGES: Final = 1  # a trade waits for the message after it, and for this many more

# Enum members are not compile-time constants of numba: plain integers are.
_CLEAR: Final = int(Action.CLEAR)
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_LAST: Final = int(Flag.LAST)
_OFF_BOOK: Final = int(TradeFlag.RPI | TradeFlag.BLOCK)
_CANCEL: Final = int(Cause.CANCELLED)
_TRADE: Final = int(Cause.TRADED)
_EXIT: Final = int(Cause.EXIT)


def new_book(*, depth: int = 0, levels: int = 8192) -> BookArrays:
    """Return an empty book.

    Parameters
    ----------
    depth : int, default 0
        Levels a side that the feed shows (200 for ``orderbook.200``); 0 when it publishes every change.
    levels : int, default 8192
        Levels of both sides that the arrays hold; `grown` makes room for more.

    Returns
    -------
    BookArrays

    Examples
    --------
    >>> book = new_book(depth=50, levels=128)
    >>> int(book.head[DEPTH]), int(book.free[-1])
    (50, 128)
    """
    head = np.zeros(HEAD_FIELDS, np.int64)
    head[LAST_TS] = UNSEEN
    head[DEPTH] = depth
    sides = np.zeros((2, SIDE_FIELDS), np.int64)
    sides[:, [BEST, HORIZON]] = NO_KEY
    sides[:, [THROUGH, THROUGH_BEFORE]] = -NO_KEY
    free = np.empty(levels + 1, np.int32)
    free[:-1] = np.arange(levels)[::-1]
    free[-1] = levels
    return BookArrays(
        head=head,
        sides=sides,
        bits=np.zeros((2, WORDS), np.uint64),
        slots=np.zeros((2, WINDOW), np.int32),
        far=np.zeros((2, levels), np.int32),
        pool=np.zeros((levels, LEVEL_FIELDS), np.int64),
        free=free,
        closed=np.zeros((CLOSED, CLOSED_FIELDS), np.int64),
    )


def grown(book: BookArrays) -> BookArrays:
    """Return the book with room for twice as many levels; every slot keeps its number."""
    old = len(book.pool)
    far = np.zeros((2, 2 * old), np.int32)
    far[:, :old] = book.far
    pool = np.zeros((2 * old, LEVEL_FIELDS), np.int64)
    pool[:old] = book.pool
    free = np.zeros(2 * old + 1, np.int32)  # what lies above the top is scratch, but part of a snapshot
    left = int(book.free[-1])
    free[:old] = np.arange(old, 2 * old)[::-1]
    free[old : old + left] = book.free[:left]
    free[-1] = old + left
    return book._replace(far=far, pool=pool, free=free)


def drive(book: BookArrays, step: Callable[[BookArrays, int], int], end: int) -> BookArrays:
    """Call ``step(book, begin)`` from where it last came to until it comes to `end`; return the book, grown if full."""
    done = step(book, 0)
    while done < end:
        book = grown(book)
        done = step(book, done)
    return book


@kernel
def is_full(book: BookArrays) -> bool:
    """Return whether the next new level would find no slot: the caller must go on with `grown`."""
    return book.free[len(book.free) - 1] == 0


@kernel(inline=True)
def book_row(book: BookArrays, price: int, size: int, action: int, side_code: int, flags: int, ts_event: int) -> int:
    """Apply one book row; return the slot of its level, or -1 when it left none."""
    head = book.head
    slot = np.int64(-1)
    head[CHANGE] = 0
    if action == _CLEAR:
        _reset(book)
    elif side_code == _BUY:
        slot = _change(book, BID, -price, size, ts_event)
    elif side_code == _SELL:
        slot = _change(book, ASK, price, size, ts_event)
    else:
        head[MALFORMED] += 1
    if flags & _LAST:
        _end_message(book, ts_event)
    return slot


@kernel
def trade_row(book: BookArrays, price: int, size: int, side_code: int, flags: int, ts_event: int) -> None:
    """Let a trade consume the level that it hit."""
    if flags & _OFF_BOOK or size <= 0:
        return
    if side_code == _BUY:
        side, key = ASK, price
    elif side_code == _SELL:
        side, key = BID, -price
    else:
        return
    head, sides = book.head, book.sides
    if key > sides[side, THROUGH]:
        sides[side, THROUGH] = key
    sides[side, THROUGH_TS] = max(sides[side, THROUGH_TS], ts_event)
    slot = find(book, side, key)
    late = ts_event <= head[LAST_TS]
    if slot >= 0:
        level = book.pool[slot]
        if late and level[RECENT] > 0 and level[RECENT_AT] == head[MESSAGES] - 1:
            claimed = min(size, level[RECENT])
            level[RECENT] -= claimed
            level[CANCELLED] -= claimed
            level[TRADED] += claimed
            size -= claimed
        if size > 0:
            _settle(book, slot)
            level[PENDING] += size
            level[PENDING_AT] = head[MESSAGES]
        return
    if late:
        size = _claim_from_ended(book, side, key, size)
    head[UNMATCHED_LOTS] += size


@kernel
def _claim_from_ended(book: BookArrays, side: int, key: int, size: int) -> int:
    # The ends of the last message are not final yet: look for the level there.
    head = book.head
    for n in range(max(head[FINAL_TO], head[CLOSED_COUNT] - CLOSED), head[CLOSED_COUNT]):
        end = book.closed[n % CLOSED]
        if end[KEY] == key and end[END_SIDE] == side and end[END_MESSAGE] == head[MESSAGES] - 1:
            claimed = min(size, end[END_LOTS] - end[END_TRADED])
            end[CANCELLED] -= claimed
            end[TRADED] += claimed
            end[END_TRADED] += claimed
            size -= claimed
            if end[CAUSE] == _CANCEL and 2 * end[END_TRADED] >= end[END_LOTS]:
                end[CAUSE] = _TRADE
    return size


@kernel(inline=True)
def _settle(book: BookArrays, slot: int) -> None:
    # What traded here two messages ago and never showed as a decrease was refilled as fast as it was taken.
    level = book.pool[slot]
    if level[PENDING] > 0 and book.head[MESSAGES] - level[PENDING_AT] > _PENDING_MESSAGES:
        level[TRADED] += level[PENDING]
        level[ADDED] += level[PENDING]
        level[PENDING] = 0


@kernel(inline=True)
def _change(book: BookArrays, side: int, key: int, size: int, ts_event: int) -> int:
    head, sides = book.head, book.sides
    slot = find(book, side, key)
    if size <= 0:
        if slot < 0:
            head[UNKNOWN_DELETES] += 1
            return slot
        head[CHANGE] = -book.pool[slot, LOTS]
        sides[side, TOTAL] += head[CHANGE]
        _end_level(book, side, slot, ts_event)
        remove(book, side, slot)
        return np.int64(-1)
    if slot < 0:
        distance = key - sides[side, BEST] if sides[side, COUNT] > 0 else np.int64(0)
        slot = insert(book, side, key)
        level = book.pool[slot]
        seen = head[SNAPSHOT_OPEN] == 0 and key <= sides[side, HORIZON]
        level[LOTS] = level[BORN_LOTS] = level[PEAK] = size
        level[BORN] = level[CHANGED] = ts_event
        level[BORN_AFTER] = head[LAST_TS] if seen else UNSEEN
        level[BORN_DISTANCE] = distance
        level[ADDED] = level[CANCELLED] = level[TRADED] = level[PENDING] = level[RECENT] = 0
        level[UPDATES] = 1
        sides[side, TOTAL] += size
        head[CHANGE] = size
        return slot
    _settle(book, slot)
    level = book.pool[slot]
    change = size - level[LOTS]
    if change > 0:
        level[ADDED] += change
        level[PEAK] = max(level[PEAK], size)
    elif change < 0:
        traded = min(-change, level[PENDING])
        level[PENDING] -= traded
        level[TRADED] += traded
        cancelled = -change - traded
        level[CANCELLED] += cancelled
        level[RECENT] = cancelled
        level[RECENT_AT] = head[MESSAGES]
    level[LOTS] = size
    level[CHANGED] = ts_event
    level[UPDATES] += 1
    sides[side, TOTAL] += change
    head[CHANGE] = change
    return slot


@kernel(inline=True)
def _end_level(book: BookArrays, side: int, slot: int, ts_event: int) -> None:
    head, sides = book.head, book.sides
    _settle(book, slot)
    level = book.pool[slot]
    held = level[LOTS]
    traded = min(held, level[PENDING])
    level[PENDING] -= traded
    level[TRADED] += traded
    level[CANCELLED] += held - traded
    level[LOTS] = 0
    level[CHANGED] = ts_event
    level[UPDATES] += 1
    key = level[KEY]
    through = (key < sides[side, THROUGH] and level[BORN] <= sides[side, THROUGH_TS]) or (
        key < sides[side, THROUGH_BEFORE] and level[BORN] <= sides[side, THROUGH_BEFORE_TS]
    )
    end = book.closed[head[CLOSED_COUNT] % CLOSED]
    for field in range(LEVEL_FIELDS):
        end[field] = level[field]
    end[END_SIDE] = side
    end[GONE_AFTER] = head[LAST_TS]
    end[GONE] = ts_event
    end[CAUSE] = _TRADE if through or 2 * traded >= held else _CANCEL
    end[END_LOTS] = held
    end[END_TRADED] = traded
    end[END_THROUGH] = through
    end[END_MESSAGE] = head[MESSAGES]
    head[CLOSED_COUNT] += 1


@kernel
def _reset(book: BookArrays) -> None:
    # Levels that a snapshot wipes out say nothing about their lives: no end is written.
    head, sides = book.head, book.sides
    for side in (BID, ASK):
        clear_side(book, side)
        sides[side, HORIZON] = NO_KEY
        sides[side, THROUGH] = sides[side, THROUGH_BEFORE] = -NO_KEY
    head[SNAPSHOT_OPEN] = 1
    head[FINAL_FROM] = head[FINAL_TO] = head[CLOSED_NOW] = head[CLOSED_COUNT]


@kernel
def _end_message(book: BookArrays, ts_event: int) -> None:
    head, sides = book.head, book.sides
    depth = head[DEPTH]
    first = max(head[CLOSED_NOW], head[CLOSED_COUNT] - CLOSED)
    for side in (BID, ASK):
        full = depth > 0 and sides[side, COUNT] >= depth
        worst = worst_key(book, side) if depth > 0 or head[SNAPSHOT_OPEN] == 1 else NO_KEY
        if full:
            for n in range(first, head[CLOSED_COUNT]):
                end = book.closed[n % CLOSED]
                if end[END_SIDE] == side and end[KEY] > worst:
                    end[CAUSE] = _EXIT
        if depth > 0:
            sides[side, HORIZON] = worst if full else NO_KEY
        elif head[SNAPSHOT_OPEN] == 1 and sides[side, COUNT] > 0:
            sides[side, HORIZON] = worst
        sides[side, THROUGH_BEFORE] = sides[side, THROUGH]
        sides[side, THROUGH_BEFORE_TS] = sides[side, THROUGH_TS]
        sides[side, THROUGH] = -NO_KEY
        sides[side, THROUGH_TS] = UNSEEN
    head[FINAL_FROM] = max(head[FINAL_TO], head[CLOSED_COUNT] - CLOSED)
    head[FINAL_TO] = head[CLOSED_NOW]
    head[FINAL_FROM] = min(head[FINAL_FROM], head[FINAL_TO])
    head[CLOSED_NOW] = head[CLOSED_COUNT]
    head[LAST_TS] = max(head[LAST_TS], ts_event)
    if head[SNAPSHOT_OPEN] == 1:
        whole = sides[BID, COUNT] > 0 and sides[ASK, COUNT] > 0
        head[UNSURE] = not (whole and sides[BID, BEST] + sides[ASK, BEST] >= 0)  # the key of a bid is minus its price
    head[SNAPSHOT_LAST] = head[SNAPSHOT_OPEN]
    head[SNAPSHOT_OPEN] = 0
    head[MESSAGES] += 1
