"""SuperTrend as an engine strategy, and the example of how to write one.

A strategy of Fathom has three parts, and this file shows each:

1. **The policy** (`strategies.policy.supertrend`) is pure: closed bars in, `Signal` out. It knows no engine, so that it
   can be tested bar by bar, swept over arrays, and run live unchanged. Every `if` about the market belongs there.
2. **The configuration** (`SuperTrendConfig`) is a frozen msgspec struct. Its fields are what a TOML file may set
   under `[strategies.parameters]`; a wrong name or type is an error that names the file and the path.
3. **The engine strategy** (`SuperTrend`) is thin: subscribe, convert, ask the policy, send orders, watch what becomes
   of them. `strategies.system` lists the strategies by name, and makes one instance for each instrument.

How orders are handled here, and should be in yours:

- `on_bar` remembers the wish (a signal) and calls `_act`, which looks at what is true now (position, working orders)
  and does at most the next step towards the wish. Everything that changes the truth (a fill, a rejection, a cancel)
  calls `_act` again. So a rejected or partly filled order needs no code of its own.
- The engine calls order handlers from inside `submit_order` and `cancel_order`; there it allows no call back into
  itself ("Already mutably borrowed"). `_act` therefore notes such calls and repeats itself afterwards.
- Entries are brackets: the stop and the target become active with the first fill of the entry, follow its filled
  quantity, and one cancels the other. If the venue refuses the stop, the position is closed at once.
- Orders carry tags: their role (`ENTRY`, `STOP`, `TARGET`, `EXIT`), and `decision=<price>`, from which the reports take
  the slippage.
- `on_stop` cancels the timers and the orders, closes the position if so configured, and nothing is sent after it.
"""

