"""One pass over event rows that measures a market: spread, depth, arrivals, lifetimes, and the mid on a grid."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.market.kernel_cache import cached

RING: Final = 1 << 20
LEVELS: Final = 20
OCTAVE_BINS: Final = 16
"""Bins of a logarithmic histogram per factor of two: a quantile is right to 2.2 %."""
_LOG_BINS: Final = 64 * OCTAVE_BINS
_COUNT_BINS: Final = 8192
_BOOK, _BUY, _DELETE, _CLEAR, _SNAPSHOT, _LAST = 1, 1, 3, 4, 32, 128

_COUNTERS: Final = (
    "first last messages rows trades taker_orders adds updates deletes added removed traded rpi_trades last_message "
    "last_trade last_taker sign_pairs sign_sum in_message snapshots next_grid next_depth n_mids depth_samples mid2"
)
SCALARS: Final = np.dtype([(name, "<i8") for name in _COUNTERS.split()] + [("spread_bps", "<f8")], align=True)
LEVEL: Final = np.dtype([("price", "<i8"), ("size", "<i8"), ("born", "<i8")], align=True)


class Gauges(NamedTuple):
    """What the pass keeps: one record of counters, the book as a ring over ticks, and histograms.

    Histograms of counts have one bin a value; the others have `OCTAVE_BINS` bins a factor of two.

    Examples
    --------
    >>> int(new_gauges().scalars["messages"][0])
    0
    """

    scalars: NDArray[Any]
    best: NDArray[Any]
    book: NDArray[Any]
    spread: NDArray[Any]
    message_rows: NDArray[Any]
    message_gap: NDArray[Any]
    trade_gap: NDArray[Any]
    trade_lots: NDArray[Any]
    life: NDArray[Any]
    life_near: NDArray[Any]
    depth_lots: NDArray[Any]
    depth_ticks: NDArray[Any]
    touch_lots: NDArray[Any]


def new_gauges() -> Gauges:
    """Return gauges that have seen nothing."""
    scalars = np.zeros(1, SCALARS)
    scalars["first"] = scalars["next_grid"] = -1
    counts, logs = (
        [np.zeros(_COUNT_BINS, np.int64) for _ in range(2)],
        [np.zeros(_LOG_BINS, np.int64) for _ in range(6)],
    )
    return Gauges(
        scalars=scalars,
        best=np.zeros(3, np.int64),
        book=np.zeros((3, RING), LEVEL),
        spread=counts[0],
        message_rows=counts[1],
        message_gap=logs[0],
        trade_gap=logs[1],
        trade_lots=logs[2],
        life=logs[3],
        life_near=logs[4],
        depth_lots=np.zeros(LEVELS),
        depth_ticks=np.zeros(LEVELS),
        touch_lots=logs[5],
    )


@cached
def _log_bin(value: float) -> int:
    if value < 1.0:
        return 0
    return min(_LOG_BINS - 1, int(np.log2(value) * OCTAVE_BINS))


@cached
def _next_level(g: Gauges, side: int, price: int) -> int:
    # The next price of the side at or beyond `price`, or 0 where a million ticks hold none.
    step = -1 if side == _BUY else 1
    for _ in range(RING):
        level = g.book[side, price & (RING - 1)]
        if level.size > 0 and level.price == price:
            return int(price)
        price += step
        if price <= 0:
            return 0
    return 0


@cached
def _book_row(g: Gauges, row: Any) -> None:
    s = g.scalars[0]
    if row.action == _CLEAR:
        s.snapshots += 1
        g.best[:] = 0
        for side in range(3):
            for i in range(RING):
                g.book[side, i].size = 0
        return
    side = int(row.side)
    price = row.price
    snapshot = row.flags & _SNAPSHOT
    out = -1 if side == _BUY else 1
    level = g.book[side, price & (RING - 1)]
    before = level.size if level.price == price else 0
    size = 0 if row.action == _DELETE else row.size
    if snapshot == 0:
        s.rows += 1
        s.added += max(0, size - before)
        s.removed += max(0, before - size)
        if size == 0:
            s.deletes += 1
        elif before == 0:
            s.adds += 1
        else:
            s.updates += 1
    if before == 0 and size > 0:
        # Of two prices that share a place, a million ticks apart, the one nearer to the touch stays.
        if level.size > 0 and g.best[side] != 0 and abs(level.price - g.best[side]) < abs(price - g.best[side]):
            return
        level.price = price
        level.born = 0 if snapshot != 0 else row.ts_event
    if before > 0 and size == 0 and level.born > 0:
        bin_ = _log_bin(float(row.ts_event - level.born))
        g.life[bin_] += 1
        if g.best[side] != 0 and (price - g.best[side]) * out * 10_000 <= 2 * price:
            g.life_near[bin_] += 1
    if level.price == price:
        level.size = size
    if size > 0 and (g.best[side] == 0 or (g.best[side] - price) * out > 0):
        g.best[side] = price
    elif size == 0 and price == g.best[side]:
        g.best[side] = _next_level(g, side, price)


@cached
def _sample_depth(g: Gauges, mid2: int) -> None:
    s = g.scalars[0]
    for side in range(1, 3):
        step = -1 if side == _BUY else 1
        price = g.best[side]
        for k in range(LEVELS):
            price = _next_level(g, side, price)
            if price == 0:
                break
            g.depth_lots[k] += g.book[side, price & (RING - 1)].size
            g.depth_ticks[k] += abs(2 * price - mid2) * 0.5
            price += step
    s.depth_samples += 2


@cached
def _message_end(g: Gauges, row: Any, mids: Any, step_ns: int) -> None:
    s = g.scalars[0]
    s.messages += 1
    g.message_rows[min(_COUNT_BINS - 1, s.in_message)] += 1
    s.in_message = 0
    if s.last_message > 0:
        g.message_gap[_log_bin(float(row.ts_event - s.last_message))] += 1
    s.last_message = row.ts_event
    bid, ask = g.best[1], g.best[2]
    if bid == 0 or ask == 0:
        return
    spread = max(0, ask - bid)
    g.spread[min(_COUNT_BINS - 1, spread)] += 1
    s.spread_bps += 2e4 * spread / (ask + bid)
    for side in range(1, 3):
        g.touch_lots[_log_bin(float(g.book[side, g.best[side] & (RING - 1)].size))] += 1
    s.mid2 = bid + ask
    if row.ts_init >= s.next_depth:
        _sample_depth(g, bid + ask)
        s.next_depth = row.ts_init + 1_000_000_000


@cached
def _fill_grid(g: Gauges, now: int, mids: Any, step_ns: int) -> None:
    # mids[i] is twice the mid known just before grid time i; 0 before the first book.
    s = g.scalars[0]
    while s.next_grid <= now and s.n_mids < mids.shape[0]:
        mids[s.n_mids] = s.mid2
        s.n_mids += 1
        s.next_grid += step_ns


@cached
def _trade_row(g: Gauges, row: Any) -> None:
    s = g.scalars[0]
    s.trades += 1
    g.trade_lots[_log_bin(float(row.size))] += 1
    if row.flags & 1:
        s.rpi_trades += 1
    else:
        s.traded += row.size
    sign = 1 if row.side == _BUY else -1
    if row.ts_event != s.last_trade or sign != s.last_taker:
        # Fills of one taker order share time and side.
        if s.last_trade > 0:
            g.trade_gap[_log_bin(float(row.ts_event - s.last_trade))] += 1
            s.sign_pairs += 1
            s.sign_sum += sign * s.last_taker
        s.taker_orders += 1
        s.last_trade = row.ts_event
        s.last_taker = sign


@cached
def measure_rows(g: Gauges, rows: Any, mids: Any, step_ns: int) -> int:
    """Feed event rows in order of ts_init; fill `mids` and return how many rows were used before it was full."""
    s = g.scalars[0]
    for i in range(rows.shape[0]):
        row = rows[i]
        if s.first < 0:
            s.first = row.ts_init
            s.next_grid = row.ts_init + step_ns
        if s.next_grid <= row.ts_init:
            _fill_grid(g, row.ts_init, mids, step_ns)
            if s.next_grid <= row.ts_init:
                return i
        s.last = row.ts_init
        if row.kind == _BOOK:
            s.in_message += 1
            _book_row(g, row)
            if row.flags & _LAST:
                _message_end(g, row, mids, step_ns)
        else:
            _trade_row(g, row)
    return int(rows.shape[0])
