"""Ticks and lots to the engine's 128-bit fixed-point numbers and back, without Python objects.

The catalog stores prices and sizes as decimal128(38, 16): the engine's raw number, which for BTCUSDT is 61800.20 x 1e16
and does not fit 64 bits. A row holds ticks, so raw = ticks x (raw value of one tick).
"""

import numpy as np
from numpy.typing import NDArray

from fathom.market.kernel_cache import cached

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_WORD = np.uint64(64)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_TOP = np.uint64(1 << 63)
_WORD_MASK = (1 << 64) - 1


@cached
def _product(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    a0, a1 = a & _LOW, a >> _HALF
    b0, b1 = b & _LOW, b >> _HALF
    p00, p01, p10, p11 = a0 * b0, a0 * b1, a1 * b0, a1 * b1
    middle = (p00 >> _HALF) + (p01 & _LOW) + (p10 & _LOW)
    low = (p00 & _LOW) | (middle << _HALF)
    high = p11 + (p01 >> _HALF) + (p10 >> _HALF) + (middle >> _HALF)
    return low, high


@cached
def _multiple(count: np.uint64, unit_low: np.uint64, unit_high: np.uint64) -> tuple[np.uint64, np.uint64]:
    low, high = _product(count, unit_low)
    return low, high + count * unit_high


@cached
def _encode(counts: NDArray[np.int64], unit_low: np.uint64, unit_high: np.uint64, words: NDArray[np.uint64]) -> None:
    for i in range(counts.shape[0]):
        count = counts[i]
        if count < 0:
            low, high = _multiple(_ZERO - np.uint64(count), unit_low, unit_high)
            low = ~low + _ONE
            high = ~high + (_ONE if low == _ZERO else _ZERO)
        else:
            low, high = _multiple(np.uint64(count), unit_low, unit_high)
        words[i, 0] = low
        words[i, 1] = high


@cached
def _decode(
    words: NDArray[np.uint64],
    unit_low: np.uint64,
    unit_high: np.uint64,
    shift: np.uint64,
    inverse: np.uint64,
    counts: NDArray[np.int64],
) -> int:
    for i in range(words.shape[0]):
        low, high = words[i, 0], words[i, 1]
        negative = high >= _TOP
        if negative:
            low = ~low + _ONE
            high = ~high + (_ONE if low == _ZERO else _ZERO)
        # Exact division: a multiple of an odd number, times that number's inverse modulo 2^64, is the quotient.
        quotient = low
        if shift != _ZERO:
            quotient = (low >> shift) | (high << (_WORD - shift))
        quotient *= inverse
        check_low, check_high = _multiple(quotient, unit_low, unit_high)
        if check_low != low or check_high != high or quotient >= _TOP:
            return i
        counts[i] = -np.int64(quotient) if negative else np.int64(quotient)
    return -1


def encode_fixed(counts: NDArray[np.int64], unit: int) -> NDArray[np.uint64]:
    """Multiply ticks (or lots) by the raw value of one.

    Parameters
    ----------
    counts : int64 array, shape (n,)
    unit : int
        Raw value of one tick or lot in units of 1e-16, 1 to 2**127 - 1; no multiple may exceed 2**127 - 1.

    Returns
    -------
    uint64 array, shape (n, 2)
        Two's complement, low word first: the memory of an Arrow decimal128 array.

    Examples
    --------
    >>> encode_fixed(np.array([618002, -1]), 10**15)
    array([[ 9259445567584796672,                   33],
           [18445744073709551616, 18446744073709551615]], dtype=uint64)
    """
    words = np.empty((len(counts), 2), dtype=np.uint64)
    _encode(counts, np.uint64(unit & _WORD_MASK), np.uint64(unit >> 64), words)
    return words


def decode_fixed(words: NDArray[np.uint64], unit: int) -> tuple[NDArray[np.int64], int]:
    """Divide raw 128-bit numbers by the raw value of one tick (or lot).

    Parameters
    ----------
    words : uint64 array, shape (n, 2)
        As `encode_fixed` returns them.
    unit : int
        Raw value of one tick or lot.

    Returns
    -------
    counts : int64 array, shape (n,)
    bad : int
        Index of the first number that is not a multiple of `unit`, or -1. Rows from there on are undefined.

    Examples
    --------
    >>> decode_fixed(encode_fixed(np.array([618002, -1]), 10**15), 10**15)
    (array([618002,     -1]), -1)
    >>> decode_fixed(np.array([[7, 0]], dtype=np.uint64), 10)[1]
    0
    """
    shift = (unit & -unit).bit_length() - 1
    inverse = pow(unit >> shift, -1, 1 << 64)
    counts = np.zeros(len(words), dtype=np.int64)
    unit_words = np.uint64(unit & _WORD_MASK), np.uint64(unit >> 64)
    bad = _decode(words, *unit_words, np.uint64(shift), np.uint64(inverse), counts)
    return counts, int(bad)
