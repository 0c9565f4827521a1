"""What the venue refuses, and what it does to orders and positions by itself."""

from decimal import Decimal
from typing import Any

import pytest

from fathom.market.events import Side
from tests.unit.live.standin.desk import MID, Desk

LIMIT: dict[str, Any] = {"side": "Buy", "orderType": "Limit", "qty": "0.1", "price": str(MID - 1)}
MARKET: dict[str, Any] = {"side": "Sell", "orderType": "Market", "qty": "0.1"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"qty": "0.0005"}, 10001),
        ({"qty": "0"}, 10001),
        ({"qty": "-1"}, 10001),
        ({"qty": "nan"}, 10001),
        ({"qty": None}, 10001),
        ({"qty": "100000"}, 10001),
        ({"price": "59999.5"}, 10001),
        ({"price": ""}, 10001),
        ({"price": "0"}, 10001),
        ({"side": "buy"}, 10001),
        ({"orderType": "Stop"}, 10001),
        ({"timeInForce": "GTD"}, 10001),
        ({"symbol": "XRPUSDT"}, 10001),
        ({"positionIdx": 1}, 10001),
        ({"orderLinkId": "x" * 37}, 10001),
        ({"orderLinkId": "a b"}, 10001),
        ({"category": "spot"}, 10404),
        ({"price": str(MID * 2)}, 110003),
        ({"side": "Sell", "price": str(MID // 2)}, 110003),
        ({"qty": "2"}, 110007),
        ({"qty": "0.001", "price": "4000"}, 110094),
        ({"reduceOnly": True}, 110017),
        ({"reduceOnly": True, "stopLoss": "100"}, 10001),
        ({"triggerPrice": str(MID - 9)}, 10001),
        ({"triggerPrice": str(MID - 9), "triggerDirection": 1}, 110092),
        ({"triggerPrice": str(MID + 9), "triggerDirection": 2}, 110093),
        ({"triggerPrice": str(MID - 9), "triggerDirection": 2, "triggerBy": "Mid"}, 10001),
    ],
)
def test_a_wrong_order_is_refused_and_leaves_no_trace(change: dict[str, Any], code: int) -> None:
    desk = Desk()
    assert desk.refused("order.create", **LIMIT | change) == code
    assert not desk.account.orders
    assert not desk.ledger.of("order")


def test_a_link_id_is_used_once_even_after_its_order_ended() -> None:
    desk = Desk()
    desk.create("Buy", "0.1", MID - 1, orderLinkId="a")
    assert desk.refused("order.create", **LIMIT, orderLinkId="a") == 110072
    desk.run("order.cancel", orderLinkId="a")
    assert desk.refused("order.create", **LIMIT, orderLinkId="a") == 110072


def test_reduce_only_needs_an_opposite_position_and_never_turns_it() -> None:
    desk = Desk()
    desk.create("Buy", "0.1")
    assert desk.refused("order.create", **LIMIT, reduceOnly=True) == 110017
    order = desk.create("Sell", "0.5", reduceOnly=True)
    assert desk.position() == 0
    assert (desk.status(order), desk.account.orders[order].cancel_type) == ("Cancelled", "CancelByReduceOnly")


def test_a_closed_position_takes_its_reduce_only_orders_with_it_but_not_its_stops() -> None:
    desk = Desk()
    desk.create("Buy", "0.1")
    target = desk.create("Sell", "0.1", MID + 50, reduceOnly=True)
    stop = desk.create("Sell", "0.1", triggerPrice=str(MID - 50), triggerDirection=2, reduceOnly=True)
    desk.create("Sell", "0.1")
    assert (desk.status(target), desk.status(stop)) == ("Cancelled", "Untriggered")
    desk.trade(Side.SELL, MID - 50, 1)
    assert (desk.status(stop), desk.position()) == ("Cancelled", 0)


def test_conditional_orders_without_a_position_are_taken_and_need_no_margin() -> None:
    desk = Desk(balance="1")
    stop = desk.create("Sell", "0.1", triggerPrice=str(MID - 9), triggerDirection=2)
    desk.trade(Side.SELL, MID - 9, 1)
    assert (desk.status(stop), desk.account.orders[stop].cancel_type) == ("Cancelled", "CancelByPrepareLackOfMargin")


def test_only_resting_orders_that_open_hold_margin() -> None:
    desk = Desk()
    desk.create("Sell", "0.1", MID - 60, triggerPrice=str(MID - 50), triggerDirection=2)
    assert desk.account.order_margin == 0
    desk.create("Buy", "0.1")
    desk.create("Sell", "0.1", MID + 50, reduceOnly=True)
    desk.create("Sell", "0.1", MID + 50)  # closes what is held
    assert desk.account.order_margin == 0
    free = desk.account.available
    desk.create("Buy", "0.1", MID - 9)
    value = Decimal("0.1") * (MID - 9)
    assert desk.account.order_margin == value / 10 + 2 * value * Decimal("0.00055")
    assert desk.account.available == free - desk.account.order_margin


def test_only_so_many_conditional_orders_wait() -> None:
    desk = Desk()
    args: dict[str, Any] = {"triggerPrice": str(MID - 9), "triggerDirection": 2}
    for _ in range(10):
        desk.create("Sell", "0.1", **args)
    assert desk.refused("order.create", **MARKET, **args) == 110009


def test_amend_of_price_quantity_and_trigger() -> None:
    desk = Desk()
    order = desk.account.orders[desk.create("Buy", "0.1", MID - 1)]
    desk.trade(Side.SELL, MID - 1, 300)
    desk.run("order.amend", orderId=order.order_id, qty="0.05")
    assert (order.quantity, order.ahead) == (50, 700)  # a smaller order keeps its place
    desk.run("order.amend", orderId=order.order_id, qty="0.2")
    assert order.ahead == 1000
    desk.run("order.amend", orderId=order.order_id, price=str(MID + 1))
    assert (order.status, order.filled) == ("Filled", 200)
    assert desk.refused("order.amend", orderId=order.order_id, qty="0.3") == 110001
    stop = desk.account.orders[desk.create("Sell", "0.1", triggerPrice=str(MID - 9), triggerDirection=2)]
    desk.run("order.amend", orderId=stop.order_id, triggerPrice=str(MID - 5))
    assert (stop.trigger_price, stop.status) == (MID - 5, "Untriggered")
    assert desk.refused("order.amend", orderId=stop.order_id, triggerPrice=str(MID + 5)) == 110093
    assert desk.refused("order.amend", orderId=stop.order_id, triggerPrice=str(MID - 5)) == 10001
    assert stop.trigger_price == MID - 5


def test_amend_below_what_is_filled_is_refused() -> None:
    desk = Desk()
    order = desk.create("Buy", "0.1", MID - 1)
    desk.trade(Side.SELL, MID - 1, 1050)
    assert desk.refused("order.amend", orderId=order, qty="0.05") == 110063
    assert desk.account.orders[order].quantity == 100


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, set()),
        ({"orderFilter": "Order"}, {"Stop", "StopLoss"}),
        ({"orderFilter": "StopOrder"}, {""}),
        ({"orderFilter": "StopOrder", "stopOrderType": "Stop"}, {"", "StopLoss"}),
        ({"orderFilter": "tpslOrder"}, {"", "Stop"}),
        ({"symbol": "", "settleCoin": "USDC"}, {"", "Stop", "StopLoss"}),
        ({"symbol": "", "baseCoin": "BTC"}, set()),
    ],
)
def test_cancel_all_cancels_the_kinds_that_the_filter_names(given: dict[str, str], left: set[str]) -> None:
    desk = Desk()
    desk.create("Buy", "0.1")
    desk.create("Buy", "0.01", MID - 1)
    desk.create("Sell", "0.1", triggerPrice=str(MID - 9), triggerDirection=2)
    desk.run("position.trading-stop", stopLoss=str(MID - 20))
    assert {order.stop_type for order in desk.account.open.values()} == {"", "Stop", "StopLoss"}
    desk.run("order.cancel-all", **given)
    assert {order.stop_type for order in desk.account.open.values()} == left


