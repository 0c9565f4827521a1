"""Decimal text to whole multiples of an increment, exactly: no float in between."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fathom.data_catalog.instruments import FIXED_PRECISION, MAX_PRICE_RAW, MAX_SIZE_RAW
from fathom.market.kernel_cache import cached

_DOT, _ZERO = ord("."), ord("0")
_MAX = 2**63 - 1
_MAX_DIGITS = 19  # more would not fit; of 19, those that do not fit wrap to a negative number
_POWERS = np.array([10**i for i in range(_MAX_DIGITS)], dtype=np.int64)


class Step(NamedTuple):
    """An increment as mantissa x 10^-places, for instance 0.25 = 25 x 10^-2.

    Parameters
    ----------
    places : int
        Decimal places that a multiple may have.
    mantissa : int
    most : int
        The largest multiple allowed: what the engine can hold, or int64.

    Examples
    --------
    >>> Step.of_price(10**15)  # 0.1 in the engine's raw units
    Step(places=1, mantissa=1, most=170141183460460)
    """

    places: int
    mantissa: int
    most: int = _MAX

    @classmethod
    def of_price(cls, tick_raw: int) -> "Step":
        """Return the step of a tick in the engine's raw units of 1e-16."""
        return cls._of(tick_raw, MAX_PRICE_RAW)

    @classmethod
    def of_size(cls, lot_raw: int) -> "Step":
        """Return the step of a lot in the engine's raw units of 1e-16."""
        return cls._of(lot_raw, MAX_SIZE_RAW)

    @classmethod
    def _of(cls, raw: int, most_raw: int) -> "Step":
        most, places = min(most_raw // raw, _MAX), FIXED_PRECISION
        while raw % 10 == 0 and places > 0:
            raw, places = raw // 10, places - 1
        return cls(places, raw, most)


@cached
def _parse(
    text: NDArray[np.uint8],
    offsets: NDArray[np.int32],
    places: int,
    mantissa: int,
    most: int,
    counts: NDArray[np.int64],
    first: int,
) -> int:
    for i in range(first, counts.shape[0]):
        at, end = offsets[i], offsets[i + 1]
        value, digits, fraction, dots, good = 0, 0, 0, 0, end > at and text[end - 1] != _DOT
        while at < end and good:
            letter: int = np.int64(text[at])  # type: ignore[assignment]
            at += 1
            if letter == _DOT:
                dots += 1
                good = dots == 1 and digits > 0
                continue
            digit = letter - _ZERO
            if digit < 0 or digit > 9:
                good = False
            elif dots and fraction == places:
                good = digit == 0
            elif digits == _MAX_DIGITS:
                good = False
            else:
                value = value * 10 + digit
                digits += 1
                fraction += dots
        if not good or value < 0 or value > _MAX // _POWERS[places - fraction]:
            return i
        value *= _POWERS[places - fraction]
        if mantissa != 1:
            if value % mantissa != 0:
                return i
            value //= mantissa
        if value > most:
            return i
        counts[i] = value
    return -1


def parse_decimals(column: pa.Array, step: Step, counts: NDArray[np.int64], first: int = 0) -> int:
    """Read a column of text as multiples of a step.

    Parameters
    ----------
    column : pyarrow.StringArray
        Plain decimal numbers, 0 or more, such as "61800.20"; without nulls.
    step : Step
    counts : int64 array, shape (n,)
        Filled from `first` on.
    first : int
        Row to begin with.

    Returns
    -------
    int
        The first row that is no such multiple, exceeds `step.most`, or is written in another way ("1e-3", "-1", "");
        -1 if all are read.

    Examples
    --------
    >>> counts = np.zeros(3, dtype=np.int64)
    >>> parse_decimals(pa.array(["61800.20", "5", "0.1000"]), Step(places=1, mantissa=1), counts), counts
    (-1, array([618002,     50,      1]))
    >>> parse_decimals(pa.array(["1", "0.25"]), Step(places=1, mantissa=1), counts[:2])
    1
    """
    if not len(column):
        return -1
    _, offset_buffer, data = column.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    text = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)
    return int(_parse(text, offsets, step.places, step.mantissa, step.most, counts, first))
