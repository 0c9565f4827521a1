"""Running the engine: determinism, chunks, spans, failures that must be seen, funding, liquidation."""

import json
import math
import re
import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fathom.backtests import run
from fathom.backtests.errors import Interrupted, RunError
from fathom.backtests.setup.config import load
from fathom.backtests.setup.data_feed import constant_funding, open_feed
from fathom.backtests.setup.run_files import SCHEMAS, RunFiles
from fathom.settings.errors import SettingsError
from tests.makers import odd_strategies
from tests.makers.odd_strategies import FAILING, LISTEN, SCRIPT
from tests.makers.small_market import BTC, ETH, SECOND, START, config_file, make_bars, make_market


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_market(tmp_path_factory.mktemp("market"), ("BTCUSDT", "ETHUSDT")).path


def files_of(folder: Path, config: Path, *assignments: str) -> RunFiles:
    return RunFiles(run([config], out=folder / "runs", assignments=assignments, pages=False).path)


def test_a_run_trades_both_ways_and_writes_every_file(market: Path, tmp_path: Path) -> None:
    files = files_of(tmp_path, config_file(tmp_path, market))
    summary = files.summary()
    assert summary["trades"]["long"] >= 1
    assert summary["trades"]["short"] >= 1
    assert summary["trades"]["open"] == 0  # closed on stop
    assert summary["events"] == {"book_deltas": 240 * 17, "trades": 150, "total": 240 * 17 + 150}
    assert {path.name for path in files.path.iterdir()} == {
        *(f"{name}.parquet" for name in SCHEMAS),
        *("decisions.parquet", "config.toml", "summary.json", "timing.json", "trials.json", "versions.json"),
    }
    for name, schema in SCHEMAS.items():
        assert files.table(name).schema == schema
        assert files.table(name).num_rows > 0
    assert json.loads((files.path / "timing.json").read_text())["events_per_sec"] > 0
    assert files.versions()["packages"]["nautilus_trader"] == "2.0.0rc7"
    assert [path for path in files.path.parent.iterdir() if path.name.startswith(".")] == []


def test_the_tables_agree_with_the_summary(market: Path, tmp_path: Path) -> None:
    files = files_of(tmp_path, config_file(tmp_path, market))
    summary, fills, positions = files.summary(), files.table("fills"), files.table("positions")
    equity = files.table("equity").to_pydict()
    assert equity["equity"][0] == summary["starting_equity"] == 100_000.0
    assert equity["equity"][-1] == summary["final_equity"]
    for at, value in enumerate(equity["equity"]):
        parts = sum(equity[f"pnl_{part}"][at] for part in ("price", "fees", "funding", "slippage"))
        assert math.isclose(parts, value - 100_000.0, abs_tol=1e-6)
        assert math.isclose(value, equity["balance"][at] + equity["unrealized"][at], abs_tol=1e-9)
    assert math.isclose(pc.sum(fills["commission"]).as_py(), -summary["pnl"]["fees"], abs_tol=1e-8)
    assert math.isclose(pc.sum(fills["slippage"]).as_py(), -summary["pnl"]["slippage"], abs_tol=1e-8)
    assert math.isclose(pc.sum(positions["pnl_net"]).as_py(), summary["pnl"]["net"], abs_tol=1e-6)
    assert set(positions["exit_role"].to_pylist()) <= {"STOP", "TARGET", "EXIT"}
    assert summary["ledger"]["largest_difference"] < 1e-6
    times = equity["ts"]
    last = max(
        START + 59_750 * 10**6, fills["ts_event"].to_pylist()[-1].value
    )  # what is open at the end is closed then
    assert (times[0].value, times[-1].value) == (START, last)
    assert {time.value % SECOND for time in times[1:-1]} == {0}


def test_the_same_configuration_gives_the_same_bytes(market: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, market)
    first, second = files_of(tmp_path, config), files_of(tmp_path, config)
    assert first.path != second.path
    for name in ("summary.json", "config.toml", "versions.json"):
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes()
    for name in SCHEMAS:
        assert first.table(name).equals(second.table(name))


def test_the_size_of_the_chunks_changes_nothing(market: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, market)
    small = files_of(tmp_path, config, "data.chunk_events=1000")
    large = files_of(tmp_path, config, "data.chunk_events=1000000")
    for name in SCHEMAS:
        assert small.table(name).equals(large.table(name))