def test_cancel_all_needs_to_know_what() -> None:
    assert Desk().refused("order.cancel-all", symbol="") == 10001


def test_cancel_of_what_is_gone() -> None:
    desk = Desk()
    order = desk.create("Buy", "0.1", MID - 1)
    desk.run("order.cancel", orderId=order)
    assert desk.refused("order.cancel", orderId=order) == 110001
    assert desk.refused("order.cancel") == 10001
    assert desk.refused("order.cancel", orderLinkId="never") == 110001


def test_a_stop_loss_follows_the_position_and_dies_with_it() -> None:
    desk = Desk()
    desk.create("Buy", "0.1", stopLoss=str(MID - 3), takeProfit=str(MID + 30))
    guards = {order.stop_type: order for order in desk.account.open.values()}
    assert set(guards) == {"StopLoss", "TakeProfit"}
    desk.create("Buy", "0.1")
    assert {order.quantity for order in guards.values()} == {200}
    desk.trade(Side.SELL, MID - 3, 1)
    assert desk.position() == 0
    assert (guards["StopLoss"].status, guards["TakeProfit"].status) == ("Filled", "Deactivated")
    assert guards["TakeProfit"].cancel_type == "CancelByTpSlTsClear"


def test_trading_stop_is_checked_changed_and_removed() -> None:
    desk = Desk()
    assert desk.refused("position.trading-stop", stopLoss=str(MID - 9)) == 10001
    desk.create("Sell", "0.1")
    assert desk.refused("position.trading-stop", stopLoss=str(MID - 9)) == 10001
    desk.run("position.trading-stop", stopLoss=str(MID + 9))
    assert desk.refused("position.trading-stop", stopLoss=str(MID + 9)) == 34040
    desk.run("position.trading-stop", stopLoss=str(MID + 8))
    assert [order.trigger_price for order in desk.account.open.values()] == [MID + 8]
    desk.run("position.trading-stop", stopLoss="0")
    assert not desk.account.open


