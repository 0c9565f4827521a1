"""The laws of one recurrence with two drivers, bitwise, over every detector."""

from collections.abc import Callable

import numpy as np
import pytest

from detectors import Bar
from detectors.bars import BarDetector
from tests.unit.detectors.bar_cases import BAR_DETECTORS, walk

MakeBar = Callable[[], BarDetector[object]]


def same(a: np.ndarray, b: np.ndarray) -> None:
    assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("make", BAR_DETECTORS)
def test_bar_by_bar_equals_many_bars_in_any_chunks(make: MakeBar) -> None:
    bars = walk(1500, seed=21)
    whole = make().update_many(bars)
    online = make()
    rows = [np.array(online.update(Bar(*bar)), dtype=np.float64) for bar in bars]
    np.testing.assert_array_equal(np.stack(rows), whole)
    rng = np.random.default_rng(22)
    cuts = np.sort(rng.integers(0, len(bars), 12))
    chunked = make()
    same(np.concatenate([chunked.update_many(part) for part in np.split(bars, cuts)]), whole)


@pytest.mark.parametrize("make", BAR_DETECTORS)
def test_a_prefix_of_bars_gives_a_prefix_of_readings(make: MakeBar) -> None:
    bars = walk(1500, seed=23)
    whole = make().update_many(bars)
    for k in (1, 77, 500, 1499):
        same(make().update_many(bars[:k]), whole[:k])


@pytest.mark.parametrize("make", BAR_DETECTORS)
def test_a_bar_detector_restored_in_mid_stream_goes_on_the_same(make: MakeBar) -> None:
    bars = walk(1500, seed=24)
    detector = make()
    detector.update_many(bars[:800])
    saved = detector.snapshot()
    expected = detector.update_many(bars[800:])
    fresh = make()
    fresh.restore(saved)
    same(fresh.update_many(bars[800:]), expected)
    again = make()
    again.restore(saved)  # the snapshot is a copy: the first restore did not use it up
    same(again.update_many(bars[800:]), expected)
