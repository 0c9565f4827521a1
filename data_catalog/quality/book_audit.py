"""Replay an order book row by row and count what cannot be true of one."""

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.quality.tally import Tally, note
from fathom.market.events import Action, Flag, Side
from fathom.market.kernel_cache import cached

# Kinds of findings; the position in this list is the number that the kernel writes.
BOOK_CHECKS: Final = (
    "time_backwards",
    "event_time_backwards",
    "known_before_it_happened",
    "sequence_backwards",
    "sequence_repeated",
    "sequence_jump",
    "sequence_skipped",
    "message_duplicated",
    "message_unterminated",
    "crossed",
    "locked",
    "unsure",
    "one_sided",
    "hole",
    "no_snapshot_first",
    "unknown_level_deleted",
    "level_repeated",
    "snapshot_level_repeated",
    "size_negative",
    "size_zero",
    "side_missing",
)
(
    _TIME_BACK,
    _EVENT_BACK,
    _EARLY,
    _SEQ_BACK,
    _SEQ_SAME,
    _SEQ_JUMP,
    _SEQ_SKIPPED,
    _DOUBLE,
    _OPEN_END,
    _CROSSED,
    _LOCKED,
    _UNSURE,
    _ONE_SIDED,
    _HOLE,
    _NO_SNAPSHOT,
    _UNKNOWN,
    _REPEATED,
    _SNAPSHOT_REPEATED,
    _NEGATIVE,
    _ZERO,
    _NO_SIDE,
) = range(len(BOOK_CHECKS))

# What is carried from row to row.
_STATE: Final = (
    *("in_message", "message_time", "message_sequence", "message_snapshot", "message_hash", "message_number"),
    *("last_time", "last_event", "last_sequence", "last_hash", "known"),
    *("bids", "asks", "best_bid", "best_ask", "started", "steps_of_one", "steps"),
)
(
    _IN,
    _NOW,
    _SEQ,
    _IS_SNAPSHOT,
    _HASH,
    _NUMBER,
    _LAST,
    _LAST_EVENT,
    _LAST_SEQ,
    _LAST_HASH,
    _KNOWN,
    _BIDS,
    _ASKS,
    _BEST,
    _BEST_ASK,
    _STARTED,
    _ONES,
    _STEPS,
) = range(len(_STATE))

_ADD, _DELETE, _CLEAR = int(Action.ADD), int(Action.DELETE), int(Action.CLEAR)
_BUY, _SELL = int(Side.BUY), int(Side.SELL)
_FLAG_LAST, _FLAG_SNAPSHOT = int(Flag.LAST), int(Flag.SNAPSHOT)
_EMPTY: Final = np.iinfo(np.int64).min
_NEAR: Final = 64
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


class BookAudit(Tally):
    """Counts what is wrong in the book changes of one instrument, given in any pieces.

    Parameters
    ----------
    max_hole_ns : int
        How long a time without a message may be.

    Examples
    --------
    >>> from fathom.market.events import EVENT
    >>> rows = np.zeros(1, dtype=EVENT)
    >>> rows["action"], rows["price"], rows["size"], rows["side"], rows["flags"] = 2, 100, 5, 1, 144
    >>> audit = BookAudit(max_hole_ns=10**9)
    >>> audit.update(rows)
    >>> audit.count("no_snapshot_first"), audit.messages
    (1, 1)
    """

    checks: ClassVar = BOOK_CHECKS

    def __init__(self, max_hole_ns: int) -> None:
        super().__init__()
        self._max_hole_ns = max_hole_ns
        self._state = np.zeros(len(_STATE), dtype=np.int64)
        self._levels = np.full((2, 4096), _EMPTY, dtype=np.int64)  # hash tables of the prices that have a size
        self._touched = np.zeros((2, 4096), dtype=np.int64)  # the message that touched them last

    def update(self, rows: NDArray[np.void]) -> None:
        """Go through book rows (`EVENT`)."""
        start = 0
        while start < len(rows):
            if 2 * max(self._state[_BIDS], self._state[_ASKS]) + 2 >= self._levels.shape[1]:
                self._levels, self._touched = _wider(self._levels, self._touched)
            start = _audit(
                rows,
                start,
                self.rows,
                self._max_hole_ns,
                self._state,
                self._levels,
                self._touched,
                self.counts,
                self.where,
            )
        self.rows += len(rows)

    def finish(self) -> None:
        """Say that there are no more rows."""
        if self._state[_IN]:
            note(self.counts, self.where, _OPEN_END, self.rows - 1, self._state[_NOW], 0, 0)
            self._state[_IN] = 0

    @property
    def messages(self) -> int:
        """Messages so far."""
        return int(self._state[_NUMBER])

    @property
    def counts_by_one(self) -> bool:
        """Whether the sequence counts messages: more than half of its steps are steps of one."""
        return bool(2 * self._state[_ONES] > self._state[_STEPS])


