"""The venue's checks of an order before it reaches the book; `rules.toml` says where each rule comes from."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from fathom.live.standin.exchange.account import Account
from fathom.live.standin.exchange.matching import Matcher
from fathom.live.standin.exchange.orders import Order
from fathom.live.standin.exchange.refusals import RefusedError
from fathom.live.standin.market.contracts import Contract

MOST_ACTIVE: Final = 500
MOST_CONDITIONAL: Final = 10
_LINK_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,36}")
_TIMES_IN_FORCE: Final = ("GTC", "IOC", "FOK", "PostOnly")
_TRIGGERS: Final = ("LastPrice", "MarkPrice", "IndexPrice")
GUARDS: Final = (
    *("takeProfit", "stopLoss", "tpTriggerBy", "slTriggerBy", "tpslMode"),
    *("tpLimitPrice", "slLimitPrice", "tpOrderType", "slOrderType"),
)


def order_of(args: Mapping[str, Any], account: Account, matcher: Matcher, order_id: str, now: int) -> Order:
    """Return the order that `order.create` asks for; raises `RefusedError`."""
    contract = matcher.symbol.contract
    side, kind = args.get("side"), args.get("orderType")
    if side not in ("Buy", "Sell"):
        raise RefusedError(10001, "Side invalid")
    if kind not in ("Market", "Limit"):
        raise RefusedError(10001, "OrderType invalid")
    if int(args.get("positionIdx") or 0) != 0:
        raise RefusedError(10001, "position idx not match position mode")
    link_id = str(args.get("orderLinkId") or "")
    if link_id and not _LINK_ID.fullmatch(link_id):
        raise RefusedError(10001, "OrderLinkId invalid: at most 36 letters, digits, dashes and underscores")
    if link_id in account.by_link:
        raise RefusedError(110072)
    in_force = "IOC" if kind == "Market" else str(args.get("timeInForce") or "GTC")
    if in_force not in _TIMES_IN_FORCE:
        raise RefusedError(10001, "TimeInForce invalid")
    reduce_only = _truth(args.get("reduceOnly"))
    order = Order(
        contract=contract,
        uid=account.uid,
        order_id=order_id,
        link_id=link_id,
        is_buy=side == "Buy",
        kind=str(kind),
        quantity=0,
        price=None,
        time_in_force=in_force,
        reduce_only=reduce_only,
        created_ns=now,
        updated_ns=now,
        close_on_trigger=_truth(args.get("closeOnTrigger")),
        guards={name: str(args[name]) for name in GUARDS if args.get(name)} or None,
        last_on_created=matcher.symbol.last or matcher.symbol.mark or 0,
    )
    order.price = price_of(contract, args.get("price")) if kind == "Limit" else None
    _put_condition(order, args, matcher)
    position = account.positions[order.symbol]
    order.quantity = _quantity(order, args, abs(position.lots))
    if contract.row["status"] != "Trading" and not reduce_only:
        raise RefusedError(110023)
    if reduce_only and order.guards:
        raise RefusedError(10001, "TP/SL cannot be set with reduceOnly")
    check_price(order, matcher)
    _check_counts(order, account)
    if not order.trigger_direction:
        if reduce_only and not closable(order, position.lots):
            raise (
                RefusedError(110017)
                if position.lots == 0
                else RefusedError(110017, "orderQty will be truncated to zero.")
            )
        check_funds(order, account, matcher)
    return order


def closable(order: Order, lots: int) -> int:
    """Return how much of a position of signed lots an order may close."""
    return max(0, -lots if order.is_buy else lots)


def price_of(contract: Contract, text: Any) -> int:
    """Return a price in ticks; raises `RefusedError`."""
    ticks = contract.ticks(str(text)) if text not in (None, "") else None
    if ticks is None or ticks <= 0:
        raise RefusedError(10001, "Price invalid")
    return ticks


def quantity_of(contract: Contract, text: Any, kind: str) -> int:
    """Return a quantity in lots within the contract's limits; raises `RefusedError`."""
    lots = contract.lots(str(text)) if text not in (None, "") else None
    if lots is None or lots < contract.limit("minOrderQty"):
        raise RefusedError(10001, "Qty invalid")
    most = contract.limit("maxMktOrderQty" if kind == "Market" else "maxOrderQty")
    if lots > most:
        raise RefusedError(10001, "The number of contracts exceeds maximum limit allowed: too large")
    return lots


def check_price(order: Order, matcher: Matcher) -> None:
    """Refuse a limit price beyond the price limit, and an order of too small a value."""
    contract, price = order.contract, order.price
    limit = matcher.symbol.price_limit(order.is_buy)
    beyond = price is not None and limit is not None and ((price > limit) if order.is_buy else (price < limit))
    if beyond and not order.trigger_direction:
        raise RefusedError(110003)
    priced = price or order.trigger_price or matcher.symbol.last or matcher.symbol.mark or 0
    value = order.quantity * contract.lot * priced * contract.tick
    least = contract.row["lotSizeFilter"]["minNotionalValue"]
    if not order.reduce_only and value < Decimal(least):
        raise RefusedError(110094, f"Order does not meet minimum order value {least}{contract.row['settleCoin']}")


def check_funds(order: Order, account: Account, matcher: Matcher) -> None:
    """Refuse an order that the account cannot pay for."""
    if order.reduce_only:
        return
    price = order.price or matcher.symbol.price_limit(order.is_buy) or 0
    if account.needed(order, price) > account.available:
        raise RefusedError(110007)


def check_trigger(order: Order, matcher: Matcher) -> None:
    """Refuse a trigger price that is reached already."""
    now, trigger = matcher.symbol.price(order.trigger_by), order.trigger_price or 0
    if now is None:
        return
    if order.trigger_direction == 1 and trigger <= now:
        raise RefusedError(110092)
    if order.trigger_direction == 2 and trigger >= now:
        raise RefusedError(110093)


def _put_condition(order: Order, args: Mapping[str, Any], matcher: Matcher) -> None:
    if args.get("triggerPrice") in (None, "", "0"):
        return
    order.trigger_price = price_of(order.contract, args["triggerPrice"])
    direction = int(args.get("triggerDirection") or 0)
    order.trigger_by = str(args.get("triggerBy") or "LastPrice")
    if direction not in (1, 2):
        raise RefusedError(10001, "TriggerDirection invalid")
    if order.trigger_by not in _TRIGGERS:
        raise RefusedError(10001, "TriggerBy invalid")
    order.trigger_direction, order.stop_type, order.status = direction, "Stop", "Untriggered"
    check_trigger(order, matcher)


def _quantity(order: Order, args: Mapping[str, Any], held: int) -> int:
    closes_all = order.reduce_only and order.close_on_trigger and args.get("qty") == "0"
    if not closes_all:
        return quantity_of(order.contract, args.get("qty"), order.kind)
    if not held:
        raise RefusedError(110017)
    return min(held, order.contract.limit("maxMktOrderQty" if order.kind == "Market" else "maxOrderQty"))


def _check_counts(order: Order, account: Account) -> None:
    same = [each for each in account.open.values() if each.symbol == order.symbol]
    conditional = sum(each.status == "Untriggered" for each in same)
    if order.trigger_direction and conditional >= MOST_CONDITIONAL:
        raise RefusedError(110009)
    if not order.trigger_direction and len(same) - conditional >= MOST_ACTIVE:
        raise RefusedError(110020)


def _truth(value: Any) -> bool:
    return value is True or str(value).lower() == "true"
