import itertools

import numpy as np
import pytest

from fathom.data_catalog.simulation.rng import below, between, exponential, next_word, seed_stream, uniform

MASK = 2**64 - 1


def rotate(word: int, k: int) -> int:
    return ((word << k) | (word >> (64 - k))) & MASK


def naive_words(state: list[int], n: int) -> list[int]:
    """Xoshiro256++ as its authors print it, on Python integers."""
    s, out = list(state), []
    for _ in range(n):
        out.append((rotate((s[0] + s[3]) & MASK, 23) + s[0]) & MASK)
        shifted = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotate(s[3], 45)
    return out


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_words_are_those_of_xoshiro(seed: int) -> None:
    streams = seed_stream(seed, 3)[None, :].copy()
    expected = naive_words([int(word) for word in streams[0]], 50)
    assert [int(next_word(streams, 0)) for _ in range(50)] == expected


def test_published_first_words() -> None:
    # The reference implementation, seeded with 1, 2, 3, 4.
    streams = np.array([[1, 2, 3, 4]], np.uint64)
    assert [int(next_word(streams, 0)) for _ in range(4)] == [41943041, 58720359, 3588806011781223, 3591011842654386]


def test_every_name_gives_another_stream() -> None:
    names = itertools.product((0, 1, 2), (0, 1), (0, 1))
    states = {seed_stream(*words).tobytes() for words in names}
    assert len(states) == 12


def test_draws_have_the_moments_of_their_laws() -> None:
    streams = seed_stream(11)[None, :].copy()
    n = 20_000
    unit = np.array([uniform(streams, 0) for _ in range(n)])
    waits = np.array([exponential(streams, 0) for _ in range(n)])
    dice = np.array([below(streams, 0, 6) for _ in range(n)])
    assert 0.0 <= unit.min() < unit.max() < 1.0
    assert abs(unit.mean() - 0.5) < 4 * (1 / 12 / n) ** 0.5
    assert abs(waits.mean() - 1.0) < 4 / n**0.5
    counts = np.bincount(dice, minlength=6)
    assert len(counts) == 6
    assert ((counts - n / 6) ** 2 / (n / 6)).sum() < 20.5  # chi-square with 5 degrees of freedom, 99.9 %
    assert 2.0 <= between(streams, 0, 2.0, 3.0) < 3.0
