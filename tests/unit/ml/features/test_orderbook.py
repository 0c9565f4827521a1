import math

import numpy as np
import pytest

from fathom.market.events import EVENT, Action, Flag, Kind, Side
from fathom.market.lifecycle import CLOSED_COUNT
from fathom.ml.features.errors import FeatureError
from fathom.ml.features.group import Group, run_slowly
from fathom.ml.features.orderbook import NEUTRAL, SPECS, OrderBookFeatures
from tests.makers.random_market import random_market
from tests.twins.naive_orderbook import naive_vector

MS = 1_000_000

NAMED = frozenset(
    " ".join(
        (
            "bid_ask_spread_abs bid_ask_spread_rel mid_price micro_price vwap_bid_5 vwap_ask_5 vwap_bid_10 vwap_ask_10",
            "depth_bid_5 depth_ask_5 depth_bid_10 depth_ask_10 total_bid_volume total_ask_volume book_depth_ratio",
            "imbalance_5 imbalance_10 imbalance_total price_pressure volume_delta_5 order_flow_imbalance bid_intensity",
            "ask_intensity buy_sell_ratio smart_money_index largest_bid_cluster_price largest_bid_cluster_volume",
            "largest_ask_cluster_price largest_ask_cluster_volume num_bid_clusters num_ask_clusters support_level_1",
            "resistance_level_1 distance_to_support distance_to_resistance liquidity_bid_5 liquidity_ask_5",
            "liquidity_asymmetry effective_spread kyle_lambda amihud_illiquidity roll_spread depth_imbalance_ratio",
            "level_ttl_avg level_ttl_std orderbook_volatility update_frequency quote_intensity trade_arrival_rate",
            "spread_volatility",
        )
    ).split()
)


