"""Trading a signal with a bracket: one entry, a stop and a target, whatever the venue answers.

`BracketStrategy` is the engine's half of a strategy: it turns a `Signal` into orders and watches what becomes of them.
A strategy derives from it, feeds its policy, and calls `decide` (see `strategies.supertrend`).

How it works, and how it keeps out of trouble:

- `decide` remembers the wish and calls `_act`, which looks at what is true now (position, live orders) and takes the
  next step towards the wish. Everything that changes the truth (a fill, a rejection, a cancel) calls `_act` again, so
  that a rejected or partly filled order needs no code of its own.
- The engine calls order handlers from inside `submit_order` and `cancel_order`; there it allows no call back into
  itself ("Already mutably borrowed"). `_act` notes such a call and repeats itself afterwards. And it may carry out a
  command only after the handler has returned, so an order counts as live from the moment it was sent, not from when
  the cache shows it.
- The stop and the target become active with the first fill of the entry, follow its filled quantity, and one cancels
  the other. A position without a live stop (the venue refused it) is closed at once.
- Orders carry tags: their role (`ENTRY`, `STOP`, `TARGET`, `EXIT`), and `decision=<price>`, from which the reports take
  the slippage.
- `on_stop` cancels the timers and the orders, closes the position if so configured, and nothing is sent after it.
"""

