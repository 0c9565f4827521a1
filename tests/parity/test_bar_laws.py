"""The laws of bar features, bitwise: chunking, no look-ahead, restoring, joining late, scale; and their naive twins."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.market.bar_rows import WINDOW
from fathom.ml.features import BAR, FeatureConfig, FeatureSet, Vectors
from fathom.ml.features.bar_group import SPECS, BarGroup
from fathom.ml.features.group import run_slowly
from tests.makers import raw_books, trade_streams
from tests.makers.trade_streams import SECOND
from tests.twins import naive_bars

NAMES = [spec.name for spec in SPECS]
RECORDED = ("BTCUSDT", "ETHUSDT", "bitstamp")
BAR_MS = {"busy": 1_000, "sparse": 5_000, "BTCUSDT": 1_000, "ETHUSDT": 2_000, "bitstamp": 60_000}


@pytest.fixture(
    scope="module",
    params=["busy", "sparse", *(pytest.param(name, marks=pytest.mark.real_data) for name in RECORDED)],
)
def stream(request: pytest.FixtureRequest) -> tuple[str, NDArray[np.void]]:
    name: str = request.param
    if name == "busy":
        return name, trade_streams.busy(21, 6_000)
    if name == "sparse":
        return name, trade_streams.busy(22, 400, seconds=3_000)
    folder: Path = request.getfixturevalue("real_data")
    if name == "bitstamp":
        rows = raw_books.bitstamp_events(folder)
        return name, rows[rows["kind"] == 2]
    return name, raw_books.perp_trades(folder, name)


def make(name: str) -> FeatureSet:
    length = BAR_MS[name]
    config = FeatureConfig(groups=("candles", "indicators"), bar_ms=length, grid_ms=length, max_silence_ms=10**9)
    return FeatureSet(config, price_increment=0.1, size_increment=0.001)


def joined(parts: list[Vectors]) -> Vectors:
    return Vectors(np.concatenate([part.ts for part in parts]), np.concatenate([part.values for part in parts]))


def assert_equal(got: Vectors, want: Vectors) -> None:
    np.testing.assert_array_equal(got.ts, want.ts)
    np.testing.assert_array_equal(got.values.view(np.int64), want.values.view(np.int64))


def test_chunks_do_not_matter(stream: tuple[str, NDArray[np.void]]) -> None:
    name, rows = stream
    want = make(name).update_many(rows)
    assert len(want.ts) > 150
    rng = np.random.default_rng(31)
    for pieces in (2, 50):
        cut = trade_streams.chunks(rng, len(rows), pieces)
        batch, online, mixed = make(name), make(name), make(name)
        assert_equal(joined([batch.update_many(rows[piece]) for piece in cut]), want)
        assert_equal(joined([online.update(rows[piece]) for piece in cut]), want)
        turns = [mixed.update if i % 2 else mixed.update_many for i in range(len(cut))]
        assert_equal(joined([turn(rows[piece]) for turn, piece in zip(turns, cut, strict=True)]), want)


def test_one_row_at_a_time_is_the_batch(stream: tuple[str, NDArray[np.void]]) -> None:
    name, rows = stream
    rows = rows[:5_000]
    features = make(name)
    assert_equal(joined([features.update(rows[i : i + 1]) for i in range(len(rows))]), make(name).update_many(rows))


def test_the_future_does_not_matter(stream: tuple[str, NDArray[np.void]]) -> None:
    name, rows = stream
    want = make(name).update_many(rows)
    rng = np.random.default_rng(32)
    for cut in rng.integers(1, len(rows), 8).tolist():
        changed = rows.copy()
        changed["price"][cut:] += 1_000
        changed["size"][cut:] *= 3
        some = make(name).update_many(rows[:cut])
        assert_equal(some, Vectors(want.ts[: len(some.ts)], want.values[: len(some.ts)]))
        known = int(np.searchsorted(want.ts, rows["ts_init"][cut], side="right"))
        other = make(name).update_many(changed)
        assert_equal(Vectors(other.ts[:known], other.values[:known]), Vectors(want.ts[:known], want.values[:known]))


def test_a_restart_does_not_matter(stream: tuple[str, NDArray[np.void]]) -> None:
    name, rows = stream
    want = make(name).update_many(rows)
    rng = np.random.default_rng(33)
    parts, features = [], make(name)
    for piece in trade_streams.chunks(rng, len(rows), 12):
        parts.append(features.update_many(rows[piece]))
        state = features.snapshot()
        features = make(name)
        features.restore(state)
        assert features.snapshot() == state
    assert_equal(joined(parts), want)


def test_after_the_window_it_does_not_matter_when_the_stream_was_joined() -> None:
    rows = trade_streams.busy(23, 20_000, seconds=2_000)
    want = make("busy").update_many(rows)
    late = make("busy").update_many(rows[5_000:])
    settled = WINDOW + 1
    tail = Vectors(late.ts[settled:], late.values[settled:])
    assert_equal(tail, Vectors(want.ts[-len(tail.ts) :], want.values[-len(tail.ts) :]))


def test_values_change_once_per_closed_bar() -> None:
    rows = trade_streams.busy(24, 3_000)
    config = FeatureConfig(groups=("candles", "indicators"), bar_ms=5_000, grid_ms=250)
    ts, values = FeatureSet(config, price_increment=0.1, size_increment=0.001).update_many(rows)
    changed = np.flatnonzero((values[1:].view(np.int64) != values[:-1].view(np.int64)).any(axis=1)) + 1
    assert len(changed) > 50
    assert set((ts[changed] % (5 * SECOND)).tolist()) == {0}


def test_units_of_price_and_size_do_not_matter_to_what_is_stationary() -> None:
    rows = trade_streams.busy(25, 5_000)
    scaled = rows.copy()
    scaled["price"] *= 4
    scaled["size"] *= 8
    config = FeatureConfig(groups=("candles", "indicators"), features="stationary")
    want = FeatureSet(config, price_increment=0.1, size_increment=0.001).update_many(rows)
    got = FeatureSet(config, price_increment=0.5, size_increment=1.0).update_many(scaled)
    # Powers of two, so that not even the rounding differs.
    assert_equal(got, want)


def test_raw_features_have_their_units() -> None:
    rows = trade_streams.busy(26, 5_000)
    config = FeatureConfig(groups=("candles", "indicators"))
    one = FeatureSet(config, price_increment=1.0, size_increment=1.0).update_many(rows).values
    two = FeatureSet(config, price_increment=0.1, size_increment=0.001).update_many(rows).values
    factor = np.array([{"price": 0.1, "base units": 0.001}.get(spec.unit, 1.0) for spec in SPECS])
    np.testing.assert_array_equal(two, one * factor)


def test_the_batch_driver_does_what_the_protocol_says() -> None:
    rows = trade_streams.busy(27, 4_000)
    times = np.arange(rows["ts_init"][0] // SECOND + 1, rows["ts_init"][-1] // SECOND + 3) * SECOND
    cuts = np.searchsorted(rows["ts_init"], times, side="left")
    got, want = np.empty((len(times), len(SPECS))), np.empty((len(times), len(SPECS)))
    groups = [BarGroup(price_increment=0.1, size_increment=0.001, interval_ns=SECOND) for _ in range(2)]
    groups[0].run(rows, times, cuts, got)
    run_slowly(groups[1], rows, times, cuts, want)
    np.testing.assert_array_equal(got, want)
    assert groups[0].bars_closed == groups[1].bars_closed


def test_bars_from_outside_obey_the_laws_too() -> None:
    rows = trade_streams.busy(28, 8_000)
    inside = BarGroup(price_increment=0.1, size_increment=0.001, interval_ns=SECOND)
    first = int(rows["ts_init"][0]) // SECOND * SECOND
    made = naive_bars.bars_before(rows, int(rows["ts_init"][-1]), SECOND)
    bars = np.zeros(len(made), BAR)
    for field, column in zip(
        ("open", "high", "low", "close", "volume", "turnover"), zip(*made, strict=True), strict=True
    ):
        bars[field] = column
    bars["ts_init"] = bars["ts_event"] = first + (np.arange(len(bars)) + 1) * SECOND
    none = rows[:0]
    config = FeatureConfig(groups=("candles", "indicators"), bars="outside")
    want = FeatureSet(config, price_increment=0.1, size_increment=0.001).update_many(none, bars)
    features = FeatureSet(config, price_increment=0.1, size_increment=0.001)
    rng = np.random.default_rng(34)
    cut = trade_streams.chunks(rng, len(bars), 40)
    turns = [features.update if i % 2 else features.update_many for i in range(len(cut))]
    assert_equal(joined([turn(none, bars[piece]) for turn, piece in zip(turns, cut, strict=True)]), want)
    # They are used one grid time later than the same bars built from trades, which are known at their close.
    out = np.empty((len(bars), len(SPECS)))
    inside.run(rows, bars["ts_init"], np.searchsorted(rows["ts_init"], bars["ts_init"], side="left"), out)
    settled = want.values[~np.isnan(want.values).any(axis=1)]
    raw = out[: len(want.ts)][~np.isnan(want.values).any(axis=1)]
    defined = ~np.isnan(raw)
    np.testing.assert_array_equal(settled[defined], raw[defined])


@pytest.mark.parametrize(("seed", "count", "interval_secs"), [(29, 9_000, 1), (30, 500, 1), (31, 9_000, 5)])
def test_every_feature_equals_its_naive_twin(seed: int, count: int, interval_secs: int) -> None:
    rows = trade_streams.busy(seed, count, seconds=350 * interval_secs)
    group = BarGroup(price_increment=0.1, size_increment=0.001, interval_ns=interval_secs * SECOND)
    start = int(rows["ts_init"][0]) // (interval_secs * SECOND) * interval_secs * SECOND
    everything = naive_bars.bars_before(rows, int(rows["ts_init"][-1]), interval_secs * SECOND)
    out = np.empty(len(SPECS))
    done, compared = 0, set()
    for count_closed in [*range(1, 90, 4), *range(190, len(everything), 9)]:
        ts_ns = start + count_closed * interval_secs * SECOND
        cut = int(np.searchsorted(rows["ts_init"], ts_ns, side="left"))
        group.absorb(rows[done:cut])
        group.sample(ts_ns, out)
        done = cut
        want = naive_bars.values(everything[:count_closed], 0.1, 0.001)
        assert set(want) == set(NAMES)
        expected = np.array([want[name] for name in NAMES])
        np.testing.assert_allclose(out, expected, rtol=1e-9, atol=2e-8, err_msg=str(count_closed))
        compared |= {name for name, value in want.items() if not np.isnan(value)}
    assert compared == set(NAMES)


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_naive_twins_on_recorded_markets(symbol: str, real_data: Path) -> None:
    rows = raw_books.perp_trades(real_data, symbol)
    everything = naive_bars.bars_before(rows, int(rows["ts_init"][-1]), SECOND)
    ts, values = make("BTCUSDT").update_many(rows)
    assert len(ts) >= len(everything)
    for closed in range(210, len(everything), 20):
        want = naive_bars.values(everything[:closed], 0.1, 0.001)
        expected = np.array([want[name] for name in NAMES])
        defined = ~np.isnan(expected)
        np.testing.assert_allclose(values[closed - 1][defined], expected[defined], rtol=1e-9, atol=2e-8)


def test_a_market_upside_down_gives_the_mirror_image() -> None:
    rows = trade_streams.busy(36, 6_000)
    turned = rows.copy()
    centre = 2 * 61_800
    turned["price"] = centre - rows["price"]
    config = FeatureConfig(groups=("candles", "indicators"))
    up, down = (
        FeatureSet(config, price_increment=1.0, size_increment=1.0).update_many(some).values for some in (rows, turned)
    )
    column = {name: place for place, name in enumerate(NAMES)}
    same = ["volume", "volume_ma_ratio", "volume_change_rate", "doji_strength", "adx", "atr_14"]
    against = [
        "hammer_strength",
        "macd",
        "macd_signal",
        "macd_histogram",
        "cci",
        "momentum_10",
        "obv",
        "ad_line",
        "cmf",
    ]
    against += ["obv_share", "ad_line_share"]
    around = {"open": "open", "close": "close", "high": "low", "bollinger_upper": "bollinger_lower"}
    around |= {name: name for name in NAMES if name.startswith(("sma_", "ema_", "ichimoku_")) and "bps" not in name}
    around |= {"vwap": "vwap", "keltner_upper": "keltner_lower"}
    swapped = {"plus_di": "minus_di"}
    turned_over = {"rsi_14": 100.0, "rsi_28": 100.0, "stochastic_k": 100.0, "stochastic_d": 100.0, "williams_r": -100.0}
    turned_over["bollinger_pct"] = 1.0
    image = np.full_like(up, np.nan)
    for name in same:
        image[:, column[name]] = up[:, column[name]]
    for name in against:
        image[:, column[name]] = -up[:, column[name]]
    for one, two in around.items():
        image[:, column[one]], image[:, column[two]] = centre - up[:, column[two]], centre - up[:, column[one]]
    for one, two in swapped.items():
        image[:, column[one]], image[:, column[two]] = up[:, column[two]], up[:, column[one]]
    for name, whole in turned_over.items():
        image[:, column[name]] = whole - up[:, column[name]]
    checked = [
        column[name] for name in {*same, *against, *around, *around.values(), *swapped, *swapped.values(), *turned_over}
    ]
    assert len(checked) > 40
    np.testing.assert_allclose(down[:, checked], image[:, checked], rtol=1e-9, atol=1e-6)


def test_memory_does_not_grow_over_ten_million_trades() -> None:
    rows = trade_streams.busy(35, 500_000, seconds=20_000)
    config = FeatureConfig(groups=("candles", "indicators"), grid_ms=60_000)
    features = FeatureSet(config, price_increment=0.1, size_increment=0.001)
    shift = int(rows["ts_init"][-1] - rows["ts_init"][0]) + 1
    features.update_many(rows)
    tracemalloc.start()
    try:
        sizes = []
        for _ in range(19):
            rows["ts_init"] += shift
            features.update_many(rows)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] - sizes[2] < 16 * 1024
    assert len(features.snapshot()) < 64 * 1024
