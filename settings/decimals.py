"""Decimal numbers of files: what they look like, in ASCII digits, and never so long that they take time."""

import re
from decimal import Decimal
from typing import Final

_PLAIN: Final = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")
_ANY: Final = re.compile(r"[+-]?[0-9]{1,60}(\.[0-9]{0,60})?([eE][+-]?[0-9]{1,2})?")


def decimal_of(text: str) -> Decimal:
    """Return the number that a text of ASCII digits states; an exponent of two digits may follow.

    Python's own `Decimal` takes digits of every script, underscores and blanks too.

    Examples
    --------
    >>> decimal_of("61800.20"), decimal_of("1e-05")
    (Decimal('61800.20'), Decimal('0.00001'))
    >>> decimal_of("1_000")
    Traceback (most recent call last):
    ValueError: Expected a decimal number such as 61800.20, was '1_000'
    """
    if not _ANY.fullmatch(text):
        raise ValueError(f"Expected a decimal number such as 61800.20, was '{text[:60]}'")
    return Decimal(text)


def is_plain(text: str, *, negative: bool = False) -> bool:
    """Return whether a text is a decimal number without an exponent, and without a sign unless it may be negative.

    Examples
    --------
    >>> is_plain("0.10"), is_plain("1e-1"), is_plain("٠.١"), is_plain("-1")
    (True, False, False, False)
    """
    return _PLAIN.fullmatch(text.removeprefix("-") if negative else text) is not None
