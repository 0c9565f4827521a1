"""What is known of the actors in a market with injected or simulated manipulation: the truth of the benchmark."""

from enum import IntEnum
from typing import Final

import numpy as np


class ActorKind(IntEnum):
    """What an injected actor is; from FLICKER on they are honest."""

    SPOOFING = 1
    LAYERING = 2
    QUOTE_STUFFING = 3
    FLICKER = 11
    ICEBERG = 12
    LARGE = 13
    PEG = 14
    LARGE_CANCEL = 15  # only in simulated markets, like SCROLL
    SCROLL = 16


class Ending(IntEnum):
    """How an injected order ended."""

    NEVER_SEEN = 0  # placed and withdrawn between two messages
    WITHDRAWN = 1
    EVADED = 2  # withdrawn because the touch came to it
    TRADED = 3
    OVERTAKEN = 4  # the price jumped over it between two messages: it was hit, the trades are told after the message
    MOVED = 5  # withdrawn and placed at another price
    CUT = 6  # the stream ended


TRUTH: Final = np.dtype(
    [
        ("episode", "<i8"),
        ("kind", "<i8"),
        ("side", "<i8"),
        ("price", "<i8"),
        ("lots", "<i8"),
        ("distance", "<i8"),
        ("start", "<i8"),
        ("end", "<i8"),
        ("placed", "<i8"),
        ("removed", "<i8"),
        ("ending", "<i8"),
        ("benefit", "<i8"),
        ("multiple", "<f8"),
    ],
    align=True,
)
"""One injected order.

`side` is `market.Side`; `start` and `end` (``ts_init``) are when the actor acted; `placed` and `removed` the times, at
the venue, of the messages that showed it in a recorded feed, and of the acts themselves in a simulated market (0:
never); `benefit` the lots of the genuine order that traded; quote stuffing has one row a burst.
"""
