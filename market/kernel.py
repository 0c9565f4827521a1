"""The decorator of every compiled function of the book and its features."""

import functools
from collections.abc import Callable
from typing import Any

from numba import njit

from fathom.market.kernel_cache import kept


def kernel(function: Callable[..., Any] | None = None, *, inline: bool = False) -> Callable[..., Any]:
    """Compile with numba, cached, without fast-math, and without reference counts.

    A kernel allocates nothing: its arrays belong to the caller, who holds them during the call. So counting references
    to them is of no use, and it costs: with numba's runtime on, replaying the recorded BTCUSDT perpetual through
    `fathom.market.lifecycle` took 3.5 times as long (220 against 62 ns a row, not inlined). A kernel that does allocate
    (``np.empty``, a copy, a slice assigned to a slice) fails to compile. Division by zero gives inf or NaN, as in
    numpy; it raises nothing.

    The compiled code is kept on disk until this kernel, or a kernel that it calls, changes
    (`fathom.market.kernel_cache.kept`).

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
    >>> from fathom.market.bitmap import WORDS, next_bit, set_bit
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
    compiled: Callable[..., Any] = kept(njit(**options)(function))
    return compiled
