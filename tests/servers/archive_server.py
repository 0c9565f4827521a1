"""A public archive on loopback: it serves files as Bybit's does, and misbehaves as it is told to."""

import email.utils
import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

RANGE = re.compile(r"bytes=(\d+)-")
PUBLISHED = 1_733_011_200.0


@dataclass(frozen=True)
class Answer:
    """How to answer one request; the defaults are an honest server's."""

    status: int | None = None  # answer with this status and nothing else
    headers: dict[str, str] = field(default_factory=dict)
    hold_after: int | None = None  # send so many bytes of the body, then nothing until the server stops
    cut_after: int | None = None  # close the connection after so many bytes of the body
    honours_range: bool = True
    honours_if_range: bool = True
    validators: bool = True
    states_length: bool = True
    etag_prefix: str = ""
    shift_range: int = 0  # send other bytes than asked for, and say so
    body: bytes | None = None  # serve these bytes from now on


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    path: str
    range: str | None
    if_range: str | None
    accept_encoding: str | None


class ArchiveServer(ThreadingHTTPServer):
    """Serves `files` (path to bytes); `script[path]` holds the next answers, an honest one follows."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.script: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self.asked: list[Asked] = []
        self.holding = Event()
        self.stopping = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ArchiveServer

    def do_GET(self) -> None:
        server, path = self.server, self.path
        asked_range, asked_if_range = self.headers.get("Range"), self.headers.get("If-Range")
        server.asked.append(Asked(path, asked_range, asked_if_range, self.headers.get("Accept-Encoding")))
        answer = server.script[path].popleft() if server.script[path] else Answer()
        if answer.body is not None:
            server.files[path] = answer.body
        if answer.status is not None or path not in server.files:
            self._refuse(answer.status or HTTPStatus.NOT_FOUND, answer.headers)
            return
        body = server.files[path]
        etag = f'{answer.etag_prefix}"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        published = email.utils.formatdate(PUBLISHED + len(body), usegmt=True)
        start, status = 0, HTTPStatus.OK
        same = asked_if_range in (None, etag, published) or not answer.honours_if_range
        if asked_range and answer.honours_range and same:
            asked = RANGE.fullmatch(asked_range)
            assert asked is not None, asked_range
            start, status = int(asked[1]) + answer.shift_range, HTTPStatus.PARTIAL_CONTENT
            if start >= len(body):
                self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, {"Content-Range": f"bytes */{len(body)}"})
                return
        self.send_response(status)
        if answer.validators:
            self.send_header("ETag", etag)
            self.send_header("Last-Modified", published)
        if status == HTTPStatus.PARTIAL_CONTENT:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if answer.states_length:
            self.send_header("Content-Length", str(len(body) - start))
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if answer.hold_after is not None:
            self.wfile.write(body[start : start + answer.hold_after])
            self.server.holding.set()
            self.server.stopping.wait()
            self.close_connection = True
            return
        end = len(body) if answer.cut_after is None else start + answer.cut_after
        self.wfile.write(body[start:end])
        if end < len(body):
            self.close_connection = True

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def archive_server(files: dict[str, bytes]) -> Iterator[ArchiveServer]:
    """Serve the files for the length of a `with` block."""
    with ArchiveServer(files) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()
