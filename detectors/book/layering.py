"""Layering: many orders of one side, built up together, withdrawn together, hardly traded."""

from math import exp, log, log1p, sqrt
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.detectors.book.alerts import AlertKind, Desk, begin_alert, begin_candidate, is_raised
from fathom.detectors.book.evidence import LAYERING as EVIDENCE
from fathom.detectors.book.evidence import evidence_dtype
from fathom.detectors.book.fitted import check_weights, fitted_threshold, fitted_trees, fitted_weights
from fathom.detectors.book.placed_orders import (
    WAITING,
    PlacedOrders,
    band_ticks,
    is_withdrawn,
    life_low,
    life_secs,
    priced,
)
from fathom.detectors.book.scores import Grove, Tree, clip, confidence_of, grove_of, log_odds, needed, score
from fathom.detectors.book.taker_flow import MID2, FlowState, surplus, usual_move
from fathom.market.events import Side
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BID

_RECENT: Final = 512
_MEMBERS: Final = 64
_PAST: Final = 64
_ANCHORS: Final = 16
_NEAR, _MIDDLE, _WHOLE = 40, 160, 1 << 40  # ticks from the touch
_LAYERING: Final = int(AlertKind.LAYERING)
_BUY, _SELL = int(Side.BUY), int(Side.SELL)

WITHDRAWN: Final = np.dtype(
    [
        ("side", "<i8"),
        ("key", "<i8"),
        ("placed", "<i8"),
        ("placed_after", "<i8"),
        ("removed", "<i8"),
        ("removed_after", "<i8"),
        ("size", "<i8"),
        ("distance", "<i8"),
        ("mid2", "<i8"),
        ("taken_bid", "<i8"),
        ("taken_ask", "<i8"),
        ("moved", "<i8"),
        ("log_ratio", "<f8"),
        ("dominance", "<f8"),
    ]
)
_CLUSTER: Final = np.dtype(
    [
        ("levels", "<i8"),
        ("low", "<i8"),
        ("high", "<i8"),
        ("lots", "<i8"),
        ("placed", "<i8"),
        ("placed_after", "<i8"),
        ("removed", "<i8"),
        ("removed_after", "<i8"),
        ("nearest", "<i8"),
    ]
)
_PARAMS: Final = np.dtype(
    [
        ("min_levels", "<i8"),
        ("build_ns", "<i8"),
        ("withdraw_ns", "<i8"),
        ("life_secs", "<f8"),
        ("memory_secs", "<f8"),
        ("threshold", "<f8"),
        ("series_ms", "<f8"),
    ]
)
_BEFORE: Final = np.dtype([("secs", "<f8"), ("side", "<f8")])
# Entries of `LayeringState.counts`.
_RECENT_COUNT, _PAST_COUNT, _LAST = range(3)  # _LAST: ts_event of the last cluster remembered, of bids and of asks


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
        check_weights("layering", weights=self.weights)
        grove_of(self.trees, EVIDENCE)


class LayeringState(NamedTuple):
    """Arrays of the layering detector, beside the placed orders.

    Parameters
    ----------
    params : ndarray, shape (1,)
        Settings.
    weights : ndarray of float64
    grove : Grove
        Trees that are added to the weighted evidence.
    counts : ndarray of int64
        Orders put into `recent`, clusters put into `past`, and the times of the last ones.
    recent : ndarray of WITHDRAWN
        Ring of the orders withdrawn last.
    past : ndarray
        Ring of the clusters before: seconds and side.
    evidence, best_evidence, cluster, best_cluster, members : ndarray
        Scratch.

    Examples
    --------
    >>> new_layering(LayeringConfig()).recent.shape
    (512,)
    """

    params: NDArray[Any]
    weights: NDArray[np.float64]
    grove: Grove
    counts: NDArray[np.int64]
    recent: NDArray[Any]
    past: NDArray[Any]
    evidence: NDArray[Any]
    best_evidence: NDArray[Any]
    cluster: NDArray[Any]
    best_cluster: NDArray[Any]
    members: NDArray[np.int64]


def new_layering(config: LayeringConfig) -> LayeringState:
    """Return the state before the first row."""
    c = config
    params = (c.min_levels, int(c.build_ms * 1e6), int(c.withdraw_ms * 1e6), c.max_life_ms * 1e-3)
    past = np.zeros(_PAST, _BEFORE)
    past["side"] = -1.0
    return LayeringState(
        params=np.array([(*params, c.history_secs, c.threshold, c.series_ms)], _PARAMS),
        weights=np.array(c.weights, np.float64),
        grove=grove_of(c.trees, EVIDENCE),
        counts=np.zeros(4, np.int64),
        recent=np.zeros(_RECENT, WITHDRAWN),
        past=past,
        evidence=np.zeros(1, evidence_dtype(EVIDENCE)),
        best_evidence=np.zeros(1, evidence_dtype(EVIDENCE)),
        cluster=np.zeros(1, _CLUSTER),
        best_cluster=np.zeros(1, _CLUSTER),
        members=np.zeros(_MEMBERS, np.int64),
    )


