"""Actors of a backtest that read the rows of book and trades from the catalog which the engine replays.

They need not make them of the engine's objects then: the same rows, at the same times, in less time.
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
    >>> from actors.features import FeatureActorConfig
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


def completed(parameters: Any, catalog: str, types: Collection[str]) -> Any:
    """Return an actor's parameters with the replayed catalog as `rows_from`, where that may be.

    The actor has such a parameter, which is not set; book and trades are replayed, both; flags, if it asks for them,
    come from the same catalog; and it keeps no state in a folder, as a replay leaves nothing to go on from.

    Examples
    --------
    >>> from actors.features import FeatureActorConfig
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
