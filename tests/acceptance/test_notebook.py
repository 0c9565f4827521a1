"""The examples of `docs/notebook.md`, executed as they stand there, and what they show."""

import re
from pathlib import Path
from typing import Any

import pytest

from fathom.data_catalog import Catalog
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.production import simulate

LONGEST = 5


def blocks(project: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (project / "docs" / "notebook.md").read_text(), re.DOTALL)


def test_each_example_has_few_lines(project: Path) -> None:
    lengths = [len([line for line in block.splitlines() if line]) for block in blocks(project)]
    assert len(lengths) == 5
    assert max(lengths) <= LONGEST


def test_the_examples_run(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scenario = load_scenario(project / "configs" / "simulation" / "manipulated.toml", ["duration_secs=180.0"])
    simulate(scenario, Catalog("catalog"), 1)
    seen: dict[str, Any] = {}
    for block in blocks(project):
        exec(compile(block, "docs/notebook.md", "exec"), seen)
    trades, features, labels, found, run = (seen[name] for name in ("trades", "features", "labels", "found", "run"))
    assert len(trades) > 50
    assert trades["price"].between(10_000, 200_000).all()
    assert str(trades["ts_event"].dt.tz) == "UTC"
    assert list(features.columns) == ["ts", "mid_price", "bid_ask_spread_rel", "imbalance_5"]
    assert len(features) == len(labels.classes) > 150
    assert set(labels.classes.tolist()) >= {1, 2}
    assert len(seen["folds"]) == 3
    assert 0.0 < found[0]["confidence"] <= 1.0
    assert run.summary["final_equity"] == run.equity["equity"].iloc[-1]
    assert len(run.orders) >= len(run.fills) > 0
    assert len(run.decisions) > 0
