"""Import anybody's book changes and trades: a table with a row a change, and a table with a row a trade."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.ingest.cells import (
    BOOK_SIDES,
    TRADE_SIDES,
    YES_NO,
    TimeUnit,
    counts,
    times_ns,
    trade_ids,
    whole_numbers,
)
from fathom.data_catalog.ingest.cells import words as meanings
from fathom.data_catalog.ingest.once import Once
from fathom.data_catalog.ingest.table_file import Naming, OnProgress, TableFile
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.store.writers import RowWriter
from fathom.market.events import EVENT, Action, Flag, Kind, Side, TradeFlag
from fathom.settings.times import time_text

BOOK_COLUMNS: Final = ("ts_init", "side", "price", "size")
BOOK_OPTIONAL: Final = ("ts_event", "sequence")
TRADE_COLUMNS: Final = ("ts_init", "side", "price", "size", "trade_id")
TRADE_OPTIONAL: Final = ("ts_event", "rpi")
_PARTS: Final = {"book": (*BOOK_COLUMNS, *BOOK_OPTIONAL), "trades": (*TRADE_COLUMNS, *TRADE_OPTIONAL)}


@dataclass(frozen=True, slots=True)
class TableImport:
    """What an import brought into the catalog.

    Parameters
    ----------
    changes, messages : int
        Rows of the book table, and the messages that they made.
    trades : int
    already : tuple of Path
        Files that had been imported before, so that nothing was written for them; they are counted all the same.

    Examples
    --------
    >>> TableImport(changes=30, messages=1, trades=0).changes
    30
    """

    changes: int = 0
    messages: int = 0
    trades: int = 0
    already: tuple[Path, ...] = ()


def import_table(
    catalog: Catalog,
    instrument: Any,
    *,
    book: Path | None = None,
    trades: Path | None = None,
    naming: Naming | None = None,
    time_unit: TimeUnit | None = None,
    continues: bool = False,
    on_progress: Callable[[str, float], None] | None = None,
) -> TableImport:
    """Bring a table of book changes, a table of trades, or both into a catalog: all of it or nothing, and once.

    A row of the book table states the new absolute size of a level; size 0 deletes it. Rows with equal ts_init (and
    sequence, where there is one) are one message. The first message is a snapshot: the book starts with its levels.

    Parameters
    ----------
    catalog : Catalog
    instrument : engine instrument
        Its tick and lot are the grid on which every price and size must lie.
    book : Path, optional
        Parquet or CSV with ts_init, side, price, size, and optionally ts_event, sequence.
    trades : Path, optional
        Parquet or CSV with ts_init, side (of the aggressor), price, size, trade_id, and optionally ts_event, rpi.
    naming : Naming, optional
        How the files call these columns.
    time_unit : {"s", "ms", "us", "ns"}, optional
        What times count that are plain numbers.
    continues : bool, default False
        The first message changes the book with which the catalog's earlier data ends, and is no snapshot.
    on_progress : callable, optional
        Called with "book" or "trades" and the share that is read.

    Raises
    ------
    BadInputError
        A file cannot be read, or holds a value that no book or trade can have; it names file, row, column and value.
    OverlapError
        The catalog has other data of that time.
    """
    if book is None and trades is None:
        raise CatalogError("Expected a book table, a trades table or both, was neither.")
    grid = Grid.of(instrument)
    naming = naming or Naming()
    of_book, of_trades = naming.part("book", _PARTS), naming.part("trades", _PARTS)
    settings = {"map": dict(naming.mapping), "ignore": list(naming.ignore), "time_unit": time_unit}
    counted: dict[str, int] = {}
    already: list[Path] = []

    def progress_of(what: str) -> OnProgress | None:
        return None if on_progress is None else lambda share: on_progress(what, share)

    with ExitStack() as stack:
        if book is not None:
            file = TableFile(book, BOOK_COLUMNS, BOOK_OPTIONAL, of_book)
            once = Once(catalog.path, book, "book", grid.instrument_id, settings | {"continues": continues})
            if once.earlier is not None:
                counted |= once.earlier.notes
                already.append(book)
            else:
                writer = stack.enter_context(catalog.book_writer(instrument))
                notes = _write_book(writer, _book_rows(file, grid, time_unit, progress_of("book")), continues)
                once.record(writer, notes)
                counted |= notes
        if trades is not None:
            file = TableFile(trades, TRADE_COLUMNS, TRADE_OPTIONAL, of_trades)
            once = Once(catalog.path, trades, "trades", grid.instrument_id, settings)
            if once.earlier is not None:
                counted["trades"] = once.earlier.rows
                already.append(trades)
            else:
                writer = stack.enter_context(catalog.trade_writer(instrument))
                for rows, ids in _trade_rows(file, grid, time_unit, progress_of("trades")):
                    writer.write(rows, ids)
                    counted["trades"] = counted.get("trades", 0) + len(rows)
                once.record(writer, {})
    return TableImport(**counted, already=tuple(already))


def _write_book(writer: RowWriter, changes: Iterator[NDArray[np.void]], continues: bool) -> dict[str, int]:
    seen = messages = 0

    def counting() -> Iterator[NDArray[np.void]]:
        nonlocal seen
        for rows in changes:
            seen += len(rows)
            yield rows

    for rows in as_messages(counting(), continues=continues):
        writer.write(rows)
        messages += int(np.count_nonzero(rows["flags"] & Flag.LAST))
    return {"changes": seen, "messages": messages}


def as_messages(changes: Iterator[NDArray[np.void]], *, continues: bool = False) -> Iterator[NDArray[np.void]]:
    """Group book rows into messages and give them the engine's actions and flags.

    Parameters
    ----------
    changes : iterator of EVENT arrays
        Book rows in order of ts_init: absolute sizes, without action and flags.
    continues : bool, default False
        Whether the first message is a change; else it becomes a CLEAR and the levels of a snapshot, without those of
        size 0.

    Yields
    ------
    EVENT array
        Whole messages.

    Examples
    --------
    >>> rows = np.zeros(3, dtype=EVENT)
    >>> rows["ts_init"], rows["size"] = [10, 10, 20], [5, 6, 0]
    >>> for message in as_messages(iter([rows[:1], rows[1:]])):
    ...     print(message["ts_init"], message["action"], message["flags"])
    [10 10 10] [4 1 1] [ 32  48 176]
    [20] [3] [144]
    """
    held: NDArray[np.void] = np.zeros(0, dtype=EVENT)
    first = not continues
    for rows in changes:
        rows = np.concatenate([held, rows])
        ends = _ends(rows)
        whole = int(ends[-2]) + 1 if len(ends) > 1 else 0  # the last message may go on in the next batch
        held = rows[whole:]
        if whole and first:
            first, snapshot = False, int(ends[0]) + 1
            yield _as_snapshot(rows[:snapshot])
            rows, whole = rows[snapshot:], whole - snapshot
        if whole:
            yield _as_changes(rows[:whole])
    if len(held):
        yield _as_snapshot(held) if first else _as_changes(held)


def _ends(rows: NDArray[np.void]) -> NDArray[np.int64]:
    same = (rows["ts_init"][1:] == rows["ts_init"][:-1]) & (rows["sequence"][1:] == rows["sequence"][:-1])
    return np.append(np.flatnonzero(~same), len(rows) - 1)


def _as_snapshot(rows: NDArray[np.void]) -> NDArray[np.void]:
    levels = rows[rows["size"] > 0]
    message = np.zeros(len(levels) + 1, dtype=EVENT)
    message[0] = rows[0]
    message[1:] = levels
    message["kind"] = Kind.BOOK
    message["action"] = Action.ADD
    message["flags"] = Flag.SNAPSHOT | Flag.MBP
    for field in ("price", "size", "side"):
        message[field][0] = 0
    message["action"][0] = Action.CLEAR
    message["flags"][0] = Flag.SNAPSHOT
    message["flags"][-1] |= np.uint8(Flag.LAST)
    return message


def _as_changes(rows: NDArray[np.void]) -> NDArray[np.void]:
    message = rows.copy()
    message["kind"] = Kind.BOOK
    message["action"] = np.where(rows["size"] == 0, Action.DELETE, Action.UPDATE)
    message["flags"] = Flag.MBP
    message["flags"][_ends(rows)] |= np.uint8(Flag.LAST)
    return message


def _book_rows(
    file: TableFile, grid: Grid, unit: TimeUnit | None, on_progress: OnProgress | None
) -> Iterator[NDArray[np.void]]:
    last_ns = 0
    for first, batch in file.batches(on_progress):
        rows = _common_rows(file, first, batch, grid, unit, BOOK_SIDES)
        if "sequence" in batch.schema.names:
            rows["sequence"] = file.convert(first, batch, "sequence", lambda cells: whole_numbers(cells, "sequence"))
        _refuse(file, first, batch, "size", rows["size"] < 0, "a size >= 0 (0 deletes the level)")
        _refuse_time_backwards(file, first, rows, last_ns)
        last_ns = int(rows["ts_init"][-1])
        yield rows


def _trade_rows(
    file: TableFile, grid: Grid, unit: TimeUnit | None, on_progress: OnProgress | None
) -> Iterator[tuple[NDArray[np.void], Any]]:
    last_ns = 0
    for first, batch in file.batches(on_progress):
        rows = _common_rows(file, first, batch, grid, unit, TRADE_SIDES)
        rows["kind"] = Kind.TRADE
        if "rpi" in batch.schema.names:
            rpi = file.convert(first, batch, "rpi", lambda cells: meanings(cells, YES_NO, "rpi"))
            rows["flags"] = np.where(rpi == 1, TradeFlag.RPI, 0)
        _refuse(file, first, batch, "size", rows["size"] <= 0, "a size > 0")
        _refuse_time_backwards(file, first, rows, last_ns)
        last_ns = int(rows["ts_init"][-1])
        yield rows, file.convert(first, batch, "trade_id", lambda cells: trade_ids(cells, "trade_id"))


def _common_rows(
    file: TableFile, first: int, batch: Any, grid: Grid, unit: TimeUnit | None, sides: dict[str, Side]
) -> NDArray[np.void]:
    rows = np.zeros(batch.num_rows, dtype=EVENT)
    rows["ts_init"] = file.convert(first, batch, "ts_init", lambda cells: times_ns(cells, unit))
    rows["ts_event"] = rows["ts_init"]
    if "ts_event" in batch.schema.names:
        rows["ts_event"] = file.convert(first, batch, "ts_event", lambda cells: times_ns(cells, unit))
    rows["side"] = file.convert(first, batch, "side", lambda cells: meanings(cells, sides, "side"))
    rows["price"] = file.convert(first, batch, "price", lambda cells: counts(cells, grid.tick_raw, "price"))
    rows["size"] = file.convert(first, batch, "size", lambda cells: counts(cells, grid.lot_raw, "size"))
    _refuse(file, first, batch, "price", rows["price"] <= 0, "a price > 0")
    return rows


def _refuse(file: TableFile, first: int, batch: Any, column: str, wrong: NDArray[np.bool_], expected: str) -> None:
    if wrong.any():
        index = int(np.argmax(wrong))
        raise file.bad(first + index, column, f"Expected {expected}, was {batch.column(column)[index]}.")


def _refuse_time_backwards(file: TableFile, first: int, rows: NDArray[np.void], last_ns: int) -> None:
    times = rows["ts_init"]
    back = np.diff(times, prepend=last_ns) < 0
    if back.any():
        index = int(np.argmax(back))
        before = int(times[index - 1]) if index else last_ns
        problem = f"Expected times that never decrease, was {time_text(int(times[index]))} after {time_text(before)}."
        raise file.bad(first + index, "ts_init", f"{problem} Sort the file by it.")