def test_two_instruments_trade_side_by_side(market: Path, tmp_path: Path) -> None:
    alone = files_of(tmp_path, config_file(tmp_path, market))
    both = files_of(tmp_path, config_file(tmp_path, market), f'data.instruments=["{BTC}", "{ETH}"]')
    assert both.summary()["strategies"] == ["SuperTrend-BTCUSDT", "SuperTrend-ETHUSDT"]
    parts = both.summary()["instruments"]
    assert parts[ETH]["trades"] >= 1
    assert math.isclose(parts[BTC]["pnl"]["net"] + parts[ETH]["pnl"]["net"], both.summary()["pnl"]["net"], abs_tol=1e-6)
    mine = pc.equal(both.table("fills")["instrument_id"], BTC)
    columns = [
        "ts_event",
        "side",
        "quantity",
        "price",
        "commission",
    ]  # the size is fixed, so the neighbour is no matter
    assert both.table("fills").filter(mine).select(columns).equals(alone.table("fills").select(columns))
    prices = both.table("prices").to_pydict()
    assert prices["instrument_id"][:2] == [BTC, ETH]
    assert prices["ts"][0] == prices["ts"][1]


def test_a_run_without_a_trade_has_figures_and_reasons(market: Path, tmp_path: Path) -> None:
    summary = files_of(tmp_path, config_file(tmp_path, market), "strategies=[]").summary()
    assert summary["total_return"] == 0.0
    assert summary["orders"]["count"] == summary["fills"]["count"] == summary["trades"]["closed"] == 0
    assert summary["trades"]["win_rate"] is None
    assert summary["undefined"]["trades.win_rate"] == "no closed trade"
    assert summary["undefined"]["fills.maker_share"] == "no fill"
    assert "No strategy was configured: the data were replayed for nobody." in summary["notes"]
    null = [name for name, value in summary["trades"].items() if value is None]
    assert {f"trades.{name}" for name in null} <= set(summary["undefined"])


def test_an_end_between_two_events_ends_with_the_event_before(market: Path, tmp_path: Path) -> None:
    summary = files_of(tmp_path, config_file(tmp_path, market), "data.end=2024-08-09T00:00:40.1Z").summary()
    assert summary["data_span"]["end"] == "2024-08-09T00:00:40.007Z"  # a trade


def test_actors_of_the_configuration_speak_to_the_strategies(market: Path, tmp_path: Path) -> None:
    odd_strategies.HEARD.clear()
    config = config_file(tmp_path, market, strategy=LISTEN, more='[[actors]]\nname = "features"\n')
    summary = files_of(tmp_path, config).summary()
    assert summary["orders"]["count"] == 0
    assert 55 <= len(odd_strategies.HEARD) <= 60  # one vector a second
    odd_strategies.HEARD.clear()


def test_start_and_end_cut_the_data(market: Path, tmp_path: Path) -> None:
    sets = ["data.start=2024-08-09T00:00:10Z", "data.end=2024-08-09T00:00:40Z"]
    files = files_of(tmp_path, config_file(tmp_path, market), *sets)
    summary = files.summary()
    assert summary["data_span"] == {
        "start": "2024-08-09T00:00:10.000Z",
        "end": "2024-08-09T00:00:40.000Z",
        "seconds": 30.0,
    }
    assert summary["events"]["book_deltas"] == 121 * 17
    whole = files_of(tmp_path, config_file(tmp_path, market)).table("prices").to_pydict()
    cut = files.table("prices").to_pydict()
    at = dict(zip(whole["ts"], whole["mark"], strict=True))
    shared = [(time, mark) for time, mark in zip(cut["ts"], cut["mark"], strict=True) if time in at]
    assert len(shared) >= 31  # a sample a second; closing at the end may add one after the data
    assert [at[time] for time, _ in shared] == [mark for _, mark in shared]


@pytest.mark.parametrize("where", ["start", "timer", "callback", "trade", "stop"])
def test_an_exception_in_a_handler_fails_the_run(market: Path, tmp_path: Path, where: str) -> None:
    config = config_file(tmp_path, market, strategy=FAILING, more=f'where = "{where}"')
    with pytest.raises(RunError, match=r"(?s)An exception left \w+\..*ValueError: boom"):
        run([config], out=tmp_path / "runs", pages=False)
    assert not (tmp_path / "runs").exists()


