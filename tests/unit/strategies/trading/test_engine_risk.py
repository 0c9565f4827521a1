"""The risk gate in the engine: halts close and stop all, protections, gates, and what a report shows of it."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId, Currency, InstrumentId

from fathom.backtests import run
from fathom.backtests.errors import RunError
from fathom.backtests.setup.run_files import RunFiles
from fathom.data_catalog.messages.detections import RegimeChange
from fathom.strategies import system
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.risk.config import RiskConfig
from fathom.strategies.risk.gate import Approved, UnapprovedError
from fathom.strategies.trading.engine_market import EngineMarket
from fathom.strategies.trading.policy_strategy import Saved
from tests.makers.bracket_script import DIRECTED, REFUSED, TOLD, Directed, DirectedConfig, Step
from tests.makers.gating import now_of, signal_of
from tests.makers.small_market import BTC, ETH, SECOND, START, config_file, make_market, zigzag
from tests.unit.strategies.trading.test_orders import play, rows_of, stages

HERE = "tests.unit.strategies.trading.test_engine_risk"


class RegimesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Seconds at which the pause flag changes, as `[second, paused]`."""

    flags: tuple[tuple[int, bool], ...]


class Regimes(DataActor):
    """Says when the market's regime is one not to trade in."""

    def __new__(cls, config: RegimesConfig, actor_id: str) -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId(actor_id)))  # type: ignore[call-arg]

    def __init__(self, config: RegimesConfig, actor_id: str) -> None:
        super().__init__()
        self.flags = config.flags

    def on_start(self) -> None:
        for second, paused in self.flags:
            at = START + second * SECOND
            change = RegimeChange(
                instrument_id=BTC,
                ts_event=at,
                ts_init=at,
                regime="crash" if paused else "range",
                previous="range",
                confidence=1.0,
                pause=paused,
                is_flat=False,
                flat_strength=0.0,
            )
            self.clock.set_time_alert_ns(f"flag-{second}", at, lambda _, c=change: self.publish_message(c.topic, c))


def falls(seconds: float) -> int:
    """Mid of 60,000, and from 10 s on 30 dollars less each second."""
    return 600_000 - (round(300 * (seconds - 10.0)) if seconds > 10.0 else 0)


def at(step: Step) -> tuple[str, str]:
    return step.stage, step.reason.split(":")[0]


def events_of(files: RunFiles) -> list[tuple[str, str]]:
    table = files.kept_table("risk_events")
    return [(row["kind"], row["reason"]) for row in table.to_pylist()] if table is not None else []


@pytest.mark.parametrize(
    ("limit", "reason"), [("risk.max_daily_loss=0.003", "daily_loss"), ("risk.max_drawdown=0.003", "drawdown")]
)
def test_a_halt_leaves_the_market_and_keeps_out(tmp_path: Path, limit: str, reason: str) -> None:
    steps = '[[5, "buy", 295.0, 9000.0], [30, "buy", 900.0, 900.0], [35, "sell", 900.0, 900.0]]'
    # With the fees in the risk of the entry, its size would be such that the stop comes before the halt.
    sets = (limit, "risk.fee_rate=0.0", "risk.check_ms=100")
    told, files = play(tmp_path, steps, mid=falls, entry="market", sets=sets)
    assert [at(step) for step in told] == [
        ("approved", ""),
        ("submitted", ""),
        ("filled", ""),
        ("halted", reason),
        ("exited", ""),
        ("refused", reason),
        ("refused", reason),
    ]
    assert [("Directed-BTCUSDT-2", reason), ("Directed-BTCUSDT-3", reason)] == REFUSED
    halted = next(step for step in told if step.stage == "halted")
    assert 18.9 <= halted.second <= 19.3  # with 33 of fees, 300 of 100,000 are lost when the mid is 267 lower
    assert {order["status"] for order in files.table("orders").to_pylist()} == {"FILLED", "CANCELED"}
    assert events_of(files) == [("halt", reason)]
    (trip,) = files.table("positions").to_pylist()
    assert (trip["exit_role"], trip["signal_id"]) == ("EXIT", "Directed-BTCUSDT-1")
    assert {fill["signal_id"] for fill in files.table("fills").to_pylist()} == {"Directed-BTCUSDT-1"}
    assert 0.003 <= -trip["pnl_net"] / 100_000 < 0.004


