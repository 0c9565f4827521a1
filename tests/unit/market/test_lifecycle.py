"""One book side by side with what must be known of each level; messages are 100 ms apart."""

from typing import Any

import numpy as np
import pytest

from fathom.market.events import Action, Flag, Side, TradeFlag
from fathom.market.levels import (
    ADDED,
    ASK,
    BEST,
    BID,
    BORN,
    BORN_AFTER,
    BORN_DISTANCE,
    BORN_LOTS,
    CANCELLED,
    COUNT,
    KEY,
    LOTS,
    PEAK,
    PENDING,
    TOTAL,
    TRADED,
    UNSEEN,
    UPDATES,
    BookArrays,
    find,
)
from fathom.market.lifecycle import (
    CAUSE,
    CLOSED,
    CLOSED_COUNT,
    END_LOTS,
    END_TRADED,
    FINAL_FROM,
    FINAL_TO,
    GONE,
    GONE_AFTER,
    MALFORMED,
    UNKNOWN_DELETES,
    UNMATCHED_LOTS,
    UNSURE,
    Cause,
    book_row,
    grown,
    is_full,
    new_book,
    trade_row,
)
from tests.makers.random_market import random_market

MS = 1_000_000


class Market:
    """A book driven by messages."""

    def __init__(self, depth: int = 0) -> None:
        self.book: BookArrays = new_book(depth=depth, levels=64)
        self.now = 0
        self.snapshot(bids={100: 10, 99: 20}, asks={101: 10, 102: 20, 103: 30})

    def snapshot(self, bids: dict[int, int], asks: dict[int, int]) -> None:
        self.now += 100 * MS
        book_row(self.book, 0, 0, Action.CLEAR, 0, Flag.SNAPSHOT, self.now)
        self._send([(Side.BUY, *level) for level in bids.items()] + [(Side.SELL, *level) for level in asks.items()])

    def message(self, bids: dict[int, int] | None = None, asks: dict[int, int] | None = None) -> None:
        self.now += 100 * MS
        self._send(
            [(Side.BUY, *level) for level in (bids or {}).items()]
            + [(Side.SELL, *level) for level in (asks or {}).items()]
        )

    def trade(self, side: Side, price: int, size: int, *, late_ms: int = -10, flags: int = 0) -> None:
        trade_row(self.book, price, size, side, flags, self.now - late_ms * MS)

    def _send(self, changes: list[tuple[Side, int, int]]) -> None:
        for i, (side, price, size) in enumerate(changes):
            action = Action.UPDATE if size else Action.DELETE
            flags = Flag.MBP | (Flag.LAST if i == len(changes) - 1 else 0)
            book_row(self.book, price, size, action, side, flags, self.now)

    def ask(self, price: int) -> Any:
        return self.book.pool[find(self.book, ASK, price)]

    def ends(self) -> list[Any]:
        return [self.book.closed[n % CLOSED] for n in range(self.book.head[CLOSED_COUNT])]


def test_births_are_intervals_and_those_of_a_snapshot_are_not_seen() -> None:
    market = Market()
    assert market.ask(101)[BORN_AFTER] == UNSEEN
    market.message(asks={102: 25})
    market.message(bids={98: 0}, asks={100: 7})
    level = market.ask(100)
    assert (level[BORN], level[BORN_AFTER]) == (300 * MS, 200 * MS)
    assert (level[BORN_LOTS], level[PEAK], level[BORN_DISTANCE], level[UPDATES]) == (7, 7, -1, 1)
    assert market.book.head[UNKNOWN_DELETES] == 1


def test_a_level_beyond_what_the_feed_showed_may_be_old() -> None:
    market = Market()
    market.message(asks={104: 5, 102: 0})
    assert market.ask(104)[BORN_AFTER] == UNSEEN
    market.message(asks={102: 5})
    assert market.ask(102)[BORN_AFTER] == 200 * MS


def test_volumes_add_up() -> None:
    market = Market()
    market.message(asks={101: 30})
    market.trade(Side.BUY, 101, 4)
    market.message(asks={101: 20})
    level = market.ask(101)
    assert (level[LOTS], level[BORN_LOTS], level[ADDED]) == (20, 10, 20)
    assert (level[TRADED], level[CANCELLED], level[PEAK]) == (4, 6, 30)


