"""Layering: many orders of one side, built up together, withdrawn together, hardly traded."""

from math import exp, log, log1p, sqrt
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.detectors.book.evidence import LAYERING as EVIDENCE
from fathom.detectors.book.fitted import fitted_threshold, fitted_trees, fitted_weights
from fathom.detectors.book.placed_orders import (
    DISTANCE,
    LEVEL_BEFORE,
    MOVED,
    PLACED,
    PLACED_AFTER,
    PLACED_MID2,
    PRICE_KEY,
    REMOVED,
    REMOVED_AFTER,
    SIDE,
    SIZE,
    TAKEN_BID,
)
from fathom.detectors.book.scores import Tree, grove_of
from fathom.detectors.book.spoofing import clip
from fathom.detectors.book.taker_flow import MID2, FlowState, surplus, usual_move
from fathom.market.kernel import kernel
from fathom.market.levels import ASK

_N: Final = len(EVIDENCE)

RECENT: Final = 512
MEMBERS: Final = 64
# Columns of the ring of withdrawn orders, int64 and float64.
R_SIDE, R_KEY, R_PLACED, R_PLACED_AFTER, R_REMOVED, R_SIZE, R_DISTANCE, R_MID2, R_TAKEN_BID, R_TAKEN_ASK, R_MOVED = (
    range(11)
)
R_REMOVED_AFTER: Final = 11
RECENT_FIELDS: Final = 12
RF_RATIO, RF_DOMINANCE = range(2)
RECENT_RATIOS: Final = 2

# Columns of what a cluster was, for the alert.
C_LEVELS, C_LOW, C_HIGH, C_LOTS, C_PLACED, C_REMOVED, C_NEAREST, C_PLACED_AFTER, C_REMOVED_AFTER = range(9)
CLUSTER_FIELDS: Final = 9

PAST: Final = 64


class LayeringConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the layering detector.

    Parameters
    ----------
    min_levels : int
        Prices of one side that make layers.
    band_bps : float
        They lie within this distance of one another.
    build_ms, withdraw_ms : float
        They were all placed, and all withdrawn, within these times.
    size_percentile : float
        An order counts when its size is above this percentile of the additions at its distance.
    max_life_ms : float
        Orders that stood longer are not looked at.
    history_secs : float
        Memory for clusters before.
    threshold : float
        Confidence at which an alert is raised.
    series_ms : float
        A cluster of the same side within this time goes on with the series of the last alert.
    max_series_per_hour : float
        Series of alerts that the threshold is raised to keep to (`detectors.book.pacing`); 0 leaves it where it is.
    weights : tuple of float
        Weight of each of `EVIDENCE` in the log-odds, as fitted by ``fathom detect benchmark --fit``.
    trees : tuple of Tree
        What is added to the weighted evidence, fitted together with the weights: none for weights of your own.

    Examples
    --------
    >>> LayeringConfig().min_levels, LayeringConfig().band_bps
    (3, 50.0)
    """

    min_levels: Annotated[int, Meta(ge=2)] = 3
    band_bps: Annotated[float, Meta(gt=0)] = 50.0
    build_ms: Annotated[float, Meta(gt=0)] = 500.0
    withdraw_ms: Annotated[float, Meta(gt=0)] = 500.0
    size_percentile: Annotated[float, Meta(gt=0, lt=100)] = 80.0
    max_life_ms: Annotated[float, Meta(gt=0)] = 10_000.0
    history_secs: Annotated[float, Meta(gt=0)] = 30.0
    threshold: Annotated[float, Meta(gt=0, lt=1)] = fitted_threshold("layering")
    series_ms: Annotated[float, Meta(ge=0)] = 10_000.0
    max_series_per_hour: Annotated[float, Meta(ge=0)] = 0.0
    weights: tuple[float, ...] = fitted_weights("layering", "weights", EVIDENCE)
    trees: tuple[Tree, ...] = fitted_trees("layering")

    def __post_init__(self) -> None:
        if len(self.weights) != _N:
            raise ValueError(f"Expected {_N} weights ({', '.join(EVIDENCE)}), was {len(self.weights)}.")
        grove_of(self.trees, EVIDENCE)


@kernel
def remember_withdrawn(
    recent: NDArray[np.int64],
    ratios: NDArray[np.float64],
    at: int,
    order: NDArray[np.int64],
    ratio: float,
) -> None:
    """Put a withdrawn order into the ring, at its number `at`."""
    i = at % RECENT
    row = recent[i]
    row[R_SIDE], row[R_KEY], row[R_SIZE], row[R_DISTANCE] = order[SIDE], order[PRICE_KEY], order[SIZE], order[DISTANCE]
    row[R_PLACED], row[R_PLACED_AFTER], row[R_REMOVED] = order[PLACED], order[PLACED_AFTER], order[REMOVED]
    row[R_REMOVED_AFTER] = order[REMOVED_AFTER]
    row[R_MID2], row[R_TAKEN_BID], row[R_TAKEN_ASK] = order[PLACED_MID2], order[TAKEN_BID], order[TAKEN_BID + 1]
    row[R_MOVED] = order[MOVED]
    ratios[i, RF_RATIO] = log(max(ratio, 1e-3))
    ratios[i, RF_DOMINANCE] = order[SIZE] / (order[SIZE] + order[LEVEL_BEFORE])


@kernel
def _members(
    recent: NDArray[np.int64],
    count: int,
    anchor: NDArray[np.int64],
    band: float,
    build_ns: int,
    withdraw_ns: int,
    later: bool,
    farthest: int,
    found: NDArray[np.int64],
) -> int:
    """Collect the withdrawals built within `build_ns` before the anchor, or after it; each price counts once.

    What was placed elsewhere at the same time is a quote that moved, not a layer.
    """
    removed = recent[(count - 1) % RECENT, R_REMOVED]
    side, key, placed = anchor[R_SIDE], anchor[R_KEY], anchor[R_PLACED]
    first = placed if later else placed - build_ns
    last = placed + build_ns if later else placed
    levels = 0
    low = high = key
    for n in range(count - 1, max(-1, count - 1 - RECENT), -1):
        row = recent[n % RECENT]
        if removed - row[R_REMOVED] > withdraw_ns or levels == MEMBERS:
            break
        if row[R_SIDE] != side or row[R_PLACED] < first or row[R_PLACED] > last:
            continue
        if max(high, row[R_KEY]) - min(low, row[R_KEY]) > band:
            continue
        if row[R_MOVED] != 0 or row[R_DISTANCE] > farthest:
            continue
        seen = False
        for k in range(levels):
            if recent[found[k], R_KEY] == row[R_KEY]:
                seen = True
                break
        if not seen:
            found[levels] = n % RECENT
            levels += 1
            low, high = min(low, row[R_KEY]), max(high, row[R_KEY])
    return levels


@kernel
def weigh_cluster(
    recent: NDArray[np.int64],
    ratios: NDArray[np.float64],
    count: int,
    at: int,
    flow: FlowState,
    past: NDArray[np.float64],
    min_levels: int,
    band: float,
    build_ns: int,
    withdraw_ns: int,
    memory_secs: float,
    farthest: int,
    found: NDArray[np.int64],
    evidence: NDArray[np.float64],
    cluster: NDArray[np.int64],
) -> bool:
    """Look at the cluster around number `at` of the ring, up to `farthest` from the touch; write its evidence.

    Of the orders built before the anchor and those built after it, the larger group is the cluster.
    """
    anchor = recent[at % RECENT]
    removed = recent[(count - 1) % RECENT, R_REMOVED]
    before = _members(recent, count, anchor, band, build_ns, withdraw_ns, False, farthest, found)
    levels = _members(recent, count, anchor, band, build_ns, withdraw_ns, True, farthest, found)
    if before > levels:
        levels = _members(recent, count, anchor, band, build_ns, withdraw_ns, False, farthest, found)
    if levels < min_levels:
        return False
    lots = np.int64(0)
    low = high = anchor[R_KEY]
    nearest = anchor[R_DISTANCE]
    placed, placed_after, first_removed = anchor[R_PLACED], anchor[R_PLACED_AFTER], anchor[R_REMOVED]
    last_placed = placed
    mid2, taken_bid, taken_ask = anchor[R_MID2], anchor[R_TAKEN_BID], anchor[R_TAKEN_ASK]
    ratio = dominance = logs = squares = moved = distance = 0.0
    for k in range(levels):
        row = recent[found[k]]
        lots += row[R_SIZE]
        low, high = min(low, row[R_KEY]), max(high, row[R_KEY])
        nearest = min(nearest, row[R_DISTANCE])
        first_removed = min(first_removed, row[R_REMOVED])
        last_placed = max(last_placed, row[R_PLACED])
        if row[R_PLACED] < placed:
            placed, placed_after = row[R_PLACED], row[R_PLACED_AFTER]
            mid2, taken_bid, taken_ask = row[R_MID2], row[R_TAKEN_BID], row[R_TAKEN_ASK]
        ratio += ratios[found[k], RF_RATIO]
        dominance += ratios[found[k], RF_DOMINANCE]
        size = log(np.float64(row[R_SIZE]))
        logs += size
        squares += size * size
        moved += row[R_MOVED]
        distance += row[R_DISTANCE]
    crowd = 0
    for n in range(count - 1, max(-1, count - 1 - RECENT), -1):
        if removed - recent[n % RECENT, R_REMOVED] > withdraw_ns:
            break
        crowd += 1
    side = anchor[R_SIDE]
    life = max(1e-3, 0.5e-9 * (removed - placed + max(0, first_removed - last_placed)))
    taken_own = taken_bid if side == 0 else taken_ask
    taken_other = taken_ask if side == 0 else taken_bid
    benefit = clip(surplus(flow, 1 - side, taken_other, life), -2.0, 6.0)
    towards = 0.5 * (flow.head[MID2] - mid2)
    if side == ASK:
        towards = -towards
    again = 0.0
    for i in range(PAST):
        if past[i, 1] == side and past[i, 0] > 0.0:
            again += exp(-max(0.0, removed * 1e-9 - past[i, 0]) / memory_secs)
    evidence[0] = 1.0
    evidence[1] = log(np.float64(levels) / min_levels)
    evidence[2] = clip(ratio / levels, -1.0, 2.0)
    evidence[3] = dominance / levels
    evidence[4] = sqrt(max(0.0, squares / levels - (logs / levels) ** 2))
    evidence[5] = clip(log(1.0 / life), -3.0, 3.0)
    evidence[6] = max(0.0, log(0.25 * life))
    evidence[7] = benefit
    evidence[8] = clip(surplus(flow, side, taken_own, life), -2.0, 6.0)
    evidence[9] = clip(towards / usual_move(flow, life), -3.0, 3.0)
    evidence[10] = log1p(again)
    evidence[11] = moved / levels
    evidence[12] = log1p(distance / levels)
    evidence[13] = log1p(np.float64(high - low))
    evidence[14] = log(np.float64(crowd) / levels)
    evidence[15] = evidence[2] * max(benefit, 0.0)
    evidence[16] = evidence[2] * evidence[10]
    cluster[C_LEVELS], cluster[C_LOW], cluster[C_HIGH], cluster[C_LOTS] = levels, low, high, lots
    cluster[C_PLACED], cluster[C_PLACED_AFTER], cluster[C_REMOVED] = placed, placed_after, removed
    cluster[C_NEAREST], cluster[C_REMOVED_AFTER] = nearest, anchor[R_REMOVED_AFTER]
    return True
