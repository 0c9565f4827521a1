"""The heart of the server: it lets exchange time pass and brings every message to those who asked for it."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson

from fathom.live.errors import LiveError
from fathom.live.standin.clock import Clock
from fathom.live.standin.config import StandInConfig
from fathom.live.standin.exchange.account import Account
from fathom.live.standin.exchange.exchange import Exchange
from fathom.live.standin.exchange.refusals import RefusedError
from fathom.live.standin.market.contracts import load_contracts
from fathom.live.standin.market.recording import Message, Recording
from fathom.live.standin.market.symbol import Symbol
from fathom.live.standin.wire.auth import Gatekeeper
from fathom.live.standin.wire.connection import Connection
from fathom.live.standin.wire.fault_kinds import KINDS, fill_now
from fathom.live.standin.wire.faults import Faults
from fathom.live.standin.wire.limits import Limits
from fathom.live.standin.wire.timers import Timers
from fathom.settings.times import MINUTE, SECOND

_SLICE: Final = 200
_TICK_SECS: Final = 0.002


class Hub:
    """Recording, exchange and connections.

    Parameters
    ----------
    config : StandInConfig

    Raises
    ------
    LiveError
        The catalog cannot be replayed.
    """

    def __init__(self, config: StandInConfig) -> None:
        self.config = config
        contracts = load_contracts(config)
        self._recording = Recording(Path(config.catalog), contracts.values())
        firsts = self._recording.first_books()
        self._first_ns = min(first.ts_init for first in firsts)
        self._begin_ns = self._first_ns + round(config.skip_secs * SECOND)
        self.clock = Clock(self._begin_ns, config.speed, config.stamps)
        rate, recorded = Decimal(config.funding_rate), config.cadence == "recorded"
        self.symbols = {
            name: Symbol(contract, self.clock, rate, recorded_cadence=recorded) for name, contract in contracts.items()
        }
        self.time = self.clock.now()
        self.exchange = Exchange(config, self.symbols, lambda: self.time, self._send_private)
        self.gatekeeper = Gatekeeper(self.exchange.accounts, self.clock)
        self.limits = Limits(enabled=config.limits, now=lambda: self.time / SECOND)
        self.connections: dict[str, Connection] = {}
        self.subscribers: dict[str, dict[str, Connection]] = defaultdict(dict)
        self._topics: dict[str, list[str]] = {name: [] for name in self.symbols}
        self._numbers = itertools.count(1)
        self.timers = Timers()
        self.faults = Faults(self, KINDS, config.seed)
        for fault in config.faults:
            self.faults.check(fault)
        self.exchange.before = self._before
        self._half: dict[str, Any] | None = None
        self._dcp_turns: dict[int, int] = {}
        self.events = 0
        self.ended = False
        for first in firsts:
            self.exchange.apply(first)
        self._messages: Iterator[Message] = iter(())
        self._next: Message | None = None
        if not self._rewind():
            raise LiveError(
                f"Expected skip_secs within the recording, was {config.skip_secs}: nothing is left to replay."
            )
        self._funding_ns = {name: symbol.next_funding_ns for name, symbol in self.symbols.items()}
        if not config.start_on_connect:
            self.start()

    def start(self) -> None:
        """Let the replay begin, once."""
        if not self.clock.running:
            self.clock.start()
            self.faults.plan(self.config.faults, self.clock.now())

    def advance(self, most: int | None = _SLICE) -> None:
        """Let exchange time pass until now, or for `most` messages."""
        now, left = self.clock.now(), most
        while self.clock.running and self._next is not None and (left is None or left > 0):
            time_ns = self.clock.stamp(self._next.ts_init)
            if time_ns > now:
                break
            self._pass(time_ns)
            self._apply(self._next)
            self._next = next(self._messages, None)
            left = None if left is None else left - 1
            if self._next is None:
                self._end()
        if left is None or left > 0:
            self._pass(now)
        for name, topics in self._topics.items():
            self.symbols[name].due(topics, self.time, self.publish)

    async def pace(self) -> None:
        """Let time pass until the server ends."""
        while True:
            before = self.events
            self.advance()
            behind = self.events - before >= _SLICE
            await asyncio.sleep(0 if behind else _TICK_SECS)

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        """Send a public message to all who subscribed to its topic."""
        subscribers = self.subscribers.get(topic)
        if subscribers and self.faults.meets("topic_stale", topic=topic) is None:
            text = orjson.dumps(message).decode()
            for connection in subscribers.values():
                connection.send_text(text)

    def admit(self, account: Account, op: str, args: Mapping[str, Any], count: int = 1) -> int:
        """Let a command through the rate limits; returns how many are left, and writes down one that is refused."""
        try:
            self.faults.refuse("refused", path=op)
            return self.limits.use(account.uid, op, count)
        except RefusedError as refusal:
            data = {"op": op, "args": dict(args), "code": refusal.code, "text": str(refusal), "batch": count > 1}
            self.exchange.ledger.add(self.time, "command", account.uid, data)
            raise

    def subscribed(self, symbol: str) -> list[str]:
        """Return the subscribed topics of a symbol."""
        return self._topics[symbol]

    def connect(self, channel: str) -> Connection:
        """Return a new connection."""
        connection = Connection(channel, next(self._numbers))
        self.connections[connection.id] = connection
        self.exchange.ledger.add(self.time, "socket", 0, {"event": "open", "channel": channel, "id": connection.id})
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Forget a connection."""
        for topic in list(connection.topics):
            self.unsubscribe(connection, topic)
        self.connections.pop(connection.id, None)
        uid = connection.account.uid if connection.account else 0
        data = {"event": "closed", "channel": connection.channel, "id": connection.id}
        self.exchange.ledger.add(self.time, "socket", uid, data)

    def subscribe(self, connection: Connection, topic: str) -> None:
        """Add a topic to a connection; a book's replay may begin with it."""
        alone = not self.subscribers[topic]
        connection.topics[topic] = None
        self.subscribers[topic][connection.id] = connection
        if topic == _DCP and connection.account is not None:
            self._watch(connection.account)
        symbol = self.symbols.get(topic.rpartition(".")[2])
        if symbol is None or connection.channel != "public":
            return
        self._topics[symbol.contract.symbol] = self._topics_of(symbol.contract.symbol)
        if topic.startswith("orderbook."):
            self.start()
        for message in symbol.first_messages(topic, self.time, alone=alone):
            connection.send(message)

    def unsubscribe(self, connection: Connection, topic: str) -> None:
        """Take a topic from a connection."""
        connection.topics.pop(topic, None)
        self.subscribers[topic].pop(connection.id, None)
        if topic == _DCP and connection.account is not None:
            self._watch(connection.account)
        name = topic.rpartition(".")[2]
        if name in self._topics:
            self._topics[name] = self._topics_of(name)

    def _topics_of(self, name: str) -> list[str]:
        return [topic for topic, those in self.subscribers.items() if those and topic.endswith(f".{name}")]

    def _apply(self, message: Message) -> None:
        self.events += 1
        symbol, topics = self.symbols[message.symbol], self._topics[message.symbol]
        symbol.due(topics, self.time, self.publish)
        public = self.exchange.apply(message)
        if public is not None:
            self.publish(public["topic"], public)
        symbol.due(topics, self.time, self.publish)

    def _rewind(self) -> bool:
        # Go to the beginning; what is skipped is history. Tells whether anything is left.
        self._messages = self._recording.messages()
        self._next = next(self._messages, None)
        while self._next is not None and self._next.ts_init < self._begin_ns:
            if not self.clock.running:
                self.time = self.clock.stamp(self._next.ts_init)
            self.exchange.apply(self._next)
            self._next = next(self._messages, None)
        self.time = max(self.time, self.clock.now())
        return self._next is not None

    def _end(self) -> None:
        if self.config.repeat:
            self.clock.rewind(self._begin_ns)
            self._rewind()
        self.ended = not self.config.repeat

    def _pass(self, now: int) -> None:
        # Let time pass until `now`, stopping where something is due.
        while (due := self.timers.next_ns) is not None and due <= now:
            self.time = max(self.time, due)
            self.timers.run(self.time)
        self.time = max(self.time, now)
        for name, due in self._funding_ns.items():
            if self.time >= due:
                symbol = self.symbols[name]
                self._funding_ns[name] = due + symbol.contract.funding_minutes * MINUTE
                self.exchange.fund(name, symbol.funding_rate)

    def _watch(self, account: Account) -> None:
        # A socket that an account keeps for disconnected-cancel-all came or went: the time begins anew.
        self._dcp_turns[account.uid] = turn = next(self._numbers)
        if account.dcp_window is None or any(each.account is account for each in self.subscribers[_DCP].values()):
            return

        def cancel() -> None:
            if self._dcp_turns[account.uid] == turn:
                orders = [order for order in account.open.values() if order.status != "Untriggered"]
                self.exchange.cancel_many(account, orders, "CancelByDCP")

        self.timers.at(self.time + account.dcp_window * SECOND, cancel)

    def _before(self, account: Account, op: str, args: Mapping[str, Any], place: int | None) -> None:
        faults = self.faults
        if place == 0:
            self._half = faults.meets("batch_half_refused")
        if place is not None and place % 2 and self._half is not None:
            raise RefusedError(int(self._half["code"]))
        if op in ("order.amend", "order.cancel") and faults.meets("fill_race", op=op) is not None:
            named = account.orders.get(str(args.get("orderId"))) or account.by_link.get(str(args.get("orderLinkId")))
            if named is not None:
                fill_now(faults, named, named.left)
        faults.refuse("reject", op=op)

    def _send_private(self, uid: int, topic: str, message: dict[str, Any]) -> None:
        faults = self.faults
        if faults.meets("stream_lost", topic=topic) is not None:
            return
        late = faults.meets("stream_late", topic=topic)
        if late is not None:
            self.timers.at(self.time + round(late["wait"] * SECOND), lambda: self._deliver(uid, topic, message))
            return
        for _ in range(2 if faults.meets("duplicate", topic=topic) is not None else 1):
            self._deliver(uid, topic, message)

    def _deliver(self, uid: int, topic: str, message: dict[str, Any]) -> None:
        messages = {topic: message, f"{topic}.linear": {**message, "topic": f"{topic}.linear"}}
        if topic == "execution" and message["data"][0]["execType"] == "Trade":
            rows = [{name: row[name] for name in _FAST} for row in message["data"]]
            fast = {"topic": "execution.fast", "creationTime": message["creationTime"], "data": rows}
            messages["execution.fast"] = fast
        for name, each in messages.items():
            for connection in self.subscribers[name].values():
                if connection.account is not None and connection.account.uid == uid:
                    connection.send(each)


_DCP: Final = "dcp.future"
_FAST: Final = (
    *("category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker", "orderLinkId"),
    *("side", "execTime", "seq"),
)
