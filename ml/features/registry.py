"""The groups of features by name, and what is registered of each feature."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from fathom.ml.features.config import GROUPS, FeatureConfig
from fathom.ml.features.errors import UnknownFeatureError
from fathom.ml.features.group import Group
from fathom.ml.features.micro_price import MicroPriceTable
from fathom.ml.features.spec import FeatureSpec

_OWN: Final = ("orderbook", "candles", "indicators")


def classes(names: Iterable[str]) -> tuple[type[Group], ...]:
    """Return the classes of groups by name or "module:Group", each once, in Fathom's order and then in that of `names`.

    Raises
    ------
    SettingsError
        Where a name is unknown or cannot be imported.
    """
    own_first = sorted(names, key=lambda name: _OWN.index(name) if name in _OWN else len(_OWN))
    return tuple(dict.fromkeys(GROUPS.load(name) for name in own_first))


def left_out(names: Sequence[str]) -> set[str]:
    """Return the top groups that the classes of `names` compute beside the named ones.

    Examples
    --------
    >>> left_out(["candles"])
    {'indicators'}
    """
    return {
        top
        for group in classes(names)
        if not {*group.versions}.isdisjoint(names)
        for top in group.versions
        if top not in names
    }


def joined[K, V](parts: Iterable[Mapping[K, V]]) -> Mapping[K, V]:
    """Return one mapping of all."""
    return MappingProxyType({key: value for part in parts for key, value in part.items()})


def specs_of(names: Iterable[str]) -> Mapping[str, FeatureSpec]:
    """Return every feature of the groups by name."""
    return joined({spec.name: spec for spec in group.specs} for group in classes(names))


SPECS: Final = specs_of(_OWN)
"""Fathom's own features by name, in the order of the groups."""

NEUTRAL: Final = joined(group.neutral for group in classes(_OWN))
"""Neutral values of the features that have one (see `fathom.ml.features.filling`)."""

ALIKE: Final = joined(group.alike for group in classes(_OWN))
"""Pairs of features that may have a correlation beyond 0.999, and why.

Beside them all raw prices are alike, as they follow the price (`mid_price` stands for any of them above), and so are a
feature and its stationary form. This is why a model takes the stationary ones.
"""


def spec(name: str) -> FeatureSpec:
    """Return what a feature is.

    Raises
    ------
    UnknownFeatureError
        Where no feature has this name.

    Examples
    --------
    >>> spec("rsi_14").unit
    'percent'
    >>> spec("rsi_41")
    Traceback (most recent call last):
        ...
    fathom.ml.features.errors.UnknownFeatureError: Expected the name of a feature, was 'rsi_41'. Did you mean 'rsi_14'?
    """
    try:
        return SPECS[name]
    except KeyError:
        raise UnknownFeatureError(name, SPECS) from None


def build_groups(
    config: FeatureConfig, *, price_increment: float, size_increment: float, micro_price: MicroPriceTable | None = None
) -> list[Group]:
    """Return the groups that compute the features of `config` for an instrument with these increments."""
    return [
        group.of(config, price_increment=price_increment, size_increment=size_increment, micro_price=micro_price)
        for group in classes(config.groups)
    ]
