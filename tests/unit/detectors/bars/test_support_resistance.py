import numpy as np
import pytest

from fathom.detectors import SupportResistance, SupportResistanceConfig, bars_of
from fathom.detectors.bars.detector import BID_WALL, BID_WALL_RATIO, VOLUME
from tests.makers.bar_cases import upside_down, walk


def swings(n: int, low: float = 90.0, high: float = 110.0) -> np.ndarray:
    return (low + high) / 2 + (high - low) / 2 * np.sin(np.arange(n) / 10)


def test_a_swinging_price_has_its_turning_points_as_levels() -> None:
    detector = SupportResistance()
    reading = detector.update_many(bars_of(swings(600)))[-1]
    assert reading[0] == pytest.approx(90, abs=1)
    assert reading[2] == pytest.approx(110, abs=1)
    strongest = sorted(detector.levels[:2], key=lambda level: level.price)
    assert [level.role for level in strongest] == [1, -1]
    assert all(level.touches >= 6 and level.reactions >= 5 and level.breaks == 0 for level in strongest)


def test_a_broken_resistance_becomes_support_and_loses_half_its_strength() -> None:
    detector = SupportResistance()
    detector.update_many(bars_of(swings(600)))
    before = min(detector.levels, key=lambda level: abs(level.price - 110))
    detector.update_many(bars_of(np.linspace(110, 122, 12)))
    after = min(detector.levels, key=lambda level: abs(level.price - 110))
    assert (before.role, after.role) == (-1, 1)
    assert after.breaks == before.breaks + 1
    assert after.strength < before.strength


def test_strength_fades_where_nothing_happens() -> None:
    detector = SupportResistance(SupportResistanceConfig(half_life_bars=100))
    detector.update_many(bars_of(swings(600)))
    support = min(detector.levels, key=lambda level: abs(level.price - 90))
    away = 118 + np.sin(np.arange(300) / 3)
    detector.update_many(bars_of(np.concatenate([np.linspace(105, 118, 10), away])))
    faded = min(detector.levels, key=lambda level: abs(level.price - 90))
    assert faded.price == pytest.approx(support.price)
    assert faded.strength < 0.5 * support.strength


def test_a_price_with_much_volume_is_a_level() -> None:
    close = np.linspace(100, 140, 400) + np.sin(np.arange(400))
    bars = bars_of(close, close + 0.5, close - 0.5)
    bars[:, VOLUME] = 1.0
    bars[200:205, VOLUME] = 400.0
    heavy = SupportResistance(SupportResistanceConfig(reversal=1e9))
    heavy.update_many(bars)
    assert any(abs(level.price - close[202]) < 2 for level in heavy.levels)
    bars[200:205, VOLUME] = 1.0
    even = SupportResistance(SupportResistanceConfig(reversal=1e9))
    even.update_many(bars)
    assert even.levels == []


def test_a_resting_wall_is_a_level() -> None:
    close = 100 + np.random.default_rng(1).normal(size=200)
    bars = bars_of(close)
    bars[:, BID_WALL], bars[:, BID_WALL_RATIO] = 80.0, 20.0
    detector = SupportResistance()
    detector.update_many(bars)
    wall = min(detector.levels, key=lambda level: abs(level.price - 80.0))
    assert wall.price == pytest.approx(80.0)
    assert wall.walls > 190
    assert wall.role == 1


def test_a_price_upside_down_swaps_support_and_resistance() -> None:
    bars = walk(4000, seed=14)
    here = SupportResistance().update_many(bars)
    there = SupportResistance().update_many(upside_down(bars))
    np.testing.assert_allclose(here[:, 0], 100_000 - there[:, 2], rtol=1e-9)
    np.testing.assert_allclose(here[:, 1], there[:, 3], rtol=1e-9)
    assert np.isfinite(here[-2000:]).mean() > 0.7


def test_support_lies_below_and_resistance_above_the_close() -> None:
    bars = walk(4000, seed=15)
    readings = SupportResistance().update_many(bars)
    assert (~(readings[:, 0] > bars[:, 2])).all()
    assert (~(readings[:, 2] < bars[:, 2])).all()


def test_the_table_of_levels_is_bounded() -> None:
    detector = SupportResistance(SupportResistanceConfig(levels=4))
    detector.update_many(walk(5000, seed=16))
    assert 0 < len(detector.levels) <= 4