@cached
def _home(key: int, mask: int) -> Any:
    mixed = np.uint64(key) * _MIX
    return np.int64(mixed >> np.uint64(32)) & mask


@cached
def _find(keys: NDArray[np.int64], key: int) -> Any:
    # The slot of the key, or the empty one where it belongs (open addressing, linear probing).
    mask = keys.shape[0] - 1
    slot = _home(key, mask)
    while keys[slot] != _EMPTY and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@cached
def _remove(keys: NDArray[np.int64], marks: NDArray[np.int64], slot: int) -> None:
    # Later keys of the same cluster move up, so that no search ends too early (Knuth 6.4, algorithm R).
    mask = keys.shape[0] - 1
    hole, probe = slot, slot
    while True:
        probe = (probe + 1) & mask
        if keys[probe] == _EMPTY:
            break
        if ((probe - _home(keys[probe], mask)) & mask) >= ((probe - hole) & mask):
            keys[hole], marks[hole] = keys[probe], marks[probe]
            hole = probe
    keys[hole] = _EMPTY


@cached
def _next_best(keys: NDArray[np.int64], below: int) -> Any:
    # The next level is nearly always a few ticks away; else look at every one.
    for key in range(below - 1, below - 1 - _NEAR, -1):
        if keys[_find(keys, key)] == key:
            return key
    return keys.max()


