"""One file on its way: what is here of it, what to ask for next, and the proof that it is whole."""

import gzip
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec
import requests

from fathom.data_catalog.errors import CatalogError, DownloadError
from fathom.settings.urls import redacted
from fathom.settings.whole_files import write_whole

type OnBytes = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes of it on disk and its size (None while unknown)."""

_CONTENT_RANGE: Final = re.compile(r"bytes (?P<first>\d+)-\d+/(?P<total>\d+)")
_CHUNK: Final = 1 << 18
_WHOLE_BUT_DAMAGED_AT_MOST: Final = 2  # then it is the server's copy that is damaged, and asking again is useless
_DAMAGE: Final[tuple[type[Exception], ...]] = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # a member that is encrypted, or packed by an unknown method
)


class TryAgainError(CatalogError):
    """An attempt failed in a way that another attempt may mend.

    `wait_secs` is how long the server asks to wait, None where it says nothing.
    """

    def __init__(self, message: str, wait_secs: float | None = None) -> None:
        super().__init__(message)
        self.wait_secs = wait_secs


def verify(path: Path) -> None:
    """Read a `.zip` or `.gz` file to its end and compare every checksum in it.

    Raises
    ------
    DownloadError
        The file is empty, truncated or damaged, or is no such file.
    """
    size = path.stat().st_size
    name = path.name.removesuffix(".part")
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                if not archive.namelist():
                    raise zipfile.BadZipFile("it has no member")
                if bad := archive.testzip():
                    raise zipfile.BadZipFile(f"member {bad} does not match its checksum")
        elif name.endswith(".gz"):
            if not size:
                raise EOFError("it is empty")
            with gzip.open(path, "rb") as stream:
                while stream.read(_CHUNK):
                    pass
        else:
            raise DownloadError(f"Expected a .zip or .gz file, was {name}. Other files cannot be verified.")
    except _DAMAGE as damage:
        raise DownloadError(f"Expected a whole archive, was damaged: {name} ({size:,} bytes): {damage}") from damage


class _Note(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    etag: str | None = None
    last_modified: str | None = None
    total: int | None = None
    verified_mtime_ns: int | None = None


class Transfer:
    """A file of an archive that arrives in a folder as `NAME.part` and gets its name once it is proved whole.

    Beside it, `.fathom/NAME.json` remembers the validators (`ETag`, `Last-Modified`) and the size that the server
    stated, so that a later run continues the part only if the server still holds the same file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     transfer = Transfer(Path(folder), "https://example.org/BTCUSDT2024-08-08.csv.gz")
    ...     transfer.path.name, transfer.have, transfer.is_done(), transfer.ask()
    ('BTCUSDT2024-08-08.csv.gz', 0, False, {})
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.path = folder / url.rpartition("/")[2]
        self.part = self.path.with_name(self.path.name + ".part")
        self.requests = 0
        self.resumed_at = 0
        self._note_path = folder / ".fathom" / f"{self.path.name}.json"
        self._damaged = 0
        self._note = _Note(redacted(url))
        if self._note_path.is_file():
            try:
                self._note = msgspec.json.decode(self._note_path.read_bytes(), type=_Note)
            except msgspec.DecodeError:
                self.part.unlink(missing_ok=True)  # without its note nobody knows of which file it is a part

    @property
    def size(self) -> int:
        """Return the bytes of the whole file."""
        return self.path.stat().st_size

    @property
    def have(self) -> int:
        """Return the bytes that are here of a file not yet proved whole."""
        return self.part.stat().st_size if self.part.is_file() else 0

    @property
    def have_all(self) -> bool:
        """Return whether every byte is here and only the proof is missing."""
        return bool(self.have) and self.have == self._note.total and self._note.url == redacted(self.url)

    def is_done(self) -> bool:
        """Return whether the file is here under its name and whole; read through only if it changed since the proof."""
        if not self.path.is_file():
            return False
        stat = self.path.stat()
        if (self._note.total, self._note.verified_mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return True
        try:
            verify(self.path)  # put here by hand, or changed since
        except DownloadError:
            return False
        self._remember(_Note(redacted(self.url), total=stat.st_size, verified_mtime_ns=stat.st_mtime_ns))
        return True

    def ask(self) -> dict[str, str]:
        """Return the headers that ask for the rest of the file, or none where it must come from the start."""
        # RFC 9110, 13.1.5: a weak entity tag must not be used to continue a file.
        strong = self._note.etag if self._note.etag and not self._note.etag.startswith("W/") else None
        same_file = strong or self._note.last_modified
        if not self.have or same_file is None or self._note.url != redacted(self.url):
            self.restart()
            return {}
        return {"Range": f"bytes={self.have}-", "If-Range": same_file}

    def receive(self, response: requests.Response, on_bytes: OnBytes) -> None:
        """Append what the server sends, after checking that it continues what is here.

        Raises
        ------
        TryAgainError
            The server sent another part, or another file, than the one asked for, or fewer bytes than it stated.
        """
        start, total = _stated_range(response)
        etag = response.headers.get("ETag")
        if start != 0 and (start, total, etag) != (self.have, self._note.total, self._note.etag):
            stated = response.headers.get("Content-Range")
            expected = f"bytes {self.have}-/{self._note.total} of {self._note.etag}"
            self.restart()
            raise TryAgainError(f"Expected {expected}, was {stated} of {etag}: starting this file again.", 0.0)
        if start == 0:
            self.restart()
            self._remember(_Note(redacted(self.url), etag, response.headers.get("Last-Modified"), total))
        self.resumed_at = start
        done = start
        with self.part.open("ab") as stream:
            try:
                on_bytes(self.path.name, done, total)
                for chunk in response.raw.stream(_CHUNK, decode_content=False):
                    stream.write(chunk)
                    done += len(chunk)
                    on_bytes(self.path.name, done, total)
            finally:
                stream.flush()
                os.fsync(stream.fileno())
        if total is not None and done != total:
            raise TryAgainError(f"Expected {total:,} bytes, was cut after {done:,}.")

    def finish(self, *, resumed: bool) -> None:
        """Prove that the part is whole and give it its name.

        Raises
        ------
        TryAgainError, DownloadError
            It is damaged; the latter once it came damaged in one piece repeatedly.
        """
        try:
            verify(self.part)
        except DownloadError as damage:
            self.restart()
            self._damaged += not resumed
            if self._damaged >= _WHOLE_BUT_DAMAGED_AT_MOST:
                raise DownloadError(f"{damage} It came so {self._damaged} times: {redacted(self.url)}") from damage
            raise TryAgainError(str(damage)) from damage
        self.part.replace(self.path)
        stat = self.path.stat()
        self._note.total, self._note.verified_mtime_ns = stat.st_size, stat.st_mtime_ns
        self._remember(self._note)

    def restart(self) -> None:
        """Forget what is here of the file."""
        self.part.unlink(missing_ok=True)

    def _remember(self, note: _Note) -> None:
        self._note = note
        write_whole(self._note_path, msgspec.json.encode(note))


def _stated_range(response: requests.Response) -> tuple[int, int | None]:
    if response.status_code == HTTPStatus.OK:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    stated = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if stated is None:
        return -1, None
    return int(stated["first"]), int(stated["total"])
