"""The actor that asks the model about each signal: live, in a paper account and in backtests alike."""

from collections.abc import Callable
from typing import Annotated, Any, Self

import msgspec
import pyarrow as pa
from msgspec import Meta
from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from fathom.actors.model_providers import InProcess, Provider, ProviderError, Remote
from fathom.actors.model_window import ModelWindow, WindowUnfitError
from fathom.actors.prediction_log import PredictionLog, PredictionRow
from fathom.data_catalog.messages.features import FEATURES_TOPIC, SCHEMAS_TOPIC
from fathom.data_catalog.messages.signals import SIGNALS_TOPIC, Signal, ValidatedSignal
from fathom.ml.models.inference import Prediction
from fathom.ml.serving import ModelClient
from fathom.ml.serving.protocol import Card
from fathom.ml.serving.validation import Blending, BreakerConfig, CircuitBreaker, Fallback, is_challenged
from fathom.settings.times import DAY, MS
from fathom.settings.toml import ConfigPath


class ValidationActorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a `ValidationActor`.

    Attributes
    ----------
    instruments
        Ids of the instruments whose signals it answers.
    model
        Directory of the model's artifact; or
    server
        URL of a model server (`fathom models serve`).
    deadline_ms, retries
        Of a call of the server; the deadline holds for the call with its retries.
    challenger
        Directory of a second model. It is asked about the same windows, and its answers are logged.
    challenger_share
        Share of the signals that the challenger answers (A/B, by the hash of their ids); with 0 it answers none.
    inference_latency_ms
        How long a prediction takes on the simulated clock: the answer is published so much after the signal. Live, 0.
    window
        Vectors kept for each instrument: the longest window of a model.
    feature_age_ms
        The last vector may be so old when a signal comes.
    model_age_days
        How long after the end of its data a model may answer; without a limit by default.
    blending, breaker, fallback
        See `fathom.ml.serving.validation`.
    imbalance_feature
        The feature in which the fallback `RULE_BASED` reads the imbalance of the book.

    Examples
    --------
    >>> config = ValidationActorConfig(instruments=("BTCUSDT-LINEAR.BYBIT",), model="models/demo")
    >>> config.fallback.name, config.breaker.open_secs
    ('RULE_BASED', 30.0)
    """

    instruments: Annotated[tuple[str, ...], Meta(min_length=1)]
    model: ConfigPath | None = None
    server: str | None = None
    deadline_ms: Annotated[float, Meta(gt=0)] = 200.0
    retries: Annotated[int, Meta(ge=0)] = 1
    challenger: ConfigPath | None = None
    challenger_share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    inference_latency_ms: Annotated[float, Meta(ge=0)] = 1.0
    window: Annotated[int, Meta(ge=1)] = 60
    feature_age_ms: Annotated[float, Meta(gt=0)] = 2_500.0
    model_age_days: Annotated[float, Meta(gt=0)] | None = None
    blending: Blending = Blending()
    breaker: BreakerConfig = BreakerConfig()
    fallback: Fallback = Fallback()
    imbalance_feature: str = "imbalance_5"

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Folders of the models that are asked."""
        return tuple(path for path in (self.model, self.challenger) if path is not None)

    def __post_init__(self) -> None:
        if (self.model is None) == (self.server is None):
            raise ValueError(f"Expected either model or server, was {self.model!r} and {self.server!r}")
        if self.challenger_share and self.challenger is None:
            raise ValueError(f"Expected a challenger with challenger_share, was none (share {self.challenger_share})")
        if self.server is not None:
            ModelClient(self.server)  # raises where it is no URL


class _Seat:
    # A model that may be asked, with its breaker: the champion, or the challenger.
    def __init__(self, role: str, provider: Provider, breaker: CircuitBreaker) -> None:
        self.role = role
        self.provider = provider
        self.breaker = breaker
        self.card: Card | None = None
        self.failed = False

    def open(self) -> Card:
        # After a failure it is asked anew: a server may have come back with another model.
        if self.card is None or self.failed:
            self.card, self.failed = self.provider.open(), False
        return self.card

    def version(self) -> str:
        return f"{self.card.name}:{self.card.version}" if self.card is not None else ""


class _Asked(msgspec.Struct, frozen=True):
    # What came of asking a seat.
    prediction: Prediction | None
    error: str
    waited_ms: float
    breaker: str
    window_end: int
    vector: tuple[float, ...] = ()


