"""The arrays a simulated market lives in: one named tuple of them is all that the kernels read and write."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[Any]

SIZE_TABLE: Final = 4096  # equally likely sizes of one population: a draw is one look-up
SLOTS: Final = 32  # episodes that may run at once
TRADED_PENDING: Final = 1 << 15  # trades that may wait for the next book message

_I8, _F8, _U1 = "<i8", "<f8", "u1"


def _fields(kind: str, names: str) -> list[tuple[str, str]]:
    return [(name, kind) for name in names.split()]


def _record(*groups: list[tuple[str, str]]) -> np.dtype[np.void]:
    return np.dtype([field for group in groups for field in group], align=True)


SCALARS: Final = _record(
    # what the configuration says
    _fields(_I8, "range mask depth interval latency jitter resolution at_once n_populations n_states wide_ticks"),
    _fields(_F8, "taker_rate persistence traded_share own_rate common_rate max_move_rate wide_rate wide_secs"),
    _fields(_F8, "rpi_share rpi_rate large episode_rate busy_factor busy_secs calm_secs"),
    # where the market stands
    _fields(_I8, "now price half wide hidden sequence trade_number last_init last_trade_init shown_price last_taker"),
    _fields(_I8, "n_free n_pending refused episode_number fault_number clock_offset in_gap again live"),
    _fields(_I8, "wanted wanted_price wanted_half wanted_traded"),
    _fields(_F8, "push burst activity"),
    # when what happens next
    _fields(_I8, "t_flow t_own t_common t_chain t_flush t_spread t_activity t_rpi t_start t_episode t_fault t_other"),
    # rows in the output buffers
    _fields(_I8, "n_book n_trades n_log"),
)
SIDES: Final = _record(_fields(_I8, "best bound inside n_dirty rpi muted phantom_price phantom_size"))
LEVEL: Final = _record(_fields(_I8, "total head tail count owned"))
SHOWN: Final = _record(_fields(_I8, "size dirty"))
ORDER: Final = _record(_fields(_I8, "price size prev next slot owner population side"))
"""64 bytes: one order fills one cache line."""
POPULATION: Final = _record(_fields(_F8, "rate life distance pegged follow"))
HIDDEN: Final = _record(
    _fields(_F8, "mean_secs intensity move_rate up taker_lean order_lean"),
    _fields(_I8, "half"),
)
EPISODE_SPEC: Final = _record(
    _fields(_I8, "kind orders_low orders_high"),
    _fields(_F8, "weight size_low size_high distance_low distance_high life_low life_high"),
    _fields(_F8, "trade_share evade_share response"),
)
SLOT: Final = _record(
    _fields(_I8, "number kind spec side stage t_next t_end distance step n_orders lots hidden evade trade"),
    _fields(_F8, "push"),
)
FAULT: Final = _record(_fields(_I8, "kind t_next number on side"), _fields(_F8, "rate low high size"))
LOG: Final = _record(_fields(_I8, "ts number price size"), _fields(_U1, "channel kind action side"))
"""One line of ground truth: `channel` says which table it belongs to."""


class Market(NamedTuple):
    """Everything that changes or steers one simulated instrument.

    `scalars` holds one record, `sides` is indexed by `Side`, `levels` is a ring over price ticks (four times the range
    wide, so that no two live or published prices share a place), `lists` holds per population the numbers of its live
    orders, then those of the episodes, then the free numbers.
    """

    scalars: Array
    sides: Array
    levels: Array
    shown: Array
    dirty: Array
    orders: Array
    lists: Array
    counts: Array
    populations: Array
    sizes: Array
    hidden: Array
    chain: Array
    moves: Array
    streams: Array
    pending: Array
    specs: Array
    slots: Array
    faults: Array
