"""The stand-in's messages have the keys and types of recorded ones."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import zstandard

from fathom.live.standin import StandIn
from tests.unit.live.standin.wire.client import Socket, call

pytestmark = pytest.mark.real_data

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}
LIMIT = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59900"}
MARKET = {"side": "Buy", "orderType": "Market", "qty": "0.01"}
TEXT_OR_NUMBER = {"blockTradeId", "avgPrice", "orderIv", "nextPageCursor", "openTime"}
"""Fields that the recorded samples themselves write as null, as text or as a number."""
RENAMED = {"totalPerpUpl": "totalPerpUPL"}
"""The venue's pages write the first in neither place; samples differ from each other."""


def differences(sample: Any, ours: Any, place: str = "") -> list[str]:
    """Return keys of the sample that are absent here, and values of another type."""
    if isinstance(sample, dict):
        if not isinstance(ours, dict):
            return [f"{place}: object"]
        found = []
        for key, value in sample.items():
            name = key if key in ours else RENAMED.get(key, key)
            if name not in ours:
                found.append(f"{place}.{key}: absent")
            elif name not in TEXT_OR_NUMBER:
                found += differences(value, ours[name], f"{place}.{key}")
        return found
    if isinstance(sample, list):
        if not isinstance(ours, list):
            return [f"{place}: list"]
        if not sample or isinstance(sample[0], str):
            return [] if all(isinstance(each, str) for each in ours) or not sample else [f"{place}: list of text"]
        if not ours:
            return [f"{place}: rows, was none"]
        return differences(sample[0], ours[0], f"{place}[]")
    if type(sample) is not type(ours):
        return [f"{place}: {type(sample).__name__}, was {type(ours).__name__}"]
    is_number = isinstance(sample, str) and re.fullmatch(r"-?\d+(\.\d+)?", sample)
    if is_number and ours != "" and not place.endswith("Id") and not re.fullmatch(r"-?\d+(\.\d+)?(E[+-]\d+)?", ours):
        return [f"{place}: a number as text, was {ours!r}"]
    return []


@pytest.fixture
def busy(held: StandIn) -> StandIn:
    """Return a stand-in with orders, a position, trades and executions."""
    held.advance(2.0)
    stop = {"triggerPrice": "50000", "triggerDirection": 2}
    orders: list[dict[str, Any]] = [
        LIMIT,
        MARKET,
        {**MARKET, "side": "Sell", **stop},
        {**LIMIT, "price": "59800", "orderLinkId": "gone"},
    ]
    for order in orders:
        assert call(held, "POST", "/v5/order/create", {**LINEAR, **order}).json()["retCode"] == 0
    call(held, "POST", "/v5/order/cancel", LINEAR | {"orderLinkId": "gone"})
    return held


@pytest.mark.parametrize(
    ("sample", "path", "args"),
    [
        ("http_get_account_info", "/v5/account/info", {}),
        ("http_get_executions", "/v5/execution/list", LINEAR),
        ("http_get_fee_rate", "/v5/account/fee-rate", LINEAR),
        ("http_get_instruments_linear", "/v5/market/instruments-info", LINEAR),
        ("http_get_klines_linear", "/v5/market/kline", LINEAR | {"interval": "1"}),
        ("http_get_orderbook", "/v5/market/orderbook", LINEAR),
        ("http_get_orders_history", "/v5/order/history", LINEAR),
        ("http_get_orders_realtime", "/v5/order/realtime", LINEAR),
        ("http_get_orders_realtime_tp_sl", "/v5/order/realtime", LINEAR | {"orderFilter": "StopOrder"}),
        ("http_get_positions", "/v5/position/list", LINEAR),
        ("http_get_positions_with_open_time", "/v5/position/list", LINEAR),
        ("http_get_trades_recent", "/v5/market/recent-trade", LINEAR),
        ("http_get_user_query_api", "/v5/user/query-api", {}),
        ("http_get_wallet_balance", "/v5/account/wallet-balance", {"accountType": "UNIFIED"}),
    ],
)
def test_answers_of_rest(busy: StandIn, real_data: Path, sample: str, path: str, args: dict[str, Any]) -> None:
    recorded = json.loads((real_data / "bybit-protocol" / "messages" / f"{sample}.json").read_text())
    assert differences(recorded, call(busy, "GET", path, args).json()) == []


@pytest.mark.parametrize("name", ["execution", "execution.fast", "order", "position", "wallet"])
def test_messages_of_the_private_stream(held: StandIn, real_data: Path, name: str) -> None:
    folder = real_data / "bybit-protocol" / "messages"
    with Socket(held, "private", name) as private:
        call(held, "POST", "/v5/order/create", LINEAR | MARKET)
        ours = private.until(name)
    samples = sorted(folder.glob(f"ws_account_{name.replace('.', '_')}*.json"))
    compared = 0
    for sample in samples:
        recorded = json.loads(sample.read_text())
        if recorded.get("topic") == name and recorded["data"]:
            assert differences(recorded, ours) == [], sample.name
            compared += 1
    assert compared


def test_answers_over_sockets(held: StandIn, real_data: Path) -> None:
    folder = real_data / "bybit-protocol" / "messages"
    samples = {path.stem: json.loads(path.read_text()) for path in folder.glob("ws_*.json")}
    with Socket(held, "trade") as trade, Socket(held, "private", auth=False) as private:
        answer = trade.order("order.create", **LIMIT, symbol="BTCUSDT", orderLinkId="x")
        assert differences(samples["ws_order_response"], answer) == []
        failed = private.ask(op="auth", args=["nobody", int(time.time() * 1000) + 5000, "x"])
        assert differences(samples["ws_auth_failure"], failed) == []
        assert failed["retCode"] == samples["ws_auth_failure"]["retCode"]
        assert differences(samples["ws_auth_success"], failed) == []
    with Socket(held, "public") as public:
        assert differences(samples["ws_subscription_ack"], public.ask(op="subscribe", args=["tickers.BTCUSDT"])) == []
        public.until("tickers.BTCUSDT")
        refused = public.ask(op="subscribe", args=["orderbook.7.BTCUSDT"])
        assert differences(samples["ws_subscription_failure"], refused) == []


@pytest.mark.parametrize("kind", ["tickers", "orderbook", "publicTrade", "kline"])
def test_public_topics_as_captured(held: StandIn, real_data: Path, kind: str) -> None:
    topic = {"orderbook": "orderbook.200.BTCUSDT", "kline": "kline.1.BTCUSDT"}.get(kind, f"{kind}.BTCUSDT")
    recorded: dict[str, Any] = {}
    with (real_data / "bybit-protocol" / "capture_2026-08-09.jsonl.zst").open("rb") as file:
        for line in zstandard.ZstdDecompressor().stream_reader(file).readall().splitlines():
            record = json.loads(line)
            if record["t"] == "recv" and record["conn"] == "BYBIT.ws.2" and f'"{topic}"' in record["data"]:
                message = json.loads(record["data"])
                recorded.setdefault(message.get("type", ""), message)
    with Socket(held, "public", topic) as public:
        held.advance(3.0)
        ours: dict[str, Any] = {}
        while set(ours) < (set(recorded) - {""}):
            message = public.until(topic)
            ours.setdefault(message["type"], message)
    assert ours
    for each, message in ours.items():
        sample = recorded[each]
        if kind == "tickers" and each == "delta":
            assert set(message["data"]) <= set(recorded["snapshot"]["data"])
            sample = {**sample, "data": {"symbol": "BTCUSDT"}}
        assert differences(sample, message) == []
        if kind != "tickers":
            assert set(sample) == set(message)
