"""Marks: prices at given times against a book of dictionaries that is looked at after every event."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.backtests.account.depths import Known
from fathom.backtests.account.marks import Held, read_marks
from fathom.backtests.setup.config import Data
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.market.events import Action, Kind, Side
from tests.makers.random_market import random_market
from tests.makers.small_market import BTC, SECOND, START, make_bars


def naive_marks(rows: NDArray[np.void], times: list[int]) -> list[tuple[float, float, float]]:
    """Return bid, ask and last trade in ticks after every event with ts_init <= time; NaN where there is none."""
    book: dict[int, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
    last, at, out = np.nan, 0, []
    for time in times:
        while at < len(rows) and rows[at]["ts_init"] <= time:
            row = rows[at]
            at += 1
            if row["kind"] == Kind.TRADE:
                last = float(row["price"])
            elif row["action"] == Action.CLEAR:
                book = {Side.BUY: {}, Side.SELL: {}}
            elif row["action"] == Action.DELETE or row["size"] == 0:
                book[row["side"]].pop(int(row["price"]), None)
            else:
                book[row["side"]][int(row["price"])] = int(row["size"])
        bids, asks = book[Side.BUY], book[Side.SELL]
        out.append((float(max(bids)) if bids else np.nan, float(min(asks)) if asks else np.nan, last))
    return out


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_marks_of_a_wild_market_are_those_of_a_naive_book(tmp_path: Path, seed: int) -> None:
    rows = random_market(seed, seconds=60.0)
    catalog, instrument = Catalog(tmp_path / "catalog"), default_instruments()["BTCUSDT"]
    with catalog.book_writer(instrument) as writer:
        writer.write(rows[rows["kind"] == Kind.BOOK])
    trades = rows[rows["kind"] == Kind.TRADE]
    with catalog.trade_writer(instrument) as writer:
        writer.write(trades, [str(number) for number in range(len(trades))])
    first, last = int(rows["ts_init"][0]), int(rows["ts_init"][-1])
    rng = np.random.default_rng(seed)
    times = np.unique(
        np.concatenate([rng.integers(first - SECOND, last + SECOND, 200), rng.choice(rows["ts_init"], 100)])
    )
    data = Data(catalog=str(catalog.path), instruments=[BTC])
    marks, counts = read_marks(catalog, instrument, data, times, first, last)
    want = np.array(naive_marks(rows, times.tolist())) * 0.1
    np.testing.assert_allclose(np.stack([marks.bid, marks.ask, marks.last], axis=1), want, rtol=1e-12)
    assert counts == {"book_deltas": int(np.count_nonzero(rows["kind"] == Kind.BOOK)), "trades": len(trades)}
    both = ~np.isnan(want[:, 0]) & ~np.isnan(want[:, 1])
    np.testing.assert_allclose(marks.mark[both], (want[both, 0] + want[both, 1]) / 2, rtol=1e-12)
    np.testing.assert_array_equal(marks.mark[~both], marks.last[~both])
    assert np.count_nonzero(~both) > 0
    exact = marks.bid[~np.isnan(marks.bid)]
    assert all(len(repr(price).partition(".")[2]) == 1 for price in exact.tolist())  # the nearest float of a decimal


def test_every_change_of_the_mark_is_kept_while_there_is_a_position(tmp_path: Path) -> None:
    rows = random_market(7, seconds=40.0)
    catalog, instrument = Catalog(tmp_path / "catalog"), default_instruments()["BTCUSDT"]
    with catalog.book_writer(instrument) as writer:
        writer.write(rows[rows["kind"] == Kind.BOOK])
    trades = rows[rows["kind"] == Kind.TRADE]
    with catalog.trade_writer(instrument) as writer:
        writer.write(trades, [str(number) for number in range(len(trades))])
    first, last = int(rows["ts_init"][0]), int(rows["ts_init"][-1])
    opened, closed = first + 10 * SECOND, first + 25 * SECOND
    held = Held(np.array([opened, closed]), np.array([2.0, 0.0]))
    data = Data(catalog=str(catalog.path), instruments=[BTC])
    marks, _ = read_marks(catalog, instrument, data, np.array([last]), first, last, held)
    times = np.unique(rows["ts_init"])
    dense, _ = read_marks(catalog, instrument, data, times, first, last)
    assert dense.path_ns.size == 0
    inside = (times >= opened) & (times < closed)
    known = Known.of(marks)
    start = int(np.searchsorted(times, marks.path_ns[0]))
    np.testing.assert_array_equal(known.at(times[start:])[inside[start:]], dense.mark[start:][inside[start:]])
    assert marks.path_ns.size > 50
    assert opened <= marks.path_ns[0]
    assert marks.path_ns[-1] < closed


def test_a_book_that_begins_without_a_snapshot_says_so(tmp_path: Path) -> None:
    rows = random_market(4, seconds=20.0, odd=False)
    catalog, instrument = Catalog(tmp_path / "catalog"), default_instruments()["BTCUSDT"]
    with catalog.book_writer(instrument) as writer:
        writer.write(rows[rows["kind"] == Kind.BOOK])
    data = Data(catalog=str(catalog.path), instruments=[BTC], types=["book"])
    first, last = int(rows["ts_init"][0]), int(rows["ts_init"][-1])
    times = np.array([last])
    assert read_marks(catalog, instrument, data, times, first, last)[0].whole
    assert not read_marks(catalog, instrument, data, times, first + 5 * SECOND, last)[0].whole


def test_bars_mark_with_the_last_close_and_unknown_times_are_refused(tmp_path: Path) -> None:
    kind = make_bars(tmp_path / "catalog", [600_000, 600_010, 600_020])
    catalog, instrument = Catalog(tmp_path / "catalog"), default_instruments()["BTCUSDT"]
    data = Data(catalog=str(catalog.path), instruments=[BTC], types=["bars"], bars=[kind])
    times = START + np.array([59, 60, 119, 120, 500]) * SECOND
    marks, counts = read_marks(catalog, instrument, data, times, START, START + 180 * SECOND)
    assert counts == {"bars": 3}
    np.testing.assert_array_equal(marks.mark, [np.nan, 60_000.0, 60_000.0, 60_001.0, 60_002.0])
    np.testing.assert_array_equal(marks.at(times[1:3]), [60_000.0, 60_000.0])
    wrong: Any = times[:1] + 1
    with pytest.raises(KeyError, match="Expected times of which the marks were asked"):
        marks.at(wrong)
