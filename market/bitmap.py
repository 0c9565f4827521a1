"""A three-level bitmap over the ticks of a window: which ticks hold a level, and which comes next."""

# numba types the kernels: mypy knows neither its integers nor that a kernel is no plain function.
# mypy: disable-error-code="return-value, no-any-return, assignment, call-arg, call-overload, unreachable"

from typing import Final

import numpy as np
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros
from numpy.typing import NDArray

from fathom.market.kernel import kernel

WINDOW: Final = 1 << 16
"""Ticks that one bitmap covers. Each word of an upper level has a bit for each word of the level below."""

_LEAVES: Final = WINDOW >> 6
_BRANCHES: Final = _LEAVES >> 6
_ROOT: Final = _LEAVES + _BRANCHES
WORDS: Final = _ROOT + 1

_ONE: Final = np.uint64(1)
_NONE: Final = np.uint64(0)
_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)

Bits = NDArray[np.uint64]


@kernel
def set_bit(bits: Bits, side: int, x: int) -> None:
    word, branch = x >> 6, x >> 12
    bits[side, word] |= _ONE << np.uint64(x & 63)
    bits[side, _LEAVES + branch] |= _ONE << np.uint64(word & 63)
    bits[side, _ROOT] |= _ONE << np.uint64(branch)


@kernel
def clear_bit(bits: Bits, side: int, x: int) -> None:
    word, branch = x >> 6, x >> 12
    rest = bits[side, word] & ~(_ONE << np.uint64(x & 63))
    bits[side, word] = rest
    if rest == _NONE:
        rest = bits[side, _LEAVES + branch] & ~(_ONE << np.uint64(word & 63))
        bits[side, _LEAVES + branch] = rest
        if rest == _NONE:
            bits[side, _ROOT] &= ~(_ONE << np.uint64(branch))


@kernel
def next_bit(bits: Bits, side: int, x: int) -> int:
    """Return the lowest set position >= `x` (0 <= x <= WINDOW), or -1."""
    if x >= WINDOW:
        return -1
    word = x >> 6
    found = bits[side, word] & (_ALL << np.uint64(x & 63))
    if found != _NONE:
        return (word << 6) | np.int64(trailing_zeros(found))
    word += 1
    if word >= _LEAVES:
        return -1
    branch = word >> 6
    found = bits[side, _LEAVES + branch] & (_ALL << np.uint64(word & 63))
    if found == _NONE:
        branch += 1
        if branch >= _BRANCHES:
            return -1
        found = bits[side, _ROOT] & (_ALL << np.uint64(branch))
        if found == _NONE:
            return -1
        branch = np.int64(trailing_zeros(found))
        found = bits[side, _LEAVES + branch]
    word = (branch << 6) | np.int64(trailing_zeros(found))
    return (word << 6) | np.int64(trailing_zeros(bits[side, word]))


@kernel
def last_bit(bits: Bits, side: int) -> int:
    """Return the highest set position, or -1."""
    found = bits[side, _ROOT]
    if found == _NONE:
        return -1
    branch = 63 - np.int64(leading_zeros(found))
    word = (branch << 6) | (63 - np.int64(leading_zeros(bits[side, _LEAVES + branch])))
    return (word << 6) | (63 - np.int64(leading_zeros(bits[side, word])))
