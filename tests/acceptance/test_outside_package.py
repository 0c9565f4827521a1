"""Code from outside, by path and by entry point: what `fathom new` writes obeys the laws and runs in the product."""

import json
import subprocess
import sys
from pathlib import Path
from string import Template

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import fathom
from fathom.commands.main import main
from fathom.settings import doors

KINDS = ("strategy", "feature", "detector", "net")
MORE = """
import numpy as np
from fathom.ml.samples.labels import BUY, HOLD, SELL, Outcome


def next_move(prices, config, steps):
    rows = np.arange(len(prices.mid))
    known = prices.ahead >= steps
    ahead = np.where(known, rows + steps, rows)
    move = np.sign(prices.mid[ahead] - prices.mid)
    return Outcome(np.where(known, steps, 0), np.where(move > 0, BUY, np.where(move < 0, SELL, HOLD)))


def sureness(samples, predictions):
    return predictions.probabilities.max(axis=1)
"""
ACTOR = """
from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import InstrumentId


class HeardConfig(DataActorConfig):
    def __init__(self, instrument_id: InstrumentId, **kwargs: object) -> None:
        super().__init__()
        self.instrument_id = instrument_id


class Heard(DataActor):
    trades = 0

    def __new__(cls, config: HeardConfig):
        return super().__new__(cls, config)

    def __init__(self, config: HeardConfig) -> None:
        super().__init__()
        self.settings = config

    def on_start(self) -> None:
        self.subscribe_trades(self.settings.instrument_id)

    def on_trade(self, trade) -> None:
        type(self).trades += 1
"""
WHOLE = """
name = "whole"

[data]
catalog = "catalog"
instruments = ["BTCUSDT-LINEAR.SIM"]

[venue.fees]
maker = 0.0002
taker = 0.00055

[[actors]]
name = "features"
[actors.parameters.features]
groups = ["orderbook", "$feature_group"]
depth = 50

[[actors]]
name = "detection"
[actors.parameters.watch]
detectors = ["manipulation", "$detector"]
surveillance = { depth = 50 }

[[actors]]
name = "validation"
[actors.parameters]
model = "$model"

[[actors]]
name = "$actor"
[actors.parameters]
instrument_id = "BTCUSDT-LINEAR.SIM"

[[strategies]]
name = "ensemble"
[strategies.parameters]
validator = true
quorum = 1
min_margin = 0.0
max_leverage = 1.0
[strategies.parameters.members.own]
strategy = "$strategy"
bars = "1-MINUTE-LAST-INTERNAL"
span = 5
deviations = 1.0
[strategies.parameters.members.slow]
strategy = "$strategy"
bars = "1-MINUTE-LAST-INTERNAL"
span = 9
deviations = 1.0
"""
PLACES = {
    "actor": "own_actor:Heard",
    "detector": "own_detector:OwnDetector",
    "feature_group": "own_feature:OwnFeature",
    "label": "own_more:next_move",
    "metric": "own_more:sureness",
    "net": "own_net:OwnNet",
    "strategy": "own_strategy:OwnStrategy",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Path:
    """Return a folder with one of each, beside a small simulated catalog."""
    folder = tmp_path_factory.mktemp("outside")
    for kind in KINDS:
        run("new", kind, f"own_{kind}", "--out", str(folder))
    (folder / "own_more.py").write_text(MORE)
    info = folder / "own-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (folder / "own_actor.py").write_text(ACTOR)
    features = folder / "own_net-features.toml"
    features.write_text(features.read_text().replace('["orderbook"]', '["orderbook", "own_feature:OwnFeature"]'))
    points = [f"{kind}.own = {place}" for kind, place in PLACES.items()]
    (info / "entry_points.txt").write_text("\n".join(["[fathom.plugins]", *points]))
    market = project / "configs" / "simulation" / "demo.toml"
    run("data", "simulate", str(market), "--catalog", str(folder / "catalog"), "--seed", "1", "--duration", "30m")
    return folder


@pytest.fixture(autouse=True)
def importable(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(package)
    monkeypatch.syspath_prepend(package)
    doors._plugins.cache_clear()


def run(*words: str) -> str:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def test_the_examples_pass_their_own_tests(package: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(package)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten(package: Path) -> None:
    done = CliRunner().invoke(main, ["new", "net", "own_net", "--out", str(package)])
    assert done.exit_code == 1
    assert "Expected no file" in done.output


@pytest.mark.parametrize("group", ["own_feature:OwnFeature", "own"])
def test_a_group_of_features_is_built_into_a_table(group: str) -> None:
    out = run("features", "build", "own_feature.toml", "--set", f'features.groups=["{group}"]', "--json")
    assert json.loads(out)


def train(folder: Path, net: str, label: str, metric: str) -> Path:
    changes = {
        "nets.0.name": net,
        "fit.epochs": 1,
        "label.kind": label,
        "evaluation.resamples": 100,
        "evaluation.metrics": f'["{metric}"]',
        "evaluation.baselines": '["prior"]',
        "data.cache": str(folder / "tables"),
        "data.inputs": '["orderbook", "own_feature"]',
    }
    words = [part for name, value in changes.items() for part in ("--set", f"{name}={value}")]
    run("train", "run", "own_net.toml", "--out", str(folder / "models"), "--no-track", "--importance", "32", *words)
    (card,) = (folder / "models").glob(f"own_net-{net.rpartition(':')[2]}/*/metrics.json")
    return card


@pytest.fixture(scope="module")
def model(package: Path) -> Path:
    """Return the folder of the net, trained with the label and the metric from outside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(package)
        patch.syspath_prepend(package)
        return train(package, PLACES["net"], PLACES["label"], PLACES["metric"]).parent


def test_a_net_learns_an_outside_label_and_is_exported(model: Path) -> None:
    scores = json.loads((model / "metrics.json").read_text())["test"]["OwnNet"]["scores"]
    assert 1 / 3 <= scores["sureness"][0] <= 1.0
    assert list(model.glob("*.onnx"))


def test_entry_points_name_all_three_of_a_training(package: Path, model: Path) -> None:
    card = train(package, "own", "own", "own")
    assert json.loads(card.read_text())["test"]["own"]["scores"].keys() >= {"own"}


def whole(package: Path, model: Path, places: dict[str, str]) -> Path:
    config = package / "whole.toml"
    config.write_text(Template(WHOLE).substitute(places, model=model))
    return config


def test_all_of_it_together_is_backtested(package: Path, model: Path) -> None:
    by_path = fathom.backtest(whole(package, model, PLACES), out=package / "by-path", pages=False)
    decisions = by_path.decisions
    assert set(decisions["source"]) >= {"own", "slow", "ensemble"}
    asked = decisions[decisions["source"] == "own"]
    assert asked["model_version"].str.startswith("own_net-OwnNet:").sum() > 3
    assert sys.modules["own_actor"].Heard.trades > 100
    by_point = fathom.backtest(
        whole(package, model, dict.fromkeys(PLACES, "own")), out=package / "by-point", pages=False
    )
    assert by_point.decisions.equals(decisions)


def test_a_strategy_is_backtested(package: Path) -> None:
    run("backtest", "run", "own_strategy.toml", "--out", str(package / "runs"), "--no-pages")
    (summary,) = (package / "runs").glob("*/summary.json")
    assert json.loads(summary.read_text())


@pytest.mark.parametrize("detector", ["own_detector:OwnDetector", "own"])
def test_a_detector_watches_a_catalog_and_a_backtest(detector: str, package: Path) -> None:
    changes = ['instruments=["BTCUSDT-LINEAR.SIM"]', f'watch.detectors=["levels", "{detector}"]']
    words = [word for change in changes for word in ("--set", change)]
    run("detect", "run", "own_detector.toml", "--out", str(package / "found"), *words)
    alone = pq.read_table(package / "found" / "own_detector" / "own_detector.parquet")
    assert alone.column_names == ["instrument_id", "ts_event", "ts_init", "is_burst", "multiple"]
    assert alone.num_rows > 2
    assert alone["is_burst"].to_pylist()[:2] == [True, False]
    assert "own_detector" in (package / "found" / "own_detector" / "detection.html").read_text()
    watch = f'{{detectors = ["levels", "{detector}"], settings = {{own_detector = {{times = 3.0}}}}}}'
    actor = f'actors=[{{name = "detection", parameters = {{watch = {watch}}}}}]'
    out = package / detector.replace(":", "-")
    run("backtest", "run", "own_strategy.toml", "--out", str(out), "--no-pages", "--set", actor)
    (folder,) = out.iterdir()
    assert pq.read_table(folder / "own_detector.parquet")["ts_event"].to_pylist() == alone["ts_event"].to_pylist()
