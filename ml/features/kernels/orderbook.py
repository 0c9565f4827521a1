"""The recurrence of the order-book features: `step` takes a row, `sample` closes a grid step, `run` does both."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.events import Flag, Kind
from fathom.market.flow import (
    GRID_NS,
    GRID_TS,
    FlowArrays,
    advance,
    close_bucket,
    flow_message,
    flow_row,
    flow_trade,
    new_flow,
)
from fathom.market.kernel import kernel
from fathom.market.levels import UNSEEN, BookArrays
from fathom.market.lifecycle import UNSURE, book_row, is_full, new_book, trade_row
from fathom.market.pack import ArrayPack
from fathom.ml.features.kernels import clusters, depth, levels, order_flow, rolling, stoikov, trade_cost
from fathom.ml.features.kernels.levels import LevelArrays, new_level_arrays
from fathom.ml.features.kernels.windows import Scratch, add_up, new_scratch
from fathom.ml.features.spec import FeatureSpec

_CLUSTERS: Final = len(depth.PLACE)
_LEVELS: Final = _CLUSTERS + len(clusters.PLACE)
_FLOW: Final = _LEVELS + len(levels.PLACE)
_COST: Final = _FLOW + len(order_flow.PLACE)
_ROLLING: Final = _COST + len(trade_cost.PLACE)
_STOIKOV: Final = _ROLLING + rolling.SIZE
SIZE: Final = _STOIKOV

_BOOK: Final = int(Kind.BOOK)
_LAST: Final = int(Flag.LAST)

_depth_step = depth.step
_clusters_step = clusters.step
_levels_step = levels.step
_flow_step = order_flow.step
_cost_step = trade_cost.step
_rolling_step = rolling.step
_stoikov_step = stoikov.step
_levels_before = levels.before_row
_levels_trade = levels.trade
_levels_until = levels.close_until

__all__ = ["SIZE", "Scratch", "absorb", "new_scratch", "orderbook_specs", "run", "sample", "step"]


@kernel(inline=True)
def step(
    book: BookArrays,
    flow: FlowArrays,
    zones: LevelArrays,
    ts_init: int,
    ts_event: int,
    price: int,
    size: int,
    kind: int,
    action: int,
    side: int,
    flags: int,
) -> None:
    """Take one row."""
    advance(flow, ts_init)
    _levels_before(book, zones, ts_init)
    if kind == _BOOK:
        book_row(book, price, size, action, side, flags, ts_event)
        flow_row(book, flow, price, side, flags)
        if flags & _LAST:
            flow_message(book, flow)
    else:
        flow_trade(flow, price, size, side, flags)
        trade_row(book, price, size, side, flags, ts_event)
        _levels_trade(zones, price, size, flags)


PACK: Final = ArrayPack((new_book(levels=1), new_flow(), new_level_arrays(1000), new_scratch(), np.zeros((0, 0))))
"""Book, flow, zones, scratch and micro-price table (of no rows: what needs one is left out)."""
_unpack = PACK.unpack


@kernel
def absorb(words: NDArray[np.int64], rows: NDArray[np.void], begin: int, end: int) -> int:
    """Take ``rows[begin:end]``; return `end`, or the first row that finds the book full; `words`: see `PACK`."""
    book, flow, zones, _, _ = _unpack(words)
    return int(_absorb(book, flow, zones, rows, begin, end))


@kernel(inline=True)
def _absorb(
    book: BookArrays, flow: FlowArrays, zones: LevelArrays, rows: NDArray[np.void], begin: int, end: int
) -> int:
    for i in range(begin, end):
        row = rows[i]
        if is_full(book):
            return i
        step(
            book, flow, zones, row.ts_init, row.ts_event, row.price, row.size, row.kind, row.action, row.side, row.flags
        )  # fmt: skip
    return end


@kernel
def sample(words: NDArray[np.int64], tick: float, lot: float, ts: int, out: NDArray[np.float64]) -> None:
    """Close the grid step that ends at `ts`, and write the values of `orderbook_specs` into `out`.

    While the book is unsure, all of them are NaN.
    """
    book, flow, zones, scratch, table = _unpack(words)
    if flow.head[GRID_TS] != UNSEEN:
        missed = flow.head[GRID_TS] + flow.head[GRID_NS]
        while missed < ts:
            close_bucket(flow, missed)
            missed += flow.head[GRID_NS]
    close_bucket(flow, ts)
    _levels_until(book, zones, ts)
    add_up(flow, scratch)
    _depth_step(book, flow, scratch, tick, lot, out)
    _clusters_step(book, flow, scratch, tick, lot, out[_CLUSTERS:])
    _levels_step(book, zones, tick, out[_LEVELS:])
    _flow_step(flow, scratch, lot, out[_FLOW:])
    _cost_step(flow, scratch, tick, lot, out[_COST:])
    _rolling_step(flow, lot, out[_ROLLING:])
    if len(table) > 0:
        _stoikov_step(book, table, tick, out[_STOIKOV:])
    if book.head[UNSURE] == 1:
        out[:] = np.nan


@kernel
def run(
    words: NDArray[np.int64],
    tick: float,
    lot: float,
    rows: NDArray[np.void],
    times: NDArray[np.int64],
    cuts: NDArray[np.int64],
    out: NDArray[np.float64],
    begin: int,
    first: int,
) -> tuple[int, int]:
    """Take the rows from `begin` on and sample row i of `out` (i >= `first`) at ``times[i]`` after ``rows[:cuts[i]]``.

    Returns
    -------
    int, int
        How far it came, in rows and in samples: less than all when the book is full.
    """
    done = begin
    for i in range(first, len(times)):
        done = absorb(words, rows, done, cuts[i])
        if done < cuts[i]:
            return done, i
        sample(words, tick, lot, times[i], out[i])
    return absorb(words, rows, done, len(rows)), len(times)


def orderbook_specs(grid_ms: int = 1000, *, bar_ms: int = 1000, micro_price: bool = False) -> tuple[FeatureSpec, ...]:
    """Return what `sample` writes, in its order.

    Parameters
    ----------
    grid_ms : int, default 1000
        Step of the grid.
    bar_ms : int, default 1000
        Length of the bars of support and resistance.
    micro_price : bool, default False
        Whether a micro-price table is given.

    Returns
    -------
    tuple of FeatureSpec

    Examples
    --------
    >>> specs = orderbook_specs()
    >>> len(specs) == SIZE, specs[2].name
    (True, 'mid_price')
    """
    after = (order_flow, trade_cost, rolling, *((stoikov,) if micro_price else ()))
    return (
        *depth.specs(grid_ms),
        *clusters.specs(grid_ms),
        *levels.specs(grid_ms, bar_ms),
        *(spec for part in after for spec in part.specs(grid_ms)),
    )
