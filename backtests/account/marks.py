"""Prices at given times: best bid, best ask and last price, read from the catalog in one pass."""

from fractions import Fraction
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.backtests.setup.config import Data
from fathom.data_catalog.catalog import Catalog
from fathom.market.events import Action, Kind
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BEST, BID, NO_KEY, BookArrays
from fathom.market.lifecycle import UNSURE, book_row, drive, is_full, new_book

type Floats = NDArray[np.float64]
type Times = NDArray[np.int64]

_NONE: Final = np.int64(-1)
_TRADE: Final = int(Kind.TRADE)
_CLEAR: Final = int(Action.CLEAR)


class Marks(NamedTuple):
    """Prices of one instrument at some times, each after every event with ts_init <= that time; NaN where unknown.

    Attributes
    ----------
    times_ns
        Ascending.
    bid, ask
        Best prices; NaN where the data have no book, or its side is empty.
    last
        Last trade, or close of the last bar.
    whole
        Whether the book began with a snapshot (True without a book). If not, levels that have not changed since the
        start of the span are missing, for the engine too.
    before_ns, after_ns
        Times of the last book change at or before each time, and of the first one after it; -1 where there is none.
    unsure
        1 where the book is unsure (`fathom.market.lifecycle`), else 0 (-1: without a book).
    unsure_ns
        How often the book became unsure, for how long in all, and when first.
    path_ns, path
        Every change of the mark while the instrument was held: time, and mark from then on.
    """

    times_ns: Times
    bid: Floats
    ask: Floats
    last: Floats
    whole: bool = True
    before_ns: Times = np.zeros(0, np.int64)
    after_ns: Times = np.zeros(0, np.int64)
    unsure: Times = np.zeros(0, np.int64)
    unsure_ns: tuple[int, int, int] = (0, 0, 0)
    path_ns: Times = np.zeros(0, np.int64)
    path: Floats = np.zeros(0)

    @property
    def mark(self) -> Floats:
        """Mid where both sides of the book are there, else the last price."""
        return _mark(self.bid, self.ask, self.last)

    def at(self, times_ns: Times) -> Floats:
        """Return the marks of some of the times."""
        return np.asarray(self.mark[self.places(times_ns)], np.float64)

    def places(self, times_ns: Times) -> Times:
        """Return where some of the times stand among those of the marks."""
        where = np.searchsorted(self.times_ns, times_ns)
        if times_ns.size and not np.array_equal(self.times_ns[np.minimum(where, len(self.times_ns) - 1)], times_ns):
            raise KeyError("Expected times of which the marks were asked.")
        return where


class Held(NamedTuple):
    """The position in an instrument: ascending times (ns), and its size from each on; flat before the first."""

    times_ns: Times
    size: Floats

    def during(self, times_ns: Times) -> NDArray[np.bool_]:
        """Return whether there is a position at each time."""
        sizes = np.concatenate(([0.0], self.size))
        return np.asarray(sizes[np.searchsorted(self.times_ns, times_ns, side="right")] != 0.0)


def read_marks(
    catalog: Catalog,
    instrument: Any,
    data: Data,
    times_ns: Times,
    start_ns: int,
    end_ns: int,
    held: Held | None = None,
) -> tuple[Marks, dict[str, int]]:
    """Return the marks at ascending times, and how many rows of each kind lie in the span (both ends included).

    With `held`, every change of the mark while there is a position is kept as well.
    """
    name = str(instrument.id)
    prices = np.full((3, times_ns.size), np.nan)
    around = np.full((3, times_ns.size), _NONE)
    counts: dict[str, int] = {}
    whole, unsure_ns = True, (0, 0, 0)
    paths: list[tuple[Times, Floats]] = []
    for bars in data.bars:
        table = catalog.bar_rows(f"{name}-{bars}", start_ns=start_ns, end_ns=end_ns)
        counts["bars"] = counts.get("bars", 0) + len(table)
        where = np.searchsorted(table["ts_init"], times_ns, side="right") - 1
        closes = _prices(table["close"], instrument)
        prices[2] = np.where(where >= 0, closes[np.maximum(where, 0)], prices[2])
        if held is not None and not data.has_book and "trades" not in data.types:
            inside = held.during(table["ts_init"])
            paths.append((table["ts_init"][inside].astype(np.int64), closes[inside]))
    has_book, has_trades = data.has_book, "trades" in data.types
    if has_book or has_trades:
        ticks = np.full((3, times_ns.size), _NONE)
        book, state = new_book(), np.array([0, _NONE, _NONE, 0, 0, 0, 0, 0, 0, _NONE, _NONE, _NONE, _NONE], np.int64)
        seen = {"book_deltas": 0, "trades": 0}
        stream = catalog.events(name, start_ns=start_ns, end_ns=end_ns, book=has_book, trades=has_trades)
        for rows in stream:
            changes = rows["action"][rows["kind"] != _TRADE]
            if not seen["book_deltas"] and changes.size:
                whole = bool(changes[0] == _CLEAR)
            traded = int(np.count_nonzero(rows["kind"] == _TRADE))
            seen["trades"] += traded
            seen["book_deltas"] += len(rows) - traded
            changes = np.empty((4, len(rows)), np.int64)
            state[_CHANGES] = 0
            book = drive(book, partial(_run, times_ns, ticks, around, state, changes, rows), len(rows))
            if held is not None:
                changes = changes[:, : state[_CHANGES]]
                changes = changes[:, held.during(changes[0])]
                sides = (np.where(part == _NONE, np.nan, _prices(part, instrument)) for part in changes[1:])
                paths.append((changes[0], _mark(*sides)))
        _note(book, state, times_ns, ticks, around, np.iinfo(np.int64).max)
        if state[_SINCE]:
            state[_UNSURE_NS] += end_ns - state[_SINCE]
        unsure_ns = int(state[_SPELLS]), int(state[_UNSURE_NS]), int(state[_FIRST])
        counts |= {kind: seen[kind] for kind, there in (("book_deltas", has_book), ("trades", has_trades)) if there}
        for column in (0, 1) if not has_trades else (0, 1, 2):
            prices[column] = np.where(ticks[column] == _NONE, np.nan, _prices(ticks[column], instrument))
    return Marks(
        times_ns,
        *(prices[0], prices[1], prices[2]),
        whole,
        *(around[0], around[1], around[2]),
        unsure_ns,
        *_joined(paths),
    ), counts


