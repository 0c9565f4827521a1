"""Compiled kernels on disk: each is kept until its own code, or the code that it calls, changes."""

# numba is not typed.
# mypy: disable-error-code="no-untyped-call, attr-defined, import-untyped"

import enum
import hashlib
import inspect
import re
import types
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import numpy as np
from numba import njit
from numba.core.caching import IndexDataCacheFile
from numba.core.dispatcher import Dispatcher
from numba.extending import _Intrinsic

_LINE: Final = re.compile(r"-\d+(?=\.py\d)")


def kept[F: Callable[..., Any]](dispatcher: F) -> F:
    """Let the compiled code of a dispatcher live until the code of the kernel changes.

    numba's own cache looks at the time and the size of the kernel's file. So it compiles again after each edit of that
    file, and it goes on with the old code of a callee that lies in another file. Here the key is the bytecode of the
    kernel, of all kernels and intrinsics that it calls, and the constants that they read. An edit elsewhere, a comment
    or a moved line compiles nothing again.

    Parameters
    ----------
    dispatcher : callable
        As ``numba.njit(cache=True)`` returns it.

    Returns
    -------
    callable
        The same dispatcher.
    """
    compiled: Any = dispatcher
    cache = compiled._cache
    cache._cache_file = _StampedFile(cache._cache_path, _LINE.sub("", cache._impl.filename_base), compiled)
    return dispatcher


def cached(function: Callable[..., Any]) -> Any:
    """Compile a function with numba, exactly and single-threaded, and keep the compiled code (see `kept`).

    Unlike `fathom.market.kernel.kernel`, the function may allocate arrays.
    """
    return kept(njit(cache=True)(function))


class _StampedFile(IndexDataCacheFile):
    """The cache files of one kernel; the stamp is computed at the first use, when all callees are defined."""

    def __init__(self, cache_path: str, filename_base: str, dispatcher: Dispatcher) -> None:
        super().__init__(cache_path=cache_path, filename_base=filename_base, source_stamp=None)
        self._dispatcher = dispatcher
        self._stamp = ""

    @property
    def _source_stamp(self) -> str:
        self._stamp = self._stamp or stamp(self._dispatcher)
        return self._stamp

    @_source_stamp.setter
    def _source_stamp(self, value: None) -> None:
        pass


def stamp(dispatcher: Any) -> str:
    """Return the SHA-256 of a kernel's code, of the code that it calls and of the constants that they read."""
    waiting, parts = [dispatcher], dict[int, str]()
    while waiting:
        each = waiting.pop()
        if id(each) not in parts:
            function = _function(each)
            if function is None:
                parts[id(each)] = _constant(each)
            else:
                # numba's options (fast-math, inlining, error model) are part of the code.
                options = sorted(getattr(each, "targetoptions", {}).items())
                parts[id(each)] = f"{function.__qualname__} {options} {_code(function.__code__)}"
                waiting += _read(function)
    return hashlib.sha256("\n".join(sorted(parts.values())).encode()).hexdigest()


def _function(each: Any) -> types.FunctionType | None:
    if isinstance(each, Dispatcher):
        return cast("types.FunctionType", each.py_func)
    if isinstance(each, _Intrinsic):
        return cast("types.FunctionType", each._defn)
    return each if inspect.isfunction(each) else None


def _code(code: types.CodeType) -> str:
    constants = [_code(each) if inspect.iscode(each) else repr(each) for each in code.co_consts]
    if isinstance(code.co_consts[0] if code.co_consts else None, str):
        constants = constants[1:]  # the docstring, or a text that no kernel computes with
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return f"{code.co_code.hex()} {names} {constants}"


def _read(function: types.FunctionType) -> Iterator[Any]:
    """Yield what a function reads from outside: other functions, constants, members of modules."""
    names = set(_names(function.__code__))
    values = [function.__globals__[name] for name in sorted(names) if name in function.__globals__]
    values += [cell.cell_contents for cell in function.__closure__ or () if cell.cell_contents is not function]
    values += list(function.__defaults__ or ())
    for value in values:
        if isinstance(value, types.ModuleType):
            if value.__name__.partition(".")[0] not in ("numpy", "numba", "llvmlite", "math"):
                yield from (vars(value)[name] for name in sorted(names) if name in vars(value))
        else:
            yield value


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if inspect.iscode(each):
            yield from _names(each)


def _constant(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype!r} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return f"{value.__qualname__} {[(member.name, member.value) for member in value]}"
    if isinstance(value, type | types.BuiltinFunctionType | types.MethodType):
        return f"{getattr(value, '__qualname__', type(value).__qualname__)} {getattr(value, '_fields', ())}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
