"""Counted random streams: xoshiro256++ over plain arrays, so that chunking a simulation cannot change what it draws."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.simulation.compiler import entry

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MASK: Final = 0xFFFFFFFFFFFFFFFF


def _splitmix64(word: int) -> tuple[int, int]:
    word = (word + _GOLDEN) & _MASK
    mixed = word
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return word, mixed ^ (mixed >> 31)


def seed_stream(*words: int) -> NDArray[np.uint64]:
    """Return the 4-word state of one stream, a different one for each tuple of `words`.

    Parameters
    ----------
    *words : int
        What names the stream: the seed, the instrument's number, the purpose. Each is folded in with splitmix64.

    Returns
    -------
    ndarray of uint64, shape (4,)
        State for `next_word`; never all zero.

    References
    ----------
    Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021), doi:10.1145/3460772.

    Examples
    --------
    >>> bool((seed_stream(1, 0) == seed_stream(1, 0)).all()), bool((seed_stream(1, 0) == seed_stream(1, 1)).all())
    (True, False)
    """
    state = len(words)
    for word in words:
        state, mixed = _splitmix64(state ^ (word & _MASK))
        state ^= mixed
    out = np.empty(4, np.uint64)
    for i in range(4):
        state, mixed = _splitmix64(state)
        out[i] = mixed
    return out


@entry
def next_word(streams: Any, k: int) -> Any:
    """Return the next 64 random bits of stream `k` (xoshiro256++) and advance it."""
    s0 = streams[k, 0]
    s1 = streams[k, 1]
    s2 = streams[k, 2]
    s3 = streams[k, 3]
    total = s0 + s3
    word = ((total << np.uint64(23)) | (total >> np.uint64(41))) + s0
    shifted = s1 << np.uint64(17)
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    streams[k, 0] = s0
    streams[k, 1] = s1
    streams[k, 2] = s2
    streams[k, 3] = s3
    return word


@entry
def uniform(streams: Any, k: int) -> float:
    """Return a float in [0, 1) with 53 random bits."""
    return float(next_word(streams, k) >> np.uint64(11)) * 1.1102230246251565e-16


@entry
def exponential(streams: Any, k: int) -> float:
    """Return a draw of the exponential distribution with mean 1."""
    return float(-np.log1p(-uniform(streams, k)))


@entry
def below(streams: Any, k: int, n: int) -> int:
    """Return an integer in [0, n), for 0 < n < 2**31."""
    return int(np.int64(((next_word(streams, k) >> np.uint64(33)) * np.uint64(n)) >> np.uint64(31)))


@entry
def between(streams: Any, k: int, low: float, high: float) -> float:
    """Return a float in [low, high)."""
    return low + (high - low) * uniform(streams, k)
