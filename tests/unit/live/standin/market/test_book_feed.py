"""What subscribers of a book topic can rebuild is the book."""

import itertools
import random
from decimal import Decimal
from typing import Any

import pytest

from fathom.live.standin.clock import Clock
from fathom.live.standin.market.book_feed import CADENCE_NS, BookFeed
from fathom.live.standin.market.contracts import Contract, instrument_row
from fathom.live.standin.market.recording import BookMessage
from fathom.live.standin.market.symbol import Symbol, topic_error

MS = 1_000_000
CONTRACT = Contract("BTCUSDT", "B", instrument_row("BTCUSDT", "BTC", "USDT", "0.10", "0.001"))


class Client:
    """Rebuilds a book as a client does, and checks ids and kinds."""

    def __init__(self, depth: int) -> None:
        self.depth, self.sides = depth, {"b": dict[str, str](), "a": dict[str, str]()}
        self.update_id: int | None = None

    def take(self, message: dict[str, Any]) -> None:
        data = message["data"]
        if message["type"] == "snapshot":
            self.sides = {side: dict(data[side]) for side in ("b", "a")}
        else:
            assert data["u"] == (self.update_id or 0) + 1
            for side in ("b", "a"):
                for price, size in data[side]:
                    if size == "0":
                        del self.sides[side][price]
                    else:
                        self.sides[side][price] = size
        self.update_id = data["u"]


@pytest.mark.parametrize("depth", [1, 50, 200, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_snapshot_and_deltas_give_the_best_levels(depth: int, seed: int) -> None:
    rng = random.Random(seed)
    symbol = Symbol(CONTRACT, Clock(0, 0, "recorded"), Decimal(0), recorded_cadence=False)
    topic, now, messages = f"orderbook.{depth}.BTCUSDT", 10**9, []
    client = Client(depth)
    for message in symbol.first_messages(topic, now, alone=True):
        client.take(message)
    for step in range(400):
        now += rng.choice([1, 5, 30]) * MS
        changes = [
            (is_bid, (600_000 - gap) if is_bid else (600_001 + gap), rng.choice([0, 1, 5]))
            for is_bid, gap in ((rng.random() < 0.5, rng.randrange(300)) for _ in range(rng.randrange(1, 40)))
        ]
        symbol.apply(BookMessage(now, now, "BTCUSDT", step % 97 == 96, changes))
        symbol.due([topic], now, lambda _, each: messages.append(each))
    now += 10**9
    symbol.due([topic], now, lambda _, each: messages.append(each))
    for message in messages:
        client.take(message)
    assert len(messages) > 20
    times = [message["ts"] for message in messages]
    assert min(b - a for a, b in itertools.pairwise(times)) >= CADENCE_NS[depth] // MS
    for side, name in ((symbol.book.bids, "b"), (symbol.book.asks, "a")):
        wanted = {CONTRACT.price_text(p): CONTRACT.size_text(side.sizes[p]) for p in side.recorded(depth)}
        assert client.sides[name] == wanted
        assert wanted
    assert {message["type"] for message in messages} == ({"snapshot"} if depth == 1 else {"delta"})


def test_the_best_level_is_sent_again_after_three_seconds_with_the_same_id() -> None:
    symbol = Symbol(CONTRACT, Clock(0, 0, "recorded"), Decimal(0), recorded_cadence=False)
    symbol.apply(BookMessage(0, 0, "BTCUSDT", True, [(True, 5, 1), (False, 6, 1)]))
    feed = BookFeed("orderbook.1.BTCUSDT", 1, CONTRACT, 10 * MS)
    first = feed.poll(symbol.book, 3_000 * MS, 0, 1)
    assert first is not None
    assert not feed.due(5_999 * MS)
    again = feed.poll(symbol.book, 6_000 * MS, 0, 1) if feed.due(6_000 * MS) else None
    assert again is not None
    assert again["data"] == first["data"]


def test_rpi_rows_have_three_columns() -> None:
    symbol = Symbol(CONTRACT, Clock(0, 0, "recorded"), Decimal(0), recorded_cadence=False)
    symbol.apply(BookMessage(0, 0, "BTCUSDT", True, [(True, 600_000, 1), (False, 600_001, 2)]))
    (message,) = symbol.first_messages("orderbook.rpi.BTCUSDT", 5, alone=True)
    assert message["data"]["b"] == [["60000.00", "0.001", "0"]]


@pytest.mark.parametrize(
    "topic", ["orderbook.500.BTCUSDT", "orderbook.50.XRP", "kline.7.BTCUSDT", "trade.BTCUSDT", "x"]
)
def test_unknown_topics_are_refused(topic: str) -> None:
    assert topic_error(topic, ["BTCUSDT"]) == f"error:handler not found,topic:{topic}"


@pytest.mark.parametrize(
    "topic", ["orderbook.rpi.BTCUSDT", "kline.D.BTCUSDT", "tickers.BTCUSDT", "publicTrade.BTCUSDT"]
)
def test_known_topics_are_taken(topic: str) -> None:
    assert topic_error(topic, ["BTCUSDT"]) is None
