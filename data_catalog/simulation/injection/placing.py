"""Where orders of a simulated market were placed: their distance from the touch and the depth around it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.simulation.injection.kernel import local_depth
from fathom.market.events import Kind, Side
from fathom.market.kernel import kernel
from fathom.market.levels import BEST, BookArrays
from fathom.market.lifecycle import book_row, new_book

_BOOK = int(Kind.BOOK)


def measure_placing(rows: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
    """Return the truth with `distance` and `multiple` as a feed shows them in the message before each order.

    Parameters
    ----------
    rows : ndarray of EVENT
        Book and trades in ``ts_init`` order.
    truth : ndarray of TRUTH

    Returns
    -------
    ndarray of TRUTH
        `distance` in ticks from the touch of its side; `multiple` the size over the mean size of the 20 nearest levels
        of its side. Quote stuffing, which has one row a burst, is left as it is.

    Examples
    --------
    >>> from fathom.market.actors_truth import TRUTH
    >>> from fathom.market import EVENT
    >>> len(measure_placing(np.zeros(0, EVENT), np.zeros(0, TRUTH)))
    0
    """
    found = truth.copy()
    orders = np.flatnonzero((truth["placed"] > 0) & (truth["side"] != Side.NONE))
    orders = orders[np.argsort(truth["placed"][orders], kind="stable")]
    if not len(orders) or not len(rows):
        return found
    side = (truth["side"][orders] == Side.SELL).astype(np.int64)
    key = np.where(side == 0, -truth["price"][orders], truth["price"][orders])
    distance, depth = np.zeros(len(orders), np.int64), np.ones(len(orders))
    levels = int((rows["kind"] == Kind.BOOK).sum())
    book = new_book(levels=min(max(levels, 1024), 1 << 18))
    _measure(book, rows, truth["placed"][orders].copy(), side, key, distance, depth)
    found["distance"][orders] = distance
    found["multiple"][orders] = truth["lots"][orders] / depth
    return found


@kernel
def _measure(
    book: BookArrays,
    rows: NDArray[Any],
    placed: NDArray[np.int64],
    side: NDArray[np.int64],
    key: NDArray[np.int64],
    distance: NDArray[np.int64],
    depth: NDArray[np.float64],
) -> None:
    n = 0
    for row in rows:
        if row.kind != _BOOK:
            continue
        while n < len(placed) and placed[n] <= row.ts_event:
            distance[n] = key[n] - book.sides[side[n], BEST]
            depth[n] = max(1.0, local_depth(book, side[n]))
            n += 1
        book_row(book, row.price, row.size, np.int64(row.action), np.int64(row.side), np.int64(row.flags), row.ts_event)
