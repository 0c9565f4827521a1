"""Clusters of large levels, and the nearest lasting level on each side."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ml.book.flow import FlowArrays
from ml.book.kernel import kernel
from ml.book.levels import ASK, BEST, BID, BORN, COUNT, KEY, LOTS, BookArrays, first_place, next_place, slot_at
from ml.book.lifecycle import LAST_TS
from ml.features.kernels.describe import Describe
from ml.features.kernels.windows import LASTING, NEAR, Scratch
from ml.features.spec import FeatureSpec

SIZE: Final = 14

LASTING_S: Final = 10
"""Age from which a level counts as support or resistance."""


@kernel
def step(
    book: BookArrays, flow: FlowArrays, scratch: Scratch, tick: float, lot: float, out: NDArray[np.float64]
) -> None:
    """Write the values of `specs`, after `depth.step`."""
    sides = book.sides
    out[:SIZE] = np.nan
    if sides[BID, COUNT] == 0 or sides[ASK, COUNT] == 0:
        return
    mid = 0.5 * (sides[ASK, BEST] - sides[BID, BEST])
    for side in range(2):
        sign = -1.0 if side == BID else 1.0
        best = sides[side, BEST]
        n = scratch.found[side]
        total = np.int64(0)
        for i in range(n):
            total += scratch.near[side, 1, i]
        # A cluster is a run of successive levels that each hold more than twice the mean.
        clusters = np.int64(0)
        largest = lots = moment = np.int64(0)
        largest_key = np.nan
        for i in range(n + 1):
            size = scratch.near[side, 1, i] if i < n else np.int64(0)
            if size * n > 2 * total:
                if lots == 0:
                    clusters += 1
                lots += size
                moment += size * (scratch.near[side, 0, i] - best)
            elif lots > 0:
                if lots > largest:
                    largest = lots
                    largest_key = best + moment / lots
                lots = moment = np.int64(0)
        price = sign * largest_key
        out[0 + 2 * side] = tick * price
        out[1 + 2 * side] = lot * largest
        out[4 + side] = clusters
        lasting = sign * _lasting_level(book, scratch, side)
        out[6 + side] = tick * lasting
        out[8 + side] = 1e4 * sign * (lasting - mid) / mid
        out[10 + side] = 1e4 * sign * (price - mid) / mid
        out[12 + side] = largest / total


@kernel
def _lasting_level(book: BookArrays, scratch: Scratch, side: int) -> float:
    # Walk to the nearest levels that have stood long enough; take the first that holds half of what the largest holds.
    latest = book.head[LAST_TS] - LASTING_S * 1_000_000_000
    found, largest = np.int64(0), np.int64(0)
    place = first_place(book, side)
    while place >= 0 and found < LASTING:
        slot = slot_at(book, side, place)
        if book.pool[slot, BORN] <= latest:
            scratch.lasting[0, found] = book.pool[slot, KEY]
            scratch.lasting[1, found] = book.pool[slot, LOTS]
            largest = max(largest, book.pool[slot, LOTS])
            found += 1
        place = next_place(book, side, place + 1)
    for i in range(found):
        if 2 * scratch.lasting[1, i] >= largest:
            return np.float64(scratch.lasting[0, i])
    return np.nan


def specs(grid_ms: int) -> tuple[FeatureSpec, ...]:
    """Return what `step` writes, in its order."""
    clusters = Describe("clusters", grid_ms)
    large = f"of the {NEAR} best levels of the side, each above twice their mean volume"
    lasting = (
        f"nearest of the {LASTING} best {{}} levels that have stood for {LASTING_S} s to hold at least half of what "
        "the largest of these holds"
    )
    none = "a side of the book is empty, or no level is above twice the mean"
    young = f"a side of the book is empty, or no level has stood for {LASTING_S} s since the last snapshot"
    found: list[FeatureSpec] = []
    for side in ("bid", "ask"):
        found += [
            clusters(
                f"largest_{side}_cluster_price", "price",
                f"volume-weighted price of the cluster with the most volume: successive levels, {large}",
                "Where the book is thickest. Equal volumes: the nearer one.", nan=none, stationary=False,
            ),
            clusters(
                f"largest_{side}_cluster_volume", "base units", "volume of that cluster",
                "0 where there is no cluster.",
            ),
        ]  # fmt: skip
    found += [
        clusters(f"num_{side}_clusters", "-", f"clusters: runs of successive levels {large}", "How lumpy the side is.")
        for side in ("bid", "ask")
    ]
    found += [
        clusters(name, "price", lasting.format(side), text, nan=young, seconds=LASTING_S, extra=1, stationary=False)
        for name, side, text in (
            ("support_level_1", "bid", "Resting liquidity that lasts below the price."),
            ("resistance_level_1", "ask", "Resting liquidity that lasts above the price."),
        )
    ]
    found += [
        clusters(
            f"distance_to_{name}", "bps", f"1e4 |{name}_level_1 / mid - 1|", f"How far the {name} is.",
            nan=young, seconds=LASTING_S, extra=1, of=f"{name}_level_1",
        )
        for name in ("support", "resistance")
    ]  # fmt: skip
    found += [
        clusters(
            f"largest_{side}_cluster_distance", "bps", f"1e4 |largest_{side}_cluster_price / mid - 1|",
            "How far the largest cluster is.", nan=none, of=f"largest_{side}_cluster_price",
        )
        for side in ("bid", "ask")
    ]  # fmt: skip
    found += [
        clusters(
            f"largest_{side}_cluster_share", "-",
            f"largest_{side}_cluster_volume / volume of the {NEAR} best levels of the side",
            "Concentration of the side.", of=f"largest_{side}_cluster_volume",
        )
        for side in ("bid", "ask")
    ]  # fmt: skip
    return tuple(found)
