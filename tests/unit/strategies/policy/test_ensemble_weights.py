"""Learnt weights: equal without evidence, towards the skilled with it, never negative."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.strategies.policy.ensemble_weights import learn_weights, skill

RETURNS = st.lists(st.floats(-0.1, 0.1), max_size=60)


@given(st.dictionaries(st.sampled_from("abcdef"), RETURNS, min_size=1), st.floats(1.0, 500.0))
def test_weights_are_not_negative_and_sum_to_the_members(returns: dict[str, list[float]], prior: float) -> None:
    weights = learn_weights(returns, prior_trades=prior)
    assert list(weights) == list(returns)
    assert min(weights.values()) >= 0.0
    assert sum(weights.values()) == pytest.approx(len(returns))


def trades(mean: float, count: int, seed: int = 1) -> list[float]:
    values = np.random.default_rng(seed).normal(0.0, 0.01, count)
    return (values - values.mean() + mean).tolist()  # type: ignore[no-any-return]


def test_the_shrinkage_is_that_of_the_formula() -> None:
    returns = {"a": trades(0.002, 100), "b": trades(0.001, 25), "c": []}
    skills = {name: skill(values) for name, values in returns.items() if values}
    usual = sum(skills.values()) / 2
    a = skills["a"] * 100 / 150 + usual * 50 / 150
    b = skills["b"] * 25 / 75 + usual * 50 / 75
    total = a + b + usual
    weights = learn_weights(returns, prior_trades=50.0)
    assert weights == pytest.approx({"a": 3 * a / total, "b": 3 * b / total, "c": 3 * usual / total})
    assert weights["a"] > weights["c"] > weights["b"]


def test_more_trades_or_a_weaker_prior_move_the_weights_further_from_equal() -> None:
    def gap(count: int, prior: float) -> float:
        weights = learn_weights({"a": trades(0.002, count), "b": trades(0.001, count)}, prior_trades=prior)
        return weights["a"] - weights["b"]

    assert 0.0 < gap(20, 50.0) < gap(200, 50.0) < gap(200, 5.0)
    assert gap(20, 1e9) == pytest.approx(0.0, abs=1e-6)


def test_without_a_positive_skill_the_weights_are_equal() -> None:
    assert learn_weights({"a": trades(-0.001, 80), "b": trades(-0.002, 80), "c": []}) == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert learn_weights({"a": [], "b": [0.01]}) == {"a": 1.0, "b": 1.0}


def test_a_few_equal_returns_are_no_skill() -> None:
    assert np.isnan(skill([0.01, 0.01]))
    assert skill([0.0100, 0.0101]) == 1.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_return_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="Expected finite returns"):
        learn_weights({"a": [0.01, bad]})


def test_no_members_or_no_prior_are_refused() -> None:
    with pytest.raises(ValueError, match="was 0 members"):
        learn_weights({})
    with pytest.raises(ValueError, match=r"and 0\.0 trades"):
        learn_weights({"a": []}, prior_trades=0.0)
