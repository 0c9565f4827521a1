"""Spoofing: a large order away from the touch that is withdrawn untraded, when its shadow has done its work."""

from math import exp, log, log1p
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.detectors.book.alerts import AlertKind, Desk, begin_alert, begin_candidate, is_raised
from fathom.detectors.book.evidence import ALONE, evidence_dtype
from fathom.detectors.book.evidence import SPOOFING as EVIDENCE
from fathom.detectors.book.fitted import check_weights, fitted_threshold, fitted_trees, fitted_weights
from fathom.detectors.book.placed_orders import (
    WAITING,
    PlacedOrders,
    is_withdrawn,
    life_low,
    life_secs,
    priced,
    twins,
    withdrawn_together,
)
from fathom.detectors.book.scores import Grove, Tree, clip, confidence_of, grove_of, log_odds, needed, score
from fathom.detectors.book.taker_flow import MID2, FlowState, lean, surplus, usual_move
from fathom.market.events import Side
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BID

HISTORY: Final = 512
WITHDRAWAL: Final = np.dtype(
    [("secs", "<f8"), ("side", "<f8"), ("log_size", "<f8"), ("distance", "<f8"), ("suspicion", "<f8")]
)
_PARAMS: Final = np.dtype(
    [
        ("min_distance", "<i8"),
        ("life_secs", "<f8"),
        ("ttl_secs", "<f8"),
        ("memory_secs", "<f8"),
        ("threshold", "<f8"),
        ("series_ms", "<f8"),
    ]
)
_SPOOFING: Final = int(AlertKind.SPOOFING)
_BUY, _SELL = int(Side.BUY), int(Side.SELL)
PAST_WEIGHT: Final = 10.0
LEAST_SUSPICION: Final = 0.05  # what is less suspicious by itself is not remembered


class SpoofingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the spoofing detector.

    Parameters
    ----------
    size_percentile : float
        An order is looked at when its size is above this percentile of the additions at its distance, whatever the
        percentile of layering is.
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
    80.0
    """

    size_percentile: Annotated[float, Meta(gt=0, lt=100)] = 80.0
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
        check_weights("spoofing", weights=self.weights, alone_weights=self.alone_weights)
        grove_of(self.trees, EVIDENCE)


class SpoofingState(NamedTuple):
    """Arrays of the spoofing detector, beside the placed orders.

    Parameters
    ----------
    params : ndarray, shape (1,)
        Settings.
    alone_weights, weights : ndarray of float64
    grove : Grove
        Trees that are added to the weighted evidence.
    history : ndarray of WITHDRAWAL
        Ring of the large orders withdrawn, for recurrence.
    remembered : ndarray of int64, shape (1,)
        Orders put into it so far.
    evidence, best_evidence : ndarray, shape (1,)
        Scratch: a record with a number for each of `EVIDENCE`.

    Examples
    --------
    >>> new_spoofing(SpoofingConfig()).history.shape
    (512,)
    """

    params: NDArray[Any]
    alone_weights: NDArray[np.float64]
    weights: NDArray[np.float64]
    grove: Grove
    history: NDArray[Any]
    remembered: NDArray[np.int64]
    evidence: NDArray[Any]
    best_evidence: NDArray[Any]


def new_spoofing(config: SpoofingConfig) -> SpoofingState:
    """Return the state before the first row."""
    c = config
    params = (c.min_distance_ticks, c.max_life_ms * 1e-3, c.ttl_threshold_ms * 1e-3)
    return SpoofingState(
        params=np.array([(*params, c.history_secs, c.threshold, c.series_ms)], _PARAMS),
        alone_weights=np.array(c.alone_weights, np.float64),
        weights=np.array(c.weights, np.float64),
        grove=grove_of(c.trees, EVIDENCE),
        history=np.zeros(HISTORY, WITHDRAWAL),
        remembered=np.zeros(1, np.int64),
        evidence=np.zeros(1, evidence_dtype(EVIDENCE)),
        best_evidence=np.zeros(1, evidence_dtype(EVIDENCE)),
    )


@kernel
def weigh_order(order: Any, together: int, alike: int, flow: FlowState, ttl_secs: float, evidence: Any) -> None:
    """Write the evidence against a withdrawn order, by itself."""
    side = order.side
    life = life_secs(order)
    taken_own = order.taken_bid if side == BID else order.taken_ask
    taken_other = order.taken_ask if side == BID else order.taken_bid
    benefit = clip(surplus(flow, 1 - side, taken_other, life), -2.0, 6.0)
    towards = 0.5 * (flow.head[MID2] - order.placed_mid2)
    if side == ASK:
        towards = -towards
    evidence.constant = 1.0
    evidence.size = clip(log(max(order.usual_ratio, 1e-3)), -1.0, 2.5)
    evidence.rarity = clip(order.rarity, 0.0, 8.0)
    evidence.dominance = order.size / (order.size + order.level_before)
    evidence.short = clip(log(ttl_secs / life), -3.0, 3.0)
    evidence.long = max(0.0, log(0.5 * life))
    evidence.benefit = benefit
    evidence.own_side = clip(surplus(flow, side, taken_own, life), -2.0, 6.0)
    evidence.move = clip(towards / usual_move(flow, life), -3.0, 3.0)
    evidence.lean = clip(lean(flow, side, order.hits_bid, order.hits_ask), -3.0, 3.0)
    evidence.twins = log1p(np.float64(alike))
    evidence.moved = np.float64(order.moved)
    evidence.distance = log1p(np.float64(order.distance))
    evidence.far = max(0.0, log(max(order.distance, 1) / 20.0))
    evidence.placed_crowd = log(np.float64(max(order.crowd, 1)))
    evidence.removed_crowd = log(np.float64(max(together, 1)))
    evidence.size_benefit = evidence.size * max(benefit, 0.0)
    evidence.recurrence = evidence.same_size = evidence.recurrence_size = 0.0


@kernel
def weigh_past(order: Any, history: NDArray[Any], memory_secs: float, evidence: Any) -> None:
    """Add the evidence of like orders withdrawn before."""
    alike = same = 0.0
    size = log(np.float64(order.size))
    for i in range(HISTORY):
        past = history[i]
        if past.side != order.side or past.suspicion <= 0.0:
            continue
        off = abs(past.log_size - size)
        if off <= 0.7 and abs(past.distance - order.distance) <= 5.0 + 0.5 * order.distance:
            weight = past.suspicion * exp(-max(0.0, order.removed * 1e-9 - past.secs) / memory_secs)
            alike += weight
            if off <= 0.12:
                same += weight
    evidence.recurrence = log1p(PAST_WEIGHT * alike)
    evidence.same_size = log1p(PAST_WEIGHT * same)
    evidence.recurrence_size = evidence.recurrence * evidence.size


@kernel
def remember(history: NDArray[Any], at: int, order: Any) -> None:
    """Put a withdrawn order into the ring of the past, at its number `at`."""
    past = history[at % HISTORY]
    past.secs = order.removed * 1e-9
    past.side = order.side
    past.log_size = log(np.float64(order.size))
    past.distance = order.distance
    past.suspicion = order.suspicion


@kernel
def seek_spoofs(
    placed: PlacedOrders, state: SpoofingState, desk: Desk, ts_event: int, ts_init: int, layered: int
) -> None:
    """Judge the orders that wait, and raise at most one alert a side; none of a side in the bits of `layered`."""
    orders, params = placed.orders, state.params[0]
    evidence, best_evidence = state.evidence[0], state.best_evidence[0]
    numbers = state.evidence.view(np.float64)
    best_numbers = state.best_evidence.view(np.float64)
    least = needed(params.threshold)
    for side in range(2):
        best = np.int64(-1)
        top = -np.inf
        together = withdrawn_together(orders, side)
        for n in range(orders.head[WAITING]):
            i = np.int64(orders.ending[n])
            order = orders.orders[i]
            if (
                order.side != side
                or order.is_spoof == 0
                or order.distance < params.min_distance
                or not is_withdrawn(order)
                or life_secs(order) > params.life_secs
            ):
                continue
            weigh_order(order, together, twins(orders, i), placed.flow, params.ttl_secs, evidence)
            suspicious = score(state.alone_weights, numbers)
            if suspicious >= LEAST_SUSPICION:
                weigh_past(order, state.history, params.memory_secs, evidence)
                # Orders of one message do not make one another recurrent: they are remembered below.
                order.suspicion = suspicious
            odds = log_odds(state.weights, state.grove, numbers, max(least, top))
            at = begin_candidate(desk, _SPOOFING, ts_event, ts_init, numbers)
            if at >= 0:
                _describe(desk.log[at], order, evidence)
            if odds > top:
                best, top = i, odds
                for k in range(len(numbers)):
                    best_numbers[k] = numbers[k]
        if best < 0:
            continue
        for n in range(orders.head[WAITING]):
            order = orders.orders[orders.ending[n]]
            if order.side == side and order.suspicion > 0.0:
                remember(state.history, state.remembered[0], order)
                state.remembered[0] += 1
        confidence = confidence_of(top)
        if (layered >> side) & 1 or not is_raised(desk, _SPOOFING, confidence, params.threshold):
            continue
        order = orders.orders[best]
        at = begin_alert(desk, _SPOOFING, side, order.size, confidence, params.series_ms, ts_event, ts_init)
        if at >= 0:
            _describe(desk.alerts[at], order, best_evidence)


@kernel
def _describe(row: Any, order: Any, evidence: Any) -> None:
    row.placed, row.removed = order.placed, order.removed
    row.life_low = life_low(order)
    row.life_high = max(row.life_low, order.removed - order.placed_after)
    row.price_low = row.price_high = priced(order.side, order.price_key)
    row.lots = order.size
    row.size_ratio = order.usual_ratio
    row.benefit = evidence.benefit
    row.recurrence = (np.exp(evidence.recurrence) - 1.0) / PAST_WEIGHT
    row.distance = order.distance
    row.levels = 1
    row.side = _BUY if order.side == BID else _SELL
