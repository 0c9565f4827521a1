"""Return periods: which fits a span, and sampling that keeps the total return."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.backtests.account import periods
from fathom.backtests.account.periods import PERIODS, YEAR_NS, fitting_period, period_ends, sample
from fathom.backtests.account.statistics import simple_returns, total_return

SECOND = 10**9
DAY = 86_400 * SECOND


@pytest.mark.parametrize(
    ("span", "name", "fewest"),
    [
        (5 * SECOND, "second", 5),
        (344 * SECOND, "second", 344),
        (3 * 3600 * SECOND, "minute", 180),
        (DAY, "minute", 1440),
        (7 * DAY, "hour", 168),
        (31 * DAY, "hour", 744),
        (365 * DAY, "day", 365),
        (1500 * DAY, "day", 1500),
    ],
)
def test_the_period_fits_the_span(span: int, name: str, fewest: int) -> None:
    period = fitting_period(span)
    assert period.name == name
    assert span // period.length_ns == fewest
    assert period.periods_per_year * period.length_ns == YEAR_NS


def test_what_may_be_annualised() -> None:
    assert periods.ratios_refused(30 * DAY - 1)
    assert not periods.ratios_refused(30 * DAY)
    assert periods.annual_return_refused(359 * DAY)
    assert not periods.annual_return_refused(365 * DAY - 60 * SECOND)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.integers(0, 4 * 10**18),
    st.integers(1, 5 * 86_400 * 10**9),
    st.sampled_from([period for period in PERIODS if period.name != "second"]),
)
def test_ends_are_the_start_the_clock_and_the_end(start: int, span: int, period: periods.Period) -> None:
    ends = period_ends(start, start + span, period)
    assert ends[0] == start
    assert ends[-1] == start + span
    assert np.all(np.diff(ends) > 0)
    assert np.all(np.diff(ends) <= period.length_ns)
    assert np.all(ends[1:-1] % period.length_ns == 0)


def test_returns_of_any_period_multiply_to_the_total_return() -> None:
    rng = np.random.default_rng(2)
    times = 1_723_161_256 * SECOND + np.cumsum(rng.integers(1, 20 * SECOND, 5000))
    equity = 1000.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-3, 5000)))
    for period in PERIODS:
        returns = simple_returns(sample(times, equity, period_ends(int(times[0]), int(times[-1]), period)))
        assert math.prod((1.0 + returns).tolist()) - 1.0 == pytest.approx(total_return(equity))


def test_sampling_looks_back_only() -> None:
    times, values = np.array([10, 20, 30], np.int64), np.array([1.0, 2.0, 3.0])
    found = [
        max((value for time, value in zip(times, values, strict=True) if time <= at), default=1.0) for at in range(40)
    ]
    assert sample(times, values, np.arange(40)).tolist() == found
