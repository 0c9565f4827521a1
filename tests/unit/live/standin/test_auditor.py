"""The auditor finds what should not have happened, and nothing where all is well."""

import contextlib
import random
from typing import Any

import pytest

from fathom.live.standin import Auditor, AuditRules, StandIn
from fathom.live.standin.exchange.refusals import RefusedError
from fathom.market.events import Side
from tests.unit.live.standin.desk import MID, MS, Desk
from tests.unit.live.standin.wire.client import call

FREE = AuditRules(stop_gap_round_trips=None)


def rules_found(desk: Desk, rules: AuditRules = FREE, *, ledger: Any = None, journal: Any = None) -> list[str]:
    auditor = Auditor({1001: "10000", 1002: "10000"}, rules, journal)
    return [finding.rule for finding in auditor.audit(ledger or desk.ledger, desk.now)]


@pytest.mark.parametrize("seed", range(10))
def test_any_honest_run_is_clean(seed: int) -> None:
    rng, desk = random.Random(seed), Desk()
    for _ in range(120):
        desk.now += 200 * MS
        draw = rng.random()
        if draw < 0.4:
            side, price = rng.choice(["Buy", "Sell"]), rng.choice([None, MID + rng.randrange(-5, 6)])
            with contextlib.suppress(RefusedError):  # too little margin
                desk.create(side, f"0.{rng.randrange(1, 60):03d}", price)
        elif draw < 0.5:
            desk.run("order.cancel-all")
        elif draw < 0.55:
            desk.exchange.fund("BTCUSDT", desk.symbols["BTCUSDT"].funding_rate)
        elif draw < 0.8:
            desk.trade(rng.choice([Side.BUY, Side.SELL]), MID + rng.randrange(-4, 5), rng.randrange(1, 2000))
        else:
            desk.book(bids={MID - rng.randrange(1, 6): 1000}, asks={MID + rng.randrange(1, 6): 1000})
    assert len(desk.ledger.of("execution")) > 5
    assert rules_found(desk) == []


def bracketed(desk: Desk, gap_ms: int) -> None:
    """Buy, and send a stop so many ms after it."""
    desk.create("Buy", "0.1")
    desk.now += gap_ms * MS
    desk.create("Sell", "0.2", triggerPrice=str(MID - 50), triggerDirection=2, reduceOnly=True)


@pytest.mark.parametrize(("gap_ms", "found"), [(90, []), (110, ["stop_gap"])])
def test_a_position_without_a_stop(gap_ms: int, found: list[str]) -> None:
    desk = Desk()
    bracketed(desk, gap_ms)
    desk.now += 5000 * MS
    assert rules_found(desk, AuditRules(round_trip_ms=50.0)) == found


@pytest.mark.parametrize(
    "stop",
    [
        {"side": "Sell", "qty": "0.05", "triggerPrice": str(MID - 50), "triggerDirection": 2},  # half of the position
        {"side": "Buy", "qty": "0.2", "triggerPrice": str(MID - 50), "triggerDirection": 2},  # the wrong side
        {"side": "Sell", "qty": "0.2", "triggerPrice": str(MID + 50), "triggerDirection": 1},  # a target
    ],
)
def test_what_is_no_stop_for_the_position(stop: dict[str, Any]) -> None:
    desk = Desk()
    desk.create("Buy", "0.1")
    desk.create(**stop)
    desk.now += 1000 * MS
    assert rules_found(desk, AuditRules()) == ["stop_gap"]


def test_the_venues_own_stop_loss_counts_and_a_stop_gone_is_seen() -> None:
    desk = Desk()
    desk.create("Buy", "0.1", stopLoss=str(MID - 20))
    desk.now += 1000 * MS
    assert rules_found(desk, AuditRules()) == []
    desk.run("order.cancel-all")
    desk.now += 1000 * MS
    assert rules_found(desk, AuditRules()) == ["stop_gap"]


@pytest.mark.parametrize(("late_ms", "found"), [(50, []), (500, ["orphan_order"])])
def test_a_closing_order_that_outlives_its_position(late_ms: int, found: list[str]) -> None:
    desk = Desk()
    bracketed(desk, 1)
    desk.create("Sell", "0.1", reduceOnly=True)
    desk.now += late_ms * MS
    desk.run("order.cancel-all")
    assert rules_found(desk) == found


def test_a_closing_order_without_any_fill_is_an_orphan_once_its_entry_is_gone() -> None:
    desk = Desk()
    entry = desk.create("Buy", "0.1", MID - 9)
    desk.create("Sell", "0.1", triggerPrice=str(MID - 50), triggerDirection=2, reduceOnly=True)
    desk.now += 1000 * MS
    assert rules_found(desk) == []
    desk.run("order.cancel", orderId=entry)
    desk.now += 1000 * MS
    assert rules_found(desk) == ["orphan_order"]


def test_what_is_left_at_the_end() -> None:
    desk = Desk()
    desk.create("Buy", "0.1")
    desk.create("Buy", "0.1", MID - 9)
    flat = AuditRules(stop_gap_round_trips=None, flat_at_end=True)
    assert rules_found(desk, flat) == ["open_position", "orphan_order"]
    desk.create("Sell", "0.1", reduceOnly=True)
    desk.run("order.cancel-all")
    assert rules_found(desk, flat) == []


def test_an_order_sent_twice_and_an_order_that_is_in_no_journal() -> None:
    desk = Desk()
    desk.create("Buy", "0.1", MID - 9, orderLinkId="a")
    assert rules_found(desk, journal=["a"]) == []
    assert rules_found(desk, journal=["b"]) == ["not_in_journal"]
    args = {"side": "Buy", "orderType": "Limit", "qty": "0.1", "price": str(MID - 9), "orderLinkId": "a"}
    assert desk.refused("order.create", **args) == 110072
    assert rules_found(desk) == ["duplicate_order"]


def test_too_many_commands() -> None:
    desk = Desk()
    for number in range(11):
        desk.now += (100 if number < 10 else 0) * MS
        desk.create("Buy", "0.001", MID - 20)
    assert rules_found(desk) == ["command_rate"]
    slow = Desk()
    for _ in range(30):
        slow.now += 100 * MS
        slow.create("Buy", "0.001", MID - 20)
    assert rules_found(slow) == []


@pytest.mark.parametrize(
    ("kind", "change", "rule"),
    [
        ("position", {"size": "0.2"}, "position"),
        ("position", {"side": "Sell"}, "position"),
        ("wallet", {"totalWalletBalance": "9999.9"}, "wallet"),
        ("execution", {"execFee": "0"}, "wallet"),
        ("execution", {"execQty": "0.2"}, "position"),
    ],
)
def test_a_ledger_that_does_not_add_up(kind: str, change: dict[str, str], rule: str) -> None:
    desk = Desk()
    desk.create("Buy", "0.1")
    changed = [
        entry._replace(data={**entry.data, **change}) if entry.kind == kind else entry for entry in list(desk.ledger)
    ]
    assert rule in rules_found(desk, ledger=changed)


def test_the_server_audits_itself(held: StandIn) -> None:
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}
    call(held, "POST", "/v5/order/create", order)
    assert held.audit() == []
    held.advance(1.0)
    (finding,) = held.audit()
    assert (finding.rule, finding.uid) == ("stop_gap", 1001)
    assert finding.text.startswith("Expected a stop for the position in BTCUSDT within 100 ms")
