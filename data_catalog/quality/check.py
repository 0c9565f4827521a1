"""Check a catalog: is what lies in it true of a market, and can the engine replay it?"""

import bisect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from nautilus_trader.model import BarType
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError, InstrumentError
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.quality.book_audit import BookAudit
from fathom.data_catalog.quality.coverage import NS, bar_secs
from fathom.data_catalog.quality.findings import Checked, Example, Finding, Report
from fathom.data_catalog.quality.grid_repair import on_grid
from fathom.data_catalog.quality.row_audit import BarAudit, TradeAudit
from fathom.data_catalog.quality.tally import EXAMPLES
from fathom.data_catalog.store.arrow import bar_rows, book_rows, trade_rows
from fathom.data_catalog.store.imported import Ledger
from fathom.data_catalog.store.layout import BARS, BOOK, TRADES, parse_interval
from fathom.settings.times import time_text

_BATCH_ROWS: Final = 65_536


def check(
    catalog: Catalog,
    *,
    instrument_id: str | None = None,
    max_hole_secs: float = 60.0,
    on_rows: Callable[[int], None] | None = None,
) -> Report:
    """Read a catalog once and check every row of book changes, trades and bars, in bounded memory.

    Parameters
    ----------
    catalog : Catalog
    instrument_id : str, optional
        Check only this instrument's data.
    max_hole_secs : float, default 60
        How long a time without book changes, or without trades, may be.
    on_rows : callable, optional
        Called with the number of rows of each piece that was checked.

    Raises
    ------
    InstrumentError
        The catalog has no such instrument.
    """
    if instrument_id is not None:
        instrument_id = str(catalog.instrument(instrument_id).id)
    checked, findings = [], []
    for (data_type, identifier), files in catalog.held().items():
        if data_type not in (BOOK, TRADES, BARS):
            continue
        owner = str(BarType.from_str(identifier).instrument_id) if data_type == BARS else identifier
        if instrument_id not in (None, owner):
            continue
        one = _Check(catalog, data_type, identifier, owner, round(max_hole_secs * NS), on_rows)
        findings += one.run()
        checked.append(Checked(identifier, data_type, len(files), one.rows, one.messages))
    order = {"error": 0, "warning": 1, "info": 2}
    return Report(checked, sorted(findings, key=lambda finding: order[finding.severity]))


