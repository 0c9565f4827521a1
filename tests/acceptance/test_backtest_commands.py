"""`fathom backtest run` as a user types it: recorded data from import to tearsheet, overlays, errors, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fathom.backtests.setup.run_files import RunFiles
from tests.makers.odd_strategies import FAILING
from tests.makers.small_market import config_file, make_market


def fathom(project: Path, *arguments: object, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fathom", *(str(argument) for argument in arguments)]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, cwd=project, env=environment, check=False)


def only_run(folder: Path) -> RunFiles:
    (found,) = folder.iterdir()
    return RunFiles(found)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_market(tmp_path_factory.mktemp("market")).path


def test_two_processes_write_the_same_summary(market: Path, project: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, market)
    for out, seed in (("one", "1"), ("two", "2")):
        done = fathom(project, "backtest", "run", config, "--out", tmp_path / out, "--no-pages", hash_seed=seed)
        assert done.returncode == 0, done.stderr
        assert "Round trips" in done.stdout
    one, two = only_run(tmp_path / "one"), only_run(tmp_path / "two")
    for name in ("summary.json", "config.toml", "versions.json"):
        assert (one.path / name).read_bytes() == (two.path / name).read_bytes()


def test_json_is_all_that_stands_on_standard_output(market: Path, project: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, market)
    options = ["--out", tmp_path / "runs", "--json", "--log-level", "info", "--set", "name=other"]
    done = fathom(project, "backtest", "run", config, *options)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    files = only_run(tmp_path / "runs")
    assert content["path"] == str(files.path)
    assert content["summary"] == files.summary()
    assert content["summary"]["name"] == "other"
    assert "nautilus" in done.stderr
    for page in ("tearsheet.html", "execution.html"):
        assert files.run_id in (files.path / page).read_text()


def test_wrong_configurations_and_failing_strategies_end_with_1_and_no_run(
    market: Path, project: Path, tmp_path: Path
) -> None:
    good = config_file(tmp_path, market)
    overlay = tmp_path / "overlay.toml"
    overlay.write_text("[venue.fees]\nmakr = 0.1\n")
    failing = config_file(tmp_path, market, strategy=FAILING, more='where = "trade"', name="failing")
    for arguments, words in (
        ([good, overlay], f"{overlay}: venue.fees.makr: Expected one of: maker, taker. Did you mean 'maker'?"),
        ([good, "--set", "venue.leverage=x"], "--set venue.leverage=x: venue.leverage: Expected float, was 'x' (str)."),
        ([tmp_path / "none.toml"], "none.toml: Expected a TOML file, was none."),
        ([failing], "An exception left Failing.on_trade"),
    ):
        done = fathom(project, "backtest", "run", *arguments, "--out", tmp_path / "runs")
        assert done.returncode == 1
        assert words in done.stderr
        assert done.stdout == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.real_data
def test_recorded_perpetuals_from_archive_to_tearsheet(real_data: Path, project: Path, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    archives = sorted((real_data / "perp-ticks").iterdir())
    assert fathom(project, "data", "import", "bybit", *archives, "--catalog", catalog).returncode == 0
    config = project / "configs" / "backtest" / "perp-ticks.toml"
    options = ["--set", f"data.catalog={catalog}", "--out", tmp_path / "runs"]
    done = fathom(project, "backtest", "run", config, *options)
    assert done.returncode == 0, done.stderr
    files = only_run(tmp_path / "runs")
    summary = files.summary()
    assert summary["trades"]["closed"] >= 1
    assert any(part["fills"] for part in summary["instruments"].values())
    assert summary["events"] == {"book_deltas": 875_675, "trades": 35_384, "total": 911_059}
    assert (files.path / "tearsheet.html").stat().st_size > 10_000


@pytest.mark.real_data
def test_a_recorded_day_of_another_venue(real_data: Path, project: Path, tmp_path: Path) -> None:
    catalog, source = tmp_path / "catalog", real_data / "bitstamp-24h"
    tables = ["--book", source / "book.parquet", "--trades", source / "trades.parquet"]
    done = fathom(project, "data", "import", "table", *tables, "--instrument", "BTCUSD.BITSTAMP", "--catalog", catalog)
    assert done.returncode == 0, done.stderr
    config = project / "configs" / "backtest" / "bitstamp-24h.toml"
    options = ["--set", f"data.catalog={catalog}", "--out", tmp_path / "runs", "--no-pages"]
    done = fathom(project, "backtest", "run", config, *options)
    assert done.returncode == 0, done.stderr
    assert only_run(tmp_path / "runs").summary()["trades"]["closed"] >= 1


@pytest.mark.real_data
def test_recorded_minute_bars(real_data: Path, project: Path, tmp_path: Path) -> None:
    catalog, configs = tmp_path / "catalog", project / "configs" / "backtest"
    (source,) = (real_data / "bars").glob("*.csv.gz")
    options = (
        "--bar 1-MINUTE-LAST-EXTERNAL --timestamp open --volume-unit quote --round-volume --instrument BTC-PERP.FTX"
    )
    instruments = [
        "--instrument",
        "BTC-PERP.FTX",
        "--instruments",
        configs / "bars-instrument.toml",
        "--catalog",
        catalog,
    ]
    done = fathom(project, "data", "import", "bars", source, *options.split(), *instruments)
    assert done.returncode == 0, done.stderr
    sets = ["--set", f"data.catalog={catalog}", "--out", tmp_path / "runs", "--no-pages"]
    done = fathom(project, "backtest", "run", configs / "bars.toml", *sets)
    assert done.returncode == 0, done.stderr
    summary = only_run(tmp_path / "runs").summary()
    assert summary["trades"]["closed"] >= 20
    assert summary["risk"]["sharpe"] is not None  # 31 days: long enough to annualise
