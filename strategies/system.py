"""The strategies and actors by name, and their instances: what a backtest and the live node run."""

import contextlib
import difflib
import importlib
import operator
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from fathom.strategies.risk.book import RiskBook


class Entry(NamedTuple):
    """Where a strategy or actor lives: `module:Class` of the engine's component and of its configuration struct."""

    component: str
    config: str


STRATEGIES: Final[Mapping[str, Entry]] = {
    "ensemble": Entry("fathom.strategies.ensemble:Ensemble", "fathom.strategies.ensemble:EnsembleConfig"),
    "momentum": Entry("fathom.strategies.momentum:Momentum", "fathom.strategies.momentum:MomentumConfig"),
    "sar_wave": Entry("fathom.strategies.sar_wave:SarWave", "fathom.strategies.sar_wave:SarWaveConfig"),
    "supertrend": Entry("fathom.strategies.supertrend:SuperTrend", "fathom.strategies.supertrend:SuperTrendConfig"),
    "volume_profile": Entry(
        "fathom.strategies.volume_profile:VolumeProfile", "fathom.strategies.volume_profile:VolumeProfileConfig"
    ),
}
"""Name in the configuration -> path strings, so that only the strategies of a run are imported."""

ACTORS: Final[Mapping[str, Entry]] = {
    "detection": Entry("fathom.actors.detection:DetectionActor", "fathom.actors.detection:DetectionActorConfig"),
    "features": Entry("fathom.actors.features:FeatureActor", "fathom.actors.features:FeatureActorConfig"),
    "validation": Entry("fathom.actors.validation:ValidationActor", "fathom.actors.validation:ValidationActorConfig"),
}
"""The same for actors: they speak with the strategies over the message bus only."""


def load(path: str) -> Any:
    """Return the object at `module:Name`.

    Examples
    --------
    >>> load("fathom.strategies.supertrend:SuperTrendConfig").__name__
    'SuperTrendConfig'
    """
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def find(name: str, kind: str = "strategy") -> Entry:
    """Return the entry of a name, or of `module:Class` paths given as `"module:Class,module:Config"`.

    Parameters
    ----------
    name
        As in the configuration.
    kind
        `strategy` or `actor`.

    Examples
    --------
    >>> find("supertrnd")
    Traceback (most recent call last):
    ...
    ValueError: Expected the name of a strategy, was 'supertrnd'. Did you mean 'supertrend'?
    """
    known = STRATEGIES if kind == "strategy" else ACTORS
    if name in known:
        return known[name]
    if name.count(":") == 2 and name.count(",") == 1:
        return Entry(*name.split(","))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(sorted(known))}."
    raise ValueError(f"Expected the name of a{'n' * (kind == 'actor')} {kind}, was '{name}'. {hint}")


def build(
    entry: Entry, config: Any, instruments: Iterable[str], taken: set[str], book: RiskBook | None = None
) -> list[Any]:
    """Return one engine strategy for each instrument, with tags not yet in `taken` (which grows).

    The tag is the symbol: it ends the strategy's id, and stands in the ids of its orders. All bracket strategies of one
    account share `book`, so that its limits hold for them together; without one, each has an own book without limits.

    Examples
    --------
    >>> entry = find("supertrend")
    >>> [str(s.strategy_id) for s in build(entry, load(entry.config)(), ["BTCUSDT-LINEAR.BYBIT"], set())]
    ['SuperTrend-BTCUSDT']
    """
    strategy = load(entry.component)
    made = []
    for instrument in instruments:
        symbol = instrument.rpartition(".")[0].removesuffix("-LINEAR").replace("-", "")
        tag, count = symbol, 1
        while tag in taken:
            count += 1
            tag = f"{symbol}x{count}"
        taken.add(tag)
        made.append(strategy(config, instrument, f"{strategy.__name__}-{tag}"))
        if book is not None and hasattr(made[-1], "join"):
            made[-1].join(book)
    return made


def book_depth(actors: Iterable[Any]) -> int | None:
    """Return how many levels a side of the book the actors with these configurations read; None for all.

    The engine gives one book feed of an instrument to a system, so that all its components must ask for the same.

    Raises
    ------
    ValueError
        Two actors ask for different depths.

    Examples
    --------
    >>> import msgspec
    >>> from fathom.ml.features import FeatureConfig
    >>> features, detection = (load(find(name, "actor").config) for name in ("features", "detection"))
    >>> names = ("BTCUSDT-LINEAR.BYBIT",)
    >>> ours = features(instruments=names, features=msgspec.convert({"depth": 50}, FeatureConfig))
    >>> book_depth([ours]), book_depth([])
    (50, None)
    >>> book_depth([ours, detection(instruments=names)])
    Traceback (most recent call last):
    ...
    ValueError: Expected one depth of the book in a system, was features.depth = 50, watch.surveillance.depth = 0
    """
    asked: dict[str, int] = {}
    for config in actors:
        for place in ("features.depth", "watch.surveillance.depth"):
            with contextlib.suppress(AttributeError):
                asked[place] = operator.attrgetter(place)(config)
    if len(set(asked.values())) > 1:
        told = ", ".join(f"{place} = {depth}" for place, depth in asked.items())
        raise ValueError(f"Expected one depth of the book in a system, was {told}")
    return next(iter(asked.values()), None) or None


def build_actor(entry: Entry, config: Any, taken: set[str]) -> Any:
    """Return an engine actor with an id not yet in `taken` (which grows).

    Examples
    --------
    >>> entry = find("features", "actor")
    >>> config = load(entry.config)(instruments=("BTCUSDT-LINEAR.BYBIT",))
    >>> str(build_actor(entry, config, set()).actor_id)
    'FeatureActor-001'
    """
    actor = load(entry.component)
    count = 1
    while f"{actor.__name__}-{count:03d}" in taken:
        count += 1
    name = f"{actor.__name__}-{count:03d}"
    taken.add(name)
    return actor(config, name)
