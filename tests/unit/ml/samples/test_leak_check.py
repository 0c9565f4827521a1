"""The leak check finds a planted leak, and lets honest inputs pass."""

import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.production import simulate
from fathom.market.bar_rows import BAR
from fathom.ml.features import FeatureConfig
from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.from_table import write_arrays
from fathom.ml.samples.leak_check import check
from fathom.ml.samples.leak_timing import LIMIT
from fathom.ml.tables.build import build
from fathom.ml.tables.config import TableConfig
from tests.conftest import PROJECT
from tests.makers.walks import walk


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[TableConfig, Path]:
    folder = tmp_path_factory.mktemp("market")
    scenario = load_scenario(PROJECT / "configs/simulation/null.toml", ["duration_secs=600.0"])
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


def without_catalog(arrays: Arrays) -> Arrays:
    return dataclasses.replace(arrays, facts=msgspec.structs.replace(arrays.facts, table={}))


UNTIL = datetime.datetime(2026, 1, 1, 0, 5, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def two_markets(tmp_path_factory: pytest.TempPathFactory) -> tuple[TableConfig, Path]:
    folder = tmp_path_factory.mktemp("two")
    scenario = load_scenario(PROJECT / "configs/simulation/demo.toml", ["duration_secs=600.0"])
    catalog = Catalog(folder / "catalog")
    simulate(scenario, catalog, seed=3)
    names = tuple(str(instrument.id) for instrument in catalog.instruments())
    rng = np.random.default_rng(1)
    for name in names:
        bars = np.zeros(120, BAR)
        closes = int(UNTIL.timestamp() * 1e9) + (np.arange(120) - 60) * 5_000_000_000
        bars["ts_event"], bars["ts_init"] = closes, closes
        prices = 600_000 + np.cumsum(rng.integers(-5, 6, 120))
        for column in ("open", "high", "low", "close"):
            bars[column] = prices
        bars["high"] += 3
        bars["low"] -= 3
        bars["volume"] = rng.integers(1, 50, 120)
        with catalog.bar_writer(f"{name}-5-SECOND-LAST-EXTERNAL") as writer:
            writer.write(bars)
    features = FeatureConfig(groups=("orderbook",))
    return TableConfig(catalog=str(folder / "catalog"), instruments=names, features=features), folder


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
    arrays = without_catalog(Arrays.open(write_arrays(path, path.parent)))
    assert check(arrays).passed
    report = check(shifted(arrays, [name]))
    assert [suspect.name for suspect in report.suspects] == [name]
    assert report.replayed == 0
    assert "Not replayed: the arrays name no catalog" in report.warning
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


@pytest.mark.parametrize("seed", range(5))
def test_walks_without_a_leak_pass(seed: int) -> None:
    assert check(walk(3_000, columns=50, seed=seed, instruments=2), horizon=30).passed


def later(values: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    return np.append(values[rows:], np.full(rows, values[-1]))


LEAKS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "return to come": lambda mid: later(mid, 10) / mid - 1.0,
    "its sign": lambda mid: np.sign(later(mid, 10) - mid),
    "5 rows early": lambda mid: np.append(0.0, np.diff(later(mid, 5))),
    "size of a step 5 rows early": lambda mid: np.abs(np.append(0.0, np.diff(later(mid, 5)))),
    "less its centred mean": lambda mid: mid - np.convolve(np.pad(mid, 10, "edge"), np.ones(21) / 21, "valid"),
}


@pytest.mark.parametrize("horizon", [10, 60])
@pytest.mark.parametrize("where", ["everywhere", "the second instrument", "after the first hour"])
@pytest.mark.parametrize("leak", LEAKS)
def test_planted_leaks_are_found_in_arrays_alone(leak: str, where: str, horizon: int) -> None:
    arrays = walk(7_200, columns=5, seed=8, instruments=2)
    features = np.array(arrays.features)
    for number in range(2):
        own = arrays.instrument == number
        planted = LEAKS[leak](arrays.mid[own])
        honest = features[own, 3]
        wanted = {
            "everywhere": np.ones(own.sum(), bool),
            "the second instrument": np.full(own.sum(), number == 1),
            "after the first hour": np.arange(own.sum()) >= 3_600,
        }[where]
        features[own, 3] = np.where(wanted, planted, honest)
    report = check(dataclasses.replace(arrays, features=features), horizon=horizon)
    assert [suspect.name for suspect in report.suspects] == [arrays.facts.schema.names[3]]


def trending(seed: int) -> Arrays:
    """Return a market that drifts for some 200 rows at a time; columns 1 and 2 are honest: a mean, and the drift."""
    arrays = walk(12_000, columns=4, seed=seed)
    rng = np.random.default_rng(seed)
    drift = np.repeat(rng.choice([-1.0, 1.0], 60), 200)
    steps = 0.35 * drift + rng.normal(size=12_000)
    mid = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(steps[:-1])]) * 1e-4)
    past = np.concatenate([[0.0], np.diff(np.log(mid))])
    features = np.array(arrays.features)
    features[:, 0] = rng.normal(size=12_000)
    features[:, 1] = np.convolve(past, np.ones(20) / 20)[:12_000]
    features[:, 2] = drift + rng.normal(size=12_000) * 0.5
    return dataclasses.replace(arrays, mid=mid, features=features)


