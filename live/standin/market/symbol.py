"""One symbol of the replayed market: its book, last trade, prices and candles, and the public messages of them."""

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from fathom.live.standin.clock import Clock
from fathom.live.standin.market.book import Book
from fathom.live.standin.market.book_feed import CADENCE_NS, RPI_CADENCE_NS, RPI_DEPTH, BookFeed
from fathom.live.standin.market.candles import INTERVALS, Candles
from fathom.live.standin.market.contracts import Contract
from fathom.live.standin.market.recording import BookMessage, TradeMessage
from fathom.market.events import Side, TradeFlag
from fathom.settings.times import MINUTE, MS, SECOND

_TICKER_NS: Final = 100 * MS
_KLINE_NS: Final = SECOND
_PRICE_LIMIT_NS: Final = 300 * MS
_SIDE_TEXT: Final = {Side.BUY: "Buy", Side.SELL: "Sell"}


class Symbol:
    """A symbol of the market.

    Parameters
    ----------
    contract : Contract
    clock : Clock
    funding_rate : Decimal
    recorded_cadence : bool
        Book topics are sent at each recorded message.
    """

    def __init__(self, contract: Contract, clock: Clock, funding_rate: Decimal, *, recorded_cadence: bool) -> None:
        self.contract, self.book, self.candles = contract, Book(), Candles(contract)
        self.funding_rate = funding_rate
        self._clock, self._recorded_cadence = clock, recorded_cadence
        self.last: int | None = None
        self._prices: list[int] = []
        self.sequence, self.cts = 1_000_000, 0
        self._direction = "PlusTick"
        self.recent: deque[dict[str, Any]] = deque(maxlen=1000)
        self._volume, self._turnover = 0, 0
        self._feeds: dict[str, BookFeed] = {}
        self._tickers: dict[str, str] = {}
        self._sent: dict[str, int] = {}

    @property
    def mark(self) -> int | None:
        """Mark price in ticks: the middle of the book, as no recording holds the venue's index."""
        bid, ask = (next(iter(side.recorded(1)), None) for side in (self.book.bids, self.book.asks))
        if bid is None or ask is None:
            return self.last
        return (bid + ask) // 2

    def price_limit(self, is_buy: bool) -> int | None:
        """Return the highest price to buy at, or the lowest to sell at, in ticks; None without a mark price."""
        mark = self.mark
        if mark is None:
            return None
        ratio = float(self.contract.row["riskParameters"]["priceLimitRatioX"])
        return int(mark * (1 + ratio)) if is_buy else -int(-mark * (1 - ratio))

    def price_limits(self) -> dict[str, str]:
        """Return both price limits as `priceLimit` shows them."""
        buy, sell = (self.contract.price_text(self.price_limit(is_buy) or 0) for is_buy in (True, False))
        return {"symbol": self.contract.symbol, "buyLmt": buy, "sellLmt": sell}

    def price(self, trigger_by: str) -> int | None:
        """Return the price that triggers a conditional order, in ticks."""
        return self.last if trigger_by == "LastPrice" and self.last is not None else self.mark

    @property
    def next_funding_ns(self) -> int:
        """Exchange time of the next funding."""
        every = self.contract.funding_minutes * MINUTE
        return (self._clock.now() // every + 1) * every

    def apply(self, message: BookMessage) -> None:
        """Apply a recorded message to the book."""
        self.book.apply(message.clear, message.changes)
        self.sequence += 1
        self.cts = self._clock.stamp(message.ts_event)
        for feed in self._feeds.values():
            feed.dirty = True

    def trade(self, message: TradeMessage, now: int) -> dict[str, Any]:
        """Take over recorded trades; returns the message of `publicTrade`."""
        contract, rows = self.contract, []
        for side, price, size, flags, trade_id in message.trades:
            self.sequence += 1
            self._turn(price)
            time_ms = self._clock.stamp(message.ts_event) // MS
            rows.append(
                {
                    **{"T": time_ms, "s": contract.symbol, "S": _SIDE_TEXT.get(Side(side), "Buy")},
                    **{"v": contract.size_text(size), "p": contract.price_text(price), "L": self._direction},
                    **{"i": trade_id, "BT": bool(flags & TradeFlag.BLOCK), "RPI": bool(flags & TradeFlag.RPI)},
                    "seq": self.sequence,
                }
            )
            self.candles.add(now, price, size)
            self._volume += size
            self._turnover += size * price
        self.recent.extend(rows)
        return {"topic": f"publicTrade.{contract.symbol}", "type": "snapshot", "ts": now // MS, "data": rows}

    def first_messages(self, topic: str, now: int, *, alone: bool) -> list[dict[str, Any]]:
        """Return what a new subscriber of a topic is sent at once; `alone` if nobody else has it."""
        kind = topic.partition(".")[0]
        if kind == "orderbook":
            feed = self.feed(topic)
            if alone:
                feed.show(self.book, self.cts, self.sequence)
            return [feed.snapshot(now)]
        if kind == "tickers":
            if alone:
                self._tickers = self.ticker()
            return [self._ticker_message("snapshot", self._tickers, now)]
        return []

    def due(self, topics: Iterable[str], now: int, emit: Callable[[str, dict[str, Any]], None]) -> None:
        """Send the messages of subscribed topics that are due."""
        for topic in topics:
            kind, _, rest = topic.partition(".")
            message = None
            if kind == "orderbook":
                feed = self.feed(topic)
                if feed.due(now):
                    message = feed.poll(self.book, now, self.cts, self.sequence)
            elif kind == "tickers" and now >= self._sent.get(topic, 0) + _TICKER_NS:
                self._sent[topic] = now
                message = self._ticker_change(now)
            elif kind == "priceLimit" and now >= self._sent.get(topic, 0) + _PRICE_LIMIT_NS:
                self._sent[topic] = now
                message = {"topic": topic, "data": self.price_limits(), "ts": now // MS}
            elif kind == "kline" and now >= self._sent.get(topic, 0) + _KLINE_NS:
                self._sent[topic] = now
                message = self.candles.message(rest.partition(".")[0], now)
            if message is not None:
                emit(topic, message)

    def ticker(self) -> dict[str, str]:
        """Return the fields of a ticker."""
        contract, book = self.contract, self.book
        bid, ask = (next(iter(side.recorded(1)), 0) for side in (book.bids, book.asks))
        mark, last = contract.price_text(self.mark or 0), contract.price_text(self.last or self.mark or 0)
        day = self._prices or [self.last or self.mark or 0]
        first, low, high = (contract.price_text(price) for price in (day[0], min(day), max(day)))
        change = Decimal(last) / Decimal(first) - 1 if Decimal(first) else Decimal(0)
        return {
            **{"symbol": contract.symbol, "tickDirection": self._direction, "price24hPcnt": f"{change:.6f}"},
            **{"lastPrice": last, "prevPrice24h": first, "highPrice24h": high, "lowPrice24h": low},
            **{"prevPrice1h": first, "markPrice": mark, "indexPrice": mark},
            **{"openInterest": "0", "openInterestValue": "0"},
            "turnover24h": str(Decimal(self._turnover) * contract.tick * contract.lot),
            "volume24h": contract.size_text(self._volume),
            "fundingIntervalHour": str(contract.funding_minutes // 60),
            "fundingCap": contract.row.get("upperFundingRate", "0.005"),
            **{"singleOpenInterest": "0", "singleOpenInterestValue": "0"},
            **{"nextFundingTime": str(self.next_funding_ns // MS), "fundingRate": str(self.funding_rate)},
            **{"bid1Price": contract.price_text(bid), "bid1Size": contract.size_text(book.bids.sizes.get(bid, 0))},
            **{"ask1Price": contract.price_text(ask), "ask1Size": contract.size_text(book.asks.sizes.get(ask, 0))},
            **{"preOpenPrice": "", "preQty": "", "curPreListingPhase": ""},
        }

    def book_answer(self, depth: int, now: int) -> dict[str, Any]:
        """Return the result of `/v5/market/orderbook`."""
        contract = self.contract
        rows = [
            [[contract.price_text(price), contract.size_text(side.sizes[price])] for price in side.recorded(depth)]
            for side in (self.book.bids, self.book.asks)
        ]
        ids = {"ts": now // MS, "u": self.sequence, "seq": self.sequence, "cts": self.cts // MS}
        return {"s": contract.symbol, "b": rows[0], "a": rows[1], **ids}

    def _turn(self, price: int) -> None:
        if self.last is not None:
            if price != self.last:
                self._direction = "PlusTick" if price > self.last else "MinusTick"
            elif not self._direction.startswith("Zero"):
                self._direction = f"Zero{self._direction}"
        self.last = price
        self._prices = (
            [self._prices[0], min(price, *self._prices), max(price, *self._prices)] if self._prices else [price]
        )

    def feed(self, topic: str) -> BookFeed:
        """Return the feed of a book topic."""
        feed = self._feeds.get(topic)
        if feed is None:
            word = topic.split(".")[1]
            depth, cadence = (RPI_DEPTH, RPI_CADENCE_NS) if word == "rpi" else (int(word), CADENCE_NS[int(word)])
            cadence = 0 if self._recorded_cadence else cadence
            feed = self._feeds[topic] = BookFeed(topic, depth, self.contract, cadence, rpi=word == "rpi")
        return feed

    def _ticker_change(self, now: int) -> dict[str, Any] | None:
        fields, before = self.ticker(), self._tickers
        changed = {name: text for name, text in fields.items() if before.get(name) != text}
        self._tickers = fields
        if not changed:
            return None
        return self._ticker_message("delta", {"symbol": fields["symbol"], **changed}, now)

    def _ticker_message(self, kind: str, fields: dict[str, str], now: int) -> dict[str, Any]:
        topic = f"tickers.{self.contract.symbol}"
        return {"topic": topic, "type": kind, "data": fields, "cs": self.sequence, "ts": now // MS}


_PLAIN: Final = ("publicTrade", "tickers", "priceLimit", "allLiquidation")


def topic_error(topic: str, symbols: Iterable[str]) -> str | None:
    """Return why a public topic is refused, None for a valid one.

    Examples
    --------
    >>> topic_error("orderbook.50.BTCUSDT", ["BTCUSDT"]), topic_error("orderbook.500.BTCUSDT", ["BTCUSDT"])
    (None, 'error:handler not found,topic:orderbook.500.BTCUSDT')
    """
    kind, *middle = topic.split(".")[:-1] or [""]
    words = {"orderbook": (*(str(depth) for depth in CADENCE_NS), "rpi"), "kline": tuple(INTERVALS)}.get(kind, ())
    known = not middle if kind in _PLAIN else len(middle) == 1 and middle[0] in words
    return None if known and topic.rpartition(".")[2] in symbols else f"error:handler not found,topic:{topic}"
