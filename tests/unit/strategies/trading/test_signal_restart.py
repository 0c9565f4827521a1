"""A restart: what a strategy had decided, counted and journalled is there again, and nobody waits for ever."""

import math
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from fathom.backtests import run
from fathom.data_catalog.messages.detections import ManipulationAlert, RegimeChange, WaveUpdate
from fathom.strategies.trading.commands import Step
from fathom.strategies.trading.journal import Decision
from fathom.strategies.trading.policy_strategy import PolicyStrategy
from tests.makers.alerts import alert
from tests.makers.scripted import ORACLE, SCRIPTED, Scripted, ScriptedConfig
from tests.makers.small_market import config_file, make_market

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
            Saving.rows = [str(row) for row in self.desk.journal.rows]
            Saving.state = self.on_save()

    market = make_market(folder / "market", seconds=40.0).path
    text = f'notional = 60000.0\n{more}\n[[actors]]\nname = "{ORACLE}"\n[actors.parameters]\n{oracle}'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scripted, "on_time_event", saving)
        run([config_file(folder, market, strategy=SCRIPTED, more=text)], out=folder / "runs", pages=False)
    return Saving.state, Saving.rows


def restored(state: dict[str, bytes]) -> PolicyStrategy:
    strategy = Scripted(ScriptedConfig(max_errors=3), BTC, "Scripted-BTCUSDT")
    strategy.on_load(state)
    return strategy


def test_a_position_keeps_its_row_and_its_name(tmp_path: Path) -> None:
    more = 'signals = [[10, "BUY", 0.7]]\nstop = 0.1\ntarget = 0.1'
    state, rows = saved_at(20, tmp_path, more)
    strategy = restored(state)
    (row,) = strategy.desk.journal.rows
    assert [str(row)] == rows
    assert row.stage == "filled"
    strategy.on_step(Step("Scripted-BTCUSDT-1", "cancelled", "the rest of it"))
    assert row.stage == "filled"  # a filled signal does not end with its entry order
    assert row.ended == ""
    assert strategy.bracket.trade.signals == 1  # the next one is named 2


def test_one_that_waits_for_the_validator_is_refused_with_a_reason(tmp_path: Path) -> None:
    more = 'signals = [[20, "BUY", 0.7]]\nvalidator = true\nvalidation_deadline_ms = 5000.0'
    state, rows = saved_at(20, tmp_path, more, "delay_ms = 4000.0")
    assert "stage='signal'" in rows[0]
    assert restored(state).desk.journal.rows == []  # it is over: it stands in the journal of the run that made it


def test_failures_are_counted_on(tmp_path: Path) -> None:
    state, _ = saved_at(20, tmp_path, "signals = []\nfails = [5, 6]")
    strategy = restored(state)
    assert strategy.desk.errors == 2


def test_alerts_live_on(tmp_path: Path) -> None:
    more = 'signals = []\nmanipulation = { action = "block", live_secs = 10.0 }'
    state, _ = saved_at(20, tmp_path, more, 'alerts = [[2, "BUY", 0.9], [15, "SELL", 0.8]]')
    alerts = restored(state).desk.filter.alerts
    assert [alert.trace_id for alert in alerts] == ["alert-15"]


def test_what_the_detectors_said_last_is_known_again(tmp_path: Path) -> None:
    """They speak when something changes, which may be hours later."""
    state, _ = saved_at(20, tmp_path, "signals = []", "levels = [59950.0, 60050.0]")
    again = restored(state).desk
    assert again.levels is not None
    assert (again.levels.support, again.levels.resistance) == (59950.0, 60050.0)
    assert (again.regime, again.wave) == (None, None)


def test_what_the_detectors_said_last_is_known_after_a_crash(tmp_path: Path) -> None:
    name = str(tmp_path)
    times: dict[str, int] = {"ts_event": 5, "ts_init": 5}
    regime = RegimeChange(
        instrument_id=BTC, regime="crash", previous="", confidence=0.9, pause=True, is_flat=False,
        flat_strength=math.nan, **times,
    )  # fmt: skip
    wave = WaveUpdate(instrument_id=BTC, wave="3", direction=1, confidence=0.5, invalidation=9.0, **times)
    found: list[Any] = []

    class Crashed(Scripted):
        def on_start(self) -> None:
            super().on_start()
            for finding in (regime, wave, alert_of(self.clock.timestamp_ns())):
                self.on_finding(finding)
            found.append(restored({"strategy": bytes(self.cache.get(f"strategy.{self.strategy_id}") or b"")}).desk)

    market = make_market(tmp_path / "market", seconds=5.0).path
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.makers.scripted.Scripted", Crashed)
        run([config_file(tmp_path, market, strategy=SCRIPTED)], out=Path(name) / "runs", pages=False)
    (fresh,) = found
    assert str(fresh.regime) == str(regime)
    assert fresh.wave == wave
    assert [alert.trace_id for alert in fresh.filter.alerts] == ["told"]


@pytest.mark.parametrize(("second", "stages"), [(12, ["filled"]), (21, ["filled", "signal"])])
def test_the_journal_goes_on_after_a_crash(tmp_path: Path, second: int, stages: list[str]) -> None:
    found: list[Any] = []
    original = Scripted.on_time_event

    def crashing(self: Scripted, event: Any) -> None:
        original(self, event)
        if self.seconds == second and event.name == "script":
            fresh = restored({"strategy": bytes(self.cache.get(f"strategy.{self.strategy_id}") or b"")}).desk
            found.append((fresh.journal.rows, [str(row) for row in self.desk.journal.rows]))
            assert fresh.errors == self.desk.errors == 1

    market = make_market(tmp_path / "market", seconds=40.0).path
    signals = 'signals = [[10, "BUY", 0.7], [20, "BUY", 0.7]]\nfails = [5]\nstop = 0.1\ntarget = 0.1'
    more = f"{signals}\nvalidator = true\nvalidation_deadline_ms = 5000.0"
    oracle = f'[[actors]]\nname = "{ORACLE}"\n[actors.parameters]\ndelay_ms = 1500.0'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scripted, "on_time_event", crashing)
        config = config_file(tmp_path, market, strategy=SCRIPTED, more=f"notional = 60000.0\n{more}\n{oracle}")
        run([config], out=tmp_path / "runs", pages=False)
    ((rows, before),) = found
    assert [row.stage for row in rows] == stages
    assert str(rows[0]) in before
    assert [row.ended for row in rows] == ["", "validation"][: len(rows)]


def alert_of(ts_ns: int) -> ManipulationAlert:
    return alert(BTC, ts_ns, trace_id="told")


def test_a_row_survives_the_encoding_whole() -> None:
    row = Decision(ts=1, instrument="A.B", strategy="S", stage="filled", fees=0.1, ended="", reason="x", blended=0.5)
    assert str(msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=Decision)) == str(row)
