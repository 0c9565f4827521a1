"""The user's own code is part of a run's identity; without any, nothing changes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fathom.backtests import Run, run
from fathom.backtests.setup.config import load
from fathom.backtests.setup.identity import code_of
from fathom.backtests.setup.run_files import RunFiles, digest
from tests.makers.small_market import SUPERTREND, config_file, make_market

_SOURCE = """
from fathom.strategies.supertrend import SuperTrend, SuperTrendConfig
from own_helper import TRADES


class Mine(SuperTrend):
    def on_start(self):
        if TRADES:
            super().on_start()


MineConfig = SuperTrendConfig
"""


@pytest.fixture(autouse=True)
def _forget_own_modules() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in ("own_strategy", "own_helper"):
        sys.modules.pop(name, None)


def test_a_change_of_own_code_is_another_run_and_runs(tmp_path: Path) -> None:
    (tmp_path / "own_strategy.py").write_text(_SOURCE)
    (tmp_path / "own_helper.py").write_text("TRADES = 1\n")
    market = make_market(tmp_path / "market").path
    config = config_file(tmp_path, market, strategy="own_strategy:Mine", more=SUPERTREND)
    files = RunFiles(run([config], out=tmp_path / "runs").path)
    assert set(files.versions()["code"]["modules"]) == {"own_strategy", "own_helper"}
    first = files.summary()
    assert first["config_hash"] != digest(load([config]).text)
    assert len(Run.load(files.path).fills) > 0
    assert "own_helper" in (files.path / "tearsheet.html").read_text()

    (tmp_path / "own_helper.py").write_text("TRADES = 0\n")
    again = RunFiles(run([config], out=tmp_path / "runs", pages=False).path)
    assert again.summary()["config_hash"] != first["config_hash"]
    assert len(Run.load(again.path).fills) == 0
    assert again.trials()["count"] == 2


def test_without_own_code_the_hash_is_that_of_the_text(tmp_path: Path) -> None:
    market = make_market(tmp_path / "market").path
    resolved = load([config_file(tmp_path, market)])
    assert resolved.digest == digest(resolved.text)
    assert code_of(resolved.text).digest == ""