def test_the_balance_is_that_of_the_account_at_every_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[tuple[float, float, float]] = []
    read = EngineMarket.balance

    def compared(market: EngineMarket) -> float:
        engine = market._engine
        account = engine.cache.account_for_venue(InstrumentId.from_str(BTC).venue)
        assert account is not None
        want = float(account.balance_total(Currency.from_str("USDT")))
        looks.append(((engine.clock.timestamp_ns() - START) / SECOND, read(market), want))
        return looks[-1][1]

    monkeypatch.setattr(EngineMarket, "balance", compared)
    steps = (
        '[[15, "buy", 900.0, 900.0], [20, "restart", 0.0, 0.0], [25, "amnesia", 0.0, 0.0], [30, "sell", 900.0, 900.0]]'
    )
    _, files = play(tmp_path, steps, mid=zigzag, entry="market", sets=("risk.check_ms=100",))
    assert [look[1] for look in looks] == [look[2] for look in looks]
    assert len(looks) > 350
    changes = [now[0] for before, now in pairwise(looks) if before[1] != now[1]]
    fills = {(fill["ts_event"].value - START) / SECOND for fill in files.table("fills").to_pylist()}
    seen = {fill for fill in fills if fill < looks[-1][0]}  # the last one is of the end
    assert len(seen) >= 3
    assert all(any(0.0 <= change - fill <= 0.1 for change in changes) for fill in seen)


def test_a_halt_cancels_an_entry_that_waits(tmp_path: Path) -> None:
    told, files = play(tmp_path, '[[10, "buy", 90.0, 90.0], [12, "halt", 0.0, 0.0]]', sets=("risk.check_ms=100",))
    assert stages(told) == ["approved", "submitted", "halted", "cancelled"]
    assert told[2].reason == "manual: by hand"
    assert {order["status"] for order in files.table("orders").to_pylist()} == {"CANCELED"}


def test_after_a_reset_it_trades_again(tmp_path: Path) -> None:
    steps = '[[5, "buy", 90.0, 90.0], [10, "halt", 0.0, 0.0], [15, "buy", 90.0, 90.0], [20, "reset", 0.0, 0.0]'
    told, files = play(tmp_path, f'{steps}, [25, "buy", 90.0, 90.0]]', mid=zigzag, entry="market")
    assert [at(step) for step in told if step.stage in ("submitted", "halted", "refused")] == [
        ("submitted", ""),
        ("halted", "manual"),
        ("refused", "manual"),
        ("submitted", ""),
    ]
    assert events_of(files) == [("halt", "manual"), ("resume", "manual")]
    trips = files.table("positions").to_pylist()
    assert [trip["signal_id"][-1] for trip in trips] == ["1", "3"]
    assert (trips[0]["ts_closed"].value - START) / SECOND == 10.02


def test_a_position_that_opens_after_the_halt_is_closed_too(tmp_path: Path) -> None:
    steps = '[[10, "buy", 90.0, 90.0], [10.2, "halt", 0.0, 0.0]]'
    sets = ("venue.latency.insert_ms=400", "venue.latency.cancel_ms=800")  # the entry is filled before its cancel
    told, files = play(tmp_path, steps, mid=zigzag, entry="market", sets=sets)
    assert [stage for stage in stages(told) if stage != "approved"] == ["submitted", "halted", "filled", "exited"]
    assert files.summary()["trades"]["open"] == 0
    assert files.table("positions")["ts_closed"][0].as_py().value < START + 12 * SECOND


