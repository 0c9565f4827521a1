"""The money: what the policy that a prediction implies would have earned, one trade at a time, after costs."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.market.kernel import kernel
from fathom.ml.samples.datasets import Samples
from fathom.ml.samples.labels import BUY, HOLD, SELL
from fathom.ml.scores.predictions import Predictions


class Trades(NamedTuple):
    """Trades of the implied policy, as one value a sample.

    Attributes
    ----------
    taken : ndarray of bool
        Whether a trade was entered at the sample.
    net_bps : ndarray of float64
        What it earned after costs; 0 where none was entered.

    Examples
    --------
    >>> Trades(np.array([True]), np.array([1.5])).net_bps.sum()
    np.float64(1.5)
    """

    taken: NDArray[np.bool_]
    net_bps: NDArray[np.float64]


def sides(samples: Samples, predictions: Predictions, policy: Literal["class", "expected_return"]) -> NDArray[np.int64]:
    """Return what to do at each sample: HOLD, BUY or SELL.

    Parameters
    ----------
    samples : Samples
    predictions : Predictions
    policy : {"class", "expected_return"}
        The likeliest class; or the side of the expected return where that exceeds the cost known at the time.
    """
    if policy == "class":
        return predictions.classes
    expected = predictions.expected_return_bps
    return np.where(np.abs(expected) <= samples.entry_cost_bps, HOLD, np.where(expected > 0.0, BUY, SELL))


def trades(samples: Samples, classes: NDArray[np.int64]) -> Trades:
    """Return the trades of entering whatever a policy says, BUY or SELL, and leaving at the label's exit.

    An instrument holds one position at a time: a sample before the exit of the last trade enters none. Each trade pays
    two fees and the spread (half of it at each end), and moves nothing. Samples of an instrument must ascend in time.

    Parameters
    ----------
    samples : Samples
    classes : ndarray
        What to do at each, see `sides`.
    """
    taken = np.zeros(len(samples), np.bool_)
    free_at = np.zeros(int(samples.instrument.max(initial=0)) + 1, np.int64)
    _enter(samples.ts, samples.exit_ts, samples.instrument, classes, free_at, taken)
    side = np.where(classes == BUY, 1.0, -1.0)
    net = np.where(taken, side * samples.return_bps - samples.cost_bps, 0.0)
    return Trades(taken, net)


@kernel
def _enter(ts, exit_ts, instrument, classes, free_at, taken):  # type: ignore[no-untyped-def]
    for i in range(ts.shape[0]):
        if classes[i] != 0 and ts[i] >= free_at[instrument[i]]:
            taken[i] = True
            free_at[instrument[i]] = exit_ts[i]
