"""The strategies by name, and the wiring of a configured one: validated parameters, an instance for each instrument."""

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple


class Entry(NamedTuple):
    """Where a strategy lives: `module:Class` of the engine strategy and of its configuration struct."""

    strategy: str
    config: str


STRATEGIES: Final[Mapping[str, Entry]] = {
    "supertrend": Entry("strategies.supertrend:SuperTrend", "strategies.supertrend:SuperTrendConfig"),
}
"""Name in the configuration -> path strings, so that only the strategies of a run are imported."""


def load(path: str) -> Any:
    """Return the object at `module:Name`.

    Examples
    --------
    >>> load("strategies.supertrend:SuperTrendConfig").__name__
    'SuperTrendConfig'
    """
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def find(name: str) -> Entry:
    """Return the entry of a strategy name, or of `module:Class` paths given as `"module:Class,module:Config"`.

    Examples
    --------
    >>> find("supertrnd")
    Traceback (most recent call last):
    ...
    ValueError: Expected the name of a strategy, was 'supertrnd'. Did you mean 'supertrend'?
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    if name.count(":") == 2 and name.count(",") == 1:
        return Entry(*name.split(","))
    near = difflib.get_close_matches(name, STRATEGIES, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(sorted(STRATEGIES))}."
    raise ValueError(f"Expected the name of a strategy, was '{name}'. {hint}")


def build(entry: Entry, config: Any, instruments: Iterable[str], taken: set[str]) -> list[Any]:
    """Return one engine strategy for each instrument, with tags not yet in `taken` (which grows).

    The tag is the symbol: it ends the strategy's id, and stands in the ids of its orders.

    Examples
    --------
    >>> entry = find("supertrend")
    >>> [str(s.strategy_id) for s in build(entry, load(entry.config)(), ["BTCUSDT-LINEAR.BYBIT"], set())]
    ['SuperTrend-BTCUSDT']
    """
    strategy = load(entry.strategy)
    made = []
    for instrument in instruments:
        symbol = instrument.rpartition(".")[0].removesuffix("-LINEAR").replace("-", "")
        tag, count = symbol, 1
        while tag in taken:
            count += 1
            tag = f"{symbol}x{count}"
        taken.add(tag)
        made.append(strategy(config, instrument, f"{strategy.__name__}-{tag}"))
    return made
