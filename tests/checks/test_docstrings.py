"""Docstrings say what the code does, where the two can be compared."""

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from fathom.backtests.account.periods import MIN_DAYS_FOR_ANNUAL_RETURN, MIN_DAYS_FOR_RATIOS, ratios_refused
from fathom.backtests.account.summary import Summary
from fathom.backtests.setup.config import Report
from tests.checks.test_doctests import MODULES

_STATED = re.compile(r"^\s*(?P<names>\w+(?:, \w+)*) : .*\bdefault (?P<value>\"[^\"]*\"|[-\w.()]+)", re.MULTILINE)


def stated() -> Iterator[tuple[str, str, Any, str]]:
    """Yield place, name, default in the code and default in the docstring."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, member in vars(module).items():
            if getattr(member, "__module__", "") != module_name or not inspect.getdoc(member):
                continue
            defaults = _defaults(member)
            for match in _STATED.finditer(inspect.getdoc(member) or ""):
                for argument in match["names"].split(", "):
                    if argument in defaults:
                        yield f"{module_name}.{name}", argument, defaults[argument], match["value"]


def _defaults(member: Any) -> dict[str, Any]:
    if isinstance(member, type) and issubclass(member, msgspec.Struct):
        return {
            field.name: field.default
            for field in msgspec.structs.fields(member)
            if field.default is not msgspec.NODEFAULT
        }
    if not (inspect.isfunction(member) or isinstance(member, type)):
        return {}
    if dataclasses.is_dataclass(member):
        return {field.name: field.default for field in dataclasses.fields(member)}
    try:
        parameters = inspect.signature(member).parameters
    except (TypeError, ValueError):
        return {}
    return {name: one.default for name, one in parameters.items() if one.default is not inspect.Parameter.empty}


def test_stated_defaults_are_those_of_the_code() -> None:
    compared, wrong = 0, []
    for place, argument, default, text in stated():
        try:
            value = ast.literal_eval(text.rstrip("."))
        except (ValueError, SyntaxError):
            continue
        compared += 1
        if value != default:
            wrong.append(f"{place}: {argument} is {default!r}, its docstring says {text}")
    assert compared >= 30
    assert wrong == []


def test_a_wrong_default_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from fathom.ml.samples import leak_check

    monkeypatch.setattr(leak_check.check, "__doc__", "Check.\n\nParameters\n----------\nhorizon : int, default 61\n")
    assert ("fathom.ml.samples.leak_check.check", "horizon", 60, "61") in set(stated())


def test_figures_say_from_when_on_they_are_annualised() -> None:
    text = inspect.getdoc(Summary) or ""
    assert f"null for spans under {MIN_DAYS_FOR_ANNUAL_RETURN} days" in text
    assert f"under {MIN_DAYS_FOR_RATIOS} days" in ratios_refused(0)


def test_the_benchmark_is_described_as_it_is_computed() -> None:
    assert "equal shares of all instruments where absent" in " ".join((inspect.getdoc(Report) or "").split())
