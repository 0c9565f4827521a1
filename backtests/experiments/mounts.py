"""Show a process another folder in the place of one: what it opens there, by whatever name, is the other's."""

import ctypes
import os
from pathlib import Path
from typing import Final

_BIND: Final = 0x1000
_PRIVATE: Final = 0x40000 | 0x4000  # MS_PRIVATE, MS_REC


class _State:
    separate = False


def separate_mounts() -> None:
    """Give this process mounts of its own, where Linux lets it; call it while the process has one thread."""
    if not hasattr(os, "unshare"):
        return
    try:
        os.unshare(os.CLONE_NEWNS)
    except OSError:
        uid, gid = os.getuid(), os.getgid()
        try:
            os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        except OSError:
            return
    _State.separate = _mount("none", Path("/"), _PRIVATE)


def show_instead(other: Path, place: Path) -> bool:
    """Show this process `other` at `place`; False where `separate_mounts` did not work."""
    return _State.separate and _mount(str(other), place, _BIND)


def _mount(source: str, place: Path, flags: int) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.mount(source.encode(), str(place).encode(), None, ctypes.c_ulong(flags), None) == 0)
