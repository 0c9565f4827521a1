"""Each kind of fault does to a client what its name says, and no more."""

import json
import math
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from fathom.live.errors import LiveError
from fathom.live.standin import FaultConfig, StandIn, StandInConfig
from fathom.live.standin.wire.fault_kinds import KINDS
from tests.unit.live.standin.wire.client import PATIENCE, Socket, call, result

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}
MARKET = {**LINEAR, "side": "Buy", "orderType": "Market", "qty": "0.01"}
LIMIT = {**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59900"}


def code(exchange: StandIn, args: dict[str, Any], path: str = "/v5/order/create") -> int:
    return int(call(exchange, "POST", path, args).json()["retCode"])


def rest_of(socket: Socket) -> list[Any]:
    """Return what a socket still brings until it is cut."""
    messages = []
    try:
        while True:
            messages.append(socket.read())
    except ConnectionClosed:
        return messages


def topic_of(message: Any) -> Any:
    return message.get("topic")


def test_killed_and_refused_sockets(held: StandIn) -> None:
    with Socket(held, "public") as public, Socket(held, "trade") as trade:
        held.inject("socket_kill", channel="public")
        assert rest_of(public) == []
        assert trade.ask(op="ping")["op"] == "pong"
        held.inject("socket_refuse", channel="trade", secs=5.0)
        assert rest_of(trade) == []
        with pytest.raises((InvalidStatus, InvalidMessage)):
            Socket(held, "trade")
        held.advance(5.0)
        with Socket(held, "trade") as again:
            assert again.ask(op="ping")["op"] == "pong"


def test_a_half_open_socket_takes_commands_without_effect_and_is_cut_later(held: StandIn) -> None:
    with Socket(held, "trade") as trade, Socket(held, "public", "publicTrade.BTCUSDT") as public:
        held.inject("socket_half_open", channel="all", secs=5.0)
        with Socket(held, "public", "publicTrade.BTCUSDT") as later:
            header = {"X-BAPI-TIMESTAMP": str(held.clock.server_ms())}
            trade.send(op="order.create", header=header, args=[LIMIT])
            assert not trade.pongs(0.2)
            assert later.pongs(PATIENCE)
            held.advance(4.9)
            assert topic_of(later.read()) == "publicTrade.BTCUSDT"
            assert held.count("order.create") == 0
            held.advance(0.2)
            assert rest_of(trade) == rest_of(public) == []


def test_slow_garbage_and_huge_frames(held: StandIn) -> None:
    with Socket(held, "public") as public:
        held.inject("socket_slow", channel="public", bytes_per_sec=1e9, secs=1.0)
        assert held._hub.connections[next(iter(held._hub.connections))].bytes_per_sec == 1e9
        held.advance(1.0)
        assert public.ask(op="ping")["ret_msg"] == "pong"
        held.inject("socket_garbage", channel="public", count=2)
        with pytest.raises(json.JSONDecodeError):
            public.read()
        assert public.read() is None
        held.inject("socket_huge", channel="public", size=500_000)
        assert len(public.read()["text"]) == 500_000


def test_missing_pongs_refused_logins_and_refused_subscriptions(held: StandIn) -> None:
    with Socket(held, "public") as public:
        held.inject("pong_missing", channel="public", secs=5.0)
        public.send(op="ping")
        assert public.ask(op="subscribe", args=["tickers.BTCUSDT"])["op"] == "subscribe"
        held.inject("subscribe_refused", topic="orderbook", secs=5.0)
        public.until("tickers.BTCUSDT")
        assert public.ask(op="subscribe", args=["orderbook.50.BTCUSDT"])["success"] is False
        held.inject("auth_refused", channel="private", secs=5.0)
        with pytest.raises(AssertionError, match="10003"):
            Socket(held, "private")
        held.advance(5.0)
        with Socket(held, "private", "order"):
            pass


def test_books_gap_restart_cross_repeat_and_stand_still(held: StandIn) -> None:
    topic = "orderbook.50.BTCUSDT"
    with Socket(held, "public", topic) as book, Socket(held, "public", "orderbook.1.BTCUSDT") as quote:
        first = book.read()["data"]["u"]
        best = quote.read()["data"]
        held.inject("quote_repeat", symbol="BTCUSDT", count=1)
        assert quote.read()["data"] == best
        held.inject("sequence_gap", symbol="BTCUSDT", missed=3)
        held.advance(1.0)
        assert book.until(topic)["data"]["u"] == first + 4
        held.inject("book_crossed", symbol="BTCUSDT", ticks=5)
        ask = float(held.exchange.symbols["BTCUSDT"].book.asks.recorded(1)[0]) / 10
        while (message := book.read())["data"]["a"]:
            pass
        ((price, _),) = message["data"]["b"]
        assert math.isclose(float(price), ask + 0.5)
        held.advance(1.0)
        assert [price, "0"] in book.read()["data"]["b"]
        held.inject("book_restart", symbol="BTCUSDT")
        while (message := book.read())["type"] != "snapshot":
            pass
        assert message["data"]["u"] == 1
        held.inject("topic_stale", topic="orderbook.50", secs=5.0)
        held.advance(4.0)
        held.advance(1.5)
        assert (
            book.read()["data"]["u"] > 3
        )  # the first message after five silent seconds: ids went on without the client


def test_statuses_pages_and_broken_answers_of_rest(held: StandIn) -> None:
    path = "/v5/account/info"
    held.inject("http_status", status=502, secs=2.0, path="/v5/account")
    assert call(held, "GET", path).status_code == 502
    assert code(held, LIMIT) == 0
    held.advance(2.0)
    assert call(held, "GET", path).status_code == 200
    held.inject("http_html", count=1)
    assert call(held, "GET", path).text.startswith("<html>")
    held.inject("http_truncated", count=1, path="/v5/order/create")
    with pytest.raises(json.JSONDecodeError):
        call(held, "POST", "/v5/order/create", LIMIT).json()
    assert held.count("order.create") == 2
    held.inject("banned", secs=2.0)
    assert call(held, "GET", path).status_code == 403
    held.advance(2.0)
    assert call(held, "GET", path).status_code == 200


def test_a_call_without_answer_has_its_effect(held: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    held.inject("http_timeout", secs=30.0, path="/v5/order/create")
    short = httpx.request
    monkeypatch.setattr(httpx, "request", lambda *args, **more: short(*args, **{**more, "timeout": 0.3}))
    with pytest.raises(httpx.ReadTimeout):
        call(held, "POST", "/v5/order/create", LIMIT)
    assert held.ledger.of("order")[-1].data["orderStatus"] == "New"


def test_limits_loops_and_skewed_clocks(held: StandIn) -> None:
    held.inject("rate_limited", count=1)
    assert [code(held, LIMIT), code(held, LIMIT)] == [10006, 0]
    held.inject("ip_limited", count=1)
    assert [code(held, LIMIT), code(held, LIMIT)] == [10018, 0]
    held.inject("cursor_loop", count=1)
    page = result(held, "GET", "/v5/order/realtime", **LINEAR)
    assert (len(page["list"]), page["nextPageCursor"]) == (2, "0")
    held.inject("clock_skew", ms=10_000, secs=2.0)
    assert code(held, LIMIT) == 10002
    answer = call(held, "GET", "/v5/market/time").json()
    assert answer["time"] - held.clock.now() // 1_000_000 == 10_000
    held.advance(2.0)
    assert code(held, LIMIT) == 0


def test_refused_orders_and_batches(held: StandIn) -> None:
    held.inject("reject", code=110007, op="order.create", count=1)
    assert [code(held, LIMIT), code(held, LIMIT)] == [110007, 0]
    assert held.ledger.of("command")[0].data["code"] == 110007
    held.inject("batch_half_refused", code=110007)
    answer = call(held, "POST", "/v5/order/create-batch", {"category": "linear", "request": [LIMIT] * 4}).json()
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 110007, 0, 110007]
    held.inject("instrument_status", symbol="BTCUSDT", status="Closed", secs=2.0)
    assert code(held, LIMIT) == 110023
    held.advance(2.0)
    assert code(held, LIMIT) == 0


def test_answers_that_are_lost_or_late(held: StandIn) -> None:
    with Socket(held, "trade") as trade, Socket(held, "private", "order") as private:
        held.inject("ack_lost")
        trade.send(op="order.create", header={"X-BAPI-TIMESTAMP": str(held.clock.server_ms())}, args=[{**LIMIT}])
        assert private.read()["data"][0]["orderStatus"] == "New"
        held.inject("ack_late", secs=8.0)
        header = {"X-BAPI-TIMESTAMP": str(held.clock.server_ms())}
        trade.send(op="order.create", reqId="late", header=header, args=[{**LIMIT}])
        assert private.read()["data"][0]["orderStatus"] == "New"
        assert trade.ask(op="ping")["op"] == "pong"  # nothing came before it
        held.advance(8.0)
        assert trade.read()["reqId"] == "late"


def test_private_messages_that_are_late_lost_twice_or_out_of_order(held: StandIn) -> None:
    with Socket(held, "private", "order", "execution") as private:
        held.inject("out_of_order")
        code(held, MARKET)
        assert topic_of(private.read()) == "order"
        held.advance(1.0)
        assert topic_of(private.read()) == "execution"
        held.inject("duplicate_execution")
        code(held, MARKET)
        first, second = private.read(), private.read()
        assert first == second
        assert topic_of(first) == "execution"
        assert topic_of(private.read()) == "order"
        held.inject("stream_lost", topic="order")
        held.inject("stream_late", topic="execution", secs=3.0)
        code(held, MARKET)
        code(held, LIMIT)
        assert private.read()["data"][0]["orderStatus"] == "New"
        held.advance(3.0)
        assert topic_of(private.read()) == "execution"


def test_fills_that_race_commands(held: StandIn) -> None:
    first = call(held, "POST", "/v5/order/create", LIMIT).json()["result"]["orderId"]
    held.inject("partial_fill", symbol="BTCUSDT", fraction=0.5)
    assert held.ledger.of("order")[-1].data["cumExecQty"] == "0.005"
    held.inject("fill_race", op="order.cancel")
    assert code(held, {**LINEAR, "orderId": first}, "/v5/order/cancel") == 110001
    assert held.ledger.of("order")[-1].data["orderStatus"] == "Filled"


@pytest.mark.parametrize(
    ("fault", "args", "kind"),
    [
        ("funding", {"rate": 0.01}, "Funding"),
        ("adl", {"fraction": 0.5}, "AdlTrade"),
        ("liquidation", {}, "BustTrade"),
        ("corporate_action", {}, "CorporateAction"),
    ],
)
def test_what_the_venue_does_to_positions(held: StandIn, fault: str, args: dict[str, Any], kind: str) -> None:
    code(held, MARKET | {"qty": "0.1"})
    held.inject(fault, symbol="BTCUSDT", **args)
    assert held.ledger.of("execution")[-1].data["execType"] == kind
    left = {"funding": 100, "adl": 50}.get(fault, 0)
    assert held.exchange.accounts[1001].positions["BTCUSDT"].lots == left


def test_every_kind_is_told_in_words_and_tested_here() -> None:
    text = Path(__file__).read_text()
    assert [name for name in KINDS if f'"{name}"' not in text] == []
    assert all(kind.__doc__ for kind in KINDS.values())


def test_a_schedule_happens_at_its_times_and_is_written_down(catalog: Path) -> None:
    plan = [FaultConfig(3.0, "http_status", {"status": 500, "secs": 2.0}), FaultConfig(1.0, "funding", {"rate": 0.5})]
    config = StandInConfig(str(catalog), speed=0, stamps="recorded", faults=plan)
    with StandIn(config) as exchange:
        begin = exchange.clock.now()
        statuses = []
        for _ in range(6):
            exchange.advance(1.0)
            statuses.append(call(exchange, "GET", "/v5/market/time").status_code)
        assert statuses == [200, 200, 500, 500, 200, 200]
        times = [(entry.time_ns - begin, entry.data["fault"]) for entry in exchange.ledger.of("fault")]
        assert times == [(10**9, "funding"), (3 * 10**9, "http_status")]


@pytest.mark.parametrize(
    ("fault", "args", "words"),
    [
        ("socket_kil", {}, "did you mean|Did you mean"),
        ("socket_kill", {"port": 1}, "channel"),
        ("reject", {}, "code"),
        ("funding", {"symbol": "XRPUSDT"}, "XRPUSDT"),
    ],
)
def test_an_unknown_fault_is_refused_before_the_start(
    catalog: Path, fault: str, args: dict[str, Any], words: str
) -> None:
    with pytest.raises(LiveError, match=words):
        StandIn(StandInConfig(str(catalog), faults=[FaultConfig(1.0, fault, args)]))


def test_disconnected_cancel_all(held: StandIn) -> None:
    result(held, "POST", "/v5/order/disconnected-cancel-all", timeWindow=10, product="DERIVATIVES")
    assert result(held, "GET", "/v5/account/query-dcp-info")["dcpInfos"][0]["timeWindow"] == "10"
    stop = {**MARKET, "side": "Sell", "triggerPrice": "50000", "triggerDirection": 2}
    assert [code(held, LIMIT), code(held, stop)] == [0, 0]
    account = held.exchange.accounts[1001]
    with Socket(held, "private", "dcp.future") as first:
        held.inject("socket_kill", channel="private")
        assert rest_of(first) == []
    while held._hub.connections:
        held.advance(0.001)
    held.advance(6.0)
    with Socket(held, "private", "dcp.future"):
        pass
    while held._hub.connections:
        held.advance(0.001)
    held.advance(6.0)  # the time began anew with the second connection
    assert len(account.open) == 2
    with Socket(held, "private", "dcp.future"):
        held.advance(11.0)
        assert len(account.open) == 2
    while held._hub.connections:
        held.advance(0.001)
    held.advance(10.0)
    assert [order.status for order in account.open.values()] == ["Untriggered"]
    assert held.ledger.of("order")[-1].data["cancelType"] == "CancelByDCP"
    assert call(held, "POST", "/v5/order/disconnected-cancel-all", {"timeWindow": 2}).json()["retCode"] == 10001
