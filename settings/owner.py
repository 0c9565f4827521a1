"""One owner of a folder: a lock that the kernel drops when its process dies."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fathom.settings.errors import FathomError


class FolderTakenError(FathomError):
    """Another process works in a folder that has room for one."""


@contextmanager
def owned(folder: Path, remedy: str) -> Iterator[None]:
    """Be the only process in a folder, which is made where absent.

    Raises
    ------
    FolderTakenError
        Another process is there; `remedy` says what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        if not try_lock(lock):
            raise FolderTakenError(f"Expected to be alone in {folder}, was one of two processes; {remedy}.")
        yield


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock of a file, which is made where absent, and hold it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def try_lock(file: IO[str]) -> bool:
    """Take the lock of an open file if nobody else has it, until the file is closed; return whether."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
