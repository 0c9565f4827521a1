"""Blending, fallbacks and the circuit breaker: the arithmetic of the design, and every edge of a state."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.ml.serving.validation import Blending, BreakerConfig, CircuitBreaker, Fallback, is_challenged

SECOND = 1_000_000_000
UNIT = st.floats(0.0, 1.0)
SIDES = st.sampled_from((1, -1))


@given(UNIT, UNIT, UNIT, SIDES, st.sampled_from((-1, 0, 1)))
def test_a_blend_is_between_its_parts_and_the_same_for_both_sides(
    weight: float, strength: float, confidence: float, side: int, model: int
) -> None:
    blending = Blending(strategy_weight=weight, ml_weight=1.0 - weight)
    found = blending.blend(direction=side, strength=strength, model_direction=model, confidence=confidence)
    mirrored = blending.blend(direction=-side, strength=strength, model_direction=-model, confidence=confidence)
    assert found == mirrored
    assert found.aligned == (model in (0, side))
    counted = confidence if found.aligned else confidence / 2
    assert found.counted == counted
    assert min(strength, counted) - 1e-12 <= found.final <= max(strength, counted) + 1e-12
    assert 0.0 <= found.final <= 1.0


def test_the_direction_is_compared_with_the_signals_side() -> None:
    """A strategy that usually buys may sell: what counts is this signal."""
    blending = Blending(strategy_weight=0.4, ml_weight=0.6)
    sells = blending.blend(direction=-1, strength=0.5, model_direction=-1, confidence=0.8)
    against = blending.blend(direction=-1, strength=0.5, model_direction=1, confidence=0.8)
    hold = blending.blend(direction=-1, strength=0.5, model_direction=0, confidence=0.8)
    assert sells.final == hold.final == pytest.approx(0.4 * 0.5 + 0.6 * 0.8)
    assert against.final == pytest.approx(0.4 * 0.5 + 0.6 * 0.4)


@given(SIDES, st.sampled_from((-1, 0, 1)), UNIT)
def test_a_model_that_must_agree_says_the_side_itself(side: int, model: int, final: float) -> None:
    plain, strict = Blending(threshold=0.4), Blending(threshold=0.4, must_agree=True)
    passes, _ = plain.judge("momentum", direction=side, model_direction=model, final=final)
    assert passes == (final >= 0.4)
    accepted, reason = strict.judge("momentum", direction=side, model_direction=model, final=final)
    assert accepted == (passes and model == side)
    if model != side:
        assert reason == f"the model says {'HOLD' if model == 0 else 'the opposite'} and must agree"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"strategy_weight": 0.7, "ml_weight": 0.7}', "with the sum 1, was 1.4"),
        (b'{"threshold": 1.5}', "<= 1.0"),
        (b'{"thresholds": {"momentum": -0.1}}', ">= 0.0"),
        (b'{"treshold": 0.5}', "unknown field"),
    ],
)
def test_wrong_blending_is_refused(text: bytes, told: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(text, type=Blending)
    assert told in str(caught.value)


@given(SIDES, st.floats(-1.0, 1.0))
def test_the_rule_passes_only_what_a_lopsided_book_agrees_with(side: int, imbalance: float) -> None:
    found = Fallback().answer(direction=side, imbalance=imbalance)
    assert found.accepted == (side * imbalance > 0.7)
    assert found.confidence == (0.5 if found.accepted else 0.0)
    assert found.reason
    assert Fallback(name="BLOCK").answer(direction=side, imbalance=imbalance).accepted is False
    assert Fallback(name="PASS").answer(direction=side, imbalance=imbalance).accepted is True


def test_no_rule_agrees_with_a_book_that_is_not_known() -> None:
    for side in (1, -1):
        assert not Fallback(imbalance=0.0).answer(direction=side, imbalance=float("nan")).accepted


def test_a_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = CircuitBreaker(BreakerConfig())
    for _ in range(10):
        assert [breaker.fail(0) for _ in range(4)] == [False] * 4
        breaker.succeed()
    assert breaker.state(0) == "CLOSED"
    assert [breaker.fail(0) for _ in range(5)] == [False] * 4 + [True]
    assert breaker.state(0) == "OPEN"
    assert breaker.openings == 1


def test_a_breaker_stays_open_to_the_nanosecond_and_lets_one_try() -> None:
    breaker = CircuitBreaker(BreakerConfig(failures=1, open_secs=30.0))
    breaker.fail(5)
    assert not breaker.allows(5 + 30 * SECOND - 1)
    assert breaker.state(5 + 30 * SECOND) == "HALF_OPEN"
    assert [breaker.allows(5 + 30 * SECOND) for _ in range(3)] == [True, False, False]
    assert breaker.fail(5 + 31 * SECOND)  # the trial failed: it opens anew
    assert not breaker.allows(5 + 60 * SECOND)
    assert breaker.allows(5 + 61 * SECOND)
    breaker.succeed()
    assert [breaker.allows(5 + 61 * SECOND) for _ in range(3)] == [True] * 3


def test_a_trial_that_was_not_made_may_be_made_again() -> None:
    breaker = CircuitBreaker(BreakerConfig(failures=1, open_secs=1.0))
    breaker.fail(0)
    assert breaker.allows(SECOND)
    breaker.abandon()
    assert breaker.allows(SECOND)
    assert breaker.state(SECOND) == "HALF_OPEN"


def test_a_breaker_goes_on_after_a_restart() -> None:
    breaker = CircuitBreaker(BreakerConfig(failures=2, open_secs=10.0))
    breaker.fail(0)
    again = CircuitBreaker(breaker.config).load(msgspec.json.decode(msgspec.json.encode(breaker.save())))
    assert again.fail(SECOND)
    again = CircuitBreaker(breaker.config).load(again.save())
    assert again.state(2 * SECOND) == "OPEN"
    assert again.state(11 * SECOND) == "HALF_OPEN"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_a_share_of_the_signals_is_challenged_and_always_the_same(share: float) -> None:
    names = [f"Strategy-{number}" for number in range(5_000)]
    chosen = [is_challenged(name, share) for name in names]
    assert chosen == [is_challenged(name, share) for name in names]
    assert np.mean(chosen) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 5_000) + 1e-12)
    larger = [is_challenged(name, min(1.0, share + 0.2)) for name in names]
    assert all(more for one, more in zip(chosen, larger, strict=True) if one)  # a larger share adds, and swaps none
