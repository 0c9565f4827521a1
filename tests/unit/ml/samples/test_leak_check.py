"""The leak check finds a planted leak, and lets honest inputs pass."""

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.production import simulate
from fathom.ml.features import FeatureConfig
from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.from_table import write_arrays
from fathom.ml.samples.leak_check import check
from fathom.ml.tables.build import build
from fathom.ml.tables.config import TableConfig
from tests.makers.walks import walk


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[TableConfig, Path]:
    folder, project = tmp_path_factory.mktemp("market"), Path(__file__).resolve().parents[4]
    scenario = load_scenario(project / "configs/simulation/null.toml", ["duration_secs=600.0"])
    simulate(scenario, Catalog(folder / "catalog"), seed=3)
    features = FeatureConfig(groups=("orderbook", "candles"))
    table = TableConfig(catalog=str(folder / "catalog"), instruments=("BTCUSDT-LINEAR.SIM",), features=features)
    return table, build(table, folder).path


def shifted(arrays: Arrays, names: list[str]) -> Arrays:
    """Return the arrays with some columns one step late: row t holds what is known at t + 1."""
    features = np.array(arrays.features)
    columns = [arrays.facts.schema.index(name) for name in names]
    features[:-1, columns] = features[1:, columns]
    return dataclasses.replace(arrays, features=features)


def test_features_of_a_catalog_pass_both_checks(market: tuple[TableConfig, Path]) -> None:
    table, path = market
    arrays = Arrays.open(write_arrays(path, path.parent))
    report = check(arrays, table)
    assert report.passed, report.sentence()
    assert report.replayed == 20
    assert "20 rows equal their replay" in report.sentence()


@pytest.mark.parametrize("name", ["mid_return", "imbalance_5", "upper_shadow"])
def test_the_replay_catches_any_input_of_a_step_later(market: tuple[TableConfig, Path], name: str) -> None:
    table, path = market
    report = check(shifted(Arrays.open(write_arrays(path, path.parent)), [name]), table)
    assert report.different == (name,)
    assert not report.passed


@pytest.mark.parametrize("name", ["mid_return", "order_flow_imbalance", "returns"])
def test_the_timing_catches_what_follows_the_price_without_a_catalog(
    market: tuple[TableConfig, Path], name: str
) -> None:
    _, path = market
    arrays = Arrays.open(write_arrays(path, path.parent))
    assert check(arrays).passed
    report = check(shifted(arrays, [name]))
    assert [suspect.name for suspect in report.suspects] == [name]
    assert report.replayed == 0
    assert name in report.sentence()


def test_the_timing_catches_a_price_of_a_step_later(market: tuple[TableConfig, Path]) -> None:
    _, path = market
    arrays = Arrays.open(write_arrays(path, path.parent, inputs=["mid_price", "spread_mean_10s"]))
    assert check(arrays).passed
    assert [suspect.name for suspect in check(shifted(arrays, ["mid_price"])).suspects] == ["mid_price"]


def test_an_honest_predictor_is_no_leak() -> None:
    # Half of the next step's variance would be fabulous; the limit is where no honest feature was ever seen.
    assert check(walk(5_000, skill=0.4)).passed
    assert not check(walk(5_000, skill=0.95)).passed


def test_a_report_is_plain_data() -> None:
    report = check(walk(500))
    assert msgspec.json.decode(msgspec.json.encode(report), type=type(report)) == report
