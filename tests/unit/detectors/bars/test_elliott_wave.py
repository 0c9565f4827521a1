import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.detectors import Bar, ElliottWave, ElliottWaveConfig, Wave, bars_of
from fathom.detectors.bars.detector import FloatArray
from tests.makers.bar_cases import upside_down, walk
from tests.twins.naive_detectors import keeps_elliott_rules


def path_through(turns: list[float], bars: int = 20) -> FloatArray:
    legs = [np.linspace(a, b, bars, endpoint=False) for a, b in itertools.pairwise(turns)]
    return bars_of(np.concatenate([*legs, [turns[-1]]]))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(-12, 12), min_size=30, max_size=250))
def test_the_three_hard_rules_are_never_broken(steps: list[int]) -> None:
    detector = ElliottWave(ElliottWaveConfig(reversal=3.0))
    for price in np.cumsum(steps).astype(float).tolist():
        reading = detector.update(Bar(price, price, price))
        if reading.wave is Wave.NONE:
            continue
        pivots = detector.pivots[-int(reading.wave) :].tolist()
        assert len(pivots) == reading.wave
        assert keeps_elliott_rules(pivots, int(reading.wave), reading.direction, price)
        assert reading.direction in (1, -1)
        assert 0.0 <= reading.confidence <= 1.0


def test_each_wave_of_a_textbook_impulse_and_correction_is_named() -> None:
    turns = [100.0, 110.0, 104.5, 121.0, 115.0, 125.0, 116.0, 121.0, 110.0]
    readings = ElliottWave().update_many(path_through(turns))
    middle = [int(readings[20 * k + 18, 0]) for k in range(8)]
    assert [Wave(w).name for w in middle] == ["ONE", "TWO", "THREE", "FOUR", "FIVE", "A", "B", "C"]
    assert (readings[18:, 1] == 1.0).all()


def test_a_price_upside_down_gives_the_same_waves() -> None:
    bars = walk(4000, seed=11)
    here = ElliottWave().update_many(bars)
    there = ElliottWave().update_many(upside_down(bars))
    np.testing.assert_array_equal(here[:, 0], there[:, 0])
    np.testing.assert_array_equal(here[:, 1], -there[:, 1])
    np.testing.assert_allclose(here[:, 2], there[:, 2], rtol=1e-9)
    np.testing.assert_allclose(here[:, 3], 100_000 - there[:, 3], rtol=1e-9)
    assert set(here[:, 0]) >= {1, 2, 3, 4, 5, 6, 7, 8}


def test_reaching_the_invalidation_price_ends_the_count() -> None:
    rng = np.random.default_rng(12)
    tried = 0
    for seed in range(40):
        detector = ElliottWave()
        detector.update_many(walk(int(rng.integers(300, 900)), seed))
        last = walk(2, 0)[0]
        reading = detector.update(Bar(*last))
        reading = detector.update(Bar(*last))
        if reading.wave is Wave.NONE:
            continue
        pivots = detector.pivots[-int(reading.wave) :].tolist()
        price = reading.invalidation_price
        after = detector.update(Bar(price, price, price))
        same = (
            after.wave == reading.wave
            and after.direction == reading.direction
            and detector.pivots[-int(after.wave) :].tolist() == pivots
        )
        assert not same
        tried += 1
    assert tried > 20


def test_a_short_third_wave_limits_the_fifth() -> None:
    turns = [100.0, 112.0, 105.0, 116.0, 113.0, 118.0]
    config = ElliottWaveConfig(reversal=2.0)
    reading = ElliottWave(config).update_many(path_through(turns))[-1]
    assert Wave(int(reading[0])) is Wave.FIVE
    assert reading[4] == pytest.approx(113.0 + 11.0, abs=1.2)
    beyond = ElliottWave(config).update_many(path_through([*turns[:-1], 130.0]))[-1]
    assert not (int(beyond[0]) == Wave.FIVE and beyond[1] == 1.0 and beyond[4] < 130.0)


def test_low_confidence_counts_can_be_left_out() -> None:
    bars = walk(3000, seed=13)
    readings = ElliottWave(ElliottWaveConfig(min_confidence=0.4)).update_many(bars)
    named = readings[readings[:, 0] > 0]
    assert len(named) > 0
    assert (named[:, 2] >= 0.4).all()
    assert (readings[:, 0] == 0).any()
