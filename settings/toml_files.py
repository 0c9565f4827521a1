"""Configuration files: several TOML files and settings become one validated struct, and one TOML text again."""

import copy
import datetime
import difflib
import json
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from fathom.settings.errors import SettingsError

type Path_ = tuple[str | int, ...]

_AT: Final = re.compile(r"^(?P<problem>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


class Layers:
    """Settings merged from files and `--set` options, remembering where each came from.

    Tables are merged key by key; any other value, arrays included, replaces the earlier one. Nothing is included from
    elsewhere: what is not in the files is a default.

    Examples
    --------
    >>> layers = Layers()
    >>> layers.add({"venue": {"leverage": 5}}, "base.toml")
    >>> layers.assign("venue.leverage=7")
    >>> layers.settings, layers.source(("venue", "leverage"))
    ({'venue': {'leverage': 7}}, '--set venue.leverage=7')
    """

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self._sources: dict[Path_, str] = {}
        self._names: list[str] = []

    @classmethod
    def read(cls, files: Iterable[Path | str | Mapping[str, Any]], assignments: Iterable[str] = ()) -> "Layers":
        """Return the merged content of TOML files or dicts, later over earlier, then of `KEY=VALUE` assignments."""
        layers = cls()
        for file in files:
            if isinstance(file, Mapping):
                layers.add(file, "config")
            else:
                layers.add(read_toml(file), str(file))
        for assignment in assignments:
            layers.assign(assignment)
        return layers

    def add(self, settings: Mapping[str, Any], source: str) -> None:
        """Merge settings over the present ones."""
        self._names.append(source)
        self._merge(self.settings, copy.deepcopy(dict(settings)), (), source)

    def assign(self, assignment: str) -> None:
        """Set one value: `venue.fees.maker=0.0001`, `strategies.0.parameters.bars=1-MINUTE-LAST-INTERNAL`.

        The value is read as TOML; what is no TOML value is a text.
        """
        key, equals, text = assignment.partition("=")
        source = f"--set {assignment}"
        if not (equals and key.strip()):
            raise SettingsError("Expected KEY=VALUE, such as venue.leverage=5.", source=source)
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        steps = tuple(int(step) if step.isdigit() else step for step in key.strip().split("."))
        place: Any = self.settings
        for at, step in enumerate(steps[:-1]):
            if isinstance(place, dict) and isinstance(step, str):
                place = place.setdefault(step, {})
            else:
                place = self._element(place, step, steps[:at], source)
        if isinstance(place, dict) and isinstance(steps[-1], str):
            place[steps[-1]] = value
        else:
            self._element(place, steps[-1], steps[:-1], source)
            place[steps[-1]] = value
        self._sources[steps] = source

    def source(self, path: Path_) -> str:
        """Return where the value at a path, or the nearest table around it, was set last."""
        inner = [source for known, source in self._sources.items() if known[: len(path)] == path]
        if inner and path:
            return inner[-1]
        for length in range(len(path) - 1, 0, -1):
            if path[:length] in self._sources:
                return self._sources[path[:length]]
        return ", ".join(self._names) or "the configuration"

    def _element(self, place: Any, step: str | int, above: Path_, source: str) -> Any:
        if isinstance(place, list) and isinstance(step, int) and step < len(place):
            return place[step]
        where = dotted(above) or "the configuration"
        size = f"an array of {len(place)}" if isinstance(place, list) else f"{place!r}"
        raise SettingsError(f"Expected an index into {where}, which is {size}, was '{step}'.", source=source)

    def _merge(self, into: dict[str, Any], settings: dict[str, Any], above: Path_, source: str) -> None:
        for key, value in settings.items():
            path = (*above, key)
            if isinstance(value, dict):
                if not isinstance(into.get(key), dict):
                    into[key] = {}
                self._sources.setdefault(path, source)
                self._merge(into[key], value, path, source)
            else:
                into[key] = value
                for known in [known for known in self._sources if known[: len(path)] == path]:
                    del self._sources[known]
                self._sources[path] = source


def read_toml(file: Path | str) -> dict[str, Any]:
    """Return the content of a TOML file; an unreadable one is a `SettingsError`."""
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        folder = Path(file).parent
        known = sorted(path.name for path in folder.glob("*.toml")) if folder.is_dir() else []
        near = difflib.get_close_matches(Path(file).name, known, n=1)
        hint = f" Did you mean {folder / near[0]}?" if near else ""
        raise SettingsError(f"Expected a TOML file, was none.{hint}", source=str(file)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"Expected a TOML file: {error}.", source=str(file)) from error


def decode[T](kind: type[T], settings: Any, layers: Layers, above: Path_ = ()) -> T:
    """Return settings as the struct `kind`, or raise a `SettingsError` with source, path, expectation and nearest name.

    `above` is the path of `settings` within the layers.

    Examples
    --------
    >>> class Fees(msgspec.Struct, forbid_unknown_fields=True):
    ...     maker: float
    >>> layers = Layers()
    >>> layers.add({"makr": 0.1}, "a.toml")
    >>> decode(Fees, layers.settings, layers)
    Traceback (most recent call last):
    ...
    fathom.settings.errors.SettingsError: a.toml: makr: Expected one of: maker. Did you mean 'maker'?
    """
    try:
        return msgspec.convert(settings, kind)
    except msgspec.ValidationError as error:
        matched = _AT.match(str(error))
        assert matched is not None
        steps = [
            (name or ("..." if index == "..." else int(index))) for name, index in _STEP.findall(matched["path"] or "")
        ]
        raise _explained(kind, settings, layers, above, tuple(steps), matched["problem"]) from error


def _explained(kind: Any, settings: Any, layers: Layers, above: Path_, path: Path_, problem: str) -> SettingsError:
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", problem)
    missing = re.fullmatch(r"Object missing required field `(.*)`", problem)
    if unknown or missing:
        names = [field.encode_name for field in msgspec.structs.fields(_type_at(kind, path))]
    if unknown:
        near = difflib.get_close_matches(unknown[1], names, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        full = (*above, *path, unknown[1])
        return SettingsError(
            f"Expected one of: {', '.join(names)}.{hint}", source=layers.source(full), path=dotted(full)
        )
    full = (*above, *path)
    if missing:
        found = _value_at(settings, path)
        known = f"was only {', '.join(found)}" if isinstance(found, dict) and found else "was absent"
        field = (*full, missing[1])
        return SettingsError(f"Expected a value, {known}.", source=layers.source(full), path=dotted(field))
    ours = "`" not in problem and not problem.startswith(
        "Invalid enum"
    )  # msgspec quotes what it names; a check of a struct states the value itself
    problem = re.sub(r", got .*$", "", problem.replace("`", "").rstrip("."))
    if not ours:
        value = _value_at(settings, path)
        options = _options(_type_at(kind, path))
        was = f"{value!r} ({type(value).__name__})"
        if isinstance(value, dict):
            was = "a table"
        elif isinstance(value, list):
            was = f"an array of {len(value)}"
        if options:
            near = difflib.get_close_matches(str(value), options, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            problem = f"Expected one of: {', '.join(options)}; was {value!r}.{hint}"
            return SettingsError(problem, source=layers.source(full), path=dotted(full))
        problem = f"{problem}, was {was}"
    return SettingsError(f"{problem}.", source=layers.source(full), path=dotted(full))


def dotted(path: Path_) -> str:
    """Return a path as text.

    Examples
    --------
    >>> dotted(("strategies", 0, "parameters", "bars"))
    'strategies[0].parameters.bars'
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def dump_toml(settings: Mapping[str, Any]) -> str:
    """Return plain data as TOML text; None is left out.

    Examples
    --------
    >>> print(dump_toml({"name": "x", "venue": {"fees": {"maker": 0.1}}, "runs": [{"a": 1}, {"a": None}]}), end="")
    name = "x"
    <BLANKLINE>
    [venue.fees]
    maker = 0.1
    <BLANKLINE>
    [[runs]]
    a = 1
    <BLANKLINE>
    [[runs]]
    """
    return "\n".join(_lines(settings, "")).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any], name: str) -> Iterable[str]:
    below: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) or _is_array_of_tables(value):
            below.append((key, value))
        elif value is not None:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in below:
        full = f"{name}.{_key(key)}".removeprefix(".")
        if isinstance(value, Mapping):
            if not value or any(not isinstance(inner, Mapping) for inner in value.values()):
                yield f"\n[{full}]"
            yield from _lines(value, full)
        else:
            for element in value:
                yield f"\n[[{full}]]"
                yield from _lines(element, full)


def _is_array_of_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(inner, Mapping) for inner in value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case datetime.datetime() | datetime.date():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(_value(inner) for inner in value)}]"
    return json.dumps(str(value), ensure_ascii=False)


def _value_at(settings: Any, path: Path_) -> Any:
    for step in path:
        try:
            settings = settings[step]
        except (KeyError, IndexError, TypeError):
            return None
    return settings


def _type_at(kind: Any, path: Path_) -> Any:
    for step in path:
        kind = _plain(kind)
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if isinstance(step, int) and arguments:
            kind = arguments[0]
        elif origin is dict:
            kind = arguments[1]
        else:
            kind = next(field.type for field in msgspec.structs.fields(kind) if field.encode_name == step)
    return _plain(kind)


def _plain(kind: Any) -> Any:
    if isinstance(kind, typing.TypeAliasType):
        return _plain(kind.__value__)
    if typing.get_origin(kind) is Annotated:
        return _plain(typing.get_args(kind)[0])
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        inner = [argument for argument in typing.get_args(kind) if argument is not type(None)]
        return _plain(inner[0])
    return kind


def _options(kind: Any) -> list[str]:
    return [str(value) for value in typing.get_args(kind)] if typing.get_origin(kind) is typing.Literal else []
