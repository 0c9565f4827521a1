"""Paths as the engine reads them: it takes a path for a URL, in which `%`, `#` and `?` mean something else."""

import atexit
import functools
import hashlib
import re
import tempfile
from pathlib import Path
from typing import Final

_PLAIN: Final = re.compile(r"[\w/. -]*", re.ASCII)


def engine_path(folder: Path) -> str:
    """Return an absolute path under which the engine finds a folder: its own, or that of a link to it.

    The link lies in a temporary folder that is removed when the process ends.

    Examples
    --------
    >>> engine_path(Path("/data/catalog"))
    '/data/catalog'
    >>> "%" in engine_path(Path("/data/50%"))
    False
    """
    folder = folder.absolute()
    if _PLAIN.fullmatch(str(folder)):
        return str(folder)
    link = _links() / hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    if not link.is_symlink():
        link.symlink_to(folder, target_is_directory=True)
    return str(link)


@functools.cache
def _links() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="fathom-links-")
    atexit.register(folder.cleanup)
    return Path(folder.name)
