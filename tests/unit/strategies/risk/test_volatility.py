"""The volatility estimate: a known random walk, warm-up, looks that are too close, restart."""

import math

import msgspec
import numpy as np
import pytest

from fathom.strategies.risk.volatility import Volatility

SECOND = 1_000_000_000


def test_it_finds_the_volatility_of_a_random_walk_at_irregular_times() -> None:
    rng = np.random.default_rng(7)
    estimate = Volatility(half_life_secs=3_600.0, step_ns=SECOND)
    daily, now, price = 0.03, 0, 100.0
    for _ in range(20_000):
        secs = int(rng.integers(1, 5))
        now += secs * SECOND
        price *= math.exp(rng.normal(0.0, daily * math.sqrt(secs / 86_400.0)))
        estimate.look(now, price)
    assert estimate.daily == pytest.approx(daily, rel=0.05)


def test_it_follows_a_change_with_its_half_life() -> None:
    estimate = Volatility(half_life_secs=100.0, step_ns=1)
    for second in range(2_000):
        estimate.look(second * SECOND, 100.0 + second % 2)
    calm = estimate.daily
    for second in range(2_000, 2_100):
        estimate.look(second * SECOND, 100.0)
    assert estimate.daily == pytest.approx(calm * math.sqrt(0.5), rel=0.02)


def test_it_is_unknown_until_one_half_life_has_passed_and_takes_no_nonsense() -> None:
    estimate = Volatility(half_life_secs=10.0, step_ns=2 * SECOND)
    for second in range(10):
        assert math.isnan(estimate.daily)
        estimate.look(second * SECOND, 100.0 + second)
    estimate.look(10 * SECOND, 110.0)
    known = estimate.daily
    assert known > 0.0
    for price in (math.nan, math.inf, 0.0, -5.0):
        estimate.look(20 * SECOND, price)
    estimate.look(11 * SECOND, 500.0)  # within the step: the bounce of a quote
    assert estimate.daily == known


def test_a_restored_estimate_goes_on_the_same() -> None:
    one = Volatility(half_life_secs=5.0, step_ns=1)
    for second in range(7):
        one.look(second * SECOND, 100.0 + second)
    other = msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Volatility)
    for estimate in (one, other):
        estimate.look(9 * SECOND, 100.0)
    assert one == other
