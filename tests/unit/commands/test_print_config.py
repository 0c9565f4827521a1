"""`--print-config`: every value of a configuration, with its meaning, as a file that reads the same."""

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from fathom.commands.main import main

SETS = ["--set", "data.catalog=c"]
CASES = {
    "backtest run": ["configs/backtest/perp-ticks.toml", "configs/backtest/perp-ticks-stack.toml"],
    "backtest ablate": ["configs/backtest/demo.toml"],
    "backtest scorecard": ["configs/scorecard/simulated.toml"],
    "data simulate": ["configs/simulation/edge.toml"],
    "detect run": ["configs/detection/perp-ticks.toml"],
    "features build": ["configs/training/features.toml"],
    "train run": ["configs/training/edge.toml"],
    "train walk-forward": ["configs/training/edge.toml"],
    "train tune": ["configs/tuning/edge.toml"],
}


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments, "--print-config"])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("name", CASES)
def test_what_is_printed_reads_the_same(
    name: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = shown(*name.split(), *(str(project / file) for file in CASES[name]))
    file = tmp_path / "printed.toml"
    file.write_text(text)
    again = shown(*name.split(), str(file))
    assert tomllib.loads(again) == tomllib.loads(text)
    assert json.loads(shown(*name.split(), str(file), "--json"))[
        "name" if "backtest" in name else next(iter(tomllib.loads(text)))
    ]
    assert list(tmp_path.iterdir()) == [file]


def test_changes_and_meanings_are_in_it(project: Path) -> None:
    text = shown("train", "run", str(project / "configs/training/edge.toml"), "--set", "label.horizon_secs=45")
    assert tomllib.loads(text)["label"]["horizon_secs"] == 45.0
    assert "# Of everything that is random.\nseed = " in text
    assert "# Share of the training" in text or "# " in text.partition("[fit]")[2]


def test_the_detectors_alone(project: Path) -> None:
    text = shown("detect", "benchmark", "--set", "layering.min_levels=5")
    assert tomllib.loads(text)["layering"]["min_levels"] == 5
