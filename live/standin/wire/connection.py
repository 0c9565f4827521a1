"""One WebSocket of a client, healthy or not."""

import asyncio
from typing import Any, Final

import orjson

from fathom.live.standin.exchange.account import Account

ABORT: Final = b""
"""Queued to cut a connection without a closing handshake."""


class Connection:
    """What the server knows of one socket.

    Parameters
    ----------
    channel : {"public", "private", "trade"}
    number : int

    Examples
    --------
    >>> connection = Connection("public", 1)
    >>> connection.dead = True
    >>> connection.send({"op": "pong"})
    >>> connection.queue.qsize()
    0
    """

    def __init__(self, channel: str, number: int) -> None:
        self.channel, self.id = channel, f"rehearsal-{number}"
        self.queue: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.topics: dict[str, None] = {}
        self.account: Account | None = None
        self.request_ids: set[str] = set()
        self.dead = False
        self.bytes_per_sec = 0.0

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message."""
        self.send_text(orjson.dumps(message).decode())

    def send_text(self, text: str) -> None:
        """Queue a message that is text already; a half-open connection loses it."""
        if not self.dead:
            self.queue.put_nowait(text)
