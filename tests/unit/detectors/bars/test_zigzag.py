import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.detectors.bars.detector import HIGH, LOW, bars_of
from fathom.detectors.bars.zigzag import SCALE, ZIGZAG_CELLS, zigzag_step
from tests.makers.bar_cases import walk
from tests.twins.naive_detectors import naive_pivots

paths = st.lists(st.integers(-9, 9), min_size=3, max_size=80).map(lambda steps: np.cumsum(steps).astype(float))


def pivots_of(bars: np.ndarray, multiple: float, span: float) -> np.ndarray:
    """Return the confirmed pivots of `bars`: rows of kind (1 high, -1 low), price, bar, confirming bar."""
    z = np.zeros(ZIGZAG_CELLS)
    pivot = np.zeros(2)
    found = np.empty((len(bars), 4))
    n = 0
    for i in range(len(bars)):
        kind = zigzag_step(z, bars[i], multiple, span, pivot)
        if kind != 0:
            found[n, 0], found[n, 1], found[n, 2], found[n, 3] = kind, pivot[0], pivot[1], i
            n += 1
    return found[:n].copy()


@settings(max_examples=60, deadline=None)
@given(paths, st.integers(4, 30))
def test_pivots_equal_a_scan_of_the_whole_path(path: np.ndarray, distance: int) -> None:
    bars = bars_of(path)
    state = np.zeros(ZIGZAG_CELLS)
    pivot = np.zeros(2)
    found = []
    for i in range(len(bars)):
        state[SCALE] = 1.0  # a fixed yardstick, so that the naive scan needs none
        kind = zigzag_step(state, bars[i], float(distance), 100.0, pivot)
        if kind:
            found.append((kind, float(pivot[0]), int(pivot[1])))
    assert found == naive_pivots(bars[:, HIGH], bars[:, LOW], float(distance))


def test_pivots_alternate_and_are_known_only_later() -> None:
    bars = walk(5000, seed=1)
    pivots = pivots_of(bars, 5.0, 200.0)
    assert len(pivots) > 20
    assert (np.diff(pivots[:, 0]) != 0).all()
    assert (pivots[:, 3] > pivots[:, 2]).all()
    for k in (700, 2500):
        cut = pivots_of(bars[:k], 5.0, 200.0)
        np.testing.assert_array_equal(cut, pivots[pivots[:, 3] < k])