def test_a_level_ends_by_a_trade_or_by_cancellation() -> None:
    market = Market()
    market.trade(Side.BUY, 101, 10)
    market.trade(Side.BUY, 102, 5)
    market.message(asks={101: 0, 102: 0})
    market.message(asks={103: 31})
    ends = market.ends()
    assert [(end[KEY], end[END_LOTS], end[END_TRADED], Cause(end[CAUSE])) for end in ends] == [
        (101, 10, 10, Cause.TRADED),
        (102, 20, 5, Cause.CANCELLED),
    ]
    assert (ends[0][GONE_AFTER], ends[0][GONE]) == (100 * MS, 200 * MS)
    assert ends[1][CANCELLED] == 15


def test_a_level_that_trades_went_through_was_traded() -> None:
    market = Market()
    market.trade(Side.BUY, 102, 3)
    market.message(asks={101: 0})
    assert Cause(market.ends()[0][CAUSE]) == Cause.TRADED
    # A level that came after the trade was not there to be gone through.
    market.message(asks={101: 5})
    market.message(asks={101: 0})
    assert Cause(market.ends()[1][CAUSE]) == Cause.CANCELLED


def test_a_trade_waits_two_messages_then_counts_as_refilled() -> None:
    market = Market()
    market.trade(Side.BUY, 102, 6)
    market.message(bids={100: 11})
    market.message(asks={102: 14})
    assert market.ask(102)[[TRADED, CANCELLED]].tolist() == [6, 0]
    market.trade(Side.BUY, 102, 6)
    market.message(bids={100: 12})
    market.message(bids={100: 13})
    market.message(asks={102: 8})
    assert market.ask(102)[[LOTS, TRADED, ADDED, CANCELLED, PENDING]].tolist() == [8, 12, 6, 6, 0]


def test_a_late_trade_claims_what_the_last_message_showed() -> None:
    market = Market()
    market.message(asks={101: 4, 102: 0})
    market.trade(Side.BUY, 101, 5, late_ms=0)
    market.trade(Side.BUY, 102, 20, late_ms=5)
    assert market.ask(101)[[TRADED, CANCELLED]].tolist() == [5, 1]
    (end,) = market.ends()
    assert (Cause(end[CAUSE]), end[TRADED], end[CANCELLED]) == (Cause.TRADED, 20, 0)
    assert market.book.head[FINAL_TO] == 0
    market.message(bids={100: 11})
    assert (market.book.head[FINAL_FROM], market.book.head[FINAL_TO]) == (0, 1)
    # Now it is final, and nothing is left to claim.
    market.trade(Side.BUY, 102, 20, late_ms=100)
    assert Cause(market.ends()[0][CAUSE]) == Cause.TRADED
    assert market.book.head[UNMATCHED_LOTS] == 20


@pytest.mark.parametrize("flag", [TradeFlag.RPI, TradeFlag.BLOCK])
def test_what_never_met_the_queue_consumes_nothing(flag: TradeFlag) -> None:
    market = Market()
    market.trade(Side.BUY, 101, 10, flags=flag)
    market.message(asks={101: 0})
    assert Cause(market.ends()[0][CAUSE]) == Cause.CANCELLED


def test_a_level_may_leave_a_limited_depth_without_ending() -> None:
    market = Market(depth=3)
    market.message(asks={100: 5, 103: 0})
    assert Cause(market.ends()[0][CAUSE]) == Cause.EXIT
    # It comes back into view when room is made: no birth was seen.
    market.message(asks={100: 0, 103: 30})
    assert market.ask(103)[BORN_AFTER] == UNSEEN
    assert Cause(market.ends()[1][CAUSE]) == Cause.CANCELLED
    # With room left in the depth, the worst level that goes is gone.
    market.message(asks={103: 0})
    assert Cause(market.ends()[2][CAUSE]) == Cause.CANCELLED


def test_a_snapshot_in_mid_stream_ends_nothing_and_starts_afresh() -> None:
    market = Market()
    market.message(asks={101: 0})
    market.snapshot(bids={100: 1}, asks={101: 2})
    assert market.ask(101)[BORN_AFTER] == UNSEEN
    assert market.book.sides[:, [COUNT, TOTAL, BEST]].tolist() == [[1, 1, -100], [1, 2, 101]]
    assert market.book.head[FINAL_FROM] == market.book.head[FINAL_TO] == 1


