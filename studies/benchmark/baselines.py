"""The textbook rule that the detectors are measured against: a large level that vanishes in under 200 ms."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.events import Kind
from fathom.market.kernel import kernel
from fathom.market.levels import BORN, KEY, LOTS, PEAK, BookArrays, first_place, next_place, slot_at
from fathom.market.lifecycle import (
    CLOSED,
    CLOSED_COUNT,
    END_SIDE,
    GONE,
    MESSAGES,
    book_row,
    grown,
    is_full,
    new_book,
    trade_row,
)

TTL_NS: Final = 200_000_000
_NEAREST: Final = 20
_BOOK: Final = int(Kind.BOOK)
VANISHED_FIELDS: Final = 5  # side (`fathom.market.Side`), price, born, gone, lots


@kernel
def _median_lots(book: BookArrays, side: int, scratch: NDArray[np.int64]) -> float:
    place = first_place(book, side)
    n = 0
    while place >= 0 and n < _NEAREST:
        lots = book.pool[slot_at(book, side, place), LOTS]
        k = n
        while k > 0 and scratch[k - 1] > lots:
            scratch[k] = scratch[k - 1]
            k -= 1
        scratch[k] = lots
        n += 1
        place = next_place(book, side, place + 1)
    return float(scratch[n // 2]) if n > 0 else 1.0


@kernel
def _watch(
    book: BookArrays,
    rows: NDArray[Any],
    first: int,
    out: NDArray[np.int64],
    ratios: NDArray[np.float64],
    made: int,
    scratch: NDArray[np.int64],
    medians: NDArray[np.float64],
) -> tuple[int, int]:
    for i in range(first, len(rows)):
        row = rows[i]
        if row.kind != _BOOK:
            trade_row(book, row.price, row.size, np.int64(row.side), np.int64(row.flags), row.ts_event)
            continue
        if is_full(book) or made + CLOSED > len(out):
            return i, made
        messages, closed = book.head[MESSAGES], book.head[CLOSED_COUNT]
        book_row(book, row.price, row.size, np.int64(row.action), np.int64(row.side), np.int64(row.flags), row.ts_event)
        for n in range(closed, book.head[CLOSED_COUNT]):
            end = book.closed[n % CLOSED]
            if end[GONE] - end[BORN] < TTL_NS:
                side = end[END_SIDE]
                out[made, 0] = side + 1
                out[made, 1] = -end[KEY] if side == 0 else end[KEY]
                out[made, 2], out[made, 3], out[made, 4] = end[BORN], end[GONE], end[PEAK]
                ratios[made] = end[PEAK] / max(medians[side], 1.0)
                made += 1
        if book.head[MESSAGES] > messages:
            medians[0], medians[1] = _median_lots(book, 0, scratch), _median_lots(book, 1, scratch)
    return len(rows), made


def vanished(rows: NDArray[Any], depth: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the levels that stood less than 200 ms, and their size over the median of the 20 nearest of their side.

    Parameters
    ----------
    rows : ndarray of EVENT
    depth : int

    Returns
    -------
    tuple of ndarray
        Rows of side (`fathom.market.Side`), price, born, gone and lots, in the order of their end; and the ratios.

    Examples
    --------
    >>> from fathom.market import EVENT
    >>> vanished(np.zeros(0, EVENT), 0)[0].shape
    (0, 5)
    """
    book = new_book(depth=depth)
    parts: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    out = np.zeros((1 << 16, VANISHED_FIELDS), np.int64)
    ratios = np.zeros(len(out))
    scratch, medians = np.zeros(_NEAREST, np.int64), np.ones(2)
    at = 0
    while at < len(rows):
        at, made = _watch(book, rows, at, out, ratios, 0, scratch, medians)
        parts.append((out[:made].copy(), ratios[:made].copy()))
        if book.free[-1] == 0:
            book = grown(book)
    if not parts:
        return out[:0], ratios[:0]
    return np.concatenate([p for p, _ in parts]), np.concatenate([r for _, r in parts])
