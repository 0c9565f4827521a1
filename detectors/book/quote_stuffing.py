"""Quote stuffing: a burst of book changes, far above the instrument's own rate, that comes to nothing."""

from math import exp, log, sqrt
from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.detectors.book.evidence import QUOTE_STUFFING as EVIDENCE
from fathom.detectors.book.fitted import fitted_threshold, fitted_weights
from fathom.market.kernel import kernel

_N: Final = len(EVIDENCE)

_SLOW_SECS: Final = 60.0

# Entries of the state, float64.
_CHANGES: Final = 0  # fading sums over window_ms: changes, and lots added plus taken away
_GROSS: Final = 1
_NET: Final = 2  # lots added minus taken away, of bids and of asks
_TRADED: Final = 4
_MEAN: Final = 5  # of the log rate, fading over a minute
_SQUARE: Final = 6
_WEIGHT: Final = 7
CELLS: Final = 8


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
        if len(self.weights) != _N:
            raise ValueError(f"Expected {_N} weights ({', '.join(EVIDENCE)}), was {len(self.weights)}.")


class StuffingState(NamedTuple):
    """Arrays of the update rate of one instrument.

    Parameters
    ----------
    head : ndarray of int64
        Time of the last event, of the first, and of the last message (``ts_init``).
    level : ndarray of float64
        Fading sums.

    Examples
    --------
    >>> new_stuffing().head.tolist()
    [0, 0, 0]
    """

    head: NDArray[np.int64]
    level: NDArray[np.float64]


def new_stuffing() -> StuffingState:
    """Return the rate before the first message."""
    return StuffingState(head=np.zeros(3, np.int64), level=np.zeros(CELLS))


@kernel
def fade_rate(state: StuffingState, ts_init: int, window_secs: float) -> None:
    """Let the fast sums fade until `ts_init`."""
    head, level = state.head, state.level
    if head[1] == 0:
        head[0] = head[1] = ts_init
    passed = (ts_init - head[0]) * 1e-9
    if passed <= 0.0:
        return
    head[0] = ts_init
    fast = exp(-passed / window_secs)
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
def weigh_rate(state: StuffingState, window_secs: float, warm_up_secs: float, evidence: NDArray[np.float64]) -> bool:
    """End a message: write the evidence, and return whether the usual rate is known."""
    head, level = state.head, state.level
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
        evidence[0] = 1.0
        evidence[1] = min(10.0, max(-2.0, (rate - mean) / max(spread, 0.05)))
        evidence[2] = 1.0 - min(1.0, (abs(level[_NET]) + abs(level[_NET + 1])) / gross)
        evidence[3] = 1.0 - min(1.0, level[_TRADED] / gross)
        evidence[4] = evidence[1] * evidence[2]
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
