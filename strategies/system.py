"""The strategies and actors by name, and their instances: what a backtest and the live node run."""

import base64
import hashlib
from collections.abc import Container, Iterable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

import pyarrow as pa

from fathom.strategies.registry import ACTORS, STRATEGIES, Entry, find
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.trading.native import check_fields, is_native, native_config
from fathom.strategies.trading.pacer import Pacer

__all__ = ["ACTORS", "STRATEGIES", "Entry", "KeepsTables", "LeavesNotes", "build", "build_actor", "find"]

_LONGEST_TAG: Final = 7  # of an order id of 36 characters, with a six-digit count


@runtime_checkable
class SharesRisk(Protocol):
    """A strategy that takes a seat at the risk book of its account."""

    def join(self, book: RiskBook, pacer: Pacer | None = None) -> None:
        """Let the limits and the pace of the account hold for this strategy."""


@runtime_checkable
class ReadsBook(Protocol):
    """The settings of a component that reads the book."""

    @property
    def depth_read(self) -> tuple[str, int]:
        """The setting that states how many levels a side are read, and its value; 0 for all."""


@runtime_checkable
class KeepsTables(Protocol):
    """A component that leaves tables for the run directory."""

    def tables(self) -> dict[str, pa.Table]:
        """Return the tables by name."""


@runtime_checkable
class LeavesNotes(Protocol):
    """A component that leaves sentences for the notes of the run."""

    def notes(self) -> list[str]:
        """Return the sentences."""


def check(entry: Entry, values: Mapping[str, Any]) -> None:
    """Raise ValueError if values are not those of a configuration of the engine's own kind."""
    check_fields(entry.config, values)


def build(
    entry: Entry,
    config: Any,
    instruments: Iterable[str],
    taken: set[str],
    book: RiskBook | None = None,
    pacer: Pacer | None = None,
) -> list[Any]:
    """Return one engine strategy for each instrument, with tags not yet in `taken` (which grows).

    The tag is the symbol, or a short name for a long one: it ends the strategy's id, and stands in the ids of its
    orders. All bracket strategies of one account share `book` and `pacer`, so that its limits and the venue's pace hold
    for them together; without them, each has an own book without limits, and an own pace.

    Examples
    --------
    >>> entry = find("supertrend")
    >>> [str(s.strategy_id) for s in build(entry, entry.config(), ["BTCUSDT-LINEAR.BYBIT"], set())]
    ['SuperTrend-BTCUSDT']
    """
    strategies = []
    for instrument in instruments:
        tag = order_tag(instrument, taken)
        taken.add(tag)
        name = f"{entry.component.__name__}-{tag}"
        if is_native(entry.config):
            strategies.append(entry.component(native_config(entry.config, config, name, instrument)))
        else:
            strategies.append(entry.component(config, instrument, name))
        if book is not None and isinstance(strategies[-1], SharesRisk):
            strategies[-1].join(book, pacer)
    return strategies


def order_tag(instrument: str, taken: Container[str] = ()) -> str:
    """Return what stands for an instrument in the ids of its orders: at most 7 letters and digits, not in `taken`.

    The venue takes order ids of 36 characters; `O-20261201-001548-001-1000PEPUSDT-123456` would have more.

    Examples
    --------
    >>> order_tag("BTCUSDT-LINEAR.BYBIT"), order_tag("1000PEPEUSDT-LINEAR.BYBIT")
    ('BTCUSDT', '1005IHV')
    """
    symbol = instrument.rpartition(".")[0].removesuffix("-LINEAR").replace("-", "")
    if len(symbol) <= _LONGEST_TAG and symbol.isascii() and symbol.isalnum() and symbol not in taken:
        return symbol
    letters = "".join(letter for letter in symbol if letter.isascii() and letter.isalnum())[:3]
    tag, count = "", 0
    while not tag or tag in taken:
        digest = hashlib.sha256(f"{instrument} {count}".encode()).digest()
        tag, count = (letters + base64.b32hexencode(digest).decode())[:_LONGEST_TAG], count + 1
    return tag


def book_depth(actors: Iterable[Any], wanted: int | None = None) -> int | None:
    """Return how many levels a side of the book the actors with these configurations read; None for all.

    The engine gives one book feed of an instrument to a system, so that all its components must ask for the same.

    Raises
    ------
    ValueError
        Two actors ask for different depths, or one for another than `wanted` (0: all).

    Examples
    --------
    >>> import msgspec
    >>> from fathom.ml.features import FeatureConfig
    >>> features, detection = (find(name, "actor").config for name in ("features", "detection"))
    >>> names = ("BTCUSDT-LINEAR.BYBIT",)
    >>> ours = features(instruments=names, features=msgspec.convert({"depth": 50}, FeatureConfig))
    >>> book_depth([ours]), book_depth([])
    (50, None)
    >>> book_depth([ours, detection(instruments=names)])
    Traceback (most recent call last):
    ...
    ValueError: Expected one depth of the book in a system, was features.depth = 50, watch.surveillance.depth = 0
    """
    stated = {} if wanted is None else {"data.depth": wanted}
    asked = stated | dict(config.depth_read for config in actors if isinstance(config, ReadsBook))
    if len(set(asked.values())) > 1:
        listing = ", ".join(f"{place} = {depth}" for place, depth in asked.items())
        raise ValueError(f"Expected one depth of the book in a system, was {listing}")
    return next(iter(asked.values()), None) or None


def build_actor(entry: Entry, config: Any, taken: set[str]) -> Any:
    """Return an engine actor with an id not yet in `taken` (which grows).

    Examples
    --------
    >>> entry = find("features", "actor")
    >>> str(build_actor(entry, entry.config(instruments=("BTCUSDT-LINEAR.BYBIT",)), set()).actor_id)
    'FeatureActor-001'
    """
    count = 1
    while f"{entry.component.__name__}-{count:03d}" in taken:
        count += 1
    name = f"{entry.component.__name__}-{count:03d}"
    taken.add(name)
    if is_native(entry.config):
        return entry.component(native_config(entry.config, config, name, ""))
    return entry.component(config, name)
