"""Reading files: order, spans, overlaps, and files that are none."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import Grid, default_instruments
from fathom.data_catalog.store.arrow import book_batch, book_rows
from fathom.data_catalog.store.reading import read_rows
from fathom.market.events import EVENT, Kind
from fathom.settings.times import interval_name

GRID = Grid.of(default_instruments()["BTCUSDT"])
T = 1_723_161_256_501_000_000


def decode(batch: pa.RecordBatch) -> NDArray[np.void]:
    return book_rows(batch, GRID)


def book_file(folder: Path, times: list[int], label: int) -> tuple[Path, NDArray[np.void]]:
    """Write a file in row groups of three rows."""
    rows = np.zeros(len(times), dtype=EVENT)
    rows["kind"], rows["action"], rows["ts_init"] = Kind.BOOK, 2, [T + time for time in sorted(times)]
    rows["sequence"] = label * 1000 + np.arange(len(rows))
    folder.mkdir(exist_ok=True)
    path = folder / interval_name(int(rows["ts_init"][0]), int(rows["ts_init"][-1]))
    pq.write_table(pa.Table.from_batches([book_batch(rows, GRID)]), path, row_group_size=3)
    return path, rows


times = st.lists(st.integers(0, 40), min_size=1, max_size=12)
bounds = st.one_of(st.none(), st.integers(-5, 45))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(times, max_size=4), bounds, bounds)
def test_any_files_read_as_one_sorted_table(
    tmp_path: Path, files: list[list[int]], start: int | None, end: int | None
) -> None:
    written = [book_file(tmp_path / str(label), found, label) for label, found in enumerate(files)]
    start_ns, end_ns = (None if bound is None else T + bound for bound in (start, end))
    read = list(read_rows([path for path, _ in written], decode, start_ns, end_ns))
    rows = np.concatenate([np.empty(0, dtype=EVENT), *read])
    wanted = np.concatenate([np.empty(0, dtype=EVENT), *(found for _, found in written)])
    for bound, keep in ((start_ns, np.greater_equal), (end_ns, np.less_equal)):
        if bound is not None:
            wanted = wanted[keep(wanted["ts_init"], bound)]
    assert all(len(batch) for batch in read)
    assert rows["ts_init"].tolist() == sorted(wanted["ts_init"].tolist())
    assert sorted(rows["sequence"].tolist()) == sorted(wanted["sequence"].tolist())
    for label in range(len(files)):  # each file's own order is kept
        own = rows["sequence"][rows["sequence"] // 1000 == label]
        assert (np.diff(own) > 0).all()


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / interval_name(T, T)
    path.write_bytes(b"PAR1 cut off")
    with pytest.raises(CatalogError, match=f"Expected a Parquet file of the engine, was {path}"):
        list(read_rows([path], decode))
