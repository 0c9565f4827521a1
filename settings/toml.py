"""Configurations: TOML files and `--set` become one validated struct, and one TOML text again."""

import copy
import datetime
import json
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from fathom.settings.errors import SettingsError
from fathom.settings.nearest import did_you_mean
from fathom.settings.own_modules import importable

type Steps = tuple[str | int, ...]

type ConfigPath = Annotated[str, Meta(extra={"path": True})]
"""A file or a folder: relative to the file that names it, or to the current folder where a `--set` names it."""

MOST_SEED: Final = 2**63 - 1
"""The highest seed of anything."""

_MOST_BYTES: Final = 1_000_000
_DEEPEST: Final = 50

_PLACE: Final = re.compile(r"^(?P<problem>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_SHIPPED: Final = Path(__file__).resolve().parent.parent / "configs"


def read[Config](kind: type[Config], files: Path | str | Iterable[Path | str], changes: Iterable[str] = ()) -> Config:
    """Return the configuration of TOML files, later over earlier, then of `KEY=VALUE` changes.

    Parameters
    ----------
    kind
        A frozen msgspec struct that forbids unknown fields. Its fields of type `ConfigPath` come back absolute.
    files
        One or more; none for the defaults.
    changes
        Such as `venue.leverage=5` or `nets.0.name=compact`.

    Raises
    ------
    SettingsError
        Naming the file (or the change), the path in it, what was expected and the nearest valid name.

    Examples
    --------
    >>> class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ...     rows: int = 10
    >>> read(Window, [], ["rows=20"])
    Window(rows=20)
    """
    layers = Layers.read([files] if isinstance(files, Path | str) else files, changes)
    return decode(kind, layers.settings, layers)


def shipped(name: Path | str) -> Path | None:
    """Return a configuration that comes with Fathom, such as `configs/training/demo.toml` or `training/demo.toml`.

    Examples
    --------
    >>> shipped("training/demo.toml") == shipped("configs/training/demo.toml")
    True
    >>> shipped("no/such.toml") is None
    True
    """
    path = _SHIPPED / str(name).removeprefix("configs/")
    return path if not Path(name).is_absolute() and path.is_file() else None


class _Source(NamedTuple):
    # Where a value was set: as an error names it, and the folder to which its paths are relative.
    name: str
    folder: Path


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
        self._sources: dict[Steps, _Source] = {}
        self._names: list[str] = []

    @classmethod
    def read(cls, files: Iterable[Path | str | Mapping[str, Any]], changes: Iterable[str] = ()) -> "Layers":
        """Return the merged content of TOML files or dicts, later over earlier, then of `KEY=VALUE` changes.

        A file that is absent but ships with Fathom is read from there. Modules beside a file can be imported.
        """
        layers = cls()
        folders: list[Path] = []
        for file in files:
            if isinstance(file, Mapping):
                layers.add(file, "config")
                continue
            path = file if Path(file).is_file() else shipped(file) or file
            folder = Path(path).absolute().parent
            layers.add(read_toml(path), str(path), folder)
            folders.append(folder)
        importable(*folders)
        for change in changes:
            layers.assign(change)
        return layers

    def add(self, settings: Mapping[str, Any], name: str, folder: Path | None = None) -> None:
        """Merge settings over the present ones; their paths are relative to a folder, by default the current one."""
        self._names.append(name)
        self._merge(self.settings, copy.deepcopy(dict(settings)), (), _Source(name, folder or Path.cwd()))

    def assign(self, change: str) -> None:
        """Set one value: `venue.fees.maker=0.0001`, `strategies.0.parameters.bars=1-MINUTE-LAST-INTERNAL`.

        The value is read as TOML; what is no TOML value is a text.
        """
        shown = change if len(change) <= 200 else f"{change[:200]}..."
        source = _Source(f"--set {shown}", Path.cwd())
        key, equals, text = change.partition("=")
        names = _names(key)
        if not (equals and names):
            raise SettingsError("Expected KEY=VALUE, such as venue.leverage=5.", source=source.name)
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        except (ValueError, RecursionError) as error:
            problem = "Expected a number of fewer digits and arrays less deep"
            raise SettingsError(f"{problem}, was {len(text):,} letters.", source=f"--set {key}") from error
        place: Any = self.settings
        steps: Steps = ()
        for name, following in zip(names, [*names[1:], None], strict=True):
            step: str | int = name
            if isinstance(place, list):
                if not name.isdigit() or int(name) >= len(place):
                    problem = f"Expected an index below {len(place)} into {dotted(steps)}, was '{name}'."
                    raise SettingsError(problem, source=source.name)
                step = int(name)
            elif not isinstance(place, dict):
                problem = f"Expected a table or an array at {dotted(steps)}, was {place!r}."
                raise SettingsError(problem, source=source.name)
            steps = (*steps, step)
            if following is None:
                place[step] = value
            elif isinstance(place, dict):
                place = place.setdefault(step, [{}] if following == "0" else {})
            else:
                place = place[step]
        self._sources[steps] = source

    def source(self, path: Steps) -> str:
        """Return where the value at a path, or the nearest table around it, was set last."""
        inner = [source.name for known, source in self._sources.items() if known[: len(path)] == path]
        if inner and path:
            return inner[-1]
        around = self._around(path)
        return around.name if around else ", ".join(self._names) or "the configuration"

    def absolute(self, path: Steps, text: str) -> str:
        """Return a path that stands at a place, absolute; what is empty or a URL is no path."""
        if not text or "://" in text:
            return text
        source = self._around(path)
        return os.path.normpath((source.folder if source else Path.cwd()) / text)

    def error(self, problem: str, path: Steps) -> SettingsError:
        """Return the error of what stands at a path."""
        return SettingsError(problem, source=self.source(path), path=dotted(path))

    def _around(self, path: Steps) -> _Source | None:
        known = (self._sources.get(path[:length]) for length in range(len(path), 0, -1))
        return next((source for source in known if source), None)

    def _merge(self, into: dict[str, Any], settings: dict[str, Any], above: Steps, source: _Source) -> None:
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
        if (size := Path(file).stat().st_size) > _MOST_BYTES:
            raise SettingsError(
                f"Expected a TOML file of at most {_MOST_BYTES:,} bytes, was {size:,}.", source=str(file)
            )
        content = tomllib.loads(Path(file).read_text(encoding="utf-8-sig"))
        if _is_deeper(content, _DEEPEST):
            raise SettingsError(f"Expected at most {_DEEPEST} tables within each other, was more.", source=str(file))
        return content
    except FileNotFoundError as error:
        folder = Path(file).parent
        hint = did_you_mean(str(file), [str(path) for path in sorted(folder.glob("*.toml"))])
        raise SettingsError(f"Expected a TOML file, was none.{hint}", source=str(file)) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"Expected a TOML file in UTF-8: {error}. Save it as UTF-8.", source=str(file)) from error
    except RecursionError as error:
        raise SettingsError(
            f"Expected at most {_DEEPEST} tables or arrays within each other, was more.", source=str(file)
        ) from error
    except (ValueError, OSError) as error:  # a TOMLDecodeError, or a number of thousands of digits
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"Expected a TOML file: {str(error).partition(';')[0]}.", source=str(file)) from error


