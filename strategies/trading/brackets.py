"""Trading a signal with a bracket: one entry, a stop and a target, whatever the venue answers.

`BracketStrategy` is the engine's half of a strategy: it turns a `Signal` into orders and watches what becomes of them.
A strategy derives from it (or from `SignalStrategy`), feeds its policy, and calls `decide` (see
`fathom.strategies.supertrend`).

How it works:

- `decide` remembers the wish and calls `_act`, which looks at what is true now (position, live orders) and takes the
  next step towards the wish. Everything that changes the truth (a fill, a rejection, a cancel) calls `_act` again, so
  that a rejected or partly filled order needs no code of its own. The traps on this way are those of
  `fathom.strategies.trading.order_care`.
- An entry is built from an `Approved` of the risk gate and from nothing else (`strategies.risk.gate`). At a halt the
  entries are cancelled and `market_exit` closes the position; nothing is sent until the halt ends.
- A signal holds for its horizon, if it has one: then its entry is cancelled, and its position closed.
- The stop and the target become active with the first fill of the entry, follow its filled quantity, and one cancels
  the other. A position without a live stop (the venue refused it) is closed at once.
- Orders carry tags: their role (`ENTRY`, `STOP`, `TARGET`, `EXIT`), `decision=<price>`, from which the reports take
  the slippage, and `signal=<id>`.
- `on_stop` cancels the timers and the orders, closes the position if so configured, and nothing is sent after it.
- A restarted strategy finds its position and its orders in the cache, and the rest in what `on_save` returned.
"""

import math
from typing import Any, Final

import msgspec
from nautilus_trader.model import (
    ClientOrderId,
    ContingencyType,
    OrderFilled,
    OrderModifyRejected,
    OrderSide,
    OrderType,
    PositionChanged,
    PositionClosed,
    PositionOpened,
    Quantity,
)

from fathom.data_catalog.messages.signals import Signal
from fathom.strategies.risk.book import Claim
from fathom.strategies.risk.gate import Approved, Refused
from fathom.strategies.risk.volatility import Volatility
from fathom.strategies.trading.bracket_config import BracketConfig
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.order_care import STAGES, Trade
from fathom.strategies.trading.order_roles import ROLES, role_of
from fathom.strategies.trading.risk_watch import RiskWatch

__all__ = ["ROLES", "STAGES", "BracketConfig", "BracketStrategy", "role_of"]

_SECOND: Final = 1_000_000_000
_STATE: Final = "bracket"


class Saved(msgspec.Struct, array_like=True):
    """What a restarted `BracketStrategy` goes on from: its trade, the book and its claim in it, what it learnt.

    Examples
    --------
    >>> Saved(Trade(), b"", None, Volatility(half_life_secs=1.0, step_ns=1), {}).claim is None
    True
    """

    trade: Trade
    risk: bytes
    claim: Claim | None
    volatility: Volatility
    refusals: dict[str, int]