def test_stops_and_losses_lock(tmp_path: Path) -> None:
    steps = '[[5, "buy", 15.0, 900.0], [13, "buy", 15.0, 900.0], [20, "buy", 15.0, 900.0], [32, "buy", 15.0, 900.0]]'

    def mid(seconds: float) -> int:
        return 600_000 - round(100 * seconds)

    sets = ("risk.protections.cooldown.losses=1", "risk.protections.cooldown.lock_secs=10.0")
    told, files = play(tmp_path, steps, mid=mid, entry="market", sets=sets)
    assert [at(step) for step in told if step.stage in ("stopped", "submitted", "refused")] == [
        ("submitted", ""),
        ("stopped", ""),
        ("refused", "cooldown"),
        ("submitted", ""),
        ("stopped", ""),
        ("submitted", ""),
        ("stopped", ""),
    ]
    assert events_of(files) == [("lock", "cooldown")] * 3
    sets = ("risk.protections.stoploss_guard.trades=2", "risk.protections.stoploss_guard.lock_secs=15.0")
    told, files = play(tmp_path, steps, mid=mid, entry="market", sets=sets)
    assert [at(step) for step in told if step.stage in ("submitted", "refused")] == [
        ("submitted", ""),
        ("submitted", ""),
        ("refused", "stoploss_guard"),
        ("submitted", ""),
    ]


def test_only_a_stop_counts_for_the_stoploss_guard(tmp_path: Path) -> None:
    sets = ("risk.protections.stoploss_guard.trades=1",)
    flips = '[[5, "buy", 900.0, 900.0], [15, "sell", 900.0, 900.0], [20, "buy", 45.0, 900.0]]'
    told, files = play(tmp_path, flips, mid=falls, entry="market", sets=sets)
    ends = [step for step in told if step.stage in ("exited", "stopped")]
    assert [step.stage for step in ends] == ["exited", "exited", "stopped"]
    assert ends[0].pnl is not None
    assert ends[0].pnl < 0.0
    table = files.kept_table("risk_events")
    assert table is not None
    (lock,) = table.to_pylist()
    assert (lock["reason"], (lock["ts"].value - START) / SECOND) == ("stoploss_guard", round(ends[2].second, 3))


def test_the_pause_of_a_regime_cancels_entries_and_lets_positions_be(tmp_path: Path) -> None:
    actors = f'\n[[actors]]\nname = "{HERE}:Regimes,{HERE}:RegimesConfig"\n[actors.parameters]\n'
    actors += "flags = [[12, true], [25, false]]\n"
    sets = ("risk.pause_on_regime=true",)
    steps = '[[10, "buy", 90.0, 90.0], [15, "buy", 90.0, 90.0]]'
    actors = f"entry_decisions = 30\n{actors}"
    told, files = play(tmp_path, steps, more=actors, sets=sets)
    assert [at(step) for step in told][1:] == [("submitted", ""), ("cancelled", ""), ("refused", "paused")]
    assert (rows_of(files, "ENTRY")[0]["ts_last"].value - START) / SECOND == 12.02
    assert events_of(files) == [("pause", "regime"), ("unpause", "regime")]
    told, files = play(tmp_path, steps, entry="market", more=actors, sets=sets)
    assert [at(step) for step in told][1:4] == [("submitted", ""), ("filled", ""), ("refused", "held")]


def test_the_spread_and_the_age_of_the_data_are_looked_at(tmp_path: Path) -> None:
    steps = '[[10, "buy", 90.0, 90.0]]'
    for limit, reason in (("max_spread_bps = 0.01", "spread"), ("max_data_age_ms = 1.0", "stale_data")):
        told, _ = play(tmp_path, steps, entry="market", more=f"risk.{limit}")
        assert [at(step) for step in told] == [("refused", reason)]
        assert [("Directed-BTCUSDT-1", reason)] == REFUSED
    told, _ = play(tmp_path, steps, entry="market", more="risk.max_spread_bps = 0.02\nrisk.max_data_age_ms = 500.0")
    assert at(told[1]) == ("submitted", "")  # a tick of 0.1 in 60,000 is 0.0167 basis points
    told, _ = play(tmp_path, steps, entry="market", more="risk.max_spread_bps = 9.0", sets=('data.types=["trades"]',))
    assert told[0].reason == "spread: nan bps, at most 9"