@kernel
def _remember_withdrawn(state: LayeringState, order: Any) -> None:
    """Put a withdrawn order into the ring."""
    row = state.recent[state.counts[_RECENT_COUNT] % _RECENT]
    state.counts[_RECENT_COUNT] += 1
    row.side, row.key, row.size, row.distance = order.side, order.price_key, order.size, order.distance
    row.placed, row.placed_after = order.placed, order.placed_after
    row.removed, row.removed_after = order.removed, order.removed_after
    row.mid2, row.taken_bid, row.taken_ask = order.placed_mid2, order.taken_bid, order.taken_ask
    row.moved = order.moved
    row.log_ratio = log(max(order.layer_ratio, 1e-3))
    row.dominance = order.size / (order.size + order.level_before)


@kernel
def _members(state: LayeringState, anchor: Any, band: float, later: bool, farthest: int) -> int:
    """Collect the withdrawals built within `build_ns` before the anchor, or after it; each price counts once.

    What was placed elsewhere at the same time is a quote that moved, not a layer.
    """
    recent, found, build_ns, withdraw_ns = (
        state.recent,
        state.members,
        state.params[0].build_ns,
        state.params[0].withdraw_ns,
    )
    count = state.counts[_RECENT_COUNT]
    removed = recent[(count - 1) % _RECENT].removed
    side, key, placed = anchor.side, anchor.key, anchor.placed
    first = placed if later else placed - build_ns
    last = placed + build_ns if later else placed
    levels = 0
    low = high = key
    for n in range(count - 1, max(-1, count - 1 - _RECENT), -1):
        row = recent[n % _RECENT]
        if removed - row.removed > withdraw_ns or levels == _MEMBERS:
            break
        if row.side != side or row.placed < first or row.placed > last:
            continue
        if max(high, row.key) - min(low, row.key) > band:
            continue
        if row.moved != 0 or row.distance > farthest:
            continue
        seen = False
        for k in range(levels):
            if recent[found[k]].key == row.key:
                seen = True
                break
        if not seen:
            found[levels] = n % _RECENT
            levels += 1
            low, high = min(low, row.key), max(high, row.key)
    return levels


@kernel
def weigh_cluster(state: LayeringState, flow: FlowState, at: int, band: float, farthest: int) -> bool:
    """Look at the cluster around number `at` of the ring, up to `farthest` from the touch; write its evidence.

    Of the orders built before the anchor and those built after it, the larger group is the cluster.
    """
    recent, past, found, params = state.recent, state.past, state.members, state.params[0]
    evidence, cluster = state.evidence[0], state.cluster[0]
    count = state.counts[_RECENT_COUNT]
    anchor = recent[at % _RECENT]
    removed = recent[(count - 1) % _RECENT].removed
    before = _members(state, anchor, band, False, farthest)
    levels = _members(state, anchor, band, True, farthest)
    if before > levels:
        levels = _members(state, anchor, band, False, farthest)
    if levels < params.min_levels:
        return False
    lots = np.int64(0)
    low = high = anchor.key
    nearest = anchor.distance
    placed, placed_after, first_removed = anchor.placed, anchor.placed_after, anchor.removed
    last_placed = placed
    mid2, taken_bid, taken_ask = anchor.mid2, anchor.taken_bid, anchor.taken_ask
    ratio = dominance = logs = squares = moved = distance = 0.0
    for k in range(levels):
        row = recent[found[k]]
        lots += row.size
        low, high = min(low, row.key), max(high, row.key)
        nearest = min(nearest, row.distance)
        first_removed = min(first_removed, row.removed)
        last_placed = max(last_placed, row.placed)
        if row.placed < placed:
            placed, placed_after = row.placed, row.placed_after
            mid2, taken_bid, taken_ask = row.mid2, row.taken_bid, row.taken_ask
        ratio += row.log_ratio
        dominance += row.dominance
        size = log(np.float64(row.size))
        logs += size
        squares += size * size
        moved += row.moved
        distance += row.distance
    crowd = 0
    for n in range(count - 1, max(-1, count - 1 - _RECENT), -1):
        if removed - recent[n % _RECENT].removed > params.withdraw_ns:
            break
        crowd += 1
    side = anchor.side
    life = max(1e-3, 0.5e-9 * (removed - placed + max(0, first_removed - last_placed)))
    taken_own = taken_bid if side == 0 else taken_ask
    taken_other = taken_ask if side == 0 else taken_bid
    benefit = clip(surplus(flow, 1 - side, taken_other, life), -2.0, 6.0)
    towards = 0.5 * (flow.head[MID2] - mid2)
    if side == ASK:
        towards = -towards
    again = 0.0
    for i in range(_PAST):
        if past[i].side == side and past[i].secs > 0.0:
            again += exp(-max(0.0, removed * 1e-9 - past[i].secs) / params.memory_secs)
    evidence.constant = 1.0
    evidence.levels = log(np.float64(levels) / params.min_levels)
    evidence.size = clip(ratio / levels, -1.0, 2.0)
    evidence.dominance = dominance / levels
    evidence.likeness = sqrt(max(0.0, squares / levels - (logs / levels) ** 2))
    evidence.short = clip(log(1.0 / life), -3.0, 3.0)
    evidence.long = max(0.0, log(0.25 * life))
    evidence.benefit = benefit
    evidence.own_side = clip(surplus(flow, side, taken_own, life), -2.0, 6.0)
    evidence.move = clip(towards / usual_move(flow, life), -3.0, 3.0)
    evidence.recurrence = log1p(again)
    evidence.moved = moved / levels
    evidence.distance = log1p(distance / levels)
    evidence.reach = log1p(np.float64(high - low))
    evidence.crowd = log(np.float64(crowd) / levels)
    evidence.size_benefit = evidence.size * max(benefit, 0.0)
    evidence.size_recurrence = evidence.size * evidence.recurrence
    cluster.levels, cluster.low, cluster.high, cluster.lots = levels, low, high, lots
    cluster.placed, cluster.placed_after, cluster.removed = placed, placed_after, removed
    cluster.nearest, cluster.removed_after = nearest, anchor.removed_after
    return True