def _is_deeper(value: Any, levels: int) -> bool:
    inner: list[Any] = [value]
    while inner and levels:
        inner = [each for one in inner for each in (one.values() if isinstance(one, dict) else one)]
        inner = [each for each in inner if isinstance(each, dict | list)]
        levels -= 1
    return bool(inner)


def decode[T](kind: type[T], settings: Any, layers: Layers, above: Steps = ()) -> T:
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
        return msgspec.convert(_with_paths(kind, settings, layers, above), kind)
    except msgspec.ValidationError as error:
        matched = _PLACE.match(str(error))
        assert matched is not None
        steps: Steps = ()
        for name, index in _STEP.findall(matched["path"] or ""):
            step = _failing_key(kind, settings, steps) if index == "..." else name or int(index)
            steps = (*steps, step)
        raise _explained(kind, settings, layers, above, steps, matched["problem"]) from error


def _with_paths(kind: Any, value: Any, layers: Layers, path: Steps) -> Any:
    # The value, with every `ConfigPath` in it absolute.
    if isinstance(kind, typing.TypeAliasType):
        return _with_paths(kind.__value__, value, layers, path)
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is Annotated:
        if isinstance(value, str) and any(
            isinstance(mark, Meta) and (mark.extra or {}).get("path") for mark in arguments
        ):
            return layers.absolute(path, value)
        return _with_paths(arguments[0], value, layers, path)
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        for argument in arguments:
            value = _with_paths(argument, value, layers, path)
    elif isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        return {key: _with_paths(fields.get(key), inner, layers, (*path, key)) for key, inner in value.items()}
    elif isinstance(value, dict) and len(arguments) == 2:
        return {key: _with_paths(arguments[1], inner, layers, (*path, key)) for key, inner in value.items()}
    elif isinstance(value, list) and arguments:
        return [_with_paths(arguments[0], inner, layers, (*path, at)) for at, inner in enumerate(value)]
    return value


