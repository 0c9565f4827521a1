"""Import one trades archive of Bybit: a gzipped CSV, with or without an RPI column, oldest or newest first."""

import tempfile
from collections.abc import Iterator
from datetime import date
from decimal import InvalidOperation
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
from numpy.typing import NDArray
from pandas.util import hash_array

from fathom.data_catalog.errors import BadInputError, EmptyFileError, InstrumentError
from fathom.data_catalog.ingest.archive import CHUNK_BYTES, Advance, GzipFile
from fathom.data_catalog.ingest.bybit_book import Timing, times_near, times_of
from fathom.data_catalog.ingest.bybit_lines import MAX_MS, MS
from fathom.data_catalog.ingest.bybit_message import milliseconds
from fathom.data_catalog.ingest.csv_errors import malformed_csv
from fathom.data_catalog.ingest.decimal_text import Step, parse_decimals
from fathom.data_catalog.ingest.odd_rows import Odd, repeated_ids
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.store.arrow import TRADE_ID, TRADE_ID_WORDS
from fathom.market.events import EVENT, Kind, Side, TradeFlag
from fathom.pages.formats import counted
from fathom.settings.decimals import decimal_of
from fathom.settings.nearest import nearest
from fathom.settings.times import time_text

type TradeBatch = tuple[NDArray[np.void], pa.Array]
"""Rows (`EVENT`) and their trade ids."""

_NEEDED: Final = ("timestamp", "symbol", "side", "size", "price", "trdMatchID")
_UNUSED: Final = ("tickDirection", "grossValue", "homeNotional", "foreignNotional")
_RPI: Final = "RPI"
_KNOWN: Final = (*_NEEDED, *_UNUSED, _RPI)
_NANOSECONDS: Final = Step(places=9, mantissa=1)
_MAX_NS: Final = MAX_MS * MS
_FALSE: Final = ("0", "false", "False", "FALSE", "")
_TRUE: Final = ("1", "true", "True", "TRUE")


