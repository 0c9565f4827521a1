"""Return, drawdown and ratio statistics of an equity curve or of a list of trade results, in plain numpy.

One rule for what is undefined: the result is NaN, never an infinity, a zero that means "unknown" or an exception.
A ratio is undefined when it has too few observations or when its denominator is zero (a profit factor without a
losing trade, a Sharpe ratio of a flat curve). Input that holds NaN gives NaN. Inputs are one-dimensional float arrays.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Times = NDArray[np.int64]

_FLAT: Final = 1e-14
"""A spread of returns below this is rounding of a constant, not risk."""


class Spell(NamedTuple):
    """One drawdown, from the peak to the recovery.

    Attributes
    ----------
    peak, trough : int
        Index of the last high before the fall, and of the lowest point.
    recovery : int
        Index of the first point at or above the peak; -1 while the curve is still under water at its end.
    depth : float
        Fall from peak to trough as a fraction of the peak, negative.

    Examples
    --------
    >>> drawdown_spells(np.array([100.0, 75.0, 101.0]))
    [Spell(peak=0, trough=1, recovery=2, depth=-0.25)]
    """

    peak: int
    trough: int
    recovery: int
    depth: float


def simple_returns(equity: Floats) -> Floats:
    """Return the relative change from each point to the next, shape (n - 1,); NaN after a point that is not positive.

    >>> simple_returns(np.array([100.0, 110.0, 99.0])).round(6)
    array([ 0.1, -0.1])
    """
    before = equity[:-1]
    result = np.full(max(equity.size - 1, 0), np.nan)
    np.divide(equity[1:], before, out=result, where=before > 0.0)
    return result - 1.0


def total_return(equity: Floats) -> float:
    """Return last / first - 1; NaN for fewer than two points or a first point that is not positive.

    >>> round(total_return(np.array([100.0, 90.0, 105.0])), 6)
    0.05
    """
    if equity.size < 2 or not equity[0] > 0.0:
        return np.nan
    return float(equity[-1] / equity[0] - 1.0)


def annual_return(equity: Floats, years: float) -> float:
    """Return the compound annual growth rate over `years` (of 365 days); NaN unless both ends and `years` are positive.

    It extrapolates blindly: whether a span is long enough to be annualised is `backtests.account.periods` to say.

    >>> round(annual_return(np.array([100.0, 121.0]), years=2.0), 6)
    0.1
    """
    if equity.size < 2 or not (equity[0] > 0.0 and equity[-1] > 0.0 and years > 0.0):
        return np.nan
    log_growth = float(np.log(equity[-1] / equity[0])) / years
    return float(np.expm1(log_growth)) if log_growth < 50.0 else np.nan


def volatility(returns: Floats, periods_per_year: float) -> float:
    """Return the standard deviation of returns (ddof 1) times sqrt(periods_per_year); NaN for fewer than two returns.

    >>> round(volatility(np.array([0.01, -0.01, 0.01, -0.01]), 365.0), 4)
    0.2206
    """
    if returns.size < 2:
        return np.nan
    return float(np.std(returns, ddof=1) * np.sqrt(periods_per_year))


def sharpe(returns: Floats, periods_per_year: float) -> float:
    """Return mean / standard deviation (ddof 1) of the returns times sqrt(periods_per_year), risk-free rate zero.

    NaN for fewer than two returns or for returns that do not vary. `periods_per_year=1` gives the ratio per period.

    >>> round(sharpe(np.array([0.02, -0.01, 0.03, 0.0]), 365.0), 3)
    10.464
    """
    if returns.size < 2:
        return np.nan
    spread = float(np.std(returns, ddof=1))
    if not spread > _FLAT:
        return np.nan
    return float(np.mean(returns) / spread * np.sqrt(periods_per_year))


def sharpe_standard_error(returns: Floats, periods_per_year: float) -> float:
    """Return the standard error of `sharpe` for independent returns of any skew and kurtosis.

    Mertens (2002), the i.i.d. case of Lo (2002, doi:10.2469/faj.v58.n4.2453) without the normal assumption:
    sqrt((1 - skew * s + (kurtosis - 1) / 4 * s^2) / n) for the ratio s per period. Returns that depend on each other
    make the true error larger. NaN where `sharpe` is.

    >>> round(sharpe_standard_error(np.array([0.02, -0.01, 0.03, 0.0]), 365.0), 2)
    9.68
    """
    ratio = sharpe(returns, 1.0)
    if np.isnan(ratio):
        return np.nan
    variance = 1.0 - skewness(returns) * ratio + (excess_kurtosis(returns) + 2.0) / 4.0 * ratio**2
    return float(np.sqrt(max(variance, 0.0) / returns.size * periods_per_year))


def sortino(returns: Floats, periods_per_year: float) -> float:
    """Return mean / root mean square of the negative returns (over all returns) times sqrt(periods_per_year).

    Target return zero (Sortino and van der Meer 1991, doi:10.3905/jpm.1991.409343). NaN without a negative return.

    >>> round(sortino(np.array([0.02, -0.01, 0.03, 0.0]), 365.0), 3)
    38.21
    """
    if returns.size < 2:
        return np.nan
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    if not downside > _FLAT:
        return np.nan
    return float(np.mean(returns) / downside * np.sqrt(periods_per_year))


def drawdown(equity: Floats) -> Floats:
    """Return the distance below the highest point so far as a fraction of it, at or below zero, shape of `equity`.

    >>> drawdown(np.array([100.0, 90.0, 120.0, 60.0])).round(6)
    array([ 0. , -0.1,  0. , -0.5])
    """
    peak = np.maximum.accumulate(equity)
    result = np.full(equity.size, np.nan)
    np.divide(equity, peak, out=result, where=peak > 0.0)
    return result - 1.0


def max_drawdown(equity: Floats) -> float:
    """Return the deepest `drawdown`, at or below zero; NaN for an empty curve.

    >>> max_drawdown(np.array([100.0, 90.0, 120.0, 60.0]))
    -0.5
    """
    return float(np.min(drawdown(equity))) if equity.size else np.nan


def drawdown_spells(equity: Floats, depths: Floats | None = None) -> list[Spell]:
    """Return every drawdown of the curve in order of time; `depths` are those of a finer curve, if there is one.

    >>> [spell.depth for spell in drawdown_spells(np.array([100.0, 50.0, 100.0, 75.0]))]
    [-0.5, -0.25]
    """
    depths = drawdown(equity) if depths is None else depths
    below = np.concatenate(([False], depths < 0.0, [False]))
    edges = np.flatnonzero(below[1:] != below[:-1])
    spells = []
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        trough = first + int(np.argmin(depths[first:after]))
        recovery = after if after < equity.size else -1
        spells.append(Spell(first - 1, trough, recovery, float(depths[trough])))
    return spells


def calmar(equity: Floats, years: float) -> float:
    """Return `annual_return` / -`max_drawdown`; NaN where either is undefined or the curve never fell.

    >>> round(calmar(np.array([100.0, 80.0, 110.0]), years=1.0), 6)
    0.5
    """
    depth = max_drawdown(equity)
    return annual_return(equity, years) / -depth if depth < 0.0 else np.nan


def skewness(values: Floats) -> float:
    """Return the third standardised moment (biased, as scipy's default); NaN for fewer than two or constant values.

    >>> round(skewness(np.array([0.0, 0.0, 3.0])), 6)
    0.707107
    """
    return _standard_moment(values, 3)


def excess_kurtosis(values: Floats) -> float:
    """Return the fourth standardised moment minus 3 (biased, as scipy's default); NaN as in `skewness`.

    >>> round(excess_kurtosis(np.array([1.0, -1.0])), 6)
    -2.0
    """
    return _standard_moment(values, 4) - 3.0


def value_at_risk(returns: Floats, level: float = 0.95) -> float:
    """Return the (1 - level) quantile of the observed returns (no normal assumption); NaN for no returns.

    >>> value_at_risk(np.linspace(-0.10, 0.10, 21), 0.95)
    -0.09
    """
    return float(np.quantile(returns, 1.0 - level)) if returns.size else np.nan


def expected_shortfall(returns: Floats, level: float = 0.95) -> float:
    """Return the mean of the returns at or below `value_at_risk`; NaN for no returns.

    >>> round(expected_shortfall(np.linspace(-0.10, 0.10, 21), 0.95), 6)
    -0.095
    """
    edge = value_at_risk(returns, level)
    return float(np.mean(returns[returns <= edge + _FLAT])) if np.isfinite(edge) else np.nan


def beta(returns: Floats, benchmark: Floats) -> float:
    """Return covariance with the benchmark / variance of the benchmark; NaN for fewer than two or a flat benchmark.

    >>> round(beta(np.array([0.02, -0.02, 0.04]), np.array([0.01, -0.01, 0.02])), 6)
    2.0
    """
    if returns.size < 2 or not float(np.std(benchmark)) > _FLAT:
        return np.nan
    return float(np.cov(returns, benchmark, ddof=1)[0, 1] / np.var(benchmark, ddof=1))


def correlation(returns: Floats, benchmark: Floats) -> float:
    """Return Pearson's correlation; NaN for fewer than two returns or where either side is flat.

    >>> round(correlation(np.array([0.02, -0.02, 0.04]), np.array([0.01, -0.01, 0.02])), 6)
    1.0
    """
    if returns.size < 2 or not (float(np.std(returns)) > _FLAT and float(np.std(benchmark)) > _FLAT):
        return np.nan
    return float(np.corrcoef(returns, benchmark)[0, 1])


def profit_factor(results: Floats) -> float:
    """Return the sum of the gains / the sum of the losses of trades (or periods); NaN without a loss.

    >>> profit_factor(np.array([30.0, -10.0, -5.0]))
    2.0
    """
    losses = -float(np.sum(np.minimum(results, 0.0)))
    return float(np.sum(np.maximum(results, 0.0))) / losses if losses > 0.0 else np.nan


def win_rate(results: Floats) -> float:
    """Return the share of results above zero, 0 to 1; NaN for none.

    >>> win_rate(np.array([30.0, -10.0, -5.0, 0.0]))
    0.25
    """
    known = results.size and not np.isnan(results).any()
    return float(np.mean(results > 0.0)) if known else np.nan


def payoff_ratio(results: Floats) -> float:
    """Return the mean gain / the mean loss; NaN without a gain or without a loss.

    >>> payoff_ratio(np.array([30.0, -10.0, -5.0]))
    4.0
    """
    gains, losses = results[results > 0.0], results[results < 0.0]
    known = gains.size and losses.size and not np.isnan(results).any()
    return float(np.mean(gains) / -np.mean(losses)) if known else np.nan


def expectancy(results: Floats) -> float:
    """Return the mean result; NaN for none.

    >>> expectancy(np.array([30.0, -10.0, -5.0]))
    5.0
    """
    return float(np.mean(results)) if results.size else np.nan


def time_in_market(opened_ns: Times, closed_ns: Times, start_ns: int, end_ns: int) -> float:
    """Return the share of the time from start to end in which at least one position was open, 0 to 1.

    Positions may overlap; what lies outside is cut off. NaN for a span of zero.

    >>> time_in_market(np.array([0, 5, 30]), np.array([10, 15, 99]), start_ns=0, end_ns=40)
    0.625
    """
    if end_ns <= start_ns:
        return np.nan
    order = np.argsort(opened_ns, kind="stable")
    opened = np.clip(opened_ns[order], start_ns, end_ns)
    closed = np.clip(closed_ns[order], start_ns, end_ns)
    covered_before = np.maximum.accumulate(np.concatenate(([start_ns], closed)))[:-1]
    return float(np.sum(np.maximum(closed - np.maximum(opened, covered_before), 0)) / (end_ns - start_ns))


def _standard_moment(values: Floats, power: int) -> float:
    if values.size < 2:
        return np.nan
    centred = values - np.mean(values)
    spread = float(np.sqrt(np.mean(centred**2)))
    return float(np.mean((centred / spread) ** power)) if spread > _FLAT else np.nan