from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta
from nautilus_trader.model import (
    Bar,
    BarType,
    BookType,
    ContingencyType,
    InstrumentId,
    OrderFilled,
    OrderSide,
    OrderType,
    Price,
    Quantity,
    StrategyId,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from strategies.policy.signals import Signal
from strategies.policy.sizing import position_lots
from strategies.policy.supertrend import SuperTrendPolicy


class SuperTrendConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters of `SuperTrend`.

    Attributes
    ----------
    bars
        Bar type without the instrument: internal bars of trades (`5-SECOND-LAST-INTERNAL`), of the book's mid
        (`1-MINUTE-MID-INTERNAL`), or bars of the data (`1-MINUTE-LAST-EXTERNAL`).
    atr_period, multiplier, volume_window, volume_ratio, stop_atr, target_atr
        See `SuperTrendPolicy`. Bars of the mid have no volume: there, `volume_window` must be 0.
    direction
        Which side may be entered.
    entry
        `market`, or `limit`: post-only at the close of the bar, cancelled after `entry_bars` bars.
    exit_on_flip
        Whether a signal against the position closes it (and reverses it, where `direction` allows).
    risk_fraction, notional, max_leverage
        See `position_lots`.
    close_on_stop
        Whether to close the position when the strategy stops.

    Examples
    --------
    >>> SuperTrendConfig(volume_window=0, bars="1-MINUTE-MID-INTERNAL").atr_period
    10
    """

    bars: str = "1-MINUTE-LAST-INTERNAL"
    atr_period: Annotated[int, Meta(ge=2)] = 10
    multiplier: Annotated[float, Meta(gt=0)] = 3.0
    volume_window: Annotated[int, Meta(ge=0)] = 20
    volume_ratio: Annotated[float, Meta(ge=0)] = 1.0
    stop_atr: Annotated[float, Meta(gt=0)] = 2.0
    target_atr: Annotated[float, Meta(gt=0)] = 4.0
    direction: Literal["both", "long", "short"] = "both"
    entry: Literal["market", "limit"] = "market"
    entry_bars: Annotated[int, Meta(ge=1)] = 3
    exit_on_flip: bool = True
    risk_fraction: Annotated[float, Meta(gt=0, le=1)] = 0.01
    notional: Annotated[float, Meta(gt=0)] | None = None
    max_leverage: Annotated[float, Meta(gt=0)] = 2.0
    close_on_stop: bool = True

    def __post_init__(self) -> None:
        try:
            bar_type = BarType.from_str(f"A.B-{self.bars}")
        except ValueError as error:
            raise ValueError(f"Expected bars such as '5-SECOND-LAST-INTERNAL', was '{self.bars}'") from error
        if self.volume_window and _follows_quotes(bar_type):
            raise ValueError(f"Expected volume_window = 0 with bars of quotes ('{self.bars}'), which have no volume")


class SuperTrend(Strategy):
    """Trade SuperTrend flips of one instrument with bracket orders.

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
    >>> SuperTrend(SuperTrendConfig(), "BTCUSDT-LINEAR.BYBIT", "SuperTrend-BTCUSDT").strategy_id
    StrategyId('SuperTrend-BTCUSDT')
    """

    def __new__(cls, config: SuperTrendConfig, instrument_id: str, strategy_id: str) -> Self:
        # The engine's part takes its own configuration here, and only here.
        return super().__new__(cls, StrategyConfig(strategy_id=StrategyId(strategy_id)))  # type: ignore[call-arg]

    def __init__(self, config: SuperTrendConfig, instrument_id: str, strategy_id: str) -> None:
        super().__init__()
        self.parameters = config
        self.instrument_id = InstrumentId.from_str(instrument_id)
        self.bar_type = BarType.from_str(f"{instrument_id}-{config.bars}")
        self.policy = SuperTrendPolicy(
            instrument_id,
            atr_period=config.atr_period,
            multiplier=config.multiplier,
            volume_window=config.volume_window,
            volume_ratio=config.volume_ratio,
            stop_atr=config.stop_atr,
            target_atr=config.target_atr,
        )
        self.instrument: Any = None
        self._wish: Signal | None = None
        self._price = 0.0
        self._entry_age = 0
        self._acting = False
        self._again = False
        self._stopped = False

    def on_start(self) -> None:
        instrument = self.cache.instrument(self.instrument_id)
        if instrument is None:
            raise ValueError(f"Expected the instrument {self.instrument_id} in the data, was none.")
        self.instrument = instrument
        if _follows_quotes(self.bar_type):
            self.subscribe_book_deltas(self.instrument_id, BookType.L2_MBP, managed=True)
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Bar) -> None:
        if self._stopped:
            return
        self._price = float(bar.close)
        self._entry_age += 1
        signal = self.policy.update(
            float(bar.high), float(bar.low), float(bar.close), float(bar.volume), ts_init=bar.ts_init
        )
        if signal is not None:
            self._wish = signal
        self._act()

    def on_order_event(self, event: Any) -> None:
        if not isinstance(event, OrderFilled):  # the position follows with an event of its own
            self._act()

    def on_position_event(self, event: Any) -> None:
        self._act()

    def on_stop(self) -> None:
        self._stopped = True
        self.clock.cancel_timers()
        self.cancel_all_orders(self.instrument_id)
        if self.parameters.close_on_stop:
            self.close_all_positions(self.instrument_id, tags=self._tags("EXIT"))

    def _act(self) -> None:
        if self._acting:
            self._again = True
            return
        self._acting = True
        try:
            for _ in range(8):  # each pass sends at most one command; a venue that refuses everything must not hold us
                self._again = False
                if not self._stopped:
                    self._take_next_step()
                if not self._again:
                    break
        finally:
            self._acting = False

    def _take_next_step(self) -> None:
        instrument_id, strategy_id = self.instrument_id, self.strategy_id
        working = self.cache.orders_open(instrument_id=instrument_id, strategy_id=strategy_id)
        working += self.cache.orders_inflight(instrument_id=instrument_id, strategy_id=strategy_id)
        roles = {role_of(order): order for order in working}
        positions = self.cache.positions_open(instrument_id=instrument_id, strategy_id=strategy_id)
        if positions:
            self._watch_position(int(positions[0].signed_qty > 0) * 2 - 1, roles)
        elif "ENTRY" in roles:
            entry, wish = roles["ENTRY"], self._wish
            late = self.parameters.entry == "limit" and self._entry_age >= self.parameters.entry_bars
            against = wish is not None and (wish.direction > 0) != entry.is_buy
            if (late or against) and not entry.is_pending_cancel:
                self.cancel_order(entry.client_order_id)
        elif not working and self._wish is not None:
            signal, self._wish = self._wish, None
            self._enter(signal)

    def _watch_position(self, held: int, roles: dict[str, Any]) -> None:
        wish = self._wish
        if wish is not None and (wish.direction == held or not self.parameters.exit_on_flip):
            self._wish = wish = None
        unprotected = "STOP" not in roles and "ENTRY" not in roles
        if "EXIT" in roles or not (wish is not None or unprotected):
            return
        if wish is not None and not self._may_enter(wish):
            self._wish = None
        if set(roles) - {"EXIT"}:
            self.cancel_all_orders(self.instrument_id)
        self.close_all_positions(self.instrument_id, tags=self._tags("EXIT"))

    def _may_enter(self, signal: Signal) -> bool:
        return self.parameters.direction in ("both", "long" if signal.direction > 0 else "short")

    def _enter(self, signal: Signal) -> None:
        quantity = self._quantity(signal)
        if not self._may_enter(signal) or quantity is None:
            return
        limit = self.parameters.entry == "limit"
        self._entry_age = 0
        bracket = self.order_factory.bracket(
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
        self.submit_order_list(bracket)

    def _quantity(self, signal: Signal) -> Quantity | None:
        account = self.cache.account_for_venue(self.instrument_id.venue)
        balance = account.balance_total(self.instrument.quote_currency) if account is not None else None
        lot = float(self.instrument.size_increment)
        minimum, notional = self.instrument.min_quantity, self.instrument.min_notional
        lots = position_lots(
            equity=float(balance) if balance is not None else 0.0,
            entry=signal.entry,
            stop=signal.stop,
            lot=lot,
            risk_fraction=self.parameters.risk_fraction,
            notional=self.parameters.notional,
            max_leverage=self.parameters.max_leverage,
            min_lots=round(float(minimum) / lot) if minimum is not None else 1,
            min_notional=float(notional) if notional is not None else 0.0,
        )
        return Quantity(lots * lot, self.instrument.size_precision) if lots else None

    def _to_price(self, value: float) -> Price:
        tick = float(self.instrument.price_increment)
        return Price(round(value / tick) * tick, self.instrument.price_precision)

    def _tags(self, role: str) -> list[str]:
        return [role, f"decision={self._price!r}"]


def role_of(order: Any) -> str:
    """Return the role that the tags of an order state, `OTHER` without one."""
    return next((tag for tag in order.tags or () if tag in ("ENTRY", "STOP", "TARGET", "EXIT")), "OTHER")


def _follows_quotes(bar_type: BarType) -> bool:
    return bar_type.is_internally_aggregated() and str(bar_type).split("-")[-2] in ("MID", "BID", "ASK")
