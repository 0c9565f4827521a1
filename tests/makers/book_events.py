"""Book changes written by hand, a line each."""

import numpy as np
from numpy.typing import NDArray

from fathom.market.events import EVENT, Action, Kind, Side

NS = 1_000_000_000
T0 = 1_723_161_256 * NS


def event(
    time: float, action: Action, side: Side, price: int, size: int, flags: int, sequence: int = 0
) -> tuple[int, ...]:
    now = T0 + round(time * NS)
    return (now, now, sequence, price, size, Kind.BOOK, action, side, flags)


def rows_of(*events: tuple[int, ...]) -> NDArray[np.void]:
    return np.array(list(events), dtype=EVENT)
