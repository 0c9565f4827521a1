"""Cells of anybody's table, as exact numbers: times in ns, prices in ticks, sizes in lots, sides."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import FIXED_PRECISION, MAX_PRICE_RAW, MAX_SIZE_RAW
from fathom.data_catalog.store.arrow import TRADE_ID, TRADE_ID_WORDS
from fathom.data_catalog.store.fixed_point import decode_fixed
from fathom.market.events import Side
from fathom.settings.times import time_text

type TimeUnit = Literal["s", "ms", "us", "ns"]

TIME_UNITS: Final[Mapping[str, int]] = {"s": 9, "ms": 6, "us": 3, "ns": 0}
"""Units in which a number may count time since 1970, and the power of ten that makes nanoseconds of them."""

BOOK_SIDES: Final = {"bid": Side.BUY, "buy": Side.BUY, "b": Side.BUY, "1": Side.BUY} | {
    "ask": Side.SELL,
    "sell": Side.SELL,
    "a": Side.SELL,
    "s": Side.SELL,
    "-1": Side.SELL,
}
"""How a table may name the side of a level; capitals do not matter."""

TRADE_SIDES: Final = {"buy": Side.BUY, "b": Side.BUY, "1": Side.BUY} | {
    "sell": Side.SELL,
    "s": Side.SELL,
    "-1": Side.SELL,
}
"""How a table may name the aggressor of a trade: not bid or ask, which some take for the side that was hit."""

YES_NO: Final = {"true": 1, "1": 1, "false": 0, "0": 0}

SNAPSHOT_WORDS: Final = YES_NO | {"snap": 1, "snapshot": 1, "set": 0, "update": 0, "delta": 0}

_NANOSECONDS: Final = pa.timestamp("ns", tz="UTC")
_EARLIEST_NS: Final = 946_684_800 * 10**9  # the year 2000
_LARGEST_FLOAT_COUNT: Final = 2.0**52


class BadCellError(CatalogError):
    """A cell cannot be read; the reader of the file turns it into an error that names the place.

    Parameters
    ----------
    index : int
        Position in the column.
    problem : str
        "Expected X, was Y."
    """

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(problem)
        self.index = index
        self.problem = problem


def times_ns(column: Any, unit: TimeUnit | None) -> NDArray[np.int64]:
    """Return times as int64 ns since 1970 UTC.

    Parameters
    ----------
    column : pyarrow.Array
        Timestamps (without a zone: UTC), ISO 8601 text (likewise), or numbers.
    unit : {"s", "ms", "us", "ns"}, optional
        What numbers count; numbers without it are refused, not guessed.

    Raises
    ------
    BadCellError
        A cell is empty, no time, finer than a nanosecond, or before the year 2000; or numbers came without a unit.

    Examples
    --------
    >>> times_ns(pa.array(["2015-05-01 00:00:05.885"]), None)
    array([1430438405885000000])
    >>> times_ns(pa.array(["1430438405.885"]), "s")
    array([1430438405885000000])
    >>> times_ns(pa.array([1430438405885]), None)
    Traceback (most recent call last):
    fathom.data_catalog.ingest.cells.BadCellError: Expected a time unit for numbers such as 1430438405885, was none. Say --time-unit ms if they are milliseconds.
    """  # noqa: E501
    column = _plain(column)
    _refuse_null(column, "a time")
    if pa.types.is_timestamp(column.type):
        times = _cast(column, _NANOSECONDS if column.type.tz else pa.timestamp("ns"), "a time")
    elif pa.types.is_string(column.type) and (unit is None or not _is_number(column)):
        times = _iso_times(column)
    elif pa.types.is_string(column.type) or pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        times = _numbers_as_times(column, unit)
    else:
        raise BadCellError(0, f"Expected times, text or numbers, was a column of {column.type}.")
    values = times.view(pa.int64()).to_numpy(zero_copy_only=False)
    early = np.flatnonzero(values < _EARLIEST_NS)
    if len(early):
        moment = time_text(int(values[early[0]]))
        raise BadCellError(
            int(early[0]), f"Expected a time after the year 2000, was {column[int(early[0])]} ({moment}): another unit?"
        )
    return np.asarray(values)


def counts(column: Any, unit_raw: int, name: str) -> NDArray[np.int64]:
    """Return prices in ticks, or sizes in lots.

    Decimal and text columns are exact. A float stands for the multiple of the tick that is nearest to it, if that
    is within a millionth of a tick (plus the float's own rounding).

    Parameters
    ----------
    column : pyarrow.Array
        Decimals, text, integers or floats.
    unit_raw : int
        One tick or lot in units of 1e-16.
    name : str
        "price" or "size", for errors.

    Raises
    ------
    BadCellError
        A cell is empty, no number, or not a multiple.

    Examples
    --------
    >>> counts(pa.array(["236.47", "236.5"]), 10**14, "price")
    array([23647, 23650])
    >>> counts(pa.array([0.1 + 0.2]), 10**15, "price")
    array([3])
    >>> counts(pa.array([0.25]), 10**15, "price")
    Traceback (most recent call last):
    fathom.data_catalog.ingest.cells.BadCellError: Expected a price that is a multiple of 0.1, was 0.25. Name the instrument's own tick and lot with --instruments FILE.
    """  # noqa: E501
    column = _plain(column)
    _refuse_null(column, f"a {name}")
    if pa.types.is_floating(column.type):
        return _float_counts(column, unit_raw, name)
    exact = _cast(column, pa.decimal128(38, FIXED_PRECISION), f"a {name} as a decimal number")
    words = np.frombuffer(exact.buffers()[1], dtype=np.uint64).reshape(-1, 2)
    found, bad = decode_fixed(words[exact.offset : exact.offset + len(exact)], unit_raw)
    if bad >= 0:
        raise BadCellError(bad, _off_grid(column[bad], unit_raw, name))
    return _refuse_large(found, column, unit_raw, name)


def words(column: Any, meaning: Mapping[str, int], name: str) -> NDArray[np.uint8]:
    """Return the number that each word means, whatever its capitals.

    Raises
    ------
    BadCellError
        A cell is empty or another word.

    Examples
    --------
    >>> words(pa.array(["Bid", "ask"]), BOOK_SIDES, "side")
    array([1, 2], dtype=uint8)
    """
    column = _plain(column)
    _refuse_null(column, f"a {name}")
    codes = pc.utf8_lower(column.cast(pa.string())).dictionary_encode()
    known = codes.dictionary.to_pylist()
    table = np.array([meaning.get(word, 255) for word in known] or [255], dtype=np.uint8)
    found = table[codes.indices.to_numpy(zero_copy_only=False)]
    wrong = np.flatnonzero(found == 255)
    if len(wrong):
        raise BadCellError(
            int(wrong[0]), f"Expected {name} {' or '.join(meaning)}, was {str(column[int(wrong[0])])!r}."
        )
    return np.asarray(found)


def whole_numbers(column: Any, name: str, least: int = 0) -> NDArray[np.int64]:
    """Return whole numbers >= `least`.

    Raises
    ------
    BadCellError
        A cell is empty, not whole, or less.
    """
    column = _plain(column)
    _refuse_null(column, f"a {name}")
    found = _cast(column, pa.int64(), f"a {name} as a whole number").to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(found < least)
    if len(wrong):
        raise BadCellError(int(wrong[0]), f"Expected a {name} >= {least}, was {column[int(wrong[0])]}.")
    return np.asarray(found)


def float_numbers(column: Any, name: str) -> NDArray[np.float64]:
    """Return numbers as floats, for quantities that need not be exact.

    Raises
    ------
    BadCellError
        A cell is empty, no number, or not finite.
    """
    column = _plain(column)
    _refuse_null(column, f"a {name}")
    found = _cast(column, pa.float64(), f"a {name}").to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        raise BadCellError(int(wrong[0]), f"Expected a {name}, was {column[int(wrong[0])]}.")
    return np.asarray(found)


def trade_ids(column: Any, name: str) -> Any:
    """Return a column of trade ids as text.

    Raises
    ------
    BadCellError
        A cell is empty, or no id that the engine takes.
    """
    column = _plain(column)
    _refuse_null(column, f"a {name}")
    text = _cast(column, pa.string(), f"a {name}")
    wrong = np.flatnonzero(~pc.match_substring_regex(text, TRADE_ID).to_numpy(zero_copy_only=False))
    if len(wrong):
        raise BadCellError(int(wrong[0]), f"Expected {TRADE_ID_WORDS}, was '{text[int(wrong[0])]}'.")
    return text


def _plain(column: Any) -> Any:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        # The shortest text that means this float32 is what was meant; widening it bit by bit would invent digits.
        column = column.cast(pa.float32()).cast(pa.string()).cast(pa.float64())
    return column


def _refuse_null(column: Any, what: str) -> None:
    if column.null_count:
        index = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise BadCellError(index, f"Expected {what}, was nothing.")


def _cast(column: Any, kind: Any, what: str) -> Any:
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        index = _first(column, lambda cell: cell.cast(kind))
        raise BadCellError(index, f"Expected {what}, was {_shown(column[index])}.") from None


def _first(column: Any, attempt: Callable[[Any], Any]) -> int:
    for index in range(len(column)):
        try:
            attempt(column.slice(index, 1))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return index
    raise AssertionError("the column as a whole fails, so one of its cells does")


def _shown(cell: Any) -> str:
    return repr(cell.as_py()) if pa.types.is_string(cell.type) else str(cell)


def _is_number(column: Any) -> bool:
    try:
        column.slice(0, 1).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _iso_times(column: Any) -> Any:
    if len(column) and _is_number(column):
        raise _unit_wanted(column)
    try:
        return column.cast(pa.timestamp("ns"))
    except pa.ArrowInvalid:
        pass
    try:
        return column.cast(_NANOSECONDS)
    except pa.ArrowInvalid:
        pass
    zoned = str(column[0]).endswith("Z") or "+" in str(column[0])
    return _cast(column, _NANOSECONDS if zoned else pa.timestamp("ns"), "a time such as 2015-05-01T00:00:05.885Z")


def _numbers_as_times(column: Any, unit: TimeUnit | None) -> Any:
    if unit is None:
        raise _unit_wanted(column)
    # Decimal digits in the unit given, so that the unscaled number counts nanoseconds; floats by their shortest text.
    if pa.types.is_floating(column.type):
        column = column.cast(pa.string())
    exact = _cast(column, pa.decimal128(28, TIME_UNITS[unit]), f"a time in {unit}, no finer than 1 ns,")
    pairs = np.frombuffer(exact.buffers()[1], dtype=np.int64).reshape(-1, 2)[exact.offset : exact.offset + len(exact)]
    low, high = pairs[:, 0], pairs[:, 1]
    wrong = np.flatnonzero(high != low >> 63)
    if len(wrong):
        raise BadCellError(
            int(wrong[0]), f"Expected a time in {unit} before the year 2262, was {column[int(wrong[0])]}."
        )
    return pa.array(np.ascontiguousarray(low))


def _unit_wanted(column: Any) -> BadCellError:
    size = abs(float(str(column[0]))) or 1.0
    likely = "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"
    name = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}[likely]
    return BadCellError(
        0,
        f"Expected a time unit for numbers such as {column[0]}, was none. Say --time-unit {likely} if they are {name}.",
    )


def _float_counts(column: Any, unit_raw: int, name: str) -> NDArray[np.int64]:
    values = column.to_numpy(zero_copy_only=False)
    exact = values / (unit_raw / 10.0**FIXED_PRECISION)
    nearest = np.rint(exact)
    tolerance = 1e-6 + np.abs(exact) * 4.0 * np.finfo(np.float64).eps
    with np.errstate(invalid="ignore"):
        fits = (np.abs(exact - nearest) <= tolerance) & (np.abs(exact) < _LARGEST_FLOAT_COUNT)
    wrong = np.flatnonzero(~fits)
    if len(wrong):
        value = values[wrong[0]]
        finite = bool(np.isfinite(value))
        problem = _off_grid(value, unit_raw, name) if finite else f"Expected a {name}, was {value}."
        raise BadCellError(int(wrong[0]), problem)
    return _refuse_large(np.asarray(nearest, dtype=np.int64), column, unit_raw, name)


def _refuse_large(found: NDArray[np.int64], column: Any, unit_raw: int, name: str) -> NDArray[np.int64]:
    most_raw = MAX_PRICE_RAW if name == "price" else MAX_SIZE_RAW
    if len(large := np.flatnonzero(found > min(most_raw // unit_raw, 2**63 - 1))):
        most = most_raw // 10**FIXED_PRECISION
        raise BadCellError(int(large[0]), f"Expected a {name} of at most {most}, was {column[int(large[0])]}.")
    return found


def _off_grid(value: Any, unit_raw: int, name: str) -> str:
    step = f"{Decimal(unit_raw).scaleb(-FIXED_PRECISION).normalize():f}"
    if abs(Decimal(str(value)).scaleb(FIXED_PRECISION)) >= unit_raw * 2**63:
        return f"Expected a {name} below {Decimal(unit_raw * 2**63).scaleb(-FIXED_PRECISION):.0f}, was {value}."
    return (
        f"Expected a {name} that is a multiple of {step}, was {value}. "
        "Name the instrument's own tick and lot with --instruments FILE."
    )
