"""The laws of one recurrence with two drivers, bitwise, over every detector."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fathom.data_catalog.simulation.injection.simulated import simulated
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.detectors import Bar
from fathom.detectors.bars.detector import BarDetector
from fathom.market.events import Flag, Kind
from tests.conftest import PROJECT
from tests.makers.bar_cases import BAR_DETECTORS, walk
from tests.makers.detector_registry import DETECTORS, Registered, Said, bars_of_events, ends_of_messages, fed
from tests.makers.hand_made import MID, HandMade
from tests.makers.random_market import random_market
from tests.makers.raw_books import perp_events

MakeBar = Callable[[], BarDetector[object]]
Stream = tuple[np.ndarray, np.ndarray, int]  # events, bars, depth

EVENTS = [name for name, registered in DETECTORS.items() if registered.reads == "events"]


def deep() -> np.ndarray:
    """Rows of a market whose book outgrows the room it starts with, and of large orders and layers in it."""
    market = HandMade().calm()
    for first in range(40, 6000, 1000):
        for side in ("bids", "asks"):
            away = -1 if side == "bids" else 1
            market.message(**{side: {MID + away * d: 10 for d in range(first, first + 1000)}})
            market.message(**{side: {MID + away * 9: 200}})
            market.message(**{side: {MID + away * 9: 10}})
    for size in (300, 10):
        market.message(asks={MID + 4 + d: size for d in range(5)})
    return market.calm(60).array()


@pytest.fixture(scope="module", params=["random", "random depth 8", "deep", "simulated", "BTCUSDT", "ETHUSDT"])
def stream(request: pytest.FixtureRequest) -> Stream:
    """Events, the bars that they make, and the depth of the feed."""
    name, depth = request.param, 0
    if name == "random":
        rows = random_market(51, seconds=150)
    elif name == "random depth 8":
        rows, depth = random_market(52, seconds=150, depth=8), 8
    elif name == "deep":
        rows = deep()
    elif name == "simulated":
        scenario = load_scenario(PROJECT / "configs" / "simulation" / "manipulated.toml")
        rows, depth = simulated(scenario, 0, seed=53, secs=40.0).rows, scenario.feed.depth
    else:
        rows = perp_events(request.getfixturevalue("real_data"), name)[:40_000]
    return rows, bars_of_events(rows), depth


def inputs(registered: Registered, stream: Stream) -> np.ndarray:
    return stream[0] if registered.reads == "events" else stream[1]


def state(detector: Any) -> dict[str, bytes]:
    return {name: np.asarray(array).tobytes() for name, array in detector.snapshot().items()}


def in_order(said: Said) -> Said:
    # Alerts and bars of one call come apart: what counts is each of them and its time.
    return sorted(said)


@pytest.mark.parametrize("name", DETECTORS)
def test_chunks_do_not_matter(name: str, stream: Stream) -> None:
    registered, data = DETECTORS[name], inputs(DETECTORS[name], stream)
    whole = registered.make(stream[2])
    expected = in_order(registered.feed(whole, data))
    assert expected
    rng = np.random.default_rng(5)
    ways = [np.sort(rng.integers(0, len(data), 40)), np.arange(1, len(data), max(1, len(data) // 5_000))]
    if registered.reads == "events":
        ways.append(ends_of_messages(data)[:-1])
    for cuts in ways:
        detector = registered.make(stream[2])
        assert in_order(fed(registered, detector, np.split(data, cuts))) == expected
        assert state(detector) == state(whole)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_prefix_of_the_stream_gives_a_prefix_of_what_is_said(name: str, stream: Stream) -> None:
    registered, data = DETECTORS[name], inputs(DETECTORS[name], stream)
    expected = registered.feed(registered.make(stream[2]), data)
    for share in (0.1, 0.5, 0.9):
        k = int(share * len(data))
        if registered.reads == "events":
            # Cut where the time changes, so that it is plain what could be known.
            k = int(np.searchsorted(data["ts_init"], data["ts_init"][k]))
            known = [one for one in expected if one[0] <= data["ts_init"][k - 1]]
        else:
            known = expected[:k]
        assert in_order(registered.feed(registered.make(stream[2]), data[:k])) == in_order(known)


@pytest.mark.parametrize("name", DETECTORS)
def test_restored_in_mid_stream_it_goes_on_the_same(name: str, stream: Stream) -> None:
    registered, data = DETECTORS[name], inputs(DETECTORS[name], stream)
    for k in (len(data) // 3, len(data) * 3 // 4):
        detector = registered.make(stream[2])
        registered.feed(detector, data[:k])
        saved = detector.snapshot()
        expected = registered.feed(detector, data[k:])
        for _ in range(2):  # the snapshot is a copy: the first restore does not use it up
            fresh = registered.make(stream[2])
            registered.feed(fresh, data[: k // 2])  # what it knew before is forgotten
            fresh.restore(saved)
            assert registered.feed(fresh, data[k:]) == expected
            assert state(fresh) == state(detector)


@pytest.mark.parametrize("name", EVENTS)
def test_a_copy_goes_on_by_itself(name: str) -> None:
    registered, rows = DETECTORS[name], random_market(57, seconds=120)
    half = len(rows) // 2
    whole = registered.feed(registered.make(0), rows)
    first = registered.make(0)
    before = registered.feed(first, rows[:half])
    second = copy.deepcopy(first)
    registered.feed(first, rows[half : half + len(rows) // 4])  # the original: no business of the copy
    assert [*before, *registered.feed(second, rows[half:])] == whole
    assert len(whole) > len(before) > 10


@pytest.mark.parametrize("name", DETECTORS)
def test_memory_does_not_grow_with_the_stream(name: str) -> None:
    registered = DETECTORS[name]
    rows = random_market(54, seconds=60)
    data = rows if registered.reads == "events" else bars_of_events(rows)
    detector = registered.make(0)
    sizes = []
    for turn in range(4):
        later = data.copy()
        if registered.reads == "events":
            for field in ("ts_init", "ts_event"):
                later[field] += turn * 70_000_000_000
        registered.feed(detector, later)
        sizes.append(sum(np.asarray(array).nbytes for array in detector.snapshot().values()))
    # The zones that a MarketWatch reports come and go: a handful of numbers.
    assert max(sizes) - min(sizes) <= (256 if name == "MarketWatch" else 0)


@pytest.mark.parametrize("name", EVENTS)
def test_the_book_has_grown_on_the_way(name: str) -> None:
    rows = deep()
    assert rows["flags"][rows["kind"] == Kind.BOOK][-1] & Flag.LAST
    detector = DETECTORS[name].make(0)
    DETECTORS[name].feed(detector, rows)
    watch = getattr(detector, "surveillance", detector)
    assert len(watch.book.pool) == 2 * 8192


@pytest.mark.parametrize("make", BAR_DETECTORS)
def test_bar_by_bar_equals_many_bars(make: MakeBar) -> None:
    bars = walk(1500, seed=21)
    online = make()
    rows = [np.array(online.update(Bar(*bar)), dtype=np.float64) for bar in bars]
    np.testing.assert_array_equal(np.stack(rows), make().update_many(bars))


@pytest.mark.parametrize("make", BAR_DETECTORS)
def test_the_laws_hold_for_bars_that_do_everything(make: MakeBar) -> None:
    name = make.__name__
    bars = walk(1500, seed=23)
    test_chunks_do_not_matter(name, (bars, bars, 0))
    test_a_prefix_of_the_stream_gives_a_prefix_of_what_is_said(name, (bars, bars, 0))
    test_restored_in_mid_stream_it_goes_on_the_same(name, (bars, bars, 0))
