"""Reading a scenario file: what it leaves out has a default, what it gets wrong is named with its place."""

import difflib
import itertools
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from fathom.data_catalog.simulation.config import Simulation
from fathom.data_catalog.simulation.moves import SimulationError

_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>[^`]+)`")
_PLACE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|m|s)")
_UNIT_SECS: Final = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


class ScenarioError(SimulationError):
    """A scenario file says something that cannot be.

    Parameters
    ----------
    problem : str
        "Expected X, was Y", then the remedy.
    file : Path or str
    path : str
        Where in the file, such as ``feed.depth``.

    Examples
    --------
    >>> str(ScenarioError("Expected an `int` >= 1.", file="null.toml", path="feed.depth"))
    'null.toml, feed.depth: Expected an `int` >= 1.'
    """

    def __init__(self, problem: str, *, file: Path | str, path: str = "") -> None:
        self.problem = problem
        self.path = path
        super().__init__(f"{file}{', ' + path if path else ''}: {problem}")


def duration_secs(text: str) -> float:
    """Return a duration such as ``90s``, ``1h30m`` or ``2d`` in seconds.

    Examples
    --------
    >>> duration_secs("1h30m")
    5400.0
    """
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise SimulationError(f"Expected a duration such as 90s, 30m, 1h30m or 2d, was '{text}'.")
    return sum(float(number) * _UNIT_SECS[unit] for number, unit in parts)


def load_scenario(file: Path | str, changes: Sequence[str] = ()) -> Simulation:
    """Read a scenario.

    Parameters
    ----------
    file : Path or str
        A TOML file; see `Simulation` for what it may say.
    changes : sequence of str
        Such as ``feed.interval_ms=100`` or ``instruments.1.symbol="ETHUSDT"``, applied over the file.

    Raises
    ------
    ScenarioError
        Naming the file, the path in it, what was expected and the nearest valid name.
    """
    try:
        document = tomllib.loads(Path(file).read_text())
    except OSError as error:
        raise ScenarioError(f"Expected a readable TOML file, was {error.strerror}.", file=file) from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"Expected TOML, was something else: {error}.", file=file) from None
    for change in changes:
        _apply(document, change)
    try:
        config = msgspec.convert(document, Simulation)
    except msgspec.ValidationError as error:
        raise _explain(str(error), document, file) from None
    _check(config, file)
    return config


def _apply(document: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise SimulationError(f"Expected --set KEY=VALUE such as feed.depth=200, was '{change}'.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string
    place: Any = document
    for name, following in itertools.pairwise(path):
        if isinstance(place, list):
            place = place[_index(place, name, change)]
        else:
            place = place.setdefault(name, [{}] if following.isdigit() else {})
    if isinstance(place, list):
        place[_index(place, path[-1], change)] = value
    elif isinstance(place, dict):
        place[path[-1]] = value
    else:
        raise SimulationError(f"Expected a table before '{path[-1]}', was a value; in --set {change}.")


def _index(place: list[Any], name: str, change: str) -> int:
    if not name.isdigit() or int(name) >= len(place):
        raise SimulationError(f"Expected a number from 0 to {len(place) - 1}, was '{name}'; in --set {change}.")
    return int(name)


def _explain(message: str, document: Mapping[str, Any], file: Path | str) -> ScenarioError:
    found = _PLACE.search(message)
    path = found["path"].lstrip(".") if found else ""
    problem = _PLACE.sub("", message)
    unknown = _UNKNOWN.search(problem)
    if unknown:
        valid = _valid_names(path)
        near = difflib.get_close_matches(unknown["name"], valid, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"Expected one of: {', '.join(valid)}."
        return ScenarioError(f"Unknown name '{unknown['name']}'. {hint}", file=file, path=path)
    value = _value_at(document, path)
    if problem.startswith("Invalid enum value"):
        choices = [str(choice) for choice in typing.get_args(_type_at(path))]
        near = difflib.get_close_matches(str(value), choices, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else ""
        problem = f"Expected one of {', '.join(choices)}; was '{value}'. {hint}".strip()
        return ScenarioError(problem, file=file, path=path)
    was = "" if value is None or isinstance(value, dict | list) else f", was {value!r}"
    return ScenarioError(f"{problem}{was}.", file=file, path=path)


def _type_at(path: str) -> Any:
    kind: Any = Simulation
    for part in filter(None, re.split(r"[.\[]", path)):
        while not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
            kind = typing.get_args(kind)[0]
        if not part.endswith("]"):
            kind = typing.get_type_hints(kind)[part]
    return kind


def _valid_names(path: str) -> list[str]:
    kind = _type_at(path)
    while typing.get_args(kind):
        kind = typing.get_args(kind)[0]
    return list(getattr(kind, "__struct_fields__", ()))


def _value_at(document: Any, path: str) -> Any:
    try:
        for part in filter(None, re.split(r"[.\[]", path)):
            document = document[int(part[:-1]) if part.endswith("]") else part]
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return document


def _check(config: Simulation, file: Path | str) -> None:
    names = [state.name for state in config.states]
    for i, state in enumerate(config.states):
        for name in state.next:
            if name not in names or name == state.name:
                near = difflib.get_close_matches(name, names, n=1)
                hint = f"Did you mean '{near[0]}'?" if near else f"Expected another of: {', '.join(names)}."
                raise ScenarioError(f"'{name}' is no state to go to. {hint}", file=file, path=f"states[{i}].next")
    _check_unique(names, "states", file)
    _check_unique([instrument.symbol for instrument in config.instruments], "instruments", file)
    for table in ("episodes", "disturbances"):
        for i, entry in enumerate(getattr(config, table)):
            for name in entry.__struct_fields__:
                value = getattr(entry, name)
                if isinstance(value, tuple) and value[0] > value[1]:
                    raise ScenarioError(
                        f"Expected [low, high], was {list(value)}.", file=file, path=f"{table}[{i}].{name}"
                    )
    for i, instrument in enumerate(config.instruments):
        least = 20 * config.book.range_ticks * float(instrument.tick_size)
        if instrument.start_price < least:
            raise ScenarioError(
                f"Expected at least {least:g} (20 times book.range_ticks), was {instrument.start_price:g}. "
                "Lower `book.range_ticks` or `tick_size`.",
                file=file,
                path=f"instruments[{i}].start_price",
            )


def _check_unique(names: list[str], table: str, file: Path | str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ScenarioError(f"Expected each name once, was '{twice[0]}' twice.", file=file, path=table)
