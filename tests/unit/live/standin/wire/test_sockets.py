"""The three WebSockets: public topics, orders, and the private stream."""

from typing import Any

import pytest

from fathom.live.standin import StandIn
from fathom.live.standin.wire.auth import signature
from fathom.live.standin.wire.rest import BATCHES, OPS
from tests.unit.live.standin.wire.client import Socket, call, result

ORDER = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59900"}


def test_public_topics_start_with_a_snapshot_and_follow_the_recording(held: StandIn) -> None:
    with Socket(held, "public", "orderbook.50.BTCUSDT") as book, Socket(held, "public", "tickers.BTCUSDT") as ticker:
        first, quote = book.read(), ticker.read()
        assert (first["type"], quote["type"]) == ("snapshot", "snapshot")
        bids = dict(first["data"]["b"])
        assert quote["data"]["bid1Price"] == first["data"]["b"][0][0]
        held.advance(1.0)
        change = book.read()
        assert (change["type"], change["data"]["u"]) == ("delta", first["data"]["u"] + 1)
        assert any(bids.get(price) != size for price, size in change["data"]["b"])
    with Socket(held, "public", "publicTrade.BTCUSDT", "kline.1.BTCUSDT") as trades:
        held.advance(2.0)
        (row,) = trades.until("publicTrade.BTCUSDT")["data"]
        assert (row["RPI"], row["BT"], row["S"]) == (False, False, "Buy" if int(row["i"].split("-")[1]) % 2 else "Sell")
        assert trades.until("kline.1.BTCUSDT")["data"][0]["confirm"] is False


def test_an_order_is_answered_and_its_account_told(held: StandIn) -> None:
    with Socket(held, "private", "order", "execution", "position", "wallet") as private, Socket(held, "trade") as trade:
        answer = trade.order("order.create", **ORDER, orderLinkId="one")
        assert (answer["retCode"], answer["data"]["orderLinkId"]) == (0, "one")
        state = private.until("order")["data"][0]
        assert (state["orderStatus"], state["orderId"]) == ("New", answer["data"]["orderId"])
        assert trade.order("order.amend", symbol="BTCUSDT", orderLinkId="one", price="59910")["retCode"] == 0
        assert private.until("order")["data"][0]["price"] == "59910.00"
        trade.order("order.create", **ORDER | {"orderType": "Market"})
        fill = private.until("execution")["data"][0]
        assert (fill["execType"], fill["isMaker"], fill["execQty"]) == ("Trade", False, "0.010")
        assert private.until("position")["data"][0]["side"] == "Buy"
        assert private.until("wallet")["data"][0]["coin"][0]["coin"] == "USDT"
        assert trade.order("order.cancel", symbol="BTCUSDT", orderLinkId="one")["retCode"] == 0
        assert private.until("order")["data"][0]["cancelType"] == "CancelByUser"
        assert trade.order("order.cancel", symbol="BTCUSDT", orderLinkId="one")["retCode"] == 110001


def test_batches_answer_order_by_order(held: StandIn) -> None:
    with Socket(held, "trade") as trade:
        answer = trade.order("order.create-batch", request=[ORDER, ORDER | {"qty": "0"}])
        assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 10001]
        first = answer["data"]["list"][0]["orderId"]
        answer = trade.order("order.cancel-batch", request=[{"symbol": "BTCUSDT", "orderId": first}])
        assert answer["retExtInfo"]["list"][0]["code"] == 0
        assert trade.order("order.create-batch", request=[])["retCode"] == 10001
        assert trade.order("order.melt")["retCode"] == 10404


def test_a_request_id_is_used_once(held: StandIn) -> None:
    with Socket(held, "trade") as trade:
        message = {"op": "order.cancel", "reqId": "same", "header": {}, "args": [{}]}
        assert trade.ask(**message)["retCode"] != 20006
        assert trade.ask(**message)["retCode"] == 20006


def test_pings_and_nonsense(held: StandIn) -> None:
    with Socket(held, "public") as public, Socket(held, "private") as private, Socket(held, "trade") as trade:
        assert public.ask(op="ping", req_id="7")["ret_msg"] == "pong"
        assert private.ask(op="ping")["op"] == "pong"
        assert trade.ask(op="ping")["retCode"] == 0
        assert public.ask(op="subscribe", args=["orderbook.7.BTCUSDT"])["success"] is False
        assert public.ask(op="dance")["success"] is False
        assert public.ask(nothing=1)["success"] is False
        assert private.ask(op="subscribe", args=["orders"])["success"] is False


def test_unsubscribed_topics_end(held: StandIn) -> None:
    with Socket(held, "public", "publicTrade.BTCUSDT", "publicTrade.ETHUSDT") as public:
        public.ask(op="unsubscribe", args=["publicTrade.BTCUSDT"])
        held.advance(1.0)
        assert {public.read()["topic"] for _ in range(3)} == {"publicTrade.ETHUSDT"}


