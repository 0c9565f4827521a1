"""Seeing exceptions that leave Python for the engine: the engine logs them and goes on, but a run must fail."""

import sys
import traceback
from collections.abc import Callable
from types import CodeType
from typing import Any, Final, NamedTuple

_TOOL: Final = 4  # one of the two slots of sys.monitoring that Python gives no name
_UNWIND: Final = sys.monitoring.events.PY_UNWIND


class Escape(NamedTuple):
    """An exception that a handler let out: the handler's name, the exception, and its traceback as text."""

    handler: str
    error: BaseException
    trace: str


def call[T](native: Callable[..., T], *args: Any, **kwargs: Any) -> tuple[T | None, list[Escape]]:
    """Call a function of the engine; return its result and what escaped from the Python handlers that it called.

    A handler is any Python function that the native code calls: `on_bar`, a timer's or a topic's callback. An exception
    that leaves it leaves Python; `sys.monitoring` tells so, at no cost until one is raised. An exception that is caught
    within Python is none of ours. If the native function passes a handler's exception on, the result is None.

    Examples
    --------
    >>> call(sorted, [3, 1, 2], key=lambda x: -x)
    ([3, 2, 1], [])
    >>> result, escapes = call(sorted, [1], key=lambda x: x / 0)
    >>> result, escapes[0].handler, escapes[0].error
    (None, '<lambda>', ZeroDivisionError('division by zero'))
    """
    escapes: list[Escape] = []
    return call_into(escapes, native, *args, **kwargs), escapes


def call_into[T](escapes: list[Escape], native: Callable[..., T], *args: Any, **kwargs: Any) -> T | None:
    """Do as `call`, and append each escape to a list as it happens: another thread may look at it meanwhile.

    Examples
    --------
    >>> seen = []
    >>> call_into(seen, sorted, [1], key=lambda x: x / 0), len(seen)
    (None, 1)
    """
    caller = sys._getframe()

    def unwind(code: CodeType, offset: int, error: BaseException) -> None:
        if sys._getframe(1).f_back is caller:  # no Python between the handler and us: its caller is the native code
            escapes.append(Escape(code.co_qualname, error, "".join(traceback.format_exception(error))))

    monitoring = sys.monitoring
    monitoring.use_tool_id(_TOOL, "fathom")
    monitoring.register_callback(_TOOL, _UNWIND, unwind)
    monitoring.set_events(_TOOL, _UNWIND)
    try:
        return native(*args, **kwargs)
    except BaseException:
        if escapes:
            return None
        raise
    finally:
        monitoring.set_events(_TOOL, monitoring.events.NO_EVENTS)
        monitoring.register_callback(_TOOL, _UNWIND, None)
        monitoring.free_tool_id(_TOOL)
