"""Bars of a market for the bar detectors: trades and the mid by event time, with the walls of the book at the close."""

# numba types the kernels: mypy knows neither its integers nor that a kernel is no plain function.
# mypy: disable-error-code="no-any-return"

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.bars.detector import (
    ASK_WALL,
    ASK_WALL_RATIO,
    BID_WALL,
    BID_WALL_RATIO,
    CLOSE,
    HIGH,
    LOW,
    VOLUME,
    FloatArray,
)
from fathom.market.events import Kind, TradeFlag
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BEST, BID, COUNT, KEY, LOTS, BookArrays, first_place, next_place, slot_at

WALL_LEVELS: Final = 50
"""Levels of a side, from the touch, among which a wall is looked for."""
SILENT_BARS: Final = 300
"""Bars that a silence makes at most: then the feed is dead, and time stands still for the detectors."""

# Cells of `MarketBars.clock`.
EDGE: Final = 0  # end of the bar that is forming, ns; 0 before the first row
LENGTH: Final = 1
TRADES: Final = 2  # of the bar that is forming
IDLE: Final = 3  # bars closed since the last row
# Cells of `MarketBars.forming`.
_HIGH, _LOW, _LAST, _VOLUME, _BEFORE = range(5)

_TRADE: Final = int(Kind.TRADE)
_BLOCK: Final = int(TradeFlag.BLOCK)


class MarketBars(NamedTuple):
    """The bar that is forming; prices in ticks, volume in lots.

    Parameters
    ----------
    clock : ndarray of int64, shape (4,)
        End of the bar, its length (ns), trades in it, bars closed since the last row.
    forming : ndarray of float64, shape (5,)
        Highest, lowest and last trade, volume, and the close of the bar before (NaN before the first).

    Examples
    --------
    >>> new_market_bars(1_000_000_000).clock.tolist()
    [0, 1000000000, 0, 0]
    """

    clock: NDArray[np.int64]
    forming: FloatArray


def new_market_bars(length_ns: int) -> MarketBars:
    """Return the state before the first row; bars end at multiples of `length_ns` since the epoch."""
    return MarketBars(np.array([0, length_ns, 0, 0], np.int64), np.array([0.0, 0.0, 0.0, 0.0, np.nan]))


@kernel
def begin(bars: MarketBars, ts_ns: int) -> None:
    """Set the first edge, if there is none."""
    if bars.clock[EDGE] == 0:
        bars.clock[EDGE] = (ts_ns // bars.clock[LENGTH] + 1) * bars.clock[LENGTH]


@kernel
def is_due(bars: MarketBars, ts_ns: int) -> bool:
    """Tell whether the forming bar has ended by `ts_ns` and is to be closed; let time pass where the feed is dead."""
    clock = bars.clock
    if clock[EDGE] == 0 or ts_ns < clock[EDGE]:
        return False
    if clock[IDLE] >= SILENT_BARS:
        clock[EDGE] = (ts_ns // clock[LENGTH] + 1) * clock[LENGTH]
        return False
    return True


@kernel
def add_trade(bars: MarketBars, price: float, size: float, flags: int) -> None:
    """Put a trade into the forming bar, if it is no block trade (negotiated off the book)."""
    if flags & _BLOCK:
        return
    forming = bars.forming
    if bars.clock[TRADES] == 0:
        forming[_HIGH] = price
        forming[_LOW] = price
        forming[_VOLUME] = 0.0
    forming[_HIGH] = max(forming[_HIGH], price)
    forming[_LOW] = min(forming[_LOW], price)
    forming[_LAST] = price
    forming[_VOLUME] += size
    bars.clock[TRADES] += 1


@kernel
def add_trades(bars: MarketBars, rows: NDArray[Any], first: int, last: int) -> None:
    """Put the trades among ``rows[first:last]`` into the forming bar."""
    if first < last:
        bars.clock[IDLE] = 0
    for i in range(first, last):
        row = rows[i]
        if row.kind == _TRADE:
            add_trade(bars, float(row.price), float(row.size), row.flags)


@kernel
def wall(book: BookArrays, side: int, out: FloatArray) -> None:
    """Write price (ticks) and ratio of the largest of the best levels of a side; NaN for fewer than two levels.

    The ratio is its size over the mean size of the others; the nearest of equal ones counts.
    """
    total = largest = count = np.int64(0)
    at = np.int64(0)
    place = first_place(book, side)
    while place >= 0 and count < WALL_LEVELS:
        slot = slot_at(book, side, place)
        lots = book.pool[slot, LOTS]
        total += lots
        count += 1
        if lots > largest:
            largest = lots
            at = book.pool[slot, KEY]
        place = next_place(book, side, place + 1)
    out[0] = np.nan
    out[1] = np.nan
    if count > 1 and total > largest:
        out[0] = float(at) if side == ASK else -float(at)
        out[1] = largest * (count - 1.0) / (total - largest)


@kernel
def close_bar(bars: MarketBars, book: BookArrays, out: FloatArray) -> bool:
    """Close the forming bar into `out` (`detectors.bars.detector.Bar`) and begin the next; False where there is no
    price yet.

    The close is the mid of the book, or the last trade where a side is empty; a bar without either repeats the close
    before it. High and low are those of the trades and the close.
    """
    clock, forming = bars.clock, bars.forming
    traded = clock[TRADES] > 0
    close = forming[_BEFORE]
    if book.sides[BID, COUNT] > 0 and book.sides[ASK, COUNT] > 0:
        close = 0.5 * (book.sides[ASK, BEST] - book.sides[BID, BEST])
    elif traded:
        close = forming[_LAST]
    clock[EDGE] += clock[LENGTH]
    clock[TRADES] = 0
    clock[IDLE] += 1
    if np.isnan(close):
        return False
    forming[_BEFORE] = close
    out[HIGH] = max(forming[_HIGH], close) if traded else close
    out[LOW] = min(forming[_LOW], close) if traded else close
    out[CLOSE] = close
    out[VOLUME] = forming[_VOLUME] if traded else 0.0
    wall(book, BID, out[BID_WALL : BID_WALL_RATIO + 1])
    wall(book, ASK, out[ASK_WALL : ASK_WALL_RATIO + 1])
    return True


@kernel
def write_walls(book: BookArrays, out: FloatArray) -> None:
    """Write the walls of both sides into a bar that came from outside."""
    wall(book, BID, out[BID_WALL : BID_WALL_RATIO + 1])
    wall(book, ASK, out[ASK_WALL : ASK_WALL_RATIO + 1])
