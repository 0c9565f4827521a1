"""Numbers, times and spans as the pages show them: UTC, thousands separators, a dash for what is undefined."""

import math
from datetime import UTC, datetime
from typing import Final

UNDEFINED: Final = "–"
_MINUS: Final = "−"
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def number(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """Return the number with thousands separators and a true minus sign.

    >>> number(-1234.567), number(0.5, 1, signed=True), number(float("nan"))
    ('−1,234.57', '+0.5', '–')
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    text = f"{abs(value):,.{digits}f}"
    if not text.strip("0.,"):
        return text
    return (_MINUS if value < 0 else "+" if signed else "") + text


def integer(value: float | None) -> str:
    """Return a whole number with thousands separators.

    >>> integer(12345)
    '12,345'
    """
    return number(value, 0)


def counted(value: float, what: str) -> str:
    """Return a count with its noun in the right number.

    >>> counted(1, "fill"), counted(1_200, "round trip")
    ('1 fill', '1,200 round trips')
    """
    return f"{integer(value)} {what}{'' if value == 1 else 's'}"


def percent(fraction: float | None, digits: int | None = None, *, signed: bool = False) -> str:
    """Return a fraction in percent, small ones with more digits, so that a short run does not read 0.00 %.

    >>> percent(0.1234), percent(-0.000123), percent(2.5, signed=True)
    ('12.34 %', '−0.0123 %', '+250.0 %')
    """
    if fraction is None or not math.isfinite(fraction):
        return UNDEFINED
    if digits is None:
        size = abs(fraction)
        digits = 1 if size >= 1.0 else 2 if size >= 0.01 or size == 0.0 else 3 if size >= 0.001 else 4
    return number(fraction * 100.0, digits, signed=signed) + " %"


def money(value: float | None, currency: str, *, signed: bool = False) -> str:
    """Return an amount with its currency, with two digits (four below one unit).

    >>> money(-12345.6, "USDT"), money(0.0123, "USDT", signed=True)
    ('−12,345.60 USDT', '+0.0123 USDT')
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    digits = 4 if 0.0 < abs(value) < 1.0 else 2
    return f"{number(value, digits, signed=signed)} {currency}"


def significant(value: float | None, digits: int = 6) -> str:
    """Return a price or size with at most `digits` significant digits after a whole part that is never cut.

    >>> significant(61710.25), significant(0.000123456789), significant(100.0)
    ('61,710.25', '0.000123457', '100')
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    if value == 0.0:
        return "0"
    places = max(digits - 1 - math.floor(math.log10(abs(value))), 2)
    text = number(value, min(places, 12))
    return text.rstrip("0").rstrip(".") if "." in text else text


def tone(low: float, high: float | None = None) -> str:
    """Return the tone of a tile: good where a value, or a whole interval, is above zero, bad where it is below.

    >>> tone(1.0), tone(-1.0), tone(-1.0, 1.0), tone(float("nan"))
    ('good', 'bad', '', '')
    """
    return "good" if low > 0.0 else "bad" if (low if high is None else high) < 0.0 else ""


def utc(time_ns: int, *, seconds: bool = True) -> str:
    """Return the UTC time without its zone, which the column or heading names.

    >>> utc(1_723_161_256_500_000_000)
    '2024-08-08 23:54:16'
    """
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, tz=UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def precise_utc(time_ns: int) -> str:
    """Return the UTC time with milliseconds.

    >>> precise_utc(1_723_161_256_500_000_000)
    '2024-08-08 23:54:16.500'
    """
    return f"{utc(time_ns)}.{time_ns // 1_000_000 % 1000:03d}"


def duration(seconds: float | None) -> str:
    """Return a span in its two largest units.

    >>> duration(344), duration(90_061), duration(0.25), duration(31_536_000)
    ('5 min 44 s', '1 d 1 h', '0.25 s', '365 d')
    """
    if seconds is None or not math.isfinite(seconds):
        return UNDEFINED
    if seconds < 10.0:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    rest, parts = round(seconds), []
    for length, unit in _UNITS:
        count, rest = divmod(rest, length)
        if count:
            parts.append((length, f"{count:,} {unit}"))
    first = parts[0]
    following = [text for length, text in parts[1:2] if length * 60 >= first[0]]
    return " ".join([first[1], *following])
