"""Law 4 for a whole system: actors that read the catalog's rows say and trade what those of engine objects do."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from fathom.actors.detection import DetectionActor
from fathom.actors.features import FeatureActor
from fathom.backtests.engine.records import Fill
from fathom.backtests.engine.simulation import simulate
from fathom.backtests.setup.config import load
from fathom.backtests.setup.data_feed import open_feed
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.ingest.bybit import Archive, import_archive
from fathom.data_catalog.ingest.bybit_book import Timing
from fathom.data_catalog.instruments import Grid, default_instruments
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.production import simulate as make_market
from fathom.ml.features import FeatureSet
from tests.conftest import PROJECT
from tests.makers.small_market import BTC, ETH

CONFIGS = [PROJECT / "configs" / "backtest" / name for name in ("perp-ticks.toml", "perp-ticks-ensemble.toml")]
RISK = PROJECT / "configs" / "system" / "risk.toml"
OVERLAY = """
[[actors]]
name = "features"
[[actors]]
name = "detection"
"""
EAGER = (
    "strategies.0.parameters.quorum=1",
    "strategies.0.parameters.min_margin=0.0",
    "strategies.0.parameters.momentum.min_score=0.05",
    "strategies.0.parameters.momentum.book=features",
    "strategies.0.parameters.manipulation.action=block",
    "strategies.0.parameters.placement.stops=true",
    "strategies.0.parameters.placement.targets=true",
)


class Told(NamedTuple):
    """What a system said and did: messages of each topic in order, tables, fills.

    Which of several actors hears of an event first the engine decides anew in each run.
    """

    messages: dict[str, list[tuple[Any, ...]]]
    tables: dict[str, pa.Table]
    fills: list[Fill]

    def count(self, topic: str) -> int:
        return sum(len(messages) for name, messages in self.messages.items() if name.startswith(topic))


def play(catalog: Path, folder: Path, *settings: str) -> Told:
    overlay = folder / "overlay.toml"
    overlay.write_text(OVERLAY)
    resolved = load([*CONFIGS, RISK, overlay], [f"data.catalog={catalog}", *EAGER, *settings])
    messages: dict[str, list[tuple[Any, ...]]] = {}
    with pytest.MonkeyPatch.context() as patch:
        for actor in (FeatureActor, DetectionActor):
            publish = actor.publish_message

            def keep(self: Any, topic: str, message: Any, publish: Any = publish) -> None:
                told: tuple[Any, ...]
                if topic.startswith("features"):
                    told = (message.ts_init, message.ts_event, message.schema_hash, message.values.tobytes())
                else:
                    told = (getattr(message, "ts_init", 0), message.to_json())
                messages.setdefault(topic, []).append(told)
                publish(self, topic, message)

            patch.setattr(actor, "publish_message", keep)
        done = simulate(resolved, open_feed(resolved.config))
    return Told(messages, done.tables, list(done.records.fills))


def assert_same(one: Told, other: Told) -> None:
    assert one.messages.keys() == other.messages.keys()
    for topic, messages in one.messages.items():
        for mine, its in zip(messages, other.messages[topic], strict=True):
            assert mine == its, topic
    assert one.tables.keys() == other.tables.keys()
    for name, table in one.tables.items():
        assert repr(table.to_pylist()) == repr(other.tables[name].to_pylist()), name  # NaN is as good as NaN
    assert one.fills == other.fills


def test_on_a_simulated_market(tmp_path: Path) -> None:
    scenario = load_scenario(PROJECT / "configs" / "simulation" / "edge_manipulated.toml", ["duration_secs=240.0"])
    make_market(scenario, Catalog(tmp_path / "catalog"), 5)
    names = [str(instrument.id) for instrument in Catalog(tmp_path / "catalog").instruments()]
    instruments = f"data.instruments={json.dumps(names)}"
    objects = play(tmp_path / "catalog", tmp_path, instruments, "data.rows=objects")
    assert_same(objects, play(tmp_path / "catalog", tmp_path, instruments))
    assert objects.count("features") > 200
    assert objects.count("levels") > 20
    assert objects.count("alerts") > 0
    assert objects.tables["decisions"].num_rows > 20
    assert len(objects.fills) > 5


@pytest.mark.parametrize("rows", ["catalog", "objects"])
def test_vectors_of_a_backtest_are_those_of_a_feature_table(tmp_path: Path, rows: str) -> None:
    """What a model is asked about is what it has learnt from, flags of the trades included."""
    scenario = load_scenario(PROJECT / "configs" / "simulation" / "edge_manipulated.toml", ["duration_secs=90.0"])
    catalog = Catalog(tmp_path / "catalog")
    make_market(scenario, catalog, 5)
    (instrument,) = catalog.instruments()
    name, grid = str(instrument.id), Grid.of(instrument)
    told = play(catalog.path, tmp_path, f'data.instruments=["{name}"]', f"data.rows={rows}")
    events = np.concatenate(list(catalog.events(name)))
    features = FeatureSet(price_increment=grid.tick, size_increment=grid.lot)
    table = features.update_many(events)
    found = {message[1]: message[3] for message in told.messages[f"features.{name}"]}
    assert len(found) > 80
    assert found == {ts: row.tobytes() for ts, row in zip(table.ts.tolist(), table.values, strict=True)}
    assert table.values[-1, features.schema.names.index("rpi_share")] > 0.0


@pytest.mark.real_data
def test_on_recorded_perpetuals(tmp_path: Path, real_data: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    for path in sorted((real_data / "perp-ticks").iterdir()):
        symbol = "BTCUSDT" if "BTCUSDT" in path.name else "ETHUSDT"
        import_archive(Archive.of(path), default_instruments()[symbol], catalog, Timing())
    objects = play(catalog.path, tmp_path, "data.rows=objects")
    assert_same(objects, play(catalog.path, tmp_path))
    for name in (BTC, ETH):
        assert objects.count(f"features.{name}") > 300
        assert objects.count(f"levels.{name}") > 50
    assert objects.count("alerts") > 5
    assert objects.tables["decisions"].num_rows > 100
    assert len(objects.fills) > 20
