"""Stages of a bracket at a small model of the venue: late answers, partial fills, refusals, cancels that race fills."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.strategies.risk.book import RiskBook
from fathom.strategies.risk.config import Limits
from fathom.strategies.risk.gate import RiskGate, Sizing
from fathom.strategies.risk.seat import RiskSeat
from fathom.strategies.trading.bracket import Bracket
from fathom.strategies.trading.commands import (
    Amend,
    Cancel,
    Close,
    Enter,
    Forget,
    LiveOrder,
    OrderNews,
    PlaceStop,
    PlaceTarget,
)
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.order_stages import Grid
from tests.makers.gating import BTC, SECOND, signal_of
from tests.unit.strategies.trading.test_bracket import Still

SEEDS = 1_000
LOT = 0.1
MS = 1_000_000


class Resting:
    """An order as the venue has it."""

    def __init__(self, name: str, role: str, side: int, size: float, price: float) -> None:
        self.name, self.role, self.side, self.size, self.price = name, role, side, size, price
        self.filled = 0.0

    @property
    def rest(self) -> float:
        return round(self.size - self.filled, 9)


class Venue:
    """Takes commands 20 ms late, answers 20 ms later, nets positions, and refuses what Bybit refuses."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.resting: dict[str, Resting] = {}
        self.position = 0.0
        self.queue: list[tuple[int, int, Any]] = []  # due, number, what happens then
        self.count = 0

    def later(self, now: int, what: Any, delay: int = 20 * MS) -> None:
        self.count += 1
        self.queue.append((now + delay, self.count, what))
        self.queue.sort(key=lambda item: item[:2])


