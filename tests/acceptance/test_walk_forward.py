"""Recorded perpetuals from the archive's files to the results of a walk-forward, by commands alone."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fathom.commands.main import main


@pytest.mark.real_data
def test_recorded_ticks_walk_forward(real_data: Path, project: Path, tmp_path: Path) -> None:
    files = [str(path) for path in sorted((real_data / "perp-ticks").iterdir()) if path.suffix in (".zip", ".gz")]
    done = CliRunner().invoke(main, ["data", "import", "bybit", *files, "--catalog", str(tmp_path / "catalog")])
    assert done.exit_code == 0, done.output
    changes = {
        "data.features": project / "configs/training/features.toml",
        "data.catalog": tmp_path / "catalog",
        "data.cache": tmp_path / "tables",
        "ledger": tmp_path,
        "evaluation.resamples": 100,
        "nets.0.parameters.channels": "[4]",
        "nets.0.parameters.steps": "[3]",
        "fit.epochs": 1,
    }
    command = [
        "train",
        "walk-forward",
        str(project / "configs/training/perp-ticks.toml"),
        "--out",
        str(tmp_path / "run"),
    ]
    for name, value in changes.items():
        command += ["--set", f"{name}={value}"]
    done = CliRunner().invoke(main, [*command, "--json"])
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["instruments"] == ["BTCUSDT-LINEAR.BYBIT", "ETHUSDT-LINEAR.BYBIT"]
    assert summary["leak_check"]["passed"]
    assert summary["leak_check"]["report"]["replayed"] == 20 * len(summary["instruments"])
    assert set(summary["models"]) == {"compact", "prior", "persistence", "logistic", "boosting"}
    # What 5.5 bps a side does to five seconds of a perpetual.
    assert summary["models"]["persistence"]["stitched"]["net_bps_per_trade"][0] < 0.0
    assert summary["models"]["persistence"]["stitched"]["net_bps_per_trade"][1:] == [None, None]  # six minutes are few
    assert "No 95 % intervals: the data count as" in (tmp_path / "run" / "report.html").read_text()
