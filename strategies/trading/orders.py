"""The orders of one strategy in one instrument: commands become calls of the engine, its events become news.

How it keeps out of the engine's traps:

- The engine calls order handlers from inside `submit_order` and `cancel_order`; there it allows no call back into
  itself, not even to its clock ("Already mutably borrowed"). So `hear` only reads what the event itself says.
- The engine may carry out a command only after the handler has returned, so an order counts as live from the moment it
  was sent, not from when the cache shows it.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

from nautilus_trader.model import (
    ClientOrderId,
    ContingencyType,
    InstrumentId,
    OrderCanceled,
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
)
from nautilus_trader.trading import Strategy

from fathom.strategies.trading import commands
from fathom.strategies.trading.commands import Command, LiveOrder, OrderNews
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.order_roles import role_of

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
    """

    def __init__(
        self,
        engine: Strategy,
        instrument_id: InstrumentId,
        tags: Callable[[str], list[str]],
        wake: Callable[[Any], None],
    ) -> None:
        self._engine, self._id, self._tags, self._wake = engine, instrument_id, tags, wake
        self._instrument: Any = None
        self._live: dict[str, LiveOrder] = {}

    def __len__(self) -> int:
        """Return how many orders are live, as far as `live` has looked."""
        return len(self._live)

    def claim(self, instrument: Any) -> float:
        """Take the instrument, and what the cache knows of orders after a restart; return the trigger of the stop."""
        self._instrument = instrument
        cache, owner, stop = self._engine.cache, self._engine.strategy_id, math.nan
        open_orders = cache.orders_open(instrument_id=self._id, strategy_id=owner)
        for order in [*open_orders, *cache.orders_inflight(instrument_id=self._id, strategy_id=owner)]:
            role = guessed_role(order)
            self._live[str(order.client_order_id)] = LiveOrder(role)
            if role == "STOP":
                stop = nearest(order.trigger_price)
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
        order = self._live.get(order_id)
        news = OrderNews("other", order_id, order.role if order is not None else "", event.ts_event)
        match event:
            case OrderFilled():
                fee = float(event.commission.as_decimal()) if event.commission is not None else 0.0
                price, quantity = nearest(event.last_px), nearest(event.last_qty)
                return news._replace(kind="filled", price=price, quantity=quantity, fee=fee)
            case OrderRejected():
                return news._replace(kind="rejected", reason=str(event.reason), as_taker=bool(event.due_post_only))
            case OrderDenied():
                return news._replace(kind="rejected", reason=str(event.reason))
            case OrderCanceled() | OrderExpired():
                return news._replace(kind="cancelled")
            case OrderModifyRejected() | OrderUpdated():
                if order is not None and order.status == "changing":
                    order.status = "live"
                if isinstance(event, OrderModifyRejected):
                    return news._replace(kind="kept")
                trigger = event.trigger_price
                return news._replace(kind="amended", price=nearest(trigger) if trigger is not None else math.nan)
        return news

    def carry_out(self, asked: Iterable[Command]) -> None:
        """Make the calls of the engine that the commands ask for, in their order."""
        for command in asked:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        engine = self._engine
        match command:
            case commands.Enter():
                self._enter(command)
            case commands.Amend(order_id, price, quantity):
                order, place = self._live[order_id], self._price(price)
                order.status = "changing"
                if order.role == "STOP":
                    engine.modify_order(ClientOrderId(order_id), trigger_price=place)
                else:
                    size = self._quantity(quantity) if quantity is not None else None
                    engine.modify_order(ClientOrderId(order_id), quantity=size, price=place)
            case commands.Cancel(order_id):
                self._live[order_id].status = "cancelling"
                engine.cancel_order(ClientOrderId(order_id))
            case commands.Close(held):
                self._close(held)
            case commands.Leave():
                engine.market_exit()
            case commands.Wake(name, ts):
                engine.clock.set_time_alert_ns(name, ts, self._wake)

    def end(self, *, closes: bool) -> None:
        """Cancel everything, and close the position where `closes`."""
        self._engine.cancel_all_orders(self._id)
        if closes:
            self._engine.close_all_positions(self._id, tags=self._tags("EXIT"))

    def _enter(self, command: commands.Enter) -> None:
        signal = command.approval.signal
        orders = self._engine.order_factory.bracket(
            instrument_id=self._id,
            order_side=OrderSide.BUY if signal.direction > 0 else OrderSide.SELL,
            quantity=self._quantity(command.approval.quantity),
            contingency_type=ContingencyType.OUO,
            entry_order_type=OrderType.LIMIT if command.is_limit else OrderType.MARKET,
            entry_price=self._price(signal.entry) if command.is_limit else None,
            entry_post_only=command.is_limit,
            entry_tags=self._tags("ENTRY"),
            tp_price=self._price(signal.target),
            tp_post_only=False,
            tp_tags=self._tags("TARGET"),
            sl_trigger_price=self._price(signal.stop),
            sl_tags=self._tags("STOP"),
        )
        self._live |= {str(order.client_order_id): LiveOrder(role_of(order)) for order in orders}
        self._engine.submit_order_list(orders)

    def _close(self, held: float) -> None:
        order = self._engine.order_factory.market(
            self._id,
            OrderSide.SELL if held > 0.0 else OrderSide.BUY,
            self._quantity(abs(held)),
            reduce_only=True,
            tags=self._tags("EXIT"),
        )
        self._live[str(order.client_order_id)] = LiveOrder("EXIT")
        self._engine.submit_order(order)

    def _price(self, value: float) -> Price:
        tick = nearest(self._instrument.price_increment)
        return Price(round(value / tick) * tick, self._instrument.price_precision)

    def _quantity(self, value: float) -> Quantity:
        return Quantity(value, self._instrument.size_precision)


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
