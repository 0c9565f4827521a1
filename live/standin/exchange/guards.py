"""Take-profit, stop-loss and trailing stop of a position: orders of the venue that follow it and end with it."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Protocol

from fathom.live.standin.exchange.account import Account, Position
from fathom.live.standin.exchange.checks import price_of
from fathom.live.standin.exchange.matching import Matcher
from fathom.live.standin.exchange.orders import Fill, Order
from fathom.live.standin.exchange.refusals import RefusedError

TPSL: Final = ("TakeProfit", "StopLoss", "PartialTakeProfit", "PartialStopLoss", "TrailingStop")
"""Stop types of orders that follow a position."""

_FIELDS: Final = {"takeProfit": ("TakeProfit", "tpTriggerBy"), "stopLoss": ("StopLoss", "slTriggerBy")}


class Venue(Protocol):
    """What the guards need of the exchange."""

    matchers: dict[str, Matcher]

    def new_id(self) -> str:
        """Return an order id."""

    def place(self, account: Account, order: Order) -> None:
        """Put an order on the exchange."""

    def changed(self, order: Order) -> None:
        """Tell of an order whose state changed."""

    def cancel_many(self, account: Account, orders: Iterable[Order], why: str) -> list[Order]:
        """Cancel open orders."""

    def tell_position(self, account: Account, symbol: str) -> None:
        """Tell an account of a position."""


class Guards:
    """Sets and follows the guards of positions.

    Parameters
    ----------
    venue : Venue
    now : callable
        Returns exchange time in ns.
    """

    def __init__(self, venue: Venue, now: Callable[[], int]) -> None:
        self._venue, self._now = venue, now
        self._distances: dict[str, int] = {}  # of trailing stops, in ticks, by order id

    def set(self, account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
        """Run `/v5/position/trading-stop`: set, change or ("0") remove the guards of a position."""
        position = account.positions.get(str(args.get("symbol")))
        if position is None:
            raise RefusedError(10001, "params error: symbol invalid")
        if position.lots == 0:
            raise RefusedError(10001, "can not set tp/sl/ts for zero position")
        given = {name: str(args[name]) for name in (*_FIELDS, "trailingStop") if args.get(name) not in (None, "")}
        if not given or all(Decimal(text) == Decimal(position.guards.get(name, "0")) for name, text in given.items()):
            raise RefusedError(34040)
        for name, text in given.items():
            if name in _FIELDS and Decimal(text):
                self._check(position, name, text)
        for name, text in given.items():
            self._put(account, position, name, text, args)
        self._venue.tell_position(account, position.symbol.contract.symbol)
        return {}

    def follow(self, account: Account, order: Order, fill: Fill, before: int) -> None:
        """Let guards follow a position after a fill."""
        position = account.positions[order.symbol]
        guards = [each for each in account.open.values() if each.symbol == order.symbol and each.stop_type in TPSL]
        if position.lots * before <= 0 and before:
            position.guards = {}
            self._venue.cancel_many(account, guards, "CancelByTpSlTsClear")
            guards = []
        for guard in guards:
            size = abs(position.lots)
            if guard.status == "Untriggered" and guard.quantity != size:
                guard.quantity = size
                self._venue.changed(guard)
        if order.guards and position.lots and (position.lots > 0) == order.is_buy:
            wanted = {name: order.guards[name] for name in _FIELDS if Decimal(order.guards.get(name, "0"))}
            for name, text in wanted.items():
                if position.guards.get(name) != text:
                    self._put(account, position, name, text, order.guards)

    def trail(self, symbol: str, accounts: Iterable[Account]) -> None:
        """Move trailing stops after the price of a symbol."""
        for account in accounts if self._distances else ():
            for order in account.open.values():
                distance = self._distances.get(order.order_id)
                price = self._venue.matchers[symbol].symbol.price("LastPrice")
                if distance is not None and order.symbol == symbol and price is not None:
                    wanted = price + distance if order.is_buy else price - distance
                    nearer = (
                        wanted < (order.trigger_price or 0) if order.is_buy else wanted > (order.trigger_price or 0)
                    )
                    order.trigger_price = wanted if nearer else order.trigger_price

    def _put(self, account: Account, position: Position, name: str, text: str, args: Mapping[str, Any]) -> None:
        contract = position.symbol.contract
        kind, by = _FIELDS.get(name, ("TrailingStop", ""))
        known = [o for o in account.open.values() if o.symbol == contract.symbol and o.stop_type == kind]
        position.guards[name] = text
        if not Decimal(text):
            self._venue.cancel_many(account, known, "CancelByUser")
            return
        price, now, is_buy = price_of(contract, text), self._now(), position.lots < 0
        last = position.symbol.price("LastPrice") or 0
        trigger = price if name in _FIELDS else (last + price if is_buy else last - price)
        if known:
            known[0].trigger_price = trigger
            self._venue.changed(known[0])
            return
        rises = is_buy != (kind == "TakeProfit")
        order = Order(
            contract=contract,
            uid=account.uid,
            order_id=self._venue.new_id(),
            link_id="",
            is_buy=is_buy,
            kind="Market",
            quantity=abs(position.lots),
            price=None,
            time_in_force="IOC",
            reduce_only=True,
            created_ns=now,
            updated_ns=now,
            close_on_trigger=True,
            trigger_price=trigger,
            trigger_direction=1 if rises else 2,
            trigger_by=str(args.get(by) or "LastPrice"),
            stop_type=kind,
            create_type=f"CreateBy{kind}",
            last_on_created=last,
            status="Untriggered",
        )
        if name not in _FIELDS:
            self._distances[order.order_id] = price
        self._venue.place(account, order)

    def _check(self, position: Position, name: str, text: str) -> None:
        price, base = price_of(position.symbol.contract, text), position.symbol.price("LastPrice") or 0
        above = (position.lots > 0) == (name == "takeProfit")
        if (price <= base) if above else (price >= base):
            word = "higher" if above else "lower"
            side = "Buy" if position.lots > 0 else "Sell"
            raise RefusedError(10001, f"{name}:{price} set for {side} position should {word} than base_price:{base}")
