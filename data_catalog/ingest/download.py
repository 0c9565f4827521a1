"""Bring archive files onto this machine: resumable, verified, patient with a busy server."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal, Self

import msgspec
import requests
import urllib3.exceptions
import urllib3.util

from fathom.data_catalog.errors import DownloadError
from fathom.data_catalog.ingest.archive_files import ArchiveFile, Kind
from fathom.data_catalog.ingest.transfer import OnBytes, Transfer, TryAgainError

type Status = Literal["downloaded", "kept", "absent", "failed"]

_LONGEST_RETRY_AFTER_SECS: Final = 600.0


class Outcome(msgspec.Struct, frozen=True):
    """What became of one `ArchiveFile`.

    `status` is `downloaded`; `kept` (it was here, verified, before); `absent` (the server answered 404 to every
    address: there is no file for that day); or `failed`, with the reason in `detail`. `requests` counts the requests
    that were sent, `resumed_at` is the number of bytes that an earlier attempt had left and that were not sent again.

    Examples
    --------
    >>> Outcome("trades", date(2024, 8, 8), "absent").ok
    True
    """

    kind: Kind
    day: date
    status: Status
    path: Path | None = None
    size: int = 0
    requests: int = 0
    resumed_at: int = 0
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Return whether nothing is left to do for that day."""
        return self.status != "failed"


class Patience(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often and how long to wait for a busy or broken server.

    The wait after failure n is `first_wait_secs * 2**n`, at most `longest_wait_secs`, of which a random half may be
    taken off so that many clients do not return together. A `Retry-After` of the server is obeyed instead, unless it
    asks for more than ten minutes.

    Examples
    --------
    >>> patience = Patience(first_wait_secs=1.0, longest_wait_secs=30.0)
    >>> [patience.wait_secs(n, jitter=0.0) for n in range(6)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    """

    attempts: int = 6
    first_wait_secs: float = 1.0
    longest_wait_secs: float = 60.0
    connect_secs: float = 10.0
    read_secs: float = 60.0

    def wait_secs(self, failures: int, jitter: float) -> float:
        """Return the wait after the given number of earlier failures; jitter in [0, 1) takes up to half of it off."""
        return min(self.longest_wait_secs, self.first_wait_secs * 2.0 ** min(failures, 32)) * (1.0 - jitter / 2.0)


class Download:
    """Brings files of an archive into a folder, one after the other.

    A file arrives under its name plus `.part`; it gets its name only when its size is the one that the server stated
    and every checksum in it fits, so a file that has its name is whole. What an interrupted run left of a file is
    asked for from there on (`Range`), provided that the server says that the file is still the same one (`If-Range`).
    Notes on that lie in the folder `.fathom` beside the files.

    Parameters
    ----------
    folder
        Where the files go; made if absent.
    patience
        Attempts and waits.
    sleep, jitter
        Clock and dice of the waits; a test gives its own.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Download(Path(folder)) as download:
    ...     list(download.bring([]))
    []
    """

    def __init__(
        self,
        folder: Path,
        patience: Patience | None = None,
        *,
        sleep: Callable[[float], None] | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self.folder = folder
        self.patience = patience or Patience()
        self._sleep = sleep or time.sleep
        self._jitter = jitter or random.random
        self._session = requests.Session()
        # The bytes of the file itself are wanted: a server must not gzip, and requests must not gunzip, on the way.
        self._session.headers.update({"Accept-Encoding": "identity", "User-Agent": "fathom-trader"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def bring(self, files: Iterable[ArchiveFile], on_bytes: OnBytes | None = None) -> Iterator[Outcome]:
        """Yield the outcome of each file as it is decided; a file that fails does not stop the others."""
        (self.folder / ".fathom").mkdir(parents=True, exist_ok=True)
        for file in files:
            yield self._bring_one(file, on_bytes or _ignore)

    def _bring_one(self, file: ArchiveFile, on_bytes: OnBytes) -> Outcome:
        transfers = [Transfer(self.folder, url) for url in file.urls]
        for transfer in transfers:
            if transfer.is_done():
                on_bytes(transfer.path.name, transfer.size, transfer.size)
                return Outcome(file.kind, file.day, "kept", transfer.path, transfer.size)
        sent = 0
        for transfer in transfers:
            try:
                found = self._persist(transfer, on_bytes)
            except (DownloadError, OSError) as error:  # OSError: no room, no right to write
                sent += transfer.requests
                return Outcome(file.kind, file.day, "failed", requests=sent, detail=str(error))
            sent += transfer.requests
            if found:
                return Outcome(
                    file.kind, file.day, "downloaded", transfer.path, transfer.size, sent, transfer.resumed_at
                )
        return Outcome(file.kind, file.day, "absent", requests=sent, detail="404 Not Found")

    def _persist(self, transfer: Transfer, on_bytes: OnBytes) -> bool:
        failures, furthest = 0, transfer.have
        while True:
            try:
                return self._attempt(transfer, on_bytes)
            except TryAgainError as again:
                # A line that is cut again and again but brings bytes each time gets there: only standing still counts.
                failures = 1 if transfer.have > furthest else failures + 1
                furthest = max(furthest, transfer.have)
                if failures >= self.patience.attempts:
                    raise DownloadError(f"{again} Gave up after {failures} attempts: {transfer.url}") from again
                wait = again.wait_secs
                if wait is None:
                    wait = self.patience.wait_secs(failures - 1, self._jitter())
                elif wait > _LONGEST_RETRY_AFTER_SECS:
                    raise DownloadError(
                        f"{again} The server asks to come back in {wait:,.0f} s; run this again then: {transfer.url}"
                    ) from again
                self._sleep(wait)

    def _attempt(self, transfer: Transfer, on_bytes: OnBytes) -> bool:
        if transfer.have_all:  # an earlier run was stopped between the last byte and the verification
            transfer.finish(resumed=True)
            return True
        timeouts = (self.patience.connect_secs, self.patience.read_secs)
        transfer.requests += 1
        try:
            with self._session.get(transfer.url, headers=transfer.ask(), stream=True, timeout=timeouts) as response:
                status = response.status_code
                if status == HTTPStatus.NOT_FOUND:
                    return False
                if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise TryAgainError(f"The server answered {status} {response.reason}.", _retry_after(response))
                if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and transfer.have:
                    transfer.restart()
                    raise TryAgainError("The file on the server is shorter than what is here of it.", 0.0)
                if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                    raise DownloadError(
                        f"Expected 200, 206 or 404, was {status} {response.reason}: {transfer.url}. "
                        "Check the symbol and the base URL."
                    )
                transfer.receive(response, on_bytes)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as cut:
            raise TryAgainError(f"The connection broke: {cut}.") from cut
        except requests.RequestException as error:
            raise DownloadError(f"Expected an address that can be asked, was {transfer.url}: {error}") from error
        transfer.finish(resumed=transfer.resumed_at > 0)
        return True


def _retry_after(response: requests.Response) -> float | None:
    stated = response.headers.get("Retry-After")
    if stated is None:
        return None
    try:
        return urllib3.util.Retry().parse_retry_after(stated)
    except urllib3.exceptions.InvalidHeader:
        return None


def _ignore(name: str, done: int, total: int | None) -> None:
    pass
