"""The micro-price of Stoikov at sample time: the mid plus a fitted adjustment for spread and imbalance."""

# numba types the kernels: mypy knows neither its integers nor that a kernel is no plain function.
# mypy: disable-error-code="return-value, no-any-return, assignment, call-arg, call-overload, unreachable"

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BEST, BID, COUNT, LOTS, BookArrays, first_place, slot_at
from fathom.ml.features.kernels.describe import Describe, places
from fathom.ml.features.spec import FeatureSpec


def specs(grid_ms: int) -> tuple[FeatureSpec, ...]:
    """Return what `step` writes, in the order of `PLACE`."""
    micro = Describe("microstructure", grid_ms)
    source = "Stoikov (2018), doi:10.1080/14697688.2018.1489139"
    return (
        micro(
            "stoikov_micro_price", "price",
            "mid + g(spread, imbalance of the best sizes), g fitted by `fathom.ml.features.micro_price`",
            "Expected mid after the moves to come, given spread and imbalance: a martingale, unlike the weighted mid.",
            source=source, stationary=False,
        ),
        micro(
            "stoikov_micro_price_offset", "bps", "1e4 (stoikov_micro_price / mid - 1)",
            "Where the book says the mid goes.",
            source=source, of="stoikov_micro_price",
        ),
    )  # fmt: skip


PLACE: Final = places(specs(1000))
"""Place of each value by the name of its feature."""


@kernel
def adjustment(table: NDArray[np.float64], spread: int, bid_lots: int, ask_lots: int) -> float:
    """Return the adjustment in ticks; a wider spread than was fitted counts as the widest, a crossed book as a tick."""
    spreads, buckets = table.shape
    row = min(max(spread, 1), spreads) - 1
    column = min(bid_lots * buckets // (bid_lots + ask_lots), buckets - 1)
    return table[row, column]


@kernel
def step(book: BookArrays, table: NDArray[np.float64], tick: float, out: NDArray[np.float64]) -> None:
    """Write the values of `specs`."""
    out[: len(PLACE)] = np.nan
    sides = book.sides
    if sides[BID, COUNT] == 0 or sides[ASK, COUNT] == 0:
        return
    bid_lots = book.pool[slot_at(book, BID, first_place(book, BID)), LOTS]
    ask_lots = book.pool[slot_at(book, ASK, first_place(book, ASK)), LOTS]
    mid = 0.5 * (sides[ASK, BEST] - sides[BID, BEST])
    offset = adjustment(table, sides[ASK, BEST] + sides[BID, BEST], bid_lots, ask_lots)
    out[PLACE.stoikov_micro_price] = tick * (mid + offset)
    out[PLACE.stoikov_micro_price_offset] = 1e4 * offset / mid
