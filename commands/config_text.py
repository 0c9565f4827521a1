"""A configuration as text: every value, defaults included, and what each means."""

import datetime
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAliasType, get_args

import msgspec

from fathom.settings.toml import toml_value

_WIDTH: Final = 100
_SECTION: Final = re.compile(r"^(?:Parameters|Attributes)\n-+\n(.*?)(?=^\S[^\n]*\n---+$|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY: Final = re.compile(r"^(?P<names>\w+(?:, \w+)*)(?: *:[^\n]*)?\n(?P<meaning>(?:[ ]+[^\n]*\n|\n)*)", re.MULTILINE)


def config_text(config: Any, replaced: Mapping[str, Any] | None = None) -> str:
    """Return a configuration as TOML with all its values and their meaning; what is not set stands in a comment.

    Parameters
    ----------
    config : msgspec.Struct or mapping
        The meaning of a field is taken from the section Parameters or Attributes of its struct's docstring.
    replaced : mapping, optional
        Other values for fields of it, such as parameters that were decoded later.

    Examples
    --------
    >>> class Window(msgspec.Struct):
    ...     '''A window.
    ...
    ...     Parameters
    ...     ----------
    ...     rows : int
    ...         How many rows are kept.
    ...     '''
    ...
    ...     rows: int = 10
    >>> print(config_text(Window()), end="")
    # How many rows are kept.
    rows = 10
    """
    return "\n".join(_lines(_fields(config, replaced or {}), "")).strip() + "\n"


def plain(config: Any, replaced: Mapping[str, Any] | None = None) -> Any:
    """Return a configuration as plain data, every value included."""
    return {name: msgspec.to_builtins(value, enc_hook=str) for name, value, _ in _fields(config, replaced or {})}


def meanings(kind: type) -> dict[str, str]:
    """Return what the docstring of a struct, and of those that it extends, says of each field.

    Of a field that holds a struct, and of which it says nothing, it is the first line of that struct's docstring.

    Examples
    --------
    >>> class Window(msgspec.Struct):
    ...     '''A window.
    ...
    ...     Attributes
    ...     ----------
    ...     rows, columns
    ...         Of the window.
    ...     '''
    >>> meanings(Window)
    {'rows': 'Of the window.', 'columns': 'Of the window.'}
    """
    known = {field.name: _first_line(field.type) for field in msgspec.structs.fields(kind)}
    for base in reversed(kind.__mro__):
        for section in _SECTION.findall(inspect.cleandoc(base.__doc__ or "") + "\n"):
            for entry in _ENTRY.finditer(section):
                if meaning := " ".join(entry["meaning"].replace("``", "`").split()):
                    known |= dict.fromkeys(entry["names"].split(", "), meaning)
    return known


def structs_in(kind: Any) -> list[type[msgspec.Struct]]:
    """Return the structs that a type names: itself, those of a union, those in a tuple or a mapping."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    parts = (kind.__value__,) if isinstance(kind, TypeAliasType) else get_args(kind)
    return [struct for part in parts for struct in structs_in(part)]


def _first_line(kind: Any) -> str:
    return next((inspect.cleandoc(struct.__doc__ or "").partition("\n")[0] for struct in structs_in(kind)), "")


type _Field = tuple[str, Any, str]


def _fields(value: Any, replaced: Mapping[str, Any]) -> list[_Field]:
    if isinstance(value, Mapping):
        return [(str(key), inner, "") for key, inner in value.items()]
    kind = type(value)
    known, settings = meanings(kind), kind.__struct_config__
    tag = [(settings.tag_field, settings.tag, "")] if settings.tag_field else []
    return tag + [
        (field.encode_name, replaced.get(field.name, getattr(value, field.name)), known.get(field.name, ""))
        for field in msgspec.structs.fields(kind)
    ]


def _lines(fields: list[_Field], above: str) -> Iterator[str]:
    for key, value, meaning in fields:
        if not _is_table(value) and not _is_tables(value):
            yield from _comment(meaning)
            text = msgspec.to_builtins(value, builtin_types=(datetime.datetime,), enc_hook=str)
            yield f"# {_key(key)} is not set" if text is None else f"{_key(key)} = {toml_value(text)}"
    for key, value, meaning in fields:
        full = f"{above}.{_key(key)}".removeprefix(".")
        for element in value if _is_tables(value) else [value] if _is_table(value) else []:
            yield ""
            yield from _comment(meaning)
            yield f"[{full}]" if _is_table(value) else f"[[{full}]]"
            yield from _lines(_fields(element, {}), full)


def _comment(meaning: str) -> list[str]:
    return textwrap.wrap(meaning, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping | msgspec.Struct)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_table, value))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else str(toml_value(name))
