"""The risk gate: who may make an approval, and every reason for a refusal."""

import copy
import math
import pickle
from typing import Any

import pytest

from fathom.data_catalog.messages.signals import Signal
from fathom.strategies.risk import gate as risk
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.risk.config import Limits, RiskConfig
from fathom.strategies.risk.gate import Approved, Refused, UnapprovedError
from fathom.strategies.risk.protections import Cooldown, ProtectionsConfig
from tests.makers.gating import BTC, DAY, ETH, SECOND, answer_of, enter, gate_of, now_of, signal_of


def approval_of(gate: Any) -> Approved:
    answer = gate.review(signal_of(), 1.0, now_of())
    assert isinstance(answer, Approved)
    return answer


def fields_of(approval: Approved) -> dict[str, Any]:
    return {name: getattr(approval, name) for name in Approved.__slots__}


def test_only_the_gate_makes_an_approval_and_it_is_good_once() -> None:
    gate = gate_of()
    real = approval_of(gate)
    for key in (None, object(), real, "key"):
        with pytest.raises(UnapprovedError, match="was one made by hand"):
            Approved(key, **fields_of(real))
    with pytest.raises(TypeError, match="was a copy"):
        copy.copy(real)
    with pytest.raises(TypeError, match="was a copy"):
        pickle.dumps(real)
    with pytest.raises(TypeError, match="no other kind"):
        type("Mine", (Approved,), {})
    for name in ("quantity", "lots", "signal", "new"):
        with pytest.raises(AttributeError, match="stay as it is"):
            setattr(real, name, 1_000.0)
    forged = object.__new__(Approved)
    for name, value in fields_of(real).items():
        object.__setattr__(forged, name, value)
    for wrong in (forged, Refused("size"), signal_of(), None, real.signal):
        with pytest.raises(UnapprovedError, match="just given"):
            gate.redeem(wrong)  # type: ignore[arg-type]
    gate.redeem(real)
    with pytest.raises(UnapprovedError, match="a used one"):
        gate.redeem(real)


def test_an_approval_of_before_another_gate_or_a_halt_is_none() -> None:
    gate = gate_of()
    first = approval_of(gate)
    second = approval_of(gate)
    with pytest.raises(UnapprovedError):
        gate.redeem(first)
    with pytest.raises(UnapprovedError):
        gate_of(gate.book, strategy="B").redeem(second)
    gate.book.stop_all(5, "manual", "enough")
    with pytest.raises(UnapprovedError, match="a halt came between"):
        gate.redeem(second)
    assert gate.book.claim_of("A") is None


def test_orders_are_built_in_one_place_from_an_approval() -> None:
    import ast
    from pathlib import Path

    from fathom import strategies

    folder = Path(next(iter(strategies.__path__)))
    found, approved = set(), set()
    for file in folder.rglob("*.py"):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Attribute) and node.attr in (
                        "order_factory",
                        "submit_order",
                        "submit_order_list",
                    ):
                        found.add((file.name, function.name))
                    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Enter":
                        approved.add((file.name, function.name))
    assert found == {("orders.py", "_enter"), ("orders.py", "_reduce"), ("orders.py", "_submit")}
    assert approved == {("bracket.py", "_enter")}  # which redeems what it is given


