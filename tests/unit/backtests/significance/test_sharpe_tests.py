"""Published figures, known limits and simulation of the tests of a Sharpe ratio."""

import numpy as np
import pytest

from fathom.backtests.significance import (
    RatioMoments,
    deflated_sharpe,
    expected_max_sharpe,
    min_track_record,
    probabilistic_sharpe,
)

YEAR = 250


def test_the_example_of_2014() -> None:
    variance = 0.5 / YEAR
    published = RatioMoments(2.5 / np.sqrt(YEAR), 1250, skew=-3.0, kurtosis=10.0)
    assert expected_max_sharpe(100, variance) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(published, 100, variance) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(published, 46, variance) == pytest.approx(0.9505, abs=5e-5)
    normal = RatioMoments(2.5 / np.sqrt(YEAR), 1250)
    assert deflated_sharpe(normal, 88, variance) == pytest.approx(0.9505, abs=5e-5)


def test_the_example_of_2012() -> None:
    monthly = RatioMoments(0.036 / 0.079, 24, skew=-2.448, kurtosis=10.164)
    assert probabilistic_sharpe(monthly._replace(skew=0.0, kurtosis=3.0)) == pytest.approx(0.982, abs=1e-3)
    assert probabilistic_sharpe(monthly) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(("periods", "years"), [(250, 2.73), (52, 2.83), (12, 3.24)])
def test_the_track_records_of_2012(periods: int, years: float) -> None:
    ratio = RatioMoments(2.0 / np.sqrt(periods), periods)
    assert min_track_record(ratio, 1.0 / np.sqrt(periods)) / periods == pytest.approx(years, abs=5e-3)


def test_a_track_record_of_that_length_is_just_sure() -> None:
    ratio = RatioMoments(0.1, 100, skew=-1.0, kurtosis=6.0)
    needed = min_track_record(ratio, 0.02, confidence=0.9)
    assert probabilistic_sharpe(ratio._replace(periods=needed), 0.02) == pytest.approx(0.9, abs=1e-12)
    assert min_track_record(ratio, 0.1) == np.inf


def test_what_is_undefined() -> None:
    flat = RatioMoments.of(np.zeros(50))
    assert np.isnan(probabilistic_sharpe(flat))
    assert np.isnan(deflated_sharpe(flat, 5, 0.01))
    assert np.isnan(min_track_record(flat))
    assert np.isnan(probabilistic_sharpe(RatioMoments.of(np.array([0.1]))))


def test_one_trial_needs_no_deflation() -> None:
    moments = RatioMoments.of(np.random.default_rng(1).normal(0.01, 0.1, 200))
    assert deflated_sharpe(moments, 1, 0.01) == probabilistic_sharpe(moments)


def test_searches_without_skill_are_rarely_called_skill() -> None:
    """400 searches of 50 independent skill-less trials: the plain test is fooled, the deflated one is not."""
    random = np.random.default_rng(7)
    fooled, deflated = 0, 0
    for _ in range(400):
        returns = random.normal(size=(200, 50))
        ratios = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
        best = RatioMoments.of(returns[:, int(ratios.argmax())])
        fooled += probabilistic_sharpe(best) > 0.95
        deflated += deflated_sharpe(best, 50, float(ratios.var(ddof=1))) > 0.95
    assert fooled > 340
    assert deflated <= 8


def test_the_expected_maximum_is_that_of_a_simulation() -> None:
    best = np.random.default_rng(3).normal(0.0, 0.1, (20_000, 30)).max(axis=1).mean()
    assert expected_max_sharpe(30, 0.01) == pytest.approx(best, rel=0.02)
