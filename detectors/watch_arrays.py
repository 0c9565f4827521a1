"""The state of `detectors.Surveillance`: its arrays, and where each number lies in them."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.boosting import Grove
from detectors.placed_orders import OrderArrays
from detectors.quote_stuffing import StuffingState
from detectors.sizes import SizeArrays
from detectors.taker_flow import FlowState

# Entries of `WatchArrays.head`, int64.
ALERTS: Final = 0  # alerts written since they were last collected
LOGGED: Final = 1
MESSAGES: Final = 2
RECENT_COUNT: Final = 3
HISTORY_COUNT: Final = 4
PAST_COUNT: Final = 5
LAST_CLUSTER: Final = 6  # ts_event of the last cluster remembered, of bids and of asks
LOST: Final = 8  # alerts that found no room
WATCH_HEAD: Final = 9

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
) = range(18)

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
    series: NDArray[np.int64]
    alerts: NDArray[Any]
    log: NDArray[np.int64]
    log_evidence: NDArray[np.float64]
