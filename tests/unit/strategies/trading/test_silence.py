"""A strategy that had no data, or made no signal of them, is named with what it subscribed to."""

from pathlib import Path

import pytest

from fathom.backtests import run
from fathom.backtests.setup.run_files import RunFiles
from tests.makers.small_market import BTC, config_file, make_market


def notes_of(tmp_path: Path, *changes: str) -> str:
    config = config_file(tmp_path, make_market(tmp_path / "market").path)
    outcome = run([config], out=tmp_path / "runs", assignments=changes, pages=False)
    return " ".join(RunFiles(outcome.path).summary()["notes"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("strategies.0.parameters.bars=5-MINUTE-LAST-INTERNAL", f"received no bar: it subscribed to {BTC}-5-MINUTE"),
        ("strategies.0.parameters.multiplier=50.0", f"bars of {BTC}-2-SECOND-LAST-INTERNAL"),
    ],
)
def test_silence_is_explained(tmp_path: Path, change: str, words: str) -> None:
    notes = notes_of(tmp_path, change)
    assert "SuperTrend-BTCUSDT (supertrend) " in notes
    assert words in notes


def test_a_strategy_that_speaks_is_not_named(tmp_path: Path) -> None:
    notes = notes_of(tmp_path)
    assert "received no bar" not in notes
    assert "made no signal" not in notes


def test_each_member_of_an_ensemble_is_named(tmp_path: Path) -> None:
    members = ("momentum", "sar_wave", "supertrend")
    more = "\n".join(f'[strategies.parameters.{name}]\nbars = "1-HOUR-LAST-INTERNAL"' for name in members)
    config = config_file(tmp_path, make_market(tmp_path / "market").path, strategy="ensemble", more=more)
    outcome = run([config], out=tmp_path / "runs", pages=False)
    notes = " ".join(RunFiles(outcome.path).summary()["notes"])
    for member in members:
        assert f"Ensemble-BTCUSDT ({member}) received no bar" in notes
