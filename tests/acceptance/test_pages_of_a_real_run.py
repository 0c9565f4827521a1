"""A day of recorded data, imported, backtested and reported by the commands: the pages say what summary.json says."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fathom.commands.main import main
from fathom.pages.formats import number, percent
from tests.makers.reading_pages import charts, loads, read, rows, tiles

CONFIG = """
name = "bitstamp"

[data]
catalog = "{catalog}"
instruments = ["BTCUSD.BITSTAMP"]

[venue]
starting_balance = "100000 USD"

[venue.fees]
maker = 0.0025
taker = 0.0025

[[strategies]]
name = "supertrend"

[strategies.parameters]
bars = "5-MINUTE-MID-INTERNAL"
volume_window = 0
"""


@pytest.fixture(scope="module")
def run(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bitstamp")
    source = real_data / "bitstamp-24h"
    imported = ["data", "import", "table", "--book", str(source / "book.parquet")]
    imported += ["--trades", str(source / "trades.parquet"), "--instrument", "BTCUSD.BITSTAMP"]
    (folder / "run.toml").write_text(CONFIG.format(catalog=folder / "catalog"))
    for command in (
        [*imported, "--catalog", str(folder / "catalog")],
        ["backtest", "run", str(folder / "run.toml"), "--out", str(folder / "runs")],
    ):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.output
    (made,) = (folder / "runs").iterdir()
    return made


@pytest.mark.real_data
def test_the_pages_say_what_the_summary_says(run: Path) -> None:
    summary: dict[str, Any] = json.loads((run / "summary.json").read_text())
    tearsheet, execution = ((run / f"{name}.html").read_text() for name in ("tearsheet", "execution"))
    first, table = tiles(tearsheet), rows(tearsheet)
    assert summary["trades"]["closed"] > 0
    assert first["Return"][0] == percent(summary["total_return"], signed=True)
    assert first["Max drawdown"][0] == percent(summary["risk"]["max_drawdown"])
    assert first["Benchmark"][0] == percent(summary["benchmark"]["total_return"], signed=True)
    assert first["Fees, USD"][0] == number(-summary["pnl"]["fees"])
    assert table["Closed, still open"][0] == f"{summary['trades']['closed']}, {summary['trades']['open']}"
    assert table["Win rate"][0] == percent(summary["trades"]["win_rate"], 1)
    assert table["Profit factor"][0] == number(summary["trades"]["profit_factor"])
    assert table["Time in market"][0] == percent(summary["exposure"]["time_in_market"], 1)
    assert summary["risk"]["sharpe"] is None
    assert table["Sharpe, annualised"][0] == "n/a"
    parts = tiles(execution)
    for label in ("Price", "Fees", "Slippage"):
        assert parts[label][0] == number(summary["pnl"][label.lower()], signed=True)
    assert parts["Maker share"][0] == percent(summary["fills"]["maker_share"], 1)
    for note in summary["notes"]:
        assert note in " ".join(read(tearsheet).text)


@pytest.mark.real_data
def test_the_pages_of_a_real_run_are_whole(run: Path) -> None:
    for name in ("tearsheet", "execution"):
        page = (run / f"{name}.html").read_text()
        assert loads(page) == []
        assert not any("differ:" in text for text in read(page).text)  # the account is the sum of its trades
    drawn = charts((run / "execution.html").read_text())
    assert {"price-btcusd-bitstamp", "equity", "underwater", "exposure"} <= set(drawn)
    assert drawn["price-btcusd-bitstamp"]["marks"]
