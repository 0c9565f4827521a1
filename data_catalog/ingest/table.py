"""Import anybody's book changes and trades: a table with a row a change, and a table with a row a trade."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pandas.util import hash_array

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import BadInputError, CatalogError, EmptyFileError
from fathom.data_catalog.ingest.cells import (
    BOOK_SIDES,
    SNAPSHOT_WORDS,
    TRADE_SIDES,
    YES_NO,
    TimeUnit,
    counts,
    times_ns,
    trade_ids,
    whole_numbers,
)
from fathom.data_catalog.ingest.cells import words as meanings
from fathom.data_catalog.ingest.odd_rows import Odd, repeated_ids
from fathom.data_catalog.ingest.once import Once
from fathom.data_catalog.ingest.presets.depth_updates import depth_rows
from fathom.data_catalog.ingest.presets.ladders import ladder_rows
from fathom.data_catalog.ingest.presets.preset import Preset, preset_of
from fathom.data_catalog.ingest.table_file import Naming, OnProgress, TableFile
from fathom.data_catalog.ingest.table_messages import RAW, as_messages
from fathom.data_catalog.ingest.unsure import GAP, Guard
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.store.writers import RowWriter
from fathom.market.events import EVENT, Flag, Kind, Side, TradeFlag
from fathom.pages.formats import counted as number_of
from fathom.settings.times import time_text

BOOK_COLUMNS: Final = ("ts_init", "side", "price", "size")
BOOK_OPTIONAL: Final = ("ts_event", "sequence", "is_snapshot", "previous")
TRADE_COLUMNS: Final = ("ts_init", "side", "price", "size", "trade_id")
TRADE_OPTIONAL: Final = ("ts_event", "rpi")
_PARTS: Final = {"book": (*BOOK_COLUMNS, *BOOK_OPTIONAL), "trades": (*TRADE_COLUMNS, *TRADE_OPTIONAL)}
_PLAIN: Final = {part: Preset(part, {}) for part in ("book", "trades")}


@dataclass(frozen=True, slots=True)
class TableImport:
    """What an import brought into the catalog.

    Parameters
    ----------
    changes, messages : int
        Changes of the book table, and the messages that they made.
    trades : int
    already : tuple of Path
        Files that had been imported before, so that nothing was written for them; they are counted all the same.
    warnings : tuple of str
        What a user should know of the files, in words.

    Examples
    --------
    >>> TableImport(changes=30, messages=1, trades=0).changes
    30
    """

    changes: int = 0
    messages: int = 0
    trades: int = 0
    already: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()


def import_table(
    catalog: Catalog,
    instrument: Any,
    *,
    book: Path | None = None,
    trades: Path | None = None,
    naming: Naming | None = None,
    time_unit: TimeUnit | None = None,
    continues: bool = False,
    strict: bool = False,
    presets: Sequence[str] = (),
    on_progress: Callable[[str, float], None] | None = None,
) -> TableImport:
    """Bring a table of book changes, a table of trades, or both into a catalog: all of it or nothing, and once.

    A row of the book table states the new absolute size of a level; size 0 deletes it. Rows with equal ts_init (and
    sequence, where there is one) are one message. Where is_snapshot does not mark snapshots, the first message is one.

    Parameters
    ----------
    catalog : Catalog
    instrument : engine instrument
        Its tick and lot are the grid on which every price and size must lie.
    book : Path, optional
        Parquet or CSV with ts_init, side, price, size, and optionally ts_event, sequence, is_snapshot (the row is part
        of a snapshot, which replaces the book) and previous (the sequence of the message before; another one means that
        messages are missing).
    trades : Path, optional
        Parquet or CSV with ts_init, side (of the aggressor), price, size, trade_id, and optionally ts_event, rpi.
    naming : Naming, optional
        How the files call these columns.
    time_unit : {"s", "ms", "us", "ns"}, optional
        What times count that are plain numbers.
    continues : bool, default False
        The first message changes the book with which the catalog's earlier data ends, and is no snapshot.
    strict : bool, default False
        Refuse a file with a fault that else is only told (`TableImport.warnings`).
    presets : sequence of str
        Names of `fathom.data_catalog.ingest.presets.preset.PRESETS`, one for each file that is a vendor's.
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
    chosen = _chosen(presets, book, trades)
    naming = naming or Naming()
    of_book, of_trades = naming.part("book", _PARTS), naming.part("trades", _PARTS)
    settings = {"map": dict(naming.mapping), "ignore": list(naming.ignore), "time_unit": time_unit}
    if presets:
        settings |= {"presets": sorted(presets)}
    counts_of: dict[str, int] = {}
    already: list[Path] = []
    warnings: list[str] = []

    def progress_of(what: str) -> OnProgress | None:
        return None if on_progress is None else lambda share: on_progress(what, share)

    def told(file: Path, writer: RowWriter, faults: list[str]) -> list[str]:
        if writer.first_ns is None:
            raise EmptyFileError("Expected at least one row, was none.", file=file)
        if strict and faults:
            raise BadInputError(
                f"Expected a file without faults (--strict), was one with {'; '.join(faults)}.", file=file
            )
        warnings.extend(f"{file.name}: {fault}" for fault in faults)
        return faults

    with ExitStack() as stack:
        if book is not None:
            table = _BookTable(book, chosen["book"], of_book, grid, time_unit, continues)
            once = Once(catalog.path, book, "book", grid.instrument_id, settings | {"continues": continues})
            if once.earlier is not None:
                counts_of |= once.earlier.notes
                already.append(book)
            else:
                writer = stack.enter_context(catalog.book_writer(instrument))
                notes = table.write(writer, progress_of("book"))
                once.record(writer, notes, told(book, writer, table.faults()))
                counts_of |= notes
        if trades is not None:
            preset = chosen["trades"]
            file = _table_file(trades, preset, TRADE_COLUMNS, TRADE_OPTIONAL, of_trades)
            once = Once(catalog.path, trades, "trades", grid.instrument_id, settings)
            if once.earlier is not None:
                counts_of["trades"] = once.earlier.rows
                already.append(trades)
            else:
                writer = stack.enter_context(catalog.trade_writer(instrument))
                hashes = []
                for rows, ids in _trade_rows(file, preset, grid, time_unit, progress_of("trades")):
                    writer.write(rows, ids)
                    hashes.append(hash_array(np.asarray(ids.to_numpy(zero_copy_only=False))))
                    counts_of["trades"] = counts_of.get("trades", 0) + len(rows)
                again = repeated_ids(hashes, file.first_line)
                faults = [] if again is None else [again.words("trade id", "again (the trades may be doubled)")]
                once.record(writer, {}, told(trades, writer, faults))
    return TableImport(**counts_of, already=tuple(already), warnings=tuple(warnings))


