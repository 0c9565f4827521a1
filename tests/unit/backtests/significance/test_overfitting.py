"""The probability of overfitting, against a loop that follows the paper line by line."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

from fathom.backtests.significance import overfitting


def naive(returns: NDArray[np.float64], blocks: int) -> list[float]:
    length = len(returns) // blocks
    parts = [returns[at * length : (at + 1) * length] for at in range(blocks)]
    logits = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[at] for at in chosen])
        outside = np.concatenate([parts[at] for at in range(blocks) if at not in chosen])
        winner = int(np.argmax(inside.mean(axis=0) / inside.std(axis=0, ddof=1)))
        rank = rankdata(outside.mean(axis=0) / outside.std(axis=0, ddof=1))[winner] / (returns.shape[1] + 1)
        logits.append(float(np.log(rank / (1 - rank))))
    return logits


@pytest.mark.parametrize(("periods", "trials", "blocks"), [(64, 5, 8), (101, 12, 10), (40, 2, 4)])
def test_it_equals_the_naive_loop(periods: int, trials: int, blocks: int) -> None:
    returns = np.random.default_rng(periods).normal(0.001, 0.01, (periods, trials))
    found, expected = overfitting(returns, blocks), naive(returns, blocks)
    np.testing.assert_allclose(found.logits, expected, rtol=0, atol=1e-12)
    assert found.probability == np.mean(np.array(expected) <= 0.0)


def test_luck_fails_half_the_time_and_skill_does_not() -> None:
    random = np.random.default_rng(5)
    luck = [overfitting(random.normal(size=(160, 20)), 8).probability for _ in range(40)]
    assert 0.4 < np.mean(luck) < 0.6
    skill = np.where(np.arange(20) == 7, 0.5, 0.0)
    assert np.mean([overfitting(random.normal(size=(160, 20)) + skill, 8).probability for _ in range(10)]) < 0.02


def test_a_trial_that_does_nothing_has_the_ratio_zero() -> None:
    returns = np.random.default_rng(2).normal(-1.0, 0.1, (32, 3))
    returns[:, 1] = 0.0
    found = overfitting(returns, 4)
    assert found.probability == 0.0
    assert (found.out_of_sample == 0.0).all()


@pytest.mark.parametrize(
    ("shape", "blocks"),
    [((64, 1), 8), ((64, 4), 7), ((15, 4), 8), ((64, 4), 0)],
    ids=["trials", "odd", "short", "none"],
)
def test_what_cannot_be_split_is_refused(shape: tuple[int, int], blocks: int) -> None:
    with pytest.raises(ValueError, match="Expected at least 2 trials"):
        overfitting(np.ones(shape), blocks)


def test_undefined_returns_are_refused() -> None:
    with pytest.raises(ValueError, match="1 NaN"):
        overfitting(np.where(np.arange(64).reshape(32, 2) == 5, np.nan, 0.1), 4)