def test_the_volatility_is_learnt_from_the_market(tmp_path: Path) -> None:
    steps = '[[10, "buy", 300.0, 300.0], [30, "buy", 300.0, 300.0]]'
    more = "risk.volatility_target = 0.005\nrisk.volatility_half_life_secs = 15.0"
    told, _ = play(tmp_path, steps, mid=zigzag, entry="market", more=more)
    assert told[0].reason == "volatility: known after 15 s"
    approved = next(step for step in told if step.stage == "approved")
    assert approved.reason == "size bound by volatility_target"
    assert approved.quantity is not None
    assert 0.0 < approved.quantity < 0.9


def test_two_strategies_share_the_account_and_its_halts(tmp_path: Path) -> None:
    catalog = make_market(tmp_path / "catalog", ("BTCUSDT", "ETHUSDT"), mid=zigzag).path
    more = 'notional = 30000.0\nsteps = [[5, "buy", 900.0, 900.0], [20, "halt", 0.0, 0.0]]\n'
    more += f'[[strategies]]\nname = "{DIRECTED}"\ninstruments = ["{ETH}"]\n[strategies.parameters]\n'
    more += 'notional = 30000.0\nsteps = [[7, "sell", 900.0, 900.0], [30, "sell", 900.0, 900.0]]\n'
    config = config_file(tmp_path, catalog, strategy=DIRECTED, more=more)
    both = [f'data.instruments=["{BTC}", "{ETH}"]', f'strategies.0.instruments=["{BTC}"]']
    TOLD.clear()
    files = RunFiles(run([config], out=tmp_path / "r", assignments=[*both, "risk.check_ms=500"], pages=False).path)
    refused = {(step.signal_id, step.reason.split(":")[0]) for step in TOLD if step.stage == "refused"}
    assert refused == {("Directed-ETHUSDT-2", "manual")}
    assert [step.second for step in TOLD if step.stage == "halted"] == [20.0] * 2
    trips = files.table("positions").to_pylist()
    assert {(trip["strategy_id"], trip["ts_closed"].value - START) for trip in trips} == {
        ("Directed-BTCUSDT", 20_020_000_000),
        ("Directed-ETHUSDT", 20_020_000_000),
    }


def test_the_same_run_gives_the_same_refusals_and_events(tmp_path: Path) -> None:
    steps = '[[5, "buy", 5.0, 900.0], [13, "buy", 5.0, 900.0], [20, "buy", 5.0, 900.0]]'
    sets = ("risk.max_daily_loss=0.0008", "risk.protections.cooldown.lock_secs=5.0", "risk.check_ms=200")
    first, one = play(tmp_path, steps, mid=falls, entry="market", sets=sets)
    second, two = play(tmp_path, steps, mid=falls, entry="market", sets=sets)
    assert first == second
    tables = [files.kept_table("risk_events") for files in (one, two)]
    assert tables[0] is not None
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize(("every", "saves"), [(0.7, "true"), (2.0, "false")])
def test_a_restart_keeps_halts_and_locks(tmp_path: Path, every: float, saves: str) -> None:
    steps = '[[5, "buy", 5.0, 900.0], [13, "buy", 5.0, 900.0], [20, "buy", 400.0, 900.0], [38, "buy", 9.0, 9.0]]'
    sets = ("risk.max_daily_loss=0.003", "risk.protections.cooldown.lock_secs=8.0", "risk.fee_rate=0.0")
    whole, _ = play(tmp_path, steps, mid=falls, entry="market", sets=sets)
    more = f"restart_every = {every}\nsaves = {saves}"
    cut, _ = play(tmp_path, steps, mid=falls, entry="market", sets=sets, more=more)
    assert [at(step) for step in whole if step.stage in ("halted", "refused")] == [
        ("refused", "cooldown"),
        ("halted", "daily_loss"),
        ("refused", "daily_loss"),
    ]
    assert [(step.signal_id, *at(step)) for step in cut if step.stage != "halted"] == [
        (step.signal_id, *at(step)) for step in whole if step.stage != "halted"
    ]


