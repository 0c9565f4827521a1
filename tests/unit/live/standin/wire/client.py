"""A client of the venue's wires: signed REST calls, and WebSockets that a test reads message by message."""

import json
import time
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import httpx
from websockets.sync.client import connect

from fathom.live.standin import StandIn
from fathom.live.standin.wire.auth import signature

KEY, SECRET = "rehearsal-key", "rehearsal-secret"
PATIENCE = 60.0  # seconds; a busy machine must fail no test


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def call(
    exchange: StandIn,
    method: str,
    path: str,
    args: dict[str, Any] | None = None,
    *,
    key: str = KEY,
    secret: str = SECRET,
    stamp: int | str | None = None,
    window: str = "5000",
    sign: str | None = None,
) -> httpx.Response:
    """Send a signed REST call."""
    stamp = stamp if stamp is not None else now_ms()
    query = urlencode(args or {}) if method == "GET" else ""
    body = json.dumps(args or {}) if method == "POST" else ""
    text = f"{stamp}{key}{window}{query or body}"
    headers = {
        **{"X-BAPI-API-KEY": key, "X-BAPI-TIMESTAMP": str(stamp), "X-BAPI-RECV-WINDOW": window},
        "X-BAPI-SIGN": signature(secret, text) if sign is None else sign,
    }
    url = f"{exchange.urls['http']}{path}" + (f"?{query}" if query else "")
    return httpx.request(
        method, url, content=body or None, headers=headers, verify=False, trust_env=False, timeout=PATIENCE
    )


def result(exchange: StandIn, method: str, path: str, **args: Any) -> Any:
    """Return the result of a call that the exchange takes."""
    answer = call(exchange, method, path, args).json()
    assert answer["retCode"] == 0, answer
    return answer["result"]


class Socket:
    """One WebSocket."""

    def __init__(self, exchange: StandIn, channel: str, *topics: str, auth: bool | None = None) -> None:
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(
            connect(exchange.urls[f"ws_{channel}"], max_queue=None, open_timeout=PATIENCE)
        )
        if auth if auth is not None else channel != "public":
            expires = now_ms() + 5000
            answer = self.ask(op="auth", args=[KEY, expires, signature(SECRET, f"GET/realtime{expires}")])
            assert answer["retCode"] == 0, answer
        if topics:
            answer = self.ask(op="subscribe", args=list(topics))
            assert answer["success"], answer

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def send(self, **message: Any) -> None:
        self._socket.send(json.dumps(message))

    def read(self) -> Any:
        return json.loads(self._socket.recv(timeout=PATIENCE))

    def ask(self, **message: Any) -> Any:
        self.send(**message)
        return self.read()

    def pongs(self, secs: float) -> bool:
        """Tell whether a ping of the WebSocket protocol is answered in time."""
        return self._socket.ping().wait(secs)

    def order(self, op: str, **args: Any) -> Any:
        """Send an order command; returns the answer."""
        header = {"X-BAPI-TIMESTAMP": str(now_ms())}
        return self.ask(op=op, reqId=str(time.monotonic_ns()), header=header, args=[{"category": "linear", **args}])

    def until(self, topic: str) -> Any:
        """Read up to the next message of a topic."""
        while (message := self.read()).get("topic") != topic:
            pass
        return message