@pytest.mark.parametrize(
    ("changes", "limits", "now", "reason"),
    [
        ({}, {}, {}, "yes"),
        ({"side": "SELL"}, {}, {}, "yes"),
        ({"stop": 100.0}, {}, {}, "price"),
        ({"stop": 101.0}, {}, {}, "price"),
        ({"target": 99.0}, {}, {}, "price"),
        ({"stop": math.nan}, {}, {}, "price"),
        ({"entry": math.nan}, {}, {}, "price"),
        ({"target": math.inf}, {}, {}, "price"),
        ({}, {"max_signal_age_ms": 500.0}, {"ts": SECOND // 2}, "yes"),
        ({}, {"max_signal_age_ms": 500.0}, {"ts": SECOND // 2 + 1}, "stale_signal"),
        ({"horizon_secs": 0.5}, {}, {"ts": SECOND // 2 - 1}, "yes"),
        ({"horizon_secs": 0.5}, {}, {"ts": SECOND // 2}, "stale_signal"),
        ({}, {"max_data_age_ms": 500.0}, {"data_age_ms": 500.0}, "yes"),
        ({}, {"max_data_age_ms": 500.0}, {"data_age_ms": 501.0}, "stale_data"),
        ({}, {"max_data_age_ms": 500.0}, {"data_age_ms": math.nan}, "stale_data"),
        ({}, {"max_spread_bps": 1.0}, {}, "yes"),
        ({}, {"max_spread_bps": 0.9}, {}, "spread"),
        ({}, {"max_spread_bps": 0.9}, {"spread_bps": math.nan}, "spread"),
        ({}, {"volatility_target": 0.01}, {}, "volatility"),
        ({}, {}, {"balance": 0.0}, "equity"),
        ({}, {}, {"balance": math.nan}, "equity"),
        ({}, {}, {"min_lots": 10_000}, "size"),
        ({}, {"max_notional": 9.0}, {}, "max_notional"),
        ({}, {"max_position": 0.05}, {}, "max_position"),
        ({}, {"max_notional": 10.0}, {}, "yes"),
    ],
)
def test_each_gate(changes: dict[str, Any], limits: dict[str, Any], now: dict[str, Any], reason: str) -> None:
    changes = dict(changes)
    side = changes.pop("side", "BUY")
    answer = gate_of(limits=Limits(**limits)).review(signal_of(side, **changes), 1.0, now_of(**now))
    assert (answer.reason if isinstance(answer, Refused) else "yes") == reason
    assert reason == "yes" or reason in risk.REASONS


@pytest.mark.parametrize(("direction", "buys", "sells"), [("long", 1, 0), ("short", 0, 1), ("both", 1, 1)])
def test_the_direction(direction: str, buys: int, sells: int) -> None:
    gate = gate_of(direction=direction)
    for side, allowed in (("BUY", buys), ("SELL", sells)):
        answer = gate.review(signal_of(side), 1.0, now_of())  # type: ignore[arg-type]
        assert isinstance(answer, Approved) == bool(allowed)
        assert allowed or answer.reason == "direction"  # type: ignore[union-attr]


def test_the_confidence_gates_and_scales() -> None:
    gate = gate_of(limits=Limits(min_confidence=0.6, confidence_scaling=True))
    for confidence in (0.59, math.nan, 1.01, -1.0):
        refused = gate.review(signal_of(), confidence, now_of())
        assert isinstance(refused, Refused)
        assert refused.reason == "confidence"
    sizes = []
    for confidence in (0.6, 1.0):
        approved = gate.review(signal_of(), confidence, now_of())
        assert isinstance(approved, Approved)
        sizes.append(approved.lots)
    assert sizes == [300, 500]  # 1 % of 10,000 over a distance of 2 is 50, in lots of 0.1
    unscaled = gate_of().review(signal_of(), 0.6, now_of())
    assert isinstance(unscaled, Approved)
    assert unscaled.lots == 500


@pytest.mark.parametrize(
    ("limits", "sizing", "lots", "bound"),
    [
        ({}, {}, 500, "wish"),
        ({}, {"notional": 2_000.0}, 200, "wish"),
        ({}, {"max_leverage": 0.3}, 300, "max_leverage"),
        ({"max_position": 12.34}, {}, 123, "max_position"),
        ({"max_notional": 4_000.0}, {}, 400, "max_notional"),
        ({"max_notional": 4_000.0, "max_position": 12.0}, {}, 120, "max_position"),
        ({}, {"risk_fraction": 0.5, "max_leverage": 50.0}, 1_000, "loss_budget"),  # 2 % of 10,000 over 2
    ],
)
def test_the_smallest_cap_binds(limits: dict[str, Any], sizing: dict[str, Any], lots: int, bound: str) -> None:
    answer = gate_of(limits=Limits(**limits), **sizing).review(signal_of(), 1.0, now_of())
    assert isinstance(answer, Approved)
    assert (answer.lots, answer.bound) == (lots, bound)


def test_fees_count_in_the_loss_budget() -> None:
    answer = gate_of(risk_fraction=0.5, max_leverage=50.0).review(signal_of(), 1.0, now_of(fee_rate=0.001))
    assert isinstance(answer, Approved)
    assert answer.lots == math.floor(200.0 / (2.0 + 0.001 * 198.0) * 10)


def test_the_volatility_target_bounds_the_size() -> None:
    gate = gate_of(limits=Limits(volatility_target=0.001, volatility_half_life_secs=60.0))
    for second in range(61):
        gate.look(second * SECOND, 100.0 + 0.01 * (second % 2))
    assert answer_of(gate, ts=59 * SECOND) == "yes"
    daily = gate.volatility.daily
    answer = gate.review(signal_of(), 1.0, now_of())
    assert isinstance(answer, Approved)
    assert answer.bound == "volatility_target"
    assert answer.quantity * 100.0 * daily <= 10_000.0 * 0.001 < (answer.quantity + 0.1) * 100.0 * daily


def test_one_position_in_an_instrument_from_the_order_to_the_close() -> None:
    book = RiskBook(RiskConfig())
    one, two = gate_of(book), gate_of(book, strategy="B")
    other = gate_of(book, strategy="C", instrument=ETH)
    assert enter(one, filled=0.0) == 0.0
    assert (answer_of(two), answer_of(other)) == ("instrument_taken", "yes")
    book.hold("A", BTC, 1, 10.0, 100.0)
    book.end_entry("A")
    assert (answer_of(one), answer_of(two)) == ("yes", "instrument_taken")  # its own is its own affair
    book.close(5, "A", 1.0, by_stop=False)
    assert answer_of(two) == "yes"
    enter(two, filled=0.0)
    book.end_entry("B")  # rejected
    assert answer_of(one) == "yes"
    free = RiskBook(RiskConfig(one_position=False))
    enter(gate_of(free))
    assert answer_of(gate_of(free, strategy="B")) == "yes"


def test_the_leverage_of_the_account_counts_all_positions() -> None:
    book = RiskBook(RiskConfig(max_leverage=0.7, max_daily_loss=None))
    enter(gate_of(book))  # a notional of 5,000 with an equity of 10,000
    answer = gate_of(book, strategy="B", instrument=ETH).review(signal_of(instrument=ETH), 1.0, now_of())
    assert isinstance(answer, Approved)
    assert (answer.lots, answer.bound) == (200, "account_leverage")
    book.claim(answer.claim)
    assert answer_of(gate_of(book, strategy="C", instrument="SOL.X")) == "account_leverage"


def test_all_stops_together_cannot_lose_more_than_the_day_may() -> None:
    book = RiskBook(RiskConfig(max_daily_loss=0.012))
    enter(gate_of(book))  # 100 at risk of 120
    answer = gate_of(book, strategy="B", instrument=ETH).review(signal_of(instrument=ETH), 1.0, now_of())
    assert isinstance(answer, Approved)
    assert (answer.quantity, answer.bound) == (10.0, "loss_budget")
    book.claim(answer.claim)
    assert answer_of(gate_of(book, strategy="C", instrument="SOL.X")) == "loss_budget"
    book.mark(BTC, 101.0)
    book.move_stop("A", 100.5)  # trailed into profit: only 25 of what is there can be lost
    assert answer_of(gate_of(book, strategy="C", instrument="SOL.X")) == "yes"
    book.hold("D", "XRP.X", 1, 1.0, 100.0)  # a position that nobody knows the stop of
    assert answer_of(gate_of(book, strategy="C", instrument="SOL.X")) == "yes"
    book.hold("D", "XRP.X", 1, 5.0, 100.0)
    assert answer_of(gate_of(book, strategy="C", instrument="SOL.X")) == "loss_budget"


def test_a_strategy_without_a_book_of_limits_keeps_its_own() -> None:
    gate = gate_of(RiskBook(), limits=Limits(max_notional=700.0))
    answer = gate.review(signal_of(), 1.0, now_of())
    assert isinstance(answer, Approved)
    assert answer.lots == 70
    gate.join(RiskBook(RiskConfig(max_notional=300.0, max_position=5.0)))
    answer = gate.review(signal_of(), 1.0, now_of())
    assert isinstance(answer, Approved)
    assert (answer.lots, answer.bound) == (50, "max_position")  # its own notional, the system's size


def test_a_pause_keeps_from_entering_where_it_is_heeded() -> None:
    book = RiskBook(RiskConfig(pause_on_regime=True))
    heeding, deaf = gate_of(book), gate_of(book, strategy="B", limits=Limits(pause_on_regime=False))
    book.pause(1, BTC, True)
    assert (answer_of(heeding), answer_of(deaf)) == ("paused", "yes")
    book.pause(2, ETH, False)
    assert answer_of(heeding) == "paused"
    book.pause(3, BTC, False)
    assert answer_of(heeding) == "yes"
    assert [event.kind for event in book.events] == ["pause", "unpause"]


def test_a_lock_refuses_with_its_name() -> None:
    book = RiskBook(RiskConfig(protections=ProtectionsConfig(cooldown=Cooldown(lock_secs=60.0))))
    gate = gate_of(book)
    enter(gate)
    book.close(10 * SECOND, "A", -3.0, by_stop=True)
    assert answer_of(gate, ts=70 * SECOND - 1) == "cooldown"
    assert answer_of(gate, ts=70 * SECOND) == "yes"
    (event,) = book.events
    assert (event.kind, event.reason, event.instrument_id, event.until) == ("lock", "cooldown", BTC, 70 * SECOND)


def test_each_halt_refuses_with_its_name() -> None:
    gate = gate_of()
    assert answer_of(gate) == "yes"
    assert answer_of(gate, balance=9_800.0) == "daily_loss"
    assert answer_of(gate, ts=DAY, balance=9_800.0) == "yes"
    assert answer_of(gate, ts=DAY, balance=8_500.0) == "drawdown"
    assert answer_of(gate, ts=9 * DAY, balance=8_500.0) == "drawdown"
    gate.book.reset(9 * DAY)
    assert answer_of(gate, ts=9 * DAY, balance=8_500.0) == "yes"
    gate.book.stop_all(9 * DAY, "manual", "maintenance")
    refused = gate.review(signal_of(), 1.0, now_of(9 * DAY))
    assert refused == Refused("halted", "maintenance")
    assert isinstance(signal_of(), Signal)
