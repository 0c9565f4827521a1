"""The features of one instrument while events come in: any order within a time, any restart, no growth."""

import tracemalloc

import numpy as np
import pytest

from fathom.actors.feature_stream import FeatureStream
from fathom.market import Flag, Kind
from fathom.ml.features import FeatureConfig, FeatureError, FeatureSet, Vectors
from tests.makers.feature_replay import assert_same
from tests.makers.random_market import random_market

MS = 1_000_000
CONFIG = FeatureConfig(max_silence_ms=8_000)


def make(config: FeatureConfig = CONFIG) -> FeatureStream:
    return FeatureStream(FeatureSet(config, price_increment=0.1, size_increment=0.001))


def parts(rows: np.ndarray) -> list[np.ndarray]:
    """Return the messages and trades, one by one."""
    ends = np.flatnonzero((rows["kind"] == Kind.TRADE) | (rows["flags"] & Flag.LAST != 0)) + 1
    return np.split(rows, ends[:-1])


def shuffled(messages: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Return them in order of time, with the trades of a time before or after the messages of that time."""
    rng = np.random.default_rng(seed)
    ts = np.array([part["ts_init"][0] for part in messages])
    first = rng.integers(1, 3, int(np.unique(ts).size))[np.searchsorted(np.unique(ts), ts)]
    kinds = np.array([part["kind"][0] for part in messages])
    return [messages[i] for i in np.lexsort((kinds != first, ts))]


def feed(stream: FeatureStream, messages: list[np.ndarray]) -> list[Vectors]:
    found = []
    for part in messages:
        ts_ns = int(part["ts_init"][0])
        vectors = stream.until(ts_ns)
        if vectors is not None:
            found.append(vectors)
        if part["kind"][0] == Kind.BOOK:
            stream.arrivals.add_book(part, ts_ns)
        else:
            stream.arrivals.add_trade(part, ts_ns)
    return found


def together(vectors: list[Vectors]) -> Vectors:
    return Vectors(np.concatenate([part.ts for part in vectors]), np.concatenate([part.values for part in vectors]))


def batch(rows: np.ndarray, until_ns: int) -> Vectors:
    features = make().features
    return together([features.update_many(rows), features.advance(until_ns)])


@pytest.mark.parametrize("seed", range(3))
def test_events_in_any_order_of_their_times_give_the_vectors_of_the_batch(seed: int) -> None:
    rows = random_market(seed, seconds=60)
    stream, end = make(), int(rows["ts_init"][-1]) + 1
    last = feed(stream, shuffled(parts(rows), seed))
    rest = stream.until(end)
    assert_same(together([*last, *([rest] if rest else [])]), batch(rows, end))
    assert stream.features.late == 0


def test_a_timer_does_not_matter() -> None:
    rows = random_market(4, seconds=40)
    rng = np.random.default_rng(4)
    stream = make()
    found: list[Vectors | None] = []
    for part in parts(rows):
        ts_ns = int(part["ts_init"][0])
        found += [stream.until(int(timer)) for timer in np.sort(ts_ns - rng.integers(0, 30 * MS, 3))]
        found += feed(stream, [part])
    end = int(rows["ts_init"][-1]) + 1
    found.append(stream.until(end))
    assert_same(together([vectors for vectors in found if vectors is not None]), batch(rows, end))


def test_each_vector_comes_with_the_first_event_at_its_time_or_later() -> None:
    rows = random_market(5, seconds=20, odd=False)
    stream = make()
    for part in parts(rows):
        ts_ns = int(part["ts_init"][0])
        for vectors in feed(stream, [part]):
            assert (ts_ns - 1_000 * MS < vectors.ts).all()
            assert (vectors.ts <= ts_ns).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_restart_anywhere_changes_nothing(seed: int) -> None:
    rows = random_market(seed, seconds=30)
    messages = shuffled(parts(rows), seed + 10)
    end = int(rows["ts_init"][-1]) + 1
    stream, found = make(), []
    for at in np.array_split(np.arange(len(messages)), 7):
        found += feed(stream, [messages[i] for i in at])
        state, stream = stream.save(), make()
        stream.load(state)
    rest = stream.until(end)
    assert_same(together([*found, *([rest] if rest else [])]), batch(rows, end))


def test_a_state_of_other_features_is_refused() -> None:
    state = make().save()
    with pytest.raises(FeatureError, match="Expected the features of this set"):
        make(FeatureConfig(bar_ms=2_000)).load(state)


def test_an_event_that_is_late_is_counted() -> None:
    rows = parts(random_market(6, seconds=5, odd=False))
    stream = make()
    feed(stream, rows)
    last = int(rows[-1]["ts_init"][0])
    stream.until(last + 2_000 * MS)
    feed(stream, rows[-1:])
    stream.until(last + 4_000 * MS)
    assert stream.features.late == len(rows[-1])


def test_memory_does_not_grow() -> None:
    rows = random_market(7, seconds=30, odd=False)
    stream, span = make(), 40_000 * MS
    sizes = []
    tracemalloc.start()
    for turn in range(12):
        later = rows.copy()
        later["ts_init"] += turn * span
        later["ts_event"] += turn * span
        feed(stream, parts(later))
        del later
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes[6:]) - max(sizes[2:6]) < 100_000, sizes