class Session:
    """A bracket in front of the venue, with `Orders`' bookkeeping, and the invariants (a) to (e)."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.now, self.sent = chance, 0, 0
        self.market, self.venue = Still(), Venue(chance)
        self.entry = chance.choice(["limit", "market"])
        options: dict[str, Any] = {"entry": self.entry, "notional": 1_000.0, "answer_timeout_secs": 1.0}
        options |= {"entry_timeout_secs": 2.0, "reprices": chance.choice([0, 2])}
        self.config = SignalStrategyConfig(**options)
        gate = RiskGate(Limits(), Sizing("both", 0.01, 1_000.0, 2.0), "S", BTC, RiskBook())
        self.bracket = Bracket(self.config, RiskSeat(gate, self.market))
        self.bracket.grid = Grid(0.1, 1, LOT)
        self.live: dict[str, LiveOrder] = {}
        self.forgotten: dict[str, LiveOrder] = {}
        self.closed: set[str] = set()
        self.exposed_since: int | None = None
        self.idle_since: int | None = None
        self.loses = chance.random() < 0.3  # whether answers get lost
        self.refuses = chance.choice([0.0, 0.1, 0.3])

    # ---- what the strategy does

    def step(self) -> None:
        self.market.now = self.now
        for command in self.bracket.step(self.now, self.live):
            match command:
                case Enter(approval, is_limit):
                    assert self.bracket.held == 0.0
                    assert not self.live, "an entry beside other orders"
                    price = approval.signal.entry if is_limit else float("nan")
                    self.send("ENTRY", approval.signal.direction, approval.quantity, price)
                case PlaceStop(price, quantity):
                    stops = [name for name, order in self.live.items() if order.role == "STOP"]
                    valid = [name for name in stops if self.live[name].status == "live"]
                    assert len(stops) == len(valid) <= 1, "a second stop while one is on its way"  # (e)
                    if valid:  # (d) the first one stays
                        assert valid[0] not in self.closed
                    assert quantity >= abs(self.bracket.held) - 1e-9
                    self.send("STOP", -self.bracket.direction, quantity, price)
                case PlaceTarget(price, quantity):
                    assert all(order.role != "TARGET" or order.status == "cancelling" for order in self.live.values())
                    self.send("TARGET", -self.bracket.direction, quantity, price)
                case Close(held):
                    self.send("EXIT", -1 if held > 0 else 1, abs(held), float("nan"))
                case Amend(name, price, quantity):
                    order = self.live[name]
                    assert order.role != "STOP", "an amended trigger"
                    assert order.status == "live", "an amendment of an order that is not accepted"
                    assert (price or order.price, quantity or order.quantity) != (order.price, order.quantity)
                    order.status, order.since, order.asked = "changing", self.now, quantity or 0.0
                    self.venue.later(self.now, lambda n=name, p=price, q=quantity: self.amend(n, p, q))
                case Cancel(name):
                    assert self.live[name].status not in ("cancelling", "unsure")
                    self.live[name].status, self.live[name].since = "cancelling", self.now
                    self.venue.later(self.now, lambda n=name: self.cancel(n))
                case Forget(name):
                    assert self.loses
                    self.forgotten[name] = self.live.pop(name)

    def send(self, role: str, side: int, size: float, price: float) -> None:
        self.sent += 1
        name = f"{role}-{self.sent}"
        self.live[name] = LiveOrder(role, "sent", self.now, price, size)
        self.venue.later(self.now, lambda: self.arrive(Resting(name, role, side, size, price)))

    # ---- what the venue does

    def arrive(self, order: Resting) -> None:
        refused = order.role != "ENTRY" and self.venue.position * order.side >= 0.0  # nothing to reduce
        refused |= order.role == "STOP" and (self.market.mid - order.price) * -order.side <= 0.0  # in the market
        refused |= order.role != "EXIT" and self.chance.random() < self.refuses
        if refused:
            self.tell(order.name, "rejected")
            return
        self.venue.resting[order.name] = order
        if order.role == "EXIT" or (order.role == "ENTRY" and self.entry == "market"):
            self.fill(order, order.rest if self.chance.random() < 0.7 else LOT)
            if order.rest > 0.0 and order.name in self.venue.resting:  # immediate or cancel
                self.end(order, "cancelled")
        else:
            self.tell(order.name, "accepted")

    def cancel(self, name: str) -> None:
        order = self.venue.resting.get(name)
        if order is not None:
            self.end(order, "cancelled")

    def amend(self, name: str, price: float | None, quantity: float | None) -> None:
        order = self.venue.resting.get(name)
        if order is None:
            return
        if self.chance.random() < self.refuses:
            self.tell(name, "kept")
            return
        order.price, order.size = price or order.price, max(quantity or order.size, order.filled)
        self.tell(name, "amended", price=order.price, quantity=order.size)

    def fill(self, order: Resting, size: float) -> None:
        if order.role != "ENTRY":
            size = min(size, abs(self.venue.position)) if self.venue.position * order.side < 0.0 else 0.0
        size = round(min(size, order.rest), 9)
        if size <= 0.0:
            return
        before = self.venue.position
        self.venue.position = round(before + order.side * size, 9)
        order.filled += size
        self.tell(order.name, "filled", price=self.market.mid, quantity=size, position=self.venue.position)
        if order.rest <= 0.0:
            del self.venue.resting[order.name]

    def end(self, order: Resting, kind: str) -> None:
        self.venue.resting.pop(order.name, None)
        self.tell(order.name, kind)

    # ---- what the strategy hears

    def tell(self, name: str, kind: Any, position: float | None = None, **numbers: float) -> None:
        if self.loses and kind in ("accepted", "cancelled") and self.chance.random() < 0.3:
            return
        whole = name in self.venue.resting and self.venue.resting[name].rest <= 0.0
        self.venue.later(self.now, lambda: self.hear(name, kind, position, whole, numbers))

    def hear(self, name: str, kind: Any, position: float | None, whole: bool, numbers: dict[str, float]) -> None:
        order = self.live.get(name) or self.forgotten.get(name)
        assert order is not None
        if kind in ("accepted", "filled"):
            order.accepted = True
            order.status = "live" if order.status in ("sent", "unsure") else order.status
            order.filled += numbers.get("quantity", 0.0)
        if kind in ("amended", "kept") and order.status == "changing":
            order.status = "live"
        if kind == "amended":
            order.price, order.quantity = numbers["price"], numbers["quantity"]
        if kind in ("rejected", "cancelled") or whole:
            self.live.pop(name, None)
            self.closed.add(name)
        self.bracket.note(OrderNews(kind, name, order.role, **numbers))  # type: ignore[arg-type]
        if position is not None:
            if position:
                self.bracket.hold(position, 100.0)
            elif self.bracket.held:
                self.bracket.close(self.now, price=self.market.mid, quantity=1.0, pnl=0.0)
        self.step()

    # ---- time

    def run(self, until: int, steps: int) -> None:
        for _ in range(steps):
            self.advance(self.now + self.chance.choice([5, 15, 40, 300]) * MS)
            self.market.mid = round(self.market.mid + self.chance.choice([-0.3, -0.1, 0.0, 0.1, 0.3]), 1)
            for order in list(self.venue.resting.values()):
                touched = order.role == "TARGET" and (self.market.mid - order.price) * -order.side >= 0.0
                touched |= order.role == "STOP" and (self.market.mid - order.price) * -order.side <= 0.0
                touched |= order.role == "ENTRY" and self.chance.random() < 0.3
                if touched and order.name in self.venue.resting:
                    self.fill(order, order.rest if self.chance.random() < 0.6 else 20 * LOT)
            what = self.chance.random()
            signal = None
            if what < 0.3:
                side = self.chance.choice(["BUY", "SELL"])
                sign = 1.0 if side == "BUY" else -1.0
                mid = self.market.mid
                prices = {"entry": mid, "stop": mid - sign * 0.7, "target": mid + sign * 0.55}
                horizon = self.chance.choice([0.0, 1.5])
                signal = signal_of(side, signal_id="", ts_init=self.now, horizon_secs=horizon, **prices)  # type: ignore[arg-type]
            self.bracket.decide(self.now, self.market.mid, signal, 1.0)
            if what > 0.6:
                self.bracket.trail(self.market.mid - self.bracket.direction * self.chance.choice([0.14, 0.3, 0.52]))
            self.step()
        self.advance(self.now + until)

    def advance(self, until: int) -> None:
        while True:
            due = self.venue.queue[0][0] if self.venue.queue else until + 1
            tick = self.now + 20 * MS - self.now % (20 * MS)  # the alarms
            if min(due, tick) > until:
                break
            self.now = min(due, tick)
            if due <= tick:
                _, _, happens = self.venue.queue.pop(0)
                happens()
            else:
                self.step()
            self.check()
        self.now = until

    def check(self) -> None:
        stops = [order for order in self.venue.resting.values() if order.role == "STOP"]
        exits = [name for name, order in self.live.items() if order.role == "EXIT"]
        guarded = any(stop.side * self.venue.position < 0.0 for stop in stops) or exits
        if self.venue.position == 0.0 or guarded:  # (a)
            self.exposed_since = None
        elif self.exposed_since is None:
            self.exposed_since = self.now
        limit = 80 * MS if not self.loses else 4 * SECOND  # two round trips; what is lost counts as overdue first
        assert self.exposed_since is None or self.now - self.exposed_since <= limit, f"bare since {self.exposed_since}"
        entries = [order for order in self.venue.resting.values() if order.role == "ENTRY"]
        idle = not (self.venue.position or entries) and bool(self.venue.resting)  # (b), (c)
        idle = idle and not any(order.role in ("ENTRY", "EXIT") for order in self.live.values())
        if not idle:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = self.now
        assert self.idle_since is None or self.now - self.idle_since <= limit, f"left behind: {self.venue.resting}"
        assert len(stops) <= 2 or self.loses  # (e)


def play(chance: random.Random) -> Session:
    session = Session(chance)
    session.run(until=10 * SECOND, steps=40)
    return session


@pytest.mark.parametrize("block", range(10))
def test_a_thousand_histories_keep_to_the_invariants(block: int) -> None:
    size, done = SEEDS // 10, []
    for seed in range(block * size, (block + 1) * size):
        try:
            done.append(play(random.Random(seed)))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    assert sum(session.bracket.trade.signals > 0 for session in done) > 0.9 * size
    assert sum("STOP" in "".join(session.closed) for session in done) > 0.5 * size


@settings(max_examples=100, deadline=None, derandomize=True)
@given(chance=st.randoms(use_true_random=False))
def test_any_history_keeps_to_the_invariants(chance: random.Random) -> None:
    play(chance)


def test_a_strategy_whose_answers_are_lost_goes_on() -> None:
    entries = 0
    for seed in range(100):
        chance = random.Random(seed)
        session = Session(chance)
        session.loses, session.refuses = True, 0.0
        session.run(until=10 * SECOND, steps=60)
        session.bracket.trade.wish = None
        session.advance(session.now + 20 * SECOND)
        assert session.bracket.held or not session.live, f"seed {seed}: {session.live}"
        entries += sum(name.startswith("ENTRY") for name in session.closed)
    assert entries > 100