def test_lists_come_in_pages_and_by_coin(held: StandIn) -> None:
    orders = "/v5/order/realtime"
    for number in range(5):
        result(held, "POST", "/v5/order/create", category="linear", **ORDER, orderLinkId=f"n{number}")
    first = result(held, "GET", orders, category="linear", settleCoin="USDT", limit=3)
    rest = result(held, "GET", orders, category="linear", settleCoin="USDT", cursor=first["nextPageCursor"], limit=3)
    links = [row["orderLinkId"] for row in first["list"] + rest["list"]]
    assert (links, rest["nextPageCursor"]) == ([f"n{number}" for number in range(5)][::-1], "")
    assert result(held, "GET", orders, category="linear", settleCoin="USDC")["list"] == []
    assert result(held, "GET", orders, category="linear", settleCoin="USDT", orderFilter="StopOrder")["list"] == []
    result(held, "POST", "/v5/order/create", category="linear", **ORDER | {"orderType": "Market"})
    for path, coin, count in (("position", "USDT", 1), ("position", "USDC", 0), ("execution", "USDT", 1)):
        assert len(result(held, "GET", f"/v5/{path}/list", category="linear", settleCoin=coin)["list"]) == count
    assert len(result(held, "GET", "/v5/order/history", category="linear")["list"]) == 1


def test_each_account_is_told_of_its_own_orders(held: StandIn) -> None:
    with Socket(held, "private", "order") as mine, Socket(held, "private", auth=False) as theirs:
        expires = held.clock.server_ms() + 5000
        theirs.ask(op="auth", args=["reader", expires, signature("reads", f"GET/realtime{expires}")])
        theirs.ask(op="subscribe", args=["order"])
        result(held, "POST", "/v5/order/create", category="linear", **ORDER)
        assert mine.read()["data"][0]["orderStatus"] == "New"
        assert theirs.ask(op="ping")["op"] == "pong"  # nothing came before it


NONSENSE: list[Any] = [
    None,
    5,
    "x",
    [],
    {},
    [5],
    ["x"],
    [[]],
    [None],
    [{}],
    {"a": 1},
    [{"request": 5}],
    [{"request": [5]}],
]


@pytest.mark.parametrize("channel", ["public", "private", "trade"])
def test_no_arguments_end_a_connection(held: StandIn, channel: str) -> None:
    ops = ["subscribe", "unsubscribe", "auth", "order.create", "order.cancel-batch", 5, None]
    with Socket(held, channel) as socket:
        for op in ops:
            for args in NONSENSE:
                header = {"X-BAPI-TIMESTAMP": str(held.clock.server_ms())}
                answer = socket.ask(op=op, args=args, header=header)
                refused = answer.get("success") is False or answer.get("retCode", 0) != 0
                codes = [row["code"] for row in answer.get("retExtInfo", {}).get("list", [])]
                assert refused or (codes and 0 not in codes) or args in (None, [], {}, 5) or op == "unsubscribe"
    assert held.ledger.of("order") == []


def test_no_arguments_break_a_call(held: StandIn) -> None:
    rest = held._rest
    for path in [*rest.public, *rest.private, *OPS, *BATCHES]:
        writes = path in OPS or path in BATCHES or path.endswith(("cancel-all", "switch-mode", "set-margin-mode"))
        for value in ("x", "-1", "nan"):
            names = ("category", "symbol", "limit", "cursor", "startTime", "start", "qty", "side", "mode", "request")
            for args in ({name: value} | {"settleCoin": "USDT"} for name in names):
                answer = call(held, "POST" if writes else "GET", path, args)
                assert answer.status_code == 200, (path, args)
                assert isinstance(answer.json()["retCode"], int)
    assert held.ledger.of("order") == []


def test_price_limits_and_margin_mode(held: StandIn) -> None:
    limits = result(held, "GET", "/v5/market/price-limit", symbol="BTCUSDT")
    assert float(limits["sellLmt"]) < 59_980 < float(limits["buyLmt"])
    with Socket(held, "public", "priceLimit.BTCUSDT", "allLiquidation.BTCUSDT") as public:
        held.advance(1.0)
        data = public.until("priceLimit.BTCUSDT")["data"]
        assert set(data) == {"symbol", "buyLmt", "sellLmt"}
    mode = "/v5/account/set-margin-mode"
    assert result(held, "POST", mode, setMarginMode="REGULAR_MARGIN") == {"reasons": []}
    assert call(held, "POST", mode, {"setMarginMode": "ISOLATED_MARGIN"}).json()["retCode"] == 10001
