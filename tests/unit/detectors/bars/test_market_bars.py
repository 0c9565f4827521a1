"""Walls of the book at a close, by their definition."""

import numpy as np

from fathom.detectors import MarketWatch, MarketWatchConfig
from fathom.detectors.bars.market_bars import WALL_LEVELS, wall
from fathom.market import EVENT, Action, Flag, Kind, Side
from fathom.market.levels import ASK, BID
from tests.makers.random_market import random_market


def book_of(levels: list[tuple[Side, int, int]]) -> np.ndarray:
    rows = np.zeros(len(levels), EVENT)
    rows["kind"], rows["action"], rows["ts_init"], rows["ts_event"] = Kind.BOOK, Action.ADD, 5, 5
    for row, (side, price, lots) in zip(rows, levels, strict=True):
        row["side"], row["price"], row["size"] = side, price, lots
    rows["flags"][-1] = Flag.LAST
    return rows


def walls(watch: MarketWatch) -> list[float]:
    out = np.empty(4)
    wall(watch.surveillance.book, BID, out[:2])
    wall(watch.surveillance.book, ASK, out[2:])
    return out.tolist()


def test_a_wall_is_the_largest_level_over_the_mean_of_the_others() -> None:
    watch = MarketWatch()
    bids = [(Side.BUY, 100 - i, 10) for i in range(5)]
    watch.update(book_of([*bids, (Side.BUY, 90, 80), (Side.SELL, 101, 3), (Side.SELL, 104, 9), (Side.SELL, 110, 9)]))
    assert walls(watch) == [90.0, 8.0, 104.0, 1.5]  # of equal ones the nearest


def test_one_level_is_no_wall() -> None:
    watch = MarketWatch()
    watch.update(book_of([(Side.BUY, 100, 10), (Side.SELL, 101, 3), (Side.SELL, 102, 3)]))
    assert np.isnan(walls(watch)[:2]).all()
    assert walls(watch)[2:] == [101.0, 1.0]


def test_only_the_best_levels_are_looked_at() -> None:
    watch = MarketWatch()
    watch.update(book_of([(Side.BUY, 1000 - i, 10) for i in range(WALL_LEVELS)] + [(Side.BUY, 100, 9_000)]))
    assert walls(watch)[:2] == [1000.0, 1.0]


def test_walls_of_a_random_book_are_those_of_a_plain_one() -> None:
    rows = random_market(8, seconds=40)
    watch = MarketWatch(MarketWatchConfig(bar_ms=1_000))
    book: dict[int, dict[int, int]] = {1: {}, 2: {}}
    seen = 0
    for row in rows:
        watch.update(row.reshape(1))
        if row["kind"] == Kind.BOOK:
            if row["action"] == Action.CLEAR:
                book = {1: {}, 2: {}}
            elif row["size"] == 0 or row["action"] == Action.DELETE:
                book[int(row["side"])].pop(int(row["price"]), None)
            else:
                book[int(row["side"])][int(row["price"])] = int(row["size"])
        if row["flags"] & Flag.LAST and row["kind"] == Kind.BOOK:
            for place, side in enumerate((1, 2)):
                best = sorted(book[side].items(), reverse=side == 1)[:WALL_LEVELS]
                got = walls(watch)[2 * place : 2 * place + 2]
                if len(best) < 2:
                    assert np.isnan(got).all()
                    continue
                price, lots = max(best, key=lambda level: level[1])
                others = (sum(size for _, size in best) - lots) / (len(best) - 1)
                assert got[0] == price
                np.testing.assert_allclose(got[1], lots / others, rtol=1e-12)
                seen += 1
    assert seen > 100
