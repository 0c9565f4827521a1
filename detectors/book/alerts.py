"""The alert: what a detector of manipulation reports, as one row."""

from enum import IntEnum
from typing import Final

import numpy as np


class AlertKind(IntEnum):
    """What an alert is about."""

    SPOOFING = 1
    LAYERING = 2
    QUOTE_STUFFING = 3


ALERT: Final = np.dtype(
    [
        ("ts_event", "<i8"),
        ("ts_init", "<i8"),
        ("placed", "<i8"),
        ("removed", "<i8"),
        ("life_low", "<i8"),
        ("life_high", "<i8"),
        ("price_low", "<i8"),
        ("price_high", "<i8"),
        ("lots", "<i8"),
        ("message", "<i8"),
        ("confidence", "<f8"),
        ("size_ratio", "<f8"),
        ("benefit", "<f8"),
        ("recurrence", "<f8"),
        ("distance", "<i4"),
        ("levels", "<i4"),
        ("series", "<i4"),
        ("kind", "u1"),
        ("side", "u1"),
    ],
    align=True,
)
"""One alert.

========== ====== ============================================================================================
field      unit   meaning
========== ====== ============================================================================================
ts_event   ns     venue time of the message that made it known
ts_init    ns     when this system could know it
placed     ns     venue time of the message that first showed the order (of layers: the first)
removed    ns     venue time of the message that showed it gone (of layers: the last)
life_low   ns     it stood at least this long; a feed that speaks every 100 ms cannot tell more
life_high  ns     and at most this long
price_low  ticks  lowest and highest price of the orders; 0 for quote stuffing
lots       lots   size, of all layers together; of quote stuffing: size added and taken away in the burst
message    -      number of the message
confidence -      0 to 1
size_ratio -      size over the size that the given share of additions at this distance stays below
benefit    -      logarithm of the volume that traded against the opposite side over what is usual
recurrence -      like orders of this side withdrawn before (of layers: clusters), by suspicion, fading with time
distance   ticks  from the touch, when it was placed (of layers: the nearest)
levels     -      prices involved; of quote stuffing, changes in the burst
series     -      number within a series of like alerts: 1 is news, the others go on with it
kind       -      `AlertKind`
side       -      `fathom.market.Side` of the orders; NONE for quote stuffing
========== ====== ============================================================================================
"""
