"""Every registered feature: what it is, and which group computes it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from fathom.ml.features import bar_group, candles, indicators, orderbook
from fathom.ml.features.bar_group import BarGroup
from fathom.ml.features.config import MS, FeatureConfig
from fathom.ml.features.errors import UnknownFeatureError
from fathom.ml.features.group import Group
from fathom.ml.features.micro_price import MicroPriceTable
from fathom.ml.features.orderbook import OrderBookFeatures
from fathom.ml.features.spec import FeatureSpec

SPECS: Final[Mapping[str, FeatureSpec]] = MappingProxyType(
    {spec.name: spec for spec in (*orderbook.SPECS, *bar_group.SPECS)}
)
"""Every feature by name, in the order of the groups."""

NEUTRAL: Final[Mapping[str, float]] = MappingProxyType({**orderbook.NEUTRAL, **candles.NEUTRAL, **indicators.NEUTRAL})
"""Neutral values of the features that have one (see `fathom.ml.features.filling`)."""

ALIKE: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("returns", "log_returns"): "They differ by half their square: 5e-9 for a move of 1 bps. Both are on the list.",
        ("returns", "close_open_diff"): "A busy market opens a bar where the last one closed; a quiet one does not.",
        ("log_returns", "close_open_diff"): "As `returns` and `close_open_diff`.",
        ("bid_ask_spread_rel", "mid_price"): "Where the spread never leaves one tick, only the price under it moves.",
    }
)
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
    fathom.ml.features.errors.UnknownFeatureError: Expected the name of a feature, was 'rsi_41'; did you mean 'rsi_14'?
    """
    try:
        return SPECS[name]
    except KeyError:
        raise UnknownFeatureError(name, SPECS) from None


def build_groups(
    config: FeatureConfig, *, price_increment: float, size_increment: float, micro_price: MicroPriceTable | None = None
) -> list[Group]:
    """Return the groups that compute the features of `config` for an instrument with these increments."""
    groups: list[Group] = []
    if "orderbook" in config.groups:
        groups.append(
            OrderBookFeatures(
                price_increment=price_increment,
                size_increment=size_increment,
                grid_ms=config.grid_ms,
                bar_ms=config.bar_ms,
                depth=config.depth,
                micro_price=micro_price,
            )
        )
    if "candles" in config.groups or "indicators" in config.groups:
        groups.append(
            BarGroup(
                price_increment=price_increment,
                size_increment=size_increment,
                interval_ns=config.bar_ms * MS,
                outside=config.bars == "outside",
            )
        )
    return groups
