"""Spoofing: a large order away from the touch that is withdrawn untraded, when its shadow has done its work."""

from math import exp, log, log1p
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.detectors.book.evidence import ALONE
from fathom.detectors.book.evidence import SPOOFING as EVIDENCE
from fathom.detectors.book.fitted import fitted_threshold, fitted_trees, fitted_weights
from fathom.detectors.book.placed_orders import (
    CROWD,
    DISTANCE,
    HITS_ASK,
    HITS_BID,
    LEVEL_BEFORE,
    MOVED,
    PLACED,
    PLACED_AFTER,
    PLACED_MID2,
    REMOVED,
    REMOVED_AFTER,
    SIDE,
    SIZE,
    TAKEN_BID,
)
from fathom.detectors.book.scores import Tree, grove_of
from fathom.detectors.book.taker_flow import MID2, FlowState, lean, surplus, usual_move
from fathom.market.kernel import kernel
from fathom.market.levels import ASK

_SIZE, _RARITY, _DOMINANCE, _SHORT, _LONG, _BENEFIT, _OWN, _MOVE, _LEAN, _TWINS, _MOVED, _DISTANCE, _FAR = range(1, 14)
_PLACED_CROWD, _REMOVED_CROWD, _SIZE_BENEFIT, _RECURRENCE, _SAME, _RECURRENCE_SIZE = range(14, 20)

HISTORY: Final = 512
# Columns of the history of withdrawn orders.
_H_TS, _H_SIDE, _H_SIZE, _H_DISTANCE, _H_SUSPICION = range(5)
HISTORY_FIELDS: Final = 5
PAST_WEIGHT: Final = 10.0
LEAST_SUSPICION: Final = 0.05  # what is less suspicious by itself is not remembered


class SpoofingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the spoofing detector.

    Parameters
    ----------
    size_percentile : float
        An order is large when its size is above this percentile of the additions at its distance.
    ttl_threshold_ms : float
        Time to live that counts as short; shorter is more suspicious, longer less, gradually.
    max_life_ms : float
        Orders that stood longer are not looked at.
    min_distance_ticks : int
        Orders nearer to the touch are not looked at: they are there to trade.
    history_secs : float
        Memory for like orders withdrawn before.
    threshold : float
        Confidence at which an alert is raised.
    series_ms : float
        A like order of the same side within this time goes on with the series of the last alert.
    max_series_per_hour : float
        Series of alerts that the threshold is raised to keep to (`detectors.book.pacing`); 0 leaves it where it is.
    alone_weights : tuple of float
        Weights of the evidence before "recurrence", for the suspicion that an order raises by itself and that is
        remembered against the next ones.
    weights : tuple of float
        Weight of each of `EVIDENCE` in the log-odds, as fitted by ``fathom detect benchmark --fit``.
    trees : tuple of Tree
        What is added to the weighted evidence, fitted together with the weights: none for weights of your own.

    Examples
    --------
    >>> SpoofingConfig(ttl_threshold_ms=500).size_percentile
    75.0
    """

    size_percentile: Annotated[float, Meta(gt=0, lt=100)] = 75.0
    ttl_threshold_ms: Annotated[float, Meta(gt=0)] = 200.0
    max_life_ms: Annotated[float, Meta(gt=0)] = 10_000.0
    min_distance_ticks: Annotated[int, Meta(ge=0)] = 1
    history_secs: Annotated[float, Meta(gt=0)] = 30.0
    threshold: Annotated[float, Meta(gt=0, lt=1)] = fitted_threshold("spoofing")
    series_ms: Annotated[float, Meta(ge=0)] = 10_000.0
    max_series_per_hour: Annotated[float, Meta(ge=0)] = 0.0
    alone_weights: tuple[float, ...] = fitted_weights("spoofing", "alone_weights", ALONE)
    weights: tuple[float, ...] = fitted_weights("spoofing", "weights", EVIDENCE)
    trees: tuple[Tree, ...] = fitted_trees("spoofing")

    def __post_init__(self) -> None:
        for name, weights, names in (
            ("weights", self.weights, EVIDENCE),
            ("alone_weights", self.alone_weights, ALONE),
        ):
            if len(weights) != len(names):
                raise ValueError(f"Expected {len(names)} {name} ({', '.join(names)}), was {len(weights)}.")
        grove_of(self.trees, EVIDENCE)


@kernel
def score(weights: NDArray[np.float64], evidence: NDArray[np.float64]) -> float:
    """Return the logistic score of the evidence."""
    total = 0.0
    for i in range(len(weights)):
        total += weights[i] * evidence[i]
    return 1.0 / (1.0 + exp(-total))


@kernel
def clip(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


@kernel
def life_secs(order: NDArray[np.int64]) -> float:
    """Return the middle of the interval in which the time to live lies, at least a millisecond."""
    shortest = max(0, order[REMOVED_AFTER] - order[PLACED])
    longest = order[REMOVED] - order[PLACED_AFTER]
    return float(max(1e-3, 0.5e-9 * (shortest + longest)))


@kernel
def weigh_order(
    order: NDArray[np.int64],
    ratio: float,
    rarity: float,
    together: int,
    alike: int,
    flow: FlowState,
    ttl_secs: float,
    evidence: NDArray[np.float64],
) -> None:
    """Write the evidence against a withdrawn order, by itself."""
    side = order[SIDE]
    life = life_secs(order)
    benefit = clip(surplus(flow, 1 - side, order[TAKEN_BID + 1 - side], life), -2.0, 6.0)
    towards = 0.5 * (flow.head[MID2] - order[PLACED_MID2])
    if side == ASK:
        towards = -towards
    evidence[0] = 1.0
    evidence[_SIZE] = clip(log(max(ratio, 1e-3)), -1.0, 2.5)
    evidence[_RARITY] = clip(rarity, 0.0, 8.0)
    evidence[_DOMINANCE] = order[SIZE] / (order[SIZE] + order[LEVEL_BEFORE])
    evidence[_SHORT] = clip(log(ttl_secs / life), -3.0, 3.0)
    evidence[_LONG] = max(0.0, log(0.5 * life))
    evidence[_BENEFIT] = benefit
    evidence[_OWN] = clip(surplus(flow, side, order[TAKEN_BID + side], life), -2.0, 6.0)
    evidence[_MOVE] = clip(towards / usual_move(flow, life), -3.0, 3.0)
    evidence[_LEAN] = clip(lean(flow, side, order[HITS_BID], order[HITS_ASK]), -3.0, 3.0)
    evidence[_TWINS] = log1p(np.float64(alike))
    evidence[_MOVED] = np.float64(order[MOVED])
    evidence[_DISTANCE] = log1p(np.float64(order[DISTANCE]))
    evidence[_FAR] = max(0.0, log(max(order[DISTANCE], 1) / 20.0))
    evidence[_PLACED_CROWD] = log(np.float64(max(order[CROWD], 1)))
    evidence[_REMOVED_CROWD] = log(np.float64(max(together, 1)))
    evidence[_SIZE_BENEFIT] = evidence[_SIZE] * max(benefit, 0.0)
    evidence[_RECURRENCE] = evidence[_SAME] = evidence[_RECURRENCE_SIZE] = 0.0


@kernel
def weigh_past(
    order: NDArray[np.int64], history: NDArray[np.float64], memory_secs: float, evidence: NDArray[np.float64]
) -> None:
    """Add the evidence of like orders withdrawn before."""
    alike = same = 0.0
    size = log(np.float64(order[SIZE]))
    for i in range(HISTORY):
        past = history[i]
        if past[_H_SIDE] != order[SIDE] or past[_H_SUSPICION] <= 0.0:
            continue
        off = abs(past[_H_SIZE] - size)
        if off <= 0.7 and abs(past[_H_DISTANCE] - order[DISTANCE]) <= 5.0 + 0.5 * order[DISTANCE]:
            weight = past[_H_SUSPICION] * exp(-max(0.0, order[REMOVED] * 1e-9 - past[_H_TS]) / memory_secs)
            alike += weight
            if off <= 0.12:
                same += weight
    evidence[_RECURRENCE] = log1p(PAST_WEIGHT * alike)
    evidence[_SAME] = log1p(PAST_WEIGHT * same)
    evidence[_RECURRENCE_SIZE] = evidence[_RECURRENCE] * evidence[_SIZE]


@kernel
def remember(history: NDArray[np.float64], at: int, order: NDArray[np.int64], suspicious: float) -> None:
    """Put a withdrawn order into the ring of the past, at its number `at`."""
    past = history[at % HISTORY]
    past[_H_TS] = order[REMOVED] * 1e-9
    past[_H_SIDE] = order[SIDE]
    past[_H_SIZE] = log(np.float64(order[SIZE]))
    past[_H_DISTANCE] = order[DISTANCE]
    past[_H_SUSPICION] = suspicious
