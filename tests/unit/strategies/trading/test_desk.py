"""The desk without an engine: what is decided, what the validator is asked, and what the journal says."""

from typing import Any

import msgspec
import pytest

from fathom.data_catalog.messages.detections import LevelUpdate, ManipulationAlert
from fathom.data_catalog.messages.signals import Side, Signal, ValidatedSignal
from fathom.strategies.policy.manipulation import ManipulationConfig
from fathom.strategies.policy.placement import PlacementConfig
from fathom.strategies.trading.commands import OrderNews
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.desk import Intent, SignalDesk
from tests.makers.alerts import alert
from tests.makers.gating import BTC, SECOND, signal_of


def desk_of(**config: Any) -> SignalDesk:
    return SignalDesk(SignalStrategyConfig(**config), "S", BTC, now=lambda: 5 * SECOND)


def answer_to(signal: Signal, *, accepted: bool = True, blended: float = 0.8) -> ValidatedSignal:
    return ValidatedSignal(
        signal=signal, accepted=accepted, reason="said so", model_direction=1, confidence=0.8, expected_return_bps=3.0,
        aligned=True, blended=blended, model_version="m:1", inference_ms=1.0, fallback="", ts_init=6 * SECOND,
    )  # fmt: skip


def alert_of(side: Side) -> ManipulationAlert:
    return alert(BTC, 4 * SECOND, side=side, trace_id="alert-1")


def test_without_a_validator_a_signal_is_decided_on_at_once() -> None:
    desk, signal = desk_of(), signal_of()
    assert desk.propose(100.0, signal) == (Intent(100.0, signal, 1.0), None)
    assert desk.propose(101.0, None) == (Intent(101.0, None), None)
    assert [(row.stage, row.weight) for row in desk.journal.rows] == [("cleared", 1.0)]


def test_with_a_validator_nothing_is_decided_before_its_answer() -> None:
    desk, signal = desk_of(validator=True, validation_deadline_ms=250.0), signal_of()
    intent, request = desk.propose(100.0, signal)
    assert intent == Intent(100.0, None)
    assert request is not None
    assert (request.signal, request.deadline) == (signal, 5 * SECOND + 250_000_000)
    assert desk.answer(answer_to(signal_of(signal_id="S-9"))) is None  # another strategy's
    assert desk.answer(answer_to(signal)) == Intent(100.0, signal, 0.8)
    assert desk.answer(answer_to(signal)) is None  # nothing waits any more
    desk.expire(request.name)
    assert desk.journal.rows[0].ended == ""


@pytest.mark.parametrize("how", ["refused", "late", "superseded", "stopped"])
def test_one_that_waits_ends_with_a_reason(how: str) -> None:
    desk, signal = desk_of(validator=True), signal_of()
    _, request = desk.propose(100.0, signal)
    assert request is not None
    match how:
        case "refused":
            assert desk.answer(answer_to(signal, accepted=False)) is None
            want = ("validation", "said so")
        case "late":
            desk.expire("validation-of another")
            assert desk.journal.rows[0].ended == ""
            desk.expire(request.name)
            want = ("validation", "no answer within 1000 ms")
        case "superseded":
            desk.propose(100.0, signal_of(signal_id="T-2"))
            want = ("superseded", "by T-2")
        case _:
            desk.give_up("stopped before the answer")
            want = ("validation", "stopped before the answer")
    row = desk.journal.rows[0]
    assert (row.ended, row.reason) == want
    assert desk.answer(answer_to(signal)) is None


def test_members_wait_each_for_its_own_answer() -> None:
    desk = desk_of(validator=True)
    first, second = signal_of(source="a"), signal_of(source="b", signal_id="T-2")
    desk.propose(100.0, first)
    desk.propose(100.0, second)
    assert desk.answer(answer_to(first)) == Intent(100.0, first, 0.8)
    assert desk.answer(answer_to(second)) == Intent(100.0, second, 0.8)


def test_an_alert_on_its_side_blocks_a_signal_before_and_after_validation() -> None:
    blocks = ManipulationConfig(action="block", live_secs=10.0)
    for validator in (False, True):
        desk, signal = desk_of(manipulation=blocks, validator=validator), signal_of()
        desk.hear(alert_of("BUY"))
        intent, _ = desk.propose(100.0, signal)
        assert intent == Intent(100.0, None)
        if validator:
            assert desk.answer(answer_to(signal)) is None
        assert (desk.journal.rows[0].ended, desk.journal.rows[0].alert_trace_id) == ("filter", "alert-1")
        sell = signal_of("SELL", signal_id="T-2")
        assert (desk.propose(100.0, sell)[0].signal is not None) == (not validator)


def test_stops_and_targets_are_placed_by_the_latest_levels() -> None:
    desk = desk_of(placement=PlacementConfig(stops=True, margin_bps=1.0))
    levels = {"supports": ((97.95, 0.8),), "resistances": ((105.0, 0.8),)}
    desk.hear(LevelUpdate(instrument_id=BTC, ts_event=0, ts_init=0, **levels))
    intent, _ = desk.propose(100.0, signal_of())
    assert intent.signal is not None
    assert intent.signal.stop == pytest.approx(97.95 * (1 - 1e-4))
    assert desk.journal.rows[0].placed_stop == intent.signal.stop


def test_a_signal_that_makes_no_sense_is_a_decision_without_one() -> None:
    desk = desk_of(validator=True)
    assert desk.propose(100.0, signal_of(stop=101.0)) == (Intent(100.0, None), None)
    assert desk.journal.rows[0].reason == "stop 101 not behind the entry 100"


def test_failures_halt_after_some() -> None:
    desk = desk_of(max_errors=2)
    assert desk.fail(KeyError("x")) == "KeyError: 'x'"
    assert desk.errors == 1
    assert desk.fail(KeyError("x")).endswith("halted after 2 exceptions of the policy")
    assert desk.halted
    assert [row.stage for row in desk.journal.rows] == ["error", "error"]


def test_fills_and_orders_are_written_down() -> None:
    desk, signal = desk_of(), signal_of()
    desk.propose(100.0, signal)
    desk.note(signal, OrderNews("filled", "O-1", "ENTRY", ts=7, price=100.5, quantity=2.0, fee=0.1))
    desk.note(signal, OrderNews("filled", "O-2", "STOP", ts=9, price=98.0, quantity=2.0, fee=0.1))
    (row,) = desk.journal.rows
    assert (row.order_id, row.ts_filled, row.fill_price, row.fees) == ("O-1", 7, 100.5, 0.2)


def test_a_restart_goes_on_and_a_damaged_state_is_refused() -> None:
    desk, signal = desk_of(validator=True), signal_of()
    desk.propose(100.0, signal)
    desk.hear(alert_of("SELL"))
    desk.fail(ValueError("no"))
    again = desk_of(validator=True)
    again.load(desk.save())
    assert (again.errors, [alert.trace_id for alert in again.filter.alerts]) == (1, ["alert-1"])
    assert again.journal.rows[0].reason == "restarted before the answer"
    assert again.answer(answer_to(signal)) is None
    with pytest.raises(msgspec.MsgspecError):
        again.load(desk.save()[:-2])
