"""Import bars (open, high, low, close, volume) from CSV or Parquet."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from nautilus_trader.model import BarAggregation, BarType
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.ingest.cells import TimeUnit, counts, float_numbers, times_ns
from fathom.data_catalog.ingest.once import Once
from fathom.data_catalog.ingest.table_file import Naming, OnProgress, TableFile
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.store.arrow import BAR
from fathom.data_catalog.store.writers import BarWriter
from fathom.settings.times import time_text

type Stamp = Literal["open", "close"]
type VolumeUnit = Literal["base", "quote"]

COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume")
_PRICES: Final = ("open", "high", "low", "close")
_UNEVEN: Final = (BarAggregation.MONTH, BarAggregation.YEAR)


@dataclass(frozen=True, slots=True)
class BarsImport:
    """What an import brought into the catalog.

    Parameters
    ----------
    bars : int
    already : bool
        Whether the file had been imported before, so that nothing was written.

    Examples
    --------
    >>> BarsImport(45_031).already
    False
    """

    bars: int
    already: bool = False


def bar_type_of(instrument: Any, bar: str) -> BarType:
    """Return the bar type of an instrument for a text such as ``1-MINUTE-LAST-EXTERNAL``.

    Raises
    ------
    CatalogError
        The engine knows no such bars, or builds them itself (INTERNAL).

    Examples
    --------
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> str(bar_type_of(default_instruments()["BTCUSD"], "1-MINUTE-LAST-EXTERNAL"))
    'BTCUSD.BITSTAMP-1-MINUTE-LAST-EXTERNAL'
    """
    text = bar if bar.startswith(f"{instrument.id}-") else f"{instrument.id}-{bar}"
    try:
        bar_type = BarType.from_str(text)
    except ValueError as error:
        raise CatalogError(f"Expected bars such as 1-MINUTE-LAST-EXTERNAL, was '{bar}': {error}") from None
    if not bar_type.is_externally_aggregated():
        raise CatalogError(
            f"Expected EXTERNAL bars, which come from a file, was '{bar}'. INTERNAL bars need no import."
        )
    return bar_type


def import_bars(
    catalog: Catalog,
    instrument: Any,
    file: Path,
    *,
    bar: str,
    stamp: Stamp,
    volume_unit: VolumeUnit = "base",
    round_volume: bool = False,
    naming: Naming | None = None,
    time_unit: TimeUnit | None = None,
    on_progress: OnProgress | None = None,
) -> BarsImport:
    """Bring a file of bars into a catalog: all of it or nothing, and once.

    A bar is known when it closes: its ts_event and ts_init are its close, also where the file states its open.

    Parameters
    ----------
    catalog : Catalog
    instrument : engine instrument
        Its tick and lot are the grid on which every price and volume must lie.
    file : Path
        Parquet or CSV with timestamp, open, high, low, close, volume.
    bar : str
        Such as ``1-MINUTE-LAST-EXTERNAL``.
    stamp : {"open", "close"}
        Which end of the bar the timestamp is.
    volume_unit : {"base", "quote"}
        A volume in the quote currency is divided by the bar's typical price, (high + low + close) / 3, and rounded to
        the nearest lot: an estimate, as the prices of the bar's trades are not known.
    round_volume : bool, default False
        Round a base volume that is not a multiple of the lot, instead of refusing it.
    naming : Naming, optional
        How the file calls its columns.
    time_unit : {"s", "ms", "us", "ns"}, optional
        What timestamps count that are plain numbers.
    on_progress : callable, optional
        Called with the share that is read.

    Returns
    -------
    BarsImport

    Raises
    ------
    BadInputError
        The file cannot be read, a bar contradicts itself (high below close), or bars overlap.
    OverlapError
        The catalog has other bars of that type and time.
    """
    bar_type = bar_type_of(instrument, bar)
    step_ns = _step_ns(bar_type)
    shift_ns = 0
    if stamp == "open":
        if step_ns is None or bar_type.spec.aggregation in _UNEVEN:
            raise CatalogError(f"Expected bars of one length to find the close of each, was {bar}. State the closes.")
        shift_ns = step_ns
    naming = (naming or Naming()).part("bars", {"bars": COLUMNS})
    table = TableFile(file, COLUMNS, (), naming)
    settings = {
        "bar": str(bar_type),
        "stamp": stamp,
        "volume_unit": volume_unit,
        "round_volume": round_volume,
        "map": dict(naming.mapping),
        "ignore": list(naming.ignore),
        "time_unit": time_unit,
    }
    once = Once(catalog.path, file, "bars", str(instrument.id), settings)
    if once.earlier is not None:
        return BarsImport(once.earlier.rows, already=True)
    with BarWriter(catalog.path, instrument, str(bar_type)) as writer:
        rows = _rows(table, Grid.of(instrument), volume_unit, round_volume, time_unit, on_progress)
        last_ns: int | None = None
        for first, bars in rows:
            bars["ts_event"] += shift_ns
            bars["ts_init"] = bars["ts_event"]
            _refuse_overlap(table, first, bars["ts_init"], last_ns, step_ns or 0)
            last_ns = int(bars["ts_init"][-1])
            writer.write(bars)
        once.record(writer, {})
    return BarsImport(writer.rows)


def _step_ns(bar_type: BarType) -> int | None:
    spec = bar_type.spec
    if not spec.is_time_aggregated():
        return None
    shortest = {BarAggregation.MONTH: 28, BarAggregation.YEAR: 365}.get(spec.aggregation)
    return int(spec.get_interval_ns()) if shortest is None else spec.step * shortest * 86_400 * 10**9


def _rows(
    table: TableFile,
    grid: Grid,
    volume_unit: VolumeUnit,
    round_volume: bool,
    time_unit: TimeUnit | None,
    on_progress: OnProgress | None,
) -> Iterator[tuple[int, NDArray[np.void]]]:
    for first, batch in table.batches(on_progress):
        bars = np.zeros(batch.num_rows, dtype=BAR)
        bars["ts_event"] = table.convert(first, batch, "timestamp", lambda cells: times_ns(cells, time_unit))
        for name in _PRICES:
            bars[name] = table.convert(first, batch, name, lambda cells: counts(cells, grid.tick_raw, "price"))
            _refuse(table, first, batch, name, bars[name] <= 0, "a price > 0")
        _refuse(table, first, batch, "high", bars["high"] < _extreme(bars, np.maximum), "the highest of the prices")
        _refuse(table, first, batch, "low", bars["low"] > _extreme(bars, np.minimum), "the lowest of the prices")
        if volume_unit == "base" and not round_volume:
            bars["volume"] = table.convert(first, batch, "volume", lambda cells: counts(cells, grid.lot_raw, "volume"))
        else:
            volume = table.convert(first, batch, "volume", lambda cells: float_numbers(cells, "volume"))
            if volume_unit == "quote":
                volume = volume / (_typical_ticks(bars) * grid.tick)
            lots = np.rint(volume / grid.lot)
            _refuse(table, first, batch, "volume", np.abs(lots) > 2.0**62, "a volume that a number of lots can hold")
            bars["volume"] = lots.astype(np.int64)
        _refuse(table, first, batch, "volume", bars["volume"] < 0, "a volume >= 0")
        yield first, bars


def _extreme(bars: NDArray[np.void], choose: np.ufunc) -> Any:
    return choose.reduce([bars[name] for name in _PRICES])


def _typical_ticks(bars: NDArray[np.void]) -> NDArray[np.float64]:
    return np.asarray((bars["high"] + bars["low"] + bars["close"]) / 3.0)


def _refuse(table: TableFile, first: int, batch: Any, column: str, wrong: NDArray[np.bool_], expected: str) -> None:
    if wrong.any():
        index = int(np.argmax(wrong))
        values = ", ".join(f"{name} {batch.column(name)[index]}" for name in COLUMNS[1:])
        raise table.bad(first + index, column, f"Expected {expected}, was {values}.")


def _refuse_overlap(table: TableFile, first: int, closes: NDArray[np.int64], last_ns: int | None, step_ns: int) -> None:
    before = closes[0] - step_ns if last_ns is None else last_ns
    near = np.diff(closes, prepend=before) < max(step_ns, 0)
    if near.any():
        index = int(np.argmax(near))
        previous = int(closes[index - 1]) if index else int(before)
        spacing = f"Expected a bar to close {step_ns / 1e9:,g} s or more after the one before"
        times = f"{time_text(int(closes[index]))} after {time_text(previous)}"
        remedy = "Sort the file, remove what is twice, or check --bar."
        raise table.bad(first + index, "timestamp", f"{spacing}, was {times}. {remedy}")
