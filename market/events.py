"""The event row: the one form in which book changes and trades reach features, detectors, catalogs and simulators."""

from enum import IntEnum, IntFlag
from typing import Final

import numpy as np

EVENT: Final = np.dtype(
    [
        ("ts_event", "<i8"),
        ("ts_init", "<i8"),
        ("sequence", "<i8"),
        ("price", "<i8"),
        ("size", "<i8"),
        ("kind", "u1"),
        ("action", "u1"),
        ("side", "u1"),
        ("flags", "u1"),
    ],
    align=True,
)
"""One book change or one trade, 48 bytes.

========== ======= ==========================================================================================
field      unit    meaning
========== ======= ==========================================================================================
ts_event   ns      when it happened at the venue (UNIX epoch)
ts_init    ns      when this system could know it; rows are ordered by it
sequence   -       the venue's sequence number of the message (0 where the venue gives none)
price      ticks   multiple of the instrument's price increment (0 for a CLEAR)
size       lots    multiple of the instrument's size increment; the new absolute size of a level, 0 for a DELETE
kind       -       `Kind`
action     -       `Action` of a book change; 0 for a trade
side       -       `Side` of the level, or of the aggressor of a trade
flags      -       `Flag` bits of a book change, `TradeFlag` bits of a trade
========== ======= ==========================================================================================
"""


class Kind(IntEnum):
    """What a row tells."""

    BOOK = 1
    TRADE = 2


class Action(IntEnum):
    """What a book row does to its level; the numbers are the engine's `BookAction`."""

    ADD = 1
    UPDATE = 2
    DELETE = 3
    CLEAR = 4


class Side(IntEnum):
    """Side of a level, or of the aggressor of a trade; the numbers are the engine's `OrderSide` and `AggressorSide`."""

    NONE = 0
    BUY = 1
    SELL = 2


class Flag(IntFlag):
    """Flags of a book row; the numbers are the engine's `RecordFlag`.

    A message is a run of rows that ends with `LAST`. A snapshot is a CLEAR row (`SNAPSHOT`) followed by
    levels (`SNAPSHOT | MBP`); the rows of a change carry `MBP`.
    """

    MBP = 16
    SNAPSHOT = 32
    LAST = 128


class TradeFlag(IntFlag):
    """Flags of a trade row."""

    RPI = 1  # filled against a retail-price-improvement order: it took nothing from the visible queue
    BLOCK = 2  # block trade, negotiated off the book
