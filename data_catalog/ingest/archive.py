"""Read archive files as streams of bytes, checking that they are whole."""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from isal import igzip, isal_zlib

from fathom.data_catalog.errors import BadInputError

_READ_BYTES: Final = 1 << 20
CHUNK_BYTES: Final = 4 << 20
"""The most bytes that one chunk has."""

type Advance = Callable[[int], object]
"""Called with the number of bytes of the file that were read since the last call."""


def zip_chunks(path: Path, advance: Advance) -> Iterator[bytes]:
    """Inflate the one file inside a zip.

    Parameters
    ----------
    path : Path
        A zip with one member, stored or deflated; any size.
    advance : callable
        Progress.

    Yields
    ------
    bytes
        At most `CHUNK_BYTES`, never empty.

    Raises
    ------
    BadInputError
        Not a zip, truncated, another number of members, or the checksum does not fit.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
    except zipfile.BadZipFile as error:
        raise BadInputError(f"Expected a whole zip file, was: {error}. Download it again.", file=path) from error
    if len(members) != 1:
        names = ", ".join(member.filename for member in members) or "none"
        raise BadInputError(
            f"Expected one file inside the zip, was {len(members)} ({names}). Zip each alone.", file=path
        )
    member = members[0]
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadInputError(
            f"Expected a stored or deflated member without password, was method {member.compress_type}.", file=path
        )
    size, checksum = 0, 0
    with path.open("rb") as file:
        try:
            for chunk in _member(file, member, path, advance):
                size += len(chunk)
                checksum = isal_zlib.crc32(chunk, checksum)
                yield chunk
        except (isal_zlib.error, zlib.error) as error:  # type: ignore[misc]  # the stub hides that it is an exception
            raise BadInputError(f"Expected deflated data, was: {error}. Download it again.", file=path) from error
    if size != member.file_size or checksum != member.CRC:
        raise BadInputError(
            f"Expected {member.file_size:,} bytes with checksum {member.CRC:08x} inside the zip, was {size:,} bytes "
            f"with {checksum:08x}. Download it again.",
            file=path,
        )


def _member(file: BinaryIO, member: zipfile.ZipInfo, path: Path, advance: Advance) -> Iterator[bytes]:
    file.seek(member.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise BadInputError("Expected a zip member's header, was other bytes. Download it again.", file=path)
    # The local header repeats name and extra fields, not always in the length of the directory's.
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
    left = member.compress_size
    inflate: Any = isal_zlib.decompressobj(-15) if member.compress_type == zipfile.ZIP_DEFLATED else None
    while left:
        data = file.read(min(_READ_BYTES, left))
        if not data:
            raise BadInputError(f"Expected {left:,} more bytes, was the end of the file. Download it again.", file=path)
        left -= len(data)
        advance(len(data))
        if inflate is None:
            yield data
            continue
        while data:
            if chunk := inflate.decompress(data, CHUNK_BYTES):
                yield chunk
            data = inflate.unconsumed_tail
            if inflate.eof:
                break
    if inflate is not None and (rest := inflate.flush()):
        yield rest


class GzipFile:
    """A gzip file to read from, which reports its progress and checks that it is whole.

    Parameters
    ----------
    path : Path
    advance : callable
        Progress.

    Examples
    --------
    >>> import gzip, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.csv.gz"
    >>> _ = path.write_bytes(gzip.compress(b"a,b"))
    >>> with GzipFile(path, advance=print) as file:
    ...     file.read(10)
    23
    b'a,b'
    """

    def __init__(self, path: Path, advance: Advance) -> None:
        self.path = path
        self.closed = False
        self._advance = advance
        self._raw = path.open("rb")
        self._file: Any = igzip.IGzipFile(fileobj=self._raw)  # type: ignore[no-untyped-call]
        self._seen = 0

    def __enter__(self) -> "GzipFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; raises `BadInputError` where the file is cut off or damaged."""
        try:
            data = self._file.read(size)
        except EOFError as error:
            raise BadInputError(
                "Expected a whole gzip file, was one cut off. Download it again.", file=self.path
            ) from error
        except (gzip.BadGzipFile, isal_zlib.error, zlib.error) as error:  # type: ignore[misc]  # as above
            raise BadInputError(f"Expected a gzip file, was: {error}. Download it again.", file=self.path) from error
        self._advance(self._raw.tell() - self._seen)
        self._seen = self._raw.tell()
        return bytes(data)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self.closed = True
            self._file.close()
            self._raw.close()
