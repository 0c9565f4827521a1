"""The orders of one strategy in one instrument: commands become calls of the engine, its events become news.

How it keeps out of the engine's traps:

- The engine calls order handlers from inside `submit_order` and `cancel_order`; there it allows no call back into
  itself, not even to its clock ("Already mutably borrowed"). So `hear` only reads what the event itself says.
- The engine may carry out a command only after the handler has returned, so an order counts as live from the moment it
  was sent, not from when the cache shows it.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from nautilus_trader.model import (
    ClientOrderId,
    InstrumentId,
    OrderAccepted,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderModifyRejected,
    OrderRejected,
    OrderSide,
    OrderType,
    OrderUpdated,
    Price,
    Quantity,
    TimeInForce,
)
from nautilus_trader.trading import Strategy

from fathom.strategies.trading import commands
from fathom.strategies.trading.commands import Command, LiveOrder, OrderNews
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.order_roles import role_of
from fathom.strategies.trading.pacer import Pacer

_STOPS: Final = (OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.MARKET_IF_TOUCHED)


class Orders:
    """Knows which orders of a strategy are live, and carries out the commands of its bracket.

    Parameters
    ----------
    engine
        The engine's half of the strategy.
    instrument_id
        What is traded.
    tags
        Returns the tags of an order with a role.
    wake
        Called by the alarms.
    held
        Returns the size of the position, negative for short.
    timeout_ns
        After this time without an answer of the venue it wakes the bracket.
    """

    def __init__(
        self,
        engine: Strategy,
        instrument_id: InstrumentId,
        tags: Callable[[str], list[str]],
        wake: Callable[[Any], None],
        held: Callable[[], float],
        timeout_ns: int,
    ) -> None:
        self.pacer = Pacer()
        self._engine, self._id, self._tags, self._wake = engine, instrument_id, tags, wake
        self._held, self._timeout = held, timeout_ns
        self._instrument: Any = None
        self._live: dict[str, LiveOrder] = {}
        self._forgotten: dict[str, LiveOrder] = {}
        self._waiting: deque[_Waiting] = deque()

    def __len__(self) -> int:
        """Return how many orders are live, as far as `live` has looked."""
        return len(self._live)

    def claim(self, instrument: Any) -> float:
        """Take the instrument, and what the cache knows of orders after a restart; return the trigger of the stop."""
        self._instrument = instrument
        cache, owner, stop = self._engine.cache, self._engine.strategy_id, math.nan
        accepted = cache.orders_open(instrument_id=self._id, strategy_id=owner)
        inflight = cache.orders_inflight(instrument_id=self._id, strategy_id=owner)
        orders = {str(order.client_order_id): order for order in [*accepted, *inflight]}
        known = {str(order.client_order_id) for order in accepted}
        for name, order in sorted(orders.items(), key=lambda item: item[1].ts_init):
            claimed = LiveOrder(guessed_role(order), accepted=name in known)
            claimed.status = "live" if claimed.accepted else "sent"
            place = getattr(order, "trigger_price" if claimed.role == "STOP" else "price", None)
            claimed.price = nearest(place) if place is not None else math.nan
            claimed.quantity, claimed.filled = nearest(order.quantity), nearest(order.filled_qty)
            self._live[name] = claimed
            self._await(claimed)
            if claimed.role == "STOP":
                stop = claimed.price
        return stop

    def live(self) -> dict[str, LiveOrder]:
        """Return the orders that may still be filled, by id."""
        for name in list(self._live):
            # Never cache.order: it copies the order with all its events.
            if self._engine.cache.is_order_closed(ClientOrderId(name)):
                del self._live[name]
        return self._live

    def hear(self, event: Any) -> OrderNews:
        """Return what an event of an order says."""
        order_id = str(event.client_order_id)
        order = self._live.get(order_id) or self._forgotten.get(order_id)
        news = OrderNews("other", order_id, order.role if order is not None else "", event.ts_event)
        match event:
            case OrderFilled():
                fee = float(event.commission.as_decimal()) if event.commission is not None else 0.0
                price, quantity = nearest(event.last_px), nearest(event.last_qty)
                if order is not None:
                    order.filled += quantity
                    _accept(order)
                return news._replace(kind="filled", price=price, quantity=quantity, fee=fee)
            case OrderAccepted():
                if order is not None:
                    _accept(order)
                return news._replace(kind="accepted")
            case OrderRejected():
                return news._replace(kind="rejected", reason=str(event.reason), as_taker=bool(event.due_post_only))
            case OrderDenied():
                return news._replace(kind="rejected", reason=str(event.reason))
            case OrderCanceled() | OrderExpired():
                return news._replace(kind="cancelled")
            case OrderCancelRejected():
                if order is not None and order.status == "cancelling":
                    order.status = "live" if order.accepted else "unsure"
            case OrderModifyRejected() | OrderUpdated():
                if order is not None and order.status == "changing":
                    order.status = "live"
                if isinstance(event, OrderModifyRejected):
                    return news._replace(kind="kept")
                if order is not None and order.role != "STOP":
                    order.quantity = nearest(event.quantity)
                    order.price = nearest(event.price) if event.price is not None else order.price
                return news._replace(kind="amended")
        return news

    def carry_out(self, asked: Iterable[Command]) -> None:
        """Make the calls of the engine that the commands ask for, in their order."""
        for command in asked:
            self._carry_out(command)

    def flush(self) -> None:
        """Send what waited for its place in the pace of the account, and still makes sense."""
        while self._waiting:
            waiting = self._waiting[0]
            if waiting.order_id not in self._live or (waiting.reduces and not self._held()):
                self._waiting.popleft()
                if waiting.reduces:  # it was never sent
                    self._live.pop(waiting.order_id, None)
                continue
            if self._wait():
                return
            self._waiting.popleft()
            self._call(waiting)

    def end(self, *, closes: bool) -> None:
        """Cancel everything, and close the position where `closes`."""
        self._waiting.clear()
        self._engine.cancel_all_orders(self._id)
        if closes:
            self._engine.close_all_positions(self._id, tags=self._tags("EXIT"))

    def _carry_out(self, command: Command) -> None:
        engine = self._engine
        match command:
            case commands.Enter():
                self._enter(command)
            case commands.PlaceStop() | commands.PlaceTarget() | commands.Close():
                self._reduce(command)
            case commands.Amend(order_id, price, quantity):
                order = self._live[order_id]
                if self._waiting or self._wait():  # the bracket asks again, for what is right then
                    return
                order.status, order.asked = "changing", quantity or 0.0
                size = self._quantity(quantity) if quantity is not None else None
                place = self._price(price) if price is not None else None
                self._send(order_id, lambda: engine.modify_order(ClientOrderId(order_id), quantity=size, price=place))
            case commands.Cancel(order_id):
                self._live[order_id].status = "cancelling"
                self._send(order_id, lambda: engine.cancel_order(ClientOrderId(order_id)))
            case commands.Forget(order_id):
                self._forgotten[order_id] = self._live.pop(order_id)
            case commands.Leave():
                self._waiting.clear()
                self.pacer.spend(engine.clock.timestamp_ns())
                engine.market_exit()
            case commands.Wake(name, ts):
                engine.clock.set_time_alert_ns(name, ts, self._wake)

    def _send(self, order_id: str, call: Callable[[], None], *, reduces: bool = False) -> None:
        waiting = _Waiting(order_id, call, reduces)
        if self._waiting or self._wait():
            self._live[order_id].since = self._engine.clock.timestamp_ns()
            self._waiting.append(waiting)
        else:
            self._call(waiting)

    def _call(self, waiting: "_Waiting") -> None:
        self.pacer.spend(self._engine.clock.timestamp_ns())
        self._await(self._live[waiting.order_id])
        waiting.call()

    def _wait(self) -> bool:
        # Whether the account must wait for the next command; an alarm is set for then.
        now = self._engine.clock.timestamp_ns()
        wait = self.pacer.wait_ns(now, entry=False)
        if wait:
            self._engine.clock.set_time_alert_ns(f"pace-{now + wait}", now + wait, self._wake)
        return wait > 0

    def _await(self, order: LiveOrder) -> None:
        order.since = self._engine.clock.timestamp_ns()
        due = order.since + self._timeout
        self._engine.clock.set_time_alert_ns(f"answer-{due}", due, self._wake)

    def _enter(self, command: commands.Enter) -> None:
        signal, factory = command.approval.signal, self._engine.order_factory
        side = OrderSide.BUY if signal.direction > 0 else OrderSide.SELL
        size, tags = self._quantity(command.approval.quantity), self._tags("ENTRY")
        if command.is_limit:
            order = factory.limit(self._id, side, size, self._price(signal.entry), post_only=True, tags=tags)
        else:
            order = factory.market(self._id, side, size, time_in_force=TimeInForce.IOC, tags=tags)
        self._submit(order, "ENTRY", signal.entry)

    def _reduce(self, command: commands.PlaceStop | commands.PlaceTarget | commands.Close) -> None:
        factory, name = self._engine.order_factory, self._id
        side = OrderSide.SELL if self._held() > 0.0 else OrderSide.BUY
        match command:
            case commands.PlaceStop(price, quantity):
                size, place, tags = self._quantity(quantity), self._price(price), self._tags("STOP")
                self._submit(factory.stop_market(name, side, size, place, reduce_only=True, tags=tags), "STOP", price)
            case commands.PlaceTarget(price, quantity):
                size, place, tags = self._quantity(quantity), self._price(price), self._tags("TARGET")
                self._submit(factory.limit(name, side, size, place, reduce_only=True, tags=tags), "TARGET", price)
            case commands.Close(held):
                size, tags = self._quantity(abs(held)), self._tags("EXIT")
                rest = TimeInForce.IOC
                order = factory.market(name, side, size, time_in_force=rest, reduce_only=True, tags=tags)
                self._submit(order, "EXIT", math.nan)

    def _submit(self, order: Any, role: str, price: float) -> None:
        order_id = str(order.client_order_id)
        place = nearest(self._price(price)) if not math.isnan(price) else price
        self._live[order_id] = LiveOrder(role, "sent", price=place, quantity=nearest(order.quantity))
        self._send(order_id, lambda: self._engine.submit_order(order), reduces=role != "ENTRY")

    def _price(self, value: float) -> Price:
        tick = nearest(self._instrument.price_increment)
        return Price(round(value / tick) * tick, self._instrument.price_precision)

    def _quantity(self, value: float) -> Quantity:
        return Quantity(value, self._instrument.size_precision)


class _Waiting(NamedTuple):
    """A command that waits for its place in the pace of the account."""

    order_id: str
    call: Callable[[], None]
    reduces: bool  # whether it sends an order that only reduces a position


def _accept(order: LiveOrder) -> None:
    order.accepted = True
    if order.status in ("sent", "unsure"):
        order.status = "live"


def guessed_role(order: Any) -> str:
    """Return the role of an order that may have lost its tags, such as one that the venue reported after a restart."""
    role = role_of(order)
    if role != "OTHER":
        return role
    if order.order_type in _STOPS:
        return "STOP"
    if not order.is_reduce_only:
        return "ENTRY"
    return "TARGET" if order.order_type == OrderType.LIMIT else "EXIT"
