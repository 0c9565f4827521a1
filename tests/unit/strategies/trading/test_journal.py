"""The journal: what a later step takes back, what stays, and what is kept over a long life."""

import itertools

import pytest

from fathom.data_catalog.messages.signals import Signal
from fathom.strategies.trading import journal as module
from fathom.strategies.trading.commands import Step
from fathom.strategies.trading.journal import Decision, Journal


def signal(number: int = 1) -> Signal:
    return Signal(
        instrument_id="A.B",
        side="SELL",
        strength=0.5,
        entry=100.0,
        stop=101.0,
        target=98.0,
        horizon_secs=0.0,
        ts_init=number,
        source="mine",
        signal_id=f"Mine-B-{number}",
    )


def opened() -> tuple[Journal, Decision]:
    ticks = itertools.count(10)
    journal = Journal("Mine-B", "A.B", now=lambda: next(ticks))
    return journal, journal.open(signal(), 100.0)


def test_a_rejected_entry_that_is_sent_again_lives_on() -> None:
    journal, row = opened()
    for stage in ("approved", "submitted", "rejected"):
        journal.step(Step("Mine-B-1", stage, "taker" if stage == "rejected" else ""))
    assert (row.stage, row.ended, row.reason) == ("ordered", "rejected", "taker")
    journal.step(Step("Mine-B-1", "repriced", "", quantity=2.0))
    assert (row.stage, row.ended, row.quantity) == ("ordered", "", 2.0)


def test_the_rest_of_a_partly_filled_entry_may_be_cancelled_without_ending_the_trade() -> None:
    journal, row = opened()
    journal.step(Step("Mine-B-1", "submitted", "", quantity=4.0))
    journal.fill("Mine-B-1", "ENTRY", 99.0, 1.0, 0.1, 50)
    journal.fill("Mine-B-1", "ENTRY", 98.0, 1.0, 0.1, 60)
    journal.step(Step("Mine-B-1", "cancelled", ""))
    assert (row.stage, row.ended, row.filled, row.fill_price, row.ts_filled) == ("filled", "", 2.0, 98.5, 50)
    assert row.slippage_bps == pytest.approx(150.0)  # a sale 1.5 % under its decision
    journal.fill("Mine-B-1", "STOP", 101.0, 2.0, 0.2, 70)
    journal.step(Step("Mine-B-1", "stopped", "", price=101.0, pnl=-5.4))
    assert (row.stage, row.exit_role, row.exit_price, row.pnl) == ("closed", "STOP", 101.0, -5.4)
    assert row.fees == pytest.approx(0.4)


def test_what_is_over_is_not_ended_again() -> None:
    _, row = opened()
    row.end("filter", "SPOOFING")
    row.end("superseded", "by another")
    assert (row.ended, row.reason) == ("filter", "SPOOFING")


def test_an_unknown_signal_is_left_out() -> None:
    journal, _ = opened()
    journal.step(Step("Other-1", "filled", ""))
    journal.fill("Other-1", "ENTRY", 1.0, 1.0, 0.0, 1)
    journal.order("", "O-1")
    assert len(journal.rows) == 1


def test_a_long_life_forgets_the_oldest_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 20)
    monkeypatch.setattr(module, "_LIVES", 5)
    journal = Journal("Mine-B", "A.B", now=lambda: 0)
    held = journal.open(signal(0), 100.0)
    for number in range(1, 100):
        journal.open(signal(number), 100.0).end("risk", "held")
    assert 20 <= len(journal.rows) <= 22
    assert journal.rows[-1].signal_id == "Mine-B-99"
    assert journal.of("Mine-B-0") is held  # it lives on
    assert journal.save() == [held]
