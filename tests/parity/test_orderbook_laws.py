"""Laws of the order-book features, bitwise, on recorded and on random markets."""

from typing import Final

import numpy as np
import pytest

from fathom.market.events import EVENT, Action, Flag, Kind, Side
from fathom.market.saved_arrays import pack_all, unpack_all
from fathom.ml.features.config import FeatureConfig
from fathom.ml.features.feature_set import FeatureSet
from fathom.ml.features.orderbook import OrderBookFeatures
from tests.makers.random_market import random_market
from tests.makers.raw_books import PERP_STEPS, bitstamp_events, perp_events
from tests.twins.naive_orderbook import naive_vector

NS: Final = 1_000_000_000
GRID_NS: Final = NS

type Market = tuple[np.ndarray, dict[str, float | int]]


@pytest.fixture(scope="module", params=["BTCUSDT", "ETHUSDT", "bitstamp", "random", "random depth 20"])
def market(request: pytest.FixtureRequest) -> Market:
    """Rows, and the settings of their features."""
    if request.param == "random":
        return random_market(11, seconds=240), {"price_increment": 0.5, "size_increment": 0.25}
    if request.param == "random depth 20":
        return random_market(12, seconds=240, depth=20), {"price_increment": 0.5, "size_increment": 0.25, "depth": 20}
    folder = request.getfixturevalue("real_data")
    if request.param == "bitstamp":
        return bitstamp_events(folder)[:50_000], {"price_increment": 0.01, "size_increment": 1e-8, "depth": 20}
    price, size = PERP_STEPS[request.param]
    return perp_events(folder, request.param), {"price_increment": price, "size_increment": size}


@pytest.fixture(scope="module", params=sorted(PERP_STEPS))
def perpetual(request: pytest.FixtureRequest) -> tuple[OrderBookFeatures, np.ndarray]:
    """Features that went over a recorded perpetual, and their vectors."""
    price, size = PERP_STEPS[request.param]
    rows = perp_events(request.getfixturevalue("real_data"), request.param)
    features = OrderBookFeatures(price_increment=price, size_increment=size)
    return features, vectors(rows, features)


def build(settings: dict[str, float | int]) -> OrderBookFeatures:
    return OrderBookFeatures(**settings)  # type: ignore[arg-type]


def feature_set(settings: dict[str, float | int]) -> FeatureSet:
    return FeatureSet(
        FeatureConfig(groups=("orderbook",), max_silence_ms=10**9),
        price_increment=settings["price_increment"],
        size_increment=settings["size_increment"],
        groups=[build(settings)],
    )


