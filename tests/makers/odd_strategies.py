"""Strategies that fail, watch or trade by the clock: for the tests of the engine's surroundings."""

from decimal import Decimal
from typing import Any, Literal, Self

import msgspec
from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId, BookType, InstrumentId, OrderSide, Price, Quantity, StrategyId
from nautilus_trader.trading import Strategy, StrategyConfig

SECOND = 1_000_000_000
HERE = "tests.makers.odd_strategies"


class Plain(Strategy):
    """Subscribes to trades, and has a timer every second."""

    def __new__(cls, config: Any, instrument_id: str, strategy_id: str) -> Self:
        return super().__new__(cls, StrategyConfig(strategy_id=StrategyId(strategy_id)))  # type: ignore[call-arg]

    def __init__(self, config: Any, instrument_id: str, strategy_id: str) -> None:
        super().__init__()
        self.options = config
        self.instrument_id = InstrumentId.from_str(instrument_id)
        self.seconds = 0

    def on_start(self) -> None:
        self.subscribe_trades(self.instrument_id)
        self.clock.set_timer_ns("second", SECOND)

    def on_time_event(self, event: Any) -> None:
        self.seconds += 1
        self.each_second(self.seconds)

    def each_second(self, second: int) -> None:
        pass

    def market(self, side: OrderSide, quantity: str, *, reduce_only: bool = False) -> None:
        order = self.order_factory.market(
            self.instrument_id, side, Quantity.from_str(quantity), reduce_only=reduce_only
        )
        self.submit_order(order)


class FailingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    where: Literal["start", "timer", "callback", "trade", "stop", "log", "interrupt", "handled"] = "timer"


class Failing(Plain):
    """Raises an exception in one of its handlers."""

    def on_start(self) -> None:
        super().on_start()
        self.fail("start")
        self.clock.set_time_alert_ns("once", self.clock.timestamp_ns() + SECOND, self.callback)

    def each_second(self, second: int) -> None:
        if second == 2:
            self.fail("timer")
            if self.options.where == "log":
                self.log.error("the strategy complains")
            if self.options.where == "interrupt":
                raise KeyboardInterrupt
            if self.options.where == "handled":
                try:
                    raise ValueError("boom")
                except ValueError:
                    pass

    def callback(self, event: Any) -> None:
        self.fail("callback")

    def on_trade(self, trade: Any) -> None:
        self.fail("trade")

    def on_stop(self) -> None:
        self.fail("stop")

    def fail(self, where: str) -> None:
        if self.options.where == where:
            raise ValueError("boom")


class ScriptConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds at which to buy or sell how much: `orders = [[3, "BUY", "0.5"]]`."""

    orders: list[tuple[int, Literal["BUY", "SELL"], str]] = []
    close_on_stop: bool = False


class Script(Plain):
    """Sends market orders by the clock."""

    def each_second(self, second: int) -> None:
        for at, side, quantity in self.options.orders:
            if at == second:
                self.market(OrderSide.BUY if side == "BUY" else OrderSide.SELL, quantity)

    def on_stop(self) -> None:
        if self.options.close_on_stop:
            self.close_all_positions(self.instrument_id)


class Sample(msgspec.Struct, frozen=True):
    """What the engine itself says at a time."""

    time: int
    instrument_id: str
    balance: str
    unrealized: str
    mid: str


class WatchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    instruments: tuple[str, ...]
    every_ms: int = 1_000
    first_ms: int = 337


WATCHED: list[Sample] = []


class Watch(DataActor):
    """Notes the engine's balance, and its unrealised profit at the mid of its own book; trades nothing."""

    def __new__(cls, config: WatchConfig, actor_id: str) -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId(actor_id)))  # type: ignore[call-arg]

    def __init__(self, config: WatchConfig, actor_id: str) -> None:
        super().__init__()
        self.options = config

    def on_start(self) -> None:
        for name in self.options.instruments:
            self.subscribe_book_deltas(InstrumentId.from_str(name), BookType.L2_MBP, managed=True)
        start = self.clock.timestamp_ns() + self.options.first_ms * 1_000_000
        self.clock.set_timer_ns("watch", self.options.every_ms * 1_000_000, start)

    def on_time_event(self, event: Any) -> None:
        for name in self.options.instruments:
            self.sample(InstrumentId.from_str(name))

    def sample(self, instrument_id: InstrumentId) -> None:
        top = self.cache.top_of_book(instrument_id)
        account = self.cache.account_for_venue(instrument_id.venue)
        instrument = self.cache.instrument(instrument_id)
        if top is None or account is None or instrument is None:
            return
        mid = (top[0].as_decimal() + top[2].as_decimal()) / 2
        price = Price.from_decimal(mid)
        positions = self.cache.positions_open(instrument_id=instrument_id)
        unrealized = sum((position.unrealized_pnl(price).as_decimal() for position in positions), Decimal(0))
        WATCHED.append(
            Sample(
                time=self.clock.timestamp_ns(),
                instrument_id=str(instrument_id),
                balance=str(account.balance_total(instrument.quote_currency).as_decimal()),
                unrealized=str(unrealized),
                mid=str(mid),
            )
        )


class ListenConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No options."""


HEARD: list[Any] = []


class Listen(Plain):
    """Notes what is said on the topic of the features of its instrument."""

    def on_start(self) -> None:
        self.subscribe_topic(f"features.{self.instrument_id}", HEARD.append)


def path_of(strategy: type, config: type) -> str:
    """Return the name by which a configuration finds a strategy of this file."""
    return f"{HERE}:{strategy.__name__},{HERE}:{config.__name__}"


FAILING, SCRIPT = path_of(Failing, FailingConfig), path_of(Script, ScriptConfig)
LISTEN, WATCH = path_of(Listen, ListenConfig), f"{HERE}:Watch"
