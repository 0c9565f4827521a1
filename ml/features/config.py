"""Settings of a feature set: which features, on which grid, from which bars."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from fathom.settings.doors import Registry

"""Nanoseconds in a millisecond."""

GROUPS: Final = Registry(
    "feature_group",
    {
        "orderbook": "fathom.ml.features.orderbook:OrderBookFeatures",
        "candles": "fathom.ml.features.bar_group:BarGroup",
        "indicators": "fathom.ml.features.bar_group:BarGroup",
    },
)
"""Classes by the name of a top group; see `fathom.ml.features.Group`."""


def _repeats(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


class FeatureConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a `FeatureSet`.

    Parameters
    ----------
    groups : tuple of str
        Top groups to compute: ``orderbook``, ``candles``, ``indicators``, or your own as ``"module:Group"``.
    features : {"all", "stationary"} or tuple of str
        Columns of a vector: every feature of the groups, those that a model may use as they are, or the named ones.
    grid_ms : int
        Distance of the grid times, multiples of which since the epoch are sampled. The vector for grid time T uses
        exactly the events with ``ts_init < T``.
    bar_ms : int
        Length of a bar. One second suits a busy perpetual; a slow market needs up to a minute.
    bars : {"trades", "outside"}
        Whether bars are built from the trades, or closed bars are fed beside the events.
    depth : int
        Levels a side that the feed of the book shows, such as 200 for ``orderbook.200``; 0 where it shows every change.
    max_silence_ms : int
        A grid time later than this after the last event before it gets no vector: the feed is dead, not quiet.

    Examples
    --------
    >>> config = msgspec.json.decode(b'{"bar_ms": 5000, "features": ["rsi_14"]}', type=FeatureConfig)
    >>> config.bar_ms, config.grid_ms, config.features
    (5000, 1000, ('rsi_14',))
    """

    groups: tuple[str, ...] = ("orderbook", "candles", "indicators")
    features: Literal["all", "stationary"] | tuple[str, ...] = "all"
    grid_ms: int = 1_000
    bar_ms: int = 1_000
    bars: Literal["trades", "outside"] = "trades"
    depth: int = 0
    max_silence_ms: int = 300_000

    def __post_init__(self) -> None:
        for name in ("grid_ms", "bar_ms", "max_silence_ms"):
            value = getattr(self, name)
            if value <= 0:
                raise ValueError(f"Expected {name} above 0, was {value}")
        if self.depth < 0:
            raise ValueError(f"Expected depth of 0 (every change) or more, was {self.depth}")
        if not self.groups or len(set(self.groups)) != len(self.groups):
            raise ValueError(f"Expected groups to be distinct and not empty, was {list(self.groups)}")
        if not self.features or (self.features not in ("all", "stationary") and _repeats(self.features)):
            raise ValueError(f"Expected features to be distinct and not empty, was {list(self.features)}")
        for name in self.groups:
            GROUPS.place(name)

    @property
    def reads_book(self) -> bool:
        """Whether a group reads the changes of the order book, not the trades alone."""
        return any(GROUPS.load(name).reads_book for name in self.groups)