def test_an_exception_that_the_strategy_handles_is_its_own_affair(market: Path, tmp_path: Path) -> None:
    files_of(tmp_path, config_file(tmp_path, market, strategy=FAILING, more='where = "handled"'))


def test_an_error_in_the_engines_log_fails_the_run(market: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, market, strategy=FAILING, more='where = "log"')
    with pytest.raises(RunError, match=r"Expected a simulation until 2024-08-09T00:00:59\.750Z, was one until"):
        run([config], out=tmp_path / "runs", pages=False)


def test_an_interrupt_ends_the_run_without_a_directory(market: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, market, strategy=FAILING, more='where = "interrupt"')
    with pytest.raises(Interrupted, match=r"Stopped at 2024-08-09T00:00:0"):
        run([config], out=tmp_path / "runs", pages=False)
    assert not (tmp_path / "runs").exists()


def test_data_that_are_not_there_are_named(market: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, market)
    wrong = {
        "data.catalog=nowhere": r"^data\.catalog: Expected the folder of a catalog, was .*nowhere\.",
        'data.instruments=["BTCUSD-LINEAR.BYBIT"]': r"^data\.instruments\[0\]: .*Did you mean 'BTCUSDT-LINEAR\.BYBIT'",
        "data.start=2025-01-01T00:00:00Z": r"^data\.start: Expected a span that overlaps the data",
        "venue.starting_balance=1000 USDC": r"^data\.instruments\[0\]: Expected a venue\.starting_balance in USDT",
        "funding.source=catalog": r"^funding\.source: Expected funding_rates of BTCUSDT-LINEAR\.BYBIT in the catalog",
    }
    for setting, message in wrong.items():
        with pytest.raises(SettingsError, match=message):
            run([config], out=tmp_path / "runs", assignments=[setting], pages=False)


def test_fees_latency_and_slippage_of_one_order(market: Path, tmp_path: Path) -> None:
    script = 'orders = [[2, "BUY", "1.500"], [4, "SELL", "1.500"]]'
    config = config_file(tmp_path, market, strategy=SCRIPT, more=script)
    slow = files_of(tmp_path, config, "venue.latency.base_ms=300").table("fills").to_pylist()
    assert [(fill["side"], fill["liquidity"], fill["quantity"]) for fill in slow] == [
        ("BUY", "TAKER", 1.0),
        ("BUY", "TAKER", 0.5),  # the second level
        ("SELL", "TAKER", 1.0),
        ("SELL", "TAKER", 0.5),
    ]
    assert {fill["ts_event"].value - START for fill in slow} == {2_300 * 10**6, 4_300 * 10**6}  # to the nanosecond
    for fill in slow:
        assert math.isclose(fill["commission"], fill["notional"] * 0.00055, abs_tol=1e-8)
        sign = 1 if fill["side"] == "BUY" else -1
        assert math.isclose(fill["slippage"], sign * (fill["price"] - fill["arrival_mid"]) * fill["quantity"])
    assert slow[1]["price"] == round(slow[0]["price"] + 0.1, 1)
    assert [fill["position_after"] for fill in slow] == [1.0, 1.5, 0.5, 0.0]


def test_an_order_through_zero_closes_one_trip_and_opens_the_next(market: Path, tmp_path: Path) -> None:
    script = 'orders = [[2, "BUY", "0.400"], [4, "SELL", "1.000"]]'
    files = files_of(tmp_path, config_file(tmp_path, market, strategy=SCRIPT, more=script))
    fills, trips = files.table("fills").to_pylist(), files.table("positions").to_pylist()
    by_trip = [[fill for fill in fills if fill["position"] == number] for number in (0, 1)]
    assert [[fill["position_after"] for fill in part][-1] for part in by_trip] == [0.0, -0.6]
    assert [fill["position_after"] for fill in by_trip[0]] == [0.4, 0.0]
    assert math.isclose(sum(fill["quantity"] for fill in by_trip[1]), 0.6)
    assert [(trip["side"], trip["ts_closed"] is None) for trip in trips] == [("LONG", False), ("SHORT", True)]
    sold = sum(fill["quantity"] * fill["price"] for fill in fills[1:])
    assert math.isclose(sum(fill["commission"] for fill in fills[1:]), sold * 0.00055, abs_tol=1e-7)
    summary = files.summary()
    assert summary["trades"]["open"] == 1
    assert any("still open at the end" in note for note in summary["notes"])
    assert math.isclose(sum(trip["pnl_net"] for trip in trips), summary["pnl"]["net"], abs_tol=1e-6)


