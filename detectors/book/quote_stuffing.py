"""Quote stuffing: a burst of book changes, far above the instrument's own rate, that comes to nothing."""

from math import exp, log, sqrt
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.detectors.book.alerts import AlertKind, Desk, begin_alert, begin_candidate, is_raised
from fathom.detectors.book.evidence import QUOTE_STUFFING as EVIDENCE
from fathom.detectors.book.evidence import evidence_dtype
from fathom.detectors.book.fitted import check_weights, fitted_threshold, fitted_weights
from fathom.detectors.book.scores import score
from fathom.market.kernel import kernel

_SLOW_SECS: Final = 60.0

# Entries of the state, float64.
_CHANGES: Final = 0  # fading sums over window_ms: changes, and lots added plus taken away
_GROSS: Final = 1
_NET: Final = 2  # lots added minus taken away, of bids and of asks
_TRADED: Final = 4
_MEAN: Final = 5  # of the log rate, fading over a minute
_SQUARE: Final = 6
_WEIGHT: Final = 7
_CELLS: Final = 8
_PARAMS: Final = np.dtype([("window_secs", "<f8"), ("warm_up_secs", "<f8"), ("threshold", "<f8"), ("series_ms", "<f8")])
_STUFFING: Final = int(AlertKind.QUOTE_STUFFING)


class QuoteStuffingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the quote-stuffing detector.

    Parameters
    ----------
    window_ms : float
        Time over which changes are counted, fading.
    warm_up_secs : float
        Time before the usual rate is known; between two messages at most `window_ms` count.
    threshold : float
        Confidence at which an alert is raised.
    series_ms : float
        A burst within this time goes on with the series of the last alert.
    max_series_per_hour : float
        Series of alerts that the threshold is raised to keep to (`detectors.book.pacing`); 0 leaves it where it is.
    weights : tuple of float
        Weight of each of `EVIDENCE` in the logistic score, as fitted by ``fathom detect benchmark --fit``.

    Examples
    --------
    >>> QuoteStuffingConfig().window_ms
    500.0
    """

    window_ms: Annotated[float, Meta(gt=0)] = 500.0
    warm_up_secs: Annotated[float, Meta(ge=0)] = 10.0
    threshold: Annotated[float, Meta(gt=0, lt=1)] = fitted_threshold("quote_stuffing")
    series_ms: Annotated[float, Meta(ge=0)] = 10_000.0
    max_series_per_hour: Annotated[float, Meta(ge=0)] = 0.0
    weights: tuple[float, ...] = fitted_weights("quote_stuffing", "weights", EVIDENCE)

    def __post_init__(self) -> None:
        check_weights("quote_stuffing", weights=self.weights)


class StuffingState(NamedTuple):
    """Arrays of the update rate of one instrument.

    Parameters
    ----------
    params : ndarray, shape (1,)
        Settings.
    weights : ndarray of float64
    head : ndarray of int64
        Time of the last event, of the first, and of the last message (``ts_init``).
    level : ndarray of float64
        Fading sums.
    evidence : ndarray, shape (1,)
        Scratch.

    Examples
    --------
    >>> new_stuffing(QuoteStuffingConfig()).head.tolist()
    [0, 0, 0]
    """

    params: NDArray[Any]
    weights: NDArray[np.float64]
    head: NDArray[np.int64]
    level: NDArray[np.float64]
    evidence: NDArray[Any]


def new_stuffing(config: QuoteStuffingConfig) -> StuffingState:
    """Return the rate before the first message."""
    c = config
    return StuffingState(
        params=np.array([(c.window_ms * 1e-3, c.warm_up_secs, c.threshold, c.series_ms)], _PARAMS),
        weights=np.array(c.weights, np.float64),
        head=np.zeros(3, np.int64),
        level=np.zeros(_CELLS),
        evidence=np.zeros(1, evidence_dtype(EVIDENCE)),
    )


@kernel
def fade_rate(state: StuffingState, ts_init: int) -> None:
    """Let the fast sums fade until `ts_init`."""
    head, level = state.head, state.level
    if head[1] == 0:
        head[0] = head[1] = ts_init
    passed = (ts_init - head[0]) * 1e-9
    if passed <= 0.0:
        return
    head[0] = ts_init
    fast = exp(-passed / state.params[0].window_secs)
    for i in range(_MEAN):
        level[i] *= fast


@kernel
def note_change(state: StuffingState, side: int, change: int) -> None:
    """Count a book change of `change` lots."""
    level = state.level
    level[_CHANGES] += 1.0
    level[_GROSS] += abs(change)
    level[_NET + side] += change


@kernel
def note_traded(state: StuffingState, lots: int) -> None:
    """Count traded lots: they leave the book without being taken away."""
    state.level[_TRADED] += lots


@kernel
def weigh_rate(state: StuffingState) -> bool:
    """End a message: write the evidence, and return whether the usual rate is known."""
    head, level, evidence = state.head, state.level, state.evidence[0]
    window_secs, warm_up_secs = state.params[0].window_secs, state.params[0].warm_up_secs
    # A silence counts as one window at most: a gap in the feed does not tell that the instrument was quiet.
    passed = min(window_secs, max(0.0, (head[0] - head[2]) * 1e-9)) if head[2] > 0 else 0.0
    head[2] = head[0]
    rate = log(level[_CHANGES] / window_secs + 1.0)
    spread = mean = 0.0
    known = level[_WEIGHT] > 0.0 and level[_WEIGHT] >= _SLOW_SECS * (1.0 - exp(-warm_up_secs / _SLOW_SECS))
    if known:
        mean = level[_MEAN] / level[_WEIGHT]
        spread = sqrt(max(0.0, level[_SQUARE] / level[_WEIGHT] - mean * mean))
        gross = max(level[_GROSS], 1.0)
        evidence.constant = 1.0
        evidence.surge = min(10.0, max(-2.0, (rate - mean) / max(spread, 0.05)))
        evidence.emptiness = 1.0 - min(1.0, (abs(level[_NET]) + abs(level[_NET + 1])) / gross)
        evidence.untraded = 1.0 - min(1.0, level[_TRADED] / gross)
        evidence.surge_emptiness = evidence.surge * evidence.emptiness
    # A burst counts little for what is usual: it is clipped at three deviations.
    slow = exp(-passed / _SLOW_SECS)
    seen = rate
    if known:
        seen = min(rate, mean + 3.0 * max(spread, 0.05))
    weight = max(passed, 1e-3)
    level[_WEIGHT] = level[_WEIGHT] * slow + weight
    level[_MEAN] = level[_MEAN] * slow + weight * seen
    level[_SQUARE] = level[_SQUARE] * slow + weight * seen * seen
    return bool(known)


@kernel
def seek_burst(state: StuffingState, desk: Desk, ts_event: int, ts_init: int) -> None:
    """End a message, and raise an alert where it belongs to a burst."""
    if not weigh_rate(state):
        return
    params, numbers = state.params[0], state.evidence.view(np.float64)
    confidence = score(state.weights, numbers)
    at = begin_candidate(desk, _STUFFING, ts_event, ts_init, numbers)
    if at >= 0:
        _describe(desk.log[at], state, ts_event)
    if is_raised(desk, _STUFFING, confidence, params.threshold):
        at = begin_alert(desk, _STUFFING, 0, 1, confidence, params.series_ms, ts_event, ts_init)
        if at >= 0:
            _describe(desk.alerts[at], state, ts_event)


@kernel
def _describe(row: Any, state: StuffingState, ts_event: int) -> None:
    row.placed = row.removed = ts_event
    row.life_low = row.life_high = row.price_low = row.price_high = row.distance = row.side = 0
    row.benefit = row.recurrence = 0.0
    row.lots = np.int64(state.level[_GROSS])
    row.size_ratio = state.evidence[0].surge
    row.levels = np.int64(state.level[_CHANGES])