class BracketStrategy(RiskWatch):
    """The engine's half of a strategy in one instrument that trades signals with brackets.

    Parameters
    ----------
    config
        The parameters.
    instrument_id
        What is traded.
    strategy_id
        Name and tag, such as `SuperTrend-BTCUSDT`; the tag is unique in the system.

    Examples
    --------
    >>> BracketStrategy(BracketConfig(), "BTCUSDT-LINEAR.BYBIT", "Mine-BTCUSDT").strategy_id
    StrategyId('Mine-BTCUSDT')
    """

    def __init__(self, config: BracketConfig, instrument_id: str, strategy_id: str) -> None:
        super().__init__(config, instrument_id, strategy_id)
        self.bracket = config
        self._before: Claim | None = None
        self._loaded = False
        self._remembered = b""

    def on_start(self) -> None:
        instrument = self.cache.instrument(self.instrument_id)
        if instrument is None:
            raise ValueError(f"Expected the instrument {self.instrument_id} in the data, was none.")
        self.instrument = instrument
        if not self._loaded:
            self._load_remembered()
        self._claim_orders()
        self._start_watch()
        if self._live or self._held is not None:
            self._set_alarm()
            self._set_end()
            self._act()

    def decide(self, price: float, signal: Signal | None, confidence: float = 1.0) -> None:
        """Take a decision at a price: a new signal replaces the last wish; None leaves it as it is.

        Parameters
        ----------
        price
            On which the decision was taken.
        signal
            The wish; named by `name_signal` where it has no name yet.
        confidence
            How sure the decision is, 0 to 1: the size may depend on it.
        """
        if self.stopped:
            return
        trade = self.trade
        trade.price = price
        trade.age += 1
        self.gate.look(self.clock.timestamp_ns(), price)
        if signal is not None:
            self._drop_wish("superseded")
            trade.wish, trade.confidence = self.name_signal(signal), confidence
            trade.crosses, trade.attempts = False, 0
        self._act()

    def trail(self, stop_price: float) -> None:
        """Move the live stop to a price, if that is nearer to the market than where it is, and not through it."""
        if self.stopped or self._held is None:
            return
        sign, trade = 1 if self._is_long else -1, self.trade
        if sign * (trade.price - stop_price) > 0.0 and not sign * (stop_price - trade.trail) <= 0.0:  # NaN: none yet
            trade.trail = stop_price
        self._act()

    def on_order_event(self, event: Any) -> None:
        self._note(event)
        is_entry = self._live.get(event.client_order_id) == "ENTRY"
        if is_entry and isinstance(event, OrderModifyRejected) and self._before is not None:
            self.gate.book.claim(self._before)
        if not isinstance(event, OrderFilled):  # the position follows with an event of its own
            self._act()

    def on_position_event(self, event: Any) -> None:
        if isinstance(event, PositionClosed):
            self._held = None
            self.trade.stop = self.trade.trail = math.nan
            self._note_closed(event)
        elif isinstance(event, PositionOpened | PositionChanged):
            self._held, self._is_long = event.quantity, event.signed_qty > 0
            self._hold(event)
        self._act()

    def on_stop(self) -> None:
        self.stopped = True
        self._drop_wish("stopped")
        self.clock.cancel_timers()
        self._acting = True
        try:
            self.cancel_all_orders(self.instrument_id)
            if self.bracket.close_on_stop:
                self.close_all_positions(self.instrument_id, tags=self._tags("EXIT"))
        finally:
            self._acting = False
        self.gate.book.end_entry(str(self.strategy_id))
        if self._held is not None and self.bracket.close_on_stop:
            self._tell("exited", "as the strategy stops")  # the engine tells a stopped strategy nothing any more
        self._deliver()

    def on_save(self) -> dict[str, bytes]:
        return {_STATE: self._saved()}

    def on_load(self, state: dict[str, bytes]) -> None:
        if _STATE in state:
            self._load(bytes(state[_STATE]))

    def _saved(self) -> bytes:
        gate = self.gate
        claim = gate.book.claim_of(str(self.strategy_id))
        saved = Saved(self.trade, gate.book.snapshot(), claim, gate.volatility, dict(self.refusals))
        return msgspec.msgpack.encode(saved)

    def _load(self, content: bytes) -> None:
        book = self.gate.book
        self._loaded = True
        try:
            saved = msgspec.msgpack.decode(content, type=Saved)
            book.restore(saved.risk, claims=False)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            # What was lost may have been a halt.
            book.stop_all(0, "manual", f"the saved state of {self.strategy_id} cannot be read: {error}")
            return
        self.trade = saved.trade
        if saved.claim is not None:
            book.claim(saved.claim)
        if saved.volatility.half_life_secs == self.gate.volatility.half_life_secs:
            self.gate.volatility = saved.volatility
        self.refusals.update(saved.refusals)

    def _remember(self) -> None:
        # A crash saves nothing, so each step is also left in the cache, which a database may stand behind.
        content = self._saved()
        if content != self._remembered:
            self._remembered = content
            self.cache.add(f"{_STATE}.{self.strategy_id}", content)

    def _load_remembered(self) -> None:
        content = self.cache.get(f"{_STATE}.{self.strategy_id}")
        if content:
            self._load(bytes(content))

    def _act(self) -> None:
        if self._acting:
            self._again = True
            return
        self._acting = True
        try:
            self._again = True
            while self._again and not self.stopped:
                self._again = False
                self._take_next_step()
        finally:
            self._acting = False
        if (self._told or self._live or self._held is not None) and not self.stopped:
            self._remember()
        self._deliver()

    def _take_next_step(self) -> None:
        live = self._live_orders()
        entry = next((name for name, role in live.items() if role == "ENTRY"), None)
        if entry is None:
            self.gate.book.end_entry(str(self.strategy_id))
        if self.gate.book.halt:
            self._drop_wish()
            self._stand_down(live)
            return
        self._stood_down = False
        if "EXIT" in live.values() or self._exiting:
            return
        if self._held is not None:
            self._watch(self._held, live, entry)
        elif entry is not None:
            self._watch_entry(entry)
        elif not live:
            self._retry_refused_entry()
            signal, self.trade.wish = self.trade.wish, None
            if signal is not None:
                self._enter_if_approved(signal)

    def _drop_wish(self, reason: str = "") -> None:
        wish, self.trade.wish = self.trade.wish, None
        if wish is not None and wish != self.trade.signal and not self.trade.crosses:
            state = self.gate.book.state
            self._refuse(wish, Refused(reason) if reason else Refused(state.halt, state.halt_detail))

    def _watch(self, quantity: Quantity, live: dict[ClientOrderId, str], entry: ClientOrderId | None) -> None:
        held = 1 if self._is_long else -1
        wish = self.trade.wish
        if wish is not None and (wish.direction == held or not self.bracket.exit_on_flip):
            self._drop_wish("held")
            wish = None
        stop = next((name for name, role in live.items() if role == "STOP"), None)
        if wish is None and stop is not None and not self._is_over(self.clock.timestamp_ns()):
            if entry is not None and (self._entry_is_late() or self.gate.paused):
                self._cancel(entry)
            self._move_stop(stop)
            self.gate.book.move_stop(str(self.strategy_id), self.trade.stop)
            return
        for name in live:
            self._cancel(name)
        self._close(quantity)

    def _watch_entry(self, entry: ClientOrderId) -> None:
        if self.trade.wish is not None or self.gate.paused or self._is_over(self.clock.timestamp_ns()):
            self._cancel(entry)
        elif self._entry_is_late() and entry not in self._changing and entry not in self._cancelled:
            signal = self._next_attempt()
            if signal is None:
                self._cancel(entry)
            elif self.trade.crosses:
                self.trade.wish = signal  # entered when the cancelled order is gone
                self._cancel(entry)
            else:
                self._reprice(entry, signal)

    def _next_attempt(self) -> Signal | None:
        trade = self.trade
        if trade.signal is None:
            return None
        if trade.attempts < self.bracket.reprices:
            trade.attempts += 1
        elif self.bracket.entry_last == "market" and not trade.crosses:
            trade.crosses = True
        else:
            return None
        trade.confidence = trade.certainty
        best = self._best_price(trade.signal.direction)
        return msgspec.structs.replace(trade.signal, entry=best)

    def _retry_refused_entry(self) -> None:
        refused, self.trade.refused_as_taker = self.trade.refused_as_taker, False
        if refused and self.trade.wish is None:
            self.trade.wish = self._next_attempt()

    def _reprice(self, entry: ClientOrderId, signal: Signal) -> None:
        answer = self._review(signal, self.trade.certainty)
        self._before = self.gate.book.claim_of(str(self.strategy_id))
        if not isinstance(answer, Approved) or self._before is None:
            self._cancel(entry)
            return
        smaller = answer.quantity < self._before.ordered
        self.gate.redeem(answer)
        claim = self.gate.book.claim_of(str(self.strategy_id))
        if claim is not None and not smaller:
            claim.ordered = self._before.ordered
        self._restart_clock()
        price = self._to_price(signal.entry)
        self._tell("repriced", price=nearest(price), quantity=claim.ordered if claim is not None else None)
        self._changing.add(entry)
        self.modify_order(entry, quantity=self._to_quantity(answer) if smaller else None, price=price)

    def _enter_if_approved(self, signal: Signal) -> None:
        answer = self._review(signal, self.trade.confidence)
        if isinstance(answer, Approved):
            self._enter(answer)

    def _enter(self, approval: Approved) -> None:
        self.gate.redeem(approval)
        signal, trade = approval.signal, self.trade
        again = trade.signal is not None and trade.signal.signal_id == signal.signal_id
        if not again:
            trade.attempts = 0
        trade.signal, trade.certainty = signal, approval.confidence
        trade.stop, trade.trail = nearest(self._to_price(signal.stop)), math.nan
        limit = self.bracket.entry == "limit" and not trade.crosses
        self._restart_clock()
        self._set_end()
        orders = self.order_factory.bracket(
            instrument_id=self.instrument_id,
            order_side=OrderSide.BUY if signal.direction > 0 else OrderSide.SELL,
            quantity=self._to_quantity(approval),
            contingency_type=ContingencyType.OUO,
            entry_order_type=OrderType.LIMIT if limit else OrderType.MARKET,
            entry_price=self._to_price(signal.entry) if limit else None,
            entry_post_only=limit,
            entry_tags=self._tags("ENTRY"),
            tp_price=self._to_price(signal.target),
            tp_post_only=False,
            tp_tags=self._tags("TARGET"),
            sl_trigger_price=self._to_price(signal.stop),
            sl_tags=self._tags("STOP"),
        )
        self._live |= {order.client_order_id: role_of(order) for order in orders}
        self._tell("repriced" if again else "submitted", price=signal.entry, quantity=approval.quantity)
        self.submit_order_list(orders)

    def _restart_clock(self) -> None:
        self.trade.age = 0
        timeout = self.bracket.entry_timeout_secs
        self.trade.deadline = self.clock.timestamp_ns() + round(timeout * _SECOND) if timeout is not None else 0
        self._set_alarm()

    def _set_alarm(self) -> None:
        at = self.trade.deadline
        if self.bracket.entry == "limit" and at > self.clock.timestamp_ns():
            self.clock.set_time_alert_ns(f"entry-{at}", at, self._on_alarm)

    def _set_end(self) -> None:
        at = self.trade.ends_ns
        if at is not None and at > self.clock.timestamp_ns():
            self.clock.set_time_alert_ns(f"horizon-{at}", at, self._on_alarm)

    def _on_alarm(self, event: Any) -> None:
        self._act()

    def _entry_is_late(self) -> bool:
        if self.bracket.entry != "limit" or self.trade.crosses:
            return False
        if self.trade.deadline:
            return self.clock.timestamp_ns() >= self.trade.deadline
        return self.trade.age >= self.bracket.entry_decisions

    def _to_quantity(self, approval: Approved) -> Quantity:
        return Quantity(approval.quantity, self.instrument.size_precision)
