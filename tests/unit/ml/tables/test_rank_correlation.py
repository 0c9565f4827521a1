"""Rank correlations: equal to the textbook's where pairs are independent, and honest where they overlap."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import spearmanr

from fathom.ml.tables.rank_correlation import Floats, RankCorrelation, Ranked, combined, interval, ranks
from fathom.ml.tables.rank_correlation import correlate as correlate_ranked


def correlate(x: Floats, y: Floats, steps: int) -> RankCorrelation:
    return correlate_ranked(Ranked.of(x, steps), Ranked.of(y, steps))


def test_the_value_is_spearmans() -> None:
    rng = np.random.default_rng(51)
    for _ in range(20):
        x = rng.integers(0, 9, 80).astype(float)  # ties
        y = 0.3 * x + rng.normal(size=80)
        assert correlate(x, y, 1).value == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


def test_independent_pairs_count_as_what_they_are() -> None:
    rng = np.random.default_rng(52)
    found = correlate(rng.normal(size=4_000), rng.normal(size=4_000), 1)
    assert found.effective == pytest.approx(4_000, rel=0.02)
    assert found.high - found.low == pytest.approx(2 * 1.96 / np.sqrt(4_000), rel=0.02)


def test_the_effective_number_is_its_formula() -> None:
    rng = np.random.default_rng(53)
    steps, count = 7, 400
    x = np.cumsum(rng.normal(size=count))
    y = np.convolve(rng.normal(size=count + steps - 1), np.ones(steps), "valid")
    a, b = ranks(x), ranks(y)
    shared = 1.0
    for lag in range(1, 400 // 20 + 1):  # more than twice the steps
        shared += 2 * (1 - lag / count) * float(a[lag:] @ a[:-lag]) * float(b[lag:] @ b[:-lag])
    assert correlate(x, y, steps).effective == pytest.approx(count / shared)
    assert correlate(x, y, steps).effective < count / 3


@pytest.mark.parametrize("steps", [1, 10, 30])
@pytest.mark.parametrize("memory", [0.0, 0.98])
def test_the_interval_of_a_slow_feature_that_says_nothing_holds_zero(steps: int, memory: float) -> None:
    # 95 % of the time, were it exact. Taking the rows for independent gives less than 60 % at 10 steps.
    rng = np.random.default_rng(54)
    outside = 0
    for _ in range(200):
        price = np.cumsum(rng.normal(size=600 + steps))
        x = np.asarray(lfilter([1.0], [1.0, -memory], rng.normal(size=700))[100:], np.float64)
        returns = np.asarray(price[steps:] - price[:-steps], np.float64)
        outside += correlate(x, returns, steps).excludes_zero
    assert outside <= 20  # P(more than 20 of 200 at 5 %) = 0.0012


def test_what_predicts_is_seen() -> None:
    rng = np.random.default_rng(55)
    signal, noise = rng.normal(size=2_000), rng.normal(size=2_000)
    found = correlate(signal, 0.3 * signal + noise, 1)
    assert found.excludes_zero
    assert 0.2 < found.value < 0.4


@pytest.mark.parametrize("x", [np.zeros(100), np.arange(10.0), np.zeros(0)])
def test_a_constant_and_a_handful_have_no_correlation(x: np.ndarray) -> None:
    found = correlate(x, np.linspace(0.0, 1.0, len(x)), 1)
    assert np.isnan(found.value)
    assert not found.excludes_zero


def test_few_independent_pairs_have_no_interval() -> None:
    assert np.isnan(interval(0.9, 7.9).low)
    assert interval(0.9, 8.0).excludes_zero


def test_instruments_that_move_together_count_once() -> None:
    one, other = interval(0.2, 100.0), interval(0.4, 300.0)
    both = combined([one, other, RankCorrelation(np.nan, np.nan, np.nan, np.nan)])
    assert both.value == pytest.approx(0.35)
    assert both.effective == 300.0
    assert np.isnan(combined([]).value)
