"""`Surveillance` as an object: its errors, its memory, and rows that no decent feed would send."""

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from fathom.detectors import (
    AlertKind,
    DetectorError,
    Layering,
    LayeringConfig,
    QuoteStuffing,
    Spoofing,
    SpoofingConfig,
    Surveillance,
    SurveillanceConfig,
)
from fathom.market.events import EVENT, Action, Flag, Kind, Side
from fathom.market.levels import COUNT
from tests.makers.hand_made import MID, MS, HandMade, settings, weighed
from tests.makers.random_market import random_market


def test_rows_of_another_kind_are_refused() -> None:
    with pytest.raises(DetectorError, match=r"Expected rows of fathom\.market\.EVENT, was float64"):
        Surveillance().update(np.zeros(3))


@pytest.mark.parametrize("how", ["readonly", "strided"])
def test_rows_in_any_memory_are_read(how: str) -> None:
    rows = HandMade().calm().array()
    given_rows = rows.copy()
    if how == "readonly":
        given_rows.flags.writeable = False
    else:
        wide = np.zeros(2 * len(rows), EVENT)
        wide[::2] = rows
        given_rows = wide[::2]
    one, other = Surveillance(), Surveillance()
    one.update(rows)
    other.update(given_rows)
    for name, array in one.snapshot().items():
        np.testing.assert_array_equal(array, other.snapshot()[name], err_msg=name)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (SurveillanceConfig(spoofing=SpoofingConfig(ttl_threshold_ms=300)), "watch.spoofing.params"),
        (SurveillanceConfig(spoofing=SpoofingConfig(weights=(0.0,) * 20)), "watch.spoofing.weights"),
        (SurveillanceConfig(spoofing=SpoofingConfig(trees=SpoofingConfig().trees[:3])), "watch.spoofing.grove.split"),
        (SurveillanceConfig(layering=LayeringConfig(size_percentile=60)), "watch.placed.sizes.shares"),
        (SurveillanceConfig(depth=50), "depth"),
    ],
)
def test_a_snapshot_of_other_settings_is_refused(config: SurveillanceConfig, name: str) -> None:
    with pytest.raises(DetectorError, match=f"was one whose {name} differs"):
        Surveillance(config).restore(Surveillance().snapshot())


@pytest.mark.parametrize("kind", [AlertKind.SPOOFING, AlertKind.LAYERING])
def test_each_size_percentile_moves_its_own_candidates_only(kind: AlertKind) -> None:
    rows = random_market(33, seconds=150, message_ms=(20, 120))

    def candidates(percentile: float) -> dict[AlertKind, set[tuple[int, ...]]]:
        spoofing = SpoofingConfig(
            size_percentile=percentile if kind == AlertKind.SPOOFING else 80, min_distance_ticks=0
        )
        layering = LayeringConfig(size_percentile=percentile if kind == AlertKind.LAYERING else 80, min_levels=2)
        watch = Surveillance(SurveillanceConfig(spoofing=spoofing, layering=layering), keep_candidates=True)
        watch.update(rows)
        log = watch.candidates()[0]
        names = ["ts_event", "side", "price_low", "price_high", "lots"]
        return {each: set(log[names][log["kind"] == each].tolist()) for each in AlertKind}

    low, middle, high = (candidates(percentile) for percentile in (40, 80, 95))
    assert len(low[kind]) > len(middle[kind]) > len(high[kind])
    other = AlertKind.LAYERING if kind == AlertKind.SPOOFING else AlertKind.SPOOFING
    for changed in (low[other], high[other]):  # orders of one level share what leaves it: a few may differ
        assert len(changed ^ middle[other]) <= 0.02 * len(middle[other])
    assert len(middle[other]) > 5


def test_a_snapshot_that_lacks_something_is_refused() -> None:
    saved = Surveillance().snapshot()
    del saved["watch.placed.flow.head"]
    with pytest.raises(DetectorError, match=r"was one without watch\.placed\.flow\.head"):
        Surveillance().restore(saved)


def test_a_snapshot_of_other_arrays_is_refused_and_changes_nothing() -> None:
    rows = random_market(7, seconds=40)
    half = len(rows) // 2
    watch, whole = Surveillance(), Surveillance()
    watch.update(rows[:half])
    whole.update(rows)
    saved = Surveillance().snapshot()
    saved["watch.placed.flow.level"] = saved["watch.placed.flow.level"].astype(np.float32)
    with pytest.raises(DetectorError, match="was one of other arrays"):
        watch.restore(saved)
    watch.update(rows[half:])
    for name, array in whole.snapshot().items():
        np.testing.assert_array_equal(watch.snapshot()[name], array, err_msg=name)


