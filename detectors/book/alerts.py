"""The alert: what a detector of manipulation reports, as one row; and the rule by which alerts make series."""

from enum import IntEnum
from math import exp
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.book.pacing import note_series
from fathom.market.kernel import kernel


class AlertKind(IntEnum):
    """What an alert is about."""

    SPOOFING = 1
    LAYERING = 2
    QUOTE_STUFFING = 3


ALERT: Final = np.dtype(
    [
        ("ts_event", "<i8"),
        ("ts_init", "<i8"),
        ("placed", "<i8"),
        ("removed", "<i8"),
        ("life_low", "<i8"),
        ("life_high", "<i8"),
        ("price_low", "<i8"),
        ("price_high", "<i8"),
        ("lots", "<i8"),
        ("message", "<i8"),
        ("confidence", "<f8"),
        ("size_ratio", "<f8"),
        ("benefit", "<f8"),
        ("recurrence", "<f8"),
        ("distance", "<i4"),
        ("levels", "<i4"),
        ("series", "<i4"),
        ("kind", "u1"),
        ("side", "u1"),
    ],
    align=True,
)
"""One alert.

========== ====== ============================================================================================
field      unit   meaning
========== ====== ============================================================================================
ts_event   ns     venue time of the message that made it known
ts_init    ns     when this system could know it
placed     ns     venue time of the message that first showed the order (of layers: the first)
removed    ns     venue time of the message that showed it gone (of layers: the last)
life_low   ns     it stood at least this long; a feed that speaks every 100 ms cannot tell more
life_high  ns     and at most this long
price_low  ticks  lowest and highest price of the orders; 0 for quote stuffing
lots       lots   size, of all layers together; of quote stuffing: size added and taken away in the burst
message    -      number of the message
confidence -      0 to 1
size_ratio -      size over the size that the given share of additions at this distance stays below
benefit    -      logarithm of the volume that traded against the opposite side over what is usual
recurrence -      like orders of this side withdrawn before (of layers: clusters), by suspicion, fading with time
distance   ticks  from the touch, when it was placed (of layers: the nearest)
levels     -      prices involved; of quote stuffing, changes in the burst
series     -      number within a series of like alerts: 1 is news, the others go on with it
kind       -      `AlertKind`
side       -      `fathom.market.Side` of the orders; NONE for quote stuffing
========== ====== ============================================================================================
"""

SERIES: Final = np.dtype([("kind", "<i8"), ("side", "<i8"), ("lots", "<i8"), ("ts", "<i8"), ("number", "<i8")])
"""A series of alerts that may go on: the last alert's size and time, and how many there were."""
OPEN_SERIES: Final = 16

# Entries of `Desk.head`.
ALERTS: Final = 0  # alerts written since they were last collected
LOGGED: Final = 1
MESSAGES: Final = 2
LOST: Final = 3  # alerts that found no room
PACED: Final = 4  # ts_init at which `pace` last fell


class Desk(NamedTuple):
    """Where the detectors of one book put what they find.

    Parameters
    ----------
    head : ndarray of int64
        Counters.
    on : ndarray of int64
        Whether each kind of alert is looked for.
    allowed : ndarray of float64
        Series of each kind an hour, 0 for no limit.
    pace : ndarray of float64
        What each kind of alert must have beyond its threshold for now, in log-odds, to keep to its series an hour.
    series : ndarray of SERIES
    alerts : ndarray of ALERT
        Alerts not yet collected.
    log : ndarray of ALERT
        Every candidate that was weighed, for the benchmark; of length 0 otherwise.
    log_evidence : ndarray of float64
        Its evidence.

    Examples
    --------
    >>> new_desk((1, 1, 0), (0.0, 0.0, 0.0), room=8, evidence=20).on.tolist()
    [1, 1, 0]
    """

    head: NDArray[np.int64]
    on: NDArray[np.int64]
    allowed: NDArray[np.float64]
    pace: NDArray[np.float64]
    series: NDArray[Any]
    alerts: NDArray[Any]
    log: NDArray[Any]
    log_evidence: NDArray[np.float64]


def new_desk(
    on: tuple[int, int, int], allowed: tuple[float, float, float], *, room: int, evidence: int, logs: bool = False
) -> Desk:
    """Return an empty desk with room for so many alerts and, with `logs`, as many candidates."""
    return Desk(
        head=np.zeros(5, np.int64),
        on=np.array(on, np.int64),
        allowed=np.array(allowed, np.float64),
        pace=np.zeros(len(AlertKind)),
        series=np.zeros(OPEN_SERIES, SERIES),
        alerts=np.zeros(room, ALERT),
        log=np.zeros(room if logs else 0, ALERT),
        log_evidence=np.zeros((room if logs else 0, evidence)),
    )


@kernel
def number_in_series(series: NDArray[Any], kind: int, side: int, lots: int, ts_ns: int, within_ns: float) -> int:
    """Return the number of an alert within its series: 1 begins one, and the series longest silent makes room.

    It goes on with the series of a like alert: of its kind and side, at most `within_ns` ago, and of a size that
    differs by no more than a factor of 2; `lots` of 0 are like any.
    """
    oldest = 0
    for n in range(len(series)):
        last = series[n]
        alike = lots == 0 or (2 * last.lots >= lots and 2 * lots >= last.lots)
        if last.kind == kind and last.side == side and alike and ts_ns - last.ts <= within_ns:
            last.ts, last.lots = ts_ns, lots
            last.number += 1
            return int(last.number)
        if last.ts < series[oldest].ts:
            oldest = n
    new = series[oldest]
    new.kind, new.side, new.lots, new.ts, new.number = kind, side, lots, ts_ns, 1
    return 1


@kernel
def is_raised(desk: Desk, kind: int, confidence: float, threshold: float) -> bool:
    """Tell whether a confidence suffices for an alert: beyond the threshold by what the pace asks of its kind."""
    if confidence < threshold:
        return False
    more = desk.pace[kind - 1]
    return bool(more == 0.0 or confidence / (1.0 - confidence) >= threshold / (1.0 - threshold) * exp(more))


@kernel
def begin_alert(
    desk: Desk, kind: int, side: int, lots: int, confidence: float, series_ms: float, ts_event: int, ts_init: int
) -> int:
    """Begin an alert; return its place, where the detector describes it, or -1 where there is no room."""
    at = desk.head[ALERTS]
    if at >= len(desk.alerts):
        desk.head[LOST] += 1
        return -1
    number = number_in_series(desk.series, kind, side, lots, ts_init, series_ms * 1e6)
    if number == 1:
        note_series(desk.pace, desk.allowed, kind - 1)
    alert = desk.alerts[at]
    _begin(alert, desk, kind, ts_event, ts_init)
    alert.confidence, alert.series = confidence, number
    desk.head[ALERTS] = at + 1
    return int(at)


@kernel
def begin_candidate(desk: Desk, kind: int, ts_event: int, ts_init: int, evidence: NDArray[np.float64]) -> int:
    """Log a candidate with its evidence; return its place, where the detector describes it, or -1 without a log."""
    at = desk.head[LOGGED]
    if at >= len(desk.log):
        return -1
    _begin(desk.log[at], desk, kind, ts_event, ts_init)
    for k in range(len(evidence)):
        desk.log_evidence[at, k] = evidence[k]
    desk.head[LOGGED] = at + 1
    return int(at)


@kernel
def _begin(row: Any, desk: Desk, kind: int, ts_event: int, ts_init: int) -> None:
    row.kind, row.ts_event, row.ts_init, row.message = kind, ts_event, ts_init, desk.head[MESSAGES]
