"""Every kind of fault, as the schedule names it.

`secs` are of exchange time, `count` is of occasions, `channel` is "public", "private", "trade" or "all", and `path`
or `topic` is the beginning of one; empty for all.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from fathom.live.standin.exchange.account import Position
from fathom.live.standin.exchange.checks import closable
from fathom.live.standin.exchange.orders import Fill, Order
from fathom.live.standin.wire.connection import ABORT
from fathom.live.standin.wire.faults import Faults
from fathom.settings.times import SECOND


def socket_kill(faults: Faults, *, channel: str = "all") -> None:
    """Cut all connections of a channel."""
    for connection in faults.sockets(channel):
        connection.queue.put_nowait(ABORT)


def socket_refuse(faults: Faults, *, channel: str = "all", secs: float = 60.0) -> None:
    """Cut all connections of a channel and refuse new ones."""
    faults.begin("socket_refuse", secs, channel=channel)
    socket_kill(faults, channel=channel)


def socket_half_open(faults: Faults, *, channel: str = "all", secs: float = 60.0) -> None:
    """Let connections stand open while nothing passes in either direction; cut them at the end."""
    chosen = faults.sockets(channel)
    for connection in chosen:
        connection.dead = True

    def cut() -> None:
        for connection in chosen:
            connection.queue.put_nowait(ABORT)

    faults.server.timers.at(faults.server.time + round(secs * SECOND), cut)


def socket_slow(
    faults: Faults, *, channel: str = "all", bytes_per_sec: float = 1024.0, secs: float | None = None
) -> None:
    """Let a channel's messages drip, by the wall clock."""
    chosen = faults.sockets(channel)
    for connection in chosen:
        connection.bytes_per_sec = bytes_per_sec

    def end() -> None:
        for connection in chosen:
            connection.bytes_per_sec = 0.0

    if secs is not None:
        faults.server.timers.at(faults.server.time + round(secs * SECOND), end)


def socket_garbage(faults: Faults, *, channel: str = "all", count: int = 3) -> None:
    """Send frames that are no JSON, and JSON that is no message."""
    frames = ['{"topic": "orderbook', "null", "[]", '"text"', "{}", '{"topic": 5, "data": null}']
    for connection in faults.sockets(channel):
        for number in range(count):
            connection.send_text(frames[number % len(frames)] if number % 2 else faults.random.randbytes(16).hex())


def socket_huge(faults: Faults, *, channel: str = "all", size: int = 4_000_000) -> None:
    """Send one frame of many bytes that is valid JSON."""
    for connection in faults.sockets(channel):
        connection.send({"op": "notice", "text": "x" * size})


def pong_missing(faults: Faults, *, channel: str = "all", secs: float = 60.0) -> None:
    """Answer no ping."""
    faults.begin("pong_missing", secs, channel=channel)


def auth_refused(faults: Faults, *, channel: str = "all", secs: float = 60.0, code: int = 10003) -> None:
    """Refuse logins over sockets."""
    faults.begin("auth_refused", secs, channel=channel, code=code)


def subscribe_refused(faults: Faults, *, topic: str = "", secs: float = 60.0) -> None:
    """Refuse subscriptions."""
    faults.begin("subscribe_refused", secs, topic=topic)


def sequence_gap(faults: Faults, *, symbol: str = "", missed: int = 3) -> None:
    """Leave out messages of the book topics: `u` jumps."""
    for feed in _feeds(faults, symbol):
        feed.update_id += missed


def book_restart(faults: Faults, *, symbol: str = "") -> None:
    """Send the books anew with `u` = 1, as after a restart of the venue."""
    for feed in _feeds(faults, symbol):
        feed.update_id = 1
        faults.server.publish(feed.topic, feed.snapshot(faults.server.time))


def book_crossed(faults: Faults, *, symbol: str = "", ticks: int = 5) -> None:
    """Send a bid above the best ask; the next message of the topic takes it back."""
    for feed in _feeds(faults, symbol):
        message = feed.cross(faults.server.time, ticks)
        if message is not None:
            faults.server.publish(feed.topic, message)


