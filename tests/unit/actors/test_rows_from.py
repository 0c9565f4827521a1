"""Actors that read the replayed catalog themselves: the same messages, at the same times, as from engine objects."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fathom.actors.detection import DetectionActorConfig
from fathom.actors.features import FeatureActorConfig
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import default_instruments
from fathom.data_catalog.replay import recorded_arrivals
from fathom.data_catalog.replay.recorded_arrivals import RecordedArrivals
from fathom.detectors import MarketWatchConfig, SurveillanceConfig
from fathom.market import Kind
from fathom.ml.features import FeatureConfig
from tests.makers import small_market
from tests.makers.feature_replay import make_actor, play, replay
from tests.makers.random_market import random_market
from tests.makers.small_market import BTC, ETH, SECOND, START, make_market
from tests.unit.actors import test_detection
from tests.unit.actors.test_detection import WATCH, listen, make

catalog = test_detection.catalog
SPANS: list[dict[str, int]] = [{}, {"start_ns": START + 31 * SECOND + 7, "end_ns": START + 60 * SECOND}]
KINDS = [("book", "trades"), ("trades", "book")]


def read(catalog: Path) -> dict[str, str]:
    return {"rows_from": str(catalog), "flags_from": str(catalog)}


def detections(catalog: Path, kinds: Sequence[str], span: dict[str, int], **settings: Any) -> list[str]:
    heard = listen(catalog, make(BTC, ETH, **settings), kinds=kinds, **span).heard
    return [f"{message.topic} {message.to_json()}" for message in heard]


def vectors(catalog: Path, kinds: Sequence[str], span: dict[str, Any], **settings: Any) -> list[tuple[str, int, bytes]]:
    collector = replay(catalog, make_actor(BTC, ETH, **settings), kinds=kinds, **span)
    return [(name, one.ts_init, one.values.tobytes()) for name in (BTC, ETH) for one in collector.vectors[name]]


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("span", SPANS)
def test_the_detectors_say_the_same_at_the_same_times(
    catalog: Path, kinds: Sequence[str], span: dict[str, int]
) -> None:
    want = detections(catalog, kinds, span, flags_from=str(catalog))
    assert sum(text.startswith("alerts") for text in want) > 5
    assert detections(catalog, kinds, span, **read(catalog)) == want


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("grid_ms", [100, 1_000])
def test_the_vectors_are_the_same_at_the_same_times(
    catalog: Path, kinds: Sequence[str], span: dict[str, int], grid_ms: int
) -> None:
    config = FeatureConfig(max_silence_ms=6_000, grid_ms=grid_ms)
    want = vectors(catalog, kinds, span, features=config, flags_from=str(catalog))
    assert len(want) > 40
    assert vectors(catalog, kinds, span, features=config, **read(catalog)) == want


def test_what_is_said_when_does_not_depend_on_how_much_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_market, "LEVELS", 200)  # a message of 401 rows, trades 7 ms after it
    make_market(tmp_path, ("BTCUSDT", "ETHUSDT"), seconds=40.0)
    watch = MarketWatchConfig(bar_ms=200, regime=WATCH.regime)
    heard = [
        [(message.topic, message.ts_init, message.to_json()) for message in listen(tmp_path, actor).heard]
        for actor in (make(BTC, ETH, watch=watch), make(BTC, ETH, watch=watch, rows_from=str(tmp_path)))
    ]
    assert heard[0] == heard[1]
    assert len(heard[0]) > 20
    times = {(ts_ns - START) // 1_000_000 for _, ts_ns, _ in heard[0]}
    assert not [time for time in times if time % 250 and time % 200 != 50]  # with the book or a timer, not a trade


@pytest.mark.parametrize("bar_ms", [500, 60_000])
def test_of_long_bars_no_more_is_read_than_lies_ready(
    catalog: Path, monkeypatch: pytest.MonkeyPatch, bar_ms: int
) -> None:
    watch = MarketWatchConfig(bar_ms=bar_ms, surveillance=WATCH.surveillance, regime=WATCH.regime)
    want = detections(catalog, KINDS[0], {}, watch=watch, flags_from=str(catalog))
    monkeypatch.setattr(recorded_arrivals, "_BATCH_ROWS", 300)
    taken: list[int] = []
    take = RecordedArrivals.take

    def counted(arrivals: RecordedArrivals, before_ns: int) -> Any:
        found = take(arrivals, before_ns)
        taken.append(len(found[0]))
        return found

    monkeypatch.setattr(RecordedArrivals, "take", counted)
    assert detections(catalog, KINDS[0], {}, watch=watch, **read(catalog)) == want
    assert max(taken) <= 350


def test_readers_at_any_distance_share_what_is_read(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_arrivals, "_BATCH_ROWS", 300)
    whole = np.concatenate(list(Catalog(catalog).events(BTC)))
    fast, slow = (RecordedArrivals(Catalog(catalog), BTC, start_ns=0) for _ in range(2))
    assert fast.take(START + 60 * SECOND)[0].tobytes() == slow.take(START + 60 * SECOND)[0].tobytes()
    assert fast.take(START + 90 * SECOND)[0].tobytes() == slow.take(START + 90 * SECOND)[0].tobytes()
    late = RecordedArrivals(Catalog(catalog), BTC, start_ns=0)
    assert late.take(START + 90 * SECOND)[0].tobytes() == whole.tobytes()


def test_vectors_without_a_book_are_of_the_trades_alone(catalog: Path) -> None:
    config = FeatureConfig(groups=("candles",), features=("close", "volume"), max_silence_ms=6_000)
    want = vectors(catalog, KINDS[0], {}, features=config, flags_from=str(catalog))
    assert len(want) > 40
    assert vectors(catalog, KINDS[0], {}, features=config, **read(catalog)) == want


@pytest.mark.parametrize("silence_ms", [4_000, 300_000])
def test_a_silence_is_as_long_in_both(tmp_path: Path, silence_ms: int) -> None:
    for symbol, gap, seed in (("BTCUSDT", 200 * SECOND, 3), ("ETHUSDT", 7 * SECOND, 4)):
        rows = random_market(seed, seconds=40.0)
        late = rows["ts_init"] > rows["ts_init"][len(rows) // 2]
        for name in ("ts_event", "ts_init"):
            rows[name][late] += gap
        with Catalog(tmp_path).book_writer(default_instruments()[symbol]) as book:
            book.write(rows[rows["kind"] == Kind.BOOK])
        with Catalog(tmp_path).trade_writer(default_instruments()[symbol]) as prints:
            trades = rows[rows["kind"] == Kind.TRADE]
            prints.write(trades, [str(number) for number in range(len(trades))])
    config = FeatureConfig(max_silence_ms=silence_ms)
    want = vectors(tmp_path, KINDS[0], {}, features=config, flags_from=str(tmp_path))
    assert (len(want) > 250) == (silence_ms == 300_000)
    assert vectors(tmp_path, KINDS[0], {}, features=config, **read(tmp_path)) == want


def test_a_depth_cuts_both_alike(catalog: Path) -> None:
    config = FeatureConfig(max_silence_ms=6_000, depth=5)
    want = vectors(catalog, KINDS[0], {}, features=config, flags_from=str(catalog))
    assert vectors(catalog, KINDS[0], {}, features=config, **read(catalog)) == want
    watch = MarketWatchConfig(bar_ms=500, surveillance=SurveillanceConfig(depth=5))
    said = detections(catalog, KINDS[0], {}, watch=watch, flags_from=str(catalog))
    assert detections(catalog, KINDS[0], {}, watch=watch, **read(catalog)) == said


def test_both_actors_follow_one_replay(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_arrivals, "_BATCH_ROWS", 200)
    watch = MarketWatchConfig(bar_ms=60_000)  # the detectors read far ahead of the features
    features, detection = make_actor(BTC, **read(catalog)), make(BTC, watch=watch, **read(catalog))
    play(catalog, [BTC], [features, detection])
    assert features.streams[BTC].features.late == 0
    assert detection.tables()["regimes"].num_rows == 0


def test_readers_of_one_replay_share_what_is_read(catalog: Path) -> None:
    whole = np.concatenate(list(Catalog(catalog).events(BTC)))
    one, other = (RecordedArrivals(Catalog(catalog), BTC, start_ns=0) for _ in range(2))
    cuts = [START + second * SECOND for second in (1, 20, 21, 90)]
    parts = [one.take(cut)[0] for cut in cuts]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert np.shares_memory(parts[1], other.take(cuts[1])[0])
    assert [len(part) for part in one.take(cuts[-1] + SECOND)] == [0, 0]


def test_without_flags_from_neither_has_flags(catalog: Path) -> None:
    config = FeatureConfig(max_silence_ms=6_000)
    want = vectors(catalog, KINDS[0], {}, features=config)
    assert want != vectors(catalog, KINDS[0], {}, features=config, **read(catalog))
    assert want == vectors(catalog, KINDS[0], {}, features=config, rows_from=str(catalog))
    said = detections(catalog, KINDS[0], {})
    assert detections(catalog, KINDS[0], {}, rows_from=str(catalog)) == said


def test_flags_and_rows_are_of_one_catalog() -> None:
    for kind in (DetectionActorConfig, FeatureActorConfig):
        with pytest.raises(ValueError, match=r"Expected flags_from to be rows_from \(x\), was y"):
            kind(instruments=(BTC,), rows_from="x", flags_from="y")


def test_a_replay_keeps_no_state() -> None:
    with pytest.raises(ValueError, match="Expected no state_folder with rows_from"):
        DetectionActorConfig(instruments=(BTC,), rows_from="x", state_folder="y")


def test_a_replay_is_not_continued(catalog: Path) -> None:
    arrivals = RecordedArrivals(Catalog(catalog), BTC, start_ns=0)
    for call in (arrivals.save, lambda: arrivals.load(b"")):
        with pytest.raises(CatalogError, match="Expected a replay from beginning to end"):
            call()
