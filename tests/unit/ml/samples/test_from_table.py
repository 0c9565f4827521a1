"""Arrays of a feature table: the same numbers, once, whole or not at all."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fathom.ml.errors import DatasetError
from fathom.ml.features import FeatureConfig, FeatureSet, UnknownFeatureError, Vectors
from fathom.ml.samples.config import DataConfig
from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.from_table import write_arrays
from fathom.ml.samples.preparation import prepare
from fathom.ml.tables.file import TableFacts, as_arrow
from tests.makers.table_vectors import read_vectors

ROWS = {"BTC.X": 40_000, "ETH.X": 30}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    schema = FeatureSet(FeatureConfig(groups=("orderbook",)), price_increment=0.1, size_increment=0.1).schema
    schema = schema.select(["imbalance_5", "bid_ask_spread_rel", "mid_price", "mid_return"])
    facts = TableFacts(
        format=1, hash="ab" * 32, config={}, schemas=dict.fromkeys(ROWS, schema), sources=[], micro_price={}
    )
    rng, parts = np.random.default_rng(1), []
    for instrument, rows in ROWS.items():
        values = rng.normal(size=(rows, 4))
        values[0, 0] = np.nan
        parts.append(as_arrow(instrument, schema, [Vectors(np.arange(rows) * 10**9, values)]))
    path = tmp_path_factory.mktemp("table") / "features-abab.parquet"
    whole = pa.concat_tables([part.cast(facts.arrow_schema()) for part in parts])
    pq.write_table(whole, path)
    return path


def test_arrays_hold_the_vectors_of_the_table(table: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    folder = write_arrays(table, tmp_path, on_progress=lambda done, total: steps.append((done, total)))
    arrays = Arrays.open(folder)
    names = ("imbalance_5", "bid_ask_spread_rel", "mid_return")  # mid_price is not stationary
    assert arrays.facts.schema.names == names
    for number, (instrument, rows) in enumerate(ROWS.items()):
        own = arrays.instrument == number
        vectors = read_vectors(table, instrument, names)
        assert own.sum() == rows
        np.testing.assert_array_equal(arrays.features[own], vectors.values.astype(np.float32))
        np.testing.assert_array_equal(arrays.ts[own], vectors.ts)
        mid, spread = read_vectors(table, instrument, ["mid_price", "bid_ask_spread_rel"]).values.T
        np.testing.assert_array_equal(arrays.mid[own], mid)
        np.testing.assert_array_equal(arrays.spread_bps[own], spread)
    assert steps[-1] == (40_030, 40_030)
    assert len(steps) > 2
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_they_are_written_once_and_named_by_what_is_in_them(table: Path, tmp_path: Path) -> None:
    folder = write_arrays(table, tmp_path)
    written = (folder / "features.npy").stat().st_mtime_ns
    assert write_arrays(table, tmp_path) == folder
    assert (folder / "features.npy").stat().st_mtime_ns == written
    other = write_arrays(table, tmp_path, inputs="all")
    assert other != folder
    assert Arrays.open(other).facts.hash != Arrays.open(folder).facts.hash


def test_what_a_killed_process_left_is_written_anew(table: Path, tmp_path: Path) -> None:
    folder = write_arrays(table, tmp_path / "whole")
    left = tmp_path / "again" / f".{folder.name}.part"
    left.mkdir(parents=True)
    (left / "features.npy").write_bytes(b"half")
    again = write_arrays(table, tmp_path / "again")
    assert Arrays.open(again).facts == Arrays.open(folder).facts
    assert not left.exists()


def test_a_column_that_is_not_there_is_told(table: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Expected the column 'close', which labels"):
        write_arrays(table, tmp_path, mid="close")
    with pytest.raises(UnknownFeatureError, match=r"'mid_retrun'\. Did you mean 'mid_return'"):
        write_arrays(table, tmp_path, inputs=["mid_retrun"])
    assert list(tmp_path.iterdir()) == []


def test_a_number_may_stand_for_the_spread(table: Path, tmp_path: Path) -> None:
    arrays = Arrays.open(write_arrays(table, tmp_path, inputs=["mid_return"], spread=2.5))
    assert set(arrays.spread_bps) == {2.5}


def test_a_configuration_leads_to_its_arrays(table: Path, tmp_path: Path) -> None:
    from_table = prepare(DataConfig(table=str(table), cache=str(tmp_path), inputs=("mid_return",)))
    folder = write_arrays(table, tmp_path, inputs=["mid_return"])
    assert prepare(DataConfig(arrays=str(folder))).facts == from_table.facts
