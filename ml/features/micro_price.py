"""Fit the micro-price of Stoikov: what the best sizes and the spread say about the mid to come."""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.market.events import Flag, Kind
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BEST, BID, COUNT, LOTS, BookArrays, first_place, slot_at
from fathom.market.lifecycle import SNAPSHOT_LAST, book_row, drive, is_full, new_book
from fathom.ml.features.errors import FeatureError

_BOOK: Final = int(Kind.BOOK)
_LAST: Final = int(Flag.LAST)

QUOTE_FIELDS: Final = 5


class MicroPriceTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Adjustments of the mid by spread and imbalance, fitted on training data and stored as JSON.

    Parameters
    ----------
    instrument : str
        Instrument whose book was read.
    adjustments : tuple of tuple of float
        Ticks to add to the mid. Row s is the spread of ``s + 1`` ticks (the last row: that or wider); column i is
        the imbalance ``bid / (bid + ask)`` of the best sizes in ``[i, i + 1) / columns``.
    transitions : int
        Pairs of successive quotes that were read.
    first_ns, last_ns : int
        Span of ``ts_init`` that was read: what is later than `last_ns` is out of sample.

    Examples
    --------
    >>> table = MicroPriceTable(
    ...     instrument="X", adjustments=((-0.2, 0.0, 0.2),), transitions=100, first_ns=0, last_ns=1
    ... )
    >>> MicroPriceTable.from_json(table.to_json()) == table
    True
    """

    instrument: str
    adjustments: tuple[tuple[float, ...], ...]
    transitions: int
    first_ns: int
    last_ns: int

    def __post_init__(self) -> None:
        if not self.adjustments or not self.adjustments[0] or len({len(row) for row in self.adjustments}) > 1:
            raise ValueError("Expected adjustments to be a table with rows of equal length; fit it again")

    def array(self) -> NDArray[np.float64]:
        """Return the adjustments of shape (spreads, imbalance buckets)."""
        return np.array(self.adjustments)

    def to_json(self) -> bytes:
        """Return the table as JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1)

    @classmethod
    def from_json(cls, text: bytes) -> "MicroPriceTable":
        """Return the table that `to_json` wrote.

        Raises
        ------
        FeatureError
            If the text is not such a table; it says where.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, ValueError) as error:
            raise FeatureError(f"Expected the JSON of a micro-price table, was something else: {error}") from error


@kernel
def _quotes(
    book: BookArrays, rows: NDArray[np.void], begin: int, count: NDArray[np.int64], out: NDArray[np.int64]
) -> int:
    found = count[0]
    for i in range(begin, len(rows)):
        row = rows[i]
        if row.kind != _BOOK:
            continue
        if is_full(book):
            count[0] = found
            return i
        book_row(book, row.price, row.size, row.action, row.side, row.flags, row.ts_event)
        if not row.flags & _LAST:
            continue
        if book.sides[BID, COUNT] == 0 or book.sides[ASK, COUNT] == 0:
            continue
        out[found, 0] = -book.sides[BID, BEST]
        out[found, 1] = book.sides[ASK, BEST]
        out[found, 2] = book.pool[slot_at(book, BID, first_place(book, BID)), LOTS]
        out[found, 3] = book.pool[slot_at(book, ASK, first_place(book, ASK)), LOTS]
        out[found, 4] = book.head[SNAPSHOT_LAST]
        found += 1
    count[0] = found
    return len(rows)


def quotes(rows: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the best quotes after each book message.

    Parameters
    ----------
    rows : ndarray
        Event rows (`fathom.market.EVENT`) from the start of a book.

    Returns
    -------
    ndarray of int64, shape (messages, 5)
        Best bid and ask in ticks, their lots, and 1 where the message was a snapshot. Messages that leave a side
        empty are left out.
    """
    messages = np.count_nonzero((rows["kind"] == _BOOK) & (rows["flags"] & _LAST != 0))
    out = np.empty((int(messages), QUOTE_FIELDS), np.int64)
    count = np.zeros(1, np.int64)
    drive(new_book(), lambda book, begin: int(_quotes(book, rows, begin, count, out)), len(rows))
    return out[: count[0]]


