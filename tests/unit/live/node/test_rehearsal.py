"""A live node trades the system of a backtest on the rehearsal exchange, as the exchange takes it."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from fathom.backtests.setup.config import load
from fathom.commands.main import main
from fathom.live.errors import LiveError
from fathom.live.node.build import WATCHED, build, claiming, data_engine, execution_engine
from fathom.live.node.rehearsal import Outcome
from fathom.live.node.warm_up import warm_up
from fathom.live.setup.rehearsal_config import Plan, load_rehearsal, plan
from fathom.settings.errors import SettingsError
from fathom.settings.toml import Layers
from fathom.strategies import system
from tests.conftest import PROJECT
from tests.makers.small_market import BTC, config_file, make_market

ACTORS = """
[risk]
max_daily_loss = 0.02
[[actors]]
name = "features"
[actors.parameters.features]
depth = 50
[[actors]]
name = "detection"
[actors.parameters.watch.surveillance]
depth = 50
"""
URLS = dict.fromkeys(("http", "ws_public", "ws_private", "ws_trade"), "http://127.0.0.1:9")


def made(config: Path, *changes: str) -> Plan:
    return plan(Layers.read([config], changes))


def rehearsed(
    folder: Path, *options: str, strategy: str = "supertrend", more: str = ACTORS, code: int = 0
) -> tuple[Path, dict[str, object]]:
    market = make_market(folder / "market", seconds=120.0).path
    config_file(folder, market, strategy=strategy, more=more, name="system")
    config = folder / "rehearsal.toml"
    config.write_text(
        f'name = "small"\nsystem = ["system.toml"]\nduration_secs = 24.0\n[exchange]\ncatalog = "{market}"\n'
    )
    arguments = ["live", "rehearse", str(config), "--out", str(folder / "out"), "--json", *options]
    # A process of its own: the engine builds one live node in a thread.
    done = subprocess.run([sys.executable, "-m", "fathom", *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return folder, json.loads(done.stdout)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    return rehearsed(tmp_path_factory.mktemp("rehearsal"))


@pytest.mark.xdist_group("rehearsal")
def test_a_rehearsed_session_trades_and_the_auditor_is_content(finished: tuple[Path, dict[str, object]]) -> None:
    folder, outcome = finished
    assert outcome["findings"] == outcome["errors"] == []
    assert outcome["refused"] == {}
    orders = outcome["orders"]
    assert isinstance(orders, list)
    kinds = {order["type"] for order in orders}
    assert {"MARKET", "STOP_MARKET", "LIMIT"} <= kinds  # entry, stop and target
    stops = [order for order in orders if order["type"] == "STOP_MARKET"]
    assert all(order["reduce_only"] for order in stops)
    assert all(len(order["order_id"]) <= 36 for order in orders)
    assert outcome["commands"] == {**outcome["commands"], "order.create": len(orders)}  # type: ignore[dict-item]
    (page,) = (folder / "out").glob("*/rehearsal.html")
    text = page.read_text()
    assert "clean" in text
    assert str(outcome["digest"]) in text
    assert not any(mark in text for mark in ('src="http', 'href="http', "url(http"))


def test_a_session_that_only_watches_sends_no_order_while_it_makes_signals(tmp_path: Path) -> None:
    _, outcome = rehearsed(tmp_path, "--watch")
    assert outcome["commands"] == {}
    assert outcome["orders"] == outcome["errors"] == outcome["findings"] == []
    signals = outcome["signals"]
    assert isinstance(signals, dict)
    assert set(signals) == {f"manual: {WATCHED}"}
    assert sum(signals.values()) > 0


def test_a_plain_strategy_of_the_engine_has_no_way_to_the_account_either(tmp_path: Path) -> None:
    more = f'bar_type = "{BTC}-2-SECOND-LAST-INTERNAL"\ntrade_size = 0.1\nevery = 2\n'
    options = ("--watch", "--system", "data.depth=50", "--set", "duration_secs=12")
    folder, outcome = rehearsed(tmp_path, *options, strategy="tests.makers.plain_nautilus:Turn", more=more)
    assert (outcome["commands"], outcome["executions"]) == ({}, 0)
    orders = outcome["orders"]
    assert isinstance(orders, list)
    assert {order["status"] for order in orders} == {"DENIED"}  # it asked for some
    (saved,) = (folder / "out").glob("*/rehearsal.json")
    assert msgspec.json.decode(saved.read_bytes(), type=Outcome).sent == 0


def test_t18_too_many_exceptions_end_the_session(tmp_path: Path) -> None:
    more = f'bar_type = "{BTC}-2-SECOND-LAST-INTERNAL"\ntrade_size = -1.0\nevery = 1\n'  # each bar: no such quantity
    options = ("--system", "data.depth=50", "--set", "duration_secs=60", "--set", "max_errors=2")
    _, outcome = rehearsed(tmp_path, *options, strategy="tests.makers.plain_nautilus:Turn", more=more, code=1)
    errors, secs = outcome["errors"], outcome["secs"]
    assert isinstance(errors, list)
    assert isinstance(secs, float)
    assert len(errors) >= 2
    assert all(error.startswith("Turn.on_bar: ") for error in errors)
    assert secs < 60.0
    assert outcome["findings"] == []


@pytest.mark.xdist_group("rehearsal")
def test_live_and_backtest_call_the_system_by_one_digest(finished: tuple[Path, dict[str, object]]) -> None:
    folder, outcome = finished
    assert load([folder / "system.toml"]).system == outcome["digest"]
    assert outcome["instruments"] == [BTC]


def test_t05_and_t07_bars_and_quotes_are_made_as_in_a_backtest() -> None:
    engine = data_engine(30.0)
    assert engine.emit_quotes_from_book
    assert engine.time_bars_build_delay == 30_000
    assert engine.time_bars_skip_first_non_full_bar


def test_t06_a_depth_that_no_feed_has_is_refused(tmp_path: Path) -> None:
    config = config_file(tmp_path, tmp_path)
    with pytest.raises(LiveError, match=r"Expected a depth of the book .* \(50, 200, 1000\), was all. Set data.depth"):
        made(config)
    assert made(config, "data.depth=200").depth == 200


def test_t09_two_strategies_in_one_instrument_are_refused(tmp_path: Path) -> None:
    more = '[[strategies]]\nname = "momentum"\n'
    with pytest.raises(SettingsError, match="Expected one strategy an instrument"):
        made(config_file(tmp_path, tmp_path, more=more), "data.depth=50")


def test_t09_every_strategy_claims_what_the_venue_holds(tmp_path: Path) -> None:
    config = config_file(tmp_path, tmp_path)
    (strategy,) = made(config, "data.depth=50").components.strategies
    assert not strategy.parameters.claim_external
    claimed = claiming(strategy.parameters)
    assert claimed.claim_external
    assert msgspec.structs.replace(claimed, claim_external=False) == strategy.parameters
    assert claiming({"period": 3}) == {"period": 3}  # of a plain strategy of the engine, which has no such setting


def test_t12_order_ids_of_long_symbols_fit() -> None:
    tag = system.order_tag("1000000PEPEUSDT-LINEAR.BYBIT")
    assert len(f"O-20261201-001548-001-{tag}-999999") <= 36


def test_t17_the_execution_engine_keeps_all_that_is_set() -> None:
    engine = execution_engine()
    assert (engine.reconciliation, engine.reconciliation_lookback_mins) == (True, 60)
    assert (engine.inflight_check_threshold_ms, engine.inflight_check_retries) == (2_000, 3)


def test_t24_what_only_a_backtest_has_is_refused(tmp_path: Path) -> None:
    more = '[[actors]]\nname = "features"\n[actors.parameters]\nrows_from = "x"\nfeatures = { depth = 50 }\n'
    with pytest.raises(LiveError, match="Expected no rows_from of the actor features"):
        made(config_file(tmp_path, tmp_path, more=more), "data.depth=50")


def test_instruments_of_a_simulated_market_get_the_names_of_the_venue() -> None:
    found = made(PROJECT / "configs/system/rehearsal.toml")
    assert found.system.data.instruments == ["BTCUSDT-LINEAR.BYBIT", "ETHUSDT-LINEAR.BYBIT"]
    assert found.digest == load([PROJECT / "configs/system/rehearsal.toml"]).system


@pytest.mark.parametrize("name", ["BTCUSD.BITSTAMP", "BTCUSD-INVERSE.BYBIT", "ETHUSDT-SPOT.BYBIT"])
def test_other_products_are_not_traded_live(tmp_path: Path, name: str) -> None:
    config = config_file(tmp_path, tmp_path)
    with pytest.raises(LiveError, match=r"Expected instruments such as BTCUSDT-LINEAR\.BYBIT, was"):
        made(config, f'data.instruments=["{name}"]', "data.depth=50")


@pytest.mark.parametrize("host", ["https://api.bybit.com", "wss://stream-testnet.bybit.com/v5/trade"])
@pytest.mark.parametrize("name", list(URLS))
def test_no_url_of_another_machine_is_ever_built(tmp_path: Path, name: str, host: str) -> None:
    found = made(config_file(tmp_path, tmp_path), "data.depth=50")
    with pytest.raises(LiveError, match=f"Expected the {name} of a rehearsal on this machine"):
        build(found, {**URLS, name: host}, "key", "secret", taker_fee=0.0005)


def test_t04_warming_up_leaves_the_policies_as_they_were(tmp_path: Path) -> None:
    found = made(config_file(tmp_path, tmp_path, more=ACTORS))
    (strategy,) = found.components.strategies
    strategies = system.build(strategy.entry, strategy.parameters, strategy.instruments, set())
    before = [member.policy.snapshot()["state"].tolist() for member in strategies[0].members]
    assert warm_up(found.components, strategies) > 0.0
    assert str([member.policy.snapshot()["state"].tolist() for member in strategies[0].members]) == str(before)


def test_a_rehearsal_without_a_catalog_is_refused_before_anything_runs(tmp_path: Path) -> None:
    config_file(tmp_path, tmp_path)
    config = tmp_path / "r.toml"
    config.write_text('name = "r"\nsystem = ["c.toml"]\n[exchange]\ncatalog = "nowhere"\n')
    done = CliRunner().invoke(main, ["live", "rehearse", str(config), "--system", "data.depth=50"])
    assert done.exit_code == 1
    assert f"Expected a catalog to replay, was {tmp_path / 'nowhere'}" in done.stderr


def test_a_slip_in_a_rehearsal_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"r.toml: exchange.speeed: .*Did you mean 'speed'"):
        load_rehearsal(Layers.read([_written(tmp_path / "r.toml", "speeed = 2.0")]))
    with pytest.raises(SettingsError, match=r"exchange.speed"):
        load_rehearsal(Layers.read([_written(tmp_path / "r.toml", "speed = 0.0")]))


def _written(path: Path, line: str) -> Path:
    path.write_text(f'name = "r"\nsystem = ["c.toml"]\n[exchange]\ncatalog = "c"\n{line}\n')
    return path
