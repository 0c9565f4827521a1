"""The journal of a study on the disk, and the leases of its trials: both survive a kill at any moment.

The kernel holds every lock here and frees it when its process dies. No lock is a file that somebody must remove.
"""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO, Final

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

JOURNAL: Final = "study.journal"
"""File of the study in its folder: JSON lines, only ever appended to."""

_BLOCK: Final = 65_536


class Journal(JournalFileBackend):
    """The journal, under a lock of the kernel.

    A line that a kill or a full disk cut off was never acknowledged: the next writer removes it.

    Parameters
    ----------
    path : Path
        The file; made if absent.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _KernelLock(path))


class _KernelLock(JournalFileOpenLock):
    # Only a writer takes it, and a writer may find the cut-off line of one that died.
    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal = journal
        self._file: BinaryIO | None = None

    def acquire(self) -> bool:
        self._file = self._journal.with_name(f".{self._journal.name}-lock").open("ab")
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        _cut_torn_line(self._journal)
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()


class Leases:
    """Which trials a living process works on: a locked file a trial.

    The locks are those of `fcntl`, which a forked child does not inherit.

    Parameters
    ----------
    folder : Path
        Made if absent.

    Examples
    --------
    >>> import tempfile
    >>> leases = Leases(Path(tempfile.mkdtemp()))
    >>> lease = leases.take(3)
    >>> leases.is_dead(4)
    True
    >>> leases.give_back(3, lease)
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, number: int) -> BinaryIO:
        """Lock the lease of a trial until the returned file is closed."""
        file = self._path(number).open("ab")
        fcntl.lockf(file, fcntl.LOCK_EX)
        return file

    def give_back(self, number: int, lease: BinaryIO) -> None:
        """End a lease: its trial was told."""
        self._path(number).unlink(missing_ok=True)
        lease.close()

    def is_dead(self, number: int) -> bool:
        """Whether no process works on a trial that is not ours."""
        try:
            with self._path(number).open("r+b") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True
        except BlockingIOError:
            return False
        return True

    def clear(self, number: int) -> None:
        """Remove the lease of a dead process."""
        self._path(number).unlink(missing_ok=True)

    def wait(self, number: int) -> None:
        """Wait until the process at work on a trial has told it, or is dead."""
        try:
            with self._path(number).open("r+b") as file:
                fcntl.lockf(file, fcntl.LOCK_EX)
        except FileNotFoundError:
            return

    def _path(self, number: int) -> Path:
        return self._folder / str(number)


def _cut_torn_line(path: Path) -> None:
    with path.open("r+b") as file:
        end = size = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(end - _BLOCK, 0)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
