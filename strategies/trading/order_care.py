"""The orders of one strategy in one instrument: which are live, what they are for, and what becomes of them.

How it keeps out of the engine's traps:

- The engine calls order handlers from inside `submit_order` and `cancel_order`; there it allows no call back into
  itself, not even to its clock ("Already mutably borrowed"). So handlers only note what the event itself says; `_act`
  does the rest afterwards, and what the journal hears it hears then.
- The engine may carry out a command only after the handler has returned, so an order counts as live from the moment it
  was sent, not from when the cache shows it.
- All that a restart must not lose is in one struct, `Trade`. What the venue knows (orders, position) comes from the
  cache.
"""

import math
from collections import deque
from typing import Any, Final

import msgspec
from nautilus_trader.model import (
    ClientOrderId,
    InstrumentId,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderModifyRejected,
    OrderRejected,
    OrderSide,
    OrderUpdated,
    Price,
    Quantity,
    StrategyId,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from fathom.data_catalog.messages.signals import Signal
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.order_roles import guessed_role, tags_of

STAGES: Final = (
    "approved",
    "refused",
    "submitted",
    "repriced",
    "rejected",
    "cancelled",
    "filled",
    "stopped",
    "target",
    "exited",
    "halted",
)
"""The steps in the life of a signal that `OrderCare.on_decision` hears of, in the order of their coming."""

_CLOSING: Final = {"STOP": "stopped", "TARGET": "target"}


class Trade(msgspec.Struct, kw_only=True):
    """What a strategy must remember of its signals and its trade, beside what the venue knows.

    Attributes
    ----------
    signals
        Named so far.
    wish, confidence
        The signal that is to be traded next, and how sure it is.
    signal, certainty
        The one whose orders or position are live.
    price
        Of the last decision.
    age
        Decisions since the entry was sent or repriced.
    deadline
        When the entry is late (ns); 0 where decisions count.
    attempts
        Times that the entry was repriced.
    refused_as_taker
        Whether the venue has just refused the post-only entry.
    crosses
        Whether the wish is entered by market, whatever the configuration says.
    stop, trail
        Trigger price of the stop, and where it is to go; NaN: unknown, nowhere.
    last_role
        What the last fill that reduced the position was for.

    Examples
    --------
    >>> Trade().signals
    0
    """

    signals: int = 0
    wish: Signal | None = None
    confidence: float = 1.0
    signal: Signal | None = None
    certainty: float = 1.0
    price: float = 0.0
    age: int = 0
    deadline: int = 0
    attempts: int = 0
    refused_as_taker: bool = False
    crosses: bool = False
    stop: float = math.nan
    trail: float = math.nan
    last_role: str = ""

    @property
    def ends_ns(self) -> int | None:
        """When the signal that is traded ends (ns); None where it has no horizon."""
        return self.signal.ends_ns if self.signal is not None else None


class OrderCare(Strategy):
    """The part of a strategy that knows its orders and its position, and tells a journal of them.

    Parameters
    ----------
    instrument_id
        What is traded.
    strategy_id
        Name and tag, such as `SuperTrend-BTCUSDT`; the tag is unique in the system.

    Examples
    --------
    >>> from fathom.strategies.trading.brackets import BracketConfig, BracketStrategy
    >>> BracketStrategy(BracketConfig(), "BTCUSDT-LINEAR.BYBIT", "Mine-BTCUSDT").trade.age
    0
    """

    book_depth: int | None = None
    """Levels a side of the book that all components of a system subscribe to: set before the start, see `system`."""

    def __new__(cls, config: Any, instrument_id: str, strategy_id: str) -> Any:
        # The engine's part takes its own configuration here, and only here.
        claimed = [InstrumentId.from_str(instrument_id)] if getattr(config, "claim_external", False) else None
        own = StrategyConfig(strategy_id=StrategyId(strategy_id), external_order_instrument_ids=claimed)
        return super().__new__(cls, own)  # type: ignore[call-arg]

    def __init__(self, config: Any, instrument_id: str, strategy_id: str) -> None:
        super().__init__()
        self.instrument_id = InstrumentId.from_str(instrument_id)
        self.instrument: Any = None
        self.stopped = False
        self.trade = Trade()
        self._horizon_secs = config.horizon_secs or 0.0
        self._held: Quantity | None = None
        self._is_long = False
        self._live: dict[ClientOrderId, str] = {}
        self._cancelled: set[ClientOrderId] = set()
        self._changing: set[ClientOrderId] = set()
        self._acting = False
        self._again = False
        self._told: deque[tuple[str, str, str, dict[str, float | None]]] = deque()

    def name_signal(self, signal: Signal) -> Signal:
        """Return the signal with a `signal_id` that is unique in the run, as it is where it has one.

        It also gets the configured horizon, where it has none.
        """
        if signal.signal_id:
            return signal
        self.trade.signals += 1
        horizon = signal.horizon_secs or self._horizon_secs
        return msgspec.structs.replace(
            signal, signal_id=f"{self.strategy_id}-{self.trade.signals}", horizon_secs=horizon
        )

    def on_decision(
        self,
        signal_id: str,
        stage: str,
        reason: str,
        *,
        price: float | None = None,
        quantity: float | None = None,
        pnl: float | None = None,
    ) -> None:
        """Hear of a step in the life of a signal. Nothing happens here; a journal overrides it.

        Parameters
        ----------
        signal_id
            Of the signal; empty where a step concerns none.
        stage
            One of `STAGES`.
        reason
            Why, in a few words; empty where the stage says all.
        price, quantity
            Of an order or a fill.
        pnl
            Of a closed position, realised, in quote currency, fees included.
        """

    def _tell(self, stage: str, reason: str = "", *, signal: Signal | None = None, **numbers: float | None) -> None:
        signal = signal or self.trade.signal
        self._told.append((signal.signal_id if signal is not None else "", stage, reason, numbers))

    def _deliver(self) -> None:
        while self._told and not self._acting:
            signal_id, stage, reason, numbers = self._told.popleft()
            self.on_decision(signal_id, stage, reason, **numbers)

    def _note(self, event: Any) -> None:
        # Only what the event says: the engine may be in the middle of something.
        role = self._live.get(event.client_order_id, "")
        if isinstance(event, OrderFilled):
            if role == "ENTRY":
                self._tell("filled", price=nearest(event.last_px), quantity=nearest(event.last_qty))
            else:
                self.trade.last_role = role or "EXIT"
        elif isinstance(event, OrderRejected | OrderDenied):
            if role == "ENTRY":
                self.trade.refused_as_taker = bool(getattr(event, "due_post_only", False))
                self._tell("rejected", str(event.reason))
            elif role and self._held is not None:
                self._tell("rejected", f"{role}: {event.reason}")
        elif isinstance(event, OrderCanceled | OrderExpired):
            if role == "ENTRY":
                self._tell("cancelled")
        elif isinstance(event, OrderModifyRejected | OrderUpdated):
            self._changing.discard(event.client_order_id)
            if role == "STOP":
                if isinstance(event, OrderModifyRejected):
                    self.trade.trail = math.nan
                elif event.trigger_price is not None:
                    self.trade.stop = nearest(event.trigger_price)

    def _live_orders(self) -> dict[ClientOrderId, str]:
        for name in list(self._live):
            if self.cache.is_order_closed(name):  # never cache.order: it copies the order with all its events
                del self._live[name]
                self._cancelled.discard(name)
                self._changing.discard(name)
        return self._live

    def _claim_orders(self) -> None:
        # After a restart the cache knows what the venue knows; before the first order it is empty.
        cache, what, who = self.cache, self.instrument_id, self.strategy_id
        for position in cache.positions_open(instrument_id=what, strategy_id=who):
            self._held, self._is_long = position.quantity, position.is_long
        open_orders = cache.orders_open(instrument_id=what, strategy_id=who)
        for order in [*open_orders, *cache.orders_inflight(instrument_id=what, strategy_id=who)]:
            role = guessed_role(order)
            self._live[order.client_order_id] = role
            if role == "STOP":
                self.trade.stop = nearest(order.trigger_price)

    def _cancel(self, name: ClientOrderId) -> None:
        if name not in self._cancelled:
            self._cancelled.add(name)
            self.cancel_order(name)

    def _move_stop(self, name: ClientOrderId) -> None:
        trade, sign = self.trade, 1 if self._is_long else -1
        tick = nearest(self.instrument.price_increment)
        ahead = sign * (trade.trail - trade.stop) > 0.5 * tick  # NaN: there is nowhere to go
        safe = sign * (trade.price - trade.trail) > 0.5 * tick  # else the venue would trigger it, or never
        if ahead and safe and name not in self._changing and name not in self._cancelled:
            self._changing.add(name)
            self.modify_order(name, trigger_price=self._to_price(trade.trail))

    def _close(self, quantity: Quantity) -> None:
        order = self.order_factory.market(
            self.instrument_id,
            OrderSide.SELL if self._is_long else OrderSide.BUY,
            quantity,
            reduce_only=True,
            tags=self._tags("EXIT"),
        )
        self._live[order.client_order_id] = "EXIT"
        self.submit_order(order)

    def _closing_stage(self) -> str:
        return _CLOSING.get(self.trade.last_role, "exited")

    def _to_price(self, value: float) -> Price:
        tick = nearest(self.instrument.price_increment)
        return Price(round(value / tick) * tick, self.instrument.price_precision)

    def _tags(self, role: str) -> list[str]:
        signal = self.trade.signal
        return tags_of(role, self.trade.price, signal.signal_id if signal is not None else "")