def topic_stale(faults: Faults, *, topic: str = "", secs: float = 60.0) -> None:
    """Send nothing of a topic while the socket lives."""
    faults.begin("topic_stale", secs, topic=topic)


def quote_repeat(faults: Faults, *, symbol: str = "", count: int = 3) -> None:
    """Send `orderbook.1` again with the same `u`."""
    for feed in _feeds(faults, symbol):
        for _ in range(count if feed.depth == 1 else 0):
            faults.server.publish(feed.topic, feed.snapshot(faults.server.time))


def http_status(
    faults: Faults, *, status: int = 502, secs: float | None = 60.0, count: int | None = None, path: str = ""
) -> None:
    """Answer REST calls with an HTTP status, without effect."""
    faults.begin("http_status", secs, count, status=status, path=path)


def http_html(faults: Faults, *, secs: float | None = 60.0, count: int | None = None, path: str = "") -> None:
    """Answer REST calls with a page instead of JSON, without effect."""
    faults.begin("http_html", secs, count, path=path)


def http_truncated(faults: Faults, *, secs: float | None = 60.0, count: int | None = None, path: str = "") -> None:
    """Cut the JSON of REST answers short; the call has its effect."""
    faults.begin("http_truncated", secs, count, path=path)


def http_timeout(faults: Faults, *, secs: float = 60.0, count: int | None = 1, path: str = "") -> None:
    """Give REST calls their effect and no answer for some seconds of the wall clock."""
    faults.begin("http_timeout", None, count, path=path, wait=secs)


def rate_limited(faults: Faults, *, secs: float | None = 1.0, count: int | None = None, path: str = "") -> None:
    """Refuse calls and commands with 10006."""
    faults.begin("refused", secs, count, path=path, code=10006)


def ip_limited(faults: Faults, *, secs: float | None = 1.0, count: int | None = None, path: str = "") -> None:
    """Refuse calls with 10018."""
    faults.begin("refused", secs, count, path=path, code=10018)


def banned(faults: Faults, *, secs: float = 600.0) -> None:
    """Answer every REST call with 403."""
    faults.begin("http_status", secs, status=403, path="")


def cursor_loop(faults: Faults, *, secs: float | None = 60.0, count: int | None = None, path: str = "") -> None:
    """Return the same page of a list with a cursor, without end."""
    faults.begin("cursor_loop", secs, count, path=path)


def clock_skew(faults: Faults, *, ms: float = 10_000.0, secs: float | None = None) -> None:
    """Let the server's clock differ from the wall clock."""
    faults.server.clock.skew_ms = ms
    if secs is not None:

        def end() -> None:
            faults.server.clock.skew_ms = 0.0

        faults.server.timers.at(faults.server.time + round(secs * SECOND), end)


def reject(
    faults: Faults,
    *,
    code: int,
    text: str = "",
    op: str = "order.create",
    count: int | None = 1,
    secs: float | None = None,
) -> None:
    """Refuse the next commands with a code."""
    faults.begin("reject", secs, count, code=code, text=text, op=op)


def batch_half_refused(faults: Faults, *, code: int = 110007, count: int = 1) -> None:
    """Refuse every second order of the next batches."""
    faults.begin("batch_half_refused", None, count, code=code)


def ack_lost(faults: Faults, *, op: str = "order", count: int = 1) -> None:
    """Lose the answers to the next commands over the trade socket; they have their effect."""
    faults.begin("ack_lost", None, count, op=op)


def ack_late(faults: Faults, *, secs: float = 8.0, op: str = "order", count: int = 1) -> None:
    """Send the answers to the next commands late: after the private stream has told of them."""
    faults.begin("ack_late", None, count, op=op, wait=secs)


def stream_late(faults: Faults, *, secs: float = 1.0, topic: str = "", count: int | None = 1) -> None:
    """Send the next private messages late: after the answer to the command."""
    faults.begin("stream_late", None, count, topic=topic, wait=secs)


def stream_lost(faults: Faults, *, topic: str = "", count: int = 1) -> None:
    """Lose the next private messages."""
    faults.begin("stream_lost", None, count, topic=topic)


def duplicate_execution(faults: Faults, *, count: int = 1) -> None:
    """Send the next executions twice."""
    faults.begin("duplicate", None, count, topic="execution")


