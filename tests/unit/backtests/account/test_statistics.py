"""The statistics against plain-Python twins, against scipy, and against quantstats on the daily data it is made for."""

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fathom.backtests.account import statistics
from fathom.backtests.account.statistics import Floats

YEAR = 365.0


def curve(seed: int, count: int = 366, scale: float = 0.02, drift: float = 0.001) -> Floats:
    rng = np.random.default_rng(seed)
    return np.asarray(10_000.0 * np.exp(np.cumsum(np.concatenate(([0.0], rng.normal(drift, scale, count - 1))))))


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def naive_sharpe(returns: list[float], periods: float) -> float:
    middle = mean(returns)
    variance = math.fsum((value - middle) ** 2 for value in returns) / (len(returns) - 1)
    return middle / math.sqrt(variance) * math.sqrt(periods)


def naive_sortino(returns: list[float], periods: float) -> float:
    downside = math.sqrt(math.fsum(value**2 for value in returns if value < 0.0) / len(returns))
    return mean(returns) / downside * math.sqrt(periods)


def naive_max_drawdown(equity: list[float]) -> float:
    return min(equity[late] / max(equity[: late + 1]) - 1.0 for late in range(len(equity)))


def naive_spells(equity: list[float]) -> list[tuple[int, int, int]]:
    """Peak, trough and recovery, by walking along the curve."""
    spells, peak, trough = [], 0, -1
    for at in range(1, len(equity)):
        if equity[at] >= equity[peak]:
            if trough >= 0:
                spells.append((peak, trough, at))
            peak, trough = at, -1
        elif trough < 0 or equity[at] < equity[trough]:
            trough = at
    return [*spells, (peak, trough, -1)] if trough >= 0 else spells


@pytest.mark.parametrize("seed", range(5))
def test_ratios_equal_their_naive_twins(seed: int) -> None:
    equity = curve(seed)
    returns = statistics.simple_returns(equity)
    plain = [float(after / before - 1.0) for before, after in itertools.pairwise(equity)]
    assert returns.tolist() == pytest.approx(plain)
    assert statistics.sharpe(returns, YEAR) == pytest.approx(naive_sharpe(plain, YEAR))
    assert statistics.sortino(returns, YEAR) == pytest.approx(naive_sortino(plain, YEAR))
    assert statistics.max_drawdown(equity) == pytest.approx(naive_max_drawdown(equity.tolist()))
    assert statistics.total_return(equity) == pytest.approx(math.prod(1.0 + value for value in plain) - 1.0)
    assert statistics.annual_return(equity, 2.0) == pytest.approx(math.sqrt(equity[-1] / equity[0]) - 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_ratios_equal_quantstats_on_daily_returns(seed: int) -> None:
    import pandas as pd
    from quantstats import stats as quantstats_stats

    stats: Any = quantstats_stats

    equity = curve(seed)
    returns = statistics.simple_returns(equity)
    series = pd.Series(returns, index=pd.date_range("2023-01-01", periods=returns.size))
    years = returns.size / YEAR
    assert statistics.sharpe(returns, YEAR) == pytest.approx(stats.sharpe(series, periods=365))
    assert statistics.sortino(returns, YEAR) == pytest.approx(stats.sortino(series, periods=365))
    assert statistics.volatility(returns, YEAR) == pytest.approx(stats.volatility(series, periods=365))
    assert statistics.max_drawdown(equity) == pytest.approx(stats.max_drawdown(series))
    assert statistics.annual_return(equity, years) == pytest.approx(stats.cagr(series, periods=365))
    assert statistics.calmar(equity, years) == pytest.approx(stats.calmar(series, periods=365))
    assert statistics.profit_factor(returns) == pytest.approx(stats.profit_factor(series))
    assert statistics.payoff_ratio(returns) == pytest.approx(stats.payoff_ratio(series))


def test_moments_and_tails_equal_scipy_and_numpy() -> None:
    from scipy import stats

    returns = np.random.default_rng(7).standard_t(4, 500) * 0.01
    assert statistics.skewness(returns) == pytest.approx(stats.skew(returns))
    assert statistics.excess_kurtosis(returns) == pytest.approx(stats.kurtosis(returns))
    worst = np.sort(returns)[: math.ceil(0.05 * 499)]
    assert statistics.value_at_risk(returns) == pytest.approx(np.percentile(returns, 5))
    assert statistics.expected_shortfall(returns) == pytest.approx(float(np.mean(worst)))


def test_beta_is_the_slope_of_the_regression() -> None:
    rng = np.random.default_rng(3)
    market = rng.normal(0.0, 0.01, 300)
    returns = 1.7 * market + rng.normal(0.0, 0.003, 300)
    slope, _ = np.polyfit(market, returns, 1)
    assert statistics.beta(returns, market) == pytest.approx(slope)
    assert statistics.correlation(returns, market) == pytest.approx(np.corrcoef(returns, market)[0, 1])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([80.0, 90.0, 100.0, 110.0, 120.0]), min_size=1, max_size=40))