def test_an_entry_needs_an_approval_of_its_own_gate() -> None:
    entry = system.find(DIRECTED)
    book = RiskBook(RiskConfig())
    names = [BTC, ETH]
    mine, other = system.build(entry, DirectedConfig(), names, set(), book)
    assert isinstance(mine, Directed)
    assert mine.risk.book is other.risk.book is book
    answer = other.risk.gate.review(signal_of(instrument=ETH), 1.0, now_of())
    assert isinstance(answer, Approved)
    wrong: list[Any] = [answer, signal_of(), None, object.__new__(Approved)]
    for approval in wrong:
        with pytest.raises(UnapprovedError):
            mine.bracket._enter(0, approval)
    assert book.state.claims == {}


def test_a_drawdown_may_ask_the_node_to_shut_down_and_a_backtest_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = '[[5, "buy", 295.0, 9000.0]]'
    sets = ("risk.max_drawdown=0.003", "risk.fee_rate=0.0", "risk.check_ms=100", "risk.shutdown_on_halt=true")
    told, files = play(tmp_path, steps, mid=falls, entry="market", sets=sets)
    assert stages(told)[-2:] == ["halted", "exited"]
    assert files.summary()["data_span"]["end"] == "2024-08-09T00:00:39.750Z"
    monkeypatch.setattr(
        "fathom.backtests.engine.simulation._risk_book", lambda config: RiskBook(config.risk)
    )  # as a live node does it
    with pytest.raises(RunError, match=r"Expected a simulation until .*00:00:39\.750Z, was one until .*00:00:(18|19)"):
        play(tmp_path, steps, mid=falls, entry="market", sets=sets)
    assert stages(TOLD)[-2:] == ["halted", "exited"]  # out of the market first


def test_saved_state_that_cannot_be_read_halts() -> None:
    entry = system.find(DIRECTED)
    book = RiskBook(RiskConfig())
    (one,) = system.build(entry, DirectedConfig(), [BTC], set(), book)
    saved = one.on_save()
    one.on_load({})
    one.on_load(saved)
    assert book.halt == ""
    parts = msgspec.msgpack.decode(saved["strategy"], type=Saved)
    changes: list[dict[str, Any]] = [{"bracket": parts.bracket[:-3]}, {"risk": parts.risk[:-3]}, {"version": 0}]
    cut = [msgspec.msgpack.encode(msgspec.structs.replace(parts, **change)) for change in changes]
    for broken in (saved["strategy"][:-3], b"\xff", b"", *cut):
        one.on_load({"strategy": broken})
        assert book.halt == "manual"
        assert "the saved state of Directed-BTCUSDT cannot be read" in book.state.halt_detail
        book.reset(1)


def test_a_claim_of_before_the_restart_that_nothing_stands_behind_is_dropped(tmp_path: Path) -> None:
    class Haunted(Directed):
        def on_start(self) -> None:
            self.risk.book.hold(str(self.strategy_id), BTC, 1, 5.0, 60_000.0)  # closed by hand, while it was away
            super().on_start()
            assert self.risk.claim is None

    globals()["Haunted"] = Haunted
    TOLD.clear()
    more = 'notional = 60000.0\nclaim_external = true\nsteps = [[5, "sell", 90.0, 90.0]]\n'
    haunted = f"{HERE}:Haunted,tests.makers.bracket_script:DirectedConfig"
    catalog = make_market(tmp_path / "catalog").path
    config = config_file(tmp_path, catalog, strategy=haunted, more=more)
    run([config], out=tmp_path / "r", assignments=["risk.max_daily_loss=0.02"], pages=False)
    assert stages(list(TOLD))[:3] == ["approved", "submitted", "filled"]
