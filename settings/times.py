"""Durations and moments: nanoseconds as whole numbers, and their texts."""

import datetime
import re
from decimal import Decimal
from typing import Final

import numpy as np

from fathom.settings.errors import SettingsError

MS: Final = 1_000_000
"""Nanoseconds of a millisecond."""
SECOND: Final = 1_000 * MS
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
YEAR: Final = 365 * DAY
"""These markets never close: a year has 365 trading days."""
SHORTEST_ANNUALISED: Final = 30 * DAY
"""No ratio of a shorter span is annualised, anywhere: it would be extrapolation."""

_LONGEST: Final = 100 * YEAR
_UNITS: Final = {"ms": MS, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhd])")


def periods_per_year(period_ns: float, span_ns: float) -> float:
    """Return how many periods a year has, to annualise a ratio; NaN where the span is too short for that.

    Examples
    --------
    >>> periods_per_year(DAY, 30 * DAY), periods_per_year(DAY, 29 * DAY)
    (365.0, nan)
    """
    return YEAR / period_ns if span_ns >= SHORTEST_ANNUALISED else float("nan")


def duration_ns(text: str) -> int:
    """Return a duration such as `500ms`, `90s`, `1h30m` or `2d` in nanoseconds.

    Examples
    --------
    >>> duration_ns("1h30m") == 90 * MINUTE
    True
    >>> duration_ns("5 minutes")
    Traceback (most recent call last):
    ...
    fathom.settings.errors.SettingsError: Expected a duration such as 1s, 5m or 1h30m (units: ms, s, m, h, d), \
was '5 minutes'
    """
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    if len(text) > 40 or _PART.sub("", text) or not _PART.search(text):
        raise SettingsError(f"Expected a duration such as 1s, 5m or 1h30m (units: {', '.join(_UNITS)}), was '{shown}'")
    total = sum(int(Decimal(number) * _UNITS[unit]) for number, unit in _PART.findall(text))
    if not 0 < total <= _LONGEST:
        raise SettingsError(f"Expected a duration above 0 and of at most {_LONGEST // YEAR} years, was '{shown}'")
    return total


def check_moments(config: object, *names: str) -> None:
    """Refuse a moment of a configuration without a time zone, and a `start` that is not before its `end`."""
    moments = {name: getattr(config, name) for name in names}
    for name, moment in moments.items():
        if moment is not None and moment.tzinfo is None:
            raise ValueError(f"Expected {name} with a time zone, was {moment.isoformat()}; append a Z for UTC")
    start, end = moments.get("start"), moments.get("end")
    if start is not None and end is not None and start >= end:
        raise ValueError(f"Expected start before end, was {start.isoformat()}")


def moment_ns(moment: datetime.datetime | None) -> int | None:
    """Return a moment in ns since 1970, exact to the microsecond that a date-time has.

    Examples
    --------
    >>> moment_ns(datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.UTC))
    1000000000
    """
    return None if moment is None else (moment - _EPOCH) // datetime.timedelta(microseconds=1) * 1_000


def iso(time_ns: int) -> str:
    """Return a time as ISO 8601 text in UTC with 3 decimals, or with 9 where 3 are not exact.

    Examples
    --------
    >>> iso(1_723_161_256_501_000_000), iso(1)
    ('2024-08-08T23:54:16.501Z', '1970-01-01T00:00:00.000000001Z')
    """
    return f"{np.datetime64(time_ns, 'ns') if time_ns % MS else np.datetime64(time_ns // MS, 'ms')}Z"


def time_text(time_ns: int) -> str:
    """Return a time for people: with as many decimals as there are, at least 3 where there are any.

    Examples
    --------
    >>> time_text(1_723_161_256_501_000_000), time_text(60_000_000_000)
    ('2024-08-08T23:54:16.501Z', '1970-01-01T00:01:00Z')
    """
    whole, _, fraction = str(np.datetime64(time_ns, "ns")).partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction.ljust(3, '0')}Z" if fraction else f"{whole}Z"


def interval_name(first_ns: int, last_ns: int) -> str:
    """Return the engine's file name for data from one ts_init to another.

    Examples
    --------
    >>> interval_name(1723161256501000000, 1723161599999000000)
    '2024-08-08T23-54-16-501000000Z_2024-08-08T23-59-59-999000000Z.parquet'
    """
    first, last = (re.sub("[:.]", "-", str(np.datetime64(time_ns, "ns"))) for time_ns in (first_ns, last_ns))
    return f"{first}Z_{last}Z.parquet"
