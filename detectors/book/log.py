"""The log of every candidate that `detectors.Surveillance` weighed, for the benchmark."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.book.alerts import AlertKind
from fathom.detectors.book.arrays import (
    L_HIGH,
    L_KIND,
    L_LEVELS,
    L_LIFE_HIGH,
    L_LIFE_LOW,
    L_LOTS,
    L_LOW,
    L_MESSAGE,
    L_PLACED,
    L_REMOVED,
    L_SIDE,
    L_TS_EVENT,
    L_TS_INIT,
    LOG_FIELDS,
    LOGGED,
    MESSAGES,
    WatchArrays,
)
from fathom.detectors.book.layering import (
    C_HIGH,
    C_LEVELS,
    C_LOTS,
    C_LOW,
    C_PLACED,
    C_PLACED_AFTER,
    C_REMOVED,
    C_REMOVED_AFTER,
)
from fathom.detectors.book.placed_orders import (
    PLACED,
    PLACED_AFTER,
    PRICE_KEY,
    REMOVED,
    REMOVED_AFTER,
    SIDE,
    SIZE,
)
from fathom.market.events import Side
from fathom.market.kernel import kernel
from fathom.market.levels import BID

_SPOOFING: Final = int(AlertKind.SPOOFING)
_LAYERING: Final = int(AlertKind.LAYERING)
_STUFFING: Final = int(AlertKind.QUOTE_STUFFING)
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)


@kernel
def _log(watch: WatchArrays, kind: int, ts_event: int, ts_init: int) -> int:
    n = watch.head[LOGGED]
    if n >= len(watch.log):
        return -1
    watch.head[LOGGED] = n + 1
    row = watch.log[n]
    for k in range(LOG_FIELDS):
        row[k] = 0
    row[L_KIND], row[L_TS_EVENT], row[L_TS_INIT], row[L_MESSAGE] = kind, ts_event, ts_init, watch.head[MESSAGES]
    return int(n)


@kernel
def log_order(watch: WatchArrays, order: NDArray[np.int64], ts_event: int, ts_init: int) -> None:
    n = _log(watch, _SPOOFING, ts_event, ts_init)
    if n < 0:
        return
    row = watch.log[n]
    price = -order[PRICE_KEY] if order[SIDE] == BID else order[PRICE_KEY]
    row[L_SIDE] = _BUY if order[SIDE] == BID else _SELL
    row[L_LOW] = row[L_HIGH] = price
    row[L_PLACED], row[L_REMOVED], row[L_LOTS], row[L_LEVELS] = order[PLACED], order[REMOVED], order[SIZE], 1
    row[L_LIFE_LOW] = max(0, order[REMOVED_AFTER] - order[PLACED])
    row[L_LIFE_HIGH] = max(row[L_LIFE_LOW], order[REMOVED] - order[PLACED_AFTER])
    for k in range(len(watch.evidence)):
        watch.log_evidence[n, k] = watch.evidence[k]


@kernel
def log_cluster(watch: WatchArrays, side: int, ts_event: int, ts_init: int) -> None:
    n = _log(watch, _LAYERING, ts_event, ts_init)
    if n < 0:
        return
    row, c = watch.log[n], watch.best_cluster
    row[L_SIDE] = _BUY if side == BID else _SELL
    row[L_LOW] = -c[C_HIGH] if side == BID else c[C_LOW]
    row[L_HIGH] = -c[C_LOW] if side == BID else c[C_HIGH]
    row[L_PLACED], row[L_REMOVED], row[L_LOTS], row[L_LEVELS] = c[C_PLACED], c[C_REMOVED], c[C_LOTS], c[C_LEVELS]
    row[L_LIFE_LOW] = max(0, c[C_REMOVED_AFTER] - c[C_PLACED])
    row[L_LIFE_HIGH] = max(row[L_LIFE_LOW], c[C_REMOVED] - c[C_PLACED_AFTER])
    for k in range(len(watch.best_evidence)):
        watch.log_evidence[n, k] = watch.best_evidence[k]


@kernel
def log_rate(watch: WatchArrays, ts_event: int, ts_init: int) -> None:
    n = _log(watch, _STUFFING, ts_event, ts_init)
    if n < 0:
        return
    watch.log[n, L_PLACED] = watch.log[n, L_REMOVED] = ts_event
    for k in range(len(watch.evidence)):
        watch.log_evidence[n, k] = watch.evidence[k]
