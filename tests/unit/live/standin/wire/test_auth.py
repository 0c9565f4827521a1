"""Signatures, windows and keys are judged as the venue judges them, over REST and sockets."""

from typing import Any

import pytest

from fathom.live.standin import StandIn
from fathom.live.standin.wire.auth import signature
from tests.unit.live.standin.wire.client import KEY, SECRET, Socket, call, now_ms, result

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": "wrong"}, 10004),
        ({"sign": ""}, 10004),
        ({"key": "unknown"}, 10003),
        ({"key": ""}, 10003),
        ({"stamp": "soon"}, 10001),
        ({"window": "wide"}, 10001),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/v5/account/info"), ("POST", "/v5/order/create")])
def test_a_wrong_signature_or_key_is_refused(
    held: StandIn, method: str, path: str, change: dict[str, Any], code: int
) -> None:
    answer = call(held, method, path, ORDER if method == "POST" else {}, **change).json()
    assert (answer["retCode"], answer["result"]) == (code, {})
    assert held.count("order.create") == 0


@pytest.mark.parametrize(("late_ms", "code"), [(-5500, 10002), (-4000, 0), (500, 0), (1500, 10002), (10_000, 10002)])
def test_the_window_is_the_venues(held: StandIn, late_ms: int, code: int) -> None:
    answer = call(held, "GET", "/v5/account/info", stamp=now_ms() + late_ms).json()
    assert answer["retCode"] == code
    with Socket(held, "trade") as socket:
        header = {"X-BAPI-TIMESTAMP": str(now_ms() + late_ms)}
        answer = socket.ask(op="order.create", reqId="1", header=header, args=[ORDER])
        assert answer["retCode"] == code


def test_a_changed_query_breaks_the_signature(held: StandIn) -> None:
    stamp = now_ms()
    sign = signature(SECRET, f"{stamp}{KEY}5000symbol=BTCUSDT")
    answer = call(held, "GET", "/v5/account/fee-rate", {"symbol": "ETHUSDT"}, stamp=stamp, sign=sign).json()
    assert answer["retCode"] == 10004


def test_a_read_only_key_reads_and_does_not_trade(held: StandIn) -> None:
    keys: dict[str, Any] = {"key": "reader", "secret": "reads"}
    assert call(held, "GET", "/v5/user/query-api", **keys).json()["result"]["readOnly"] == 1
    assert call(held, "POST", "/v5/order/create", ORDER, **keys).json()["retCode"] == 10005


@pytest.mark.parametrize("channel", ["private", "trade"])
def test_a_socket_needs_a_login(held: StandIn, channel: str) -> None:
    with Socket(held, channel, auth=False) as socket:
        expires, past = now_ms() + 5000, now_ms() - 1000
        for args, code in (
            ([KEY, expires, "bad"], 10004),
            (["unknown", expires, "bad"], 10003),
            ([KEY, past, signature(SECRET, f"GET/realtime{past}")], 10004),
            ([KEY], 10001),
        ):
            assert socket.ask(op="auth", args=args)["retCode"] == code
        if channel == "private":
            assert socket.ask(op="subscribe", args=["order"])["ret_msg"] == "Request not authorized"
        else:
            assert socket.order("order.create", **ORDER)["retCode"] == 10003
    assert held.count("order.create") == 0


def test_an_unknown_path_is_not_found(held: StandIn) -> None:
    assert call(held, "GET", "/v5/no/such").status_code == 404
    assert call(held, "GET", "/v5/order/create").status_code == 404


def test_key_and_account_facts(held: StandIn) -> None:
    assert result(held, "GET", "/v5/user/query-api")["ips"] == ["127.0.0.1"]
    (fee,) = result(held, "GET", "/v5/account/fee-rate", category="linear", symbol="BTCUSDT")["list"]
    assert (fee["makerFeeRate"], fee["takerFeeRate"]) == ("0.0002", "0.00055")
    assert abs(int(result(held, "GET", "/v5/market/time")["timeNano"]) // 1_000_000 - now_ms()) < 5000