def test_constant_funding_is_settled_by_the_engine_at_the_mid(tmp_path: Path) -> None:
    hours = [600_000 + 10 * (at % 60) for at in range(60 * 17)]
    kind = make_bars(tmp_path / "catalog", hours)
    config = config_file(tmp_path, tmp_path / "catalog", strategy=SCRIPT, more='orders = [[120, "SELL", "2.000"]]')
    bars = ['data.types=["bars"]', f'data.bars=["{kind}"]']
    constant = ["funding.source=constant", "funding.rate=0.0003", "funding.interval_hours=8"]
    plain = files_of(tmp_path, config, *bars)
    paid = files_of(tmp_path, config, *bars, *constant)
    assert plain.summary()["funding"] == {"source": "none", "payments": 0}
    assert paid.summary()["funding"] == {"source": "constant", "payments": 2}
    equity = paid.table("equity").to_pydict()
    expected = Decimal(0)
    for hour in (8, 16):  # the close of the bar before; a short receives a positive rate
        price = Decimal(hours[hour * 60 - 1]) / 10
        expected += 2 * price * Decimal("0.0003")
    assert math.isclose(equity["pnl_funding"][-1], float(expected), abs_tol=0.01)
    difference = paid.summary()["final_equity"] - plain.summary()["final_equity"]
    assert math.isclose(difference, float(expected), abs_tol=0.01)
    assert math.isclose(paid.table("positions")["pnl_funding"][0].as_py(), float(expected), abs_tol=0.01)


def test_funding_rates_of_the_catalog_are_settled_like_constant_ones(tmp_path: Path) -> None:
    kind = make_bars(tmp_path / "catalog", [600_000 + 10 * (at % 60) for at in range(60 * 9)])
    config = config_file(tmp_path, tmp_path / "catalog", strategy=SCRIPT, more='orders = [[120, "BUY", "2.000"]]')
    sets = ['data.types=["bars"]', f'data.bars=["{kind}"]', "funding.rate=0.0003"]
    constant = files_of(tmp_path, config, *sets, "funding.source=constant")
    resolved = load([config], [*sets, "funding.source=constant"])
    constant_funding(open_feed(resolved.config), resolved.config.funding, tmp_path / "rates")
    shutil.copytree(tmp_path / "rates" / "data" / "funding_rates", tmp_path / "catalog" / "data" / "funding_rates")
    held = files_of(tmp_path, config, *sets, "funding.source=catalog")
    assert held.summary()["funding"] == {"source": "catalog", "payments": 1}
    assert held.summary()["pnl"]["funding"] < 0.0
    assert held.table("equity").equals(constant.table("equity"))


def test_the_venue_liquidates_an_account_that_cannot_pay(tmp_path: Path) -> None:
    def crash(seconds: float) -> int:
        return 600_000 if seconds < 20 else 500_000

    make_market(tmp_path / "catalog", mid=crash)
    config = config_file(tmp_path, tmp_path / "catalog", strategy=SCRIPT, more='orders = [[2, "BUY", "2.000"]]')
    sets = ["venue.starting_balance=15000 USDT", "venue.leverage=100"]
    kept = files_of(tmp_path, config, *sets).summary()
    assert kept["trades"]["open"] == 1
    assert any("below the maintenance margin at 2024-08-09T00:00:20" in note for note in kept["notes"])
    sold = files_of(tmp_path, config, *sets, "venue.liquidation.enabled=true")
    assert (sold.summary()["trades"]["open"], sold.summary()["trades"]["closed"]) == (0, 1)
    assert sold.table("positions")["exit_role"].to_pylist() == ["LIQUIDATION"]
    again = files_of(tmp_path, config, *sets, "venue.liquidation.enabled=true")
    assert again.table("orders").equals(sold.table("orders"))
    with pytest.raises(SettingsError, match=r"Expected venue\.liquidation\.enabled = false without the type 'book'"):
        files_of(tmp_path, config, "venue.liquidation.enabled=true", 'data.types=["trades"]')


