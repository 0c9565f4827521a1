"""The catalog: market data in the engine's Parquet layout, written and read as event rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fathom.data_catalog.errors import CatalogError, InstrumentError
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.store.arrow import BAR, bar_rows, book_rows, trade_rows
from fathom.data_catalog.store.definitions import held_instruments, is_held, stage_instrument
from fathom.data_catalog.store.flag_lookup import FlagLookup
from fathom.data_catalog.store.layout import (
    ALERTS,
    BARS,
    BOOK,
    ENGINE_DATA,
    TRADE_FLAGS,
    TRADES,
    Span,
    folder_of,
    identifier_of,
    parse_interval,
)
from fathom.data_catalog.store.merge import merge_by_time
from fathom.data_catalog.store.reading import open_parquet, read_rows
from fathom.data_catalog.store.staging import Staging, recover
from fathom.data_catalog.store.tables import Moment, bar_table, book_table, message_table, time_ns, trade_table
from fathom.data_catalog.store.writers import BarWriter, RowWriter
from fathom.market.events import EVENT, Kind
from fathom.settings.nearest import nearest

_DATA_FOLDERS = {BOOK, TRADES, BARS, "quotes", "order_book_depths", "mark_prices", "index_prices", "custom"}


class Catalog:
    """A folder of market data that the engine's backtests and Fathom's training both read.

    Parameters
    ----------
    path : Path or str
        Made at the first write.

    Examples
    --------
    >>> import tempfile
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> catalog = Catalog(tempfile.mkdtemp())
    >>> catalog.put_instrument(default_instruments()["BTCUSDT"])
    >>> [str(instrument.id) for instrument in catalog.instruments()]
    ['BTCUSDT-LINEAR.BYBIT']
    >>> catalog.instrument("BTCUSD-LINEAR.BYBIT")
    Traceback (most recent call last):
    fathom.data_catalog.errors.InstrumentError: Expected an instrument of the catalog, was 'BTCUSD-LINEAR.BYBIT'. Did you mean 'BTCUSDT-LINEAR.BYBIT'?

    A table has real prices and UTC times, and becomes a data frame by `to_pandas()`.

    >>> rows = np.zeros(1, EVENT)
    >>> rows["kind"], rows["side"], rows["price"], rows["size"] = Kind.TRADE, 1, 618_002, 2_909
    >>> rows["ts_event"] = rows["ts_init"] = 1_723_161_600_000_000_000
    >>> with catalog.trade_writer(catalog.instruments()[0]) as writer:
    ...     writer.write(rows, ["1"])
    >>> trades = catalog.trades("BTCUSDT-LINEAR.BYBIT", start="2024-08-09").to_pandas()
    >>> print(trades[["ts_event", "side", "price", "size"]].to_string(index=False))
                     ts_event side   price  size
    2024-08-09 00:00:00+00:00  BUY 61800.2 2.909
    """  # noqa: E501

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    # --- instruments

    def put_instrument(self, instrument: Any) -> None:
        """Store an instrument; storing the same one again changes nothing.

        Raises
        ------
        InstrumentError
            The catalog holds another definition under the same id.
        """
        if is_held(self.path, instrument):
            return
        with Staging(self.path) as staging:
            moves = stage_instrument(staging.folder, instrument)
            staging.commit(lambda: {} if is_held(self.path, instrument) else moves)

    def instruments(self) -> list[Any]:
        """Return the engine's instruments, in order of their ids."""
        recover(self.path)
        return list(held_instruments(self.path).values())

    def instrument(self, instrument_id: str) -> Any:
        """Return one instrument; raises `InstrumentError` with the nearest name if there is none."""
        recover(self.path)
        by_id = held_instruments(self.path)
        if str(instrument_id) in by_id:
            return by_id[str(instrument_id)]
        hint = nearest(str(instrument_id), sorted(by_id), cutoff=0.5) if by_id else "It holds: none."
        raise InstrumentError(f"Expected an instrument of the catalog, was '{instrument_id}'. {hint}")

    # --- writing

    def book_writer(self, instrument: Any) -> RowWriter:
        """Return a writer of book changes; the instrument is stored with the first of them."""
        return RowWriter(self.path, instrument, Kind.BOOK)

    def trade_writer(self, instrument: Any) -> RowWriter:
        """Return a writer of trades; the instrument is stored with the first of them."""
        return RowWriter(self.path, instrument, Kind.TRADE)

    def bar_writer(self, bar_type: Any) -> BarWriter:
        """Return a writer of bars of a bar type (text or the engine's), whose instrument the catalog must hold."""
        return BarWriter(self.path, self.instrument(_instrument_of(str(bar_type))), str(bar_type))

    # --- tables for people

    def trades(self, instrument_id: str, *, start: Moment = None, end: Moment = None) -> pa.Table:
        """Return trades as a table: `ts_event`, `ts_init`, `side` of the aggressor, `price`, `size`, `flags`.

        Parameters
        ----------
        instrument_id : str
        start, end : str, datetime or pandas Timestamp, optional
            First and last `ts_init`, both included; in UTC where they name no time zone. The table is held in memory,
            about 40 bytes a row: name a span of a large catalog.

        Raises
        ------
        CatalogError
            The catalog has no such instrument, or no such data of it at any time.
        """
        return self._events_table(TRADES, instrument_id, start, end)

    def book(self, instrument_id: str, *, start: Moment = None, end: Moment = None) -> pa.Table:
        """Return the changes of the book as a table: a row sets the `size` of the level at `side` and `price`.

        `action` is `CLEAR` where a snapshot begins. For `start`, `end` and errors see `trades`.
        """
        return self._events_table(BOOK, instrument_id, start, end)

    def bars(self, bar_type: str, *, start: Moment = None, end: Moment = None) -> pa.Table:
        """Return bars as a table, by bar type, or by instrument id where the catalog holds one bar type of it.

        The times are those of the close. For `start`, `end` and errors see `trades`.
        """
        held = [name for data_type, name in self.held() if data_type == BARS]
        fitting = [name for name in held if name.startswith(f"{bar_type}-")]
        if bar_type not in held:
            if len(fitting) != 1:
                known = ", ".join(fitting or held) or "none"
                raise CatalogError(
                    f"Expected one of the bar types in {self.path}, was '{bar_type}'. It holds: {known}."
                )
            bar_type = fitting[0]
        grid = Grid.of(self.instrument(_instrument_of(bar_type)))
        span = time_ns(start), time_ns(end)
        rows = read_rows(self.files(BARS, bar_type), lambda batch: bar_rows(batch, grid), *span)
        return bar_table(np.concatenate([np.zeros(0, BAR), *rows]), grid)

    def alerts(self, instrument_id: str, *, start: Moment = None, end: Moment = None) -> pa.Table:
        """Return the stored alerts of manipulation as a table; `source` is the detection run or the actor.

        The columns are the fields of `fathom.data_catalog.messages.detections.ManipulationAlert`. For `start`, `end`
        and errors see `trades`.
        """
        name = str(self.instrument(instrument_id).id)
        files = [
            (identifier.removeprefix(name).removeprefix(".") or "detect run", path)
            for (data_type, identifier), paths in self.held().items()
            if data_type == ALERTS and (identifier == name or identifier.startswith(f"{name}."))
            for path in paths
        ]
        if not files:
            raise CatalogError(
                f"Expected stored alerts of {name} in {self.path}, was none. "
                f"Find and store some: fathom detect run, with store = true."
            )
        return message_table(files, time_ns(start), time_ns(end))

    def _events_table(self, data_type: str, instrument_id: str, start: Moment, end: Moment) -> pa.Table:
        grid = Grid.of(self.instrument(instrument_id))
        if not self.files(data_type, grid.instrument_id):
            known = ", ".join(sorted({kind for kind, name in self.held() if name == grid.instrument_id})) or "nothing"
            raise CatalogError(
                f"Expected {data_type} of {grid.instrument_id} in {self.path}, was none. It holds: {known}."
            )
        is_book = data_type == BOOK
        parts = self.events(
            instrument_id, start_ns=time_ns(start), end_ns=time_ns(end), book=is_book, trades=not is_book
        )
        rows = np.concatenate([np.zeros(0, EVENT), *parts])
        return book_table(rows, grid) if is_book else trade_table(rows, grid)

    # --- reading

    def events(
        self,
        instrument_id: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        book: bool = True,
        trades: bool = True,
        flags: bool = True,
        batch_rows: int = 262_144,
    ) -> Iterator[NDArray[np.void]]:
        """Stream an instrument's events in order of ts_init, in bounded memory.

        Parameters
        ----------
        instrument_id : str
        start_ns, end_ns : int, optional
            First and last ts_init wanted, both included.
        book, trades : bool, default True
            What to read. Of events with equal ts_init, book changes come before trades, each in their own order.
        flags : bool, default True
            Whether the trades get their flags; else they are 0.
        batch_rows : int
            The most rows an array may have.

        Yields
        ------
        EVENT array
            Never empty. A message may be split between two arrays.

        Raises
        ------
        InstrumentError
            The catalog has no such instrument.
        """
        grid = Grid.of(self.instrument(instrument_id))
        name, span = grid.instrument_id, (start_ns, end_ns)
        sources: list[Iterator[NDArray[np.void]]] = []
        if book:
            sources.append(read_rows(self.files(BOOK, name), lambda batch: book_rows(batch, grid), *span))
        if trades:
            lookup = FlagLookup(self.files(TRADE_FLAGS, name) if flags else [])
            flagged = read_rows(
                self.files(TRADES, name), lambda batch: lookup.put(batch, trade_rows(batch, grid)), *span
            )
            sources.append(flagged)
        for rows in merge_by_time(*sources):
            for start in range(0, len(rows), batch_rows):
                yield rows[start : start + batch_rows]

    def bar_rows(self, bar_type: str, *, start_ns: int | None = None, end_ns: int | None = None) -> NDArray[np.void]:
        """Return the bars (`fathom.data_catalog.store.arrow.BAR`) of a bar type, in order of ts_init."""
        grid = Grid.of(self.instrument(_instrument_of(bar_type)))
        parts = list(read_rows(self.files(BARS, bar_type), lambda batch: bar_rows(batch, grid), start_ns, end_ns))
        if not parts:
            raise CatalogError(f"Expected bars of {bar_type} in {self.path}, was none.")
        return np.concatenate(parts)

    def spans(self) -> list[Span]:
        """Return what the catalog holds: one `Span` a data type and identifier, in that order."""
        spans = []
        for (data_type, identifier), paths in self.held().items():
            times = [parse_interval(path) for path in paths]
            first, last = min(start for start, _ in times), max(end for _, end in times)
            spans.append(Span(data_type, identifier, first, last, sum(map(_row_count, paths)), len(paths)))
        return spans

    def held(self) -> dict[tuple[str, str], list[Path]]:
        """Return the files by data type and identifier, in that order, without opening any."""
        recover(self.path)
        data = self.path / ENGINE_DATA
        found: dict[tuple[str, str], list[Path]] = {}
        for path in sorted(data.rglob("*.parquet")):
            folder = path.parent.relative_to(data)
            if folder.parts[0] not in _DATA_FOLDERS:
                continue  # definitions of instruments
            found.setdefault((folder.parent.as_posix(), identifier_of(folder.name)), []).append(path)
        return dict(sorted(found.items()))

    def files(self, data_type: str, identifier: str) -> list[Path]:
        """Return the files of a data type and identifier, in order of time."""
        recover(self.path)
        folder = self.path / ENGINE_DATA / data_type / folder_of(identifier)
        return sorted(folder.glob("*.parquet"), key=parse_interval)


def _row_count(path: Path) -> int:
    with open_parquet(path) as file:
        return int(file.metadata.num_rows)


def _instrument_of(bar_type: str) -> str:
    parts = bar_type.rsplit("-", 4)
    if len(parts) != 5:
        raise CatalogError(
            f"Expected a bar type such as BTCUSDT-LINEAR.BYBIT-1-MINUTE-LAST-EXTERNAL, was '{bar_type}'."
        )
    return parts[0]
