"""Code from outside: what `fathom new` writes passes its tests and runs in the product, by path and by entry point."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

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
    points = ["net.own = own_net:OwnNet", "feature_group.own = own_feature:OwnFeature"]
    points.append("detector.own = own_detector:OwnDetector")
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


@pytest.mark.parametrize("net", ["own_net:OwnNet", "own"])
def test_a_net_learns_an_outside_label_and_is_exported(net: str, package: Path) -> None:
    changes = {
        "nets.0.name": net,
        "fit.epochs": 1,
        "label.kind": "own_more:next_move",
        "evaluation.resamples": 100,
        "evaluation.metrics": '["own_more:sureness"]',
        "evaluation.baselines": '["prior"]',
        "data.cache": str(package / "tables"),
    }
    words = [part for name, value in changes.items() for part in ("--set", f"{name}={value}")]
    run("train", "run", "own_net.toml", "--out", str(package / "models"), "--no-track", "--importance", "32", *words)
    (card,) = (package / "models").glob(f"own_net-{net.rpartition(':')[2]}/*/metrics.json")
    scores = json.loads(card.read_text())["test"][net.rpartition(":")[2]]["scores"]
    assert 1 / 3 <= scores["sureness"][0] <= 1.0
    assert list(card.parent.glob("*.onnx"))


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
