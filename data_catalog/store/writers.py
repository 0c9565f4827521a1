"""Writers that take event rows and leave one finished Parquet file in the engine's layout."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fathom.data_catalog.errors import CatalogError, OverlapError
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.store.arrow import (
    bar_batch,
    bar_schema,
    book_batch,
    book_schema,
    flags_batch,
    trade_batch,
    trade_id_array,
    trade_schema,
)
from fathom.data_catalog.store.definitions import is_held, stage_instrument
from fathom.data_catalog.store.layout import BARS, BOOK, ENGINE_DATA, TRADE_FLAGS, TRADES, folder_of, parse_interval
from fathom.data_catalog.store.staging import Staging, recover
from fathom.market.events import EVENT, Kind
from fathom.market.kernel_cache import cached
from fathom.settings.times import interval_name, time_text

ROW_GROUP_ROWS: Final = 131_072
"""Rows a Parquet row group: what a reader must hold at once, and what it can skip when it wants a later time."""


@cached
def _first_bad_row(rows: NDArray[np.void], kind: int, last_ns: int) -> tuple[int, int]:
    for i in range(rows.shape[0]):
        row = rows[i]
        if row.kind != kind:
            return i, 1
        if row.ts_init < last_ns:
            return i, 2
        if row.size < 0:
            return i, 3
        last_ns = row.ts_init
    return -1, 0


class SpanWriter(ABC):
    """Writes one file of one data type and identifier; a context manager.

    On a clean exit the file appears in the catalog; on an exception nothing does.

    Parameters
    ----------
    catalog : Path
    data_type : str
        Folder of the data type, such as ``order_book_deltas``.
    identifier : str
        Instrument id or bar type.
    instrument : Instrument
        The engine's; its definition appears with the file where the catalog lacks it.
    schema : pyarrow.Schema

    Raises
    ------
    InstrumentError
        The catalog holds another definition of the instrument.
    OverlapError
        On `write` or exit, if the catalog already has data of that time.
    CatalogError
        On `write`, if time runs backwards.

    Examples
    --------
    `RowWriter` and `BarWriter` are such writers; what they share:

    >>> import tempfile
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> folder = Path(tempfile.mkdtemp())
    >>> with RowWriter(folder, default_instruments()["BTCUSDT"], Kind.BOOK) as writer:
    ...     writer.also("fathom/note.txt", lambda: b"written with the rows, or not at all")
    >>> (folder / "fathom" / "note.txt").read_bytes()
    b'written with the rows, or not at all'
    """

    def __init__(self, catalog: Path, data_type: str, identifier: str, instrument: Any, schema: pa.Schema) -> None:
        self.catalog = catalog
        self.data_type = data_type
        self.identifier = identifier
        self.rows = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.instrument = instrument
        self._schema = schema
        self._staging: Staging | None = None
        self._file: Any = None
        self._extra: dict[str, tuple[str, Callable[[Path], None]]] = {}

    def __enter__(self) -> Self:
        recover(self.catalog)
        is_held(self.catalog, self.instrument)
        self._staging = Staging(self.catalog)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._staging is not None
        try:
            if error is None:
                self.commit()
            elif self._file is not None:
                self._file.close()
        finally:
            self._staging.discard()

    @property
    def folder(self) -> str:
        """Folder of the file, relative to the catalog."""
        return f"{ENGINE_DATA}/{self.data_type}/{folder_of(self.identifier)}"

    def also(self, place: str, content: Callable[[], bytes]) -> None:
        """Let a small file appear together with this one.

        Parameters
        ----------
        place : str
            Relative to the catalog.
        content : callable
            Called at the commit.
        """
        self._extra[place] = (f"extra-{len(self._extra)}", lambda path: _write_bytes(path, content()))

    def commit(self) -> None:
        """Finish the file and move it into the catalog; called by a clean exit."""
        assert self._staging is not None
        self._flush()
        if self._file is not None:
            self._file.close()
        staged: dict[str, str] = {}
        if self.first_ns is not None and self.last_ns is not None:
            name = interval_name(self.first_ns, self.last_ns)
            staged["rows.parquet"] = f"{self.folder}/{name}"
            staged |= self._companions(self._staging, name)
        for place, (temporary, write) in self._extra.items():
            write(self._staging.file(temporary))
            staged[temporary] = place
        definition = stage_instrument(self._staging.folder, self.instrument)

        def plan() -> dict[str, str]:
            if self.first_ns is not None and self.last_ns is not None:
                assert self._staging is not None
                self._refuse_overlap(self.first_ns, self.last_ns, self._staging.file("rows.parquet"))
            return staged if is_held(self.catalog, self.instrument) else definition | staged

        self._staging.commit(plan)

    def _companions(self, staging: Staging, name: str) -> dict[str, str]:
        return {}

    @abstractmethod
    def _flush(self) -> None: ...

    def _span(self, first_ns: int, last_ns: int) -> None:
        if self.first_ns is None:
            self._refuse_overlap(first_ns, first_ns)
            self.first_ns = first_ns
        self.last_ns = last_ns

    def _refuse_overlap(self, first_ns: int, last_ns: int, rows: Path | None = None) -> None:
        for path in sorted((self.catalog / self.folder).glob("*.parquet")):
            start, end = parse_interval(path)
            if first_ns <= end and start <= last_ns:
                # Days may share the stamp at midnight: one file ends with it, the next begins with it.
                shared = first_ns if first_ns == end else last_ns if last_ns == start else None
                if rows and (start, end) == (first_ns, last_ns):
                    shared = None
                again = _shared_row(rows, path, shared) if rows and shared is not None else ""
                if shared is not None and not again:
                    continue
                remedy = f"Use another catalog, or delete {path} first."
                if again:
                    remedy = f"Both hold {again}: take it out of one of the files."
                raise OverlapError(
                    f"Expected a span of {self.identifier} without {self.data_type}, was {time_text(first_ns)} to "
                    f"{time_text(last_ns)}, and the catalog holds {time_text(start)} to {time_text(end)} already. "
                    f"{remedy}"
                )

    def _put(self, batch: pa.RecordBatch) -> None:
        if self._file is None:
            assert self._staging is not None
            self._file = pq.ParquetWriter(
                self._staging.file("rows.parquet"), self._schema, compression="zstd", compression_level=1
            )
        self._file.write_batch(batch, row_group_size=ROW_GROUP_ROWS)
        self.rows += batch.num_rows


def _shared_row(ours: Path, theirs: Path, stamp_ns: int) -> str:
    """Return the trade, or the book change, that two files hold at a stamp, in words; empty where there is none."""
    rows = [_rows_at(path, stamp_ns) for path in (ours, theirs)]
    names = ["trade_id"] if "trade_id" in rows[0].column_names else rows[0].column_names
    known = {tuple(row.items()) for row in rows[1].select(names).to_pylist()}
    both = (row for row in rows[0].select(names).to_pylist() if tuple(row.items()) in known)
    row = next(both, None)
    if row is None:
        return ""
    return f"the trade {row['trade_id']}" if "trade_id" in row else f"the same row at {time_text(stamp_ns)}"


def _rows_at(path: Path, stamp_ns: int) -> pa.Table:
    stamp = pa.scalar(stamp_ns, pa.timestamp("ns", "UTC"))
    return pq.read_table(path, filters=pc.field("ts_init") == stamp)


class RowWriter(SpanWriter):
    """Writes book changes or trades from `EVENT` rows, in row groups of bounded size.

    Parameters
    ----------
    catalog : Path
    instrument : Instrument
        The engine's.
    kind : Kind
        What the rows must be.

    Examples
    --------
    >>> import tempfile
    >>> from fathom.data_catalog.catalog import Catalog
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> catalog, btc = Catalog(tempfile.mkdtemp()), default_instruments()["BTCUSDT"]
    >>> rows = np.zeros(2, dtype=EVENT)
    >>> rows["kind"], rows["side"], rows["size"], rows["price"], rows["ts_init"] = Kind.TRADE, 1, 5, 618_002, [10, 20]
    >>> with catalog.trade_writer(btc) as writer:
    ...     writer.write(rows, ["a", "b"])
    >>> writer.rows, catalog.spans()[0].last_ns
    (2, 20)
    """

    def __init__(self, catalog: Path, instrument: Any, kind: Kind) -> None:
        grid = Grid.of(instrument)
        book = kind == Kind.BOOK
        schema = book_schema(grid) if book else trade_schema(grid)
        super().__init__(catalog, BOOK if book else TRADES, grid.instrument_id, instrument, schema)
        self.grid = grid
        self.kind = kind
        self._pending: NDArray[np.void] = np.zeros(ROW_GROUP_ROWS, dtype=EVENT)
        self._count = 0
        self._ids: list[pa.Array] = []
        self._flags: list[pa.RecordBatch] = []

    def write(self, rows: NDArray[np.void], trade_ids: Any = None) -> None:
        """Append rows.

        Parameters
        ----------
        rows : EVENT array
            All of the writer's kind, ts_init never decreasing, sizes >= 0.
        trade_ids : list or array of text, optional
            One a row; trades need it.
        """
        if not len(rows):
            return
        self._check(rows)
        self._span(int(rows["ts_init"][0]), int(rows["ts_init"][-1]))
        if self.kind == Kind.TRADE:
            if trade_ids is None or len(trade_ids) != len(rows):
                raise CatalogError(f"Expected {len(rows)} trade ids, was {0 if trade_ids is None else len(trade_ids)}.")
            ids = trade_id_array(trade_ids)
            self._ids.append(ids)
            flagged = np.flatnonzero(rows["flags"])
            if len(flagged):
                self._flags.append(flags_batch(rows[flagged], ids.take(pa.array(flagged)), self.grid.instrument_id))
        start = 0
        while start < len(rows):
            count = min(len(rows) - start, ROW_GROUP_ROWS - self._count)
            self._pending[self._count : self._count + count] = rows[start : start + count]
            self._count += count
            start += count
            if self._count == ROW_GROUP_ROWS:
                self._flush()

    def _check(self, rows: NDArray[np.void]) -> None:
        last_ns = np.iinfo(np.int64).min if self.last_ns is None else self.last_ns
        bad, why = _first_bad_row(rows, int(self.kind), int(last_ns))
        if bad < 0:
            return
        row = rows[bad]
        if why == 1:
            raise CatalogError(f"Expected rows of kind {self.kind.name}, was {row['kind']}.")
        if why == 3:
            raise CatalogError(f"Expected a size >= 0, was {row['size']} lots at {time_text(int(row['ts_init']))}.")
        before = int(rows["ts_init"][bad - 1]) if bad else int(last_ns)
        raise CatalogError(
            f"Expected ts_init never to decrease, was {time_text(int(row['ts_init']))} after {time_text(before)}."
        )

    def _flush(self) -> None:
        if not self._count:
            return
        rows = self._pending[: self._count]
        if self.kind == Kind.BOOK:
            self._put(book_batch(rows, self.grid))
        else:
            ids = pa.concat_arrays(self._ids)
            self._put(trade_batch(rows, ids[: self._count], self.grid))
            self._ids = [ids[self._count :]]
        self._count = 0

    def _companions(self, staging: Staging, name: str) -> dict[str, str]:
        if not self._flags:
            return {}
        table = pa.Table.from_batches(self._flags)
        first, last = (int(table["ts_init"][i].value) for i in (0, -1))
        pq.write_table(table, staging.file("flags.parquet"), compression="zstd", compression_level=1)
        folder = f"{ENGINE_DATA}/{TRADE_FLAGS}/{folder_of(self.identifier)}"
        return {"flags.parquet": f"{folder}/{interval_name(first, last)}"}


class BarWriter(SpanWriter):
    """Writes bars of one bar type from `BAR` rows.

    Parameters
    ----------
    catalog : Path
    instrument : Instrument
        The engine's.
    bar_type : str
        Such as ``BTCUSDT-LINEAR.BYBIT-1-MINUTE-LAST-EXTERNAL``.

    Examples
    --------
    >>> import tempfile
    >>> from fathom.data_catalog.store.arrow import BAR
    >>> from fathom.data_catalog.catalog import Catalog
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> catalog = Catalog(tempfile.mkdtemp())
    >>> catalog.put_instrument(default_instruments()["BTCUSDT"])
    >>> with catalog.bar_writer("BTCUSDT-LINEAR.BYBIT-1-MINUTE-LAST-EXTERNAL") as writer:
    ...     writer.write(np.ones(1, dtype=BAR))
    >>> writer.rows
    1
    """

    def __init__(self, catalog: Path, instrument: Any, bar_type: str) -> None:
        grid = Grid.of(instrument)
        super().__init__(catalog, BARS, bar_type, instrument, bar_schema(grid, bar_type))
        self.grid = grid

    def write(self, bars: NDArray[np.void]) -> None:
        """Append bars (`BAR`), ts_init never decreasing."""
        if not len(bars):
            return
        times = bars["ts_init"]
        before = times[0] if self.last_ns is None else self.last_ns
        steps = np.diff(times, prepend=before)
        if (steps < 0).any():
            bad = int(np.argmax(steps < 0))
            raise CatalogError(
                f"Expected ts_init never to decrease, was {time_text(int(times[bad]))} at bar {bad + 1}."
            )
        self._span(int(times[0]), int(times[-1]))
        for start in range(0, len(bars), ROW_GROUP_ROWS):
            self._put(bar_batch(bars[start : start + ROW_GROUP_ROWS], self.grid, self.identifier))

    def _flush(self) -> None:
        pass


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)
