import numpy as np
import pytest

from fathom.detectors import FlatMarket, FlatMarketConfig
from fathom.detectors.bars.detector import CLOSE, HIGH, LOW, bars_of
from tests.makers.bar_cases import upside_down, walk
from tests.twins.naive_detectors import naive_flags, naive_flat_strength


def test_strength_and_flag_equal_the_definition() -> None:
    config = FlatMarketConfig(window=20, scale_span=100)
    bars = walk(400, seed=5)
    readings = FlatMarket(config).update_many(bars)
    expected = naive_flat_strength(bars[:, HIGH], bars[:, LOW], bars[:, CLOSE], config)
    np.testing.assert_allclose(readings[:, 1], expected, rtol=1e-10, atol=1e-12)
    assert readings[:, 0].astype(bool).tolist() == naive_flags(expected, config.enter, config.leave)
    assert 0 < readings[:, 0].sum() < 400


def test_up_and_down_are_the_same() -> None:
    bars = walk(2000, seed=6)
    np.testing.assert_array_equal(FlatMarket().update_many(bars), FlatMarket().update_many(upside_down(bars)))


def test_a_random_walk_is_seldom_flat_and_a_returning_price_mostly() -> None:
    rng = np.random.default_rng(7)
    free = np.cumsum(rng.normal(size=50_000))
    bound = np.zeros(20_000)
    for i, step in enumerate(rng.normal(size=20_000)[1:], start=1):
        bound[i] = 0.8 * bound[i - 1] + step
    assert FlatMarket().update_many(bars_of(free))[:, 0].mean() < 0.12
    assert FlatMarket().update_many(bars_of(bound))[:, 0].mean() > 0.8


def test_a_price_that_never_moves_has_no_strength() -> None:
    readings = FlatMarket().update_many(bars_of(np.full(100, 5.0)))
    assert np.isnan(readings[:, 1]).all()
    assert not readings[:, 0].any()


def test_a_spell_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected leave up to enter \(0.3\), was 0.6"):
        FlatMarketConfig(enter=0.3, leave=0.6)