def grid(rows: np.ndarray, grid_ms: int) -> tuple[np.ndarray, np.ndarray]:
    step = grid_ms * MS
    times = np.arange(rows["ts_init"][0] // step + 1, rows["ts_init"][-1] // step + 1) * step
    return times, np.searchsorted(rows["ts_init"], times, side="left")


def vectors(features: OrderBookFeatures, rows: np.ndarray, grid_ms: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    times, cuts = grid(rows, grid_ms)
    out = np.empty((len(times), len(features.specs)))
    features.run(rows, times, cuts, out)
    return times, out


def test_the_fifty_named_features_are_there_and_more() -> None:
    names = [spec.name for spec in SPECS]
    assert len(names) == len(set(names))
    assert len(NAMED) == 50
    assert set(names) >= NAMED
    assert sum(spec.group == "orderbook.rolling" for spec in SPECS) >= 20
    assert set(NEUTRAL) <= set(names)


def test_each_raw_price_has_a_stationary_form() -> None:
    raw = {spec.name for spec in SPECS if spec.unit == "price"}
    assert raw == {spec.name for spec in SPECS if not spec.stationary}
    assert raw <= {spec.stationary_of for spec in SPECS if spec.stationary}
    assert {spec.stationary_of for spec in SPECS} - {None} <= {spec.name for spec in SPECS}


@pytest.mark.parametrize(
    ("seed", "depth", "grid_ms"), [(1, 0, 1000), (2, 0, 500), (3, 20, 1000), (4, 0, 1000), (5, 10, 250)]
)
def test_every_feature_is_its_naive_twin(seed: int, depth: int, grid_ms: int) -> None:
    rows = random_market(seed, seconds=150, depth=depth)
    features = OrderBookFeatures(price_increment=0.5, size_increment=0.25, grid_ms=grid_ms, depth=depth)
    times, out = vectors(features, rows, grid_ms)
    last_defined = {int(np.flatnonzero(~np.isnan(column))[-1]) for column in out.T}
    for i in sorted({0, 1, 8, 10, 30, 60, len(times) - 1} | last_defined):
        twin = naive_vector(rows, int(times[i]), tick=0.5, lot=0.25, grid_ms=grid_ms, depth=depth)
        assert set(twin) <= set(features.names)
        expected = [twin.get(name, math.nan) for name in features.names]
        for name, found, wanted in zip(features.names, out[i], expected, strict=True):
            assert found == pytest.approx(wanted, rel=1e-7, abs=1e-9, nan_ok=True), (name, i)


def test_a_group_is_driven_online_and_in_batch() -> None:
    rows = random_market(6, seconds=20)
    slow: Group = OrderBookFeatures(price_increment=0.5, size_increment=0.25)
    fast: Group = OrderBookFeatures(price_increment=0.5, size_increment=0.25)
    times, cuts = grid(rows, 1000)
    out = np.empty((2, len(times), len(slow.specs)))
    run_slowly(slow, rows, times, cuts, out[0])
    fast.run(rows, times, cuts, out[1])
    np.testing.assert_array_equal(out[0], out[1])


def test_hand_computed_flow() -> None:
    """Bid 100 x 10, ask 101 x 20; the bid is lifted to 7 lots, then the ask vanishes and 103 x 5 is left."""
    rows = np.zeros(5, EVENT)
    rows["kind"], rows["action"] = Kind.BOOK, Action.UPDATE
    rows["ts_init"] = rows["ts_event"] = np.array([100, 100, 100, 300, 500]) * MS
    rows["side"] = [Side.BUY, Side.SELL, Side.SELL, Side.BUY, Side.SELL]
    rows["price"] = [100, 101, 103, 100, 101]
    rows["size"] = [10, 20, 5, 7, 0]
    rows["flags"] = [0, 0, Flag.LAST, Flag.LAST, Flag.LAST]
    features = OrderBookFeatures(price_increment=1.0, size_increment=1.0)
    features.absorb(rows)
    out = np.empty(len(features.specs))
    features.sample(1_000 * MS, out)
    values = dict(zip(features.names, out.tolist(), strict=True))
    # Bid: -3. Ask: the price rose, so the 20 that stood before count as taken: +20.
    assert values["order_flow_imbalance"] == 17.0
    # Level 2 of the asks, 103 x 5, vanished too: +5.
    assert values["mlofi_2"] == 5.0
    assert values["mlofi_all"] == 22.0
    # Half the touch held 15, 13.5 and 6 lots, for 0.2, 0.2 and 0.5 s.
    assert values["ofi_1s"] == pytest.approx(17.0 / ((15 * 0.2 + 13.5 * 0.2 + 6 * 0.5) / 0.9))
    assert values["bid_ask_spread_abs"] == 3.0
    assert values["imbalance_5"] == pytest.approx(2 / 12)


def test_times_that_are_not_sampled_are_closed_unseen() -> None:
    rows = random_market(8, seconds=30)
    times, cuts = grid(rows, 1000)
    all_times = OrderBookFeatures(price_increment=0.5, size_increment=0.25)
    some_times = OrderBookFeatures(price_increment=0.5, size_increment=0.25)
    full = np.empty((len(times), len(all_times.specs)))
    all_times.run(rows, times, cuts, full)
    some = np.empty((2, len(all_times.specs)))
    # A dead feed: nothing is sampled between the first and the last time of a quiet span.
    quiet = rows[: cuts[9]]
    some_times.run(quiet, times[[9, 25]], np.array([len(quiet)] * 2), some)
    other = OrderBookFeatures(price_increment=0.5, size_increment=0.25)
    every = np.empty((17, len(all_times.specs)))
    other.run(quiet, times[9:26], np.array([len(quiet)] * 17), every)
    np.testing.assert_array_equal(some[1], every[-1])


def test_a_book_grows_as_needed() -> None:
    rows = np.zeros(6_000, EVENT)
    rows["kind"], rows["action"], rows["size"] = Kind.BOOK, Action.ADD, 1
    rows["ts_init"] = rows["ts_event"] = 500 * MS
    rows["side"] = np.where(np.arange(6_000) % 2, Side.SELL, Side.BUY)
    rows["price"] = 10_000 + np.where(np.arange(6_000) % 2, 1, -1) * (1 + np.arange(6_000) // 2)
    rows["flags"][-1] = Flag.LAST
    features = OrderBookFeatures(price_increment=1.0, size_increment=1.0)
    _, _ = vectors(features, rows)
    features.absorb(rows[:0])
    out = np.empty(len(features.specs))
    features.sample(1_000 * MS, out)
    values = dict(zip(features.names, out.tolist(), strict=True))
    assert values["total_bid_volume"] == values["total_ask_volume"] == 3_000.0
    assert len(features.book.pool) >= 6_000


def test_snapshots_of_other_settings_are_refused() -> None:
    features = OrderBookFeatures(price_increment=1.0, size_increment=1.0)
    state = features.snapshot()
    with pytest.raises(FeatureError, match="of another grid or version"):
        OrderBookFeatures(price_increment=1.0, size_increment=1.0, grid_ms=500).restore(state)
    with pytest.raises(FeatureError, match="depth 50, was 0"):
        OrderBookFeatures(price_increment=1.0, size_increment=1.0, depth=50).restore(state)
    del state["flow.vpin"]
    with pytest.raises(FeatureError, match=r"'flow\.vpin'"):
        features.restore(state)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="increments above 0"):
        OrderBookFeatures(price_increment=0.0, size_increment=1.0)
    with pytest.raises(ValueError, match="depth >= 0"):
        OrderBookFeatures(price_increment=1.0, size_increment=1.0, depth=-1)


def test_the_state_does_not_grow_with_time() -> None:
    rows = random_market(9, seconds=60)
    features = OrderBookFeatures(price_increment=0.5, size_increment=0.25)
    span = int(rows["ts_init"][-1] - rows["ts_init"][0]) + 50 * MS
    sizes = set()
    for turn in range(40):
        later = rows.copy()
        later["ts_init"] += turn * span
        later["ts_event"] += turn * span
        features.absorb(later)
        sizes.add(sum(array.nbytes for array in (*features.book, *features.flow)))
    assert features.book.head[CLOSED_COUNT] > 10_000
    assert len(sizes) == 1


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_intensity_is_measured_from_the_touch_of_the_message(side: Side, turned: bool) -> None:
    away = 1 if side == Side.SELL else -1
    touch, other = 100_000, 100_000 - 300 * away
    second = 1_000_000_000
    rows = [
        (second, second, 0, 0, 0, Kind.BOOK, Action.CLEAR, 0, 32),
        (second, second, 0, touch, 5, Kind.BOOK, Action.ADD, side, 48),
        (second, second, 0, touch + 50 * away, 5, Kind.BOOK, Action.ADD, side, 48),
        (second, second, 0, other, 5, Kind.BOOK, Action.ADD, 3 - side, 176),
    ]
    # 10 bps are 100 ticks: what grows 50 ticks behind the old touch is 250 ticks behind the new one.
    change = [(touch + 50 * away, 9, Action.UPDATE), (touch - 200 * away, 4, Action.ADD)]
    for at, (price, size, action) in enumerate(change[::-1] if turned else change):
        rows.append((2 * second, 2 * second, 0, price, size, Kind.BOOK, action, side, 16 + 128 * at))
    features = OrderBookFeatures(price_increment=0.1, size_increment=1.0)
    features.absorb(np.array(rows, EVENT))
    out = np.empty(len(features.specs))
    for ts in range(3, 8):
        features.sample(ts * second, out)
    name = "bid_intensity" if side == Side.BUY else "ask_intensity"
    assert out[features.names.index(name)] == 1 / 5