@pytest.mark.parametrize("seed", range(3))
def test_honest_inputs_of_a_trending_market_are_no_leak(seed: int) -> None:
    arrays = trending(seed)
    report = check(arrays, horizon=60)
    assert report.strongest is not None
    assert abs(report.strongest.ahead) > LIMIT  # or the market does not trend enough to show anything
    assert report.passed, report.sentence()
    features = np.array(arrays.features)
    features[:, 3] = later(arrays.mid, 60) / arrays.mid - 1.0
    leaking = check(dataclasses.replace(arrays, features=features), horizon=60)
    assert [suspect.name for suspect in leaking.suspects] == [arrays.facts.schema.names[3]]


@pytest.mark.parametrize("arguments", [{}, {"micro_price": True}, {"bars": True}])
def test_the_replay_needs_no_settings_and_sees_all_instruments_and_times(
    two_markets: tuple[TableConfig, Path], arguments: dict[str, bool]
) -> None:
    config, folder = two_markets
    if arguments.get("micro_price"):
        config = msgspec.structs.replace(config, micro_price_until=UNTIL)
    if arguments.get("bars"):
        features = FeatureConfig(groups=("orderbook", "candles"), bars="outside")
        config = msgspec.structs.replace(config, features=features, bar_type="5-SECOND-LAST-EXTERNAL")
    arrays = Arrays.open(write_arrays(build(config, folder).path, folder))
    report = check(arrays, horizon=10)
    assert report.passed, report.sentence()
    assert report.replayed == 40
    features_ = np.array(arrays.features)
    second = np.flatnonzero(arrays.instrument == 1)
    late = second[len(second) // 2 :]
    name = "mid_return"
    column = arrays.facts.schema.index(name)
    features_[late[:-1], column] = features_[late[1:], column]
    assert check(dataclasses.replace(arrays, features=features_), horizon=10).different == (name,)


def test_what_was_not_looked_at_did_not_pass(market: tuple[TableConfig, Path]) -> None:
    nothing = check(walk(12), horizon=20)
    assert (nothing.verdict, nothing.passed) == ("not checked", True)
    assert nothing.sentence().startswith("Not checked. Not replayed: ")
    timing = check(walk(3_000, columns=5), horizon=30)
    assert timing.verdict == "passed in part"
    assert timing.sentence().startswith("Passed in part: no input of 5 follows the returns to come (")
    assert "Not replayed" in timing.sentence()
    table, path = market
    both = check(Arrays.open(write_arrays(path, path.parent)), table)
    assert both.verdict == "passed"
    assert "Not replayed" not in both.sentence()
    assert check(walk(5_000, skill=0.95)).verdict == "failed"


def test_a_report_is_plain_data() -> None:
    report = check(walk(500), horizon=5)
    assert msgspec.json.decode(msgspec.json.encode(report), type=type(report)) == report
