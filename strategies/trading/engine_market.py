"""What the engine knows of the market and the account, as plain numbers."""

import math
from typing import Any, Final

from nautilus_trader.model import AggressorSide, InstrumentId
from nautilus_trader.trading import Strategy

from fathom.strategies.risk.gate import Circumstances
from fathom.strategies.trading.engine_numbers import nearest

_MS: Final = 1_000_000


class EngineMarket:
    """Reads one instrument and its account from the engine of a strategy: a `strategies.risk.seat.Market`."""

    def __init__(self, engine: Strategy, instrument_id: InstrumentId) -> None:
        self._engine = engine
        self._id = instrument_id
        self._instrument: Any = None

    def open(self, instrument: Any) -> None:
        """Take the instrument, before anything is read."""
        self._instrument = instrument

    def price(self, last: float) -> float:
        """Return the mid, else the price of the last trade, else `last`."""
        touch = self._touch()
        if touch is not None:
            return (touch[0] + touch[1]) / 2.0
        trade = self._engine.cache.trade(self._id)
        return nearest(trade.price) if trade is not None else last

    def best_price(self, direction: int, last: float) -> float:
        """Return the best bid for 1, the best ask for -1; without a book, as the last trade lets it be guessed."""
        touch = self._touch()
        if touch is not None:
            return touch[0] if direction > 0 else touch[1]
        price, trade = self.price(last), self._engine.cache.trade(self._id)
        met_the_other_side = AggressorSide.BUY if direction > 0 else AggressorSide.SELL
        if trade is not None and trade.aggressor_side == met_the_other_side:
            price -= direction * nearest(self._instrument.price_increment)
        return price

    def balance(self) -> float:
        """Return the account without open profit, in quote currency; NaN where it is unknown."""
        # Of the account the cache gives a copy with all its events, which takes the longer the more there are; the
        # portfolio reads the same balances where they are.
        account_id = self._engine.cache.account_id(self._id.venue)
        now = self._engine.portfolio.build_snapshot(account_id) if account_id is not None else None
        if now is None:
            return math.nan
        currency = self._instrument.quote_currency
        return next((float(held.total) for held in now.balances if held.currency == currency), math.nan)

    def circumstances(self, fee_rate: float | None) -> Circumstances:
        """Return what the risk gate must know; `fee_rate` is that of the account, None where it is unknown."""
        now, instrument, cache = self._engine.clock.timestamp_ns(), self._instrument, self._engine.cache
        bid, ask = self._touch() or (math.nan, math.nan)
        seen = [event.ts_init for event in (cache.quote(self._id), cache.trade(self._id)) if event is not None]
        lot = nearest(instrument.size_increment)
        minimum, notional = instrument.min_quantity, instrument.min_notional
        # What the file of the instrument says is of some account; that of a live node says nothing.
        known = (instrument.info or {}).get("taker_fee", 0.0) if fee_rate is None else fee_rate
        return Circumstances(
            ts=now,
            balance=self.balance(),
            lot=lot,
            min_lots=round(nearest(minimum) / lot) if minimum is not None else 1,
            min_notional=float(notional) if notional is not None else 0.0,
            fee_rate=float(known),
            multiplier=nearest(instrument.multiplier),
            spread_bps=2e4 * (ask - bid) / (ask + bid),
            data_age_ms=(now - max(seen, default=0)) / _MS,
        )

    def _touch(self) -> tuple[float, float] | None:
        top = self._engine.cache.top_of_book(self._id)
        return (nearest(top[0]), nearest(top[2])) if top is not None else None
