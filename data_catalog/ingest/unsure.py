"""Holes of a book: where a file's messages leave the book unknown, the catalog gets an empty snapshot instead of them.

After a gap, a reconnection, or a snapshot that is crossed or has one side only, changes would build a book that never
was. So an empty snapshot follows the last good message, and nothing more until the next good snapshot: the engine has
no market there, features are NaN, detectors are silent (`fathom.market.lifecycle`).
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.ingest.odd_rows import Odd
from fathom.data_catalog.instruments import Grid
from fathom.market.events import EVENT, Action, Flag, Kind, Side
from fathom.market.kernel_cache import cached
from fathom.pages.formats import counted

GAP: Final = 1
"""Flag that a reader sets on the first row of a message, where messages before it are missing."""

# What makes a book unsure; places in the state, each of `_FIELDS`: how often, and line and two numbers of the first.
_MISSING: Final = 0
_RECONNECTED: Final = 1
_CROSSED: Final = 2
_ONE_SIDED: Final = 3
_FIELDS: Final = 4

_UNSURE: Final = 16
_BEFORE: Final = 17  # kind of the message before: 0 none, 1 changes, 2 a snapshot
_LAST_EVENT: Final = 18
_LAST_INIT: Final = 19
_LAST_SEQUENCE: Final = 20
_LEFT_OUT: Final = 21  # messages
_KEPT: Final = 22  # the first message was a bad snapshot, and was kept
_STATE: Final = 23

_CLEAR, _BUY, _LAST = int(Action.CLEAR), int(Side.BUY), int(Flag.LAST)
_HOLE_FLAGS, _BOOK = int(Flag.SNAPSHOT | Flag.LAST), int(Kind.BOOK)


class Guard:
    """Passes the messages of one file on, with holes where the book is unknown.

    A CLEAR row must carry the line of its message in `size`, and the first row after missing messages the flag `GAP`;
    both are taken away.

    Parameters
    ----------
    grid : Grid
        Of the instrument, for the words.
    keeps_first : bool, default False
        Keep a bad first snapshot: the file does not mark snapshots, so the first message may be none.

    Examples
    --------
    >>> grid = Grid("XRPUSDT-LINEAR.BYBIT", tick_raw=10**12, lot_raw=10**16, price_precision=4, size_precision=0)
    >>> rows = np.zeros(4, EVENT)
    >>> rows["action"], rows["flags"], rows["ts_init"] = [4, 1, 1, 2], [32, 48, 176, 144 | GAP], [5, 5, 5, 9]
    >>> rows["side"], rows["price"], rows["size"] = [0, 1, 2, 1], [0, 10, 11, 9], [1, 3, 3, 3]
    >>> guard = Guard(grid)
    >>> kept = guard.passed(rows)
    >>> kept["ts_init"].tolist(), kept["action"].tolist(), kept["flags"].tolist()
    ([5, 5, 5, 5], [4, 1, 1, 4], [32, 48, 176, 160])
    """

    def __init__(self, grid: Grid, *, keeps_first: bool = False) -> None:
        self._grid = grid
        self._state = np.zeros(_STATE, np.int64)
        self._keeps_first = keeps_first

    def passed(self, rows: NDArray[np.void]) -> NDArray[np.void]:
        """Return what of whole messages (`EVENT`) goes into the catalog; the rows are written to."""
        state = self._state
        idle = state[_UNSURE] == 0 and state[_BEFORE] == 1
        if idle and len(rows) and not (rows["action"] == _CLEAR).any() and not (rows["flags"] & GAP).any():
            last = rows[-1]  # nearly always: changes without a gap
            state[_LAST_EVENT], state[_LAST_INIT], state[_LAST_SEQUENCE] = last[["ts_event", "ts_init", "sequence"]]
            return rows
        out: NDArray[np.void] = np.empty(2 * len(rows), EVENT)
        return out[: _pass(rows, out, self._state, self._keeps_first)]

    @property
    def messages(self) -> int:
        """Messages left out so far."""
        return int(self._state[_LEFT_OUT])

    def warnings(self) -> list[str]:
        """Return what made the book unsure, in sentences with line and value."""
        price, number = self._grid.price_text, str
        kinds: tuple[tuple[int, str, str, str, Callable[[int], str]], ...] = (
            (_RECONNECTED, "snapshot", "after a break of the feed", "{1} ms after the message before", number),
            (_CROSSED, "snapshot", "with the best bid above the best ask", "bid {0}, ask {1}", price),
            (_ONE_SIDED, "snapshot", "without one side", "bids {0}, asks {1}", number),
        )
        found = []
        for kind, noun, what, value, text in kinds:
            count, line, one, two = self._state[_FIELDS * kind : _FIELDS * (kind + 1)].tolist()
            if count:
                found.append(Odd(count, line, value.format(text(one), text(two))).words(noun, what))
        if self._state[_KEPT]:
            found.append(
                "the first message is taken for the whole book: it is unsure until a column is_snapshot marks another; "
                "say --continues if it is a change"
            )
        if self.messages:
            found.append(
                f"the book is unsure until the next good snapshot: {counted(self.messages, 'message')} of such times "
                "left out, and an empty snapshot instead"
            )
        return found


@cached
def _pass(rows: NDArray[np.void], out: NDArray[np.void], s: NDArray[np.int64], keeps_first: bool) -> int:
    n = end = 0
    while end < len(rows):
        first = end
        while not rows[end].flags & _LAST:
            end += 1
        end += 1
        head = rows[first]
        gap = head.flags & GAP != 0
        head.flags &= ~np.uint8(GAP)
        snapshot = head.action == _CLEAR
        if gap and s[_BEFORE] != 0 and s[_UNSURE] == 0:
            if snapshot:
                _note(s, _RECONNECTED, head.size, 0, (head.ts_init - s[_LAST_INIT]) // 1_000_000)
            _hole(out[n], s[_LAST_EVENT], s[_LAST_INIT], s[_LAST_SEQUENCE])
            n += 1
            s[_UNSURE] = 1
        last = rows[end - 1]
        s[_LAST_EVENT], s[_LAST_INIT], s[_LAST_SEQUENCE] = last.ts_event, last.ts_init, last.sequence
        if snapshot:
            good = _is_good(rows, first, end, s)
            head.size = 0
            if not good and keeps_first and s[_BEFORE] == 0:
                s[_KEPT] = 1
            elif not good and s[_UNSURE] == 0:
                _hole(out[n], head.ts_event, head.ts_init, head.sequence)
                n += 1
                s[_UNSURE] = 1
            elif good:
                s[_UNSURE] = 0
        s[_BEFORE] = 2 if snapshot else 1
        if s[_UNSURE] == 1:
            s[_LEFT_OUT] += 1
            continue
        for i in range(first, end):
            out[n] = rows[i]
            n += 1
    return n


@cached
def _is_good(rows: NDArray[np.void], first: int, end: int, s: NDArray[np.int64]) -> bool:
    bids = asks = 0
    bid, ask = np.int64(0), np.int64(0)
    for i in range(first + 1, end):
        if rows[i].side == _BUY:
            bids, bid = bids + 1, max(bid, rows[i].price)
        else:
            ask = rows[i].price if asks == 0 else min(ask, rows[i].price)
            asks += 1
    if bids == 0 or asks == 0:
        _note(s, _ONE_SIDED, rows[first].size, bids, asks)
    elif bid > ask:
        _note(s, _CROSSED, rows[first].size, bid, ask)
    else:
        return True
    return False


@cached
def _note(s: NDArray[np.int64], kind: int, line: int, one: int, two: int) -> None:
    at = _FIELDS * kind
    if s[at] == 0:
        s[at + 1], s[at + 2], s[at + 3] = line, one, two
    s[at] += 1


@cached
def _hole(row: Any, ts_event: int, ts_init: int, sequence: int) -> None:
    row.ts_event, row.ts_init, row.sequence = ts_event, ts_init, sequence
    row.price = row.size = row.side = 0
    row.kind, row.action, row.flags = _BOOK, _CLEAR, _HOLE_FLAGS
