"""Components that see the future are named, each by its own first difference; honest ones are not."""

from pathlib import Path

import numpy as np
import pytest

from fathom.backtests.experiments import lookahead as module
from fathom.backtests.experiments.lookahead import Lookahead, lookahead
from fathom.backtests.experiments.observation import Event, Features, Observation
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.store.cut import cut_catalog, next_event
from tests.makers.small_market import BTC, SECOND, START, config_file, make_bars, make_market

BIASED = '''
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow.parquet as pq

from fathom.data_catalog.messages.signals import Signal
from fathom.detectors.bars.detector import VOLUME, BarDetector
from fathom.ml.features import FeatureSpec, Group
from fathom.strategies.policy.policy import Policy
from fathom.strategies.trading.member import Member
from fathom.strategies.trading.policy_strategy import PolicyStrategy, PolicyStrategyConfig
from nautilus_trader.model import BarType

files = sorted(Path("{catalog}/data/trades").rglob("*.parquet"))
table = pq.read_table(files[0])
TIMES = table["ts_init"].cast("int64").to_numpy()
PRICES = np.array([float(price) for price in table["price"].to_pylist()])


def spec(name):
    return FeatureSpec(name=name, group="biased.x", unit="-", formula="f", source="own", warm_up=0, nan_rule="never",
                       stationary=True, text="t")


class Biased(Group):
    """Three features that see the future, and an honest one."""

    specs = tuple(spec(name) for name in ("next_price", "scaled", "resampled", "honest"))
    versions = {{"biased": 1}}
    reads_book = False

    def __init__(self, *, price_increment, size_increment):
        self.last = np.zeros(1)

    def absorb(self, rows):
        prices = rows["price"][rows["kind"] == 2]
        if len(prices):
            self.last[0] = prices[-1]

    def sample(self, ts_ns, out):
        after = np.searchsorted(TIMES, ts_ns + 2_000_000_000)
        out[0] = PRICES[min(after, len(PRICES) - 1)]
        out[1] = (self.last[0] - PRICES.mean()) / PRICES.std()
        window = np.abs(TIMES - ts_ns) < 3_000_000_000
        out[2] = PRICES[window].mean() if window.any() else 0.0
        out[3] = self.last[0]

    def snapshot(self):
        return {{"last": self.last.copy()}}

    def restore(self, state):
        self.last[:] = state["last"]


class Threshold(BarDetector):
    """Speaks where the volume is above the mean of all data, later ones included."""

    columns = ("loud",)
    name = "threshold"
    Config = type("Nothing", (msgspec.Struct,), {{}})

    class News(NamedTuple):
        loud: float

    def __init__(self, config=None):
        self.mean = PRICES[-1]
        super().__init__(np.zeros(1), np.array([self.mean]), self.run, lambda values: self.News(float(values[0])))

    @staticmethod
    def run(state, params, bars, out):
        for i in range(len(bars)):
            state[0] += 1
            out[i, 0] = params[0] if state[0] % 3 == 0 else 0.0

    def changed(self, old, new):
        return old is None or new.loud != old.loud


class Clairvoyant(Policy):
    source = "clairvoyant"

    def __init__(self, instrument_id):
        super().__init__(instrument_id, np.zeros(1), ())

    def decide(self, bar):
        later = PRICES[min(np.searchsorted(TIMES, bar.ts_init + 4_000_000_000), len(PRICES) - 1)]
        side = 1 if later > bar.close else -1
        return Signal(instrument_id=self.instrument_id, side="BUY" if side > 0 else "SELL", strength=0.5,
                      entry=bar.close, stop=bar.close - 100.0 * side, target=bar.close + 100.0 * side, horizon_secs=6.0,
                      ts_init=bar.ts_init, source=self.source)


class SeerConfig(PolicyStrategyConfig, frozen=True, kw_only=True):
    def member(self, instrument_id):
        return Member(Clairvoyant(instrument_id), BarType.from_str(f"{{instrument_id}}-{{self.bars}}"))


class Seer(PolicyStrategy):
    """Trades on the price in four seconds."""

    Config = SeerConfig
'''
ACTORS = """
[[actors]]
name = "features"
[actors.parameters.features]
groups = ["orderbook", {group}]
[[actors]]
name = "detection"
[actors.parameters.watch]
detectors = ["flat", {detector}]
bar_ms = 1000
"""


def _named(found: Lookahead) -> set[tuple[str, str]]:
    return {(bias.kind, bias.name) for bias in found.biases}