def test_spells_equal_a_walk_along_the_curve(equity: list[float]) -> None:
    found = statistics.drawdown_spells(np.array(equity))
    assert [(spell.peak, spell.trough, spell.recovery) for spell in found] == naive_spells(equity)
    assert min((spell.depth for spell in found), default=0.0) == pytest.approx(naive_max_drawdown(equity))


def test_the_standard_error_covers_the_true_ratio_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    true = 0.05  # per period
    inside = 0
    for _ in range(400):
        returns = rng.normal(true * 0.01, 0.01, 250)
        error = statistics.sharpe_standard_error(returns, 1.0)
        inside += abs(statistics.sharpe(returns, 1.0) - true) < 1.96 * error
    assert 0.92 <= inside / 400 <= 0.98


def test_results_of_trades() -> None:
    results = np.array([30.0, -10.0, 0.0, 5.0, -5.0])
    assert statistics.profit_factor(results) == pytest.approx(35.0 / 15.0)
    assert statistics.win_rate(results) == pytest.approx(0.4)
    assert statistics.payoff_ratio(results) == pytest.approx(17.5 / 7.5)
    assert statistics.expectancy(results) == pytest.approx(4.0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 30)), max_size=12))
def test_time_in_market_counts_each_moment_once(trips: list[tuple[int, int]]) -> None:
    opened = np.array([start for start, _ in trips], np.int64)
    closed = np.array([start + length for start, length in trips], np.int64)
    moments = sum(any(start <= moment < start + length for start, length in trips) for moment in range(50))
    assert statistics.time_in_market(opened, closed, 0, 50) == pytest.approx(moments / 50)


NOTHING: NDArray[np.float64] = np.array([])
FLAT = np.zeros(50)


@pytest.mark.parametrize(
    "value",
    [
        statistics.sharpe(NOTHING, YEAR),
        statistics.sharpe(np.array([0.01]), YEAR),
        statistics.sharpe(FLAT, YEAR),
        statistics.sharpe(np.full(50, 0.1) / 3.0, YEAR),
        statistics.sharpe(np.array([0.01, np.nan, 0.02]), YEAR),
        statistics.sharpe_standard_error(FLAT, YEAR),
        statistics.sortino(FLAT, YEAR),
        statistics.sortino(np.array([0.01, 0.02]), YEAR),
        statistics.volatility(np.array([0.01]), YEAR),
        statistics.total_return(np.array([100.0])),
        statistics.total_return(np.array([0.0, 1.0])),
        statistics.annual_return(np.array([100.0, 110.0]), 0.0),
        statistics.annual_return(np.array([100.0, -1.0]), 1.0),
        statistics.annual_return(np.array([100.0, 110.0]), 1e-9),
        statistics.calmar(np.array([100.0, 110.0]), 1.0),
        statistics.max_drawdown(NOTHING),
        statistics.expected_shortfall(np.array([0.1, np.nan])),
        statistics.profit_factor(np.array([1.0, -1.0, np.nan])),
        statistics.win_rate(np.array([1.0, np.nan])),
        statistics.payoff_ratio(np.array([1.0, -1.0, np.nan])),
        statistics.profit_factor(NOTHING),
        statistics.profit_factor(np.array([1.0, 2.0])),
        statistics.win_rate(NOTHING),
        statistics.payoff_ratio(np.array([1.0])),
        statistics.expectancy(NOTHING),
        statistics.value_at_risk(NOTHING),
        statistics.expected_shortfall(NOTHING),
        statistics.skewness(FLAT),
        statistics.excess_kurtosis(FLAT),
        statistics.beta(np.array([0.1, 0.2]), np.zeros(2)),
        statistics.correlation(np.zeros(2), np.array([0.1, 0.2])),
        statistics.time_in_market(np.array([1]), np.array([2]), 5, 5),
    ],
)
def test_what_is_undefined_is_nan(value: float) -> None:
    assert math.isnan(value)


def test_a_flat_curve_never_fell() -> None:
    assert statistics.max_drawdown(np.full(9, 100.0)) == 0.0
    assert statistics.drawdown_spells(np.full(9, 100.0)) == []


def test_returns_after_ruin_are_undefined() -> None:
    returns = statistics.simple_returns(np.array([100.0, 0.0, 50.0]))
    assert returns[0] == -1.0
    assert math.isnan(returns[1])


def test_order_of_returns_does_not_change_the_ratio() -> None:
    returns = statistics.simple_returns(curve(5)).tolist()
    shuffled = random.Random(1).sample(returns, len(returns))
    assert statistics.sharpe(np.array(shuffled), YEAR) == pytest.approx(statistics.sharpe(np.array(returns), YEAR))
