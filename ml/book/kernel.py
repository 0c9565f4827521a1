"""The decorator of every compiled function of the book and its features."""

import functools
import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from numba import njit

_HERE: Final = Path(__file__).parent
_FEATURES: Final = _HERE.parent / "features" / "kernels"
_SHARED: Final = (_HERE, _FEATURES)
"""Folders whose kernels are called from other folders."""
_CALLED: Final = {_FEATURES: (_HERE.parents[1] / "detectors",)}
"""Folders whose kernels are called from one folder only."""


def kernel(function: Callable[..., Any] | None = None, *, inline: bool = False) -> Callable[..., Any]:
    """Compile with numba, cached, without fast-math, and without reference counts.

    A kernel allocates nothing: its arrays belong to the caller, who holds them during the call. So counting references
    to them is of no use, and it costs: with numba's runtime on, replaying the recorded BTCUSDT perpetual through
    `ml.book.lifecycle` took 3.5 times as long (220 against 62 ns a row, not inlined). A kernel that does allocate
    (``np.empty``, a copy, a slice assigned to a slice) fails to compile. Division by zero gives inf or NaN, as in
    numpy; it raises nothing.

    The compiled code is kept on disk until a kernel changes, be it one that this kernel calls: numba's own cache
    looks at the kernel's file only, and would go on with the old code of a callee in another file.

    Parameters
    ----------
    function : callable
        A function that numba compiles in nopython mode.
    inline : bool, default False
        Compile it into its callers. A call hands on every array as seven or nine words, which often costs more than
        the work: with the few kernels of a book row inlined, a message of 600 rows takes half the time (11 us
        instead of 23). Not for what is rarely called: it makes its callers larger.

    Returns
    -------
    callable

    Examples
    --------
    >>> from ml.book.bitmap import WORDS, next_bit, set_bit
    >>> import numpy as np
    >>> bits = np.zeros((2, WORDS), np.uint64)
    >>> set_bit(bits, 1, 4711)
    >>> next_bit(bits, 1, 0), next_bit(bits, 0, 0)
    (4711, -1)
    """
    if function is None:
        return functools.partial(kernel, inline=inline)
    options: dict[str, Any] = {"cache": True, "error_model": "numpy", "_nrt": False}
    if inline:
        options["forceinline"] = True
    compiled: Any = njit(**options)(function)
    index = compiled._cache._cache_file
    folder = Path(inspect.getfile(function)).parent
    called = _CALLED.get(folder, ())
    folders = dict.fromkeys((folder, *_SHARED, *called))
    index._source_stamp = (index._source_stamp, *(_stamp(each) for each in folders))
    found: Callable[..., Any] = compiled
    return found


@functools.cache
def _stamp(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