class _Check:
    """The check of one data type and identifier, file after file."""

    def __init__(
        self,
        catalog: Catalog,
        data_type: str,
        identifier: str,
        owner: str,
        max_hole_ns: int,
        on_rows: Callable[[int], None] | None,
    ) -> None:
        self.catalog = catalog
        self.data_type = data_type
        self.identifier = identifier
        self.owner = owner
        self.max_hole_ns = max_hole_ns
        self.on_rows = on_rows
        self.rows = 0
        self.messages = 0
        self._starts: list[int] = []
        self._files: list[Path] = []
        self._found: dict[str, list[Example]] = {}
        self._counts: dict[str, int] = {}

    def run(self) -> list[Finding]:
        files = self.catalog.files(self.data_type, self.identifier)
        try:
            instrument = self.catalog.instrument(self.owner)
        except InstrumentError as error:
            self._add("instrument_missing", 1, [Example("", files[0].name, 0, str(error))])
            return self._findings()
        self.grid = Grid.of(instrument)
        audit = self._audit()
        for path in files:
            self._starts.append(self.rows)
            self._files.append(path)
            try:
                for rows, batch in self._batches(path):
                    audit.update(rows) if isinstance(audit, BookAudit | BarAudit) else audit.update(rows, batch)
                    self.rows += len(rows)
                    if self.on_rows is not None:
                        self.on_rows(len(rows))
            except (pa.ArrowException, OSError, CatalogError, KeyError) as error:
                self._add("unreadable", 1, [Example("", path.name, 0, str(error))])
            if isinstance(audit, TradeAudit):
                audit.next_file()
        audit.finish()
        self._collect(audit)
        self._read_ledger()
        return self._findings()

    def _audit(self) -> BookAudit | TradeAudit | BarAudit:
        if self.data_type == BOOK:
            return BookAudit(self.max_hole_ns)
        if self.data_type == TRADES:
            return TradeAudit(self.max_hole_ns)
        secs = bar_secs(self.identifier)
        return BarAudit(None if secs == float("inf") else round(secs * NS))

    def _batches(self, path: Path) -> Iterator[tuple[NDArray[np.void], Any]]:
        decode = {BOOK: book_rows, TRADES: trade_rows, BARS: bar_rows}[self.data_type]
        sizes = ("volume",) if self.data_type == BARS else ("size",)
        prices = ("open", "high", "low", "close") if self.data_type == BARS else ("price",)
        with pq.ParquetFile(path) as file:
            self._check_metadata(path, file.schema_arrow.metadata or {})
            first_ns = last_ns = None
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                try:
                    rows = decode(batch, self.grid)
                except CatalogError:
                    rows = decode(self._repaired(path, batch, prices, sizes), self.grid)
                first_ns = int(rows["ts_init"][0]) if first_ns is None else first_ns
                last_ns = int(rows["ts_init"][-1])
                yield rows, batch
        named = parse_interval(path)
        if first_ns is not None and named != (first_ns, last_ns):
            detail = f"the rows go from {time_text(first_ns)} to {time_text(last_ns or 0)}"
            self._add("file_name_wrong", 1, [Example(time_text(first_ns), path.name, 0, detail)])

    def _repaired(self, path: Path, batch: Any, prices: tuple[str, ...], sizes: tuple[str, ...]) -> Any:
        columns = [*((name, self.grid.tick_raw) for name in prices), *((name, self.grid.lot_raw) for name in sizes)]
        for name, unit in columns:
            batch, bad = on_grid(batch, name, unit)
            kind = "size_off_lot" if name in sizes else "price_off_tick"
            times, first = batch.column("ts_init"), self.rows - self._starts[-1]
            examples = [Example(time_text(times[i].value), path.name, first + i, was) for i, was in bad[:EXAMPLES]]
            self._add(kind, len(bad), examples)
        return batch

    def _check_metadata(self, path: Path, metadata: Mapping[bytes, bytes]) -> None:
        for name, value in (("price", self.grid.price_precision), ("size", self.grid.size_precision)):
            stated = metadata.get(f"{name}_precision".encode())
            if stated is not None and stated != str(value).encode():
                detail = f"{name} precision {stated.decode()}, the instrument's is {value}"
                self._add("definition_mismatch", 1, [Example("", path.name, 0, detail)])

    def _collect(self, audit: BookAudit | TradeAudit | BarAudit) -> None:
        if isinstance(audit, BookAudit):
            self.messages = audit.messages
        for name in audit.checks:
            if (
                name in ("sequence_jump", "sequence_skipped")
                and isinstance(audit, BookAudit)
                and not audit.counts_by_one
            ):
                continue  # such as Bybit's cross sequence, which counts the whole venue's events
            count = audit.count(name)
            self._add(name, count, [self._example(name, *place) for place in audit.places(name)])

    def _read_ledger(self) -> None:
        kind = {BOOK: "book", TRADES: "trades", BARS: "bars"}[self.data_type]
        for entry in Ledger(self.catalog.path).entries():
            if (entry.kind, entry.instrument_id) == (kind, self.owner):
                for warning in entry.warnings:
                    self._add("import_warning", 1, [Example(time_text(entry.first_ns), entry.file, 0, warning)])
                if breaks := int(entry.notes.get("breaks", 0)):
                    self._add("update_ids_broken", breaks, [Example(time_text(entry.first_ns), entry.file, 0, "")])

    def _example(self, name: str, row: int, time_ns: int, one: int, two: int) -> Example:
        if name in ("time_backwards", "hole", "no_trades", "bars_missing", "bars_overlap"):
            detail = f"{(time_ns - one) / NS:,.3f} s after {time_text(one)}"
        elif name == "known_before_it_happened":
            detail = f"ts_event {time_text(one)}"
        elif name == "event_time_backwards":
            detail = f"{time_text(two)} after {time_text(one)}"
        elif name in ("crossed", "locked"):
            detail = f"bid {self.grid.price_text(one)}, ask {self.grid.price_text(two)}"
        elif name in ("size_negative", "size_zero", "trade_size_zero"):
            detail = f"price {self.grid.price_text(one)}, size {self.grid.size_text(two)}"
        elif name in ("unknown_level_deleted", "level_repeated", "snapshot_level_repeated", "side_missing"):
            detail = f"{('', 'bid', 'ask')[two]} {self.grid.price_text(one)}"
        elif name.startswith("sequence"):
            detail = f"{one}" if name == "sequence_repeated" else f"{two} after {one}"
        elif name == "one_sided":
            detail = f"{one} bids, {two} asks"
        else:
            detail = ""
        number = bisect.bisect_right(self._starts, row) - 1
        return Example(time_text(time_ns), self._files[number].name, row - self._starts[number], detail)

    def _add(self, name: str, count: int, examples: list[Example]) -> None:
        if count:
            self._counts[name] = self._counts.get(name, 0) + count
            kept = self._found.setdefault(name, [])
            kept += examples[: EXAMPLES - len(kept)]

    def _findings(self) -> list[Finding]:
        return [
            Finding(self.identifier, self.data_type, name, count, self._found[name])
            for name, count in self._counts.items()
        ]
