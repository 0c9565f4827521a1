"""All or nothing: files are written aside and moved into the catalog together, also through a kill -9 or a power cut.

A staging folder holds the files in the places that they will have. Its `commit.json` is the point of no return: before
it exists, whoever comes next throws the folder away; once it exists, whoever comes next finishes the moves.
"""

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fathom.data_catalog.store.layout import OWN_DATA
from fathom.settings.owner import locked, try_lock
from fathom.settings.whole_files import sync, write_whole

_INTENT: Final = "commit.json"
_OWNER: Final = "owner.lock"


class Staging:
    """A folder in which the files of one import come together.

    Parameters
    ----------
    catalog : Path
        The catalog folder.

    Examples
    --------
    >>> import tempfile
    >>> catalog = Path(tempfile.mkdtemp())
    >>> with Staging(catalog) as staging:
    ...     _ = staging.file("a.tmp").write_text("x")
    ...     staging.commit(lambda: {"a.tmp": "data/a"})
    >>> (catalog / "data" / "a").read_text()
    'x'
    """

    def __init__(self, catalog: Path) -> None:
        self.catalog = catalog
        self.folder = catalog / OWN_DATA / "staging" / uuid.uuid4().hex
        with catalog_lock(catalog):  # so that nobody finds the folder before its owner holds it
            self._own()

    def _own(self) -> None:
        self.folder.mkdir(parents=True)
        # Held while this process lives; the kernel drops it on any death: a folder whose lock can be taken is dead.
        self._lock = (self.folder / _OWNER).open("w")
        try_lock(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def file(self, name: str) -> Path:
        """Return the path at which to write a file."""
        return self.folder / name

    def commit(self, plan: Callable[[], dict[str, str]]) -> None:
        """Move files into the catalog.

        Parameters
        ----------
        plan : callable
            Called under the catalog's lock; checks that nothing is in the way and returns, for each staged file, its
            place in the catalog (relative, "/"). What it raises leaves the catalog as it was.
        """
        with catalog_lock(self.catalog):
            moves = plan()
            for name in moves:
                sync(self.file(name))
            write_whole(self.file(_INTENT), json.dumps(moves))
            _finish(self.catalog, self.folder)

    def discard(self) -> None:
        """Remove the folder, unless its files are promised to the catalog: then whoever comes next moves them."""
        self._lock.close()
        if not self.file(_INTENT).exists():
            shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def catalog_lock(catalog: Path) -> Iterator[None]:
    """Hold the catalog's write lock, after finishing or clearing what dead processes left behind."""
    own = catalog / OWN_DATA
    own.mkdir(parents=True, exist_ok=True)
    with locked(own / "write.lock"):
        _recover(catalog)
        yield


def recover(catalog: Path) -> None:
    """Finish or clear what dead processes left behind."""
    staging = catalog / OWN_DATA / "staging"
    if staging.is_dir() and any(staging.iterdir()):
        with catalog_lock(catalog):
            pass


def _recover(catalog: Path) -> None:
    staging = catalog / OWN_DATA / "staging"
    for folder in sorted(staging.iterdir()) if staging.is_dir() else []:
        if not _is_dead(folder):
            continue
        if (folder / _INTENT).exists():
            _finish(catalog, folder)
        shutil.rmtree(folder, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    try:
        with (folder / _OWNER).open("r+") as lock:
            return try_lock(lock)
    except FileNotFoundError:
        # Just being made, just being removed, or its process died between the two: an empty folder does no harm.
        return (folder / _INTENT).exists()


def _finish(catalog: Path, folder: Path) -> None:
    moves: dict[str, str] = json.loads((folder / _INTENT).read_text())
    for name, place in moves.items():
        source, target = folder / name, catalog / place
        if source.exists():  # else moved before the process died
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
        for folder_of in (target.parent, *target.parent.parents):
            sync(folder_of)
            if folder_of == catalog:
                break
    (folder / _INTENT).unlink()
