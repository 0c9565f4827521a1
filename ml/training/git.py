"""Which revision of the code is running."""

import subprocess
from pathlib import Path


def git_revision(folder: Path | str = ".") -> str:
    """Return the commit of a folder, with ``+changes`` where files differ from it; "" outside of git.

    Examples
    --------
    >>> git_revision("/")
    ''
    """

    def said(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        changed = said("status", "--porcelain", "--untracked-files=no")
        return said("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return ""