def _joined(paths: list[tuple[Times, Floats]]) -> tuple[Times, Floats]:
    # Bars of several lengths are not in order of time.
    times, marks = (np.concatenate([part[at] for part in paths] or [np.zeros(0)]) for at in (0, 1))
    order = np.argsort(times, kind="stable")
    return times[order].astype(np.int64), marks[order]


def _mark(bid: Floats, ask: Floats, last: Floats) -> Floats:
    mid = (bid + ask) / 2.0
    return np.where(np.isnan(mid), last, mid)


# Entries of the state of `_run`.
_AT: Final = 0  # the next of the wanted times
_LAST_PRICE: Final = 1
_BEFORE: Final = 2  # time of the last book change
_OPEN: Final = 3  # the first of the wanted times that waits for the next book change
_SPELLS: Final = 4  # how often the book became unsure
_UNSURE_NS: Final = 5  # for how long, without the spell that goes on
_FIRST: Final = 6  # when first
_SINCE: Final = 7  # since when it is; 0 while it is not
_CHANGES: Final = 8  # how many changes of the best prices are written down
_NOW: Final = 9  # time of the last event
_KEPT_BID: Final = 10  # the best prices that were written down last
_KEPT_ASK: Final = 11
_KEPT_LAST: Final = 12


@kernel
def _run(
    times: Times,
    out: NDArray[np.int64],
    around: NDArray[np.int64],
    state: Times,
    changes: NDArray[np.int64],
    rows: NDArray[np.void],
    book: BookArrays,
    first: int,
) -> int:  # pragma: no cover - compiled
    for i in range(first, len(rows)):
        row = rows[i]
        if row.ts_init != state[_NOW]:
            _keep(book, state, changes)
            state[_NOW] = row.ts_init
        if state[_AT] < len(times) and times[state[_AT]] < row.ts_init:
            _note(book, state, times, out, around, row.ts_init)
        if row.kind == _TRADE:
            state[_LAST_PRICE] = row.price
        else:
            if is_full(book):
                return i
            book_row(book, row.price, row.size, row.action, row.side, row.flags, row.ts_event)
            state[_BEFORE] = row.ts_init
            if (book.head[UNSURE] == 1) != (state[_SINCE] != 0):
                _turn(state, row.ts_init)
            while state[_OPEN] < state[_AT]:
                around[1, state[_OPEN]] = row.ts_init
                state[_OPEN] += 1
    return len(rows)


@kernel
def _keep(book: BookArrays, state: Times, changes: NDArray[np.int64]) -> None:  # pragma: no cover - compiled
    # Write down the best prices after all events of one time, if they changed.
    bid = -book.sides[BID, BEST] if book.sides[BID, BEST] != NO_KEY else _NONE
    ask = book.sides[ASK, BEST] if book.sides[ASK, BEST] != NO_KEY else _NONE
    if bid == state[_KEPT_BID] and ask == state[_KEPT_ASK] and state[_LAST_PRICE] == state[_KEPT_LAST]:
        return
    at = state[_CHANGES]
    changes[0, at], changes[1, at], changes[2, at], changes[3, at] = state[_NOW], bid, ask, state[_LAST_PRICE]
    state[_KEPT_BID], state[_KEPT_ASK], state[_KEPT_LAST] = bid, ask, state[_LAST_PRICE]
    state[_CHANGES] = at + 1


@kernel
def _turn(state: Times, ts_init: int) -> None:  # pragma: no cover - compiled
    # The book became unsure, or sure again.
    if state[_SINCE]:
        state[_UNSURE_NS] += ts_init - state[_SINCE]
        state[_SINCE] = 0
        return
    state[_SINCE] = ts_init
    if state[_SPELLS] == 0:
        state[_FIRST] = ts_init
    state[_SPELLS] += 1


@kernel
def _note(
    book: BookArrays, state: Times, times: Times, out: NDArray[np.int64], around: NDArray[np.int64], before: int
) -> None:  # pragma: no cover - compiled
    # Write down the prices for every wanted time before the next event.
    while state[_AT] < len(times) and times[state[_AT]] < before:
        at = state[_AT]
        if book.sides[BID, BEST] != NO_KEY:
            out[0, at] = -book.sides[BID, BEST]
        if book.sides[ASK, BEST] != NO_KEY:
            out[1, at] = book.sides[ASK, BEST]
        out[2, at] = state[_LAST_PRICE]
        around[0, at] = state[_BEFORE]
        around[2, at] = book.head[UNSURE]
        state[_AT] = at + 1


def _prices(ticks: NDArray[np.int64], instrument: Any) -> Floats:
    # One correctly rounded division gives the float nearest to the exact decimal.
    step = Fraction(str(instrument.price_increment).replace("_", ""))
    return np.asarray(ticks * step.numerator / step.denominator, np.float64)
