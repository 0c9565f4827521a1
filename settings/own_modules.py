"""The user's own modules: which they are, where Python finds them, and that they run as they lie on the disk."""

import hashlib
import importlib
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

_FATHOM: Final = Path(__file__).resolve().parents[1]
_INSTALLED: Final = ("site-packages", "dist-packages")
_READ: Final[dict[str, tuple[Path, str]]] = {}
"""Name of each own module that was imported here -> its file, and the digest of the file at that time."""


def own_file(name: str) -> Path | None:
    """Return the file of an imported module of the user; None for Fathom's, Python's and installed modules."""
    text = getattr(sys.modules.get(name), "__file__", None)
    if not text or not text.endswith(".py") or any(installed in text for installed in _INSTALLED):
        return None
    file = Path(text).resolve()
    if not file.is_file():  # torch has modules without one
        return None
    foreign = _FATHOM not in file.parents or "tests" in file.relative_to(_FATHOM).parts[:1]
    return file if foreign and Path(sys.base_prefix) not in file.parents else None


def source_digest(file: Path) -> str:
    """Return the SHA-256 of a source file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def importable(*folders: Path) -> None:
    """Let the modules of these folders be imported, after the installed ones and before folders named earlier.

    Modules that changed on the disk since their import, or whose name now means another file, are forgotten: the next
    import reads them anew. Otherwise a run would name one code in its record and run another.
    """
    for folder in reversed(folders):
        text = str(folder.resolve())
        if text in _Added.folders:
            _Added.folders.remove(text)
            sys.path.remove(text)
        if text not in sys.path:
            _Added.folders.insert(0, text)
            at = next((at for at, path in enumerate(sys.path) if path in _Added.folders), len(sys.path))
            sys.path.insert(at, text)
    _forget_stale()


def import_own(name: str) -> ModuleType:
    """Import a module, and remember which source the user's modules had.

    Raises
    ------
    ImportError
        There is no such module, or it cannot be imported.
    """
    before, writes_no_bytecode = {*sys.modules}, sys.dont_write_bytecode
    # Compiled files know the time of their source by the second only: an edit within that second would not be seen.
    sys.dont_write_bytecode = True
    try:
        return importlib.import_module(name)
    finally:
        sys.dont_write_bytecode = writes_no_bytecode
        for new in ({*sys.modules} - before) | {name} - {*_READ}:
            if (file := own_file(new)) is not None:
                _READ[new] = (file, source_digest(file))


class _Added:
    folders: Final[list[str]] = []


def _forget_stale() -> None:
    """Forget all own modules beside a stale one, since they may hold parts of it."""
    importlib.invalidate_caches()
    roots = {_root(name, file) for name, (file, digest) in _READ.items() if _is_stale(name, file, digest)}
    for name in [name for name, (file, _) in _READ.items() if _root(name, file) in roots]:
        sys.modules.pop(name, None)
        del _READ[name]


def _root(name: str, file: Path) -> Path:
    """Return the folder in which Python found a module, or the package that holds it."""
    return file.parents[name.count(".") + (file.name == "__init__.py")]


def _is_stale(name: str, file: Path, digest: str) -> bool:
    if not file.is_file() or source_digest(file) != digest:
        return True
    found = PathFinder.find_spec(name) if "." not in name else None
    return found is not None and found.origin is not None and Path(found.origin).resolve() != file