def test_a_detector_alone_says_what_it_says_among_the_others() -> None:
    low = {"threshold": 1e-9}
    parts = {"spoofing": low, "layering": {**low, "min_levels": 2}, "quote_stuffing": {**low, "warm_up_secs": 2}}
    config = msgspec.convert(parts, SurveillanceConfig)
    rows = random_market(5, seconds=300)
    together = Surveillance(config).update(rows)
    said = ["kind", "side", "ts_init", "lots", "confidence", "placed", "message"]
    for kind, detector in (
        (AlertKind.SPOOFING, Spoofing(config.spoofing)),
        (AlertKind.LAYERING, Layering(config.layering)),
        (AlertKind.QUOTE_STUFFING, QuoteStuffing(config.quote_stuffing)),
    ):
        alone, among = detector.update(rows), together[together["kind"] == kind]
        assert len(among) > 5
        if kind is AlertKind.SPOOFING:  # where layers are reported, their orders are not reported once more
            assert set(among[said].tolist()) <= set(alone[said].tolist())
        else:
            assert alone.tobytes() == among.tobytes()


def test_a_wrong_number_of_weights_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected 20 weights"):
        msgspec.convert({"weights": [1.0]}, SpoofingConfig)


def deep(levels: int) -> HandMade:
    """Return a market whose book has this many levels a side, far more than there is room for at first."""
    market = HandMade()
    for first in range(40, levels, 2000):
        bids = {MID - d: 10 for d in range(first, min(first + 2000, levels))}
        market.message(bids, {MID + 1 + d: 10 for d in range(first, min(first + 2000, levels))})
    market.calm()
    return market


def test_a_large_order_survives_the_growth_of_the_book() -> None:
    def watched(levels: int) -> list[dict[str, float]]:
        market = HandMade().calm()
        market.message(asks={MID + 10: 210})
        for first in range(40, levels, 1000):
            market.message({MID - d: 10 for d in range(first, first + 1000)})
            market.message(asks={MID + 1 + d: 10 for d in range(first, first + 1000)})
        market.trade(Side.SELL, MID, 60)
        market.message(asks={MID + 10: 10})
        market.quiet()
        _, watch = market.watched()
        assert (len(watch.book.pool) > 8192) == (levels > 4096)
        return weighed(watch, MID + 10, 200)

    (small,), (large,) = watched(2_000), watched(6_000)
    assert small["dominance"] == large["dominance"]
    assert small["size"] == large["size"]


def test_memory_grows_only_with_the_book() -> None:
    def nbytes(seconds: float) -> int:
        watch = Surveillance()
        watch.update(random_market(7, seconds=seconds))
        return watch.nbytes

    assert nbytes(20) == nbytes(300)
    watch = Surveillance()
    before = watch.nbytes
    watch.update(deep(10_000).array())
    assert int(watch.book.sides[:, COUNT].sum()) > 16_384
    assert before < watch.nbytes < 4 * before


rows_of_anything = st.lists(
    st.tuples(
        st.integers(-3, 300),  # venue time, against the time known
        st.integers(0, 50),  # step of the time known
        st.integers(MID - 30, MID + 30) | st.sampled_from([0, -5, MID - 90_000, MID + 90_000]),
        st.integers(-5, 400) | st.just(10**12),
        st.sampled_from([*Kind, 0, 9]),
        st.sampled_from([*Action, 0, 77]),
        st.sampled_from([0, 1, 1, 1, 2, 2, 2, 3, 255]),
        st.sampled_from([0, int(Flag.MBP), int(Flag.MBP | Flag.LAST), int(Flag.LAST), int(Flag.SNAPSHOT), 1, 2, 255]),
    ),
    max_size=300,
)


@examples(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rows_of_anything, st.sampled_from([0, 5]), st.integers(0, 300))
def test_rows_of_anything_neither_break_nor_divide_the_drivers(
    raw: list[tuple[int, ...]], depth: int, cut: int
) -> None:
    """Sizes below zero, sides and actions unknown, clocks that step, duplicates, crossed books: the laws hold."""
    rows = np.zeros(len(raw), EVENT)
    now = 1_700_000_000_000 * MS
    for row, (lag, step, price, size, kind, action, side, flags) in zip(rows, raw, strict=True):
        now += step * MS
        values = (now - lag * MS, now, 0, price, size, kind, action, side, flags)
        for field, value in zip(EVENT.names or (), values, strict=True):
            row[field] = value
    calm = HandMade().calm(60).array()
    whole, cuts = Surveillance(settings(depth)), Surveillance(settings(depth))
    whole.update(calm)
    cuts.update(calm)
    expected = whole.update(rows)
    found = np.concatenate([cuts.update(rows[:cut]), cuts.update(rows[cut:])])
    assert found.tobytes() == expected.tobytes()
    for name, array in whole.snapshot().items():
        assert array.tobytes() == cuts.snapshot()[name].tobytes(), name
    assert np.isfinite(expected["confidence"]).all()
    assert (expected["life_low"] <= expected["life_high"]).all()
