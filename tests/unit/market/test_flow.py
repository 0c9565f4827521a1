import numpy as np
import pytest

from fathom.market.events import Side, TradeFlag
from fathom.market.flow import (
    BUCKET_BUY,
    BUCKET_LOTS,
    BUCKET_OPEN,
    BUCKET_SELL,
    BUCKETS,
    BUY_LOTS,
    COST_LOTS,
    HELD,
    HELD_SINCE,
    LATE,
    MOMENTS,
    NOW,
    PAIRS,
    RPI_LOTS,
    SAMPLES,
    STATES,
    STEP_CROSS,
    TRADES,
    VOLUME,
    VPIN_BUCKETS,
    WEIGHT,
    FlowArrays,
    advance,
    close_bucket,
    flow_trade,
    new_flow,
    weigh,
)

NS = 1_000_000_000


@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_moments_are_weighted_with_time_and_keep_their_digits(offset: float) -> None:
    rng = np.random.default_rng(3)
    flow = new_flow()
    values = rng.gamma(2.0, size=(50, STATES)) + offset
    steps = rng.integers(0, 40_000_000, 50)
    flow.head[HELD] = 1
    for value, step in zip(values, steps, strict=True):
        flow.held[:] = value
        flow.head[HELD_SINCE] = flow.head[NOW]
        advance(flow, flow.head[NOW] + step)
        weigh(flow)
    weights = steps / steps.sum()
    mean = weights @ values
    assert flow.open_sums[WEIGHT] == pytest.approx(steps.sum() / NS)
    found = flow.open_sums[MOMENTS:].reshape(STATES, 3) / [1.0, steps.sum() / NS, steps.sum() / NS]
    np.testing.assert_allclose(found[:, 0], mean, rtol=1e-14)
    np.testing.assert_allclose(found[:, 1], weights @ (values - mean) ** 2, rtol=1e-6)
    np.testing.assert_allclose(found[:, 2], weights @ (values - mean) ** 3, rtol=1e-5)


def test_constant_states_have_no_spread_at_all() -> None:
    flow = new_flow()
    flow.head[HELD] = 1
    flow.held[:] = 0.1
    for ts in range(1, 90):
        advance(flow, ts * 7_000_003)
        weigh(flow)
    np.testing.assert_array_equal(flow.open_sums[MOMENTS:].reshape(STATES, 3), [[0.1, 0.0, 0.0]] * STATES)


def fill(flow: FlowArrays, trades: list[tuple[int, int]]) -> FlowArrays:
    for size, sign in trades:
        flow_trade(flow, 100, size, Side.BUY if sign > 0 else Side.SELL, 0)
    return flow


@pytest.mark.parametrize("huge", [7, 70, 699, 700, 1_500, 1_503, 20_000])
def test_a_huge_trade_fills_volume_buckets_as_its_parts_would(huge: int) -> None:
    whole, parts = new_flow(), new_flow()
    for flow in (whole, parts):
        flow.head[BUCKET_LOTS] = 70
        fill(flow, [(33, 1), (20, -1), (60, -1), (5, 1)])
        flow.head[BUCKET_LOTS] = 50  # for the buckets that open from now on
    fill(whole, [(huge, 1)])
    fill(parts, [(1, 1)] * huge)
    for entry in (BUCKET_BUY, BUCKET_SELL, BUCKET_OPEN):
        assert whole.head[entry] == parts.head[entry]
    assert min(whole.head[BUCKETS], VPIN_BUCKETS) == min(parts.head[BUCKETS], VPIN_BUCKETS)
    assert sorted(map(tuple, whole.vpin.tolist())) == sorted(map(tuple, parts.vpin.tolist()))


def test_trades_are_split_by_flag() -> None:
    flow = new_flow()
    flow_trade(flow, 100, 5, Side.BUY, 0)
    flow_trade(flow, 90, 7, Side.BUY, TradeFlag.RPI)
    flow_trade(flow, 101, 3, Side.NONE, 0)
    flow_trade(flow, 99, 2, Side.SELL, 0)
    flow_trade(flow, 50, 900, Side.SELL, TradeFlag.BLOCK)
    count = flow.open_counts
    assert count[[TRADES, VOLUME, BUY_LOTS, RPI_LOTS]].tolist() == [4, 17, 5, 7]
    # The step onto the RPI print is no step; 100 to 101 to 99 are two, hence one pair.
    assert count[[PAIRS, STEP_CROSS]].tolist() == [1, -2]
    assert flow.open_sums[COST_LOTS] == 0  # no book yet, so no mid


def test_time_never_goes_back() -> None:
    flow = new_flow(grid_ms=500)
    for ts in (10, 30, 20, 30):
        advance(flow, ts)
    assert flow.head[[NOW, LATE]].tolist() == [30, 1]
    close_bucket(flow, 500_000_000)
    assert flow.head[[NOW, SAMPLES]].tolist() == [500_000_000, 1]
    assert len(flow.counts) == 120