def out_of_order(faults: Faults, *, count: int = 1) -> None:
    """Send the next executions after the order update that follows them."""
    faults.begin("stream_late", None, count, topic="execution", wait=0.05)


def fill_race(faults: Faults, *, op: str = "order.cancel", count: int = 1) -> None:
    """Fill the order of the next cancel or amend just before the command arrives."""
    faults.begin("fill_race", None, count, op=op)


def partial_fill(faults: Faults, *, symbol: str = "", fraction: float = 0.5) -> None:
    """Fill a part of each resting order, at its price, as maker."""
    for order in _resting(faults, symbol):
        fill_now(faults, order, max(1, int(order.left * fraction)))


def funding(faults: Faults, *, symbol: str = "", rate: float = 0.0001) -> None:
    """Let a funding be paid."""
    for name in _names(faults, symbol):
        faults.server.exchange.fund(name, Decimal(str(rate)))


def adl(faults: Faults, *, symbol: str = "", fraction: float = 1.0) -> None:
    """Reduce positions by auto-deleveraging, at the mark price."""
    _force(faults, symbol, "AdlTrade", fraction)


def liquidation(faults: Faults, *, symbol: str = "", fraction: float = 1.0) -> None:
    """Liquidate positions, at the mark price."""
    _force(faults, symbol, "BustTrade", fraction)


def corporate_action(faults: Faults, *, symbol: str = "") -> None:
    """Close positions by a corporate action, at the mark price."""
    _force(faults, symbol, "CorporateAction", 1.0)


def instrument_status(faults: Faults, *, symbol: str, status: str = "Closed", secs: float | None = None) -> None:
    """Change the status of a contract: but for "Trading" it takes only reduce-only orders."""
    row = faults.server.symbols[symbol].contract.row
    row["status"] = status

    def end() -> None:
        row["status"] = "Trading"

    if secs is not None:
        faults.server.timers.at(faults.server.time + round(secs * SECOND), end)


def fill_now(faults: Faults, order: Order, lots: int) -> None:
    """Fill lots of an order at its price, as maker, whatever the book says."""
    price = order.price or faults.server.symbols[order.symbol].mark or 0
    held = faults.server.exchange.accounts[order.uid].positions[order.symbol].lots
    lots = min(lots, order.left, closable(order, held) if order.reduce_only else order.left)
    if lots and order.status != "Untriggered":
        faults.server.exchange.filled(Fill(order, price, lots, is_maker=True))


def _names(faults: Faults, symbol: str) -> list[str]:
    return [symbol] if symbol else list(faults.server.symbols)


def _feeds(faults: Faults, symbol: str) -> list[Any]:
    topics = [(name, topic) for name in _names(faults, symbol) for topic in faults.server.subscribed(name)]
    return [faults.server.symbols[name].feed(topic) for name, topic in topics if topic.startswith("orderbook.")]


def _resting(faults: Faults, symbol: str) -> list[Order]:
    names, accounts = _names(faults, symbol), faults.server.exchange.accounts.values()
    return [order for account in accounts for order in account.open.values() if order.symbol in names]


def _force(faults: Faults, symbol: str, kind: str, fraction: float) -> None:
    for account in faults.server.exchange.accounts.values():
        for name in _names(faults, symbol):
            position: Position = account.positions[name]
            lots = max(1, round(abs(position.lots) * fraction))
            faults.server.exchange.force(account, name, kind, position.symbol.mark or 0, lots)


KINDS: Final[dict[str, Callable[..., None]]] = {
    kind.__name__: kind
    for kind in (
        *(socket_kill, socket_refuse, socket_half_open, socket_slow, socket_garbage, socket_huge, pong_missing),
        *(auth_refused, subscribe_refused, sequence_gap, book_restart, book_crossed, topic_stale, quote_repeat),
        *(http_status, http_html, http_truncated, http_timeout, rate_limited, ip_limited, banned, cursor_loop),
        *(clock_skew, reject, batch_half_refused, ack_lost, ack_late, stream_late, stream_lost, duplicate_execution),
        *(out_of_order, fill_race, partial_fill, funding, adl, liquidation, corporate_action, instrument_status),
    )
}