def grid(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(rows["ts_init"][0] // GRID_NS + 1, rows["ts_init"][-1] // GRID_NS + 1) * GRID_NS
    return times, np.searchsorted(rows["ts_init"], times, side="left")


def vectors(rows: np.ndarray, features: OrderBookFeatures) -> np.ndarray:
    times, cuts = grid(rows)
    out = np.empty((len(times), len(features.specs)))
    features.run(rows, times, cuts, out)
    return out


def chunks(rows: np.ndarray, rng: np.random.Generator, largest: int) -> list[np.ndarray]:
    ends = np.cumsum(rng.integers(0, largest, 4 * len(rows) // largest + 10))
    return np.split(rows, ends[ends < len(rows)])


def test_any_chunking_gives_the_same_vectors(market: Market) -> None:
    rows, settings = market
    ts, whole = feature_set(settings).update_many(rows)
    times, _ = grid(rows)
    np.testing.assert_array_equal(ts, times)
    np.testing.assert_array_equal(np.isnan(whole).all(axis=0), False)
    rng = np.random.default_rng(5)
    for largest, online in ((50_000, False), (3_000, True), (200, True)):
        features = feature_set(settings)
        drive = features.update if online else features.update_many
        parts = [drive(chunk) for chunk in chunks(rows, rng, largest)]
        np.testing.assert_array_equal(np.concatenate([part.ts for part in parts]), times)
        np.testing.assert_array_equal(np.concatenate([part.values for part in parts]), whole)


def test_row_by_row_is_in_one_go(market: Market) -> None:
    rows, settings = market
    rows = rows[:4_000]
    features, whole = feature_set(settings), feature_set(settings)
    found = [features.update(rows[i : i + 1]).values for i in range(len(rows))]
    np.testing.assert_array_equal(np.concatenate(found), whole.update_many(rows).values)


def test_it_does_not_matter_whether_a_timer_or_an_event_asks(market: Market) -> None:
    rows, settings = market
    rows = rows[:60_000]
    timed, eventful = feature_set(settings), feature_set(settings)
    times, cuts = grid(rows)
    parts = []
    for ts, chunk in zip(times, np.split(rows, cuts)[:-1], strict=True):
        parts += [timed.update(chunk).values, timed.advance(int(ts)).values]
    np.testing.assert_array_equal(np.concatenate(parts), eventful.update_many(rows).values)


def test_no_vector_depends_on_what_comes_later(market: Market) -> None:
    rows, settings = market
    whole = vectors(rows, build(settings))
    rng = np.random.default_rng(6)
    for cut in rng.integers(1, len(rows), 4):
        before = vectors(rows[:cut], build(settings))
        np.testing.assert_array_equal(before, whole[: len(before)])
    # The vector for T uses what came before T, and not what came at T.
    times, cuts = grid(rows)
    middle = len(times) // 2
    moved = rows[: cuts[middle] + 1].copy()
    moved["ts_init"][-1] = times[middle]
    np.testing.assert_array_equal(vectors(moved, build(settings)), whole[: middle + 1])


def test_a_restored_state_goes_on_as_if_nothing_had_happened(market: Market) -> None:
    rows, settings = market
    whole = vectors(rows, build(settings))
    times, cuts = grid(rows)
    rng = np.random.default_rng(7)
    for cut in rng.integers(1, len(rows) - 1, 3):
        before = build(settings)
        done = int(np.searchsorted(cuts, cut, side="right"))
        out = np.empty_like(whole)
        before.run(rows[:cut], times[:done], cuts[:done], out[:done])
        state = unpack_all(pack_all(before.snapshot()))
        after = build(settings)
        after.restore(state)
        before.absorb(rows[cut : cut + 500])  # the snapshot is a copy
        after.run(rows[cut:], times[done:], cuts[done:] - cut, out[done:])
        np.testing.assert_array_equal(out, whole)


def test_a_finer_tick_changes_only_what_counts_ticks(market: Market) -> None:
    rows, settings = market
    finer = rows.copy()
    finer["price"] *= 4
    features = build(settings)
    whole = vectors(rows, features)
    found = vectors(finer, build(settings | {"price_increment": settings["price_increment"] / 4}))
    for name, column, wanted in zip(features.names, found.T, whole.T, strict=True):
        if name.startswith(("liquidity_", "spread_mean_")):
            assert not np.array_equal(column, wanted, equal_nan=True), name
        elif name != "price_pressure":  # locked books: half a tick is another distance
            np.testing.assert_array_equal(column, wanted, err_msg=name)


def test_a_finer_lot_changes_only_the_rounding_of_volume_buckets(market: Market) -> None:
    rows, settings = market
    finer = rows.copy()
    finer["size"] *= 8
    features = build(settings)
    whole = vectors(rows, features)
    found = vectors(finer, build(settings | {"size_increment": settings["size_increment"] / 8}))
    for name, column, wanted in zip(features.names, found.T, whole.T, strict=True):
        if name != "vpin":
            np.testing.assert_array_equal(column, wanted, err_msg=name)


SIGNED: Final = (
    "imbalance_5 imbalance_10 imbalance_total price_pressure liquidity_asymmetry order_flow_imbalance mlofi_2 mlofi_3 "
    "mlofi_4 mlofi_5 mlofi_all ofi_1s ofi_5s ofi_10s volume_delta_5 signed_trade_imbalance smart_money_index "
    "trade_volume_imbalance imbalance_5_mean_10s imbalance_5_mean_30s imbalance_5_mean_60s imbalance_5_skew_10s "
    "imbalance_5_skew_30s imbalance_5_skew_60s"
)
"""Features whose sign turns, exactly, when the sides are swapped."""

RELATIVE: Final = ("bid_ask_spread_rel", "micro_price_offset", "vwap_", "largest_", "distance_", "mid_return")
"""Features relative to the mid, which the swap moves: exact after multiplication with it."""


def swapped(rows: np.ndarray, centre: int) -> np.ndarray:
    """Mirror the prices about `centre` / 2 and swap the sides."""
    mirrored = rows.copy()
    has_price = ~((rows["kind"] == Kind.BOOK) & (rows["action"] == Action.CLEAR))
    mirrored["price"][has_price] = centre - rows["price"][has_price]
    mirrored["side"] = np.array([Side.NONE, Side.SELL, Side.BUY], "u1")[rows["side"]]
    return mirrored


def test_swapped_sides_swap_and_turn_the_features(market: Market) -> None:
    rows, settings = market
    features = build(settings)
    whole = vectors(rows, features)
    names = list(features.names)
    mid = whole[:, names.index("mid_price")]
    centre = 2 * round(float(np.nanmedian(mid)) / settings["price_increment"])
    mirrored = vectors(swapped(rows, centre), build(settings))
    mirrored_mid = mirrored[:, names.index("mid_price")]
    signed = set(SIGNED.split())
    assert signed <= set(names)
    exact = relative = 0
    for spec, wanted in zip(features.specs, whole.T, strict=True):
        partner = spec.name.replace("bid", "?").replace("ask", "bid").replace("?", "ask")
        partner = partner if partner in names else spec.name
        partner = {
            "distance_to_support": "distance_to_resistance",
            "distance_to_resistance": "distance_to_support",
        }.get(partner, partner)
        found = mirrored[:, names.index(partner)]
        if spec.name in signed:
            np.testing.assert_array_equal(found, -wanted, err_msg=spec.name)
            exact += 1
        elif spec.unit == "bps" and spec.name.startswith(RELATIVE) and "_mean_" not in spec.name:
            if any(part in spec.name for part in ("_std_", "_skew_", "mid_return")):
                continue
            turn = -1.0 if spec.name.endswith("offset") else 1.0
            np.testing.assert_allclose(found * mirrored_mid, turn * wanted * mid, rtol=1e-9, atol=1e-9)
            relative += 1
        elif spec.name == "buy_sell_ratio":
            np.testing.assert_allclose(found, 1.0 - wanted, rtol=1e-12)
        elif spec.unit in ("base units", "1/s", "-", "ms", "ticks") and spec.name not in {
            "bid_intensity",  # both bands are relative to the mid
            "ask_intensity",
            "depth_imbalance_ratio",
            *(name for name in names if name.startswith("micro_price_offset_skew")),
        }:
            np.testing.assert_array_equal(found, wanted, err_msg=spec.name)
            exact += 1
    assert (exact, relative) == (72, 10)


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", sorted(PERP_STEPS))
def test_vectors_of_a_recorded_perpetual_are_those_of_the_naive_twin(
    symbol: str, request: pytest.FixtureRequest
) -> None:
    rows = perp_events(request.getfixturevalue("real_data"), symbol)
    rows = rows[rows["ts_init"] < rows["ts_init"][0] + 12 * NS]
    price, size = PERP_STEPS[symbol]
    features = OrderBookFeatures(price_increment=price, size_increment=size)
    found = vectors(rows, features)
    times, _ = grid(rows)
    for i in (1, 10):
        twin = naive_vector(rows, int(times[i]), tick=price, lot=size)
        wanted = [twin.get(name, np.nan) for name in features.names]
        np.testing.assert_allclose(found[i], wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.real_data
def test_no_feature_is_undefined_after_its_warm_up(perpetual: tuple[OrderBookFeatures, np.ndarray]) -> None:
    features, found = perpetual
    undefined = {
        spec.name: int(np.isnan(column[spec.warm_up - 1 :]).sum())
        for spec, column in zip(features.specs, found.T, strict=True)
        if np.isnan(column[spec.warm_up - 1 :]).any()
    }
    assert not undefined
    windowed = [i for i, spec in enumerate(features.specs) if spec.warm_up > 1 and spec.name != "vpin"]
    for i in windowed:
        assert np.isnan(found[: features.specs[i].warm_up - 1, i]).all(), features.specs[i].name


@pytest.mark.real_data
def test_no_feature_is_constant(perpetual: tuple[OrderBookFeatures, np.ndarray]) -> None:
    features, found = perpetual
    constant = {
        spec.name
        for spec, column in zip(features.specs, found.T, strict=True)
        if np.nanmin(column) == np.nanmax(column)
    }
    # This feed has no RPI flag, and the spread of ETHUSDT is a tick wide at every grid time recorded.
    assert constant - {"bid_ask_spread_abs"} == {"rpi_share"}


@pytest.mark.real_data
def test_no_feature_repeats_another(perpetual: tuple[OrderBookFeatures, np.ndarray]) -> None:
    features, found = perpetual
    kept = [i for i, spec in enumerate(features.specs) if spec.stationary and spec.name != "rpi_share"]
    correlation = np.corrcoef(found[120:, kept].T)
    np.fill_diagonal(correlation, 0.0)
    first, second = np.nonzero(np.triu(np.abs(correlation) > 0.999))
    names = [features.specs[i].name for i in kept]
    assert {(names[i], names[j]) for i, j in zip(first, second, strict=True)} == set()


def test_rows_at_the_same_time_are_known_in_their_order() -> None:
    rows = np.zeros(3, EVENT)
    rows["ts_init"] = rows["ts_event"] = 500_000_000
    rows["kind"] = [Kind.BOOK, Kind.BOOK, Kind.TRADE]
    rows["action"][:2], rows["flags"][1] = Action.ADD, Flag.LAST
    rows["side"] = [Side.BUY, Side.SELL, Side.BUY]
    rows["price"], rows["size"] = [100, 102, 102], [5, 5, 2]
    assert cost_of(rows) == pytest.approx(2e4 / 101)
    # A trade that is known before the book of the same time has no mid to be measured against.
    assert np.isnan(cost_of(rows[[2, 0, 1]]))


def cost_of(rows: np.ndarray) -> float:
    features = OrderBookFeatures(price_increment=1.0, size_increment=1.0)
    times = np.arange(1, 11) * NS
    out = np.empty((10, len(features.specs)))
    features.run(rows, times, np.full(10, len(rows)), out)
    return float(out[-1, features.names.index("effective_spread")])
