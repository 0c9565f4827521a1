"""The laws over every registered feature at once, bitwise, on recorded and simulated markets."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.production import simulate
from fathom.ml.features import FeatureConfig, FeatureSet, Vectors
from fathom.ml.features.laws import check_feature_set
from fathom.ml.features.micro_price import fit_micro_price
from fathom.ml.features.registry import SPECS
from tests.makers import raw_books

RECORDED = ["BTCUSDT", "ETHUSDT", "bitstamp"]
SIMULATED = ["manipulated", "stress"]  # RPI trades and honest decoys; gaps, crossed books, duplicates and clock steps
STEPS = {**raw_books.PERP_STEPS, "bitstamp": (0.01, 1e-8), **dict.fromkeys(SIMULATED, (0.1, 0.001))}


@pytest.fixture(scope="module", params=[*(pytest.param(n, marks=pytest.mark.real_data) for n in RECORDED), *SIMULATED])
def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, project: Path) -> "Market":
    name: str = request.param
    if name in SIMULATED:
        scenario = load_scenario(project / "configs" / "simulation" / f"{name}.toml", ["duration_secs=240"])
        catalog = Catalog(tmp_path_factory.mktemp(name))
        (made, *_) = simulate(scenario, catalog, 11)
        return Market(name, np.concatenate(list(catalog.events(made.instrument_id))))
    real_data: Path = request.getfixturevalue("real_data")
    if name == "bitstamp":
        rows = raw_books.bitstamp_events(real_data)
        return Market(name, rows[: len(rows) // 4])
    return Market(name, raw_books.perp_events(real_data, name))


class Market:
    """Rows of a market, and feature sets for it."""

    def __init__(self, name: str, rows: NDArray[np.void]) -> None:
        self.name = name
        self.rows = rows
        self.micro_price = fit_micro_price(rows[: len(rows) // 4], instrument=name)
        self.want = self.make().update_many(rows)

    def make(self) -> FeatureSet:
        tick, lot = STEPS[self.name]
        slow = self.name == "bitstamp"
        config = FeatureConfig(bar_ms=60_000 if slow else 1_000, depth=20 if slow else 0)
        return FeatureSet(config, price_increment=tick, size_increment=lot, micro_price=self.micro_price)


def assert_equal(got: list[Vectors], want: Vectors) -> None:
    np.testing.assert_array_equal(np.concatenate([part.ts for part in got]), want.ts)
    values = np.concatenate([part.values for part in got])
    np.testing.assert_array_equal(values.view(np.int64), want.values.view(np.int64))


def test_every_registered_feature_is_there(market: Market) -> None:
    assert set(market.make().schema.names) == set(SPECS)


def test_every_feature_obeys_the_laws(market: Market) -> None:
    check_feature_set(market.make, market.rows, seed=41, pieces=40)


def test_one_message_at_a_time_is_the_batch(market: Market) -> None:
    rows = market.rows[:60_000]
    ends = np.flatnonzero(np.diff(rows["ts_init"])) + 1
    features = market.make()
    want = market.make().update_many(rows)
    parts = np.split(rows, ends)
    assert_equal([features.update(part) for part in parts], want)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda features: pickle.loads(pickle.dumps(features))])
def test_a_copy_goes_on_by_itself(market: Market, copied: Callable[[FeatureSet], FeatureSet]) -> None:
    rows, half = market.rows, len(market.rows) // 2
    first = market.make()
    before = first.update_many(rows[:half])
    second = copied(first)
    first.update(rows[half : half + len(rows) // 4])  # the original: no business of the copy
    parts = np.array_split(rows[half:], 9)
    assert_equal([before, *(second.update(part) for part in parts)], market.want)


def test_nothing_is_infinite_and_nothing_undefined_once_it_was_defined(market: Market) -> None:
    values = market.want.values
    assert not np.isinf(values).any()
    known = np.maximum.accumulate(~np.isnan(values), axis=0)
    assert not (known & np.isnan(values)).any()
    assert known[-1].all()
