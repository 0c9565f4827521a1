"""Follow a book to a time, and read the sizes on a span of its prices: for pictures of what stood where."""

# numba types the kernels: mypy knows neither its integers nor that a kernel is no plain function.
# mypy: disable-error-code="no-any-return"

from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.events import Kind
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BEST, BID, COUNT, LOTS, BookArrays, find
from fathom.market.lifecycle import book_row, drive, is_full, new_book

_BOOK: Final = int(Kind.BOOK)


@kernel
def _follow(rows: NDArray[Any], book: BookArrays, first: int) -> int:
    for i in range(first, len(rows)):
        row = rows[i]
        if row.kind == _BOOK:
            if is_full(book):
                return i
            book_row(book, row.price, row.size, row.action, row.side, row.flags, row.ts_event)
    return len(rows)


@kernel
def _ladder(book: BookArrays, low: int, out: NDArray[np.int64]) -> None:
    for i in range(out.shape[1]):
        price = low + i
        bid, ask = find(book, BID, -price), find(book, ASK, price)
        out[BID, i] = book.pool[bid, LOTS] if bid >= 0 else 0
        out[ASK, i] = book.pool[ask, LOTS] if ask >= 0 else 0


class BookFollower:
    """A book and nothing else, fed with event rows.

    Examples
    --------
    >>> from fathom.market import EVENT, Action, Side
    >>> rows = np.zeros(2, EVENT)
    >>> rows["kind"], rows["action"], rows["size"] = Kind.BOOK, Action.ADD, [30, 10]
    >>> rows["price"], rows["side"] = [99, 101], [Side.BUY, Side.SELL]
    >>> book = BookFollower()
    >>> book.update(rows)
    >>> book.touch, book.ladder(99, 102).tolist()
    ((99, 101), [[30, 0, 0], [0, 0, 10]])
    """

    def __init__(self) -> None:
        self._book = new_book()

    def update(self, rows: NDArray[Any]) -> None:
        """Take the next rows (`fathom.market.EVENT`)."""
        self._book = drive(self._book, partial(_follow, rows), len(rows))

    def ladder(self, low: int, after: int) -> NDArray[np.int64]:
        """Return the lots on the prices `low` to `after` (in ticks, left out), bids first: shape (2, prices)."""
        out = np.zeros((2, after - low), np.int64)
        _ladder(self._book, low, out)
        return out

    @property
    def book(self) -> BookArrays:
        """The book; read it, do not write it."""
        return self._book

    @property
    def touch(self) -> tuple[int, int] | None:
        """Best bid and ask in ticks; None where a side is empty."""
        sides = self._book.sides
        if not (sides[BID, COUNT] and sides[ASK, COUNT]):
            return None
        return int(-sides[BID, BEST]), int(sides[ASK, BEST])