class TradeFile:
    """The rows of a trades archive.

    Parameters
    ----------
    path : Path
        Such as ``BTCUSDT2024-08-08.csv.gz``.
    symbol : str
        That every trade must have.
    grid : Grid
        Of the instrument.
    timing : Timing
    day : date, optional
        That its name states: every stamp must lie within a day of it.

    Examples
    --------
    >>> import gzip
    >>> path = Path(tempfile.mkdtemp()) / "XRPUSDT2024-12-01.csv.gz"
    >>> text = "timestamp,symbol,side,size,price,trdMatchID,RPI\\n1733011200.5891,XRPUSDT,Sell,7,1.9531,a-1,1\\n"
    >>> _ = path.write_bytes(gzip.compress(text.encode()))
    >>> grid = Grid("XRPUSDT-LINEAR.BYBIT", tick_raw=10**12, lot_raw=10**16, price_precision=4, size_precision=0)
    >>> trades = TradeFile(path, "XRPUSDT", grid, Timing())
    >>> for rows, ids in trades.read(lambda size: None):
    ...     print(rows["ts_event"], rows["price"], rows["flags"], ids.to_pylist())
    [1733011200589100000] [19531] [1] ['a-1']
    >>> trades.has_rpi
    True
    """

    def __init__(self, path: Path, symbol: str, grid: Grid, timing: Timing, day: date | None = None) -> None:
        self.path = path
        self.symbol = symbol
        self.grid = grid
        self.timing = timing
        self.has_rpi = False
        self.newest_first = False
        self.trades = 0
        self.held = 0
        self._span_ns = (0, _MAX_NS) if day is None else times_near(day)
        self._day_ns = (0, _MAX_NS + 1) if day is None else times_of(day)
        self._other_day: Odd | None = None
        self._ids: list[NDArray[np.uint64]] = []
        self._last = -1

    def read(self, advance: Advance) -> Iterator[TradeBatch]:
        """Yield rows and trade ids, oldest first; raises `BadInputError` with the line."""
        batches = self._batches(advance)
        first = next(batches, None)
        if first is None:
            raise EmptyFileError("Expected at least one trade, was none.", file=self.path)
        times = first[0]["ts_event"]
        self.newest_first = bool(times[0] > times[-1])
        if self.newest_first:
            yield from self._reversed(first, batches)
            return
        yield self._in_order(first, 2)
        line = 2 + len(times)
        for batch in batches:
            yield self._in_order(batch, line)
            line += len(batch[0])

    def faults(self) -> list[str]:
        """Return what no file should hold, in words with line and value."""
        found = []
        if self._other_day is not None:
            found.append(self._other_day.words("trade", "of another day than the file's name"))
        if (again := repeated_ids(self._ids, first_line=2)) is not None:
            found.append(again.words("trade id", "again (the trades may be doubled)"))
        return found

    def warnings(self) -> list[str]:
        """Return what a user should know of the file, in words: its faults, and what was put right."""
        found = self.faults()
        if self.newest_first:
            found.append("listed newest first: the order was reversed")
        if self.held:
            found.append(
                f"{counted(self.held, 'trade')} stamped a little before the one before; their ts_init was held"
            )
        return found

    def _in_order(self, batch: TradeBatch, line: int, step: int = 1) -> TradeBatch:
        # `line` is the line of the first row; in a reversed file the lines count down.
        rows, ids = batch
        times = rows["ts_event"]
        peaks = np.maximum.accumulate(np.maximum(times, self._last))
        back = np.empty_like(times)
        back[0] = self._last - times[0]
        back[1:] = peaks[:-1] - times[1:]
        bad = np.flatnonzero(back > self.timing.tolerance_ns)
        if len(bad):
            where = int(bad[0])
            late = milliseconds(int(back[where]))
            remedy = f"If the recording's clock is known to step, allow it with --max-clock-step-ms {late}."
            known = hash_array(np.array([ids[where].as_py()], object))[0]
            if sum(int(np.count_nonzero(part == known)) for part in self._ids) > 1:
                remedy = f"The trade {ids[where]} stands in the file twice: fetch the file again."
            raise BadInputError(
                f"Expected 'timestamp' not to run {'forwards' if step < 0 else 'backwards'}, was "
                f"{time_text(int(times[where]))}, {late} ms out of order. {remedy}",
                file=self.path,
                line=line + step * where,
            )
        self.held += int(np.count_nonzero(back > 0))
        self._last = int(peaks[-1])
        rows["ts_init"] = peaks + self.timing.latency_ns
        self.trades += len(rows)
        return rows, ids

    def _reversed(self, first: TradeBatch, batches: Iterator[TradeBatch]) -> Iterator[TradeBatch]:
        # The oldest trade ends a file that may be larger than memory: put the batches aside, take them backwards.
        with tempfile.TemporaryFile() as aside:
            schema = pa.schema([("rows", pa.binary(EVENT.itemsize)), ("ids", pa.string())])
            with pa.ipc.new_file(aside, schema) as writer:
                for rows, ids in chain((first,), batches):
                    writer.write_batch(_packed(rows, ids, schema))
            reader = pa.ipc.open_file(aside)
            stored = range(reader.num_record_batches)
            line = 1 + sum(reader.get_batch(number).num_rows for number in stored)
            for number in reversed(stored):
                batch = reader.get_batch(number)
                rows = np.frombuffer(batch.column("rows").buffers()[1], dtype=EVENT)[: batch.num_rows][::-1].copy()
                backwards = pa.array(np.arange(batch.num_rows - 1, -1, -1))
                yield self._in_order((rows, batch.column("ids").take(backwards)), line, step=-1)
                line -= batch.num_rows

    def _batches(self, advance: Advance) -> Iterator[TradeBatch]:
        with GzipFile(self.path, advance) as file:
            reader = self._open(file)
            line = 2
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                except pa.ArrowInvalid as error:
                    raise malformed_csv(error, self.path) from error
                if batch.num_rows:
                    yield self._rows(batch, line)
                    line += batch.num_rows

    def _open(self, file: GzipFile) -> Any:
        try:
            reader = pcsv.open_csv(
                file,
                read_options=pcsv.ReadOptions(use_threads=False, block_size=CHUNK_BYTES),
                convert_options=pcsv.ConvertOptions(
                    column_types={name: pa.string() for name in _KNOWN}, strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            raise malformed_csv(error, self.path) from error
        names = reader.schema.names
        for name in names:
            if name not in _KNOWN or names.count(name) > 1:
                hint = nearest(name, [known for known in _KNOWN if known != name])
                raise BadInputError(f"Expected a known column once, was '{name}'. {hint}", file=self.path, line=1)
        missing = [name for name in _NEEDED if name not in names]
        if missing:
            raise BadInputError(
                f"Expected column '{missing[0]}', was none. Columns: {', '.join(names)}.", file=self.path, line=1
            )
        self.has_rpi = _RPI in names
        return reader

    def _rows(self, batch: pa.RecordBatch, line: int) -> TradeBatch:
        rows = np.zeros(batch.num_rows, dtype=EVENT)
        rows["kind"] = Kind.TRADE
        self._require(pc.equal(batch["symbol"], self.symbol), batch["symbol"], line, f"symbol {self.symbol}", "symbol")
        side = pc.index_in(batch["side"], value_set=pa.array(["Buy", "Sell"]))
        self._require(side.is_valid(), batch["side"], line, "'Buy' or 'Sell'", "side")
        rows["side"] = side.to_numpy(zero_copy_only=False) + int(Side.BUY)
        rows["ts_event"] = rows["ts_init"] = self._times(batch["timestamp"], line)
        rows["price"] = self._counts(batch["price"], "price", line)
        rows["size"] = self._counts(batch["size"], "size", line)
        if line == 2:
            self._refuse_inverse(batch)
        ids = batch["trdMatchID"]
        self._require(pc.match_substring_regex(ids, TRADE_ID), ids, line, TRADE_ID_WORDS, "trdMatchID")
        if self.has_rpi:
            flag = pc.index_in(batch[_RPI], value_set=pa.array([*_FALSE, *_TRUE]))
            self._require(flag.is_valid(), batch[_RPI], line, "0, 1, true or false", _RPI)
            rows["flags"] = (flag.to_numpy(zero_copy_only=False) >= len(_FALSE)) * int(TradeFlag.RPI)
        self._ids.append(hash_array(ids.to_numpy(zero_copy_only=False)))
        return rows, ids

    def _refuse_inverse(self, batch: pa.RecordBatch) -> None:
        # The notional says what a size counts: of a linear contract it is size x price, of an inverse one the size.
        if not {"homeNotional", "foreignNotional"} <= set(batch.schema.names):
            return
        size, price, home, foreign = (
            pc.cast(batch[name], pa.float64(), safe=False)[0].as_py()
            for name in ("size", "price", "homeNotional", "foreignNotional")
        )
        if foreign == size != home and abs(home * price / size - 1) < 1e-3:
            raise BadInputError(
                f"Expected trades of a linear contract, was an inverse one: 'foreignNotional' {foreign:g} is the size, "
                "so sizes count the quote currency. Fathom does not import inverse contracts.",
                file=self.path,
                line=2,
            )

    def _require(self, good: Any, column: Any, line: int, expected: str, name: str) -> None:
        if not pc.all(good).as_py():
            bad = pc.index(good, False).as_py()
            raise BadInputError(
                f"Expected {expected} in '{name}', was '{column[bad]}'.", file=self.path, line=line + bad
            )

    def _times(self, column: Any, line: int) -> NDArray[np.int64]:
        times = np.zeros(len(column), dtype=np.int64)
        bad = parse_decimals(column, _NANOSECONDS, times)
        while bad >= 0:
            text = str(column[bad])
            try:
                exact = decimal_of(text).scaleb(9)
                good = 0 <= exact <= _MAX_NS and exact == int(exact)
            except (InvalidOperation, ValueError, OverflowError):
                good = False
            if not good:
                raise BadInputError(
                    "Expected 'timestamp' in seconds with up to 9 decimals, such as 1723161256.523, "
                    f"was '{text[:60]}'.",
                    file=self.path,
                    line=line + bad,
                )
            times[bad] = int(exact)
            bad = parse_decimals(column, _NANOSECONDS, times, bad + 1)
        earliest, latest = self._span_ns
        start, end = self._day_ns
        if len(odd := np.flatnonzero((times < start) | (times >= end))):
            first = Odd(0, line + int(odd[0]), time_text(int(times[odd[0]])))
            self._other_day = (self._other_day or first).plus(len(odd))
        if len(outside := np.flatnonzero((times < earliest) | (times > latest))):
            where = int(outside[0])
            raise BadInputError(
                f"Expected 'timestamp' in seconds from {time_text(earliest)} to {time_text(latest)}, was "
                f"'{column[where]}'. Check its unit, and the day in the file's name.",
                file=self.path,
                line=line + where,
            )
        return times

    def _counts(self, column: Any, name: str, line: int) -> NDArray[np.int64]:
        price = name == "price"
        step = Step.of_price(self.grid.tick_raw) if price else Step.of_size(self.grid.lot_raw)
        counts = np.zeros(len(column), dtype=np.int64)
        bad = parse_decimals(column, step, counts)
        while bad >= 0:
            text = str(column[bad])
            try:
                counts[bad] = self.grid.ticks(text) if price else self.grid.lots(text)
            except InstrumentError as error:
                raise BadInputError(
                    f"'{name}': {error} Check tick and lot of the instrument (--instruments FILE).",
                    file=self.path,
                    line=line + bad,
                ) from None
            bad = parse_decimals(column, step, counts, bad + 1)
        if (counts <= 0).any():
            bad = int(np.argmax(counts <= 0))
            raise BadInputError(
                f"Expected a {name} above 0 in '{name}', was '{column[bad]}'.", file=self.path, line=line + bad
            )
        return counts


def _packed(rows: NDArray[np.void], ids: pa.Array, schema: pa.Schema) -> pa.RecordBatch:
    blobs = pa.FixedSizeBinaryArray.from_buffers(schema.field("rows").type, len(rows), [None, pa.py_buffer(rows)])
    return pa.RecordBatch.from_arrays([blobs, ids], schema=schema)
