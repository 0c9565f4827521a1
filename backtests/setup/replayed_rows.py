"""Actors of a backtest that read rows of book and trades, and the flags of trades, from the catalog which is replayed.

They need not make the rows of the engine's objects then: the same rows, at the same times, in less time.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec


def check(parameters: Any, catalog: str, types: Collection[str]) -> str:
    """Return what is wrong with the catalogs that an actor's parameters name; empty where nothing is.

    Parameters
    ----------
    parameters
        Of the actor; of most actors this asks nothing.
    catalog, types
        Section `data` of the backtest: what the engine replays.

    Examples
    --------
    >>> from fathom.actors.features import FeatureActorConfig
    >>> other = FeatureActorConfig(instruments=("A.B",), rows_from="elsewhere")
    >>> check(other, "catalog", ["book", "trades"])
    'Expected data.catalog (catalog), was elsewhere. Leave rows_from out: a backtest knows its catalog.'
    """
    named = getattr(parameters, "rows_from", None)
    if named is None:
        return ""
    if Path(named).resolve() != Path(catalog).resolve():
        return f"Expected data.catalog ({catalog}), was {named}. Leave rows_from out: a backtest knows its catalog."
    if not {"book", "trades"} <= set(types):
        return f"Expected no rows_from without book and trades in data.types, was {', '.join(types)}. Leave it out."
    return ""


def flagged(parameters: Any, catalog: str, types: Collection[str]) -> Any:
    """Return an actor's parameters with the replayed catalog as `flags_from`, if unset, where trades are replayed.

    The engine replays no flags of trades (RPI, block): an actor that takes them must read them itself. Feature tables
    have them, and so do live feeds: without them a model would be asked about other numbers than it has learnt from.

    Examples
    --------
    >>> from fathom.actors.features import FeatureActorConfig
    >>> config = FeatureActorConfig(instruments=("A.B",))
    >>> [flagged(config, "catalog", types).flags_from for types in (["book", "trades"], ["book"])]
    ['catalog', None]
    """
    if getattr(parameters, "flags_from", "") is not None or "trades" not in types:
        return parameters
    return msgspec.structs.replace(parameters, flags_from=parameters.rows_from or catalog)


def named(parameters: Any, run: str) -> Any:
    """Return an actor's parameters with the name of the backtest in the keys of its store, unless they name another.

    Examples
    --------
    >>> from fathom.actors.features import FeatureActorConfig
    >>> named(FeatureActorConfig(instruments=("A.B",), store="memory"), "backtest-0a").store_run
    'backtest-0a'
    """
    if getattr(parameters, "store", None) is None or getattr(parameters, "store_run", "") is not None:
        return parameters
    return msgspec.structs.replace(parameters, store_run=run)


def completed(parameters: Any, catalog: str, types: Collection[str]) -> Any:
    """Return an actor's parameters with the replayed catalog as `rows_from`, where that may be.

    The actor has such a parameter, which is not set; book and trades are replayed, both; flags, if it asks for them,
    come from the same catalog; and it keeps no state in a folder, as a replay leaves nothing to go on from.

    Examples
    --------
    >>> from fathom.actors.features import FeatureActorConfig
    >>> config = FeatureActorConfig(instruments=("A.B",))
    >>> [completed(config, "catalog", types).rows_from for types in (["book", "trades"], ["book"])]
    ['catalog', None]
    """
    flags = getattr(parameters, "flags_from", None)
    if (
        getattr(parameters, "rows_from", "") is not None
        or not {"book", "trades"} <= set(types)
        or getattr(parameters, "state_folder", None) is not None
        or (flags is not None and Path(flags).resolve() != Path(catalog).resolve())
    ):
        return parameters
    return msgspec.structs.replace(parameters, rows_from=catalog if flags is None else flags)