def _failing_key(kind: Any, settings: Any, path: Steps) -> str:
    # msgspec writes "..." where a key of a mapping stands.
    for key, value in _value_at(settings, path).items():
        try:
            msgspec.convert(value, _type_at(kind, (*path, key)))
        except msgspec.ValidationError:
            return str(key)
    return "..."


def _explained(kind: Any, settings: Any, layers: Layers, above: Steps, path: Steps, problem: str) -> SettingsError:
    value = _value_at(settings, path)
    full = (*above, *path)
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem):
        names = [field.encode_name for field in msgspec.structs.fields(_type_at(kind, path))]
        hint = did_you_mean(unknown[1], names)
        return layers.error(f"Expected one of: {', '.join(names)}.{hint}", (*full, unknown[1]))
    if missing := re.fullmatch(r"Object missing required field `(.*)`", problem):
        known = f"was only {', '.join(value)}" if isinstance(value, dict) and value else "was absent"
        return layers.error(f"Expected a value, {known}.", (*full, missing[1]))
    # msgspec quotes what it names; a check of a struct states the value itself.
    ours = "`" not in problem and not problem.startswith("Invalid enum")
    problem = re.sub(r", got .*$", "", problem.replace("`", "").rstrip("."))
    options = _options(_type_at(kind, path))
    if options and not ours:
        hint = did_you_mean(str(value), options)
        return layers.error(f"Expected one of: {', '.join(options)}; was {value!r}.{hint}", full)
    was = f", was {value!r} ({type(value).__name__})"
    if isinstance(value, dict):
        was = ", was a table"
    elif isinstance(value, list):
        was = f", was an array of {len(value)}"
    return layers.error(f"{problem}{'' if ours else was}.", full)


def dotted(path: Steps) -> str:
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
            yield f"{_key(key)} = {toml_value(value)}"
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


def toml_value(value: Any) -> str:
    """Return a value as TOML writes it.

    Examples
    --------
    >>> toml_value(("a", 1.5, True)), toml_value(1e-7)
    ('["a", 1.5, true]', '1e-07')
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case datetime.datetime() | datetime.date():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(toml_value(inner) for inner in value)}]"
    return json.dumps(str(value), ensure_ascii=False)


def _names(key: str) -> list[str]:
    # The parts of a dotted key, which TOML may quote; none where it is no key.
    names = []
    try:
        place: Any = tomllib.loads(f"{key} = 0")
        while isinstance(place, dict):
            ((name, place),) = place.items()
            names.append(name)
    except ValueError:
        return []
    return names


def _value_at(settings: Any, path: Steps) -> Any:
    for step in path:
        try:
            settings = settings[step]
        except (KeyError, IndexError, TypeError):
            return None
    return settings


def _type_at(kind: Any, path: Steps) -> Any:
    for step in path:
        kind = _plain(kind)
        arguments = typing.get_args(kind)
        if isinstance(step, int) and arguments:
            kind = arguments[0]
        elif len(arguments) == 2:
            kind = arguments[1]
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            kind = next((field.type for field in msgspec.structs.fields(kind) if field.encode_name == step), Any)
        else:
            return Any
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