def test_what_sees_the_future_is_named_and_nothing_else(tmp_path: Path) -> None:
    market = make_market(tmp_path / "market", seconds=90.0).path
    (tmp_path / "biased_parts.py").write_text(BIASED.format(catalog=market))
    actors = ACTORS.format(group='"biased_parts:Biased"', detector='"biased_parts:Threshold"')
    more = 'bars = "2-SECOND-LAST-INTERNAL"\nnotional = 10000.0\n' + actors
    config = config_file(tmp_path, market, strategy="biased_parts:Seer", more=more)
    found = lookahead([config], cuts=3, jobs=2, warm_up=False)
    named = _named(found)
    assert {("feature", "next_price"), ("feature", "scaled"), ("feature", "resampled")} <= named
    assert {name for kind, name in named if kind == "feature"} == {"next_price", "scaled", "resampled"}
    assert {name for kind, name in named if kind == "detection"} == {f"threshold.{BTC}"}
    assert ("decision", "Seer-BTCUSDT") in named
    assert found.biases[0].kind == "feature"
    assert all(bias.ts_ns < bias.cut_ns for bias in found.biases)
    assert found.unsteady == []
    assert "without" in found.biases[0].sentence()


def test_honest_components_are_not_named(tmp_path: Path) -> None:
    market = make_market(tmp_path / "market", seconds=90.0).path
    config = config_file(tmp_path, market, more=ACTORS.replace("{group}", '"candles"').replace(", {detector}", ""))
    told: list[tuple[str, int, int]] = []
    found = lookahead([config], cuts=3, jobs=2, progress=lambda *what: told.append(what))
    assert found.biases == []
    assert found.compared["feature"] > 10_000
    assert found.compared["decision"] > 3
    assert found.compared["order"] > 3
    assert len(told) == 6
    assert told[-1][1:] == (6, 6)
    assert {each.instrument for each in found.warm_up} == {BTC}
    settled = {each.name: each.settles_secs for each in found.warm_up}
    assert settled["mid_price"] == 0.0
    assert not (tmp_path / "market" / "fathom" / "trials").exists()


def _observed(values: list[list[float]], events: list[Event], end: int = 10) -> Observation:
    features = Features(["up", "down"], np.arange(len(values)), np.array(values))
    return Observation(0, end, {"A.B": features}, events)


def test_only_what_came_before_the_cut_counts() -> None:
    said = [Event("order", "S", 2, "x"), Event("order", "S", 7, "y")]
    full = _observed([[1.0, np.nan]] * 8, said)
    cut = _observed([[1.0, np.nan]] * 4 + [[2.0, 0.0]], said[:1], end=4)
    assert list(module._differences(full, cut, 4)) == []
    places = [place for place, _ in module._differences(full, cut, 8)]
    assert places == [("feature", "up", "A.B"), ("feature", "down", "A.B"), ("order", "S", "")]


def test_an_event_too_many_is_a_difference() -> None:
    full = _observed([[1.0, 1.0]], [])
    cut = _observed([[1.0, 1.0]], [Event("signal", "S", 3, "buy")])
    ((place, difference),) = module._differences(full, cut, 4)
    assert place == ("signal", "S", "")
    assert (difference.with_future, difference.without_future) == ("nothing", "buy")


def test_how_long_a_feature_depends_on_the_start() -> None:
    times = np.arange(100) * SECOND
    forgetful = np.where(times < 60 * SECOND, 1.0, 2.0)
    full = Features(["sum", "short", "same"], times, np.stack([np.arange(100.0) + 1, forgetful, forgetful], axis=1))
    late = full.values[25:].copy()
    late[:, 0] -= 25.0
    late[:10, 1] = np.nan
    runs = [Observation(0, 99 * SECOND, {"A.B": full}, [])]
    runs.append(Observation(25 * SECOND, 99 * SECOND, {"A.B": Features(full.names, times[25:], late)}, []))
    found = {each.name: each for each in module._warm_up(*runs)}
    assert np.isnan(found["sum"].settles_secs)
    assert found["sum"].largest == pytest.approx(25.0 / 97.0)
    assert found["short"].settles_secs == 9.0
    assert found["same"].settles_secs == 0.0
    assert next(iter(found)) == "sum"


def test_a_cut_catalog_holds_what_came_before(tmp_path: Path) -> None:
    market = make_market(tmp_path / "market", seconds=20.0)
    make_bars(tmp_path / "market", [600_000, 600_100, 600_200])
    cut_ns = START + 10 * SECOND + 7
    cut_catalog(market.path, tmp_path / "cut", cut_ns)
    spans = {span.data_type: span for span in Catalog(tmp_path / "cut").spans()}
    assert set(spans) == {"order_book_deltas", "trades"}
    whole = {span.data_type: span for span in market.spans()}
    for kind, span in spans.items():
        assert span.last_ns < cut_ns <= whole[kind].last_ns
        assert 0 < span.rows < whole[kind].rows
    before = next_event(market.path, spans["order_book_deltas"].last_ns)
    assert before is not None
    assert before > spans["order_book_deltas"].last_ns
    assert next_event(market.path, max(span.last_ns for span in whole.values())) is None
    assert Catalog(tmp_path / "cut").instrument(BTC) == market.instrument(BTC)
    cut_catalog(market.path, tmp_path / "all", START + 3600 * SECOND)
    assert {span.rows for span in Catalog(tmp_path / "all").spans()} == {span.rows for span in market.spans()}