from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta
from nautilus_trader.model import (
    ClientOrderId,
    ContingencyType,
    InstrumentId,
    OrderFilled,
    OrderSide,
    OrderType,
    PositionChanged,
    PositionClosed,
    PositionOpened,
    Price,
    Quantity,
    StrategyId,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from data_catalog.messages import Signal
from strategies.numbers import nearest
from strategies.policy.sizing import position_lots

ROLES = ("ENTRY", "STOP", "TARGET", "EXIT")
"""What an order is for, as its tags state it."""

STAGES = (
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
"""The steps in the life of a signal that `BracketStrategy.on_decision` hears of, in the order of their coming."""


class BracketConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How signals are traded: the parameters that all bracket strategies share.

    Attributes
    ----------
    direction
        Which side may be entered.
    entry
        `market`, or `limit`: post-only at the price of the decision.
    entry_decisions
        A limit entry that is not filled is cancelled after so many decisions (bars).
    exit_on_flip
        Whether a signal against the position closes it (and reverses it, where `direction` allows).
    risk_fraction, notional, max_leverage
        See `strategies.policy.sizing.position_lots`.
    close_on_stop
        Whether to close the position when the strategy stops.

    Examples
    --------
    >>> BracketConfig(entry="limit").risk_fraction
    0.01
    """

    direction: Literal["both", "long", "short"] = "both"
    entry: Literal["market", "limit"] = "market"
    entry_decisions: Annotated[int, Meta(ge=1)] = 3
    exit_on_flip: bool = True
    risk_fraction: Annotated[float, Meta(gt=0, le=1)] = 0.01
    notional: Annotated[float, Meta(gt=0)] | None = None
    max_leverage: Annotated[float, Meta(gt=0)] = 2.0
    close_on_stop: bool = True


class BracketStrategy(Strategy):
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

    def __new__(cls, config: Any, instrument_id: str, strategy_id: str) -> Self:
        # The engine's part takes its own configuration here, and only here.
        return super().__new__(cls, StrategyConfig(strategy_id=StrategyId(strategy_id)))  # type: ignore[call-arg]

    def __init__(self, config: BracketConfig, instrument_id: str, strategy_id: str) -> None:
        super().__init__()
        self.bracket = config
        self.instrument_id = InstrumentId.from_str(instrument_id)
        self.instrument: Any = None
        self.stopped = False
        self._wish: Signal | None = None
        self._confidence = 1.0
        self._signals = 0
        self._price = 0.0
        self._age = 0
        self._held: Quantity | None = None
        self._is_long = False
        self._live: dict[ClientOrderId, str] = {}
        self._cancelled: set[ClientOrderId] = set()
        self._acting = False
        self._again = False

    def on_start(self) -> None:
        instrument = self.cache.instrument(self.instrument_id)
        if instrument is None:
            raise ValueError(f"Expected the instrument {self.instrument_id} in the data, was none.")
        self.instrument = instrument
        for position in self.cache.positions_open(instrument_id=self.instrument_id, strategy_id=self.strategy_id):
            self._held, self._is_long = position.quantity, position.is_long

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
        self._price = price
        self._age += 1
        if signal is not None:
            self._wish = self.name_signal(signal)
            self._confidence = confidence
        self._act()

    def name_signal(self, signal: Signal) -> Signal:
        """Return the signal with a `signal_id` that is unique in the run, as it is where it has one."""
        if signal.signal_id:
            return signal
        self._signals += 1
        return msgspec.structs.replace(signal, signal_id=f"{self.strategy_id}-{self._signals}")

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

    def on_refusal(self, signal: Signal, reason: str) -> None:
        """Hear that the risk gate refused an entry. Nothing happens here; a journal overrides it."""

    def on_order_event(self, event: Any) -> None:
        if not isinstance(event, OrderFilled):  # the position follows with an event of its own
            self._act()

    def on_position_event(self, event: Any) -> None:
        if isinstance(event, PositionClosed):
            self._held = None
        elif isinstance(event, PositionOpened | PositionChanged):
            self._held, self._is_long = event.quantity, event.signed_qty > 0
        self._act()

    def on_stop(self) -> None:
        self.stopped = True
        self.clock.cancel_timers()
        self.cancel_all_orders(self.instrument_id)
        if self.bracket.close_on_stop:
            self.close_all_positions(self.instrument_id, tags=self._tags("EXIT"))

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

    def _take_next_step(self) -> None:
        live = self._live_orders()
        if "EXIT" in live.values():
            return
        entry = next((name for name, role in live.items() if role == "ENTRY"), None)
        if self._held is not None:
            self._watch(self._held, live, entry)
        elif entry is not None:
            if self._entry_is_late() or self._wish is not None:
                self._cancel(entry)
        elif not live and self._wish is not None:
            signal, self._wish = self._wish, None
            self._enter(signal)

    def _live_orders(self) -> dict[ClientOrderId, str]:
        for name in list(self._live):
            if self.cache.is_order_closed(name):  # never cache.order: it copies the order with all its events
                del self._live[name]
                self._cancelled.discard(name)
        return self._live

    def _watch(self, quantity: Quantity, live: dict[ClientOrderId, str], entry: ClientOrderId | None) -> None:
        held = 1 if self._is_long else -1
        wish = self._wish
        if wish is not None and (wish.direction == held or not self.bracket.exit_on_flip):
            self._wish = wish = None
        if wish is None and "STOP" in live.values():
            if entry is not None and self._entry_is_late():
                self._cancel(entry)
            return
        for name in live:
            self._cancel(name)
        order = self.order_factory.market(
            self.instrument_id,
            OrderSide.SELL if held > 0 else OrderSide.BUY,
            quantity,
            reduce_only=True,
            tags=self._tags("EXIT"),
        )
        self._live[order.client_order_id] = "EXIT"
        self.submit_order(order)

    def _enter(self, signal: Signal) -> None:
        quantity = self._quantity(signal)
        if not self._may_enter(signal) or quantity is None:
            return
        limit = self.bracket.entry == "limit"
        self._age = 0
        orders = self.order_factory.bracket(
            instrument_id=self.instrument_id,
            order_side=OrderSide.BUY if signal.direction > 0 else OrderSide.SELL,
            quantity=quantity,
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
        self.submit_order_list(orders)

    def _cancel(self, name: ClientOrderId) -> None:
        if name not in self._cancelled:
            self._cancelled.add(name)
            self.cancel_order(name)

    def _entry_is_late(self) -> bool:
        return self.bracket.entry == "limit" and self._age >= self.bracket.entry_decisions

    def _may_enter(self, signal: Signal) -> bool:
        return self.bracket.direction in ("both", "long" if signal.direction > 0 else "short")

    def _quantity(self, signal: Signal) -> Quantity | None:
        account = self.cache.account_for_venue(self.instrument_id.venue)
        balance = account.balance_total(self.instrument.quote_currency) if account is not None else None
        lot = nearest(self.instrument.size_increment)
        minimum, notional = self.instrument.min_quantity, self.instrument.min_notional
        lots = position_lots(
            equity=float(balance) if balance is not None else 0.0,
            entry=signal.entry,
            stop=signal.stop,
            lot=lot,
            risk_fraction=self.bracket.risk_fraction,
            notional=self.bracket.notional,
            max_leverage=self.bracket.max_leverage,
            min_lots=round(nearest(minimum) / lot) if minimum is not None else 1,
            min_notional=float(notional) if notional is not None else 0.0,
        )
        return Quantity(lots * lot, self.instrument.size_precision) if lots else None

    def _to_price(self, value: float) -> Price:
        tick = nearest(self.instrument.price_increment)
        return Price(round(value / tick) * tick, self.instrument.price_precision)

    def _tags(self, role: str) -> list[str]:
        return [role, f"decision={self._price!r}"]


def role_of(order: Any) -> str:
    """Return the role that the tags of an order state (of `ROLES`), `OTHER` without one."""
    return next((tag for tag in order.tags or () if tag in ROLES), "OTHER")
