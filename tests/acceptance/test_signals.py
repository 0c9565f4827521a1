"""Ctrl-C and SIGTERM end every long command with 130 and 143, one sentence, and nothing half-written."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

DEMO = PROJECT / "configs/simulation/demo.toml"
BACKTEST = """
name = "stopped"
[data]
catalog = "market"
instruments = ["BTCUSDT-LINEAR.SIM", "ETHUSDT-LINEAR.SIM"]
[venue.fees]
maker = 0.0002
taker = 0.00055
[[actors]]
name = "features"
[[strategies]]
name = "supertrend"
[strategies.parameters]
bars = "5-SECOND-LAST-INTERNAL"
volume_window = 0
"""
FEATURES = 'catalog = "market"\ninstruments = ["BTCUSDT-LINEAR.SIM", "ETHUSDT-LINEAR.SIM"]\n'
COMMANDS: dict[str, list[str]] = {
    "simulate": ["data", "simulate", str(DEMO), "--catalog", "other", "--duration", "48h"],
    "backtest": ["backtest", "run", "backtest.toml", "--out", "runs"],
    "lookahead": ["backtest", "lookahead", "backtest.toml"],
    "features": ["features", "build", "features.toml"],
    "detect": ["detect", "run", "detect.toml"],
}


def _hear() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a shell ignores it


def _start(folder: Path, arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fathom", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signals")
    made = _start(folder, ["data", "simulate", str(DEMO), "--catalog", "market", "--duration", "4h"])
    _, errors = made.communicate(timeout=300)
    assert made.returncode == 0, errors
    (folder / "backtest.toml").write_text(BACKTEST)
    (folder / "features.toml").write_text(FEATURES)
    (folder / "detect.toml").write_text(FEATURES)
    return folder


@pytest.mark.xdist_group("signals")
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(("number", "code", "secs"), [(signal.SIGINT, 130, 2.4), (signal.SIGTERM, 143, 3.2)])
def test_a_stopped_command_leaves_no_debris(folder: Path, name: str, number: int, code: int, secs: float) -> None:
    process = _start(folder, COMMANDS[name])
    try:
        process.wait(secs)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("this machine was done before the signal")
    assert process.returncode == code, errors
    lines = [line for line in errors.splitlines() if line.strip()]
    assert len(lines) == 1, errors
    assert lines[0].startswith({130: "Stopped by Ctrl-C.", 143: "Stopped by SIGTERM."}[code])
    parts = [path for path in folder.rglob("*") if path.name.endswith(".part") or ".tmp" in path.name]
    assert parts == []
