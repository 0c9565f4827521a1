"""The laws over all detectors of an instrument together: any chunks, prefixes, timers, and restored states."""

from collections import Counter

import numpy as np
import pytest

from fathom.detectors import BarFindings, Findings, MarketWatch, MarketWatchConfig
from fathom.detectors.book.layering import LayeringConfig
from fathom.detectors.book.quote_stuffing import QuoteStuffingConfig
from fathom.detectors.book.spoofing import SpoofingConfig
from fathom.detectors.book.surveillance import SurveillanceConfig
from fathom.ml.features import FeatureConfig, FeatureSet
from tests.makers.random_market import random_market
from tests.twins.naive_market_bars import naive_bars

SECOND = 1_000_000_000
# Whatever is weighed is reported: the laws want many alerts, not good ones.
EVERYTHING = SurveillanceConfig(
    spoofing=SpoofingConfig(threshold=1e-9),
    layering=LayeringConfig(threshold=1e-9),
    quote_stuffing=QuoteStuffingConfig(threshold=1e-9, warm_up_secs=5.0),
)
CONFIG = MarketWatchConfig(bar_ms=500, surveillance=EVERYTHING)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    market = random_market(5, seconds=150)
    gap = market["ts_init"] > market["ts_init"][0] + 100 * SECOND
    for name in ("ts_init", "ts_event"):
        market[name][gap] += 400 * SECOND  # longer than the bars that a silence makes
    return market


def joined(parts: list[Findings]) -> Findings:
    return Findings(np.concatenate([part.alerts for part in parts]), [bar for part in parts for bar in part.bars])


def same(got: Findings, want: Findings) -> None:
    assert got.alerts.tobytes() == want.alerts.tobytes()
    assert [repr(bar) for bar in got.bars] == [repr(bar) for bar in want.bars]


def chunked(watch: MarketWatch, rows: np.ndarray, seed: int, pieces: int) -> Findings:
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(rows), pieces))
    return joined([watch.update(part) for part in np.split(rows, cuts)])


def test_the_market_has_something_of_everything(rows: np.ndarray) -> None:
    found = MarketWatch(CONFIG).update(rows)
    assert len(found.alerts) > 30
    assert 500 < len(found.bars) < 650
    zones = [bar.views["levels"] for bar in found.bars]
    assert any(zone.supports for zone in zones)
    assert any(zone.resistances for zone in zones)
    said = Counter(news.detector.name for bar in found.bars for news in bar.news)
    assert set(said) == {"levels", "regime", "waves"}
    assert all(1 < count < len(found.bars) for count in said.values())


@pytest.mark.parametrize(("seed", "pieces"), [(1, 3), (2, 400)])
def test_any_chunks_give_the_same(rows: np.ndarray, seed: int, pieces: int) -> None:
    same(chunked(MarketWatch(CONFIG), rows, seed, pieces), MarketWatch(CONFIG).update(rows))


def test_row_by_row_gives_the_same(rows: np.ndarray) -> None:
    rows = rows[:1500]
    watch = MarketWatch(CONFIG)
    same(joined([watch.update(rows[i : i + 1]) for i in range(len(rows))]), MarketWatch(CONFIG).update(rows))


def test_a_timer_changes_nothing(rows: np.ndarray) -> None:
    watch, parts = MarketWatch(CONFIG), []
    start, end = int(rows["ts_init"][0]), int(rows["ts_init"][-1])
    done = 0
    for now in range(start, end, SECOND // 3):
        cut = int(np.searchsorted(rows["ts_init"], now))
        parts += [watch.update(rows[done:cut]), watch.advance(now)]
        done = cut
    parts.append(watch.update(rows[done:]))
    same(joined(parts), MarketWatch(CONFIG).update(rows))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_prefix_of_the_rows_gives_a_prefix(rows: np.ndarray, share: float) -> None:
    whole = MarketWatch(CONFIG).update(rows)
    part = MarketWatch(CONFIG).update(rows[: int(share * len(rows))])
    same(part, Findings(whole.alerts[: len(part.alerts)], whole.bars[: len(part.bars)]))
    assert len(part.bars) > 20


@pytest.mark.parametrize("share", [0.05, 0.6])
def test_a_restored_watch_goes_on_the_same(rows: np.ndarray, share: float) -> None:
    cut = int(share * len(rows))
    watch = MarketWatch(CONFIG)
    watch.update(rows[:cut])
    saved = watch.snapshot()
    want = watch.update(rows[cut:])
    fresh = MarketWatch(CONFIG)
    fresh.restore(saved)
    same(fresh.update(rows[cut:]), want)


def test_bars_from_outside_are_interleaved_by_time(rows: np.ndarray) -> None:
    """The bars that a watch builds, fed to another from outside, bring the same levels, regimes and waves."""
    inside = MarketWatch(CONFIG).update(rows)
    outside = MarketWatch(MarketWatchConfig(bar_ms=500, surveillance=EVERYTHING, bars="outside"))
    ts = np.array([bar.ts_ns for bar in inside.bars])
    bars = np.array([bar.bar for bar in inside.bars])
    bars[:, 4:] = np.nan  # the walls are read from the book
    parts, done = [], 0
    for cut in [*range(0, len(rows), 777)[1:], len(rows)]:
        last = rows["ts_init"][cut - 1] if cut < len(rows) else 1 << 62
        now = slice(int(np.searchsorted(ts, rows["ts_init"][done])), int(np.searchsorted(ts, last, "right")))
        known = ts[now] > (rows["ts_init"][done - 1] if done else 0)
        parts.append(outside.update(rows[done:cut], ts[now][known], bars[now][known]))
        done = cut
    same(joined(parts), inside)


def test_bars_are_what_their_definition_says(rows: np.ndarray) -> None:
    found: list[BarFindings] = MarketWatch(CONFIG).update(rows).bars
    want = naive_bars(rows, 500_000_000)
    assert [bar.ts_ns for bar in found] == [ts_ns for ts_ns, _ in want]
    np.testing.assert_array_equal(np.array([bar.bar for bar in found]), np.array([bar for _, bar in want]))


def test_the_features_of_a_model_are_the_nearest_levels_of_the_detector(rows: np.ndarray) -> None:
    """`support_level_1` and `resistance_level_1` at T are what the detector said of the bar that closed at T."""
    config = FeatureConfig(groups=("orderbook",), features=("support_level_1", "resistance_level_1"))
    vectors = FeatureSet(config, price_increment=0.5, size_increment=1.0).update_many(rows)
    zones = {bar.ts_ns: bar.views["levels"] for bar in MarketWatch().update(rows).bars}
    compared = 0
    for ts_ns, values in zip(vectors.ts.tolist(), vectors.values, strict=True):
        zone = zones.get(ts_ns)
        for value, side in zip(values, (zone.supports, zone.resistances) if zone else ((), ()), strict=True):
            if side:
                assert value == 0.5 * side[0][0]
                compared += 1
    assert compared > 150
