"""The account's state machine: days, drawdowns, halts, claims, snapshots; then invariants over random histories."""

import math
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fathom.data_catalog.messages.signals import Side
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.risk.config import Limits, RiskConfig
from fathom.strategies.risk.gate import Approved
from fathom.strategies.risk.protections import Cooldown, LowProfit, ProtectionsConfig, StoplossGuard
from tests.makers.gating import BTC, DAY, ETH, SECOND, enter, gate_of, now_of, signal_of


def test_a_day_begins_at_midnight_utc_with_the_equity_last_seen() -> None:
    book = RiskBook(RiskConfig(max_daily_loss=0.02, max_drawdown=None))
    assert not book.settle(DAY - 1, 1_000.0)
    assert not book.settle(DAY, 985.0)  # lost across midnight: of the new day
    assert book.settle(DAY + 1, 980.0)
    assert (book.halt, book.state.halt_until) == ("daily_loss", 2 * DAY)
    assert not book.settle(2 * DAY - 1, 970.0)
    assert book.halt == "daily_loss"
    assert not book.settle(2 * DAY, 970.0)
    assert (book.halt, book.state.day_start) == ("", 970.0)
    assert [(event.kind, event.reason, event.ts) for event in book.events] == [
        ("halt", "daily_loss", DAY + 1),
        ("resume", "daily_loss", 2 * DAY),
    ]


def test_a_drawdown_counts_from_the_highest_and_halts_until_reset() -> None:
    book = RiskBook(RiskConfig(max_daily_loss=None, max_drawdown=0.1))
    for day, balance in enumerate((1_000.0, 1_200.0, 1_081.0)):
        assert not book.settle(day * DAY, balance)
    assert book.settle(3 * DAY, 1_080.0)
    assert (book.halt, book.settle(400 * DAY, 2_000.0)) == ("drawdown", False)
    book.reset(401 * DAY)
    assert not book.settle(401 * DAY, 1_900.0)
    assert (book.halt, book.floor) == ("", 1_800.0)


def test_a_drawdown_outlasts_a_daily_loss() -> None:
    book = RiskBook(RiskConfig(max_daily_loss=0.02, max_drawdown=0.05))
    book.settle(0, 1_000.0)
    assert book.settle(1, 975.0)
    assert book.settle(2, 950.0)
    book.settle(DAY, 950.0)
    assert book.halt == "drawdown"


def test_open_positions_count_at_their_marks() -> None:
    book = RiskBook(RiskConfig(max_daily_loss=0.02, max_drawdown=None))
    gate, short = gate_of(book), gate_of(book, strategy="B", instrument=ETH)
    assert (enter(gate), enter(short, side="SELL")) == (50.0, 50.0)
    book.mark(BTC, 99.0)
    book.mark(ETH, 101.0)
    book.mark(ETH, math.nan)
    assert not book.settle(1, 10_000.0)
    assert book.equity == 9_900.0
    book.mark(BTC, 97.0)
    assert book.settle(2, 10_000.0)
    book.close(3, "A", -150.0, by_stop=True)
    book.settle(3, 9_850.0)
    assert book.equity == 9_800.0


def test_a_balance_that_nobody_knows_changes_nothing() -> None:
    book = RiskBook(RiskConfig())
    book.settle(0, 1_000.0)
    assert not book.settle(1, math.nan)
    assert book.equity == 1_000.0


@pytest.mark.parametrize("cut", range(6))
def test_a_restored_book_goes_on_the_same(cut: int) -> None:
    def config() -> RiskConfig:
        return RiskConfig(protections=ProtectionsConfig(cooldown=Cooldown(), stoploss_guard=StoplossGuard(trades=2)))

    def step(book: RiskBook, number: int) -> None:
        gate = gate_of(book)
        match number:
            case 0:
                book.settle(0, 10_000.0)
            case 1:
                enter(gate, ts=1, filled=0.5)
            case 2:
                book.mark(BTC, 99.0)
            case 3:
                book.close(SECOND, "A", -25.0, by_stop=True)
            case 4:
                book.end_entry("A")
            case 5:
                book.settle(2 * SECOND, 9_790.0)

    whole, first = RiskBook(config()), RiskBook(config())
    for number in range(6):
        step(whole, number)
        step(first, number)
        if number == cut:
            second = RiskBook(config())
            second.restore(first.snapshot())
            first = second
    assert first.snapshot() == whole.snapshot()
    assert first.halt == "daily_loss"
    assert len(first.protections.state.locks) == 1


def test_an_older_snapshot_is_left_alone() -> None:
    old, new = RiskBook(RiskConfig()), RiskBook(RiskConfig())
    old.settle(5, 1_000.0)
    new.settle(9, 900.0)
    new.restore(old.snapshot())
    assert new.equity == 900.0


LIMITS = RiskConfig(
    max_daily_loss=0.02,
    max_drawdown=0.06,
    max_leverage=1.5,
    max_notional=6_000.0,
    max_position=70.0,
    protections=ProtectionsConfig(
        stoploss_guard=StoplossGuard(trades=3, window_secs=3_600.0, lock_secs=1_800.0),
        cooldown=Cooldown(losses=2, lock_secs=600.0),
        low_profit=LowProfit(trades=3, window_secs=7_200.0, lock_secs=3_600.0),
    ),
)
NAMES = (("A", BTC), ("B", BTC), ("C", ETH))
FEE = 0.0005


