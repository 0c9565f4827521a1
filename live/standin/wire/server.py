"""The server: REST and the three WebSockets on one port, on a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final, Self
from urllib.parse import parse_qsl

import orjson
from aiohttp import WSMsgType, web

from fathom.live.errors import LiveError
from fathom.live.standin.auditor import Auditor, AuditRules, Finding
from fathom.live.standin.clock import Clock
from fathom.live.standin.config import FaultConfig, StandInConfig
from fathom.live.standin.exchange.exchange import Exchange
from fathom.live.standin.exchange.ledger import Ledger
from fathom.live.standin.exchange.refusals import RefusedError
from fathom.live.standin.wire.connection import ABORT, Connection
from fathom.live.standin.wire.hub import Hub
from fathom.live.standin.wire.rest import Rest, UnknownPathError
from fathom.live.standin.wire.sockets import Sockets
from fathom.settings.times import SECOND

_CHANNELS: Final = {"/v5/public/linear": "public", "/v5/private": "private", "/v5/trade": "trade"}
_PATHS: Final = {**{"http": "", "ws_public": "/v5/public/linear", "ws_private": "/v5/private", "ws_trade": "/v5/trade"}}
_START_SECS: Final = 60.0


class StandIn:
    """A stand-in exchange that serves for as long as its `with` block lasts.

    Parameters
    ----------
    config : StandInConfig

    Raises
    ------
    LiveError
        The catalog cannot be replayed, or the port is taken.

    Examples
    --------
    >>> from fathom.live.standin import StandIn, StandInConfig
    >>> def rehearse(catalog: str) -> int:
    ...     with StandIn(StandInConfig(catalog, speed=0, stamps="recorded")) as exchange:
    ...         exchange.advance(1.0)
    ...         return exchange.count("order.create")
    """

    def __init__(self, config: StandInConfig) -> None:
        self.config = config
        self._hub = Hub(config)
        self._rest, self._sockets = Rest(self._hub), Sockets(self._hub)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=self._serve, name="stand-in", daemon=True)
        self._error: Exception | None = None
        self.urls: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Start the server."""
        self._thread.start()
        port = self._started.result(_START_SECS)
        place = f"{self.config.host}:{port}"
        self.urls = {name: f"{'http' if name == 'http' else 'ws'}://{place}{path}" for name, path in _PATHS.items()}
        return self

    def __exit__(self, kind: type[BaseException] | None, *more: object) -> None:
        """End the server and its connections; raises what broke the replay, if nothing else went wrong."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_SECS)
        if self._error is not None and kind is None:
            raise self._error

    @property
    def ledger(self) -> Ledger:
        """Everything that happened, in order."""
        return self._hub.exchange.ledger

    @property
    def clock(self) -> Clock:
        """Exchange time."""
        return self._hub.clock

    @property
    def exchange(self) -> Exchange:
        """Accounts and orders; another thread may only read."""
        return self._hub.exchange

    @property
    def events(self) -> int:
        """Recorded messages that were replayed."""
        return self._hub.events

    @property
    def ended(self) -> bool:
        """Tell whether the recording is at its end."""
        return self._hub.ended

    def count(self, op: str) -> int:
        """Return how many commands of an operation arrived."""
        return self.ledger.count(op)

    def audit(self, rules: AuditRules | None = None, journal: Iterable[str] | None = None) -> list[Finding]:
        """Return what the auditor finds in the ledger until now; `journal` holds the ids of all orders sent."""
        balances = {account.uid: account.balance for account in self.config.accounts}
        return Auditor(balances, rules or AuditRules(), journal).audit(self.ledger, self._hub.time)

    def start(self) -> None:
        """Let the replay begin, where it waits for a subscription."""
        self._on_loop(self._start())

    def advance(self, secs: float) -> None:
        """Let exchange time pass in a market that stands still (`speed = 0`)."""
        if self.config.speed:
            raise LiveError(f"Expected speed = 0 to advance by hand, was {self.config.speed}.")
        self._on_loop(self._advance(secs))

    def inject(self, fault: FaultConfig | str, **args: Any) -> None:
        """Let a fault happen now: one of a schedule, or a kind and its arguments.

        Raises
        ------
        LiveError
            Unknown kind or argument.
        """
        chosen = FaultConfig(0.0, fault, args) if isinstance(fault, str) else fault
        self._on_loop(self._inject(chosen))

    def wait(self) -> None:
        """Wait until the replay breaks, as the command does; a replay at its end goes on serving."""
        self._thread.join()

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        if self._loop is None:
            work.close()
            raise LiveError("Expected a running stand-in, was none: use it in a `with` block.")
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECS)

    async def _start(self) -> None:
        self._hub.start()

    async def _inject(self, fault: FaultConfig) -> None:
        self._hub.advance()
        self._hub.faults.inject(fault)

    async def _advance(self, secs: float) -> None:
        self._hub.clock.hold(self._hub.time + round(secs * SECOND))
        self._hub.advance(None)

    def _serve(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:
            if self._started.done():
                self._error = error
                return
            reason = error.strerror if isinstance(error, OSError) else error
            self._started.set_exception(
                LiveError(f"Expected a free port at {self.config.host}:{self.config.port}, was: {reason}.")
            )

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        for path, channel in _CHANNELS.items():
            app.router.add_get(path, _socket_handler(self._socket, channel))
        app.router.add_route("*", "/{path:.*}", self._call)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, self.config.host, self.config.port)
        await site.start()
        pace = asyncio.create_task(self._hub.pace())
        self._started.set_result(runner.addresses[0][1])
        try:
            await asyncio.wait([asyncio.create_task(self._stop.wait()), pace], return_when=asyncio.FIRST_COMPLETED)
            if pace.done():
                pace.result()
        finally:
            pace.cancel()
            for connection in list(self._hub.connections.values()):
                connection.queue.put_nowait(None)
            await runner.cleanup()

    async def _call(self, request: web.Request) -> web.StreamResponse:
        if self._hub.limits.is_banned(request.remote or ""):
            return web.Response(status=403, text="access too frequent")
        await self._travel(request.path)
        self._hub.advance()
        faults, path = self._hub.faults, request.path
        broken = faults.meets("http_status", path=path)
        if broken is not None:
            return web.Response(status=int(broken["status"]), text="upstream error")
        if faults.meets("http_html", path=path) is not None:
            return web.Response(text="<html><body>maintenance</body></html>", content_type="text/html")
        result: dict[str, Any] = {}
        extra, left, code, text = {}, None, 0, "OK"
        try:
            faults.refuse("refused", path=path)
            answer = self._answer(request.method, path, *await _content(request), request.headers)
            result, extra, left = answer.result, answer.extra, answer.left
        except RefusedError as refusal:
            code, text = refusal.code, str(refusal)
        except (ValueError, TypeError, ArithmeticError):
            code, text = 10001, "params error"
        except UnknownPathError:
            return web.Response(status=404)
        if "nextPageCursor" in result and faults.meets("cursor_loop", path=path) is not None:
            result = {**result, "nextPageCursor": "0"}
        now = self._hub.clock.shown_ms(self._hub.time)
        body = orjson.dumps({"retCode": code, "retMsg": text, "result": result, "retExtInfo": extra, "time": now})
        if faults.meets("http_truncated", path=path) is not None:
            body = body[: len(body) // 2]
        silent = faults.meets("http_timeout", path=path)
        if silent is not None:
            await asyncio.sleep(float(silent["wait"]))
        headers = {
            "X-Bapi-Limit-Status": str(left or 0),
            "X-Bapi-Limit-Reset-Timestamp": str(now),
            "X-Bapi-Limit": "10",
        }
        return web.Response(body=body, content_type="application/json", headers=headers)

    def _answer(self, method: str, path: str, args: Mapping[str, Any], payload: str, headers: Mapping[str, str]) -> Any:
        account = None
        if path not in self._rest.public:
            account = self._hub.gatekeeper.rest(headers, payload)
        return self._rest.call(method, path, args, account)

    async def _travel(self, place: str) -> None:
        if self.config.latency_ms and "order" in place:
            await asyncio.sleep(self.config.latency_ms / 1000)

    async def _socket(self, request: web.Request, channel: str) -> web.StreamResponse:
        if self._hub.faults.meets("socket_refuse", channel=channel) is not None:
            return web.Response(status=503)
        socket = web.WebSocketResponse(autoping=False, max_msg_size=1 << 20, compress=False)
        await socket.prepare(request)
        connection = self._hub.connect(channel)
        sender = asyncio.create_task(_send_all(connection, socket, request.transport))
        try:
            async for message in socket:
                if message.type is WSMsgType.PING:
                    if not (connection.dead or self._hub.faults.meets("pong_missing", channel=channel) is not None):
                        await socket.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    await self._travel("order" if channel == "trade" else "")
                    self._hub.advance()
                    self._sockets.receive(connection, message.data)
        finally:
            sender.cancel()
            self._hub.disconnect(connection)
        return socket


def _socket_handler(handler: Any, channel: str) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(request, channel)
        return answer

    return handle


async def _send_all(connection: Connection, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
    while (text := await connection.queue.get()) is not None:
        if text == ABORT:
            if transport is not None:
                transport.abort()
            return
        if connection.bytes_per_sec:
            await asyncio.sleep(len(text) / connection.bytes_per_sec)
        await socket.send_str(str(text))
    await socket.close()


async def _content(request: web.Request) -> tuple[Mapping[str, Any], str]:
    if request.method == "GET":
        query = request.raw_path.partition("?")[2]
        return dict(parse_qsl(query, keep_blank_values=True)), query
    body = (await request.read()).decode()
    try:
        args = orjson.loads(body or "{}")
    except ValueError as error:
        raise RefusedError(10001, "params error: the body is no JSON") from error
    if not isinstance(args, dict):
        raise RefusedError(10001, "params error: Expected an object")
    return args, body
