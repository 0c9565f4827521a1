"""Faults of the venue and of the wires: which are active, and what a call, a message or an order meets."""

import inspect
import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fathom.live.errors import LiveError
from fathom.live.standin.clock import Clock
from fathom.live.standin.config import FaultConfig
from fathom.live.standin.exchange.exchange import Exchange
from fathom.live.standin.exchange.refusals import RefusedError
from fathom.live.standin.market.symbol import Symbol
from fathom.live.standin.wire.connection import Connection
from fathom.live.standin.wire.limits import Limits
from fathom.live.standin.wire.timers import Timers
from fathom.settings.nearest import did_you_mean
from fathom.settings.times import SECOND


class Server(Protocol):
    """What faults need of the server."""

    time: int
    clock: Clock
    exchange: Exchange
    symbols: dict[str, Symbol]
    connections: dict[str, Connection]
    limits: Limits
    timers: Timers

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        """Send a public message."""

    def subscribed(self, symbol: str) -> list[str]:
        """Return the subscribed topics of a symbol."""


@dataclass
class Active:
    """A fault that is active until a time, for some more occasions, or both."""

    until_ns: int | None
    count: int | None
    args: dict[str, Any]


class Faults:
    """The faults of one server.

    Parameters
    ----------
    server : Server
    kinds : mapping of name to function
        A kind is called with the faults and its own arguments.
    seed : int
    """

    def __init__(self, server: Server, kinds: Mapping[str, Callable[..., None]], seed: int) -> None:
        self.server, self._kinds = server, kinds
        self.random = random.Random(seed)
        self._active: dict[str, list[Active]] = defaultdict(list)

    def check(self, fault: FaultConfig) -> None:
        """Refuse an unknown kind or argument.

        Raises
        ------
        LiveError
        """
        kind = self._kinds.get(fault.fault)
        if kind is None:
            hint = did_you_mean(fault.fault, sorted(self._kinds))
            raise LiveError(f"Expected a kind of fault ({', '.join(sorted(self._kinds))}), was '{fault.fault}'.{hint}")
        try:
            inspect.signature(kind).bind(self, **fault.args)
        except TypeError as error:
            known = ", ".join(list(inspect.signature(kind).parameters)[1:]) or "none"
            raise LiveError(f"Expected arguments of the fault {fault.fault} ({known}), was {fault.args}.") from error
        symbol = fault.args.get("symbol", "")
        if symbol and symbol not in self.server.symbols:
            raise LiveError(f"Expected a symbol of the replay ({', '.join(self.server.symbols)}), was '{symbol}'.")

    def inject(self, fault: FaultConfig) -> None:
        """Let a fault happen now, and write it down."""
        self.check(fault)
        data = {"fault": fault.fault, "args": dict(fault.args)}
        self.server.exchange.ledger.add(self.server.time, "fault", 0, data)
        self._kinds[fault.fault](self, **fault.args)

    def plan(self, faults: list[FaultConfig], start_ns: int) -> None:
        """Set the faults of a schedule."""
        for fault in faults:
            self.check(fault)
            self.server.timers.at(start_ns + round(fault.at * SECOND), lambda each=fault: self.inject(each))  # type: ignore[misc]

    def begin(self, effect: str, secs: float | None = None, count: int | None = None, **args: Any) -> None:
        """Make an effect active for some seconds of exchange time, some occasions, or both."""
        until = None if secs is None else self.server.time + round(secs * SECOND)
        self._active[effect].append(Active(until, count, args))

    def meets(self, effect: str, **facts: str) -> dict[str, Any] | None:
        """Return the arguments of an active effect that fits the facts, using up one occasion; None if there is none.

        An argument that is empty or "all" fits any fact; a fact fits an argument that it begins with.
        """
        self._active[effect] = [each for each in self._active[effect] if not self._is_over(each)]
        for active in self._active[effect]:
            wanted = {name: str(active.args.get(name, "")) for name in facts}
            if all(text in ("", "all") or facts[name].startswith(text) for name, text in wanted.items()):
                if active.count is not None:
                    active.count -= 1
                return active.args
        return None

    def refuse(self, effect: str, **facts: str) -> None:
        """Raise the refusal of an active effect, if there is one."""
        args = self.meets(effect, **facts)
        if args is not None:
            raise RefusedError(int(args["code"]), str(args.get("text", "")))

    def sockets(self, channel: str) -> list[Connection]:
        """Return the connections of a channel, or of all."""
        return [each for each in self.server.connections.values() if channel in ("all", each.channel)]

    def _is_over(self, active: Active) -> bool:
        out_of_time = active.until_ns is not None and self.server.time >= active.until_ns
        return out_of_time or active.count == 0
