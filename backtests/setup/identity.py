"""Which code a run ran: the modules of the user, and the state of their repository."""

import hashlib
import re
from typing import Final

import msgspec

from fathom.ml.training.git import git_revision
from fathom.settings.own_modules import own_file, source_digest

_NAMED: Final = re.compile(r"\"([A-Za-z_][\w.]*):[A-Za-z_]\w*[\",]")


class CodeIdentity(msgspec.Struct, frozen=True):
    """The user's own code behind a run.

    Parameters
    ----------
    modules : dict
        Name of each module beside the named ones, neither Fathom's nor installed -> SHA-256 of its source.
    git : str
        Commit of the folder of the first of them, with ``+changes`` where files differ from it; "" outside of git.

    Examples
    --------
    >>> CodeIdentity({}, "").digest
    ''
    """

    modules: dict[str, str]
    git: str

    @property
    def digest(self) -> str:
        """One text for each different code; empty where the user brought none."""
        if not self.modules:
            return ""
        return hashlib.sha256(msgspec.json.encode(self.modules, order="sorted")).hexdigest()


def code_of(text: str) -> CodeIdentity:
    """Return the user's code that a resolved configuration names as ``"module:Name"``.

    Beside the named modules it holds all modules of their folders, since the named ones may import them.

    Parameters
    ----------
    text : str
        The configuration, after its components were found.
    """
    folders = {file.parent for name in _NAMED.findall(text) if (file := own_file(name)) is not None}
    modules: dict[str, str] = {}
    for file in (file for folder in sorted(folders) for file in sorted(folder.glob("*.py"))):
        name = file.stem if file.stem not in modules else f"{file.parent.name}/{file.stem}"
        modules[name] = source_digest(file)
    return CodeIdentity(modules, git_revision(min(folders)) if folders else "")
