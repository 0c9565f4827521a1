"""Durations and moments: nanoseconds as whole numbers, and their texts."""

import re
from decimal import Decimal
from typing import Final

from fathom.settings.errors import SettingsError

MS: Final = 1_000_000
"""Nanoseconds of a millisecond."""
SECOND: Final = 1_000 * MS
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_UNITS: Final = {"ms": MS, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")


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
    total = sum(int(Decimal(number) * _UNITS[unit]) for number, unit in _PART.findall(text))
    if not total or _PART.sub("", text):
        raise SettingsError(f"Expected a duration such as 1s, 5m or 1h30m (units: {', '.join(_UNITS)}), was '{text}'")
    return total
