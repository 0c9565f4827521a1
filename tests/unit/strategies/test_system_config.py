"""A backtest and a live node read the same system from the same file, and call it by the same digest."""

from pathlib import Path

import pytest

from fathom.backtests.setup.config import load
from fathom.settings.errors import SettingsError
from fathom.settings.toml import Layers
from fathom.strategies.system_config import read_system
from tests.conftest import PROJECT
from tests.makers.small_market import config_file, make_market


def digest_of(files: list[Path], changes: list[str] | None = None) -> str:
    system, parts = read_system(Layers.read(files, changes or []))
    return parts.digest(system.seed, system.bars_delay_ms, system.risk, system.data.instruments)


def test_a_live_node_reads_what_a_backtest_runs(tmp_path: Path) -> None:
    market = make_market(tmp_path / "market").path
    actors = '\n[risk]\nmax_daily_loss = 0.02\n[[actors]]\nname = "features"\n[[actors]]\nname = "detection"\n'
    config = config_file(tmp_path, market, more=actors)
    resolved = load([config])
    system, parts = read_system(Layers.read([config]))
    assert digest_of([config]) == resolved.system
    assert [strategy.shown for strategy in parts.strategies] == [strategy.shown for strategy in resolved.strategies]
    assert system.data.instruments == resolved.config.data.instruments
    assert parts.depth == resolved.depth
    assert all(actor.parameters.rows_from is None for actor in parts.actors)


@pytest.mark.parametrize(
    "change",
    [
        "strategies.0.parameters.multiplier=1.5",
        "seed=2",
        "bars_delay_ms=5.0",
        "data.depth=50",
        "risk.max_daily_loss=0.01",
    ],
)
def test_what_changes_the_trading_changes_the_digest(tmp_path: Path, change: str) -> None:
    config = config_file(tmp_path, make_market(tmp_path / "market").path)
    assert digest_of([config], [change]) != digest_of([config])


def test_what_is_of_the_backtest_alone_does_not(tmp_path: Path) -> None:
    config = config_file(tmp_path, make_market(tmp_path / "market").path)
    changes = ["venue.latency.insert_ms=5.0", "name=other", "report.equity_interval=1m", 'data.catalog="elsewhere"']
    assert digest_of([config], changes) == digest_of([config])


@pytest.mark.parametrize("name", ["demo", "perp-ticks"])
def test_the_configurations_of_backtests_are_those_of_systems(name: str) -> None:
    assert len(digest_of([PROJECT / f"configs/backtest/{name}.toml"])) == 12


def test_a_slip_is_named_by_file_and_path(tmp_path: Path) -> None:
    config = config_file(tmp_path, make_market(tmp_path / "market").path)
    with pytest.raises(SettingsError, match=r"--set strategies.0.name=.*: strategies\[0\].name: Expected the name"):
        read_system(Layers.read([config], ["strategies.0.name=supertrnd"]))
