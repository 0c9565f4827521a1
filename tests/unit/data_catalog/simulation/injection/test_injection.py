"""The injector: the real rows stay, what is added is told, and the truth agrees with the rows."""

from collections import defaultdict

import numpy as np
import pytest

from fathom.data_catalog.simulation.injection.injection import InjectionConfig, inject
from fathom.data_catalog.simulation.injection.placing import measure_placing
from fathom.market.actors_truth import TRUTH, ActorKind, Ending
from fathom.market.events import EVENT, Action, Flag, Kind, Side
from fathom.studies.benchmark.labels import episodes_of
from tests.makers.random_market import random_market

BUSY = InjectionConfig(
    spoofing_per_hour=900, layering_per_hour=600, stuffing_per_hour=200, flickers_per_hour=300, icebergs_per_hour=300,
    large_per_hour=600, pegs_per_hour=300, warm_up_secs=5.0,
)  # fmt: skip
NOBODY = InjectionConfig(0, 0, 0, 0, 0, 0, 0)


def books(rows: np.ndarray) -> dict[int, dict[tuple[int, int], int]]:
    """Return the size of every level after each message, by its number."""
    level: dict[tuple[int, int], int] = {}
    found = {}
    n = 0
    for row in rows[rows["kind"] == Kind.BOOK].tolist():
        _, _, _, price, size, _, action, side, flags = row
        if action == Action.CLEAR:
            level = {}
        elif size > 0:
            level[side, price] = size
        else:
            level.pop((side, price), None)
        if flags & Flag.LAST:
            found[n] = dict(level)
            n += 1
    return found


@pytest.fixture(scope="module")
def market() -> np.ndarray:
    return random_market(5, seconds=120, odd=False)


def test_without_actors_the_stream_is_the_same(market: np.ndarray) -> None:
    made = inject(market, 1, NOBODY)
    np.testing.assert_array_equal(made.rows, market)
    assert len(made.truth) == 0


def test_the_same_seed_gives_the_same_stream(market: np.ndarray) -> None:
    one, same, other = inject(market, 1, BUSY), inject(market, 1, BUSY), inject(market, 2, BUSY)
    np.testing.assert_array_equal(one.rows, same.rows)
    np.testing.assert_array_equal(one.truth, same.truth)
    assert len(one.rows) != len(other.rows)


def test_every_trade_and_message_of_the_recording_is_kept(market: np.ndarray) -> None:
    made = inject(market, 1, BUSY)
    assert len(made.rows) > len(market)
    assert (np.diff(made.rows["ts_init"]) >= 0).all()
    last = (market["kind"] == Kind.BOOK) & (market["flags"] & Flag.LAST != 0)
    made_last = (made.rows["kind"] == Kind.BOOK) & (made.rows["flags"] & Flag.LAST != 0)
    np.testing.assert_array_equal(made.rows["ts_init"][made_last], market["ts_init"][last])
    real = market[market["kind"] == Kind.TRADE].tolist()
    told = iter(made.rows[made.rows["kind"] == Kind.TRADE].tolist())
    assert all(trade in told for trade in real)  # each, in this order


def test_the_book_is_the_recorded_one_plus_what_the_truth_tells(market: np.ndarray) -> None:
    # Only orders that are all in the truth: no genuine orders, and no stuffing, which is told as a whole.
    config = InjectionConfig(900, 600, 0, 300, 300, 600, 300, benefit_share=0.0, warm_up_secs=5.0)
    made = inject(market, 3, config)
    real, injected = books(market), books(made.rows)
    assert real.keys() == injected.keys()
    rows = market[(market["kind"] == Kind.BOOK) & (market["flags"] & Flag.LAST != 0)]
    kinds = set()
    for n, ts in enumerate(rows["ts_event"].tolist()):
        added: dict[tuple[int, int], int] = defaultdict(int)
        standing = made.truth[
            (made.truth["placed"] > 0) & (made.truth["placed"] <= ts)
            & ((made.truth["removed"] > ts) | (made.truth["removed"] == 0))
        ]  # fmt: skip
        for order in standing:
            added[int(order["side"]), int(order["price"])] += int(order["lots"])
            kinds.add(int(order["kind"]))
        expected = dict(real[n])
        for level, lots in added.items():
            expected[level] = expected.get(level, 0) + lots
        assert injected[n] == expected, f"message {n}"
    assert {ActorKind.SPOOFING, ActorKind.LAYERING, ActorKind.LARGE, ActorKind.PEG} <= kinds


def test_benefits_were_traded_on_the_other_side(market: np.ndarray) -> None:
    made = inject(market, 4, BUSY)
    told = made.truth[(made.truth["kind"] <= ActorKind.LAYERING) & (made.truth["benefit"] > 0)]
    assert len(told)
    trades = made.rows[made.rows["kind"] == Kind.TRADE]
    # What hits the other side has the aggressor of the side of the bait.
    for order in told:
        inside = (trades["ts_init"] > order["start"]) & (trades["ts_init"] <= order["end"])
        inside &= trades["side"] == order["side"]
        assert trades["size"][inside].sum() >= order["benefit"]


def test_shapes_are_drawn_from_the_ranges(market: np.ndarray) -> None:
    made = inject(market, 6, BUSY)
    baits = made.actors[made.actors["kind"] == ActorKind.SPOOFING]
    assert len(baits) > 10
    alone = baits[np.isin(baits["episode"], [e for e, n in zip(*np.unique(baits["episode"], return_counts=True),
                                                               strict=True) if n == 1])]  # fmt: skip
    lives = (alone["end"] - alone["start"]) * 1e-6
    assert ((lives >= 50) & (lives <= 5000)).all()
    assert ((baits["distance"] >= 1) & (baits["distance"] <= 22)).all()
    layers = made.actors[made.actors["kind"] == ActorKind.LAYERING]["orders"]
    assert layers.min() >= 3
    assert layers.max() <= 8
    endings = set(made.truth["ending"].tolist())
    assert {Ending.WITHDRAWN, Ending.MOVED, Ending.TRADED} <= endings


def test_an_order_never_shown_is_no_episode() -> None:
    truth = np.zeros(3, TRUTH)
    truth["kind"], truth["episode"] = ActorKind.SPOOFING, [1, 2, 3]
    truth["placed"], truth["removed"] = [0, 5, 5], [0, 9, 9]
    truth["ending"] = [Ending.NEVER_SEEN, Ending.WITHDRAWN, Ending.TRADED]
    assert set(episodes_of(truth, ActorKind.SPOOFING)) == {2}


def test_placing_is_measured_in_the_message_before() -> None:
    def row(ts: int, price: int, size: int, side: Side, flags: int = Flag.LAST) -> tuple[int, ...]:
        return (ts, ts, 0, price, size, Kind.BOOK, Action.UPDATE, side, flags)

    rows = np.array(
        [
            row(1, 100, 10, Side.BUY, 0),
            row(1, 99, 20, Side.BUY, 0),
            row(1, 101, 8, Side.SELL),
            row(5, 96, 60, Side.BUY),
        ],
        EVENT,
    )
    truth = np.zeros(1, TRUTH)
    truth["side"], truth["price"], truth["lots"], truth["placed"] = Side.BUY, 96, 60, 4
    found = measure_placing(rows, truth)
    assert int(found["distance"][0]) == 4
    assert float(found["multiple"][0]) == pytest.approx(60 / 15)
