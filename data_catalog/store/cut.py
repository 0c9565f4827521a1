"""A catalog as it was at a moment: the same files without what came later."""

import os
import shutil
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fathom.data_catalog.store.layout import BARS, BOOK, ENGINE_DATA, TRADES, parse_interval
from fathom.data_catalog.store.reading import open_parquet
from fathom.settings.times import interval_name

_EVENTS: Final = (BOOK, TRADES, BARS, "quotes", "funding_rates", "custom")


def cut_catalog(source: Path, target: Path, end_ns: int) -> None:
    """Write a catalog that holds the events of another with ``ts_init`` before a time, and all its instruments.

    Files that end before the time are linked, or copied where the disk cannot link. Labels, truths of simulations and
    the ledger of trials stay behind: a component must not need them.

    Parameters
    ----------
    source, target : Path
        Folders of the catalogs; `target` must not exist.
    end_ns : int
        The first time that is left out.
    """
    for file in sorted((source / ENGINE_DATA).rglob("*.parquet")):
        place = file.relative_to(source)
        new = target / place
        if place.parts[1] not in _EVENTS:
            _link(file, new)
            continue
        first, last = parse_interval(file)
        if last < end_ns:
            _link(file, new)
        elif first < end_ns:
            _write_head(file, new.parent, first, end_ns)


def _link(file: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, new)
    except OSError:
        shutil.copy2(file, new)


def _write_head(file: Path, folder: Path, first: int, end_ns: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part, last = folder / f"{file.name}.part", first
    with open_parquet(file) as parquet, pq.ParquetWriter(part, parquet.schema_arrow) as writer:
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group)
            times = table.column("ts_init").cast(pa.int64()).to_numpy()
            count = int(np.searchsorted(times, end_ns))
            if count:
                writer.write_table(table.slice(0, count))
                last = int(times[count - 1])
            if count < len(times):
                break
    part.rename(folder / interval_name(first, last))


def next_event(catalog: Path, after_ns: int) -> int | None:
    """Return the first ``ts_init`` of a catalog's books, trades and bars after a time; None at the end of the data."""
    found = []
    for kind in (BOOK, TRADES, BARS):
        for file in (catalog / ENGINE_DATA / kind).rglob("*.parquet"):
            first, last = parse_interval(file)
            if first > after_ns:
                found.append(first)
            elif last > after_ns:
                found.append(_first_after(file, after_ns))
    return min(found, default=None)


def _first_after(file: Path, after_ns: int) -> int:
    with open_parquet(file) as parquet:
        for group in range(parquet.num_row_groups):
            times = parquet.read_row_group(group, columns=["ts_init"]).column(0).cast(pa.int64()).to_numpy()
            if times[-1] > after_ns:
                return int(times[np.searchsorted(times, after_ns, side="right")])
    raise AssertionError(f"{file} ends where its name says")