def fit_micro_price(
    rows: NDArray[np.void], *, instrument: str, imbalance_buckets: int = 10, spreads: int = 3, largest_move: int = 5
) -> MicroPriceTable:
    """Fit the adjustments on the book rows of a training span.

    The pair (imbalance bucket, spread) is a Markov chain whose steps are the book messages. With Q the transitions
    that leave the mid, T those that move it, and r the mean move, the expected first move is ``(1 - Q)^-1 r``; the
    adjustment is the limit of the sum over all moves to come, ``sum_k ((1 - Q)^-1 T)^k (1 - Q)^-1 r``. Each
    transition is counted a second time with the sides swapped: the chain is symmetric then, and the sum converges.

    Parameters
    ----------
    rows : ndarray
        Event rows (`fathom.market.EVENT`) of one instrument from the start of a book.
    instrument : str
        Name for the table.
    imbalance_buckets : int, default 10
        Buckets of the imbalance.
    spreads : int, default 3
        Spreads in ticks that are told apart; wider ones count as the widest.
    largest_move : int, default 5
        Transitions that move the mid by more ticks are left out.

    Returns
    -------
    MicroPriceTable

    Raises
    ------
    FeatureError
        If there are fewer than 100 transitions.

    References
    ----------
    Stoikov (2018), The micro-price: a high-frequency estimator of future prices, doi:10.1080/14697688.2018.1489139.
    """
    if imbalance_buckets < 2 or spreads < 1:
        raise FeatureError(f"Expected imbalance_buckets >= 2 and spreads >= 1, were {imbalance_buckets} and {spreads}")
    table = quotes(rows)
    bid, ask, bid_lots, ask_lots, fresh = table.T
    column = np.minimum(bid_lots * imbalance_buckets // (bid_lots + ask_lots), imbalance_buckets - 1)
    row = np.clip(ask - bid, 1, spreads) - 1
    move = 0.5 * np.diff(bid + ask)
    usable = (np.abs(move) <= largest_move) & (fresh[1:] == 0)
    if np.count_nonzero(usable) < 100:
        raise FeatureError(
            f"Expected at least 100 pairs of successive quotes, were {np.count_nonzero(usable)}: give a longer span"
        )
    states = spreads * imbalance_buckets
    mirror = (row * imbalance_buckets + imbalance_buckets - 1 - column)[:, None]
    state = np.hstack([(row * imbalance_buckets + column)[:, None], mirror])
    begin = np.concatenate([state[:-1][usable, side] for side in range(2)])
    end = np.concatenate([state[1:][usable, side] for side in range(2)])
    moves = np.concatenate([move[usable], -move[usable]])
    stay, go = np.zeros((states, states)), np.zeros((states, states))
    np.add.at(stay, (begin[moves == 0], end[moves == 0]), 1.0)
    np.add.at(go, (begin[moves != 0], end[moves != 0]), 1.0)
    # One imagined move of size 0 in each state: a state that was never seen to move, or never seen, adjusts nothing.
    go[np.arange(states), np.arange(states)] += 1.0
    counts = (stay + go).sum(axis=1)
    mean_move = np.bincount(begin, weights=moves, minlength=states) / counts
    leave = np.eye(states) - stay / counts[:, None]
    first = np.linalg.solve(leave, mean_move)
    onward = np.linalg.solve(leave, go / counts[:, None])
    total, term = first.copy(), first
    for _ in range(10_000):
        term = onward @ term
        total += term
        if np.abs(term).max() < 1e-12:
            break
    by_spread = total.reshape(spreads, imbalance_buckets)
    return MicroPriceTable(
        instrument=instrument,
        adjustments=tuple(tuple(values) for values in by_spread.tolist()),
        transitions=int(np.count_nonzero(usable)),
        first_ns=int(rows["ts_init"][0]),
        last_ns=int(rows["ts_init"][-1]),
    )
