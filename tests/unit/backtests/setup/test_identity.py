"""The user's own code is part of a run's identity; without any, nothing changes."""

import sys
from pathlib import Path

import pytest

from fathom.backtests import run
from fathom.backtests.setup.config import load
from fathom.backtests.setup.identity import code_of
from fathom.backtests.setup.run_files import RunFiles, digest
from tests.makers.small_market import config_file, make_market

_SOURCE = """
from fathom.strategies.library.supertrend import SuperTrend, SuperTrendConfig
from own_helper import NUMBER


class Mine(SuperTrend):
    Config = SuperTrendConfig
"""


def test_a_change_of_own_code_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fathom.strategies import SuperTrend

    home = tmp_path / "own"
    home.mkdir()
    place = f"from {SuperTrend.__module__} import SuperTrend, SuperTrendConfig"
    source = _SOURCE.replace("from fathom.strategies.library.supertrend import SuperTrend, SuperTrendConfig", place)
    (home / "own_strategy.py").write_text(source)
    (home / "own_helper.py").write_text("NUMBER = 1\n")
    monkeypatch.syspath_prepend(str(home))
    market = make_market(tmp_path / "market").path
    config = config_file(tmp_path, market, strategy="own_strategy:Mine", more="notional = 60000.0")
    try:
        files = RunFiles(run([config], out=tmp_path / "runs").path)
        code = files.versions()["code"]
        assert set(code["modules"]) == {"own_strategy", "own_helper"}
        first = files.summary()["config_hash"]
        assert first == load([config]).digest != digest(load([config]).text)
        assert "own_helper" in (files.path / "tearsheet.html").read_text()
        (home / "own_helper.py").write_text("NUMBER = 2\n")
        assert load([config]).digest != first
        again = RunFiles(run([config], out=tmp_path / "runs", pages=False).path)
        assert again.trials()["count"] == 2
    finally:
        for name in ("own_strategy", "own_helper"):
            sys.modules.pop(name, None)


def test_without_own_code_the_hash_is_that_of_the_text(tmp_path: Path) -> None:
    market = make_market(tmp_path / "market").path
    resolved = load([config_file(tmp_path, market)])
    assert resolved.digest == digest(resolved.text)
    assert code_of(resolved.text).digest == ""
