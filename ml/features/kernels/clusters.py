"""Clusters of large levels on each side."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.flow import FlowArrays
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BEST, BID, COUNT, BookArrays
from fathom.ml.features.kernels.describe import Describe, places
from fathom.ml.features.kernels.windows import NEAR, Scratch
from fathom.ml.features.spec import FeatureSpec


def specs(grid_ms: int) -> tuple[FeatureSpec, ...]:
    """Return what `step` writes, in the order of `PLACE`."""
    clusters = Describe("clusters", grid_ms)
    large = f"of the {NEAR} best levels of the side, each above twice their mean volume"
    none = "a side of the book is empty, or no level is above twice the mean"
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


PLACE: Final = places(specs(1000))
"""Place of each value by the name of its feature."""


@kernel
def step(
    book: BookArrays, flow: FlowArrays, scratch: Scratch, tick: float, lot: float, out: NDArray[np.float64]
) -> None:
    """Write the values of `specs`, after `depth.step`."""
    sides = book.sides
    out[: len(PLACE)] = np.nan
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
        out[PLACE.largest_bid_cluster_price + 2 * side] = tick * price
        out[PLACE.largest_bid_cluster_volume + 2 * side] = lot * largest
        out[PLACE.num_bid_clusters + side] = clusters
        out[PLACE.largest_bid_cluster_distance + side] = 1e4 * sign * (price - mid) / mid
        out[PLACE.largest_bid_cluster_share + side] = largest / total
