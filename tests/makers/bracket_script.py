"""A bracket strategy that does each second what its configuration says, and notes what it is told: for tests."""

from typing import Any, NamedTuple

import msgspec

from fathom.data_catalog.messages.signals import Side, Signal
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.trading import commands
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.policy_strategy import PolicyStrategy, Saved

SECOND = 1_000_000_000


class Step(NamedTuple):
    """A step of the life of a signal, as the strategy was told it; seconds since the start."""

    second: float
    signal_id: str
    stage: str
    reason: str
    price: float | None
    quantity: float | None
    pnl: float | None


TOLD: list[Step] = []
RAN: list["Directed"] = []
REFUSED: list[tuple[str, str]] = []


class DirectedConfig(SignalStrategyConfig, frozen=True, kw_only=True):
    """Steps as `[second, what, a, b]`.

    `buy` and `sell`: a and b are the distances of stop and target from the last price. `trail`: to the price a.
    `halt`, `reset`. `restart`: a new object in the place of this one, with what `on_save` returned. `forget`: likewise
    without it, but for what lies in the cache; `amnesia`: without that, too. `restart_every`: such a restart every so
    many seconds, after a crash where it does not save (`saves`).
    """

    steps: tuple[tuple[float, str, float, float], ...] = ()
    restart_every: float = 0.0
    saves: bool = True


class Directed(PolicyStrategy):
    """Follows its directions on a timer of 100 ms, and decides on the last price each second."""

    def __init__(self, config: DirectedConfig, instrument_id: str, strategy_id: str) -> None:
        super().__init__(config, instrument_id, strategy_id)
        self.directions = config
        self.told = TOLD
        self.began = 0
        self.last = 0.0
        self.timers_left: list[str] = []

    def on_start(self) -> None:
        super().on_start()
        self.began = self.began or self.clock.timestamp_ns()
        self.subscribe_trades(self.instrument_id)
        if "directions" not in self.clock.timer_names():  # it outlives a restart: one that is replaced fires twice
            self.clock.set_timer_ns("directions", SECOND // 10)

    def on_stop(self) -> None:
        super().on_stop()
        self.timers_left = [name for name in self.clock.timer_names() if not name.startswith("fathom-latency")]
        if self.last:
            self.follow("buy", 100.0, 100.0, self.clock.timestamp_ns())
            self.follow("trail", self.last - 1.0, 0.0, 0)
        RAN.append(self)

    def on_trade(self, trade: Any) -> None:
        self.last = nearest(trade.price)

    def on_time_event(self, event: Any) -> None:
        tenths = round((event.ts_event - self.began) / (SECOND // 10))
        every = round(10 * self.directions.restart_every)
        if every and tenths % every == 0:
            self.restart(remembers=self.directions.saves)
        for second, what, a, b in self.directions.steps:
            if round(second * 10) == tenths and self.last:
                self.follow(what, a, b, event.ts_event)
        if tenths % 10 == 0 and self.last:
            self.decide(self.last, None)

    def follow(self, what: str, a: float, b: float, now: int) -> None:
        match what:
            case "buy" | "sell":
                self.decide(self.last, self.signal("BUY" if what == "buy" else "SELL", a, b, now))
            case "trail":
                self.trail(a)
            case "halt":
                self.halt("by hand")
            case "reset":
                self.reset_halt()
            case "restart" | "forget" | "amnesia":
                self.restart(remembers=what == "restart", cache=what != "amnesia")
            case _:
                raise ValueError(what)

    def signal(self, side: Side, stop: float, target: float, now: int) -> Signal:
        sign = 1.0 if side == "BUY" else -1.0
        return Signal(
            instrument_id=str(self.instrument_id),
            side=side,
            strength=1.0,
            entry=self.last,
            stop=self.last - sign * stop,
            target=self.last + sign * target,
            horizon_secs=0.0,
            ts_init=now,
            source="directed",
        )

    def restart(self, *, remembers: bool, cache: bool = True) -> None:
        # What a new process does, over the same cache: a new object, what was saved, what the cache knows.
        saved, began, last = self.on_save(), self.began, self.last
        for name in self.clock.timer_names():
            if name.startswith(("risk-check", "entry-", "horizon-")):
                self.clock.cancel_timer(name)
        config = self.risk.book.config if self.risk.book.active else None
        self.__init__(self.directions, str(self.instrument_id), str(self.strategy_id))  # type: ignore[misc]
        self.began, self.last = began, last
        self.join(RiskBook(config))
        if remembers:
            self.on_load(saved)
        if not cache:
            self.cache.add(f"strategy.{self.strategy_id}", msgspec.msgpack.encode(Saved(1)))
        self.on_start()

    def on_step(self, step: commands.Step) -> None:
        self.told.append(Step((self.clock.timestamp_ns() - self.began) / SECOND, *step))
        if step.stage == "refused":
            REFUSED.append((step.signal_id, step.reason.partition(":")[0]))


HERE = "tests.makers.bracket_script"
DIRECTED = f"{HERE}:Directed,{HERE}:DirectedConfig"
