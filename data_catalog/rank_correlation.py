"""Rank correlation of a slow series with overlapping returns, with an interval that does not take it for many pairs."""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

Floats = NDArray[np.float64]

CONFIDENCE: Final = 0.95
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


def autocorrelation(values: Floats, lags: int) -> Floats:
    """Return the correlation of values (mean 0, norm 1) with themselves 1 to `lags` places later.

    Examples
    --------
    >>> autocorrelation(np.array([0.5, -0.5, 0.5, -0.5]), 2).round(6).tolist()
    [-0.75, 0.5]
    """
    size = 1 << int(2 * len(values) - 1).bit_length()
    power = np.abs(np.fft.rfft(values, size)) ** 2
    return np.asarray(np.fft.irfft(power, size)[1 : lags + 1])


def correlate(x: Floats, y: Floats, steps: int) -> RankCorrelation:
    """Correlate a series with returns over `steps` rows that begin at each row.

    The pairs overlap and follow one another, so they count as ``n / (1 + 2 sum_k (1 - k / n) a_k b_k)``, where a and b
    are the autocorrelations of the two ranks and k goes up to twice the steps; never as more than n.

    Parameters
    ----------
    x, y : ndarray
        Of equal length, without NaN.
    steps : int
        Rows that a return spans.

    References
    ----------
    Bayley and Hammersley (1946), The "effective" number of independent observations in an autocorrelated time series,
    doi:10.2307/2983560.

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> signal = rng.normal(size=5000)
    >>> found = correlate(signal, 0.1 * signal + rng.normal(size=5000), 1)
    >>> found.excludes_zero, found.low < 0.1 < found.high
    (True, True)
    """
    count = len(x)
    if count < _LEAST_PAIRS:
        return RankCorrelation(np.nan, np.nan, np.nan, np.nan)
    a, b = ranks(x), ranks(y)
    if not a.any() or not b.any():
        return RankCorrelation(np.nan, np.nan, np.nan, np.nan)
    lags = min(2 * steps, count // 2)
    weights = 1.0 - np.arange(1, lags + 1) / count
    shared = 1.0 + 2.0 * float(np.sum(weights * autocorrelation(a, lags) * autocorrelation(b, lags)))
    return interval(float(np.clip(a @ b, -1.0, 1.0)), min(count / max(shared, 1.0), float(count)))


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
