"""From a policy's signal to a bracket: validated by the model, filtered by the detectors, journalled with its reasons.

`SignalStrategy` is what every strategy of Fathom derives from. A strategy asks its policy through `ask`, and hands the
answer to `propose`:

    signal = self.ask(self.policy.update, high, low, close, volume, ts_init=bar.ts_init)
    self.propose(close, signal)

What happens to a signal, in this order; the first step that refuses it ends its life, and the journal says which:

1. A signal whose numbers make no sense (NaN, a stop on the wrong side) is refused.
2. With `validator = true` it is published, and waits for the `ValidatedSignal`. One that does not come within
   `validation_deadline_ms` is a refusal: no order without validation, or the fallback that the validator states.
3. The manipulation filter: see `fathom.strategies.policy.manipulation`.
4. Stop and target go behind and before levels: see `fathom.strategies.policy.placement`.
5. `BracketStrategy.decide`: risk gate, size, orders.

An exception of a policy is caught in `ask`, counted and journalled; after `max_errors` of them the strategy halts.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import pyarrow as pa
from msgspec import Meta
from nautilus_trader.model import OrderFilled

from fathom.data_catalog.messages.detections import (
    ALERTS_TOPIC,
    LEVELS_TOPIC,
    REGIMES_TOPIC,
    WAVES_TOPIC,
    LevelUpdate,
    ManipulationAlert,
    RegimeChange,
    WaveUpdate,
)
from fathom.data_catalog.messages.signals import VALIDATED_TOPIC, Signal
from fathom.strategies.policy.manipulation import Alert, ManipulationConfig, ManipulationFilter
from fathom.strategies.policy.placement import PlacementConfig, place
from fathom.strategies.trading.brackets import BracketConfig, BracketStrategy
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.journal import Decision, Journal

_MS = 1_000_000
_STATE = "signals"


class SignalStrategyConfig(BracketConfig, frozen=True, kw_only=True):
    """Parameters that all strategies share, beside those of `BracketConfig`.

    Attributes
    ----------
    validator
        Whether each signal waits for the answer of the `validation` actor.
    validation_deadline_ms
        How long it waits; without an answer by then it is refused.
    manipulation
        What alerts do to signals: `action` is `off`, `block` or `scale`.
    placement
        Whether stops go behind levels and targets before them.
    max_errors
        After so many exceptions of its policy the strategy takes no more signals.

    Examples
    --------
    >>> SignalStrategyConfig().validator
    False
    """

    validator: bool = False
    validation_deadline_ms: Annotated[float, Meta(gt=0)] = 1_000.0
    manipulation: ManipulationConfig = ManipulationConfig()
    placement: PlacementConfig = PlacementConfig()
    max_errors: Annotated[int, Meta(ge=1)] = 5


class _Heard(msgspec.Struct, frozen=True):
    # What the detectors said last: they speak only when it changes.
    levels: LevelUpdate | None = None
    regime: RegimeChange | None = None
    wave: WaveUpdate | None = None
    alerts: list[Alert] = []


class _Saved(msgspec.Struct, frozen=True):
    errors: int
    rows: list[Decision]
    heard: _Heard


class SignalStrategy(BracketStrategy):
    """A strategy in one instrument whose signals are looked at before they become orders.

    Parameters
    ----------
    config, instrument_id, strategy_id
        See `BracketStrategy`.

    Attributes
    ----------
    levels, regime, wave
        Latest `LevelUpdate`, `RegimeChange` and `WaveUpdate` of the instrument; None until one came.
    alerts
        The latest `ManipulationAlert` of the instrument; None until one came.
    errors
        Exceptions of the policy so far.
    journal
        One row a signal.

    Examples
    --------
    >>> strategy = SignalStrategy(SignalStrategyConfig(), "BTCUSDT-LINEAR.BYBIT", "Mine-BTCUSDT")
    >>> strategy.levels, strategy.errors, strategy.tables()["decisions"].num_rows
    (None, 0, 0)
    """

    def __init__(self, config: SignalStrategyConfig, instrument_id: str, strategy_id: str) -> None:
        super().__init__(config, instrument_id, strategy_id)
        self.settings = config
        self.levels: LevelUpdate | None = None
        self.regime: RegimeChange | None = None
        self.wave: WaveUpdate | None = None
        self.alerts: ManipulationAlert | None = None
        self.errors = 0
        self.journal = Journal(strategy_id, instrument_id, now=lambda: self.clock.timestamp_ns())
        self._filter = ManipulationFilter(config.manipulation)
        self._waiting: dict[
            str, tuple[float, Signal]
        ] = {}  # by source: the members of an ensemble wait each for its own
        self._is_taken_up = False

    def on_start(self) -> None:
        super().on_start()
        name = str(self.instrument_id)
        remembered = None if self._is_taken_up else self.cache.get(self._signals_key)
        if remembered:
            self._take_up(bytes(remembered))
        self.subscribe_topic(f"{LEVELS_TOPIC}.{name}", self.on_levels)
        self.subscribe_topic(f"{REGIMES_TOPIC}.{name}", self.on_regime)
        self.subscribe_topic(f"{WAVES_TOPIC}.{name}", self.on_wave)
        self.subscribe_topic(f"{ALERTS_TOPIC}.{name}", self.on_alert)
        if self.settings.validator:
            self.subscribe_topic(f"{VALIDATED_TOPIC}.{name}", self.on_validated)

    def ask[**P, T](self, policy: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call a policy; return what it says, None where it fails or the strategy has halted.

        Every call that may lead to a signal goes through here, so that a fault in it is no crash: it is counted and
        journalled, and after `max_errors` of them the strategy halts. A position that is open then keeps its stop and
        target.
        """
        most = self.settings.max_errors
        if self.errors >= most:
            return None
        try:
            return policy(*args, **kwargs)
        except Exception as error:
            self.errors += 1
            reason = f"{type(error).__name__}: {error}"
            if self.errors >= most:
                reason += f"; halted after {self.errors} exceptions of the policy"
            self.journal.error(reason)
            self._remember_signals()
            self.log.warning(f"Exception {self.errors} of {most} in the policy: {reason}")
            return None

    def propose(self, price: float, signal: Signal | None) -> None:
        """Take the policy's answer at a price: a signal is looked at, and traded if nothing speaks against it.

        None is the answer of a policy without an opinion: it counts as a decision of `entry_decisions`. A signal that
        still waits for the validator is superseded by the next one of its source.
        """
        if self.stopped:
            return
        if signal is None:
            self.decide(price, None)
            return
        signal = self.name_signal(signal)
        row = self.journal.open(signal, price)
        flaw = _flaw(signal)
        if flaw:
            self.journal.end(row, "policy", flaw)
            self.decide(price, None)
        elif not self.settings.validator:
            row.reach("validated")
            if not self._clear(row, price, signal, 1.0):
                self.decide(price, None)
        else:
            self.decide(price, None)
            self._refuse_waiting("superseded", f"by {signal.signal_id}", signal.source)
            self._waiting[signal.source] = (price, signal)
            deadline = self.clock.timestamp_ns() + round(self.settings.validation_deadline_ms * _MS)
            self.clock.set_time_alert_ns(f"validation-{signal.signal_id}", deadline, self.on_deadline)
            self.publish_message(signal.topic, signal)
            self._remember_signals()

    def on_validated(self, answer: Any) -> None:
        """Take the validator's answer; one that nothing waits for is another strategy's, or too late."""
        waiting, row = self._waiting.get(answer.signal.source), self.journal.of(answer.signal.signal_id)
        if self.stopped or waiting is None or row is None or waiting[1].signal_id != answer.signal.signal_id:
            return
        del self._waiting[answer.signal.source]
        price, signal = waiting
        self.journal.validated(row, answer)
        if not answer.accepted:
            self.journal.end(row, "validation", answer.reason or "refused")
            self._remember_signals()
            return
        row.reach("validated", answer.reason)
        self._clear(row, price, signal, answer.blended)

    def on_deadline(self, event: Any) -> None:
        for source, (_, signal) in list(self._waiting.items()):
            if str(event.name) == f"validation-{signal.signal_id}":
                self._refuse_waiting(
                    "validation", f"no answer within {self.settings.validation_deadline_ms:g} ms", source
                )
                self._remember_signals()

    def on_levels(self, update: Any) -> None:
        self.levels = update
        self._remember_signals()

    def on_regime(self, change: Any) -> None:
        self.regime = change
        self._remember_signals()

    def on_wave(self, update: Any) -> None:
        self.wave = update
        self._remember_signals()

    def on_alert(self, alert: Any) -> None:
        self.alerts = alert
        self._filter.note(Alert(alert.side, alert.ts_init, alert.confidence, alert.kind, alert.trace_id))
        self._remember_signals()

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
        self.journal.step(signal_id, stage, reason, price=price, quantity=quantity, pnl=pnl)

    def on_order_event(self, event: Any) -> None:
        signal, role = self.trade.signal, self._live.get(event.client_order_id, "")
        if signal is not None:
            if role == "ENTRY":
                self.journal.order(signal.signal_id, str(event.client_order_id))
            if isinstance(event, OrderFilled):
                fee = float(event.commission.as_decimal()) if event.commission is not None else 0.0
                price, quantity = nearest(event.last_px), nearest(event.last_qty)
                self.journal.fill(signal.signal_id, role, price, quantity, fee, event.ts_event)
        super().on_order_event(event)

    def on_stop(self) -> None:
        self._refuse_waiting("validation", "stopped before the answer")
        super().on_stop()

    def on_save(self) -> dict[str, bytes]:
        self._refuse_waiting("validation", "saved before the answer")  # a restart finds nobody who would answer
        return {**super().on_save(), _STATE: self._saved_signals()}

    def on_load(self, state: dict[str, bytes]) -> None:
        super().on_load(state)
        if _STATE in state:
            self._take_up(bytes(state[_STATE]))

    def tables(self) -> dict[str, pa.Table]:
        """Return the journal as the table `decisions` of the run directory."""
        return {"decisions": self.journal.table()}

    @property
    def _signals_key(self) -> str:
        return f"{_STATE}.{self.strategy_id}"

    def _saved_signals(self) -> bytes:
        heard = _Heard(self.levels, self.regime, self.wave, self._filter.alerts)
        return msgspec.msgpack.encode(_Saved(self.errors, self.journal.save(), heard))

    def _take_up(self, content: bytes) -> None:
        self._is_taken_up = True
        try:
            saved = msgspec.msgpack.decode(content, type=_Saved)
        except msgspec.MsgspecError as error:
            self.log.warning(f"What was known of signals and detectors is lost: it cannot be read: {error}")
            return
        self.errors = saved.errors
        self.journal.load(saved.rows)
        for row in saved.rows:
            if row.stage == "signal":  # a restart finds nobody who would answer
                self.journal.end(row, "validation", "restarted before the answer")
        self.levels, self.regime, self.wave = saved.heard.levels, saved.heard.regime, saved.heard.wave
        self._filter.alerts = list(saved.heard.alerts)

    def _remember_signals(self) -> None:
        # A crash calls no `on_save`.
        self.cache.add(self._signals_key, self._saved_signals())

    def _deliver(self) -> None:
        news = bool(self._told)
        super()._deliver()
        if news and not self.stopped:
            self._remember_signals()

    def _clear(self, row: Decision, price: float, signal: Signal, weight: float) -> bool:
        # Returns whether the signal was decided on.
        verdict = self._filter.judge(signal.side, weight, now_ns=self.clock.timestamp_ns())
        row.filter, row.filter_reason, row.alert_trace_id = verdict.outcome, verdict.reason, verdict.trace_id
        if verdict.outcome == "blocked":
            self.journal.end(row, "filter", verdict.reason)
            return False
        if self.levels is not None:
            placed = place(signal, self.levels.supports, self.levels.resistances, self.settings.placement)
            signal = msgspec.structs.replace(signal, stop=placed.stop, target=placed.target)
        row.placed_stop, row.placed_target, row.weight = signal.stop, signal.target, verdict.weight
        row.reach("cleared", verdict.reason)
        self.decide(price, signal, confidence=verdict.weight)
        return True

    def _refuse_waiting(self, by: str, reason: str, source: str | None = None) -> None:
        for each in [source] if source is not None else list(self._waiting):
            _, signal = self._waiting.pop(each, (0.0, None))
            row = self.journal.of(signal.signal_id) if signal is not None else None
            if row is not None:
                self.journal.end(row, by, reason)


def _flaw(signal: Signal) -> str:
    # Not (a < b) rather than a >= b: NaN is in no order with anything.
    direction = signal.direction
    if not 0.0 <= signal.strength <= 1.0:
        return f"strength {signal.strength:g} not from 0 to 1"
    if not (math.isfinite(signal.entry) and signal.entry > 0.0):
        return f"entry {signal.entry:g} is no price"
    if not (math.isfinite(signal.stop) and direction * (signal.entry - signal.stop) > 0.0):
        return f"stop {signal.stop:g} not behind the entry {signal.entry:g}"
    if not (math.isfinite(signal.target) and direction * (signal.target - signal.entry) > 0.0):
        return f"target {signal.target:g} not ahead of the entry {signal.entry:g}"
    if not 0.0 <= signal.horizon_secs < math.inf:
        return f"horizon {signal.horizon_secs:g} s is no time"
    return ""
