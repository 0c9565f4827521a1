"""The state of `detectors.Surveillance`: its arrays, and where each number lies in them."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.bars.market_bars import MarketBars
from fathom.detectors.book.alerts import ALERT
from fathom.detectors.book.evidence import LAYERING as LAYERING_EVIDENCE
from fathom.detectors.book.evidence import QUOTE_STUFFING as STUFFING_EVIDENCE
from fathom.detectors.book.evidence import SPOOFING as SPOOFING_EVIDENCE
from fathom.detectors.book.layering import (
    CLUSTER_FIELDS,
    MEMBERS,
    PAST,
    RECENT,
    RECENT_FIELDS,
    RECENT_RATIOS,
    LayeringConfig,
)
from fathom.detectors.book.placed_orders import OrderArrays, new_orders
from fathom.detectors.book.quote_stuffing import QuoteStuffingConfig, StuffingState, new_stuffing
from fathom.detectors.book.rpi import CELLS as RPI_CELLS
from fathom.detectors.book.scores import Grove, grove_of
from fathom.detectors.book.sizes import SizeArrays, new_sizes
from fathom.detectors.book.spoofing import HISTORY, HISTORY_FIELDS, SpoofingConfig
from fathom.detectors.book.taker_flow import FlowState, new_flow_state

# Entries of `WatchArrays.head`, int64.
ALERTS: Final = 0  # alerts written since they were last collected
LOGGED: Final = 1
MESSAGES: Final = 2
RECENT_COUNT: Final = 3
HISTORY_COUNT: Final = 4
PAST_COUNT: Final = 5
LAST_CLUSTER: Final = 6  # ts_event of the last cluster remembered, of bids and of asks
LOST: Final = 8  # alerts that found no room
PACED: Final = 9  # ts_init at which `pace` last fell
WATCH_HEAD: Final = 10

# Columns of `WatchArrays.series`.
S_KIND, S_SIDE, S_LOTS, S_TS, S_NUMBER = range(5)
SERIES: Final = 16

# Entries of `WatchArrays.params`, float64.
(
    FARTHEST_BPS,
    MIN_DISTANCE,
    SPOOF_LIFE,
    SPOOF_TTL,
    SPOOF_MEMORY,
    SPOOF_THRESHOLD,
    SPOOF_SERIES,
    MIN_LEVELS,
    BUILD,
    WITHDRAW,
    LAYER_LIFE,
    LAYER_MEMORY,
    LAYER_THRESHOLD,
    LAYER_SERIES,
    RATE_WINDOW,
    RATE_WARM_UP,
    RATE_THRESHOLD,
    RATE_SERIES,
    BUDGETS,  # of spoofing, layering and quote stuffing: series an hour, 0 for no limit
) = range(19)

KINDS: Final = 3

# Columns of `WatchArrays.log`.
(
    L_KIND,
    L_TS_INIT,
    L_TS_EVENT,
    L_SIDE,
    L_LOW,
    L_HIGH,
    L_PLACED,
    L_REMOVED,
    L_LOTS,
    L_MESSAGE,
    L_LEVELS,
    L_LIFE_LOW,
    L_LIFE_HIGH,
) = range(13)
LOG_FIELDS: Final = 13

SCRATCH: Final = max(len(SPOOFING_EVIDENCE), len(LAYERING_EVIDENCE), len(STUFFING_EVIDENCE))
STEP: Final = 4096  # rows between two collections of alerts
_ROOM: Final = 5 * STEP  # a message raises at most five


class WatchArrays(NamedTuple):
    """Everything that `Surveillance` remembers beside the book; a copy of the arrays is a copy of the state.

    Parameters
    ----------
    head : ndarray of int64
        Counters.
    params : ndarray of float64
        Settings.
    sizes : SizeArrays
    orders : OrderArrays
    flow : FlowState
    stuffing : StuffingState
    bars : MarketBars
        The bar that the trades go into.
    rpi : ndarray of float64
    history : ndarray of float64
        Withdrawn large orders, for recurrence.
    recent : ndarray of int64
        Ring of the orders withdrawn last, for layers.
    recent_ratios : ndarray of float64
    past : ndarray of float64
        Clusters before: seconds and side.
    alone_weights, spoof_weights, layer_weights, rate_weights : ndarray of float64
    spoof_grove, layer_grove : Grove
        Trees that are added to the weighted evidence.
    evidence, best_evidence : ndarray of float64
        Scratch.
    cluster, best_cluster, members : ndarray of int64
        Scratch.
    pace : ndarray of float64
        What each kind of alert must have beyond its threshold for now, in log-odds, to keep to its series an hour.
    series : ndarray of int64
        The alerts that may go on: kind, side, lots, time of the last, number so far.
    alerts : ndarray of ALERT
        Alerts not yet collected.
    log, log_evidence : ndarray
        Every candidate that was weighed, for the benchmark; of length 0 otherwise.

    Examples
    --------
    >>> WatchArrays._fields[:2]
    ('head', 'params')
    """

    head: NDArray[np.int64]
    params: NDArray[np.float64]
    sizes: SizeArrays
    orders: OrderArrays
    flow: FlowState
    stuffing: StuffingState
    bars: MarketBars
    rpi: NDArray[np.float64]
    history: NDArray[np.float64]
    recent: NDArray[np.int64]
    recent_ratios: NDArray[np.float64]
    past: NDArray[np.float64]
    alone_weights: NDArray[np.float64]
    spoof_weights: NDArray[np.float64]
    layer_weights: NDArray[np.float64]
    rate_weights: NDArray[np.float64]
    spoof_grove: Grove
    layer_grove: Grove
    evidence: NDArray[np.float64]
    best_evidence: NDArray[np.float64]
    cluster: NDArray[np.int64]
    best_cluster: NDArray[np.int64]
    members: NDArray[np.int64]
    pace: NDArray[np.float64]
    series: NDArray[np.int64]
    alerts: NDArray[Any]
    log: NDArray[np.int64]
    log_evidence: NDArray[np.float64]


def new_watch(
    spoofing: SpoofingConfig,
    layering: LayeringConfig,
    rate: QuoteStuffingConfig,
    bars: MarketBars,
    *,
    levels: int,
    logs: bool = False,
) -> WatchArrays:
    """Return the state before the first row, for a book with room for `levels`; `logs`: with room for a log."""
    room = _ROOM if logs else 0
    past = np.zeros((PAST, 2))
    past[:, 1] = -1.0
    return WatchArrays(
        bars=bars,
        head=np.zeros(WATCH_HEAD, np.int64),
        params=np.array(
            [
                layering.band_bps,
                spoofing.min_distance_ticks,
                spoofing.max_life_ms * 1e-3,
                spoofing.ttl_threshold_ms * 1e-3,
                spoofing.history_secs,
                spoofing.threshold,
                spoofing.series_ms,
                layering.min_levels,
                layering.build_ms * 1e6,
                layering.withdraw_ms * 1e6,
                layering.max_life_ms * 1e-3,
                layering.history_secs,
                layering.threshold,
                layering.series_ms,
                rate.window_ms * 1e-3,
                rate.warm_up_secs,
                rate.threshold,
                rate.series_ms,
                spoofing.max_series_per_hour,
                layering.max_series_per_hour,
                rate.max_series_per_hour,
            ],
            dtype=np.float64,
        ),
        sizes=new_sizes(layering.size_percentile / 100.0, spoofing.size_percentile / 100.0),
        orders=new_orders(levels),
        flow=new_flow_state(),
        stuffing=new_stuffing(),
        rpi=np.zeros(RPI_CELLS),
        history=np.zeros((HISTORY, HISTORY_FIELDS)),
        recent=np.zeros((RECENT, RECENT_FIELDS), np.int64),
        recent_ratios=np.zeros((RECENT, RECENT_RATIOS)),
        past=past,
        alone_weights=np.array(spoofing.alone_weights, dtype=np.float64),
        spoof_weights=np.array(spoofing.weights, dtype=np.float64),
        layer_weights=np.array(layering.weights, dtype=np.float64),
        rate_weights=np.array(rate.weights, dtype=np.float64),
        spoof_grove=grove_of(spoofing.trees, SPOOFING_EVIDENCE),
        layer_grove=grove_of(layering.trees, LAYERING_EVIDENCE),
        evidence=np.zeros(SCRATCH),
        best_evidence=np.zeros(SCRATCH),
        cluster=np.zeros(CLUSTER_FIELDS, np.int64),
        best_cluster=np.zeros(CLUSTER_FIELDS, np.int64),
        members=np.zeros(MEMBERS, np.int64),
        pace=np.zeros(KINDS),
        series=np.zeros((SERIES, 5), np.int64),
        alerts=np.zeros(_ROOM, ALERT),
        log=np.zeros((room, LOG_FIELDS), np.int64),
        log_evidence=np.zeros((room, SCRATCH)),
    )
