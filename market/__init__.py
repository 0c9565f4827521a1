"""An order book as arrays: event rows, the L2 book they build, and what became of each level.

Everything here is numpy and numba; the engine's objects and Arrow tables become rows in
`data_catalog.replay.rows_of_objects`.
"""

from fathom.market.events import EVENT, Action, Flag, Kind, Side, TradeFlag

__all__ = ["EVENT", "Action", "Flag", "Kind", "Side", "TradeFlag"]
