"""Bars: trades gathered by event time, and the bounded window of closed bars that candles and indicators read."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.market import Kind, TradeFlag
from fathom.market.kernel_cache import cached

BAR: Final = np.dtype(
    [
        ("ts_event", "<i8"),
        ("ts_init", "<i8"),
        ("open", "<i8"),
        ("high", "<i8"),
        ("low", "<i8"),
        ("close", "<i8"),
        ("volume", "<i8"),
        ("turnover", "<f8"),
    ],
    align=True,
)
"""One closed bar that comes from outside, 64 bytes.

========== ============ =======================================================================================
field      unit         meaning
========== ============ =======================================================================================
ts_event   ns           close of the bar's interval (UNIX epoch)
ts_init    ns           when this system could know it; bars are ordered by it
open...    ticks        first, highest, lowest and last price
volume     lots         traded volume
turnover   ticks x lots sum of price times size; NaN where the source does not tell (typical price is used instead)
========== ============ =======================================================================================
"""

WINDOW: Final = 256
"""Closed bars that are kept. Every candle feature and indicator is a function of these bars and of nothing else.

The recursive indicators (exponential and Wilder averages, parabolic SAR, SuperTrend) start anew at the oldest kept bar,
as TA-Lib does at the start of its input. So a stream that is joined late gives, after 256 bars, the same bits as one
that ran for a year; what is cut off weighs at most (49/51)**206 = 2.7e-4 (EMA 50) of the oldest bar's distance.
"""

# Rows of the `columns` array: the window is columns[:, end - held : end], in ticks and lots. These are whole numbers,
# so that "equal" and "higher" are exact: the typical prices of two bars, as decimals, would differ by their rounding.
OPEN, HIGH, LOW, CLOSE, VOLUME, TURNOVER = range(6)
# Cells of the `clock` array, int64.
HELD, END, CLOSED, EDGE, TRADES, INTERVAL = range(6)

_TRADE = int(Kind.TRADE)
_BLOCK = int(TradeFlag.BLOCK)


def new_columns() -> NDArray[np.float64]:
    """Return an empty window: room for twice its length, so that it stays in one piece while it moves."""
    return np.zeros((6, 2 * WINDOW))


def new_clock(interval_ns: int) -> NDArray[np.int64]:
    """Return the counters of a stream of bars of `interval_ns` that has not begun."""
    clock = np.zeros(6, np.int64)
    clock[INTERVAL] = interval_ns
    return clock


@cached
def push(columns, clock, open_, high, low, close, volume, turnover):  # type: ignore[no-untyped-def]
    """Append a closed bar to the window, in ticks and lots."""
    end = clock[END]
    if end == columns.shape[1]:
        for field in range(6):
            for i in range(WINDOW):
                columns[field, i] = columns[field, i + WINDOW]
        end = WINDOW
    columns[OPEN, end] = open_
    columns[HIGH, end] = high
    columns[LOW, end] = low
    columns[CLOSE, end] = close
    columns[VOLUME, end] = volume
    columns[TURNOVER, end] = turnover
    clock[END] = end + 1
    clock[HELD] = min(clock[HELD] + 1, WINDOW)
    clock[CLOSED] += 1


@cached
def close_until(columns, clock, forming, ts_ns):  # type: ignore[no-untyped-def]
    """Close every bar whose interval ends at or before `ts_ns`.

    An interval without a trade gives a bar at the last close with no volume. After a silence longer than the window
    only the bars that can stay in it are written.
    """
    if clock[EDGE] == 0 or ts_ns < clock[EDGE]:
        return
    if clock[TRADES] > 0:
        push(
            columns,
            clock,
            forming[OPEN],
            forming[HIGH],
            forming[LOW],
            forming[CLOSE],
            forming[VOLUME],
            forming[TURNOVER],
        )
        clock[TRADES] = 0
        clock[EDGE] += clock[INTERVAL]
    if ts_ns < clock[EDGE]:
        return
    silent = (ts_ns - clock[EDGE]) // clock[INTERVAL] + 1
    last = columns[CLOSE, clock[END] - 1]
    for _ in range(min(silent, WINDOW)):
        push(columns, clock, last, last, last, last, 0.0, 0.0)
    clock[CLOSED] += max(silent - WINDOW, 0)
    clock[EDGE] += silent * clock[INTERVAL]


@cached
def add_trades(columns, clock, forming, rows, first, last):  # type: ignore[no-untyped-def]
    """Put the trades among ``rows[first:last]`` into the bar that is forming; close the bars that they end.

    A bar holds the trades with ``ts_init`` in [start, end) of its interval; intervals are multiples of the bar's length
    since the epoch. Block trades, negotiated off the book, are left out; RPI trades count.
    """
    for i in range(first, last):
        if rows["kind"][i] != _TRADE or rows["flags"][i] & _BLOCK:
            continue
        ts_ns = rows["ts_init"][i]
        if clock[EDGE] == 0:
            clock[EDGE] = (ts_ns // clock[INTERVAL] + 1) * clock[INTERVAL]
        elif ts_ns >= clock[EDGE]:
            close_until(columns, clock, forming, ts_ns)
        price = float(rows["price"][i])
        size = float(rows["size"][i])
        if clock[TRADES] == 0:
            forming[OPEN] = price
            forming[HIGH] = price
            forming[LOW] = price
            forming[VOLUME] = 0.0
            forming[TURNOVER] = 0.0
        forming[HIGH] = max(forming[HIGH], price)
        forming[LOW] = min(forming[LOW], price)
        forming[CLOSE] = price
        forming[VOLUME] += size
        forming[TURNOVER] += price * size
        clock[TRADES] += 1


@cached
def add_bars(columns, clock, bars, first, last):  # type: ignore[no-untyped-def]
    """Append the closed bars ``bars[first:last]`` (`BAR`) to the window."""
    for i in range(first, last):
        high = float(bars["high"][i])
        low = float(bars["low"][i])
        close = float(bars["close"][i])
        volume = float(bars["volume"][i])
        turnover = bars["turnover"][i]
        if np.isnan(turnover):
            turnover = (high + low + close) / 3.0 * volume
        push(columns, clock, float(bars["open"][i]), high, low, close, volume, turnover)
