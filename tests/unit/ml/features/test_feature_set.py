"""The feature set: which events a vector sees, when it comes, and what is saved."""

from collections.abc import Mapping

import msgspec
import numpy as np
import pytest

from fathom.market import EVENT, Kind
from fathom.ml.features import BAR, FeatureConfig, FeatureError, FeatureSet, SchemaMismatchError
from fathom.ml.features.group import Group
from fathom.ml.features.spec import FeatureSpec
from tests.makers import trade_streams
from tests.makers.trade_streams import SECOND, START

BARS_ONLY = FeatureConfig(groups=("candles", "indicators"))


class Seen(Group):
    """A group whose value is what it has absorbed: the number of rows and the newest time."""

    specs = tuple(
        FeatureSpec(
            name=name,
            group="orderbook.test",
            unit="-",
            formula="n",
            source="Fathom",
            warm_up=0,
            nan_rule="never",
            stationary=False,
            text="Test.",
        )
        for name in ("rows", "newest_ms")
    )
    versions = {"orderbook": 1}

    def __init__(self) -> None:
        self.state = np.zeros(2)

    def absorb(self, rows: np.ndarray) -> None:
        if len(rows):
            self.state[:] = self.state[0] + len(rows), (rows["ts_init"][-1] - START) // 1_000_000

    def sample(self, ts_ns: int, out: np.ndarray) -> None:
        out[:] = self.state

    def snapshot(self) -> dict[str, np.ndarray]:
        return {"state": self.state.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.state[:] = state["state"]


def make(config: FeatureConfig = BARS_ONLY, groups: "list[Group] | None" = None) -> FeatureSet:
    return FeatureSet(config, price_increment=0.1, size_increment=0.001, groups=groups)


def at(*millis: int) -> np.ndarray:
    rows = np.zeros(len(millis), EVENT)
    rows["kind"], rows["price"], rows["size"] = Kind.TRADE, 100, 1
    rows["ts_init"] = START + np.array(millis) * 1_000_000
    return rows


def millis(ts: np.ndarray) -> list[int]:
    return ((ts - START) // 1_000_000).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("batch", [True, False])
def test_a_vector_sees_exactly_the_events_before_its_time(batch: bool) -> None:
    seen = make(FeatureConfig(groups=("orderbook",)), [Seen()])
    rows = at(100, 999, 1_000, 1_001, 2_000, 3_500, 3_600)
    ts, values = seen.update_many(rows) if batch else seen.update(rows)
    assert millis(ts) == [1_000, 2_000, 3_000]
    assert values.tolist() == [[2, 999], [4, 1_001], [5, 2_000]]


def test_a_first_event_on_the_grid_begins_with_the_next_time() -> None:
    seen = make(FeatureConfig(groups=("orderbook",)), [Seen()])
    assert millis(seen.update_many(at(0, 2_500)).ts) == [1_000, 2_000]


def test_a_timer_gives_what_the_next_event_would_have_given() -> None:
    rows = trade_streams.busy(4, 2_000)
    want = make().update_many(rows)
    features = make()
    ts, values = [], []
    rng = np.random.default_rng(6)
    for piece in trade_streams.chunks(rng, len(rows), 300):
        got = features.update(rows[piece])
        following = rows["ts_init"][piece.stop] if piece.stop < len(rows) else rows["ts_init"][-1]
        timed = features.advance(int(rng.integers(0, 2)) * int(following))
        for vectors in (got, timed):
            ts.append(vectors.ts)
            values.append(vectors.values)
    np.testing.assert_array_equal(np.concatenate(ts), want.ts)
    np.testing.assert_array_equal(np.concatenate(values), want.values)
    assert features.late == 0


def test_a_dead_feed_gives_no_vectors() -> None:
    config = FeatureConfig(groups=("orderbook",), max_silence_ms=2_500)
    rows = at(500, 1_200, 60_100, 60_300, 61_000)
    want = [1_000, 2_000, 3_000, 61_000]
    batch = make(config, [Seen()]).update_many(rows)
    assert millis(batch.ts) == want
    one = make(config, [Seen()])
    assert [t for i in range(len(rows)) for t in millis(one.update(rows[i : i + 1]).ts)] == want
    timed = make(config, [Seen()])
    assert millis(timed.update(rows[:2]).ts) == [1_000]
    assert millis(timed.advance(START + 50 * SECOND).ts) == [2_000, 3_000]
    assert millis(timed.update(rows[2:]).ts) == [61_000]


def test_events_that_come_too_late_are_counted() -> None:
    features = make()
    features.update(at(100, 500))
    features.advance(START + 2 * SECOND)
    features.update(at(1_999))
    assert features.late == 1
    features.update(at(2_000, 2_500, 3_500))
    assert features.late == 1


def test_nothing_comes_of_nothing() -> None:
    features = make()
    assert len(features.update(at()).ts) == 0
    assert len(features.update_many(at()).ts) == 0
    assert len(features.advance(START).ts) == 0
    assert features.advance(START).values.shape == (0, len(features.schema))


def test_events_out_of_order_are_refused() -> None:
    with pytest.raises(FeatureError, match=r"ordered by ts_init, was \d+ at place 2 after \d+: sort them"):
        make().update_many(at(1, 5, 4))


@pytest.mark.parametrize("wanted", ["all", "stationary"])
def test_columns_are_those_that_are_wanted(wanted: str) -> None:
    config = msgspec.convert({"groups": ["indicators"], "features": wanted}, FeatureConfig)
    features = make(config)
    assert {column.group for column in features.schema.columns} == {"indicators"}
    assert ("sma_10" in features.schema.names) == (wanted == "all")
    assert "sma_10_bps" in features.schema.names


def test_named_columns_come_in_their_order_and_equal_the_whole() -> None:
    rows = trade_streams.busy(7, 3_000)
    whole = make()
    part = make(FeatureConfig(groups=("candles", "indicators"), features=("rsi_14", "close")))
    everything, some = whole.update_many(rows), part.update_many(rows)
    assert part.schema.names == ("rsi_14", "close")
    np.testing.assert_array_equal(some.values, everything.values[:, whole.schema.positions(part.schema)])


def test_undefined_is_filled_without_looking_ahead() -> None:
    rows = trade_streams.busy(8, 4_000, seconds=300)
    features = make()
    _, values = features.update_many(rows)
    ready = ~np.isnan(values)
    first = ready.argmax(axis=0)
    for column in range(values.shape[1]):
        assert ready[first[column] :, column].all()


def test_a_vector_is_ready_once_every_feature_is_warm() -> None:
    vectors = make().update_many(trade_streams.busy(9, 8_000))
    warm = max(spec.warm_up for spec in make()._groups[0].specs)
    assert vectors.ready.argmax() == warm - 1
    assert vectors.ready[warm - 1 :].all()


@pytest.mark.parametrize("batch", [True, False])
def test_bars_from_outside(batch: bool) -> None:
    config = FeatureConfig(groups=("candles",), features=("close",), bars="outside", grid_ms=60_000)
    bars = np.zeros(4, BAR)
    bars["ts_init"] = START + np.array([60, 120, 180, 240]) * SECOND
    for name in ("open", "high", "low", "close"):
        bars[name] = [10, 20, 30, 40]
    features = make(config)
    none = np.zeros(0, EVENT)
    ts, values = features.update_many(none, bars) if batch else features.update(none, bars)
    # A bar that is known at T is used from the next grid time on, like every event.
    first = START // (60 * SECOND) * 60 * SECOND
    assert ((ts - first) // SECOND).tolist() == [120, 180, 240]
    assert values.round(6).ravel().tolist() == [1.0, 2.0, 3.0]


def test_a_state_is_restored_to_the_last_bit() -> None:
    rows = trade_streams.busy(10, 3_000)
    want = make().update_many(rows)
    for cut in (0, 1, 700, 2_999):
        before, after = make(), make()
        first = before.update_many(rows[:cut])
        after.restore(before.snapshot())
        second = after.update_many(rows[cut:])
        np.testing.assert_array_equal(np.concatenate([first.values, second.values]), want.values)


def test_a_foreign_state_is_refused() -> None:
    state = make().snapshot()
    with pytest.raises(SchemaMismatchError, match="setting bar_ms: 5000 here, 1000 there"):
        make(FeatureConfig(groups=("candles", "indicators"), bar_ms=5_000)).restore(state)
    with pytest.raises(FeatureError, match=r"increments \(0.01, 1.0\), was \(0.1, 0.001\)"):
        FeatureSet(BARS_ONLY, price_increment=0.01, size_increment=1.0).restore(state)
    with pytest.raises(FeatureError, match="Expected the snapshot of a feature set, was something else"):
        make().restore(b"not a state")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"grid_ms": 0}', "Expected grid_ms above 0, was 0"),
        ('{"groups": []}', "Expected groups to be distinct and not empty"),
        ('{"groups": ["candles", "candles"]}', "Expected groups to be distinct"),
        ('{"groups": ["candle"]}', "Expected the name of a feature group, was 'candle'. Did you mean 'candles'"),
        ('{"bar_secs": 5}', "Object contains unknown field `bar_secs`"),
    ],
)
def test_settings_are_checked(text: str, message: str) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match=message):
        msgspec.json.decode(text, type=FeatureConfig)


@pytest.mark.parametrize("features", [(), ("mid_price", "mid_price")])
def test_no_features_and_the_same_twice_are_refused(features: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="Expected features to be distinct and not empty, was"):
        FeatureConfig(features=features)
