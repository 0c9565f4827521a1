"""The matching of one symbol: orders of accounts against the replayed book, with their place in the queue."""

from collections.abc import Callable, Iterable
from typing import Final

from fathom.live.standin.exchange.orders import Fill, Order
from fathom.live.standin.market.recording import TradeMessage
from fathom.live.standin.market.symbol import Symbol
from fathom.market.events import Side, TradeFlag

_OUT_OF_QUEUE: Final = TradeFlag.RPI | TradeFlag.BLOCK


class Matcher:
    """Open orders of one symbol.

    An order takes what the book shows at its price or better; what it took stays taken until the recording changes
    the level. A resting order stands behind the size that its level had when it came. Trades at its price and
    deletions of the level shorten the queue; a trade through its price, or a book that crosses it, fills it.

    Parameters
    ----------
    symbol : Symbol
    filled : callable
        Called with each fill, at once.
    changed : callable
        Called with an order whose state changed without a fill.
    closable : callable
        Returns the lots that a reduce-only order may still close.
    affordable : callable
        Tells whether the account can pay for a triggered order.
    """

    def __init__(
        self,
        symbol: Symbol,
        filled: Callable[[Fill], None],
        changed: Callable[[Order], None],
        closable: Callable[[Order], int],
        affordable: Callable[[Order], bool],
    ) -> None:
        self.symbol = symbol
        self._filled, self._changed, self._closable, self._affordable = filled, changed, closable, affordable
        self.resting: list[Order] = []
        self.conditional: list[Order] = []

    def submit(self, order: Order) -> None:
        """Match an order that is live from now on, and let the rest of it rest or end."""
        side, limit = self.symbol.book.against(order.is_buy), self._limit(order)
        wanted = min(order.left, self._closable(order)) if order.reduce_only else order.left
        if wanted == 0:
            self.close(order, "CancelByReduceOnly", "EC_NoError")
            return
        reach = side.reach(limit)
        if order.time_in_force == "PostOnly" and reach:
            self.close(order, "UNKNOWN", "EC_PostOnlyWillTakeLiquidity")
            return
        if order.time_in_force == "FOK" and reach < wanted:
            self.close(order, "UNKNOWN", "EC_CancelForNoFullFill")
            return
        for price, size in side.take(limit, min(wanted, reach)):
            self._filled(Fill(order, price, size, is_maker=False))
        if order.reduce_only and order.left and not self._closable(order):
            self.close(order, "CancelByReduceOnly", "EC_NoError")
        elif order.left and order.time_in_force in ("IOC", "FOK"):
            self.close(order, "UNKNOWN", "EC_NoImmediateQtyToFill")
        elif order.left:
            order.ahead = self.symbol.book.own(order.is_buy).left(order.price or 0)
            self.resting.append(order)
            self.resting.sort(key=lambda each: (-(each.price or 0) if each.is_buy else (each.price or 0), each.number))
            if not order.filled:
                self._changed(order)

    def wait(self, order: Order) -> None:
        """Hold a conditional order until its trigger."""
        self.conditional.append(order)
        self._changed(order)

    def remove(self, order: Order) -> None:
        """Take an order out of the book without a word."""
        for orders in (self.resting, self.conditional):
            if order in orders:
                orders.remove(order)

    def close(self, order: Order, cancel_type: str, reason: str) -> None:
        """End an order that is not filled."""
        self.remove(order)
        order.status = "Deactivated" if order.status == "Untriggered" else "Cancelled"
        order.cancel_type, order.reject_reason = cancel_type, reason
        self._changed(order)

    def on_book(self) -> None:
        """Follow the book: queues shorten, a crossed order fills, prices trigger."""
        book = self.symbol.book
        for order in list(self.resting):
            price, side = order.price or 0, book.against(order.is_buy)
            order.ahead = min(order.ahead, book.own(order.is_buy).left(price))
            crossed = side.reach(price)
            if crossed:
                for _, size in side.take(price, min(self._room(order), crossed)):
                    self._filled(Fill(order, price, size, is_maker=True))
        self._drop_filled()
        self.trigger()

    def on_trades(self, message: TradeMessage) -> None:
        """Fill resting orders that trades of the recording reached."""
        for side, price, size, flags, _ in message.trades if self.resting else ():
            if not flags & _OUT_OF_QUEUE and side != Side.NONE:
                self._match_trade(side == Side.SELL, price, size)
        self._drop_filled()
        self.trigger()

    def trigger(self) -> None:
        """Make conditional orders live whose price is reached."""
        for order in list(self.conditional):
            price = self.symbol.price(order.trigger_by)
            if order in self.conditional and price is not None and _is_reached(order, price):
                self.conditional.remove(order)
                order.status = "Triggered"
                self._changed(order)
                order.status = "New"
                if not order.reduce_only and not self._affordable(order):
                    self.close(order, "CancelByPrepareLackOfMargin", "EC_Others")
                else:
                    self.submit(order)

    def _limit(self, order: Order) -> int | None:
        return order.price if order.kind == "Limit" else self.symbol.price_limit(order.is_buy)

    def _match_trade(self, hits_bids: bool, price: int, size: int) -> None:
        own = 0
        for order in [each for each in self.resting if each.is_buy == hits_bids]:
            limit = order.price or 0
            if (limit < price) if hits_bids else (limit > price):
                continue
            ahead = order.ahead if limit == price else 0
            order.ahead = max(0, order.ahead - size) if limit == price else 0
            part = min(self._room(order), size - ahead - own)
            if part > 0:
                own += part
                self._filled(Fill(order, limit, part, is_maker=True))

    def _room(self, order: Order) -> int:
        return min(order.left, self._closable(order)) if order.reduce_only else order.left

    def _drop_filled(self) -> None:
        self.resting = [order for order in self.resting if order.is_open]


def _is_reached(order: Order, price: int) -> bool:
    trigger = order.trigger_price or 0
    return price >= trigger if order.trigger_direction == 1 else price <= trigger


def reduce_only_orders(orders: Iterable[Order], lots: int) -> list[Order]:
    """Return the live reduce-only orders that a position of signed lots leaves nothing to close.

    A conditional order stays until its trigger.
    """
    return [
        order
        for order in orders
        if order.reduce_only and order.status != "Untriggered" and (lots == 0 or (lots > 0) == order.is_buy)
    ]