def test_rows_that_mean_nothing_are_counted() -> None:
    market = Market()
    book_row(market.book, 100, 5, Action.ADD, Side.NONE, 0, market.now)
    trade_row(market.book, 100, 5, Side.NONE, 0, market.now)
    trade_row(market.book, 100, 0, Side.BUY, 0, market.now)
    assert market.book.head[MALFORMED] == 1
    assert market.book.head[UNMATCHED_LOTS] == 0


def test_the_ring_of_ends_is_bounded() -> None:
    market = Market()
    for start in range(200, 200 + 3 * CLOSED, CLOSED // 2):
        prices = range(start, start + CLOSED // 2)
        for size in (5, 0):
            market.now += MS
            for price in prices:
                if is_full(market.book):
                    market.book = grown(market.book)
                book_row(market.book, price, size, Action.UPDATE, Side.SELL, Flag.MBP, market.now)
        book_row(market.book, 99, 1, Action.UPDATE, Side.BUY, Flag.MBP | Flag.LAST, market.now)
        head = market.book.head
        assert 0 <= head[FINAL_TO] - head[FINAL_FROM] <= CLOSED
        assert head[CLOSED_COUNT] - head[FINAL_FROM] <= CLOSED
    assert market.book.head[CLOSED_COUNT] == 3 * CLOSED


@pytest.mark.parametrize("depth", [0, 15])
def test_lots_are_what_was_born_and_added_less_what_went(depth: int) -> None:
    book = new_book(depth=depth, levels=4096)
    for row in random_market(7, seconds=60, depth=depth).tolist():
        ts_event, _, _, price, size, kind, action, side, flags = row
        if kind == 1:
            book_row(book, price, size, action, side, flags, ts_event)
        else:
            trade_row(book, price, size, side, flags, ts_event)
    ends = [book.closed[n] for n in range(min(CLOSED, book.head[CLOSED_COUNT]))]
    used = np.ones(len(book.pool), bool)
    used[book.free[: book.free[-1]]] = False
    for level in [*book.pool[used], *ends]:
        assert level[LOTS] == level[BORN_LOTS] + level[ADDED] - level[CANCELLED] - level[TRADED]
        assert min(level[[ADDED, CANCELLED, TRADED, PENDING]]) >= 0
    assert book.sides[BID, TOTAL] + book.sides[ASK, TOTAL] == book.pool[used, LOTS].sum()
    causes = {Cause(end[CAUSE]) for end in ends}
    assert causes == {Cause.TRADED, Cause.CANCELLED} | ({Cause.EXIT} if depth else set())


@pytest.mark.parametrize(
    ("bids", "asks", "unsure"),
    [
        ({100: 1}, {101: 1}, False),
        ({100: 1}, {100: 1}, False),  # locked: some venues show it all the time
        ({101: 1, 99: 5}, {100: 1, 105: 5}, True),
        ({100: 1}, {}, True),
        ({}, {100: 1}, True),
    ],
)
def test_a_snapshot_that_cannot_be_leaves_the_book_unsure(
    bids: dict[int, int], asks: dict[int, int], unsure: bool
) -> None:
    market = Market()
    assert market.book.head[UNSURE] == 0
    market.snapshot(bids, asks)
    assert market.book.head[UNSURE] == unsure
    market.message(bids={98: 4}, asks={110: 4})
    market.message(asks={100: 0})
    assert market.book.head[UNSURE] == unsure  # changes do not mend it
    market.snapshot({100: 1}, {101: 1})
    assert market.book.head[UNSURE] == 0
    market.message(bids={102: 4})
    assert market.book.head[UNSURE] == 0  # a crossing by a change is the feed's own


def test_an_empty_snapshot_leaves_the_book_unsure() -> None:
    market = Market()
    book_row(market.book, 0, 0, Action.CLEAR, 0, Flag.SNAPSHOT | Flag.LAST, market.now + 1)
    assert market.book.head[UNSURE] == 1
    market.message(bids={100: 1}, asks={101: 1})
    assert market.book.head[UNSURE] == 1