class Account(RuleBasedStateMachine):
    """Three strategies in two instruments in one account, with random decisions, fills, prices, closes, restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.book = RiskBook(LIMITS)
        self.gates: dict[str, Any] = {}
        self.now, self.balance = 3 * DAY, 10_000.0
        self.prices = {BTC: 100.0, ETH: 100.0}
        self.halted = False

    @initialize()
    def begin(self) -> None:
        self._open_gates()

    def _open_gates(self) -> None:
        self.gates = {name: gate_of(self.book, strategy=name, instrument=what, limits=Limits()) for name, what in NAMES}

    @rule(secs=st.integers(0, 30_000))
    def wait(self, secs: int) -> None:
        self.now += secs * SECOND
        self.book.settle(self.now, self.balance)
        self.halted = bool(self.book.halt)

    @rule(what=st.sampled_from([BTC, ETH]), step=st.floats(-0.03, 0.03))
    def move(self, what: str, step: float) -> None:
        self.prices[what] *= 1.0 + step
        self.book.mark(what, self.prices[what])
        if self.book.settle(self.now, self.balance):
            self.halted = True

    @rule(who=st.sampled_from(NAMES), side=st.sampled_from(["BUY", "SELL"]), distance=st.floats(0.001, 0.2))
    def decide(self, who: tuple[str, str], side: Side, distance: float) -> None:
        name, what = who
        claim = self.book.claim_of(name)
        if claim is not None:
            return
        entry, sign = self.prices[what], 1 if side == "BUY" else -1
        signal = signal_of(
            side,
            instrument=what,
            entry=entry,
            stop=entry * (1 - sign * distance),
            target=entry * (1 + sign * distance),
            ts_init=self.now,
        )
        book, gate = self.book, self.gates[name]
        before = sum(other.risk for other in book.others(name))
        taken = sum(other.notional for other in book.others(name))
        answer = gate.review(signal, 1.0, now_of(self.now, self.balance, fee_rate=FEE))
        if not isinstance(answer, Approved):
            return
        assert not book.halt
        assert not self.halted or book.state.day > (self.now - 1) // DAY or book.equity > book.floor
        assert book.protections.lock(self.now, what) is None
        assert all(other.instrument_id != what for other in book.others(name))
        notional = answer.quantity * entry
        assert notional <= 6_000.0 * (1 + 1e-9)
        assert answer.quantity <= 70.0 * (1 + 1e-9)
        assert notional <= 2.0 * book.equity * (1 + 1e-9)
        assert taken + notional <= 1.5 * book.equity * (1 + 1e-9)
        worst = answer.quantity * (abs(signal.entry - signal.stop) + FEE * (signal.entry + signal.stop))
        assert book.equity - before - worst >= book.state.day_start * 0.98 - 1e-6
        assert book.equity - before - worst >= book.state.peak * 0.94 - 1e-6
        gate.redeem(answer)

    @rule(who=st.sampled_from(NAMES), share=st.floats(0.1, 1.0))
    def fill(self, who: tuple[str, str], share: float) -> None:
        claim = self.book.claim_of(who[0])
        if claim is not None and claim.live:
            self.book.hold(*who, claim.direction, claim.held + claim.pending * share, claim.entry)

    @rule(who=st.sampled_from(NAMES))
    def end_entry(self, who: tuple[str, str]) -> None:
        self.book.end_entry(who[0])

    @rule(who=st.sampled_from(NAMES), at_stop=st.booleans())
    def close(self, who: tuple[str, str], at_stop: bool) -> None:
        claim = self.book.claim_of(who[0])
        if claim is None or not claim.held:
            return
        price = claim.stop if at_stop else claim.mark
        pnl = claim.direction * claim.held * (price - claim.average) - FEE * claim.held * (price + claim.average)
        self.balance += pnl
        self.book.end_entry(who[0])
        self.book.close(self.now, who[0], pnl, by_stop=at_stop)

    @rule()
    def restart(self) -> None:
        snapshot = self.book.snapshot()
        self.book = RiskBook(LIMITS)
        self.book.restore(snapshot)
        assert self.book.snapshot() == snapshot
        self._open_gates()

    @rule()
    def reset(self) -> None:
        if self.book.halt:
            self.book.reset(self.now)
            self.halted = False

    @invariant()
    def after_a_halt_nothing_is_approved(self) -> None:
        if self.book.halt:
            for name, what in NAMES:
                if self.book.claim_of(name) is None and self.now // DAY == self.book.state.day:
                    answer = self.gates[name].review(signal_of(instrument=what), 1.0, now_of(self.now, self.balance))
                    assert not isinstance(answer, Approved)

    @invariant()
    def a_claim_is_a_position_or_a_live_entry(self) -> None:
        for claim in self.book.state.claims.values():
            assert claim.held > 0.0 or claim.live


Account.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAccount = Account.TestCase
