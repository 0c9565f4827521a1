"""Public names of a package whose modules are imported at the first use of a name."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fathom.settings.nearest import nearest


def lazy_names(
    package: str, places: Mapping[str, str], subpackages: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package.

    Parameters
    ----------
    package : str
        Its `__name__`.
    places : Mapping[str, str]
        Public name -> module that holds it.
    subpackages : iterable of str
        Names of packages in it that need no import of their own.

    Examples
    --------
    >>> find, names = lazy_names("fathom.settings", {"nearest": "fathom.settings.nearest"})
    >>> find("nearest")("fe", ["fee"])
    "Did you mean 'fee'?"
    >>> find("nearst")
    Traceback (most recent call last):
    ...
    AttributeError: Expected a public name of fathom.settings, was 'nearst'. Did you mean 'nearest'?
    """
    inside = set(subpackages)

    def find(name: str) -> Any:
        if name in inside:
            return importlib.import_module(f"{package}.{name}")
        if name not in places:
            hint = "" if name.startswith("_") else f" {nearest(name, [*places, *inside])}"
            raise AttributeError(f"Expected a public name of {package}, was '{name}'.{hint}")
        value = getattr(importlib.import_module(places[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        special = (name for name in vars(sys.modules[package]) if name.startswith("__"))
        return sorted({*places, *inside, *special})

    return find, names
