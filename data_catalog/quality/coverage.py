"""What a catalog covers: spans, sizes and the holes in them, mostly from the statistics that Parquet files keep."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from nautilus_trader.model import BarAggregation, BarType
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.store.layout import BARS, BOOK, TRADES, Span, parse_interval
from fathom.data_catalog.store.reading import open_parquet

NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Hole:
    """A time without data.

    Parameters
    ----------
    after_ns, before_ns : int
        ts_init of the last row before the hole and of the first row after it.

    Examples
    --------
    >>> Hole(0, 90 * NS).secs
    90.0
    """

    after_ns: int
    before_ns: int

    @property
    def secs(self) -> float:
        """Length in seconds."""
        return (self.before_ns - self.after_ns) / NS


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the catalog holds of one data type and instrument (or bar type).

    Parameters
    ----------
    span : Span
    size : int
        Bytes on disk.
    max_hole_secs : float
        How long a time without data may be before it counts as a hole; the bar's own length for bars.
    holes : list of Hole
        In order of time; empty for custom data, which come when they come.

    Examples
    --------
    >>> Coverage(Span("trades", "BTCUSDT-LINEAR.BYBIT", 0, 7 * NS, 2, 1), 512, 5.0, [Hole(0, 7 * NS)]).longest_secs
    7.0
    """

    span: Span
    size: int
    max_hole_secs: float
    holes: list[Hole]

    @property
    def longest_secs(self) -> float:
        """Length of the longest hole, 0 if there is none."""
        return max((hole.secs for hole in self.holes), default=0.0)


def coverage(catalog: Catalog, *, max_hole_secs: float = 60.0) -> list[Coverage]:
    """Return what a catalog holds, with the holes between and inside its files.

    Of a file only the times are read, and only where its statistics leave room for a hole.

    Parameters
    ----------
    catalog : Catalog
    max_hole_secs : float, default 60
        How long a time without book changes or trades may be.
    """
    found = []
    for span in catalog.spans():
        files = catalog.files(span.data_type, span.identifier)
        limit = bar_secs(span.identifier) if span.data_type == BARS else max_hole_secs
        holes = list(holes_of(files, limit)) if span.data_type in (BOOK, TRADES, BARS) else []
        found.append(Coverage(span, sum(path.stat().st_size for path in files), limit, holes))
    return found


def bar_secs(bar_type: str) -> float:
    """Return the time from one bar to the next: the most that is without a hole; infinite for tick and volume bars.

    Examples
    --------
    >>> bar_secs("BTCUSDT-LINEAR.BYBIT-5-MINUTE-LAST-EXTERNAL")
    300.0
    """
    spec = BarType.from_str(bar_type).spec
    if not spec.is_time_aggregated():
        return float("inf")
    longest_days = {BarAggregation.MONTH: 31, BarAggregation.YEAR: 366}.get(spec.aggregation)
    return float(spec.get_interval_ns() / NS) if longest_days is None else spec.step * longest_days * 86_400.0


def holes_of(files: list[Path], max_hole_secs: float) -> Iterator[Hole]:
    """Yield the holes of some files of one kind, given in order of time."""
    if max_hole_secs == float("inf"):
        return
    limit = round(max_hole_secs * NS)
    last: int | None = None
    for path in files:
        first, end = parse_interval(path)
        if last is not None and first - last > limit:
            yield Hole(last, first)
        yield from _holes_inside(path, limit)
        last = max(end, last or end)


def _holes_inside(path: Path, limit: int) -> Iterator[Hole]:
    with open_parquet(path) as file:
        index = file.schema_arrow.get_field_index("ts_init")
        last: int | None = None
        for number in range(file.num_row_groups):
            first, end = _stated_times(file.metadata.row_group(number).column(index))
            if first is None or end is None or end - first > limit:
                times = _times(file, number)
                if not len(times):
                    continue
                first, end = int(times[0]), int(times[-1])
                inner = np.flatnonzero(np.diff(times) > limit)
            else:
                inner = np.zeros(0, dtype=np.int64)
            if last is not None and first - last > limit:
                yield Hole(last, first)
            for i in inner:
                yield Hole(int(times[i]), int(times[i + 1]))
            last = end


def _stated_times(column: Any) -> tuple[int | None, int | None]:
    statistics = column.statistics
    if statistics is None or not statistics.has_min_max:
        return None, None
    return int(statistics.min_raw), int(statistics.max_raw)


def _times(file: Any, row_group: int) -> NDArray[np.int64]:
    column = file.read_row_group(row_group, columns=["ts_init"]).column(0).cast(pa.timestamp("ns", tz="UTC"))
    return np.asarray(column.cast(pa.int64()).to_numpy())
