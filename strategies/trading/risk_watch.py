"""The engine's half of the risk gate: it feeds the gate with prices and the account, and stands down at a halt."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from nautilus_trader.model import AggressorSide, BookType, PositionClosed

from fathom.data_catalog.messages.detections import REGIMES_TOPIC
from fathom.data_catalog.messages.signals import Signal
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.risk.gate import Approved, Circumstances, Refused, RiskGate, Sizing
from fathom.strategies.trading.bracket_config import BracketConfig
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.order_care import OrderCare

_MS: Final = 1_000_000


class RiskWatch(OrderCare):
    """The part of a strategy that asks before it enters, and leaves when it must.

    Parameters
    ----------
    config
        The parameters.
    instrument_id, strategy_id
        See `OrderCare`.

    Attributes
    ----------
    gate
        The strategy's way to an approval.
    refusals
        How many signals were refused, by reason.

    Examples
    --------
    >>> from fathom.strategies.trading.brackets import BracketStrategy
    >>> strategy = BracketStrategy(BracketConfig(), "BTCUSDT-LINEAR.BYBIT", "Mine-BTCUSDT")
    >>> strategy.gate.book.active, dict(strategy.refusals)
    (False, {})
    """

    def __init__(self, config: BracketConfig, instrument_id: str, strategy_id: str) -> None:
        super().__init__(config, instrument_id, strategy_id)
        sizing = Sizing(config.direction, config.risk_fraction, config.notional, config.max_leverage)
        self.gate = RiskGate(config.risk, sizing, strategy_id, instrument_id, RiskBook())
        self.refusals: Counter[str] = Counter()
        self._exiting = False
        self._stood_down = False

    def join(self, book: RiskBook) -> None:
        """Share the book of a system's strategies: before the strategy starts."""
        self.gate.join(book)

    def halt(self, reason: str) -> None:
        """Halt all strategies of the book by hand, until `reset_halt`."""
        self.gate.book.stop_all(self.clock.timestamp_ns(), "manual", reason)
        self._act()

    def reset_halt(self) -> None:
        """End a halt of the book; losses count from the present equity on."""
        self.gate.book.reset(self.clock.timestamp_ns())
        self._act()

    def on_refusal(self, signal: Signal, refused: Refused) -> None:
        """Hear that a signal will not be entered. Nothing happens here; a journal overrides it."""

    def post_market_exit(self) -> None:
        self._exiting = False
        self._act()
        self._shut_down()

    def _act(self) -> None:
        raise NotImplementedError

    def _is_over(self, now: int) -> bool:
        return self.trade.ends_ns is not None and now >= self.trade.ends_ns

    def _start_watch(self) -> None:
        gate = self.gate
        if gate.limits.max_spread_bps is not None:
            self.subscribe_book_deltas(self.instrument_id, BookType.L2_MBP, self.book_depth, managed=True)
        if gate.limits.pause_on_regime:
            self.subscribe_topic(f"{REGIMES_TOPIC}.{self.instrument_id}", self._heed_regime)
        if gate.book.active or gate.limits.volatility_target is not None:
            self.clock.set_timer_ns("risk-check", gate.book.config.check_ms * _MS, callback=self._check)
        if self._held is not None:
            for position in self.cache.positions_open(instrument_id=self.instrument_id, strategy_id=self.strategy_id):
                self._hold(position)
                gate.book.move_stop(str(self.strategy_id), self.trade.stop)
        elif not self._live:
            gate.book.release(str(self.strategy_id))

    def _check(self, event: Any) -> None:
        if self.stopped:
            return
        self._look()
        if self.gate.book.halt or self._stood_down or self.gate.paused:
            self._act()

    def _look(self) -> None:
        now = self.clock.timestamp_ns()
        self.gate.look(now, self._market_price())
        if self.gate.book.active:
            self.gate.book.settle(now, self._balance())

    def _heed_regime(self, change: Any) -> None:
        self.gate.book.pause(self.clock.timestamp_ns(), str(self.instrument_id), bool(change.pause))
        self._act()

    def _hold(self, event: Any) -> None:
        self.gate.book.hold(
            str(self.strategy_id),
            str(self.instrument_id),
            1 if event.signed_qty > 0 else -1,
            nearest(event.quantity),
            float(event.avg_px_open),
        )

    def _note_closed(self, event: PositionClosed) -> None:
        pnl = float(event.realized_pnl.as_decimal()) if event.realized_pnl is not None else 0.0
        by_stop = self.trade.last_role == "STOP"
        self.gate.book.close(event.ts_event, str(self.strategy_id), pnl, by_stop=by_stop)
        is_late = self.trade.last_role == "EXIT" and self._is_over(event.ts_event)
        reason = "at the end of its horizon" if is_late else ""
        quantity = nearest(event.peak_quantity)
        self._tell(self._closing_stage(), reason, price=event.avg_px_close, quantity=quantity, pnl=pnl)

    def _review(self, signal: Signal, confidence: float) -> Approved | Refused:
        answer = self.gate.review(signal, confidence, self._circumstances())
        if isinstance(answer, Refused):
            self._refuse(signal, answer)
        else:
            bound = "" if answer.bound == "wish" else f"size bound by {answer.bound}"
            self._tell("approved", bound, signal=signal, price=signal.entry, quantity=answer.quantity)
        return answer

    def _refuse(self, signal: Signal, refused: Refused) -> None:
        self.refusals[refused.reason] += 1
        self._tell("refused", refused.text, signal=signal)
        self.on_refusal(signal, refused)

    def _stand_down(self, live: Mapping[Any, str]) -> None:
        state = self.gate.book.state
        if not self._stood_down:
            self._stood_down = True
            self._tell("halted", f"{state.halt}: {state.halt_detail}")
            if not live and self._held is None:
                self._shut_down()
        if (live or self._held is not None) and not self._exiting:
            self._exiting = True
            self.market_exit()

    def _shut_down(self) -> None:
        book = self.gate.book
        if book.halt == "drawdown" and book.config.shutdown_on_halt and self._held is None:
            self.shutdown_system(f"Halt at a drawdown: {book.state.halt_detail}")

    def _circumstances(self) -> Circumstances:
        now = self.clock.timestamp_ns()
        lot = nearest(self.instrument.size_increment)
        minimum, notional = self.instrument.min_quantity, self.instrument.min_notional
        return Circumstances(
            ts=now,
            balance=self._balance(),
            lot=lot,
            min_lots=round(nearest(minimum) / lot) if minimum is not None else 1,
            min_notional=float(notional) if notional is not None else 0.0,
            fee_rate=self._fee_rate(),
            multiplier=nearest(self.instrument.multiplier),
            spread_bps=self._spread_bps(),
            data_age_ms=(now - self._data_time()) / _MS,
        )

    def _fee_rate(self) -> float:
        known = self.gate.limits.fee_rate
        return known if known is not None else float((self.instrument.info or {}).get("taker_fee", 0.0))

    def _balance(self) -> float:
        # Of the account the cache gives a copy with all its events, which takes the longer the more there are; the
        # portfolio reads the same balances where they are.
        account_id = self.cache.account_id(self.instrument_id.venue)
        now = self.portfolio.build_snapshot(account_id) if account_id is not None else None
        if now is None:
            return math.nan
        currency = self.instrument.quote_currency
        return next((float(held.total) for held in now.balances if held.currency == currency), math.nan)

    def _spread_bps(self) -> float:
        top = self.cache.top_of_book(self.instrument_id)
        if top is None:
            return math.nan
        bid, ask = nearest(top[0]), nearest(top[2])
        return 2e4 * (ask - bid) / (ask + bid)

    def _market_price(self) -> float:
        top = self.cache.top_of_book(self.instrument_id)
        if top is not None:
            return (nearest(top[0]) + nearest(top[2])) / 2.0
        trade = self.cache.trade(self.instrument_id)
        return nearest(trade.price) if trade is not None else self.trade.price

    def _best_price(self, direction: int) -> float:
        top = self.cache.top_of_book(self.instrument_id)
        if top is not None:
            return nearest(top[0] if direction > 0 else top[2])
        price, trade = self._market_price(), self.cache.trade(self.instrument_id)
        met_the_other_side = AggressorSide.BUY if direction > 0 else AggressorSide.SELL
        if trade is not None and trade.aggressor_side == met_the_other_side:
            price -= direction * nearest(self.instrument.price_increment)
        return price

    def _data_time(self) -> int:
        quote, trade = self.cache.quote(self.instrument_id), self.cache.trade(self.instrument_id)
        times = [event.ts_init for event in (quote, trade) if event is not None]
        return max(times) if times else 0