@cached
def _wider(levels: NDArray[np.int64], touched: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    keys = np.full((2, 2 * levels.shape[1]), _EMPTY, dtype=np.int64)
    marks = np.zeros_like(keys)
    for side in range(2):
        for i in range(levels.shape[1]):
            if levels[side, i] != _EMPTY:
                slot = _find(keys[side], levels[side, i])
                keys[side, slot] = levels[side, i]
                marks[side, slot] = touched[side, i]
    return keys, marks


@cached
def _audit(
    rows: NDArray[np.void],
    start: int,
    base: int,
    max_hole_ns: int,
    s: NDArray[np.int64],
    levels: NDArray[np.int64],
    touched: NDArray[np.int64],
    counts: NDArray[np.int64],
    where: NDArray[np.int64],
) -> int:
    capacity = levels.shape[1]
    for i in range(start, rows.shape[0]):
        row = rows[i]
        if 2 * max(s[_BIDS], s[_ASKS]) + 2 >= capacity:
            return i
        at, now, sequence = base + i, row.ts_init, row.sequence
        if s[_IN] and (now != s[_NOW] or sequence != s[_SEQ]):
            note(counts, where, _OPEN_END, at - 1, s[_NOW], 0, 0)
            s[_IN] = 0
        if not s[_IN]:
            _open(row, at, max_hole_ns, s, counts, where)
        if row.ts_event > now:
            note(counts, where, _EARLY, at, now, row.ts_event, 0)
        if row.ts_event < s[_LAST_EVENT]:
            note(counts, where, _EVENT_BACK, at, now, s[_LAST_EVENT], row.ts_event)
        else:
            s[_LAST_EVENT] = row.ts_event
        for part in (row.price, row.size, np.int64(row.side) * 8 + np.int64(row.action), row.ts_event):
            mixed = (np.uint64(s[_HASH]) ^ np.uint64(part)) * _MIX
            s[_HASH] = np.int64(mixed ^ (mixed >> _SHIFT))
        _apply(row, at, s, levels, touched, counts, where)
        if row.flags & _FLAG_LAST:
            _close(at, s, levels, counts, where)
    return len(rows)


@cached
def _open(
    row: Any,
    at: int,
    max_hole_ns: int,
    s: NDArray[np.int64],
    counts: NDArray[np.int64],
    where: NDArray[np.int64],
) -> None:
    now, sequence = row.ts_init, row.sequence
    snapshot = row.action == _CLEAR or (row.flags & _FLAG_SNAPSHOT) != 0
    if s[_STARTED]:
        if now < s[_LAST]:
            note(counts, where, _TIME_BACK, at, now, s[_LAST], 0)
        elif now - s[_LAST] > max_hole_ns:
            note(counts, where, _HOLE, at, now, s[_LAST], 0)
        if snapshot:  # it may begin a new count, and puts the book right whatever was lost
            if s[_LAST_SEQ] > 0 and sequence > s[_LAST_SEQ] + 1:
                note(counts, where, _SEQ_SKIPPED, at, now, s[_LAST_SEQ], sequence)
        elif s[_LAST_SEQ] > 0 and sequence > 0:
            step = sequence - s[_LAST_SEQ]
            s[_STEPS] += 1
            if step == 1:
                s[_ONES] += 1
            elif step == 0:
                note(counts, where, _SEQ_SAME, at, now, sequence, 0)
            elif step < 0:
                note(counts, where, _SEQ_BACK, at, now, s[_LAST_SEQ], sequence)
            else:
                note(counts, where, _SEQ_JUMP, at, now, s[_LAST_SEQ], sequence)
    elif not snapshot:
        note(counts, where, _NO_SNAPSHOT, at, now, 0, 0)
    s[_STARTED] = 1
    s[_IN] = 1
    s[_NOW] = now
    s[_SEQ] = sequence
    s[_IS_SNAPSHOT] = 1 if snapshot else 0
    s[_HASH] = sequence
    s[_NUMBER] += 1
    s[_LAST] = now
    s[_LAST_SEQ] = sequence


@cached
def _apply(
    row: Any,
    at: int,
    s: NDArray[np.int64],
    levels: NDArray[np.int64],
    touched: NDArray[np.int64],
    counts: NDArray[np.int64],
    where: NDArray[np.int64],
) -> None:
    if row.action == _CLEAR:
        levels[:] = _EMPTY
        s[_BIDS] = s[_ASKS] = 0
        s[_BEST] = s[_BEST_ASK] = _EMPTY
        s[_KNOWN] = 1
        return
    if row.side != _BUY and row.side != _SELL:
        note(counts, where, _NO_SIDE, at, row.ts_init, row.price, row.side)
        return
    side = 0 if row.side == _BUY else 1
    key = row.price if side == 0 else -row.price
    keys, marks = levels[side], touched[side]
    slot = _find(keys, key)
    there = keys[slot] == key
    gone = row.action == _DELETE
    if not gone and row.size <= 0:
        note(counts, where, _ZERO if row.size == 0 else _NEGATIVE, at, row.ts_init, row.price, row.size)
        gone = True
    elif gone and row.size < 0:
        note(counts, where, _NEGATIVE, at, row.ts_init, row.price, row.size)
    if there and marks[slot] == s[_NUMBER]:
        check = _SNAPSHOT_REPEATED if s[_IS_SNAPSHOT] else _REPEATED
        note(counts, where, check, at, row.ts_init, row.price, row.side)
    if gone:
        if there:
            _remove(keys, marks, slot)
            s[_BIDS + side] -= 1
            if key == s[_BEST + side]:
                s[_BEST + side] = _next_best(keys, key) if s[_BIDS + side] else _EMPTY
        elif s[_KNOWN]:
            note(counts, where, _UNKNOWN, at, row.ts_init, row.price, row.side)
        return
    if not there:
        keys[slot] = key
        s[_BEST + side] = max(s[_BEST + side], key) if s[_BIDS + side] else key
        s[_BIDS + side] += 1
    marks[slot] = s[_NUMBER]


@cached
def _close(
    at: int,
    s: NDArray[np.int64],
    levels: NDArray[np.int64],
    counts: NDArray[np.int64],
    where: NDArray[np.int64],
) -> None:
    now, bids, asks = s[_NOW], s[_BIDS], s[_ASKS]
    if bids > 0 and asks > 0:
        bid, ask = s[_BEST], -s[_BEST_ASK]
        if bid > ask:
            note(counts, where, _CROSSED, at, now, bid, ask)
        elif bid == ask:
            note(counts, where, _LOCKED, at, now, bid, ask)
    elif s[_IS_SNAPSHOT] and bids == 0 and asks == 0:
        note(counts, where, _UNSURE, at, now, 0, 0)
    elif s[_KNOWN]:
        note(counts, where, _ONE_SIDED, at, now, bids, asks)
    if s[_HASH] == s[_LAST_HASH] and s[_NUMBER] > 1:
        note(counts, where, _DOUBLE, at, now, s[_SEQ], 0)
    s[_LAST_HASH] = s[_HASH]
    s[_IN] = 0
