"""Sharpe ratios held against chance: of one strategy, and of the best of many."""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from fathom.backtests.account.statistics import Floats, excess_kurtosis, sharpe, skewness


class RatioMoments(NamedTuple):
    """A Sharpe ratio per period, and what decides how sure it is.

    Attributes
    ----------
    ratio : float
        Mean over standard deviation of the returns, per period.
    periods : float
        How many returns there are.
    skew, kurtosis : float
        Third and fourth standardised moment of the returns; 0 and 3 for normal ones.

    Examples
    --------
    >>> RatioMoments.of(np.array([0.02, -0.01, 0.03, 0.0])).ratio.__round__(3)
    0.548
    """

    ratio: float
    periods: float
    skew: float = 0.0
    kurtosis: float = 3.0

    @classmethod
    def of(cls, returns: Floats) -> "RatioMoments":
        """Return those of simple returns per period; NaN where the returns do not vary."""
        return cls(sharpe(returns, 1.0), returns.size, skewness(returns), excess_kurtosis(returns) + 3.0)

    @property
    def variance(self) -> float:
        """Variance of the ratio, times the number of periods (Mertens 2002)."""
        return 1.0 - self.skew * self.ratio + (self.kurtosis - 1.0) / 4.0 * self.ratio**2


def probabilistic_sharpe(moments: RatioMoments, benchmark: float = 0.0) -> float:
    """Return the probability that the true ratio exceeds a benchmark (Bailey and Lopez de Prado 2012).

    doi:10.21314/JOR.2012.255. NaN for an undefined ratio, fewer than two periods, or a variance at or below zero.

    >>> round(probabilistic_sharpe(RatioMoments(0.1, 250)), 4)
    0.9423
    """
    if moments.periods < 2 or not moments.variance > 0.0:
        return np.nan
    return float(norm.cdf((moments.ratio - benchmark) * np.sqrt((moments.periods - 1.0) / moments.variance)))


def expected_max_sharpe(trials: int, variance: float) -> float:
    """Return the ratio that the best of so many skill-less trials is expected to show.

    Bailey and Lopez de Prado 2014 (doi:10.3905/jpm.2014.40.5.094), for independent trials. One trial expects zero.

    Parameters
    ----------
    trials : int
        How many were ever tried on these data, at least 1.
    variance : float
        Variance of the trials' ratios per period.

    Examples
    --------
    >>> round(expected_max_sharpe(100, 1 / 30) * 365**0.5, 1)
    8.8
    """
    if trials <= 1:
        return 0.0
    best, next_best = norm.ppf(1.0 - 1.0 / trials), norm.ppf(1.0 - 1.0 / (trials * np.e))
    return float(np.sqrt(variance) * ((1.0 - np.euler_gamma) * best + np.euler_gamma * next_best))


def deflated_sharpe(moments: RatioMoments, trials: int, variance: float) -> float:
    """Return the probability that a ratio is more than the luck of the best of so many trials.

    Bailey and Lopez de Prado 2014 (doi:10.3905/jpm.2014.40.5.094). `trials` is the raw number: an "effective number" of
    trials calls too many skill-less searches skill. NaN as in `probabilistic_sharpe`.

    >>> published = RatioMoments(2.5 / np.sqrt(250), 1250, skew=-3.0, kurtosis=10.0)
    >>> round(deflated_sharpe(published, 100, 0.5 / 250), 4)
    0.9004
    """
    return probabilistic_sharpe(moments, expected_max_sharpe(trials, variance))


def min_track_record(moments: RatioMoments, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Return how many periods are needed until the ratio is above a benchmark with this confidence.

    Bailey and Lopez de Prado 2012 (doi:10.21314/JOR.2012.255). Infinite for a ratio at or below the benchmark; NaN for
    an undefined one.

    >>> daily = RatioMoments(2.0 / np.sqrt(250), 250)
    >>> round(min_track_record(daily, 1.0 / np.sqrt(250)) / 250, 2)
    2.73
    """
    if np.isnan(moments.ratio):
        return np.nan
    if moments.ratio <= benchmark:
        return np.inf
    return float(1.0 + moments.variance * (norm.ppf(confidence) / (moments.ratio - benchmark)) ** 2)
