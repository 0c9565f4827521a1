"""The measures of a market against counting by hand and against a plain replay."""

from typing import Any

import numpy as np
import pytest

from fathom.data_catalog.simulation.config import Feed, Simulation
from fathom.data_catalog.simulation.measured.statistics import QUANTILES, log_quantiles, market_statistics
from fathom.data_catalog.simulation.moves import SimulationError
from fathom.market.events import EVENT, Action, Flag, Kind, Side
from tests.makers.simulated_features import merged, simulate_arrays

SECOND = 1_000_000_000


def rows_of(lines: list[tuple[float, int, int, int, int, int]]) -> Any:
    """Return event rows from (secs, kind, action, side, price, size), each its own message."""
    rows = np.zeros(len(lines), EVENT)
    for row, (secs, kind, action, side, price, size) in zip(rows, lines, strict=True):
        row["ts_event"] = row["ts_init"] = 10 * SECOND + int(secs * SECOND)
        row["kind"], row["action"], row["side"], row["price"], row["size"] = kind, action, side, price, size
        row["flags"] = Flag.MBP | Flag.LAST if kind == Kind.BOOK else 0
    return rows


def test_a_market_small_enough_to_count() -> None:
    book, trade = int(Kind.BOOK), int(Kind.TRADE)
    add, update, delete, buy, sell = Action.ADD, Action.UPDATE, Action.DELETE, Side.BUY, Side.SELL
    rows = rows_of(
        [
            (0.0, book, add, buy, 1000, 5),
            (0.0, book, add, sell, 1001, 4),
            (0.5, trade, 0, buy, 1001, 3),
            (0.5, book, update, sell, 1001, 1),
            (1.0, book, delete, sell, 1001, 0),
            (1.0, book, add, sell, 1004, 7),
            (2.0, trade, 0, sell, 1000, 1),
            (2.0, book, update, buy, 1000, 4),
            (3.0, book, add, buy, 999, 8),
        ]
    )
    found, mids = market_statistics([rows[:4], rows[4:]], "X", 0.5, 0.1)
    assert found.secs == 3.0
    assert found.messages_per_sec == pytest.approx(7 / 3)
    assert (found.add_share, found.update_share, found.delete_share) == pytest.approx((4 / 7, 2 / 7, 1 / 7))
    assert found.spread_one_tick_share == pytest.approx(2 / 5)  # of the five messages with two sides
    assert found.trades_per_sec == pytest.approx(2 / 3)
    # Removed: 3 and 1 from the first ask, 1 from the bid; 4 lots of these 5 were traded.
    assert found.cancelled_to_traded == pytest.approx((5 - 4) / 4)
    assert found.taker_sign_autocorrelation == -1.0
    assert found.level_life_secs[2] == pytest.approx(1.0, rel=0.03)
    # Grid times 0.1 s to 3.0 s; the book of the second row is known from then on.
    assert mids[:9] == pytest.approx(np.full(9, 500.25))
    assert mids[10:] == pytest.approx(np.full(20, 501.0))


@pytest.mark.parametrize("n", [1, 7, 5000])
def test_log_quantiles_are_right_to_a_bin(n: int) -> None:
    values = np.random.default_rng(n).lognormal(8.0, 2.0, n)
    counts = np.bincount((np.log2(np.maximum(values, 1)) * 16).astype(int), minlength=1024)
    exact = np.quantile(values, QUANTILES, method="inverted_cdf")
    assert np.array(log_quantiles(counts)) == pytest.approx(exact, rel=0.045)


def test_measures_equal_a_plain_replay() -> None:
    book, trades, _ = simulate_arrays(Simulation(scenario="x", feed=Feed(depth=50)), 1, 30.0)
    found, mids = market_statistics([merged(book, trades)], "X", 0.1, 0.001)
    books: dict[int, dict[int, int]] = {1: {}, 2: {}}
    born: dict[tuple[int, int], int] = {}
    lives, spreads, changes, removed, in_message = [], [], [], 0, 0
    depth, next_depth, shown = [], 0, []
    for event, init, _, price, size, _, action, side, flags in book.tolist():
        in_message += 1
        if action != Action.CLEAR:
            before = books[side].pop(price, 0)
            if size:
                books[side][price] = size
            if not flags & Flag.SNAPSHOT:
                removed += max(0, before - size)
                if not before:
                    born[side, price] = event
                if not size and (side, price) in born:
                    lives.append(event - born.pop((side, price)))
            if not size:
                born.pop((side, price), None)
        if not flags & Flag.LAST:
            continue
        changes.append(in_message)
        in_message = 0
        bid, ask = max(books[1]), min(books[2])
        spreads.append(2e4 * (ask - bid) / (ask + bid))
        shown.append((init, 0.05 * (bid + ask)))
        if init >= next_depth:
            next_depth = init + SECOND
            depth += [sorted(books[1].items(), reverse=True)[:20], sorted(books[2].items())[:20]]
    lots = np.array([[size for _, size in levels] for levels in depth]).mean(axis=0)
    price = mids.mean()
    assert found.depth_size == pytest.approx(tuple(lots * 0.001 * price))
    assert found.spread_mean_bps == pytest.approx(float(np.mean(spreads)))
    assert found.changes_per_message == pytest.approx(np.quantile(changes, QUANTILES, method="inverted_cdf"))
    assert found.level_life_secs == pytest.approx(np.quantile(lives, QUANTILES, method="inverted_cdf") / 1e9, rel=0.045)
    traded = int(trades["size"].sum())
    assert found.cancelled_to_traded == pytest.approx((removed - traded) / traded)
    start = shown[0][0]
    times, values = (np.array(column) for column in zip(*shown, strict=True))
    grid = start + (np.arange(len(mids)) + 1) * SECOND // 10
    assert mids == pytest.approx(values[np.searchsorted(times, grid, side="left") - 1])
    returns = 1e4 * np.diff(np.log(mids))
    assert found.volatility_bps[0] == pytest.approx(returns.std() / 0.1**0.5)


def test_a_market_without_a_book_is_refused() -> None:
    with pytest.raises(SimulationError, match="Expected a book with two sides"):
        market_statistics([rows_of([(0.0, int(Kind.TRADE), 0, 1, 10, 1)])], "X", 0.1, 0.1)