def _chosen(names: Sequence[str], book: Path | None, trades: Path | None) -> dict[str, Preset]:
    files = {"book": book, "trades": trades}
    chosen = dict(_PLAIN)
    for name in names:
        preset = preset_of(name)
        if files[preset.part] is None:
            raise CatalogError(f"Expected --{preset.part} FILE with --preset {name}, was none.")
        if chosen[preset.part] is not _PLAIN[preset.part]:
            raise CatalogError(f"Expected one preset for --{preset.part}, was {', '.join(names)}.")
        chosen[preset.part] = preset
    return chosen


def _table_file(
    path: Path, preset: Preset, required: Sequence[str], optional: Sequence[str], naming: Naming
) -> TableFile:
    if preset in _PLAIN.values():
        return TableFile(path, required, optional, naming)
    header = TableFile(path, (), (), header=preset.header, ignores_rest=True).header
    columns = {**preset.columns_of(header), **naming.mapping}
    given = [name for name in (*optional, "symbol") if columns.get(name) in header or name in naming.mapping]
    naming = Naming(columns, naming.ignore)
    return TableFile(path, required, given, naming, header=preset.header, ignores_rest=True)


class _BookTable:
    """A book table on its way: its rows, and what is odd about them."""

    def __init__(
        self, path: Path, preset: Preset, naming: Naming, grid: Grid, unit: TimeUnit | None, continues: bool
    ) -> None:
        self._path, self._preset, self._grid, self._unit = path, preset, grid, unit or preset.time_unit
        self._file: TableFile | None = None
        if preset.ladder is not None:
            header = TableFile(path, (), (), ignores_rest=True).header
            levels = preset.ladder.columns(max(1, preset.ladder.levels(header)))
            columns = preset._replace(columns={**preset.columns, **levels})
            self._file = _table_file(path, columns, ("ts_init", *levels), ("ts_event", "sequence"), naming)
        elif not preset.messages:
            self._file = _table_file(path, preset, BOOK_COLUMNS, BOOK_OPTIONAL, naming)
        self._marked = self._file is None or preset.ladder is not None or "is_snapshot" in self._file.columns
        self._continues = continues
        self._by_one = False
        if self._file is not None and preset.ladder is None and "previous" not in self._file.columns:
            self._by_one = _counts_by_one(path, self._file)
        self._guard = Guard(grid, keeps_first=not self._marked)
        self._early = 0
        self._gaps: Odd | None = None
        self._backwards: Odd | None = None

    def write(self, writer: RowWriter, on_progress: OnProgress | None) -> dict[str, int]:
        """Write the messages, and count them."""
        seen = messages = 0
        anchored = self._continues

        def counting() -> Iterator[NDArray[np.void]]:
            nonlocal seen
            for rows in self._rows(on_progress):
                seen += len(rows)
                gaps = np.flatnonzero(rows["flags"] & GAP)
                if len(gaps):
                    row = rows[gaps[0]]
                    first = Odd(0, int(row["line"]), f"before sequence {row['sequence']}")
                    self._gaps = (self._gaps or first).plus(len(gaps))
                yield rows

        changes = as_messages(
            counting(), continues=self._continues or self._marked, reconnects=self._preset.ladder is None
        )
        for rows in changes:
            kept = self._guard.passed(rows)
            if not anchored:
                ends = np.flatnonzero(kept["flags"] & Flag.LAST)
                clear = np.flatnonzero(kept["flags"] & Flag.SNAPSHOT)
                anchored = len(clear) > 0
                self._early += int(np.count_nonzero(ends < clear[0])) if anchored else len(ends)
            writer.write(kept)
            messages += int(np.count_nonzero(kept["flags"] & Flag.LAST))
        return {"changes": seen, "messages": messages}

    def faults(self) -> list[str]:
        """Return what no file should hold, in words with line and value."""
        found = []
        if self._early:
            found.append(f"{number_of(self._early, 'message')} before the first snapshot: the book is incomplete there")
        if self._gaps is not None:
            found.append(self._gaps.words("gap", "in the sequence (messages are missing)"))
        if self._backwards is not None:
            found.append(self._backwards.words("message", "with a sequence less than the one before"))
        return found + self._guard.warnings()

    def _rows(self, on_progress: OnProgress | None) -> Iterator[NDArray[np.void]]:
        if self._file is None:
            rows = depth_rows(self._path, self._grid, on_progress)
        elif self._preset.ladder is not None:
            rows = ladder_rows(self._file, self._preset.ladder, self._grid, self._unit, on_progress)
        else:
            rows = self._changes(self._file, on_progress)
        last_ns = 0
        for part in rows:
            if self._file is not None:
                _refuse_time_backwards(self._file, part["line"] - self._file.first_line, part["ts_init"], last_ns)
            elif int(part["ts_init"][0]) < last_ns:
                moment = time_text(int(part["ts_init"][0]))
                problem = f"Expected times that never decrease, was {moment} after {time_text(last_ns)}."
                raise BadInputError(f"{problem} Sort the file by E.", file=self._path, line=int(part["line"][0]))
            last_ns = int(part["ts_init"][-1])
            yield part

    def _changes(self, file: TableFile, on_progress: OnProgress | None) -> Iterator[NDArray[np.void]]:
        last: NDArray[np.void] = np.zeros(0, RAW)
        for first, batch in file.batches(on_progress):
            rows = _common_rows(file, first, batch, self._grid, self._unit, BOOK_SIDES, RAW)
            rows["line"] = np.arange(first, first + len(rows)) + file.first_line
            if "sequence" in batch.schema.names:
                rows["sequence"] = file.convert(
                    first, batch, "sequence", lambda cells: whole_numbers(cells, "sequence")
                )
            if "is_snapshot" in batch.schema.names:
                marks = file.convert(
                    first, batch, "is_snapshot", lambda cells: meanings(cells, SNAPSHOT_WORDS, "is_snapshot")
                )
                rows["flags"] = np.where(marks == 1, Flag.SNAPSHOT, 0)
            _refuse(file, first, batch, "size", rows["size"] < 0, "a size >= 0 (0 deletes the level)")
            self._compare(file, first, batch, rows, last)
            last = rows[-1:]
            yield rows

    def _compare(self, file: TableFile, first: int, batch: Any, rows: NDArray[np.void], last: NDArray[np.void]) -> None:
        # Each message with the one before it, by their sequences.
        if "sequence" not in batch.schema.names:
            return
        known = np.concatenate([last, rows])
        at = np.arange(1 - len(last), len(rows))  # rows with one before them
        before, sequence = known["sequence"][: len(at)], rows["sequence"][at]
        change = (rows["flags"][at] & Flag.SNAPSHOT == 0) & (before != sequence)
        back = at[change & (sequence < before)]
        if len(back):
            where = int(back[0])
            value = f"{rows['sequence'][where]} after {before[where - at[0]]}"
            self._backwards = (self._backwards or Odd(0, int(rows["line"][where]), value)).plus(len(back))
        if "previous" in batch.schema.names:
            stated = file.convert(first, batch, "previous", lambda cells: whole_numbers(cells, "previous", least=-1))
            rows["flags"][at[change & (stated[at] != before)]] |= np.uint8(GAP)
        elif self._by_one:
            rows["flags"][at[change & (sequence > before + 1)]] |= np.uint8(GAP)


