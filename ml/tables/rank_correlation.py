"""Rank correlation of a slow series with overlapping returns, with an interval that does not take it for many pairs."""

from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.stats import norm, rankdata

Floats = NDArray[np.float64]

CONFIDENCE: Final = 0.95
_MEMORY: Final = 300
_LEAST_PAIRS: Final = 30
_LEAST_EFFECTIVE: Final = 8.0


class RankCorrelation(msgspec.Struct, frozen=True):
    """A rank correlation and how far it can be trusted.

    Parameters
    ----------
    value : float
        Spearman's; NaN where there are fewer than 30 pairs or one side is constant.
    low, high : float
        Interval of 95 %; NaN where the pairs count as fewer than 8.
    effective : float
        As how many independent pairs they count.

    Examples
    --------
    >>> RankCorrelation(0.21, 0.05, 0.36, 140.0).excludes_zero
    True
    """

    value: float
    low: float
    high: float
    effective: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval does not hold 0."""
        return self.low > 0.0 or self.high < 0.0


def ranks(values: Floats) -> Floats:
    """Return ranks with mean 0 and norm 1 (all 0 for a constant), ties sharing theirs.

    Examples
    --------
    >>> ranks(np.array([10.0, 30.0, 20.0])).round(3).tolist()
    [-0.707, 0.707, 0.0]
    """
    found = np.asarray(rankdata(values), np.float64)
    found -= found.mean() if len(found) else 0.0
    size = np.sqrt(found @ found)
    return found / size if size > 0.0 else np.zeros_like(found)


class Ranked(NamedTuple):
    """The ranks of a series, and their autocorrelation.

    Attributes
    ----------
    ranks : ndarray
        As `ranks` returns them.
    autocorrelation : ndarray
        Of the ranks with those 1, 2, ... places later.

    Examples
    --------
    >>> Ranked.of(np.array([2.0, 1.0, 2.0, 1.0]), 1).autocorrelation.round(6).tolist()
    [-0.75, 0.5]
    """

    ranks: Floats
    autocorrelation: Floats

    @classmethod
    def of(cls, values: Floats, steps: int) -> "Ranked":
        """Return the ranks of `values`, to be compared with those of returns over `steps` rows.

        The lags go up to twice the steps, as overlapping returns are alike so far; in a long series they go further, up
        to 300, as the ranks of returns keep a little memory (of volatility, through the many that are 0).
        """
        found = ranks(values)
        lags = min(max(2 * steps, min(_MEMORY, len(values) // 20)), len(values) // 2)
        # Padded by the lags, so that the end does not meet the beginning.
        size = next_fast_len(max(len(found) + lags, 1), real=True)
        power = np.abs(np.fft.rfft(found, size)) ** 2
        return cls(found, np.asarray(np.fft.irfft(power, size)[1 : lags + 1]))


def correlate(x: Ranked, y: Ranked) -> RankCorrelation:
    """Correlate a series with the returns that begin at each row.

    The pairs overlap and follow one another, so they count as ``n / (1 + 2 sum_k (1 - k / n) a_k b_k)``, where a and b
    are the autocorrelations of the two ranks; never as more than n.

    Parameters
    ----------
    x, y : Ranked
        Of as many values, for the same steps.

    References
    ----------
    Bayley and Hammersley (1946), The "effective" number of independent observations in an autocorrelated time series,
    doi:10.2307/2983560.

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> signal = rng.normal(size=5000)
    >>> found = correlate(Ranked.of(signal, 1), Ranked.of(0.1 * signal + rng.normal(size=5000), 1))
    >>> found.excludes_zero, found.low < 0.1 < found.high
    (True, True)
    """
    count = len(x.ranks)
    if count < _LEAST_PAIRS or not x.ranks.any() or not y.ranks.any():
        return RankCorrelation(np.nan, np.nan, np.nan, np.nan)
    weights = 1.0 - np.arange(1, len(x.autocorrelation) + 1) / count
    shared = 1.0 + 2.0 * float(np.sum(weights * x.autocorrelation * y.autocorrelation))
    return interval(float(np.clip(x.ranks @ y.ranks, -1.0, 1.0)), count / max(shared, 1.0))


def interval(value: float, effective: float) -> RankCorrelation:
    """Return a correlation of so many independent pairs with its interval (Fisher's z).

    Examples
    --------
    >>> found = interval(0.0, 403.0)
    >>> round(found.low, 3), round(found.high, 3)
    (-0.098, 0.098)
    """
    if not effective >= _LEAST_EFFECTIVE:
        return RankCorrelation(value, np.nan, np.nan, effective)
    half = norm.ppf(0.5 + CONFIDENCE / 2) / np.sqrt(effective - 3.0)
    middle = np.arctanh(np.clip(value, -1.0 + 1e-12, 1.0 - 1e-12))
    return RankCorrelation(value, float(np.tanh(middle - half)), float(np.tanh(middle + half)), effective)


def combined(found: list[RankCorrelation]) -> RankCorrelation:
    """Return the mean over instruments, weighted by what each counts, counting no more than the one that counts most.

    Instruments move together: their pairs are not each other's repetition.
    """
    known = [one for one in found if not np.isnan(one.value)]
    if not known:
        return RankCorrelation(np.nan, np.nan, np.nan, np.nan)
    weights = np.array([one.effective for one in known])
    return interval(float(np.average([one.value for one in known], weights=weights)), float(weights.max()))
