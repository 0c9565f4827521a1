"""From a policy's signal to a decision: validated by the model, filtered by the detectors, journalled with its reasons.

What happens to a signal, in this order; the first step that refuses it ends its life, and the journal says which:

1. A signal whose numbers make no sense (NaN, a stop on the wrong side) is refused.
2. With `validator = true` it waits for the `ValidatedSignal`. One that does not come within `validation_deadline_ms` is
   a refusal: no order without validation, or the fallback that the validator states.
3. The manipulation filter: see `fathom.strategies.policy.manipulation`.
4. Stop and target go behind and before levels: see `fathom.strategies.policy.placement`.
5. The `Intent` that comes out goes to the bracket: risk gate, size, orders.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from fathom.data_catalog.messages.detections import LevelUpdate, ManipulationAlert, RegimeChange, WaveUpdate
from fathom.data_catalog.messages.signals import Signal, ValidatedSignal
from fathom.settings.times import MS
from fathom.strategies.policy.manipulation import Alert, ManipulationFilter
from fathom.strategies.policy.placement import place
from fathom.strategies.trading.commands import OrderNews
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.journal import Decision, Journal


class Intent(NamedTuple):
    """What is to be decided at a price; `signal` is None where nothing is wished for."""

    price: float
    signal: Signal | None
    confidence: float = 1.0


class Request(NamedTuple):
    """A signal that the validator is to answer by `deadline` (ns), on the alarm `name`."""

    signal: Signal
    name: str
    deadline: int


class _Saved(msgspec.Struct, frozen=True):
    # The detectors speak only when something changes.
    errors: int
    rows: list[Decision]
    levels: LevelUpdate | None
    regime: RegimeChange | None
    wave: WaveUpdate | None
    alerts: list[Alert]


class SignalDesk:
    """Looks at the signals of one strategy before they become orders, and keeps its journal.

    Parameters
    ----------
    config
        The parameters.
    strategy_id, instrument_id
        Whose signals, about what.
    now
        Returns the time (ns).

    Attributes
    ----------
    levels, regime, wave
        Latest `LevelUpdate`, `RegimeChange` and `WaveUpdate` of the instrument; None until one came.
    errors
        Exceptions of the policy so far.
    journal
        One row a signal.

    Examples
    --------
    >>> desk = SignalDesk(SignalStrategyConfig(), "Mine-B", "A.B", now=lambda: 7)
    >>> up = Signal(instrument_id="A.B", side="BUY", strength=0.7, entry=100.0, stop=98.0, target=103.0,
    ...             horizon_secs=0.0, ts_init=5, source="mine", signal_id="Mine-B-1")
    >>> decision, request = desk.propose(100.0, up)
    >>> decision.signal.stop, decision.confidence, request
    (98.0, 1.0, None)
    >>> desk.propose(100.0, msgspec.structs.replace(up, stop=101.0))[0].signal is None
    True
    >>> desk.journal.rows[-1].reason
    'stop 101 not behind the entry 100'
    """

    def __init__(
        self, config: SignalStrategyConfig, strategy_id: str, instrument_id: str, now: Callable[[], int]
    ) -> None:
        self.levels: LevelUpdate | None = None
        self.regime: RegimeChange | None = None
        self.wave: WaveUpdate | None = None
        self.errors = 0
        self.journal = Journal(strategy_id, instrument_id, now)
        self.filter = ManipulationFilter(config.manipulation)
        self._config = config
        self._now = now
        self._waiting: dict[str, tuple[float, Signal]] = {}  # by source: each member of an ensemble waits for its own

    @property
    def halted(self) -> bool:
        """Whether the policy failed too often."""
        return self.errors >= self._config.max_errors

    def fail(self, error: Exception) -> str:
        """Count and journal an exception of the policy; return it in words."""
        self.errors += 1
        reason = f"{type(error).__name__}: {error}"
        if self.halted:
            reason += f"; halted after {self.errors} exceptions of the policy"
        self.journal.error(reason)
        return reason

    def propose(self, price: float, signal: Signal | None) -> tuple[Intent, Request | None]:
        """Take the policy's answer at a price; return what is decided now, and what the validator is asked.

        None is the answer of a policy without an opinion. A signal that still waits for the validator is superseded by
        the next one of its source.
        """
        nothing = Intent(price, None)
        if signal is None:
            return nothing, None
        row = self.journal.open(signal, price)
        flaw = _flaw(signal)
        if flaw:
            row.end("policy", flaw)
            return nothing, None
        if not self._config.validator:
            row.reach("validated")
            return self._clear(row, price, signal, 1.0) or nothing, None
        self._refuse(signal.source, "superseded", f"by {signal.signal_id}")
        self._waiting[signal.source] = (price, signal)
        deadline = self._now() + round(self._config.validation_deadline_ms * MS)
        return nothing, Request(signal, f"validation-{signal.signal_id}", deadline)

    def answer(self, answer: ValidatedSignal) -> Intent | None:
        """Take the validator's answer; one that nothing waits for is another strategy's, or too late."""
        source, signal_id = answer.signal.source, answer.signal.signal_id
        waiting, row = self._waiting.get(source), self.journal.of(signal_id)
        if waiting is None or row is None or waiting[1].signal_id != signal_id:
            return None
        del self._waiting[source]
        self.journal.validated(row, answer)
        if not answer.accepted:
            row.end("validation", answer.reason or "refused")
            return None
        row.reach("validated", answer.reason)
        return self._clear(row, *waiting, answer.blended)

    def expire(self, name: str) -> None:
        """Refuse the signal whose deadline has this name."""
        for source, (_, signal) in list(self._waiting.items()):
            if name == f"validation-{signal.signal_id}":
                late = f"no answer within {self._config.validation_deadline_ms:g} ms"
                self._refuse(source, "validation", late)

    def give_up(self, reason: str) -> None:
        """Refuse all signals that wait for the validator."""
        for source in list(self._waiting):
            self._refuse(source, "validation", reason)

    def hear(self, finding: Any) -> None:
        """Take a message of the detectors."""
        match finding:
            case LevelUpdate():
                self.levels = finding
            case RegimeChange():
                self.regime = finding
            case WaveUpdate():
                self.wave = finding
            case ManipulationAlert():
                alert = Alert(finding.side, finding.ts_init, finding.confidence, finding.kind, finding.trace_id)
                self.filter.note(alert)

    def note(self, signal: Signal, news: OrderNews) -> None:
        """Write down what happened to an order of a signal."""
        if news.role == "ENTRY":
            self.journal.order(signal.signal_id, news.order_id)
        if news.kind == "filled":
            self.journal.fill(signal.signal_id, news.role, news.price, news.quantity, news.fee, news.ts)

    def save(self) -> bytes:
        """Return what is known, for `load`."""
        saved = _Saved(self.errors, self.journal.save(), self.levels, self.regime, self.wave, self.filter.alerts)
        return msgspec.msgpack.encode(saved)

    def load(self, content: bytes) -> None:
        """Go on from what `save` returned.

        Raises
        ------
        msgspec.MsgspecError
            It cannot be read.
        """
        saved = msgspec.msgpack.decode(content, type=_Saved)
        self.errors = saved.errors
        self.journal.load(saved.rows)
        for row in saved.rows:
            if row.stage == "signal":  # a restart finds nobody who would answer
                row.end("validation", "restarted before the answer")
        self.levels, self.regime, self.wave = saved.levels, saved.regime, saved.wave
        self.filter.alerts = list(saved.alerts)

    def _clear(self, row: Decision, price: float, signal: Signal, weight: float) -> Intent | None:
        verdict = self.filter.judge(signal.side, weight, now_ns=self._now())
        row.filter, row.filter_reason, row.alert_trace_id = verdict.outcome, verdict.reason, verdict.trace_id
        if verdict.outcome == "blocked":
            row.end("filter", verdict.reason)
            return None
        if self.levels is not None:
            placed = place(signal, self.levels.supports, self.levels.resistances, self._config.placement)
            signal = msgspec.structs.replace(signal, stop=placed.stop, target=placed.target)
        row.placed_stop, row.placed_target, row.weight = signal.stop, signal.target, verdict.weight
        row.reach("cleared", verdict.reason)
        return Intent(price, signal, verdict.weight)

    def _refuse(self, source: str, by: str, reason: str) -> None:
        _, signal = self._waiting.pop(source, (0.0, None))
        row = self.journal.of(signal.signal_id) if signal is not None else None
        if row is not None:
            row.end(by, reason)


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
