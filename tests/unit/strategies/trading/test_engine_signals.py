"""The life of a signal: validated or not, filtered, placed, traded, and written down with its reason."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fathom.backtests import run
from fathom.backtests.setup.run_files import RunFiles
from fathom.strategies.trading.journal import STEPS
from tests.makers.scripted import ORACLE, SCRIPTED, Scripted
from tests.makers.small_market import BTC, SECOND, START, config_file, make_market

EXIT_FIRST = (pd.Timedelta(0), pd.Timedelta(20, "ms"))  # a flip closes the last position first
SIGNALS = '[[10, "BUY", 0.7], [30, "SELL", 0.7], [50, "BUY", 0.7]]'


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_market(tmp_path_factory.mktemp("market"), seconds=70.0).path


def played(folder: Path, catalog: Path, more: str, oracle: str = "") -> tuple[list[dict[str, Any]], RunFiles]:
    """Return the journal of a run, and its files."""
    text = f'notional = 60000.0\n{more}\n[[actors]]\nname = "{ORACLE}"\n[actors.parameters]\n{oracle}'
    config = config_file(folder, catalog, strategy=SCRIPTED, more=text)
    files = RunFiles(run([config], out=folder / "runs", pages=False).path)
    table = files.kept_table("decisions")
    assert table is not None
    assert set(table["stage"].to_pylist()) <= set(STEPS)
    return table.to_pylist(), files


def test_without_a_validator_a_signal_is_traded_and_its_whole_life_written_down(market: Path, tmp_path: Path) -> None:
    rows, files = played(tmp_path, market, f"signals = {SIGNALS}")
    assert [row["stage"] for row in rows] == ["closed"] * 3
    trips, orders = files.table("positions").to_pylist(), files.table("orders").to_pylist()
    assert len(trips) == 3
    for row, trip in zip(rows, trips, strict=True):
        assert row["signal_id"].startswith("Scripted-BTCUSDT-")
        entry = next(order for order in orders if order["client_order_id"] == row["order_id"])
        assert entry["role"] == "ENTRY"
        assert (entry["ts_init"], entry["side"]) == (row["ts_ordered"], row["side"])
        assert row["ts_ordered"] - row["ts"] in EXIT_FIRST
        assert row["ts_filled"] == trip["ts_opened"]
        assert row["ts_closed"] == trip["ts_closed"]
        assert row["exit_role"] == trip["exit_role"]
        assert row["fill_price"] == pytest.approx(trip["avg_px_open"], rel=1e-12)
        assert row["fees"] == pytest.approx(-trip["pnl_fees"], rel=1e-9)
        assert row["pnl"] == pytest.approx(trip["pnl_net"], abs=1e-6)
        assert row["risk"] == "approved"


def test_a_validated_signal_comes_later_by_the_time_of_the_model(market: Path, tmp_path: Path) -> None:
    rows, _ = played(tmp_path, market, f"signals = {SIGNALS}\nvalidator = true", "delay_ms = 137.0")
    for row in rows:
        assert (row["ts_validated"] - row["ts"]).value == 137_000_000
        assert row["ts_ordered"] - row["ts_validated"] in EXIT_FIRST
        assert (row["model_version"], row["blended"], row["weight"]) == ("oracle:1", 0.8, 0.8)
        assert row["stage"] == "closed"


@pytest.mark.parametrize(
    ("oracle", "ended", "reason"),
    [
        ("accepts = false", "validation", "blended 0.20 under 0.50"),
        ("silent = true", "validation", "no answer within 1000 ms"),
        ("delay_ms = 1000.001", "validation", "no answer within 1000 ms"),
    ],
    ids=["refused", "silent", "late"],
)
def test_no_order_without_validation(market: Path, tmp_path: Path, oracle: str, ended: str, reason: str) -> None:
    rows, files = played(tmp_path, market, f"signals = {SIGNALS}\nvalidator = true", oracle)
    assert [(row["stage"], row["ended"], row["reason"]) for row in rows] == [("signal", ended, reason)] * 3
    assert files.table("orders").num_rows == 0


def test_the_next_signal_supersedes_one_that_waits(market: Path, tmp_path: Path) -> None:
    signals = '[[10, "BUY", 0.7], [11, "SELL", 0.7]]'
    more = f"signals = {signals}\nvalidator = true\nvalidation_deadline_ms = 5000.0"
    rows, files = played(tmp_path, market, more, "delay_ms = 1500.0")
    assert (rows[0]["ended"], rows[0]["reason"]) == ("superseded", "by Scripted-BTCUSDT-2")
    assert rows[1]["stage"] == "closed"
    assert {order["side"] for order in files.table("orders").to_pylist() if order["role"] == "ENTRY"} == {"SELL"}


def test_fake_bids_block_buys_and_leave_sells(market: Path, tmp_path: Path) -> None:
    more = f'signals = {SIGNALS}\nmanipulation = {{ action = "block", live_secs = 5.0 }}'
    rows, files = played(tmp_path, market, more, 'alerts = [[7, "BUY", 0.9], [28, "BUY", 0.9], [44, "BUY", 0.9]]')
    assert [row["filter"] for row in rows] == ["blocked", "passed", "passed"]
    assert (rows[0]["ended"], rows[0]["alert_trace_id"]) == ("filter", "alert-7")
    assert rows[0]["reason"] == "SPOOFING on its side 3.0 s ago, confidence 0.90"
    assert files.table("positions")["side"].to_pylist() == ["SHORT", "LONG"]


def test_a_blocked_signal_is_a_decision_too(market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows the price, such as a trailing stop, goes by the last decision, whatever became of its signal."""
    late = []
    original = Scripted.on_time_event

    def compared(self: Scripted, event: Any) -> None:
        original(self, event)
        if self.last:
            late.append(self.bracket.trade.price != self.last)

    monkeypatch.setattr(Scripted, "on_time_event", compared)
    signals = ", ".join(f'[{second}, "BUY", 0.7]' for second in range(10, 20))
    more = f'signals = [{signals}]\nmanipulation = {{ action = "block", live_secs = 60.0 }}'
    catalog = make_market(tmp_path / "moving", seconds=30.0, mid=lambda seconds: 600_000 + round(5.0 * seconds)).path
    rows, _ = played(tmp_path, catalog, more, 'alerts = [[2, "BUY", 0.9]]')
    assert [row["filter"] for row in rows] == ["blocked"] * 10
    assert len(late) > 20
    assert not any(late)


