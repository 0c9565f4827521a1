"""A strategy whose signals are written in its configuration, and a validator that answers as told: for tests."""

from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta
from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from fathom.data_catalog.messages.detections import LevelUpdate
from fathom.data_catalog.messages.signals import Signal, ValidatedSignal
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.policy_strategy import PolicyStrategy
from tests.makers.alerts import alert

HERE = "tests.makers.scripted"
SECOND = 1_000_000_000


class ScriptedConfig(SignalStrategyConfig, frozen=True, kw_only=True):
    """Signals as `[second, side, strength]`; seconds at which the policy fails.

    Stop and target are shares of the price, the horizon is in seconds.
    """

    signals: tuple[tuple[int, Literal["BUY", "SELL"], float], ...] = ()
    fails: tuple[int, ...] = ()
    stop: float = 0.001
    target: float = 0.001
    horizon: float = 0.0


class Scripted(PolicyStrategy):
    """Proposes what its configuration says, at the last price, each second."""

    def __init__(self, config: ScriptedConfig, instrument_id: str, strategy_id: str) -> None:
        super().__init__(config, instrument_id, strategy_id)
        self.script = config
        self.seconds = 0
        self.last = 0.0

    def on_start(self) -> None:
        super().on_start()
        self.subscribe_trades(self.instrument_id)
        self.clock.set_timer_ns("script", SECOND)

    def on_trade(self, trade: Any) -> None:
        self.last = nearest(trade.price)

    def on_time_event(self, event: Any) -> None:
        if event.name != "script":
            super().on_time_event(event)
            return
        self.seconds += 1
        if self.last:
            self.propose(self.last, self.ask(self.opinion, self.seconds, event.ts_event))

    def opinion(self, second: int, ts_ns: int) -> Signal | None:
        if second in self.script.fails:
            raise ZeroDivisionError("the policy divides by nothing")
        for at, side, strength in self.script.signals:
            if at == second:
                sign = 1 if side == "BUY" else -1
                return Signal(
                    instrument_id=str(self.instrument_id),
                    side=side,
                    strength=strength,
                    entry=self.last,
                    stop=self.last * (1.0 - sign * self.script.stop),
                    target=self.last * (1.0 + sign * self.script.target),
                    horizon_secs=self.script.horizon,
                    ts_init=ts_ns,
                    source="scripted",
                )
        return None


class OracleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the validator answers, and what the detectors say: alerts as `[second, side, confidence]`."""

    instruments: Annotated[tuple[str, ...], Meta(min_length=1)]
    accepts: bool = True
    delay_ms: float = 5.0
    silent: bool = False
    alerts: list[tuple[int, Literal["BUY", "SELL", "NONE"], float]] = []
    levels: tuple[float, float] | None = None


class Oracle(DataActor):
    """Answers each signal after a while, as its configuration says, and plays the detectors."""

    def __new__(cls, config: OracleConfig, actor_id: str) -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId(actor_id)))  # type: ignore[call-arg]

    def __init__(self, config: OracleConfig, actor_id: str) -> None:
        super().__init__()
        self.options = config
        self.seconds = 0

    def on_start(self) -> None:
        for name in self.options.instruments:
            self.subscribe_topic(f"signals.{name}", self.hear)
        self.clock.set_timer_ns("detectors", SECOND)

    def on_time_event(self, event: Any) -> None:
        self.seconds += 1
        name, now_ns = self.options.instruments[0], event.ts_event
        if self.options.levels is not None:
            support, resistance = self.options.levels
            levels = LevelUpdate(
                instrument_id=name,
                ts_event=now_ns,
                ts_init=now_ns,
                supports=((support, 0.8),),
                resistances=((resistance, 0.8),),
            )
            self.publish_message(levels.topic, levels)
        for at, side, confidence in self.options.alerts:
            if at == self.seconds:
                message = alert(name, now_ns, side=side, confidence=confidence, trace_id=f"alert-{at}")
                self.publish_message(message.topic, message)

    def hear(self, signal: Any) -> None:
        if self.options.silent:
            return

        def answer(event: Any) -> None:
            said = ValidatedSignal(
                signal=signal,
                accepted=self.options.accepts,
                reason="blended 0.80" if self.options.accepts else "blended 0.20 under 0.50",
                model_direction=signal.direction,
                confidence=0.8,
                expected_return_bps=3.0,
                aligned=True,
                blended=0.8,
                model_version="oracle:1",
                inference_ms=self.options.delay_ms,
                fallback="",
                ts_init=self.clock.timestamp_ns(),
            )
            self.publish_message(said.topic, said)

        at = self.clock.timestamp_ns() + round(self.options.delay_ms * 1e6)
        self.clock.set_time_alert_ns(f"answer-{signal.signal_id}", at, answer)


SCRIPTED = f"{HERE}:Scripted,{HERE}:ScriptedConfig"
ORACLE = f"{HERE}:Oracle,{HERE}:OracleConfig"
