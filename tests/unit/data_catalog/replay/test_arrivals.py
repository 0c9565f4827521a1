"""Events given away in the order of the catalog, whatever the order in which they came."""

import numpy as np
import pytest

from fathom.data_catalog.replay.arrivals import Arrivals
from fathom.market.events import EVENT, Kind, TradeFlag
from fathom.ml.features import BAR


def row(kind: Kind, ts_ns: int, price: int = 1) -> np.ndarray:
    rows = np.zeros(1, EVENT)
    rows["kind"], rows["ts_init"], rows["price"] = kind, ts_ns, price
    return rows


def add(arrivals: Arrivals, rows: np.ndarray) -> None:
    if rows["kind"][0] == Kind.BOOK:
        arrivals.add_book(rows, int(rows["ts_init"][0]))
    else:
        arrivals.add_trade(rows, int(rows["ts_init"][0]))


@pytest.mark.parametrize("seed", range(4))
def test_any_order_within_equal_times_gives_the_order_of_the_catalog(seed: int) -> None:
    rng = np.random.default_rng(seed)
    book, trades = (
        [row(kind, ts_ns, i) for i, ts_ns in enumerate(np.sort(rng.integers(0, 40, 60)).tolist())]
        for kind in (Kind.BOOK, Kind.TRADE)
    )
    want = np.concatenate([*book, *trades])
    want = want[np.argsort(want["ts_init"], kind="stable")]
    arrivals, got = Arrivals(), []
    for ts_ns in range(41):
        for stream in (book, trades) if rng.random() < 0.5 else (trades, book):
            for rows in stream:
                if rows["ts_init"][0] == ts_ns:
                    got.append(arrivals.take(ts_ns)[0])
                    add(arrivals, rows)
    got.append(arrivals.take(100)[0])
    assert np.concatenate(got).tobytes() == want.tobytes()
    assert arrivals.held == 0


def test_nothing_of_the_asked_time_is_given_away() -> None:
    arrivals = Arrivals()
    for ts_ns in (5, 6, 6, 7):
        arrivals.add_book(row(Kind.BOOK, ts_ns), ts_ns)
    rows, bars = arrivals.take(6)
    assert rows["ts_init"].tolist() == [5]
    assert len(bars) == 0
    assert arrivals.held == 3
    assert arrivals.take(7)[0]["ts_init"].tolist() == [6, 6]


@pytest.mark.parametrize("flags_first", [True, False])
def test_flags_find_their_trade(flags_first: bool) -> None:
    arrivals = Arrivals()
    arrivals.add_trade(row(Kind.TRADE, 5), 5, "other")
    if flags_first:
        arrivals.add_flags("a", TradeFlag.RPI, 5)
        arrivals.take(5)
    arrivals.add_trade(row(Kind.TRADE, 5), 5, "a")
    if not flags_first:
        arrivals.add_flags("a", TradeFlag.RPI, 5)
    assert arrivals.take(6)[0]["flags"].tolist() == [0, TradeFlag.RPI]


def test_flags_without_a_trade_are_forgotten() -> None:
    arrivals = Arrivals()
    arrivals.add_flags("a", TradeFlag.RPI, 5)
    arrivals.take(6)
    arrivals.add_trade(row(Kind.TRADE, 7), 7, "a")
    assert arrivals.take(8)[0]["flags"].tolist() == [0]


def test_flags_that_come_after_their_trade_has_been_given_away_change_nothing() -> None:
    arrivals = Arrivals()
    arrivals.add_trade(row(Kind.TRADE, 5), 5, "a")
    rows, _ = arrivals.take(6)
    arrivals.add_flags("a", TradeFlag.RPI, 5)
    assert rows["flags"].tolist() == [0]


def test_bars_wait_like_rows() -> None:
    bars = np.zeros(3, BAR)
    bars["ts_init"] = [5, 6, 7]
    arrivals = Arrivals()
    arrivals.add_bars(bars[:2])
    arrivals.add_bars(bars[2:])
    assert arrivals.take(7)[1]["ts_init"].tolist() == [5, 6]
    assert arrivals.held == 1
    assert arrivals.take(8)[1]["ts_init"].tolist() == [7]


def test_what_waits_is_saved() -> None:
    arrivals = Arrivals()
    arrivals.add_trade(row(Kind.TRADE, 5, 3), 5)
    arrivals.add_book(np.concatenate([row(Kind.BOOK, 5, 1), row(Kind.BOOK, 5, 2)]), 5)
    bars = np.zeros(1, BAR)
    bars["ts_init"] = 5
    arrivals.add_bars(bars)
    again = Arrivals()
    again.load(arrivals.save())
    assert again.held == arrivals.held == 4
    for got, want in zip(again.take(6), arrivals.take(6), strict=True):
        assert got.tobytes() == want.tobytes()
        assert len(got)
