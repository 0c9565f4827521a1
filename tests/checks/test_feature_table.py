"""What a table of every registered feature looks like on recorded markets: varied, distinct, and defined."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.ml.features import FeatureConfig, FeatureSet
from fathom.ml.features.group import Group
from fathom.ml.features.micro_price import fit_micro_price
from fathom.ml.features.registry import ALIKE, NEUTRAL, SPECS, build_groups
from fathom.settings.times import MS
from tests.makers import raw_books

pytestmark = pytest.mark.real_data

SILENT = {"rpi_share"}  # no recorded market here flags its RPI trades
BUSY = ("BTCUSDT", "ETHUSDT")


class Table:
    """Vectors of a recorded market, filled and as the groups gave them."""

    def __init__(self, name: str, rows: NDArray[np.void], tick: float, lot: float, config: FeatureConfig) -> None:
        self.name = name
        self.bars = config.bar_ms // config.grid_ms
        micro_price = fit_micro_price(rows[: len(rows) // 4], instrument=name)
        features = FeatureSet(config, price_increment=tick, size_increment=lot, micro_price=micro_price)
        self.names = features.schema.names
        self.ts, self.filled = features.update_many(rows)
        grid = config.grid_ms * MS
        times = np.arange(rows["ts_init"][0] // grid + 1, rows["ts_init"][-1] // grid + 1) * grid
        cuts = np.searchsorted(rows["ts_init"], times)
        groups = build_groups(config, price_increment=tick, size_increment=lot, micro_price=micro_price)
        self.raw = np.hstack([self._run(group, rows, times, cuts) for group in groups])

    @staticmethod
    def _run(
        group: Group, rows: NDArray[np.void], times: NDArray[np.int64], cuts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        out = np.empty((len(times), len(group.specs)))
        group.run(rows, times, cuts, out)
        return out

    def warm_up(self, name: str) -> int:
        """Grid samples until `name` may be expected, counted from the first trade within the first seconds."""
        spec = SPECS[name]
        return spec.warm_up + 2 if spec.top_group == "orderbook" else (spec.warm_up + 2) * self.bars


@pytest.fixture(scope="module")
def tables(real_data: Path) -> list[Table]:
    made = [
        Table(symbol, raw_books.perp_events(real_data, symbol), *raw_books.PERP_STEPS[symbol], FeatureConfig())
        for symbol in BUSY
    ]
    config = FeatureConfig(bar_ms=60_000, depth=20)
    return [*made, Table("bitstamp", raw_books.bitstamp_events(real_data), 0.01, 1e-8, config)]


def test_every_feature_varies(tables: list[Table]) -> None:
    varied = {
        name
        for table in tables
        for name, column in zip(table.names, table.filled.T, strict=True)
        if np.ptp(column[~np.isnan(column)]) > 0.0
    }
    assert set(SPECS) - varied == SILENT


def test_no_feature_is_another_beyond_the_list(tables: list[Table]) -> None:
    allowed = {frozenset(pair) for pair in ALIKE}
    for table in tables:
        ready = table.filled[~np.isnan(table.filled).any(axis=1)]
        names = [name for name, column in zip(table.names, ready.T, strict=True) if np.ptp(column) > 0.0]
        places = [table.names.index(name) for name in names]
        correlation = np.atleast_2d(np.corrcoef(ready[:, places].T))
        for (i, first), (j, second) in combinations(enumerate(names), 2):
            one, two = SPECS[first], SPECS[second]
            # Any raw price may stand for the mid.
            pair = frozenset("mid_price" if spec.unit == "price" else spec.name for spec in (one, two))
            forms = one.stationary_of == second or two.stationary_of == first
            if len(pair) == 2 and not forms and pair not in allowed:
                assert abs(correlation[i, j]) <= 0.999, f"{first} is {second} on {table.name}"


def test_what_is_never_undefined_has_a_value_after_its_warm_up(tables: list[Table]) -> None:
    for table in tables:
        for name, column in zip(table.names, table.raw.T, strict=True):
            if SPECS[name].nan_rule == "never":
                assert not np.isnan(column[table.warm_up(name) :]).any(), f"{name} on {table.name}"


def test_a_busy_market_leaves_nearly_nothing_undefined(tables: list[Table]) -> None:
    for table in tables:
        if table.name not in BUSY:
            continue
        for name, column in zip(table.names, table.raw.T, strict=True):
            share = np.isnan(column[table.warm_up(name) :]).mean()
            assert share < 0.1, f"{name} on {table.name}"
            assert share == 0.0 or name in NEUTRAL, f"{name} on {table.name}"


def test_a_filled_table_has_no_gaps_after_the_longest_warm_up(tables: list[Table]) -> None:
    for table in tables:
        longest = max(table.warm_up(name) for name in table.names)
        assert not np.isnan(table.filled[longest:]).any(), table.name


def test_features_with_a_range_stay_in_it(tables: list[Table]) -> None:
    ranges = {"percent": (-100.0, 100.0)}
    for table in tables:
        for name, column in zip(table.names, table.filled.T, strict=True):
            low, high = ranges.get(SPECS[name].unit, (-np.inf, np.inf))
            assert np.nanmin(column) >= low - 1e-9, name
            assert np.nanmax(column) <= high + 1e-9, name
