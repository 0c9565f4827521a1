"""Candles of the trades that the stand-in has replayed, of every interval that the venue offers."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from fathom.live.standin.market.contracts import Contract
from fathom.settings.times import MINUTE, MS

INTERVALS: Final = {str(minutes): minutes * MINUTE for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)} | {
    "D": 1440 * MINUTE
}


@dataclass
class Candle:
    """One candle: start in ns, prices in ticks, volume in lots, turnover in tick-lots."""

    start_ns: int
    opened: int
    high: int
    low: int
    close: int
    volume: int = 0
    turnover: int = 0


class Candles:
    """Minutes of one contract and what is made of them.

    Examples
    --------
    >>> from fathom.live.standin.market.contracts import Contract, instrument_row
    >>> candles = Candles(Contract("X", "X", instrument_row("X", "X", "USDT", "0.5", "1")))
    >>> candles.add(0, 10, 3)
    >>> candles.add(70 * 10**9, 12, 1)
    >>> candles.rows("3", 10)
    [['0', '5.0', '6.0', '5.0', '6.0', '4', '21.0']]
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._minutes: list[Candle] = []

    def add(self, time_ns: int, price: int, size: int) -> None:
        """Add a trade."""
        start = time_ns // MINUTE * MINUTE
        if not self._minutes or self._minutes[-1].start_ns < start:
            self._minutes.append(Candle(start, price, price, price, price))
        candle = self._minutes[-1]
        candle.high, candle.low, candle.close = max(candle.high, price), min(candle.low, price), price
        candle.volume += size
        candle.turnover += price * size

    def of(self, interval: str) -> list[Candle]:
        """Return the candles of an interval, oldest first."""
        length = INTERVALS[interval]
        merged: list[Candle] = []
        for minute in self._minutes:
            start = minute.start_ns // length * length
            if not merged or merged[-1].start_ns < start:
                merged.append(Candle(start, minute.opened, minute.high, minute.low, minute.close))
            candle = merged[-1]
            candle.high, candle.low = max(candle.high, minute.high), min(candle.low, minute.low)
            candle.close = minute.close
            candle.volume += minute.volume
            candle.turnover += minute.turnover
        return merged

    def rows(self, interval: str, limit: int) -> list[list[str]]:
        """Return the rows of `/v5/market/kline`, newest first."""
        return [[str(candle.start_ns // MS), *self._texts(candle)] for candle in self.of(interval)[: -limit - 1 : -1]]

    def message(self, interval: str, now: int) -> dict[str, Any] | None:
        """Return the message of a kline topic, None before the first trade."""
        candles = self.of(interval)
        if not candles:
            return None
        candle, length = candles[-1], INTERVALS[interval]
        opened, high, low, close, volume, turnover = self._texts(candle)
        row = {
            **{"start": candle.start_ns // MS, "end": (candle.start_ns + length) // MS - 1, "interval": interval},
            **{"open": opened, "close": close, "high": high, "low": low, "volume": volume, "turnover": turnover},
            **{"confirm": now >= candle.start_ns + length, "timestamp": now // MS},
        }
        topic = f"kline.{interval}.{self._contract.symbol}"
        return {"topic": topic, "data": [row], "ts": now // MS, "type": "snapshot"}

    def _texts(self, candle: Candle) -> list[str]:
        contract = self._contract
        prices = [contract.price_text(price) for price in (candle.opened, candle.high, candle.low, candle.close)]
        turnover = Decimal(candle.turnover) * contract.tick * contract.lot
        return [*prices, contract.size_text(candle.volume), str(turnover)]