@kernel
def seek_layers(placed: PlacedOrders, state: LayeringState, desk: Desk, ts_event: int, ts_init: int) -> int:
    """Put the orders withdrawn into the ring and look at their clusters; return 1, 2 or 3 for alerts of bids, asks."""
    counts, params, orders, recent = state.counts, state.params[0], placed.orders, state.recent
    numbers, best_numbers = state.evidence.view(np.float64), state.best_evidence.view(np.float64)
    best_evidence, cluster = state.best_evidence[0], state.best_cluster[0]
    start = counts[_RECENT_COUNT]
    for n in range(orders.head[WAITING]):
        order = orders.orders[orders.ending[n]]
        if order.is_layer == 1 and is_withdrawn(order) and life_secs(order) <= params.life_secs:
            _remember_withdrawn(state, order)
    count = counts[_RECENT_COUNT]
    raised = 0
    band = band_ticks(placed)
    for side in range(2):
        best = -1.0
        anchors = 0
        for r in range(start, count):
            anchor = recent[r % _RECENT]
            if anchors == _ANCHORS:
                break
            if anchor.side != side:
                continue
            known = False
            for before in range(start, r):
                other = recent[before % _RECENT]
                if other.side == side and other.placed == anchor.placed:
                    known = True
                    break
            if known:
                continue
            anchors += 1
            # The same cluster near the touch, farther out, and in the whole band: the most suspicious counts.
            for reach in (_NEAR, _MIDDLE, _WHOLE):
                if anchor.moved != 0 or anchor.distance > reach:
                    continue
                if not weigh_cluster(state, placed.flow, r, band, reach):
                    continue
                # The trees judge the one that the weights choose.
                linear = score(state.weights, numbers)
                if linear > best:
                    best = linear
                    state.best_cluster[0] = state.cluster[0]
                    for k in range(len(numbers)):
                        best_numbers[k] = numbers[k]
        if best < 0.0:
            continue
        at = begin_candidate(desk, _LAYERING, ts_event, ts_init, best_numbers)
        if at >= 0:
            _describe(desk.log[at], side, cluster, best_evidence)
        if cluster.removed - counts[_LAST + side] > params.withdraw_ns:
            past = state.past[counts[_PAST_COUNT] % _PAST]
            past.secs, past.side = cluster.removed * 1e-9, side
            counts[_PAST_COUNT] += 1
            counts[_LAST + side] = cluster.removed
        confidence = confidence_of(log_odds(state.weights, state.grove, best_numbers, needed(params.threshold)))
        if is_raised(desk, _LAYERING, confidence, params.threshold):
            raised |= 1 << side
            at = begin_alert(desk, _LAYERING, side, 1, confidence, params.series_ms, ts_event, ts_init)
            if at >= 0:
                _describe(desk.alerts[at], side, cluster, best_evidence)
    return raised


@kernel
def _describe(row: Any, side: int, cluster: Any, evidence: Any) -> None:
    row.placed, row.removed = cluster.placed, cluster.removed
    row.life_low = life_low(cluster)
    row.life_high = max(row.life_low, cluster.removed - cluster.placed_after)
    row.price_low = priced(side, cluster.high if side == BID else cluster.low)
    row.price_high = priced(side, cluster.low if side == BID else cluster.high)
    row.lots = cluster.lots
    row.size_ratio = np.exp(evidence.size)
    row.benefit = evidence.benefit
    row.recurrence = np.exp(evidence.recurrence) - 1.0
    row.distance = cluster.nearest
    row.levels = cluster.levels
    row.side = _BUY if side == BID else _SELL