def test_an_alert_scales_the_confidence_where_so_configured(market: Path, tmp_path: Path) -> None:
    more = f'signals = {SIGNALS}\nvalidator = true\nmanipulation = {{ action = "scale", live_secs = 5.0 }}'
    rows, _ = played(tmp_path, market, more, 'alerts = [[7, "BUY", 0.75]]')
    assert [row["filter"] for row in rows] == ["scaled", "passed", "passed"]
    assert rows[0]["weight"] == pytest.approx(0.8 * 0.25)


def test_stops_go_behind_levels_and_targets_before_them(market: Path, tmp_path: Path) -> None:
    more = 'signals = [[10, "BUY", 0.7]]\nplacement = { stops = true, targets = true, margin_bps = 0.5 }'
    (row,), files = played(tmp_path, market, more, "levels = [59950.0, 60050.0]")
    assert row["placed_stop"] == pytest.approx(59950.0 * (1 - 0.5e-4))
    assert row["placed_target"] == pytest.approx(60050.0 * (1 - 0.5e-4))
    sent = {order["role"]: order for order in files.table("orders").to_pylist()}
    assert sent["STOP"]["trigger_price"] == pytest.approx(row["placed_stop"], abs=0.051)
    assert sent["TARGET"]["price"] == pytest.approx(row["placed_target"], abs=0.051)


def test_a_failing_policy_is_journalled_and_halts_the_strategy_after_some_failures(
    market: Path, tmp_path: Path
) -> None:
    rows, files = played(tmp_path, market, f"signals = {SIGNALS}\nfails = [5, 20, 40]\nmax_errors = 3")
    assert [row["stage"] for row in rows] == ["error", "closed", "error", "closed", "error"]
    assert rows[0]["reason"] == "ZeroDivisionError: the policy divides by nothing"
    assert "halted after 3 exceptions" in rows[-1]["reason"]
    assert files.table("positions").num_rows == 2  # the signal of second 50 was not asked for


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ("stop = -0.001", "stop 60"),
        ("target = nan", "target nan"),
        ("stop = inf", "stop -inf"),
        ("horizon = inf", "horizon inf s is no time"),
        ("horizon = -1.0", "horizon -1 s is no time"),
    ],
)
def test_a_signal_that_makes_no_sense_is_refused(market: Path, tmp_path: Path, flaw: str, reason: str) -> None:
    rows, files = played(tmp_path, market, f"signals = {SIGNALS}\n{flaw}")
    assert {row["ended"] for row in rows} == {"policy"}
    assert rows[0]["reason"].startswith(reason)
    assert files.table("orders").num_rows == 0


def test_the_same_configuration_gives_the_same_journal(market: Path, tmp_path: Path) -> None:
    more = f"signals = {SIGNALS}\nvalidator = true"
    assert str(played(tmp_path, market, more)[0]) == str(played(tmp_path, market, more)[0])  # NaN is not itself


def test_times_are_those_of_the_simulation(market: Path, tmp_path: Path) -> None:
    rows, _ = played(tmp_path, market, f"signals = {SIGNALS}")
    assert [row["ts"].value for row in rows] == [START + second * SECOND for second in (10, 30, 50)]
    assert {row["instrument"] for row in rows} == {BTC}
