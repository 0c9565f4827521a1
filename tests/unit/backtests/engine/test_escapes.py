"""What leaves a Python handler for native code is seen, and nothing else is."""

import functools
import sys

import pytest

from fathom.settings.escapes import call


def raising(number: int) -> int:
    raise ValueError(number)


def test_what_a_handler_catches_is_not_seen() -> None:
    def careful(number: int) -> int:
        try:
            return raising(number)
        except ValueError:
            return -number

    assert call(sorted, [1, 3, 2], key=careful) == ([3, 2, 1], [])


def test_an_exception_is_seen_where_it_leaves_python_once_and_with_its_trace() -> None:
    def deep(number: int) -> int:
        return raising(number)

    result, escapes = call(sorted, [7], key=deep)
    assert result is None
    assert [(escape.handler.split(".")[-1], str(escape.error)) for escape in escapes] == [("deep", "7")]
    assert "in raising" in escapes[0].trace


def test_native_code_that_swallows_the_exception_hides_nothing() -> None:
    class Odd:
        @property
        def there(self) -> int:
            raise AttributeError("no")

    result, escapes = call(hasattr, Odd(), "there")
    assert result is False
    assert [str(escape.error) for escape in escapes] == ["no"]


def test_an_error_of_the_native_code_itself_is_raised() -> None:
    with pytest.raises(TypeError):
        call(functools.partial(sorted, [1, "x"]))
    assert sys.monitoring.get_tool(4) is None  # and the monitoring has ended


def test_an_interrupt_is_an_escape_too() -> None:
    def interrupted(number: int) -> int:
        raise KeyboardInterrupt

    _, escapes = call(sorted, [1], key=interrupted)
    assert isinstance(escapes[0].error, KeyboardInterrupt)
