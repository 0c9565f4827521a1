"""The client of a model server: one answer before one deadline, whatever the server does."""

import http.client
import io
import socket
import time
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.models.inference import Prediction
from fathom.ml.serving.protocol import SCHEMA_HEADER, WINDOW_DTYPE, Card, Reply
from fathom.settings.errors import FathomError
from fathom.settings.urls import redacted

_MOST_BYTES: Final = 4_000_000


class ServerError(FathomError, RuntimeError):
    """The model server did not answer, or not with an answer."""


class ServerTimeoutError(ServerError):
    """The deadline passed first.

    Examples
    --------
    >>> str(ServerTimeoutError("no answer within 200 ms"))
    'no answer within 200 ms'
    """


class ModelClient:
    """Ask a model server.

    The deadline holds for the whole call with all its retries: a server that refuses is tried again until it passes, a
    server that hangs or answers byte by byte costs the deadline and no more. Each try has a connection of its own.

    Parameters
    ----------
    url : str
        Such as ``http://127.0.0.1:8791``.
    deadline_ms : float
        For each call.
    retries : int
        After a refused connection, a broken answer or a status of 500 or more.
    pause_ms : float
        Before a retry.

    Attributes
    ----------
    version : str
        Of the model that gave the last prediction; empty before the first.

    Examples
    --------
    >>> ModelClient("http://127.0.0.1:1", deadline_ms=50.0, retries=0).card()
    Traceback (most recent call last):
    ...
    fathom.ml.serving.client.ServerError: http://127.0.0.1:1/model: no connection (Connection refused)
    >>> ModelClient("127.0.0.1:1")
    Traceback (most recent call last):
    ...
    ValueError: Expected the URL of a model server such as http://127.0.0.1:8791, was '127.0.0.1:1'
    """

    def __init__(self, url: str, *, deadline_ms: float = 200.0, retries: int = 1, pause_ms: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or not parts.port:
            raise ValueError(f"Expected the URL of a model server such as http://127.0.0.1:8791, was '{redacted(url)}'")
        self.url = redacted(url.rstrip("/"))
        self.deadline_ms = deadline_ms
        self.retries = retries
        self.pause_ms = pause_ms
        self._address = (parts.hostname, parts.port)
        self.version = ""

    def card(self) -> Card:
        """Return what the server says of its model.

        Raises
        ------
        ServerError
            It did not answer in time, refused, or answered something else.
        """
        return self._decoded("/model", self._call("GET", "/model", b"", {}), Card)

    def predict(self, window: NDArray[np.float64], schema_hash: str) -> Prediction:
        """Return the model's answer for a window.

        Raises
        ------
        ServerError
            It did not answer in time, refused, or answered something else.
        """
        body = np.ascontiguousarray(window, WINDOW_DTYPE).tobytes()
        answer = self._call("POST", "/predict", body, {SCHEMA_HEADER: schema_hash})
        reply = self._decoded("/predict", answer, Reply)
        self.version = reply.version
        return reply.prediction()

    def _call(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        ends = time.monotonic() + self.deadline_ms / 1e3
        for attempt in range(self.retries + 1):
            try:
                return self._once(method, path, body, headers, ends)
            except ServerTimeoutError:
                raise
            except ServerError:
                if attempt == self.retries or time.monotonic() + self.pause_ms / 1e3 >= ends:
                    raise
                time.sleep(self.pause_ms / 1e3)
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: bytes, headers: dict[str, str], ends: float) -> bytes:
        where = f"{self.url}{path}"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._address[0]}:{self._address[1]}", "Connection: close"]
        lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
        request = "\r\n".join([*lines, "", ""]).encode() + body
        try:
            with socket.create_connection(self._address, timeout=self._left(ends, where)) as link:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link.settimeout(self._left(ends, where))
                link.sendall(request)
                status, content = _read(link, lambda: self._left(ends, where))
        except TimeoutError:
            raise ServerTimeoutError(f"{where}: no answer within {self.deadline_ms:g} ms") from None
        except OSError as error:
            raise ServerError(f"{where}: no connection ({error.strerror or error})") from None
        except (http.client.HTTPException, ValueError) as error:
            raise ServerError(f"{where}: Expected an HTTP answer, was {type(error).__name__}") from None
        if status != 200:
            raise ServerError(f"{where}: status {status}: {content[:200].decode(errors='replace')}")
        return content

    def _left(self, ends: float, where: str) -> float:
        left = ends - time.monotonic()
        if left <= 0.0:
            raise ServerTimeoutError(f"{where}: no answer within {self.deadline_ms:g} ms")
        return left

    def _decoded[T](self, path: str, content: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, ValueError) as error:
            raise ServerError(f"{self.url}{path}: Expected the JSON of a {kind.__name__}, was not: {error}") from None


def _read(link: socket.socket, left: Any) -> tuple[int, bytes]:
    # The socket is read to its end under the deadline, and parsed then: a parser that reads waits for each line anew.
    parts: list[bytes] = []
    size = 0
    while True:
        link.settimeout(left())
        part = link.recv(65_536)
        if not part:
            break
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise ValueError("too long")
    response = http.client.HTTPResponse(_Bytes(b"".join(parts)))  # type: ignore[arg-type]
    response.begin()
    return response.status, response.read()


class _Bytes:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *_: Any, **__: Any) -> io.BytesIO:
        return io.BytesIO(self._content)