class ValidationActor(DataActor):
    """Answer each `Signal` of some instruments with a `ValidatedSignal`, on the topic `validated.<instrument id>`.

    It keeps the last vectors of each instrument (`features.<id>`), gives their window to the model when a signal comes
    (`signals.<id>`), blends the two, and answers `inference_latency_ms` later. Where the model is missing, broken,
    slow, too old, or has no window it may look at, the fallback answers and the answer says so; after some such
    failures in a row the circuit breaker keeps calls away from the model for a while. A signal is always answered.

    Parameters
    ----------
    config
        The settings.
    actor_id
        Name in the engine, unique there.

    Examples
    --------
    >>> config = ValidationActorConfig(instruments=("BTCUSDT-LINEAR.BYBIT",), model="models/demo")
    >>> ValidationActor(config).actor_id
    ActorId('Validation-001')
    """

    def __new__(cls, config: ValidationActorConfig, actor_id: str = "Validation-001") -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId(actor_id)))  # type: ignore[call-arg]

    def __init__(self, config: ValidationActorConfig, actor_id: str = "Validation-001") -> None:
        super().__init__()
        self.settings = config
        self.windows = {name: ModelWindow(config.window) for name in config.instruments}
        self.predictions = PredictionLog()
        self._sources: set[str] = set()
        provider: Provider
        if config.server is not None:
            client = ModelClient(config.server, deadline_ms=config.deadline_ms, retries=config.retries)
            provider = Remote(client)
        else:
            provider = InProcess(config.model or "")
        self.champion = _Seat("champion", provider, CircuitBreaker(config.breaker))
        self.challenger = None
        if config.challenger is not None:
            self.challenger = _Seat("challenger", InProcess(config.challenger), CircuitBreaker(config.breaker))

    def on_start(self) -> None:
        for name, window in self.windows.items():
            self.subscribe_topic(f"{SCHEMAS_TOPIC}.{name}", window.mean)  # type: ignore[arg-type]
            self.subscribe_topic(f"{FEATURES_TOPIC}.{name}", self._taker(window))
            self.subscribe_topic(f"{SIGNALS_TOPIC}.{name}", self.on_proposal)
        for seat in (self.champion, self.challenger):
            if seat is not None:
                try:
                    seat.open()
                except ProviderError as error:  # tried again with each signal
                    self.log.warning(f"No {seat.role}: {error}")

    def on_proposal(self, signal: Any) -> None:
        """Ask the models about a signal, and answer it after the time that this takes."""
        settings, now_ns = self.settings, self.clock.timestamp_ns()
        self._sources.add(signal.source)
        asked = [(self.champion, self._ask(self.champion, signal, now_ns))]
        answering = 0
        if self.challenger is not None:
            asked.append((self.challenger, self._ask(self.challenger, signal, now_ns)))
            answering = int(is_challenged(signal.signal_id, settings.challenger_share))
        seat, found = asked[answering]
        charged = 0.0 if found.breaker == "OPEN" else max(settings.inference_latency_ms, found.waited_ms)
        for number, (other, result) in enumerate(asked):
            answered = number == answering
            self.predictions.add(_row(signal, now_ns, other, result, answered, charged if answered else 0.0))

        def publish(event: Any) -> None:
            answer = self._answer(signal, seat, found, charged)
            self.publish_message(answer.topic, answer)

        # Never at once: the strategy is still in its own call, into which the engine lets nobody call back.
        at = now_ns + max(1, round(charged * MS))
        self.clock.set_time_alert_ns(f"answer-{signal.signal_id}", at, publish)

    def on_stop(self) -> None:
        self.clock.cancel_timers()

    def on_save(self) -> dict[str, bytes]:
        seats = (seat for seat in (self.champion, self.challenger) if seat is not None)
        return {seat.role: msgspec.json.encode(seat.breaker.save()) for seat in seats}

    def on_load(self, state: dict[str, bytes]) -> None:
        for seat in (self.champion, self.challenger):
            if seat is not None and seat.role in state:
                seat.breaker.load(msgspec.json.decode(bytes(state[seat.role]), type=dict[str, int | None]))

    def tables(self) -> dict[str, pa.Table]:
        """Return the predictions as the table `predictions` of the run directory."""
        return {"predictions": self.predictions.table()}

    def notes(self) -> list[str]:
        """Return what a reader of the run should know: thresholds of sources from which no signal came."""
        came = ", ".join(sorted(self._sources))
        unused = sorted(set(self.settings.blending.thresholds) - self._sources) if came else []
        return [
            f"No signal came from '{name}', for which blending names a threshold; some from {came}." for name in unused
        ]

    def _taker(self, window: ModelWindow) -> Callable[[Any], None]:
        def take(vector: Any) -> None:
            window.add(vector.ts_event, vector.values, vector.schema_hash)

        return take

    def _ask(self, seat: _Seat, signal: Signal, now_ns: int) -> _Asked:
        breaker = seat.breaker
        state = breaker.state(now_ns)
        if not breaker.allows(now_ns):
            return _Asked(None, "circuit breaker open", 0.0, state, 0)
        window = self.windows[signal.instrument_id]
        try:
            card = seat.open()
            self._check_age(card, now_ns)
            values = window.of(card.model_schema, now_ns=now_ns, max_age_ms=self.settings.feature_age_ms)
            prediction = seat.provider.predict(values)
        except WindowUnfitError as error:
            if error.warming:
                breaker.abandon()
            else:
                self._fail(seat, str(error), now_ns)
            return _Asked(None, str(error), 0.0, state, window.ts_ns)
        except ProviderError as error:
            seat.failed = True
            self._fail(seat, str(error), now_ns)
            return _Asked(None, str(error), error.waited_ms, state, window.ts_ns)
        breaker.succeed()
        return _Asked(prediction, "", 0.0, state, window.ts_ns, tuple(values[-1].tolist()))

    def _fail(self, seat: _Seat, reason: str, now_ns: int) -> None:
        if seat.breaker.fail(now_ns):
            pause = seat.breaker.config.open_secs
            self.log.warning(f"The {seat.role} is left alone for {pause:g} s after {reason}")

    def _check_age(self, card: Card, now_ns: int) -> None:
        limit = self.settings.model_age_days
        if limit is None:
            return
        if not card.known_until_ns:
            raise ProviderError(f"age of the model not known, expected under {limit:g} days")
        age = (now_ns - card.known_until_ns) / DAY
        if age > limit:
            raise ProviderError(f"model {age:.1f} days old, over {limit:g} days")

    def _answer(self, signal: Signal, seat: _Seat, found: _Asked, charged: float) -> ValidatedSignal:
        settings, prediction = self.settings, found.prediction
        blending, now_ns = settings.blending, self.clock.timestamp_ns()
        fallback = ""
        if prediction is None:
            window = self.windows[signal.instrument_id]
            name = settings.imbalance_feature
            imbalance = window.last(name, now_ns=now_ns, max_age_ms=settings.feature_age_ms)
            rule = settings.fallback.answer(direction=signal.direction, imbalance=imbalance)
            accepted, confidence, reason = rule.accepted, rule.confidence, f"{found.error}; {rule.reason}"
            direction, expected, fallback = 0, float("nan"), settings.fallback.name
        else:
            accepted, reason = True, ""
            direction, confidence, expected = (
                prediction.direction,
                prediction.confidence,
                prediction.expected_return_bps,
            )
        blend = blending.blend(
            direction=signal.direction, strength=signal.strength, model_direction=direction, confidence=confidence
        )
        if prediction is not None:
            accepted, reason = blending.judge(
                signal.source, direction=signal.direction, model_direction=direction, final=blend.final
            )
        return ValidatedSignal(
            signal=signal,
            accepted=accepted,
            reason=reason,
            model_direction=direction,
            confidence=confidence,
            expected_return_bps=expected,
            aligned=blend.aligned,
            blended=blend.final,
            model_version=seat.version() if prediction is not None else "",
            inference_ms=charged,
            fallback=fallback,
            ts_init=now_ns,
        )


def _row(signal: Signal, ts_ns: int, seat: _Seat, found: _Asked, answered: bool, charged: float) -> PredictionRow:
    row = PredictionRow(
        ts=ts_ns,
        instrument=signal.instrument_id,
        signal_id=signal.signal_id,
        source=signal.source,
        side=signal.side,
        role=seat.role,
        answered=answered,
        window_end=found.window_end,
        model_version=seat.version(),
        inference_ms=charged,
        breaker=found.breaker,
        error=found.error,
    )
    prediction = found.prediction
    if prediction is None:
        return row
    hold, buy, sell = prediction.probabilities
    return msgspec.structs.replace(
        row,
        direction=prediction.direction,
        p_hold=hold,
        p_buy=buy,
        p_sell=sell,
        confidence=prediction.confidence,
        expected_return_bps=prediction.expected_return_bps,
        vector=found.vector,
    )
