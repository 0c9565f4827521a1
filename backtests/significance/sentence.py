"""A run held against the luck of all that was tried on its data, in words."""

from typing import Final

import numpy as np

from fathom.backtests.account.statistics import Floats
from fathom.backtests.significance.sharpe_tests import RatioMoments, deflated_sharpe, expected_max_sharpe

LEAST_PERIODS: Final = 100
"""Returns that a ratio needs to be held against luck."""
SKILL, LUCK = 0.95, 0.5
"""Deflated Sharpe ratios from which, and below which, a result is called skill or luck."""


def luck_sentence(returns: Floats, trials: int | None, period: str) -> str:
    """Return what the deflated Sharpe ratio says of a run.

    The variance of the trials' ratios is that of skill-less ones, one over the number of returns. The verdict looks at
    the data that were searched: a result on data that nobody looked at before is worth more.

    Parameters
    ----------
    returns : ndarray
        Per period, in order of time.
    trials : int or None
        Different things ever tried on these data; None where that is unknown.
    period : str
        Name of a period, such as ``minute``.

    Examples
    --------
    >>> luck_sentence(np.random.default_rng(1).normal(0.0, 1.0, 400), 50, "minute")
    'luck: Sharpe -0.090 a minute, where the best of 50 trials without skill shows 0.114; deflated ratio 0.00'
    >>> luck_sentence(np.zeros(20), 3, "minute")
    'too short to say: 20 returns, 100 are needed'
    """
    if trials is None:
        return "unknown: the trials on these data were not counted"
    if returns.size < LEAST_PERIODS:
        return f"too short to say: {returns.size} returns, {LEAST_PERIODS} are needed"
    moments = RatioMoments.of(returns)
    variance = 1.0 / returns.size
    probability = deflated_sharpe(moments, trials, variance)
    if np.isnan(probability):
        return "undefined: the returns do not vary"
    verdict = "skill" if probability > SKILL else "luck" if probability < LUCK else "not sure"
    many = f"the best of {trials:,} trials" if trials > 1 else "one trial"
    best = expected_max_sharpe(trials, variance)
    return (
        f"{verdict}: Sharpe {moments.ratio:.3f} a {period}, where {many} without skill shows {best:.3f}; "
        f"deflated ratio {probability:.2f}"
    )
