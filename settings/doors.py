"""Doors for a user's own code: every registry takes its own names, `"module:Name"` and entry points of packages."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final

from fathom.settings.errors import SettingsError
from fathom.settings.nearest import nearest
from fathom.settings.own_modules import import_own

PLUGINS: Final = "fathom.plugins"
"""Group of the entry points, each named `kind.name`: `detector.iceberg = "my_package.iceberg:Iceberg"`."""


class Registry(Mapping[str, str]):
    """Names of one kind of thing, and where each lives.

    A module is imported only when its thing is asked for.

    Parameters
    ----------
    kind : str
        One word, such as `detector`: it stands in errors and in the names of entry points.
    entries : Mapping[str, str]
        Name -> "module:Name".

    Examples
    --------
    >>> kinds = Registry("mapping", {"ordered": "collections:OrderedDict"})
    >>> kinds.load("ordered").__name__, kinds.load("collections:Counter").__name__
    ('OrderedDict', 'Counter')
    >>> kinds.load("orderd")
    Traceback (most recent call last):
    ...
    fathom.settings.errors.SettingsError: Expected the name of a mapping, was 'orderd'. Did you mean 'ordered'? \
Your own code: "module:Name".
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, str]:
        prefix = f"{self.kind}."
        outside = {name.removeprefix(prefix): place for name, place in _plugins() if name.startswith(prefix)}
        return {**outside, **self._entries}

    def place(self, name: str) -> str:
        """Return "module:Name" of a registered name, or of a name that is such a place already.

        Raises
        ------
        SettingsError
            The name is not registered and is no "module:Name".
        """
        known = self._all()
        if name in known:
            return known[name]
        module, colon, attribute = name.partition(":")
        if colon and module and attribute:
            return name
        kind = self.kind.replace("_", " ")
        article = "an" if kind[0] in "aeiou" else "a"
        raise SettingsError(
            f"Expected the name of {article} {kind}, was '{name}'. {nearest(name, known)} "
            'Your own code: "module:Name".'
        )

    def load(self, name: str) -> Any:
        """Return the thing of a name.

        Raises
        ------
        SettingsError
            The name is unknown, its module cannot be imported, or the module has no such attribute.
        """
        return load(self.place(name), kind=self.kind)


def load(place: str, *, kind: str = "object") -> Any:
    """Return the object at "module:Name".

    Raises
    ------
    SettingsError
        There is none; the message says why.

    Examples
    --------
    >>> load("math:pi")
    3.141592653589793
    """
    name, _, attribute = place.partition(":")
    try:
        module = import_own(name)
    except ImportError as error:
        raise SettingsError(
            f"Expected a module '{name}' for the {kind} '{place}', was none that can be imported: {error}. "
            "Python looks in the folder of the configuration, in the current folder and in the installed packages."
        ) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        public = [known for known in vars(module) if not known.startswith("_")]
        raise SettingsError(
            f"Expected '{attribute}' in the module '{name}', was absent. {nearest(attribute, public)}"
        ) from None


@cache
def _plugins() -> tuple[tuple[str, str], ...]:
    return tuple((point.name, point.value) for point in entry_points(group=PLUGINS))
