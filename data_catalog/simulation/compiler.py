"""How the kernels of the simulator are compiled, and the constants they share."""

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from numba import njit

from fathom.market.kernel_cache import kept

# Without numba's reference counts a kernel runs twice as fast; it must not allocate, and the caller holds every array.
_OPTIONS: Final[dict[str, Any]] = {"cache": True, "_nrt": False}
_njit: Any = njit


def entry[F: Callable[..., Any]](function: F) -> F:
    """Compile a function that Python calls."""
    return cast("F", kept(_njit(**_OPTIONS)(function)))


def kernel[F: Callable[..., Any]](function: F) -> F:
    """Compile a function that only other kernels call: without wrappers for Python, in half the time."""
    return cast("F", kept(_njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function)))


def typed(number: int) -> int:
    """Return a constant for kernels: numba would compile a function anew for each plain `int` passed to it."""
    return cast("int", np.int64(number))


BUY: Final = typed(1)
SELL: Final = typed(2)
NONE: Final = typed(0)
NOBODY: Final = typed(-1)
NO: Final = typed(0)
YES: Final = typed(1)
NEVER: Final = typed(1 << 62)
SECOND: Final = 1e9