def _counts_by_one(path: Path, file: TableFile) -> bool:
    """Return whether the sequence of a table counts messages: more than half of its steps are steps of one."""
    if "sequence" not in file.columns:
        return False
    ones = steps = last = 0
    naming = Naming({"sequence": file.columns["sequence"]})
    alone = TableFile(path, ("sequence",), (), naming, ignores_rest=True)
    for first, batch in alone.batches():
        numbers = alone.convert(first, batch, "sequence", lambda cells: whole_numbers(cells, "sequence"))
        moves = np.diff(numbers, prepend=last if first else numbers[:1])
        ones, steps, last = ones + int(np.sum(moves == 1)), steps + int(np.count_nonzero(moves)), int(numbers[-1])
    return 2 * ones > steps


def _trade_rows(
    file: TableFile, preset: Preset, grid: Grid, unit: TimeUnit | None, on_progress: OnProgress | None
) -> Iterator[tuple[NDArray[np.void], Any]]:
    last_ns = 0
    for first, batch in file.batches(on_progress):
        sides = preset.sides or TRADE_SIDES
        rows = _common_rows(file, first, batch, grid, unit or preset.time_unit, sides, EVENT)
        rows["kind"] = Kind.TRADE
        if "rpi" in batch.schema.names:
            rpi = file.convert(first, batch, "rpi", lambda cells: meanings(cells, YES_NO, "rpi"))
            rows["flags"] = np.where(rpi == 1, TradeFlag.RPI, 0)
        _refuse(file, first, batch, "size", rows["size"] <= 0, "a size > 0")
        _refuse_time_backwards(file, np.arange(first, first + len(rows)), rows["ts_init"], last_ns)
        last_ns = int(rows["ts_init"][-1])
        yield rows, file.convert(first, batch, "trade_id", lambda cells: trade_ids(cells, "trade_id"))


def _common_rows(
    file: TableFile,
    first: int,
    batch: Any,
    grid: Grid,
    unit: TimeUnit | None,
    sides: Mapping[str, Side],
    kind: np.dtype[np.void],
) -> NDArray[np.void]:
    rows = np.zeros(batch.num_rows, dtype=kind)
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


def _refuse_time_backwards(file: TableFile, places: NDArray[np.int64], times: NDArray[np.int64], last_ns: int) -> None:
    back = np.diff(times, prepend=last_ns) < 0
    if back.any():
        index = int(np.argmax(back))
        before = int(times[index - 1]) if index else last_ns
        problem = f"Expected times that never decrease, was {time_text(int(times[index]))} after {time_text(before)}."
        raise file.bad(int(places[index]), "ts_init", f"{problem} Sort the file by it.")
