"""The bracket without an engine: histories of events, and the commands that come out."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.data_catalog.messages.signals import Side
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.risk.config import Limits, RiskConfig
from fathom.strategies.risk.gate import Circumstances, RiskGate, Sizing, UnapprovedError
from fathom.strategies.risk.seat import RiskSeat
from fathom.strategies.trading.bracket import Bracket
from fathom.strategies.trading.commands import (
    Amend,
    Cancel,
    Close,
    Command,
    Enter,
    Forget,
    Leave,
    LiveOrder,
    OrderNews,
    PlaceStop,
    PlaceTarget,
    Wake,
)
from fathom.strategies.trading.config import SignalStrategyConfig
from tests.makers.gating import BTC, SECOND, signal_of


class Still:
    """A market that stands where it is told to."""

    def __init__(self) -> None:
        self.now, self.mid, self.money = 0, 100.0, 10_000.0

    def price(self, last: float) -> float:
        return self.mid

    def best_price(self, direction: int, last: float) -> float:
        return self.mid - 0.1 * direction

    def balance(self) -> float:
        return self.money

    def circumstances(self, fee_rate: float | None) -> Circumstances:
        return Circumstances(ts=self.now, balance=self.money, lot=0.1, spread_bps=1.0)


class Play:
    """A bracket with a book of live orders, as `Orders` keeps them, and what came of it."""

    def __init__(self, **config: Any) -> None:
        self.market, self.book = Still(), RiskBook(RiskConfig(pause_on_regime=True))
        options = SignalStrategyConfig(notional=1_000.0, **config)
        sizing = Sizing(options.direction, options.risk_fraction, options.notional, options.max_leverage)
        self.seat = RiskSeat(RiskGate(Limits(), sizing, "S", BTC, self.book), self.market)
        self.bracket = Bracket(options, self.seat)
        self.live: dict[str, LiveOrder] = {}
        self.sent = 0
        self.approved = 0.0

    def decide(self, side: Side | None = None, **changes: Any) -> list[Command]:
        given_: dict[str, Any] = {"signal_id": "", "ts_init": self.market.now, "entry": self.market.mid}
        signal = signal_of(side, **(given_ | changes)) if side is not None else None
        self.bracket.decide(self.market.now, self.market.mid, signal, 1.0)
        return self.step()

    def step(self) -> list[Command]:
        commands = self.bracket.step(self.market.now, self.live)
        for command in commands:
            match command:
                case Enter(approval, _):
                    self.sent += 1
                    self.approved = approval.quantity
                    self.live[f"ENTRY-{self.sent}"] = LiveOrder("ENTRY", price=approval.signal.entry)
                case PlaceStop(price, quantity) | PlaceTarget(price, quantity):
                    role = "STOP" if isinstance(command, PlaceStop) else "TARGET"
                    name = f"{role}-{self.sent}"
                    while name in self.live:
                        name += "b"
                    self.live[name] = LiveOrder(role, price=price, quantity=quantity)
                case Amend(order_id):
                    assert self.live[order_id].status == "live"
                    self.live[order_id].status, self.live[order_id].since = "changing", self.market.now
                case Cancel(order_id):
                    assert self.live[order_id].status != "cancelling"
                    self.live[order_id].status, self.live[order_id].since = "cancelling", self.market.now
                case Forget(order_id):
                    del self.live[order_id]
                case Close():
                    self.sent += 1
                    self.live[f"EXIT-{self.sent}"] = LiveOrder("EXIT")
        return commands

    def hear(self, kind: Any, role: str, **more: Any) -> None:
        name = next(name for name, order in self.live.items() if order.role == role)
        if kind in ("amended", "kept") and self.live[name].status == "changing":
            self.live[name].status = "live"
        if kind in ("rejected", "cancelled"):
            del self.live[name]
        self.bracket.note(OrderNews(kind, name, role, **more))

    def fill(self, role: str, held: float, price: float = 100.0, *, whole: bool = True) -> list[Command]:
        before = self.bracket.held
        self.hear("filled", role, price=price, quantity=abs(held - before))
        if whole:
            self.live = {name: order for name, order in self.live.items() if order.role != role}
        if held:
            self.bracket.hold(held, price)
        else:
            self.live = {}
            self.bracket.close(self.market.now, price=price, quantity=abs(before), pnl=-1.0)
        return self.step()

    @property
    def stages(self) -> list[str]:
        return [step.stage for step in self.bracket.steps]


def test_a_signal_becomes_an_entry_of_the_approved_size_and_a_fill_a_claim() -> None:
    play = Play()
    (enter,) = play.decide("BUY")
    assert isinstance(enter, Enter)
    assert (enter.approval.quantity, enter.is_limit) == (10.0, False)
    assert play.decide() == []
    assert play.fill("ENTRY", 10.0) == [PlaceStop(98.0, 10.0), PlaceTarget(104.0, 10.0)]
    assert play.seat.claim is not None
    assert (play.seat.claim.held, play.seat.claim.live) == (10.0, False)
    assert play.stages == ["approved", "submitted", "filled"]
    play.fill("STOP", 0.0, 98.0)
    assert play.stages[3:] == ["stopped"]
    assert play.bracket.held == 0.0
    assert play.book.claim_of("S") is None
    assert isinstance(play.decide("SELL")[0], Enter)


def test_an_entry_needs_the_gates_last_approval() -> None:
    play = Play()
    (enter,) = play.decide("BUY")
    assert isinstance(enter, Enter)
    with pytest.raises(UnapprovedError):
        play.bracket._enter(0, enter.approval)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_flip_cancels_all_closes_and_enters_when_flat(side: Side) -> None:
    play, other = Play(), "SELL" if side == "BUY" else "BUY"
    sign = 1.0 if side == "BUY" else -1.0
    play.decide(side)
    play.fill("ENTRY", 10.0 * sign)
    assert play.decide(other) == [Cancel("STOP-1"), Cancel("TARGET-1"), Close(10.0 * sign)]  # type: ignore[arg-type]
    assert play.step() == []  # the exit is on its way
    (enter,) = play.fill("EXIT", 0.0)
    assert isinstance(enter, Enter)
    assert enter.approval.signal.side == other
    assert play.stages[-3:] == ["exited", "approved", "submitted"]


def test_without_exit_on_flip_and_on_the_same_side_a_wish_is_refused() -> None:
    for config, side in (({"exit_on_flip": False}, "SELL"), ({}, "BUY")):
        play = Play(**config)
        play.decide("BUY")
        play.fill("ENTRY", 10.0)
        assert play.decide(side) == []  # type: ignore[arg-type]
        assert play.bracket.steps[-1][:3] == ("S-2", "refused", "held")


def test_a_position_without_a_stop_is_closed_at_once() -> None:
    play = Play()
    play.decide("BUY")
    play.fill("ENTRY", 10.0)
    play.hear("rejected", "STOP", reason="in the market")
    assert play.step() == [Cancel("TARGET-1"), Close(10.0)]
    assert play.bracket.steps[-1][:3] == ("S-1", "rejected", "STOP: in the market")


def test_the_stop_follows_one_way_and_once_at_a_time() -> None:
    play = Play()
    play.decide("BUY")
    play.fill("ENTRY", 10.0)
    play.bracket.trail(99.0)
    assert play.step() == [PlaceStop(99.0, 10.0)]
    assert play.step() == [Cancel("STOP-1")]  # the next one is accepted
    play.bracket.trail(99.5)
    assert play.step() == []  # the last change is on its way
    del play.live["STOP-1"]
    assert play.step() == [PlaceStop(99.5, 10.0)]
    play.live.popitem()  # refused: the one before stays where it is
    play.bracket.note(OrderNews("rejected", "STOP-1", "STOP"))
    assert play.step() == []
    for elsewhere in (98.5, 100.0, 101.0, math.nan, 99.004):  # the last one is less than a tick ahead
        play.bracket.trail(elsewhere)
        assert play.step() == []
    assert play.seat.claim is not None
    assert play.seat.claim.stop == 99.0
    play.bracket.trail(99.5)
    play.market.mid = 99.5
    assert play.decide() == []  # the market has come to where the stop was to go


def test_a_late_limit_entry_is_repriced_then_crosses() -> None:
    play = Play(entry="limit", entry_timeout_secs=2.0, reprices=1, entry_last="market")
    assert play.decide("BUY")[0] == Wake(f"entry-{2 * SECOND}", 2 * SECOND)
    play.market.now, play.market.mid = 2 * SECOND, 101.0
    assert play.step() == [Wake(f"entry-{4 * SECOND}", 4 * SECOND), Amend("ENTRY-1", 100.9, 9.9)]
    play.hear("kept", "ENTRY")
    assert play.seat.claim is not None
    assert (play.seat.claim.ordered, play.seat.claim.entry) == (10.0, 100.0)
    play.market.now = 4 * SECOND
    assert play.step() == [Cancel("ENTRY-1")]
    play.live = {}
    *_, enter = play.step()
    assert isinstance(enter, Enter)
    assert not enter.is_limit
    assert play.stages == ["approved", "submitted", "approved", "repriced", "approved", "repriced"]
    assert {step.signal_id for step in play.bracket.steps} == {"S-1"}


def test_a_repriced_entry_never_becomes_larger() -> None:
    play = Play(entry="limit", entry_decisions=1, reprices=1)
    play.decide("BUY")
    play.market.mid = 99.0
    assert play.decide() == [Amend("ENTRY-1", 98.9, None)]
    assert play.seat.claim is not None
    assert play.seat.claim.ordered == 10.0


def test_a_post_only_entry_that_would_take_is_tried_again_where_repricing_is_allowed() -> None:
    for reprices, entries in ((0, 0), (1, 1)):
        play = Play(entry="limit", reprices=reprices)
        play.decide("BUY")
        play.hear("rejected", "ENTRY", as_taker=True, reason="TAKER")
        play.live = {}
        assert sum(isinstance(command, Enter) for command in play.step()) == entries


def test_the_horizon_ends_entry_and_position() -> None:
    play = Play(horizon_secs=5.0)
    assert play.decide("BUY")[0] == Wake(f"horizon-{5 * SECOND}", 5 * SECOND)
    play.market.now = 5 * SECOND
    assert play.step() == [Cancel("ENTRY-1")]
    assert play.fill("ENTRY", 10.0) == [Close(10.0)]
    play.fill("EXIT", 0.0)
    assert play.bracket.steps[-1][:3] == ("S-1", "exited", "at the end of its horizon")


def test_a_halt_leaves_once_and_sends_nothing_until_it_ends() -> None:
    play = Play()
    play.decide("BUY")
    play.fill("ENTRY", 10.0)
    play.book.stop_all(1, "manual", "enough")
    assert play.decide("SELL") == [Leave()]
    assert play.decide("SELL") == []
    play.fill("EXIT" if "EXIT" in play.live else "STOP", 0.0)
    play.bracket.leaving = False
    assert play.decide("BUY") == []
    reasons = [step.reason for step in play.bracket.steps if step.stage in ("halted", "refused")]
    assert reasons == ["manual: enough"] * 4
    play.book.reset(2)
    assert isinstance(play.decide("BUY")[-1], Enter)


def test_a_pause_cancels_the_entry_and_lets_the_position_be() -> None:
    play = Play()
    play.decide("BUY")
    play.book.pause(1, BTC, True)
    assert play.step() == [Cancel("ENTRY-1")]
    assert play.fill("ENTRY", 4.0, whole=False) == [PlaceStop(98.0, 10.0), PlaceTarget(104.0, 4.0)]
    assert play.decide("BUY") == []


def test_a_restart_wakes_up_as_before() -> None:
    play = Play(entry="limit", entry_timeout_secs=2.0, horizon_secs=5.0)
    play.decide("BUY")
    again = Play(entry="limit", entry_timeout_secs=2.0, horizon_secs=5.0)
    again.bracket.load(play.bracket.save())
    again.seat.load(play.seat.save())
    again.live = play.live
    assert again.bracket.go_on(SECOND) == [
        Wake(f"entry-{2 * SECOND}", 2 * SECOND),
        Wake(f"horizon-{5 * SECOND}", 5 * SECOND),
    ]
    assert again.seat.claim == play.seat.claim
    again.market.now = 2 * SECOND
    assert again.step() == [Cancel("ENTRY-1")]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_random_histories_keep_to_the_rules(data: st.DataObject) -> None:
    """Whatever the venue does: no entry over another or in a halt, no position without a stop, nothing asked twice."""
    limit = data.draw(st.booleans())
    play = Play(entry="limit" if limit else "market", entry_decisions=2, reprices=2, entry_last="market")
    for _ in range(data.draw(st.integers(5, 40))):
        play.market.now += SECOND
        play.market.mid = round(play.market.mid + data.draw(st.integers(-5, 5)) / 10.0, 1)
        roles = {order.role for order in play.live.values()}
        held, halted = play.bracket.held, play.book.halt != ""
        possible = ["decide", "BUY", "SELL", "trail", "halt", "reset", "pause"]
        possible += [f"fill {role}" for role in sorted(roles) if role == "ENTRY" or held]
        possible += [f"refuse {role}" for role in sorted(roles - {"EXIT"}) if role == "ENTRY" or held]
        what, _, role = data.draw(st.sampled_from(possible)).partition(" ")
        match what:
            case "BUY" | "SELL":
                commands = play.decide(what)
            case "fill" if role == "ENTRY":
                sign = play.bracket.trade.signal.direction if play.bracket.trade.signal is not None else 1
                commands = play.fill(role, sign * play.approved, play.market.mid)
            case "fill":
                play.bracket.leaving = False
                commands = play.fill(role, 0.0, play.market.mid)
            case "refuse":
                play.hear("rejected", role, as_taker=limit)
                if role == "ENTRY" and not held:
                    play.live = {}
                commands = play.step()
            case _:
                if what == "trail":
                    play.bracket.trail(play.market.mid - 0.3 * play.bracket.direction)
                elif what == "halt":
                    play.book.stop_all(play.market.now, "manual", "")
                elif what == "reset":
                    play.book.reset(play.market.now)
                elif what == "pause":
                    play.book.pause(play.market.now, BTC, data.draw(st.booleans()))
                commands = play.decide()
        entries = [command for command in commands if isinstance(command, Enter)]
        assert len(entries) <= 1
        if entries:
            assert (play.bracket.held, play.book.halt, play.seat.paused) == (0.0, "", False)
            assert sum(order.role == "ENTRY" for order in play.live.values()) == 1
        stops = {order.role for order in play.live.values()}
        if play.bracket.held and not halted and not play.bracket.leaving and "STOP" not in stops:
            assert "EXIT" in stops
        if play.bracket.held and play.book.halt:
            assert play.bracket.leaving
        assert play.seat.claim is not None or not (play.bracket.held or "ENTRY" in stops)
