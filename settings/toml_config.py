"""Settings read from TOML files into frozen structs, with errors that name the file, the place and the nearest name."""

import difflib
import re
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from fathom.settings.errors import SettingsError

_PLACE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>[^`]+)`")


def load_config[Config: msgspec.Struct](
    file: Path | str, kind: type[Config], changes: Sequence[str] = (), *, example: str = "catalog=other"
) -> Config:
    """Read a TOML file into a struct.

    Parameters
    ----------
    file : Path or str
    kind : type
        A frozen msgspec struct that forbids unknown fields.
    changes : sequence of str
        Such as ``watch.bar_ms=500`` or ``catalog=other``, applied over the file.
    example : str
        A change as an error shows it.

    Raises
    ------
    SettingsError
        Naming the file, the place in it, what was expected and the nearest valid name.
    """
    try:
        document = tomllib.loads(Path(file).read_text())
    except OSError as error:
        raise SettingsError(f"{file}: Expected a readable TOML file, was {error.strerror}.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: Expected TOML, was something else: {error}.") from None
    return _converted(document, kind, changes, example, file)


def changed[Config: msgspec.Struct](kind: type[Config], changes: Sequence[str], *, example: str) -> Config:
    """Return the default settings with some changed.

    Raises
    ------
    SettingsError
        As of `load_config`, without a file.

    Examples
    --------
    >>> class Mine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ...     window: int = 10
    >>> changed(Mine, ["window=20"], example="window=5")
    Mine(window=20)
    """
    return _converted({}, kind, changes, example, "--set")


def _converted[Config: msgspec.Struct](
    document: dict[str, Any], kind: type[Config], changes: Sequence[str], example: str, file: Path | str
) -> Config:
    for change in changes:
        _apply(document, change, example)
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(_explained(str(error), document, file, kind)) from None


def _apply(document: dict[str, Any], change: str, example: str) -> None:
    key, equals, text = change.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise SettingsError(f"Expected --set KEY=VALUE such as {example}, was '{change}'.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a text
    place = document
    for name in path[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise SettingsError(f"Expected a table at '{name}', was a value; in --set {change}.")
    place[path[-1]] = value


def _explained(message: str, document: Mapping[str, Any], file: Path | str, kind: type[msgspec.Struct]) -> str:
    found = _PLACE.search(message)
    path = found["path"].lstrip(".") if found else ""
    problem = _PLACE.sub("", message)
    unknown = _UNKNOWN.search(problem)
    if unknown:
        valid = _struct_at(kind, path).__struct_fields__
        near = difflib.get_close_matches(unknown["name"], valid, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"Expected one of: {', '.join(valid)}."
        problem = f"Unknown name '{unknown['name']}'. {hint}"
    else:
        value = _value_at(document, path)
        options = _options_at(kind, path)
        if options and isinstance(value, str):
            near = difflib.get_close_matches(value, options, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            return f"{file}, {path}: Expected one of: {', '.join(options)}; was {value!r}.{hint}"
        if value is not None and not isinstance(value, dict | list) and "was" not in problem:
            problem += f", was {value!r}"
        problem = problem.rstrip(".") + "."
    return f"{file}{', ' + path if path else ''}: {problem}"


def _struct_at(kind: type[msgspec.Struct], path: str) -> type[msgspec.Struct]:
    for name in filter(None, path.split(".")):
        field = typing.get_type_hints(kind).get(name)
        options = typing.get_args(field) if typing.get_origin(field) in (typing.Union, types.UnionType) else (field,)
        inner = next((one for one in options if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)
        if inner is None:
            return kind
        kind = inner
    return kind


def _options_at(kind: type[msgspec.Struct], path: str) -> list[str]:
    table, _, name = re.sub(r"\[\d+\]", "", path).rpartition(".")
    waiting = [typing.get_type_hints(_struct_at(kind, table)).get(name)]
    while waiting:
        found = waiting.pop()
        if isinstance(found, typing.TypeAliasType):
            found = found.__value__
        if typing.get_origin(found) is typing.Literal:
            return [str(one) for one in typing.get_args(found)]
        waiting += typing.get_args(found)
    return []


def _value_at(document: Any, path: str) -> Any:
    try:
        for part in filter(None, re.split(r"[.\[]", path)):
            document = document[int(part[:-1]) if part.endswith("]") else part]
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return document
