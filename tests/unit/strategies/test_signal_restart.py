"""A restart: what a strategy had decided, counted and journalled is there again, and nobody waits for ever."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from backtests.run import run
from strategies.journal import Decision
from strategies.signal_strategy import SignalStrategy
from tests.unit.backtests.small_market import config_file, make_market
from tests.unit.strategies.scripted import ORACLE, SCRIPTED, Scripted, ScriptedConfig

BTC = "BTCUSDT-LINEAR.BYBIT"


class Saving:
    """Notes the state of a strategy at a second of its run."""

    state: ClassVar[dict[str, bytes]] = {}
    rows: ClassVar[list[str]] = []


def saved_at(second: int, folder: Path, more: str, oracle: str = "") -> tuple[dict[str, bytes], list[str]]:
    """Return the state, and the rows of the journal as text, at a second of a run."""
    original = Scripted.on_time_event

    def saving(self: Scripted, event: Any) -> None:
        original(self, event)
        if self.seconds == second:
            Saving.rows = [str(row) for row in self.journal.rows]
            Saving.state = self.on_save()

    market = make_market(folder / "market", seconds=40.0).path
    text = f'notional = 60000.0\n{more}\n[[actors]]\nname = "{ORACLE}"\n[actors.parameters]\n{oracle}'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scripted, "on_time_event", saving)
        run([config_file(folder, market, strategy=SCRIPTED, more=text)], out=folder / "runs", pages=False)
    return Saving.state, Saving.rows


def restored(state: dict[str, bytes]) -> SignalStrategy:
    strategy = Scripted(ScriptedConfig(max_errors=3), BTC, "Scripted-BTCUSDT")
    strategy.on_load(state)
    return strategy


def test_a_position_keeps_its_row_and_its_name(tmp_path: Path) -> None:
    more = 'signals = [[10, "BUY", 0.7]]\nstop = 0.1\ntarget = 0.1'
    state, rows = saved_at(20, tmp_path, more)
    strategy = restored(state)
    (row,) = strategy.journal.rows
    assert [str(row)] == rows
    assert row.stage == "filled"
    strategy.on_decision("Scripted-BTCUSDT-1", "cancelled", "the rest of it")
    assert row.stage == "filled"  # a filled signal does not end with its entry order
    assert row.ended == ""
    assert strategy.trade.signals == 1  # the next one is named 2


def test_one_that_waits_for_the_validator_is_refused_with_a_reason(tmp_path: Path) -> None:
    more = 'signals = [[20, "BUY", 0.7]]\nvalidator = true\nvalidation_deadline_ms = 5000.0'
    state, rows = saved_at(20, tmp_path, more, "delay_ms = 4000.0")
    assert "stage='signal'" in rows[0]
    assert restored(state).journal.rows == []  # it is over: it stands in the journal of the run that made it


def test_failures_are_counted_on(tmp_path: Path) -> None:
    state, _ = saved_at(20, tmp_path, "signals = []\nfails = [5, 6]")
    strategy = restored(state)
    assert strategy.errors == 2


def test_alerts_live_on(tmp_path: Path) -> None:
    more = 'signals = []\nmanipulation = { action = "block", live_secs = 10.0 }'
    state, _ = saved_at(20, tmp_path, more, 'alerts = [[2, "BUY", 0.9], [15, "SELL", 0.8]]')
    alerts = restored(state)._filter.alerts
    assert [alert.trace_id for alert in alerts] == ["alert-15"]


def test_a_row_survives_the_encoding_whole() -> None:
    import msgspec

    row = Decision(ts=1, instrument="A.B", strategy="S", stage="filled", fees=0.1, ended="", reason="x", blended=0.5)
    assert str(msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=Decision)) == str(row)
