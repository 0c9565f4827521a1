"""Labels: what a trade would have earned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.samples.labels import BUY, HOLD, SELL, Prices, label, meta_labels, past_classes, rows_ahead
from tests.twins.naive_labels import naive_label

GRID = 1_000_000_000


def market(seed: int, rows: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two instruments on the grid, with gaps, missing mids and unchanged prices."""
    rng = np.random.default_rng(seed)
    instrument = np.sort(rng.integers(0, 2, rows)).astype(np.int16)
    ts = np.cumsum(np.where(rng.random(rows) < 0.04, 3, 1)) * GRID
    mid = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 4e-4, rows) * (rng.random(rows) < 0.6)))
    mid[rng.random(rows) < 0.02] = np.nan
    return ts, instrument, mid, rng.uniform(0.5, 3.0, rows)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["fixed", "barrier"]),
    horizon=st.sampled_from([1.0, 5.0, 10.0]),
    threshold=st.sampled_from([None, 0.0, 3.0]),
)
def test_labels_equal_their_definition(seed: int, kind: str, horizon: float, threshold: float | None) -> None:
    config = LabelConfig(kind=kind, horizon_secs=horizon, fee_bps=0.5, threshold_bps=threshold, volatility_secs=8.0)
    ts, instrument, mid, spread = market(seed)
    made = label(Prices(mid, spread, rows_ahead(ts, instrument, mid, GRID), GRID), config)
    for i, expected in enumerate(naive_label(ts, instrument, mid, spread, GRID, config)):
        assert made.known[i] == (expected is not None)
        if expected is None:
            assert made.classes[i] == HOLD
            assert np.isnan(made.return_bps[i])
        else:
            found = (made.return_bps[i], made.volatility_bps[i], made.cost_bps[i])
            assert (made.classes[i], made.exit[i]) == (expected[0], expected[4])
            np.testing.assert_allclose(found, expected[1:4], rtol=1e-12, atol=1e-12)


def prices(*mid: float, spread: float = 2.0) -> Prices:
    count = len(mid)
    return Prices(np.array(mid), np.full(count, spread), np.arange(count)[::-1].copy(), GRID)


@pytest.mark.parametrize(("move_bps", "expected"), [(11.9, HOLD), (12.1, BUY), (-11.9, HOLD), (-12.1, SELL)])
def test_a_move_must_exceed_two_fees_and_the_spread(move_bps: float, expected: int) -> None:
    made = label(prices(100.0, 100.0 * (1 + move_bps / 1e4)), LabelConfig(horizon_secs=1.0, fee_bps=5.0))
    assert made.classes[0] == expected
    assert made.cost_bps[0] == 12.0


def test_the_first_barrier_reached_decides() -> None:
    config = LabelConfig(kind="barrier", horizon_secs=3.0, threshold_bps=10.0, barrier_width=1e-9, volatility_secs=1.0)
    made = label(prices(100.0, 100.0, 99.8, 100.5, 100.5, 100.5, 100.5), config)
    assert made.classes[1] == SELL
    assert made.exit[1] == 1
    assert made.return_bps[1] == pytest.approx(-20.0)


def test_reaching_a_barrier_exactly_is_touching_it() -> None:
    config = LabelConfig(kind="barrier", horizon_secs=1.0, threshold_bps=0.0, barrier_width=1.0, volatility_secs=1.0)
    made = label(prices(128.0, 160.0, 200.0), config)  # +25 % twice: the width is the move, in binary too
    assert made.classes[1] == BUY


def test_no_width_and_no_move_is_no_touch() -> None:
    config = LabelConfig(kind="barrier", horizon_secs=2.0, threshold_bps=0.0, barrier_width=1.0, volatility_secs=1.0)
    made = label(prices(100.0, 100.0, 100.0, 100.0), config)
    assert made.known[1]
    assert made.classes[1] == HOLD


def test_labels_read_no_price_before_their_time() -> None:
    ts, instrument, mid, spread = market(3)
    config = LabelConfig(horizon_secs=5.0, fee_bps=0.1)
    whole = label(Prices(mid, spread, rows_ahead(ts, instrument, mid, GRID), GRID), config)
    shaken = mid.copy()
    shaken[:50] *= 1.5
    later = label(Prices(shaken, spread, rows_ahead(ts, instrument, shaken, GRID), GRID), config)
    np.testing.assert_array_equal(whole.return_bps[50:], later.return_bps[50:])


def test_signals_pay_or_do_not() -> None:
    made = label(prices(100.0, 100.3, 100.0), LabelConfig(horizon_secs=1.0, fee_bps=5.0))
    found = meta_labels(made, np.array([0, 0, 1, 1, 2]), np.array([1, -1, 1, -1, 1]))
    np.testing.assert_array_equal(found, [1.0, 0.0, 0.0, 1.0, np.nan])
    with pytest.raises(ValueError, match="sides of 1 or -1"):
        meta_labels(made, np.array([0]), np.array([0]))


def test_persistence_knows_only_the_past() -> None:
    made = prices(100.0, 100.3, 100.3, 99.0)
    config = LabelConfig(horizon_secs=1.0, fee_bps=5.0)
    assert past_classes(made, config).tolist() == [HOLD, BUY, HOLD, SELL]
    # It is the label of the row before, where the spread does not change.
    assert past_classes(made, config)[1:].tolist() == label(made, config).classes[:-1].tolist()


def test_a_horizon_off_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match=r"multiple of the grid of 1 s, was 1\.5"):
        label(prices(100.0, 101.0), LabelConfig(horizon_secs=1.5))
