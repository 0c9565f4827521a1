"""Clients that others wrote for the venue do their work here: pybit and ccxt."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import ccxt  # type: ignore[import-untyped]
import pybit.unified_trading  # type: ignore[import-untyped]
import pytest
from pybit.unified_trading import HTTP

from fathom.live.standin import StandIn
from tests.unit.live.standin.wire.client import KEY, SECRET

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


@pytest.fixture
def session(held: StandIn) -> Iterator[Any]:
    http = HTTP(api_key=KEY, api_secret=SECRET)
    http.endpoint = held.urls["http"]
    yield http
    http.client.close()


def test_pybit_trades_over_rest(held: StandIn, session: Any) -> None:
    (row,) = session.get_instruments_info(**LINEAR)["result"]["list"]
    assert row["priceFilter"]["tickSize"] == "0.10"
    book = session.get_orderbook(**LINEAR, limit=3)["result"]
    assert [len(book["b"]), len(book["a"])] == [3, 3]
    assert session.get_tickers(**LINEAR)["result"]["list"][0]["bid1Price"] == book["b"][0][0]
    limit = {**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59900"}
    order = session.place_order(**limit)["result"]["orderId"]
    session.amend_order(**LINEAR, orderId=order, price="59901.1")
    (row,) = session.get_open_orders(**LINEAR)["result"]["list"]
    assert (row["price"], row["orderStatus"]) == ("59901.10", "New")
    session.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.02")
    assert session.get_positions(**LINEAR)["result"]["list"][0]["size"] == "0.020"
    session.set_trading_stop(**LINEAR, stopLoss="59000")
    assert len(session.get_open_orders(**LINEAR, orderFilter="StopOrder")["result"]["list"]) == 1
    assert session.get_executions(**LINEAR)["result"]["list"][0]["execQty"] == "0.020"
    session.set_leverage(**LINEAR, buyLeverage="5", sellLeverage="5")
    session.cancel_all_orders(category="linear", settleCoin="USDT")
    assert session.get_open_orders(**LINEAR)["result"]["list"] == []
    balance = session.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]["coin"][0]
    assert 9990 < float(balance["walletBalance"]) < 10_000
    with pytest.raises(pybit.exceptions.InvalidRequestError, match="110017"):
        session.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.02", reduceOnly=True)
    held.advance(3.0)
    assert session.get_kline(**LINEAR, interval="1")["result"]["list"]
    assert session.get_public_trade_history(**LINEAR)["result"]["list"]
    assert session.get_fee_rates(**LINEAR)["result"]["list"][0]["takerFeeRate"] == "0.00055"


PYBIT = """
import json, os, queue, sys, threading
import pybit.unified_trading, pybit._websocket_trading
from pybit._websocket_stream import _V5WebSocketManager, _WebSocketManager
from pybit.unified_trading import WebSocket, WebSocketTrading

lock = threading.RLock()

def alone(method):
    # pybit asks first and notes the question then: an answer of the same machine must not come in between
    def locked(*args, **more):
        with lock:
            return method(*args, **more)
    return locked

_WebSocketManager._on_message = alone(_WebSocketManager._on_message)
_V5WebSocketManager.subscribe = alone(_V5WebSocketManager.subscribe)
manager = pybit._websocket_trading._V5TradeWebSocketManager
manager._send_order_operation = alone(manager._send_order_operation)

urls, key, secret = json.loads(sys.argv[1])
pybit.unified_trading.PUBLIC_WSS, pybit.unified_trading.PRIVATE_WSS = urls["ws_public"], urls["ws_private"]
pybit._websocket_trading.TRADE_WSS = urls["ws_trade"]
keys = {"testnet": True, "api_key": key, "api_secret": secret, "private_auth_expire": 60}
books, orders, answers = queue.Queue(), queue.Queue(), queue.Queue()
public, private = WebSocket(testnet=True, channel_type="linear"), WebSocket(channel_type="private", **keys)
trading = WebSocketTrading(**keys)
public.orderbook_stream(50, "BTCUSDT", books.put)
private.order_stream(orders.put)
book = books.get(timeout=60)
order = dict(category="linear", symbol="BTCUSDT", side="Buy", orderType="Limit", qty="0.01", price="59900")
trading.place_order(answers.put, **order)
print(json.dumps([book["data"], answers.get(timeout=60), orders.get(timeout=60)["data"][0]]), flush=True)
os._exit(0)  # its threads would talk on
"""


def test_pybit_reads_and_trades_over_sockets(held: StandIn) -> None:
    command = [sys.executable, "-c", PYBIT, json.dumps([held.urls, KEY, SECRET])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    book, answer, state = json.loads(done.stdout)
    assert len(book["b"]) == len(book["a"]) == 8
    assert (answer["retCode"], state["orderStatus"]) == (0, "New")
    assert state["orderId"] == answer["data"]["orderId"]


def test_ccxt_trades(held: StandIn) -> None:
    exchange = ccxt.bybit({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False})
    exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], held.urls["http"])
    exchange.options["defaultType"] = "swap"
    symbol = "BTC/USDT:USDT"
    assert exchange.load_markets()[symbol]["precision"] == {"amount": 0.001, "price": 0.1}
    assert len(exchange.fetch_order_book(symbol, 5)["bids"]) == 5
    assert exchange.fetch_balance()["USDT"]["total"] == 10_000
    order = exchange.create_order(symbol, "limit", "buy", 0.01, 59900)
    exchange.edit_order(order["id"], symbol, "limit", "buy", 0.02, 59890)
    (row,) = exchange.fetch_open_orders(symbol)
    assert (row["price"], row["amount"]) == (59890, 0.02)
    exchange.cancel_order(order["id"], symbol)
    assert exchange.fetch_open_orders(symbol) == []
    exchange.create_order(symbol, "market", "sell", 0.03)
    (position,) = exchange.fetch_positions([symbol])
    assert (position["side"], position["contracts"]) == ("short", 0.03)
    assert exchange.fetch_my_trades(symbol)[0]["amount"] == 0.03
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order(symbol, "limit", "sell", 100, 60000)