def test_a_liquidated_account_owes_nothing(tmp_path: Path) -> None:
    def crash(seconds: float) -> int:
        return 600_000 if seconds < 20 else 300_000  # far below what the margin covers

    make_market(tmp_path / "catalog", mid=crash)
    config = config_file(tmp_path, tmp_path / "catalog", strategy=SCRIPT, more='orders = [[2, "BUY", "2.000"]]')
    sets = ["venue.starting_balance=15000 USDT", "venue.leverage=100", "venue.liquidation.enabled=true"]
    files = files_of(tmp_path, config, *sets)
    summary = files.summary()
    assert (summary["final_equity"], summary["total_return"], summary["risk"]["max_drawdown"]) == (0.0, -1.0, -1.0)
    assert min(files.table("equity")["equity"].to_pylist()) == 0.0
    [note] = [note for note in summary["notes"] if "was liquidated" in note]
    assert re.search(r"at 2024-08-09T00:00:20\..*BTCUSDT.* exceeded the account by 45,0\d\d\.\d\d USDT", note)


def test_ratios_over_an_equity_that_is_gone_are_undefined(tmp_path: Path) -> None:
    def dip(seconds: float) -> int:
        return 300_000 if 20 <= seconds < 40 else 600_000

    make_market(tmp_path / "catalog", mid=dip)
    config = config_file(tmp_path, tmp_path / "catalog", strategy=SCRIPT, more='orders = [[2, "BUY", "2.000"]]')
    files = files_of(tmp_path, config, "venue.starting_balance=15000 USDT", "venue.leverage=100")
    summary, equity = files.summary(), files.table("equity")
    worth, gross = equity["equity"].to_numpy(), equity["gross_exposure"].to_numpy()
    assert (worth < 0.0).sum() == 20
    leverage = (gross / worth)[worth > 0.0]
    assert summary["exposure"]["leverage_mean"] == pytest.approx(leverage.mean())
    assert summary["exposure"]["leverage_max"] == pytest.approx(leverage.max())
    [note] = [note for note in summary["notes"] if note.startswith("Ratios over the equity")]
    assert "leverage leaves out 20 of" in note
    assert "first at 2024-08-09T00:00:20" in note


def test_without_a_book_orders_meet_the_last_trade(market: Path, tmp_path: Path) -> None:
    files = files_of(tmp_path, config_file(tmp_path, market), 'data.types=["trades"]')
    summary = files.summary()
    assert summary["trades"]["closed"] >= 2
    assert any("no order book" in note for note in summary["notes"])
    assert set(files.table("prices")["bid"].to_pylist()) == {None}


def test_without_trades_bars_of_the_mid_drive_the_strategy(market: Path, tmp_path: Path) -> None:
    sets = ['data.types=["book"]', "strategies.0.parameters.bars=2-SECOND-MID-INTERNAL"]
    files = files_of(tmp_path, config_file(tmp_path, market), *sets)
    assert files.summary()["trades"]["closed"] >= 2
    assert set(files.table("prices")["last"].to_pylist()) == {None}


def test_bars_alone_can_be_traded(tmp_path: Path) -> None:
    wave = [600_000 + 4_000 * abs((at % 40) - 20) // 20 for at in range(400)]
    kind = make_bars(tmp_path / "catalog", wave)
    sets = ['data.types=["bars"]', f'data.bars=["{kind}"]', f"strategies.0.parameters.bars={kind}"]
    files = files_of(tmp_path, config_file(tmp_path, tmp_path / "catalog"), *sets)
    summary = files.summary()
    assert summary["events"] == {"bars": 400, "total": 400}
    assert summary["trades"]["closed"] >= 4
    entries = [fill for fill in files.table("fills").to_pylist() if fill["role"] == "ENTRY"]
    assert all(fill["price"] == fill["decision_price"] for fill in entries)  # filled at the close that decided
    assert isinstance(files.table("equity"), pa.Table)