def test_a_trailing_stop_follows_the_price_one_way() -> None:
    desk = Desk()
    desk.trade(Side.BUY, MID + 1, 1)
    desk.create("Buy", "0.1")
    desk.run("position.trading-stop", trailingStop="10")
    (stop,) = desk.account.open.values()
    for price, trigger in ((MID + 20, MID + 10), (MID + 15, MID + 10), (MID + 21, MID + 11)):
        desk.trade(Side.BUY, price, 1)
        assert stop.trigger_price == trigger
    desk.trade(Side.SELL, MID + 11, 1)
    assert (stop.status, desk.position()) == ("Filled", 0)


def test_wallet_is_start_plus_profit_minus_fees_and_funding() -> None:
    desk = Desk()
    desk.create("Buy", "0.1")  # at MID + 1, taker
    assert desk.account.wallet == 10_000 - Decimal("0.1") * (MID + 1) * Decimal("0.00055")
    desk.exchange.fund("BTCUSDT", Decimal("0.0001"))
    funding = Decimal("0.1") * MID * Decimal("0.0001")
    before = desk.account.wallet
    desk.create("Sell", "0.3")  # at MID - 1, turns to short 0.2
    fee = Decimal("0.3") * (MID - 1) * Decimal("0.00055")
    assert desk.account.wallet == before - Decimal("0.1") * 2 - fee
    position = desk.account.positions["BTCUSDT"]
    assert (position.lots, position.entry) == (-200, Decimal(MID - 1))
    (row,) = [entry.data for entry in desk.ledger.of("execution") if entry.data["execType"] == "Funding"]
    assert Decimal(row["execFee"]) == funding


def test_set_leverage_and_what_it_refuses() -> None:
    desk = Desk()
    desk.run("position.set-leverage", buyLeverage="20", sellLeverage="20")
    assert desk.account.positions["BTCUSDT"].leverage == 20
    assert desk.refused("position.set-leverage", buyLeverage="20", sellLeverage="20") == 110043
    assert desk.refused("position.set-leverage", buyLeverage="20", sellLeverage="5") == 10001
    assert desk.refused("position.set-leverage", buyLeverage="x", sellLeverage="x") == 10001


def test_a_contract_that_is_closing_takes_only_reducing_orders() -> None:
    desk = Desk()
    desk.create("Buy", "0.1")
    desk.symbols["BTCUSDT"].contract.row["status"] = "Closed"
    assert desk.refused("order.create", **LIMIT) == 110023
    desk.create("Sell", "0.1", reduceOnly=True)
    assert desk.position() == 0


def test_a_batch_answers_for_each_order() -> None:
    desk = Desk()
    good = {"category": "linear", "symbol": "BTCUSDT", **LIMIT}
    answer = desk.exchange.batch(desk.account, "order.create", [good, good | {"qty": "0"}, good | {"orderLinkId": "c"}])
    assert [code["code"] for code in answer["codes"]] == [0, 10001, 0]
    assert [bool(row["orderId"]) for row in answer["list"]] == [True, False, True]
    assert len(desk.account.open) == 2
    desk.run("order.cancel-all")
    assert [desk.ledger.count(op) for op in ("order.create", "order.", "position.")] == [3, 4, 0]


def test_accounts_do_not_see_each_other() -> None:
    desk = Desk(accounts=2)
    order = desk.create("Buy", "0.1", MID - 1)
    other = desk.exchange.accounts[1002]
    with pytest.raises(Exception, match="too late"):
        desk.exchange.run(other, "order.cancel", {"category": "linear", "symbol": "BTCUSDT", "orderId": order})
    desk.trade(Side.SELL, MID - 2, 500)
    assert other.wallet == 10_000
    assert {uid for uid, _, _ in desk.sent} == {1001}
