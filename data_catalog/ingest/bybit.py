"""Import Bybit's public archive files into a catalog, each once and each as a whole."""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import BadInputError, EmptyFileError, InstrumentError, OverlapError
from fathom.data_catalog.ingest.archive import Advance
from fathom.data_catalog.ingest.bybit_book import BookFile, Timing
from fathom.data_catalog.ingest.bybit_trades import TradeFile
from fathom.data_catalog.instruments import Grid, Instruments, default_instruments
from fathom.data_catalog.store.imported import Entry, Ledger, content_hash
from fathom.data_catalog.store.writers import RowWriter
from fathom.settings.times import interval_name

VENUE: Final = "BYBIT"

_SYMBOL: Final = r"(?P<symbol>[^\W_](?:[^\W_]|-){0,39}?)"
_DAY: Final = r"(?P<day>\d{4}-\d{2}-\d{2})"
_BOOK_NAME: Final = re.compile(rf"(?:{_DAY}_)?{_SYMBOL}_ob\d+\.data\.zip")
_TRADES_NAME: Final = re.compile(rf"{_SYMBOL}{_DAY}\.csv\.gz")


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive file and what its name says of it.

    Parameters
    ----------
    path : Path
    kind : {"book", "trades"}
    symbol : str
    day : date, optional

    Examples
    --------
    >>> Archive.of(Path("2024-12-01_XRPUSDT_ob500.data.zip")).symbol
    'XRPUSDT'
    >>> Archive.of(Path("1000PEPEUSDT2024-12-01.csv.gz")).symbol
    '1000PEPEUSDT'
    """

    path: Path
    kind: Literal["book", "trades"]
    symbol: str
    day: date | None = None

    @classmethod
    def of(cls, path: Path) -> "Archive":
        """Read a file's name; raises `BadInputError` if it is not the name of an archive file."""
        if match := _BOOK_NAME.fullmatch(path.name):
            return cls(path, "book", match["symbol"], _day(path, match["day"]))
        if match := _TRADES_NAME.fullmatch(path.name):
            return cls(path, "trades", match["symbol"], _day(path, match["day"]))
        raise BadInputError(
            "Expected the name of a Bybit archive file, such as 2024-12-01_XRPUSDT_ob500.data.zip (order book) or "
            f"XRPUSDT2024-12-01.csv.gz (trades), was '{path.name}'. Files of other shapes: fathom data import table.",
            file=path,
        )


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of one file.

    Parameters
    ----------
    entry : Entry
        As the ledger has it.
    secs : float
        Time it took.
    already : bool
        Whether the catalog held it before, so that nothing was written.

    Examples
    --------
    >>> entry = Entry("x.zip", "ab", 7, "book", "BTCUSDT-LINEAR.BYBIT", {}, 1_000, 5, 5, "data/x.parquet")
    >>> Imported(entry, secs=0.5, already=False).rows_per_sec
    2000.0
    """

    entry: Entry
    secs: float
    already: bool

    @property
    def rows_per_sec(self) -> float:
        """Rows written a second."""
        return self.entry.rows / self.secs if self.secs > 0 else 0.0

    @property
    def content(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self.entry) | {"secs": self.secs, "rows_per_sec": self.rows_per_sec, "already": self.already}


def plan(files: Iterable[Path], catalog: Catalog, instruments: Instruments | None = None) -> list[tuple[Archive, Any]]:
    """Find kind and instrument of each file, before any is read.

    Parameters
    ----------
    files : iterable of Path
    catalog : Catalog
        Its own instruments come first, where none are given.
    instruments : Instruments, optional
        Without it those of `configs/system/instruments.toml`.

    Raises
    ------
    BadInputError, InstrumentError
        A name that is no archive's, a symbol that nobody defines, or a contract that is not imported.
    """
    known = instruments or Instruments([*default_instruments().values(), *catalog.instruments()])
    planned = []
    for archive in map(Archive.of, files):
        try:
            planned.append((archive, known.of(archive.symbol, venue=VENUE)))
        except InstrumentError as error:
            raise InstrumentError(f"{archive.path}: {error}") from None
    return planned


def import_archive(
    archive: Archive,
    instrument: Any,
    catalog: Catalog,
    timing: Timing,
    advance: Advance = lambda size: None,
    *,
    strict: bool = False,
) -> Imported:
    """Bring one archive file into a catalog.

    Parameters
    ----------
    archive : Archive
    instrument : Instrument
        The engine's.
    catalog : Catalog
    timing : Timing
    advance : callable, optional
        Progress, called with bytes of the file read.
    strict : bool, default False
        Refuse a file with a fault that else is only told: a gap, a bad snapshot, a trade id that stands twice, ...

    Returns
    -------
    Imported

    Raises
    ------
    BadInputError
        The file is damaged, or holds what it should not; with line and value.
    OverlapError
        The catalog has other data of that instrument and time.
    InstrumentError
        The catalog defines the instrument otherwise.
    """
    started = time.perf_counter()
    path = archive.path
    if not path.is_file():
        raise BadInputError("Expected a file, was none.", file=path)
    digest, size = content_hash(path), path.stat().st_size
    ledger = Ledger(catalog.path)
    settings = asdict(timing)
    key = Entry.key_of(digest, archive.kind, str(instrument.id), settings)
    if (entry := ledger.find(key)) is not None:
        advance(size)
        return Imported(entry, time.perf_counter() - started, already=True)
    for other in ledger.entries():
        if other.sha256 == digest and other.instrument_id == str(instrument.id):
            raise OverlapError(
                f"Expected {path} with the settings of its import before ({_words(other.settings)}), was "
                f"{_words(settings)}. Use another catalog, or delete {catalog.path / other.place} first."
            )
    grid = Grid.of(instrument)
    source: BookFile | TradeFile

    def entry_of(writer: RowWriter) -> Entry:
        assert writer.first_ns is not None
        assert writer.last_ns is not None
        return Entry(
            file=path.name,
            sha256=digest,
            size=size,
            kind=archive.kind,
            instrument_id=grid.instrument_id,
            settings=settings,
            rows=writer.rows,
            first_ns=writer.first_ns,
            last_ns=writer.last_ns,
            place=f"{writer.folder}/{interval_name(writer.first_ns, writer.last_ns)}",
            notes=_notes(source),
            warnings=source.warnings(),
        )

    try:
        if archive.kind == "book":
            source = book = BookFile(path, archive.symbol, grid, timing, archive.day)
            with catalog.book_writer(instrument) as writer:
                for rows in book.read(advance):
                    writer.write(rows)
                _refuse(writer, path, book.faults() if strict else [])
                writer.also(ledger.place(key), lambda: Ledger.encode(entry_of(writer)))
        else:
            source = trades = TradeFile(path, archive.symbol, grid, timing, archive.day)
            with catalog.trade_writer(instrument) as writer:
                for rows, ids in trades.read(advance):
                    writer.write(rows, ids)
                _refuse(writer, path, trades.faults() if strict else [])
                writer.also(ledger.place(key), lambda: Ledger.encode(entry_of(writer)))
    except OverlapError:
        if (entry := ledger.find(key)) is not None:  # another process brought the same file meanwhile
            return Imported(entry, time.perf_counter() - started, already=True)
        raise
    return Imported(entry_of(writer), time.perf_counter() - started, already=False)


def _day(path: Path, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise BadInputError(
            f"Expected a day in the file's name, was '{text}'. Name it as Bybit does.", file=path
        ) from None


def _refuse(writer: RowWriter, path: Path, faults: list[str]) -> None:
    if writer.first_ns is None:
        raise EmptyFileError("Expected at least one level change or trade, was none.", file=path)
    if faults:
        raise BadInputError(f"Expected a file without faults (--strict), was one with {'; '.join(faults)}.", file=path)


def _notes(source: BookFile | TradeFile) -> dict[str, Any]:
    if isinstance(source, BookFile):
        return {
            "messages": source.messages,
            "snapshots": source.snapshots,
            "levels": source.levels,
            "breaks": source.breaks,
        }
    return {"rpi_column": source.has_rpi}


def _words(settings: Mapping[str, Any]) -> str:
    return f"--latency-ms {settings['latency_ns'] / 1e6:g} --max-clock-step-ms {settings['tolerance_ns'] / 1e6:g}"
