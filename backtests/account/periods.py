"""Which return frequency fits a span, when a number may be annualised, and sampling of curves on that frequency."""

from typing import Final, NamedTuple

import numpy as np

from fathom.backtests.account.statistics import Floats, Times
from fathom.settings.times import DAY, SECOND, SHORTEST_ANNUALISED, YEAR

YEAR_NS: Final = YEAR

MIN_DAYS_FOR_RATIOS: Final = SHORTEST_ANNUALISED // DAY
MIN_DAYS_FOR_ANNUAL_RETURN: Final = 360
_FEWEST_RETURNS: Final = 120


class Period(NamedTuple):
    """A return frequency.

    Examples
    --------
    >>> fitting_period(6 * 60 * 10**9).name
    'second'
    >>> fitting_period(24 * 3600 * 10**9).name
    'minute'
    >>> fitting_period(365 * 86_400 * 10**9).periods_per_year
    365.0
    """

    name: str
    length_ns: int

    @property
    def periods_per_year(self) -> float:
        """How many of them a year of 365 days has."""
        return YEAR_NS / self.length_ns


PERIODS: Final = (
    Period("day", DAY),
    Period("hour", 3_600 * SECOND),
    Period("minute", 60 * SECOND),
    Period("second", SECOND),
)


def fitting_period(span_ns: int) -> Period:
    """Return the longest of day, hour, minute and second that cuts the span into at least 120 returns.

    Six minutes give seconds, a day minutes, a month hours, four months and more days; two minutes or less, seconds.
    """
    return next((period for period in PERIODS if span_ns >= _FEWEST_RETURNS * period.length_ns), PERIODS[-1])


def ratios_refused(span_ns: int) -> str:
    """Return why volatility, Sharpe and Sortino of this span must not be annualised, or "" where they may be.

    >>> ratios_refused(344 * 10**9)
    'spans under 30 days are not annualised: the result would be extrapolation'
    >>> ratios_refused(31 * 86_400 * 10**9)
    ''
    """
    if span_ns >= MIN_DAYS_FOR_RATIOS * DAY:
        return ""
    return f"spans under {MIN_DAYS_FOR_RATIOS} days are not annualised: the result would be extrapolation"


def annual_return_refused(span_ns: int) -> str:
    """Return why the return of this span must not be annualised, or "" where it may be.

    The GIPS standards for performance reports forbid annual returns of less than a year; 360 days pass here.

    >>> annual_return_refused(31 * 86_400 * 10**9)
    'returns over less than a year are not annualised (a GIPS rule)'
    """
    if span_ns >= MIN_DAYS_FOR_ANNUAL_RETURN * DAY:
        return ""
    return "returns over less than a year are not annualised (a GIPS rule)"


def period_ends(start_ns: int, end_ns: int, period: Period) -> Times:
    """Return the start, every UTC multiple of the period strictly inside, and the end (ns, ascending).

    The first and the last period may be partial, so that the product of the returns is the total return.

    >>> period_ends(500_000_000, 2_200_000_000, Period("second", 10**9)).tolist()
    [500000000, 1000000000, 2000000000, 2200000000]
    """
    if end_ns <= start_ns:
        return np.array([start_ns], np.int64)
    length = period.length_ns
    inside = np.arange(start_ns // length + 1, -(-end_ns // length), dtype=np.int64) * length
    return np.concatenate(([start_ns], inside, [end_ns])).astype(np.int64)


def sample(times_ns: Times, values: Floats, at_ns: Times) -> Floats:
    """Return the last value at or before each time; before the first value, the first value.

    Of several values at one time the last counts. NaN for an empty curve.

    >>> sample(np.array([10, 20, 20]), np.array([1.0, 2.0, 3.0]), np.array([5, 15, 20, 99])).tolist()
    [1.0, 1.0, 3.0, 3.0]
    """
    if not values.size:
        return np.full(at_ns.size, np.nan)
    where = np.searchsorted(times_ns, at_ns, side="right") - 1
    return values[np.maximum(where, 0)]
