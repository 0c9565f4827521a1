"""The strategies' configurations: all are valid, and the ensemble runs on recorded markets from import to report."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from fathom.backtests import run
from fathom.backtests.setup.config import load
from fathom.backtests.setup.run_files import RunFiles
from fathom.commands.data.group import data

PAIRS = [("demo", f"system/{name}") for name in ("ensemble", "momentum", "sar_wave", "supertrend", "volume_profile")]
PAIRS += [(market, f"backtest/{market}-ensemble") for market in ("perp-ticks", "bitstamp-24h")]


@pytest.mark.parametrize(("market", "overlay"), PAIRS, ids=[overlay for _, overlay in PAIRS])
def test_every_configuration_of_a_strategy_is_valid(project: Path, market: str, overlay: str) -> None:
    resolved = load([project / f"configs/backtest/{market}.toml", project / f"configs/{overlay}.toml"])
    (strategy,) = resolved.strategies
    assert strategy.name in overlay
    written = resolved.text  # every default spelled out, members' tables included: it reads back as the same
    assert ("[strategies.parameters.momentum]" in written) == (strategy.name == "ensemble")


def imported(market: str, real_data: Path, catalog: Path) -> None:
    source = real_data / market
    if market == "perp-ticks":
        arguments = ["bybit", *(str(file) for file in sorted(source.iterdir()) if "BTCUSDT" in file.name)]
    else:
        files = ["--book", str(source / "book.parquet"), "--trades", str(source / "trades.parquet")]
        arguments = ["table", *files, "--instrument", "BTCUSD.BITSTAMP"]
    result = CliRunner().invoke(data, ["import", *arguments, "--catalog", str(catalog)])
    assert result.exit_code == 0, result.output


@pytest.mark.real_data
@pytest.mark.parametrize("market", ["perp-ticks", "bitstamp-24h"])
def test_the_ensemble_runs_on_a_recorded_market(project: Path, real_data: Path, tmp_path: Path, market: str) -> None:
    imported(market, real_data, tmp_path / "catalog")
    configs = [project / f"configs/backtest/{name}.toml" for name in (market, f"{market}-ensemble")]
    settings = [f"data.catalog={tmp_path / 'catalog'}"]
    if market == "perp-ticks":
        settings.append('data.instruments=["BTCUSDT-LINEAR.BYBIT"]')  # half of the data is enough here
    files = RunFiles(run(configs, out=tmp_path, assignments=settings, pages=False).path)
    decisions = files.kept_table("decisions")
    assert decisions is not None
    rows = decisions.to_pylist()
    assert {row["source"] for row in rows} == {"ensemble", "momentum", "sar_wave", "supertrend", "volume_profile"}
    assert {row["ended"] for row in rows if row["source"] != "ensemble"} == {"vote"}
    elected = [row for row in rows if row["source"] == "ensemble"]
    closed = [row for row in elected if row["stage"] == "closed"]
    assert len(closed) >= 3
    assert files.table("positions").num_rows == len(closed)
    assert files.summary()["trades"]["open"] == 0
