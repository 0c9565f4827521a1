"""The exchange: it takes commands of accounts and messages of the recording, and tells what became of them."""

import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from fathom.live.standin.config import StandInConfig
from fathom.live.standin.exchange.account import Account, money
from fathom.live.standin.exchange.checks import (
    check_funds,
    check_price,
    check_trigger,
    closable,
    order_of,
    price_of,
    quantity_of,
)
from fathom.live.standin.exchange.guards import TPSL, Guards
from fathom.live.standin.exchange.ledger import Ledger
from fathom.live.standin.exchange.matching import Matcher, reduce_only_orders
from fathom.live.standin.exchange.orders import Fill, Order
from fathom.live.standin.exchange.refusals import RefusedError
from fathom.live.standin.market.recording import Message, TradeMessage
from fathom.live.standin.market.symbol import Symbol
from fathom.settings.times import MS

type Send = Callable[[int, str, dict[str, Any]], None]

ORDER_OPS: Final = ("order.create", "order.amend", "order.cancel")


class Exchange:
    """All symbols and accounts.

    Parameters
    ----------
    config : StandInConfig
    symbols : mapping of str to Symbol
    now : callable
        Returns exchange time in ns.
    send : callable
        Called with (uid, topic, message) for each message of the private stream.
    """

    def __init__(
        self, config: StandInConfig, symbols: Mapping[str, Symbol], now: Callable[[], int], send: Send
    ) -> None:
        self.config, self.symbols, self._now, self._send = config, symbols, now, send
        self.ledger = Ledger()
        self.accounts = {each.uid: Account(each, symbols.values(), config.leverage) for each in config.accounts}
        self.executions: dict[int, list[dict[str, Any]]] = {uid: [] for uid in self.accounts}
        self._random = random.Random(config.seed)
        self._numbers = 0
        self.matchers = {
            name: Matcher(symbol, self.filled, self.changed, self._closable, self._affordable)
            for name, symbol in symbols.items()
        }
        self.guards = Guards(self, now)
        self.before: Callable[[Account, str, Mapping[str, Any], int | None], None] = lambda *each: None
        """Called before each command with the account, the operation, its arguments and its place in a batch."""

    def run(self, account: Account, op: str, args: Mapping[str, Any], place: int | None = None) -> dict[str, Any]:
        """Run a command of an account and write it down; raises `RefusedError` as the venue would refuse it."""
        commands: dict[str, Callable[[Account, Mapping[str, Any]], dict[str, Any]]] = {
            "order.create": self._create,
            "order.amend": self._amend,
            "order.cancel": self._cancel,
            "order.cancel-all": self._cancel_all,
            "position.trading-stop": self.guards.set,
            "position.set-leverage": self._set_leverage,
        }
        entry: dict[str, Any] = {"op": op, "args": dict(args), "code": 0, "text": "OK", "batch": place is not None}
        self.ledger.add(self._now(), "command", account.uid, entry)
        try:
            self.before(account, op, args, place)
            if args.get("category", "linear") != "linear":
                raise RefusedError(10404 if op in ORDER_OPS else 10001, "category is not correct: linear only")
            answer = commands[op](account, args)
        except RefusedError as refusal:
            entry.update(code=refusal.code, text=str(refusal))
            raise
        except (ValueError, TypeError, ArithmeticError) as error:
            entry.update(code=10001, text="params error")
            raise RefusedError(10001) from error
        entry["answer"] = answer
        return answer

    def apply(self, message: Message) -> dict[str, Any] | None:
        """Apply a recorded message; returns the public message of trades."""
        symbol, matcher, public = self.symbols[message.symbol], self.matchers[message.symbol], None
        if isinstance(message, TradeMessage):
            public = symbol.trade(message, self._now())
            self.guards.trail(message.symbol, self.accounts.values())
            matcher.on_trades(message)
        else:
            symbol.apply(message)
            matcher.on_book()
        return public

    def batch(self, account: Account, op: str, requests: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Run the orders of a batch one by one; returns `list` of answers and `codes`."""
        answers, codes = [], []
        for place, args in enumerate(requests):
            row = {"category": "linear", "symbol": args.get("symbol", ""), "orderLinkId": args.get("orderLinkId", "")}
            try:
                answers.append(
                    {**row, "orderId": "", "createAt": str(self._now() // MS), **self.run(account, op, args, place)}
                )
                codes.append({"code": 0, "msg": "OK"})
            except RefusedError as refusal:
                answers.append({**row, "orderId": "", "createAt": ""})
                codes.append({"code": refusal.code, "msg": str(refusal)})
        return {"list": answers, "codes": codes}

    def place(self, account: Account, order: Order) -> None:
        """Put an order that passed the checks on the exchange."""
        self._numbers += 1
        order.number = self._numbers
        account.orders[order.order_id] = account.open[order.order_id] = order
        if order.link_id:
            account.by_link[order.link_id] = order
        matcher = self.matchers[order.symbol]
        if order.trigger_direction:
            matcher.wait(order)
        else:
            matcher.submit(order)

    def new_id(self) -> str:
        """Return an id that only the seed and the number of ids before it decide."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def filled(self, fill: Fill) -> None:
        """Book a fill: order, position, wallet, and all that follows from them."""
        order = fill.order
        account, contract = self.accounts[order.uid], order.contract
        position, now = account.positions[order.symbol], self._now()
        price = fill.price * contract.tick
        value = fill.size * contract.lot * price
        rate = (contract.maker_fee if fill.is_maker else contract.taker_fee) if fill.kind == "Trade" else Decimal(0)
        fee = money(value * rate)
        order.filled += fill.size
        order.value += value
        order.fee += fee
        order.updated_ns = now
        order.status = "Filled" if order.filled >= order.quantity else "PartiallyFilled"
        before = position.lots
        profit, closed = position.fill(fill.size if order.is_buy else -fill.size, price)
        self._book(account, order.symbol, money(profit) - fee, opened=before == 0)
        row = self._execution_row(fill, fee, rate, closed)
        self.report("execution", account, row)
        if order.status == "Filled":
            account.open.pop(order.order_id, None)
            self.matchers[order.symbol].remove(order)
        self.report("order", account, order.row(stream=True))
        self.tell_position(account, order.symbol)
        self.guards.follow(account, order, fill, before)
        for other in reduce_only_orders(list(account.open.values()), position.lots):
            if other.symbol == order.symbol and other is not order and other.order_id in account.open:
                self.matchers[order.symbol].close(other, "CancelByReduceOnly", "EC_NoError")

    def changed(self, order: Order) -> None:
        """Tell of an order whose state changed without a fill."""
        account = self.accounts[order.uid]
        order.updated_ns = self._now()
        if not order.is_open and order.status != "Triggered":
            account.open.pop(order.order_id, None)
        self.report("order", account, order.row(stream=True))

    def report(self, topic: str, account: Account, row: dict[str, Any]) -> None:
        """Write a row into the ledger and send it to the account."""
        now = self._now()
        self.ledger.add(now, topic, account.uid, row)
        if topic == "execution":
            self.executions[account.uid].append(row)
        head = {"id": self.new_id(), "topic": topic, "creationTime": now // MS}
        self._send(account.uid, topic, {**head, "data": [row]})

    def tell_position(self, account: Account, symbol: str) -> None:
        """Tell an account of a position and of its wallet."""
        self.report("position", account, account.positions[symbol].row(self.symbols[symbol].sequence, stream=True))
        self.report("wallet", account, account.wallet_row())

    def fund(self, symbol: str, rate: Decimal) -> None:
        """Let longs pay shorts, or the other way round."""
        for account in self.accounts.values():
            position = account.positions[symbol]
            if position.lots:
                fee = money(position.size * position.mark * rate)
                self._book(account, symbol, -fee)
                self.report("execution", account, self._funding_row(account, symbol, fee, rate))
                self.tell_position(account, symbol)

    def force(self, account: Account, symbol: str, kind: str, price: int, lots: int) -> None:
        """Close lots of a position by an order of the venue: liquidation, ADL, a corporate action."""
        position, now = account.positions[symbol], self._now()
        size = min(lots, abs(position.lots))
        if not size:
            return
        order = Order(
            contract=self.symbols[symbol].contract,
            uid=account.uid,
            order_id=self.new_id(),
            link_id="",
            is_buy=position.lots < 0,
            kind="Market",
            quantity=size,
            price=None,
            time_in_force="IOC",
            reduce_only=True,
            created_ns=now,
            updated_ns=now,
            create_type={"AdlTrade": "CreateByAdl_PassThrough", "BustTrade": "CreateByLiq"}.get(kind, "CreateBySettle"),
        )
        account.orders[order.order_id] = order
        self.filled(Fill(order, price, size, is_maker=False, kind=kind))

    def cancel_many(self, account: Account, orders: Iterable[Order], why: str) -> list[Order]:
        """Cancel orders that are open; returns them."""
        chosen = [order for order in orders if order.order_id in account.open]
        for order in chosen:
            self.matchers[order.symbol].close(order, why, "EC_PerCancelRequest")
        return chosen

    def _create(self, account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
        order = order_of(args, account, self._matcher(args), self.new_id(), self._now())
        self.place(account, order)
        return {"orderId": order.order_id, "orderLinkId": order.link_id}

    def _amend(self, account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
        order, matcher = self._open_order(account, args), self._matcher(args)
        given = {name: args[name] for name in ("qty", "price", "triggerPrice") if args.get(name) not in (None, "")}
        guards = {name: str(args[name]) for name in ("takeProfit", "stopLoss") if args.get(name) not in (None, "")}
        before = order.quantity, order.price, order.trigger_price
        waits = order.status == "Untriggered"
        try:
            if "qty" in given:
                order.quantity = quantity_of(order.contract, given["qty"], order.kind)
            if "price" in given and order.kind == "Limit":
                order.price = price_of(order.contract, given["price"])
            if "triggerPrice" in given and waits:
                order.trigger_price = price_of(order.contract, given["triggerPrice"])
                check_trigger(order, matcher)
            if order.quantity <= order.filled:
                raise RefusedError(110063)
            if (order.quantity, order.price, order.trigger_price) == before and not guards:
                raise RefusedError(10001, "order not modified")
            check_price(order, matcher)
            if not waits:
                account.open.pop(order.order_id)
                try:
                    check_funds(order, account, matcher)
                finally:
                    account.open[order.order_id] = order
        except RefusedError:
            order.quantity, order.price, order.trigger_price = before
            raise
        if guards:
            order.guards = {**(order.guards or {}), **guards}
        if waits or (order.price == before[1] and order.quantity <= before[0]):
            self.changed(order)
        else:
            matcher.remove(order)
            self.changed(order)
            matcher.submit(order)
        return {"orderId": order.order_id, "orderLinkId": order.link_id}

    def _cancel(self, account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
        order = self._open_order(account, args)
        self.cancel_many(account, [order], "CancelByUser")
        return {"orderId": order.order_id, "orderLinkId": order.link_id}

    def _cancel_all(self, account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
        if not any(args.get(name) for name in ("symbol", "baseCoin", "settleCoin")):
            raise RefusedError(10001, "Expected symbol, baseCoin or settleCoin")
        if args.get("symbol"):
            self._matcher(args)
        chosen = [order for order in account.open.values() if is_chosen(order, args)]
        done = self.cancel_many(account, chosen, "CancelByUser")
        return {"list": [{"orderId": each.order_id, "orderLinkId": each.link_id} for each in done], "success": "1"}

    def _set_leverage(self, account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
        position = account.positions[self._matcher(args).symbol.contract.symbol]
        buy, sell = Decimal(str(args.get("buyLeverage"))), Decimal(str(args.get("sellLeverage")))
        limits = position.symbol.contract.row["leverageFilter"]
        if buy != sell or not Decimal(limits["minLeverage"]) <= buy <= Decimal(limits["maxLeverage"]):
            raise RefusedError(10001, "Leverage invalid")
        if buy == position.leverage:
            raise RefusedError(110043)
        position.leverage = buy
        return {}

    def _book(self, account: Account, symbol: str, amount: Decimal, *, opened: bool = False) -> None:
        position, now = account.positions[symbol], self._now()
        account.wallet += amount
        account.realised += amount
        position.realised += amount
        position.realised_now = amount if opened else position.realised_now + amount
        position.updated_ns = now
        if opened:
            position.created_ns = now

    def _execution_row(self, fill: Fill, fee: Decimal, rate: Decimal, closed: int) -> dict[str, Any]:
        order, contract = fill.order, fill.order.contract
        symbol, value = self.symbols[order.symbol], fill.size * contract.lot * fill.price * contract.tick
        mark = contract.price_text(symbol.mark or 0)
        return {
            **{"category": "linear", "symbol": order.symbol, "closedSize": contract.size_text(closed)},
            **{"execFee": str(fee), "execId": self.new_id(), "execPrice": contract.price_text(fill.price)},
            **{"execQty": contract.size_text(fill.size), "execType": fill.kind, "execValue": str(value)},
            **{"feeRate": str(rate), "tradeIv": "", "markIv": "", "blockTradeId": "", "markPrice": mark},
            **{
                "indexPrice": mark,
                "underlyingPrice": "",
                "leavesQty": contract.size_text(order.quantity - order.filled),
            },
            **{"orderId": order.order_id, "orderLinkId": order.link_id},
            "orderPrice": contract.price_text(order.price or 0),
            **{"orderQty": contract.size_text(order.quantity), "orderType": order.kind},
            **{"stopOrderType": order.stop_type or "UNKNOWN", "side": "Buy" if order.is_buy else "Sell"},
            **{"execTime": str(self._now() // MS), "isLeverage": "0", "isMaker": fill.is_maker},
            **{"seq": symbol.sequence, "createType": order.create_type, "feeCurrency": contract.row["settleCoin"]},
            "execPnl": "0",
        }

    def _funding_row(self, account: Account, name: str, fee: Decimal, rate: Decimal) -> dict[str, Any]:
        position, symbol = account.positions[name], self.symbols[name]
        side = "Buy" if position.lots > 0 else "Sell"
        mark, size = str(position.mark), str(abs(position.size))
        return {
            **{"category": "linear", "symbol": name, "closedSize": "0", "execFee": str(fee), "execId": self.new_id()},
            **{"execPrice": mark, "execQty": size, "execType": "Funding"},
            **{"execValue": str(abs(position.size) * position.mark), "feeRate": str(rate)},
            **{"tradeIv": "", "markIv": "", "blockTradeId": "", "markPrice": mark, "indexPrice": mark},
            **{"underlyingPrice": "", "leavesQty": "0", "orderId": self.new_id(), "orderLinkId": ""},
            **{"orderPrice": "0", "orderQty": "0", "orderType": "UNKNOWN", "stopOrderType": "UNKNOWN", "side": side},
            **{"execTime": str(self._now() // MS), "isLeverage": "0", "isMaker": False, "seq": symbol.sequence},
            **{"createType": "", "feeCurrency": symbol.contract.row["settleCoin"], "execPnl": "0"},
        }

    def _matcher(self, args: Mapping[str, Any]) -> Matcher:
        matcher = self.matchers.get(str(args.get("symbol")))
        if matcher is None:
            raise RefusedError(10001, "params error: symbol invalid")
        return matcher

    def _open_order(self, account: Account, args: Mapping[str, Any]) -> Order:
        self._matcher(args)
        order_id, link_id = args.get("orderId"), args.get("orderLinkId")
        if not (order_id or link_id):
            raise RefusedError(10001, "Expected orderId or orderLinkId")
        order = account.orders.get(str(order_id)) if order_id else account.by_link.get(str(link_id))
        if order is None or not order.is_open or order.symbol != args.get("symbol"):
            raise RefusedError(110001)
        return order

    def _closable(self, order: Order) -> int:
        return closable(order, self.accounts[order.uid].positions[order.symbol].lots)

    def _affordable(self, order: Order) -> bool:
        try:
            check_funds(order, self.accounts[order.uid], self.matchers[order.symbol])
        except RefusedError:
            return False
        return True


def is_chosen(order: Order, args: Mapping[str, Any]) -> bool:
    """Tell whether an order is among those that a request names: by id, else symbol, else coin; and by `orderFilter`.

    Without a filter all kinds are chosen; `StopOrder` chooses what waits for a trigger, TP/SL orders included, unless
    `stopOrderType` is "Stop".
    """
    row = order.contract.row
    names = {
        **{"orderId": order.order_id, "orderLinkId": order.link_id, "symbol": order.symbol},
        **{"baseCoin": row["baseCoin"], "settleCoin": row["settleCoin"]},
    }
    waiting = order.stop_type if order.status in ("Untriggered", "Deactivated") else ""
    kinds = {"Order": ("",), "StopOrder": ("Stop", *TPSL), "tpslOrder": TPSL}.get(str(args.get("orderFilter")))
    if kinds is not None and (waiting not in kinds or (args.get("stopOrderType") or waiting) != waiting):
        return False
    return next((args[name] == value for name, value in names.items() if args.get(name)), True)
