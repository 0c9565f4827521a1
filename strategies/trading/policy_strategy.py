"""The engine's half of every strategy: it owns the parts, hands events to them, and carries out what they ask for.

An event goes to the parts in this order: `orders` (which of our orders is it), `desk` (the journal), `risk` and
`bracket` (what follows from it); then `bracket.step` is asked until it has no more to do, and its commands are carried
out. A closed bar goes to the member's policy, its answer to the desk, what the desk lets through to `decide`.

`Momentum`, `SarWave`, `SuperTrend` and `VolumeProfile` are this class with a policy; `Ensemble` hosts several. A
strategy without a policy derives from it too, takes a `SignalStrategyConfig`, and calls `propose` itself.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from nautilus_trader.model import (
    Bar,
    BarType,
    BookType,
    InstrumentId,
    OrderFilled,
    PositionChanged,
    PositionClosed,
    PositionOpened,
    QuoteTick,
    StrategyId,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from fathom.data_catalog.messages import detections
from fathom.data_catalog.messages.features import FEATURES_TOPIC
from fathom.data_catalog.messages.signals import VALIDATED_TOPIC, Signal
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.risk.gate import Refused, RiskGate, Sizing
from fathom.strategies.risk.seat import RiskSeat
from fathom.strategies.trading.bracket import Bracket
from fathom.strategies.trading.commands import Step
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.desk import SignalDesk
from fathom.strategies.trading.engine_market import EngineMarket
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.member import Member, Parts, of_quotes
from fathom.strategies.trading.order_stages import Grid
from fathom.strategies.trading.orders import Orders
from fathom.strategies.trading.pacer import Pacer

_VERSION: Final = 1
_STATE: Final = "strategy"
_MS: Final = 1_000_000
_FINDINGS: Final = (detections.LEVELS_TOPIC, detections.REGIMES_TOPIC, detections.WAVES_TOPIC, detections.ALERTS_TOPIC)


class PolicyStrategyConfig(SignalStrategyConfig, frozen=True, kw_only=True):
    """Parameters of a strategy that trades one policy, beside those of `SignalStrategyConfig`.

    Attributes
    ----------
    bars
        Bar type without the instrument: internal bars of trades (`5-SECOND-LAST-INTERNAL`), of the book's mid
        (`1-MINUTE-MID-INTERNAL`), or bars of the data (`1-MINUTE-LAST-EXTERNAL`).

    Examples
    --------
    >>> PolicyStrategyConfig(bars="5 seconds")
    Traceback (most recent call last):
    ...
    ValueError: Expected bars such as '5-SECOND-LAST-INTERNAL', was '5 seconds'
    """

    bars: str = "1-MINUTE-LAST-INTERNAL"

    def __post_init__(self) -> None:
        try:
            BarType.from_str(f"A.B-{self.bars}")
        except ValueError as error:
            raise ValueError(f"Expected bars such as '5-SECOND-LAST-INTERNAL', was '{self.bars}'") from error

    @property
    def without_volume(self) -> bool:
        """Whether the bars are of quotes."""
        return of_quotes(BarType.from_str(f"A.B-{self.bars}"))

    def bar_type(self, instrument_id: str) -> BarType:
        """Return the bars of an instrument that the policy reads."""
        return BarType.from_str(f"{instrument_id}-{self.bars}")

    def member(self, instrument_id: str) -> Member:
        """Return the policy for an instrument, with what feeds it."""
        raise NotImplementedError


def with_parameters(parameters: type[msgspec.Struct]) -> type[PolicyStrategyConfig]:
    """Return `PolicyStrategyConfig` with the fields of a policy's parameters beside its own.

    So a parameter is written once, beside its policy, and stands in a TOML file among those of the strategy; all of
    them together are `config.policy`.
    """
    names = parameters.__struct_fields__
    fields = [(field.name, field.type, _default(field)) for field in msgspec.structs.fields(parameters)]
    name = f"{parameters.__name__}Base"
    policy = property(lambda config: parameters(**{name: getattr(config, name) for name in names}))  # checks them
    body = {"__doc__": parameters.__doc__, "policy": policy}
    made = msgspec.defstruct(name, fields, bases=(PolicyStrategyConfig,), namespace=body, frozen=True, kw_only=True)
    return cast("type[PolicyStrategyConfig]", made)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return field.default


class Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a restarted strategy goes on from: what each part saved of itself."""

    version: int
    bracket: bytes = b""
    risk: bytes = b""
    desk: bytes = b""
    policies: bytes = b""


class PolicyStrategy(Strategy):
    """Trade the signals of policies in one instrument, one position at a time.

    What it knows is saved and loaded with the engine's state, and also left in the engine's cache at each step, which a
    database may stand behind: after a restart, or a crash, it goes on as if nothing had happened.

    Parameters
    ----------
    config
        The parameters.
    instrument_id
        What is traded.
    strategy_id
        Name and tag, such as `SuperTrend-BTCUSDT`; the tag is unique in the system.
    members
        The policies; by default that of the configuration, if it has one.

    Attributes
    ----------
    orders, risk, bracket, desk, members
        The parts.

    Examples
    --------
    >>> from fathom.strategies.supertrend import SuperTrend, SuperTrendConfig
    >>> strategy = SuperTrend(SuperTrendConfig(), "BTCUSDT-LINEAR.BYBIT", "SuperTrend-BTCUSDT")
    >>> [member.name for member in strategy.members], strategy.bracket.held, strategy.desk.errors
    (['supertrend'], 0.0, 0)
    """

    book_depth: int | None = None
    """Levels a side of the book that all components of a system subscribe to: set before the start, see `system`."""

    def __new__(cls, config: SignalStrategyConfig, instrument_id: str, strategy_id: str) -> Any:
        # The engine's part takes its own configuration here, and only here.
        claimed = [InstrumentId.from_str(instrument_id)] if config.claim_external else None
        own = StrategyConfig(strategy_id=StrategyId(strategy_id), external_order_instrument_ids=claimed)
        return super().__new__(cls, own)  # type: ignore[call-arg]

    def __init__(
        self,
        config: SignalStrategyConfig,
        instrument_id: str,
        strategy_id: str,
        members: Sequence[Member] | None = None,
    ) -> None:
        super().__init__()
        self.settings = config
        self.instrument_id = InstrumentId.from_str(instrument_id)
        self.instrument: Any = None
        self.stopped = False
        self._market = EngineMarket(self, self.instrument_id)
        sizing = Sizing(config.direction, config.risk_fraction, config.notional, config.max_leverage)
        self.risk = RiskSeat(RiskGate(config.risk, sizing, strategy_id, instrument_id, RiskBook()), self._market)
        self.bracket = Bracket(config, self.risk)
        self.orders = Orders(
            self,
            self.instrument_id,
            self.bracket.tags,
            self._on_alarm,
            lambda: self.bracket.held,
            round(config.answer_timeout_secs * 1_000 * _MS),
        )
        self.bracket.pacer = self.orders.pacer
        self.desk = SignalDesk(config, strategy_id, instrument_id, now=lambda: self.clock.timestamp_ns())
        if members is None:
            members = [config.member(instrument_id)] if isinstance(config, PolicyStrategyConfig) else []
        self.members = list(members)
        self._acting = self._again = self._loaded = False
        self._saved = Saved(_VERSION)

    @property
    def policy(self) -> Any:
        """The first policy."""
        return self.members[0].policy

    def join(self, book: RiskBook, pacer: Pacer | None = None) -> None:
        """Share the book and the pace of an account's strategies: before the strategy starts."""
        self.risk.gate.join(book)
        if pacer is not None:
            self.bracket.pacer = self.orders.pacer = pacer

    def ask[**P, T](self, policy: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call a policy; return what it says, None where it fails or failed too often.

        Every call that may lead to a signal goes through here, so that a fault in it is no crash: it is counted and
        journalled, and after `max_errors` of them the policy is asked no more. A position that is open then keeps its
        stop and target.
        """
        if self.desk.halted:
            return None
        try:
            return policy(*args, **kwargs)
        except Exception as error:
            reason = self.desk.fail(error)
            self._remember(desk=self.desk.save())
            self.log.warning(f"Exception {self.desk.errors} of {self.settings.max_errors} in the policy: {reason}")
            return None

    def propose(self, price: float, signal: Signal | None) -> None:
        """Take the policy's answer at a price: a signal is looked at, and traded if nothing speaks against it.

        None is the answer of a policy without an opinion: it counts as a decision of `entry_decisions`.
        """
        if self.stopped:
            return
        intent, request = self.desk.propose(price, self.bracket.name(signal) if signal is not None else None)
        self.decide(*intent)
        if request is not None:
            self.clock.set_time_alert_ns(request.name, request.deadline, self._on_deadline)
            self.publish_message(request.signal.topic, request.signal)
            self._remember(desk=self.desk.save())

    def decide(self, price: float, signal: Signal | None, confidence: float = 1.0) -> None:
        """Take a decision at a price: a signal, which the desk let through, replaces the last wish; None leaves it.

        `confidence`, from 0 to 1, is how sure the decision is: the size may depend on it.
        """
        if not self.stopped:
            self.bracket.decide(self.clock.timestamp_ns(), price, signal, confidence)
            self._act()

    def trail(self, stop_price: float) -> None:
        """Move the live stop to a price, if that is nearer to the market than where it is, and not through it."""
        if not self.stopped and self.bracket.held:
            self.bracket.trail(stop_price)
            self._act()

    def halt(self, reason: str) -> None:
        """Halt all strategies of the book by hand, until `reset_halt`."""
        self.risk.book.stop_all(self.clock.timestamp_ns(), "manual", reason)
        self._act()

    def reset_halt(self) -> None:
        """End a halt of the book; losses count from the present equity on."""
        self.risk.book.reset(self.clock.timestamp_ns())
        self._act()

    def on_step(self, step: Step) -> None:
        """Hear of a step in the life of a signal; the journal writes it down."""
        self.desk.journal.step(step)

    def on_start(self) -> None:
        instrument = self.cache.instrument(self.instrument_id)
        if instrument is None:
            raise ValueError(f"Expected the instrument {self.instrument_id} in the data, was none.")
        self.instrument = instrument
        self._market.open(instrument)
        tick, lot = nearest(instrument.price_increment), nearest(instrument.size_increment)
        self.bracket.grid = Grid(tick, instrument.price_precision, lot)
        for member in self.members:
            member.open(instrument)
        remembered = None if self._loaded else self.cache.get(self._key)
        if remembered:
            self._load(bytes(remembered))
        self._claim()
        self._subscribe()
        if self.orders or self.bracket.held:
            self.orders.carry_out(self.bracket.go_on(self.clock.timestamp_ns()))
            self._act()

    def on_quote(self, quote: QuoteTick) -> None:
        touch = (quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size)
        numbers = [nearest(value) for value in touch]
        for member in self.members:
            member.take_quote(*numbers)

    def on_bar(self, bar: Bar) -> None:
        (member,) = self.members
        self.propose(nearest(bar.close), self.ask(member.decide, bar, self.desk.regime, self.desk.wave))
        policy = member.policy
        if member.trails and policy.trend == self.bracket.direction and math.isfinite(policy.trailing_stop):
            self.trail(policy.trailing_stop)
        self.remember_policies()

    def on_order_event(self, event: Any) -> None:
        news = self.orders.hear(event)
        signal = self.bracket.trade.signal
        if signal is not None:
            self.desk.note(signal, news)
        self.bracket.note(news)
        if not isinstance(event, OrderFilled):  # the position follows with an event of its own
            self._act()

    def on_position_event(self, event: Any) -> None:
        if isinstance(event, PositionClosed):
            self.bracket.close(
                event.ts_event,
                price=event.avg_px_close,
                quantity=nearest(event.peak_quantity),
                pnl=float(event.realized_pnl.as_decimal()) if event.realized_pnl is not None else 0.0,
            )
        elif isinstance(event, PositionOpened | PositionChanged):
            self._hold(event)
        self._act()

    def post_market_exit(self) -> None:
        self.bracket.leaving = False
        self._act()

    def on_stop(self) -> None:
        self.desk.give_up("stopped before the answer")
        self.stopped = True
        self.bracket.drop_wish(Refused("stopped"))
        self.clock.cancel_timers()
        closes = self.settings.close_on_stop
        self._acting = True
        try:
            self.orders.end(closes=closes)
        finally:
            self._acting = False
        self.risk.end_entry()
        if self.bracket.held and closes:
            # The engine tells a stopped strategy nothing any more.
            self.bracket.tell("exited", "as the strategy stops")
        self._deliver()

    def on_save(self) -> dict[str, bytes]:
        self.desk.give_up("saved before the answer")  # a restart finds nobody who would answer
        parts = (self.bracket.save(), self.risk.save(), self.desk.save(), msgspec.msgpack.encode(self.save_policies()))
        return {_STATE: msgspec.msgpack.encode(Saved(_VERSION, *parts))}

    def on_load(self, state: dict[str, bytes]) -> None:
        if _STATE in state:
            self._load(bytes(state[_STATE]))

    def tables(self) -> dict[str, Any]:
        """Return the journal as the table `decisions` of the run directory."""
        return {"decisions": self.desk.journal.table()}

    def notes(self) -> list[str]:
        """Return which policies had no data, or made no signal."""
        return [note for member in self.members for note in member.notes(str(self.strategy_id))]

    def save_policies(self) -> dict[str, Parts]:
        """Return the state of the policies, by name and part."""
        return {member.name: member.save() for member in self.members}

    def load_policies(self, saved: Mapping[str, Parts]) -> None:
        """Continue from what `save_policies` returned; a policy whose settings have changed starts afresh."""
        for member in self.members:
            if member.name in saved:
                try:
                    member.load(saved[member.name])
                except (KeyError, ValueError) as error:
                    self.log.warning(f"The policy {member.name} starts afresh: {error}")

    def remember_policies(self) -> None:
        """Leave the state of the policies in the engine's cache."""
        self._remember(policies=msgspec.msgpack.encode(self.save_policies()))

    def _claim(self) -> None:
        # After a restart the cache knows what the venue knows; before the first order it is empty.
        stop = self.orders.claim(self.instrument)
        if not math.isnan(stop):
            self.bracket.trade.stop = stop
        for position in self.cache.positions_open(instrument_id=self.instrument_id, strategy_id=self.strategy_id):
            self._hold(position)
            self.risk.move_stop(self.bracket.trade.stop)
        if not self.orders and not self.bracket.held:
            self.risk.release()

    def _subscribe(self) -> None:
        name, limits, book = self.instrument_id, self.risk.gate.limits, self.risk.book
        if limits.max_spread_bps is not None or any(member.needs_book for member in self.members):
            self.subscribe_book_deltas(name, BookType.L2_MBP, self.book_depth, managed=True)
        if book.active or limits.volatility_target is not None:
            self.clock.set_timer_ns("risk-check", book.config.check_ms * _MS, callback=self._on_check)
        for topic in _FINDINGS:
            self.subscribe_topic(f"{topic}.{name}", self.on_finding)
        if self.settings.validator:
            self.subscribe_topic(f"{VALIDATED_TOPIC}.{name}", self.on_validated)
        if any(member.flow_from == "quotes" for member in self.members):
            self.subscribe_quotes(name)
        if any(member.flow_from == "features" for member in self.members):
            self.subscribe_topic(f"{FEATURES_TOPIC}.{name}", self.on_vector)
        for bar_type in dict.fromkeys(member.bar_type for member in self.members):
            self.subscribe_bars(bar_type)

    def on_vector(self, vector: Any) -> None:
        """Take a vector of features, for the members whose order flow comes from them."""
        for member in self.members:
            if member.flow_from == "features":
                self.ask(member.take_vector, vector)

    def on_finding(self, finding: Any) -> None:
        """Take a message of the detectors."""
        if isinstance(finding, detections.RegimeChange) and self.risk.gate.limits.pause_on_regime:
            self.risk.book.pause(self.clock.timestamp_ns(), str(self.instrument_id), bool(finding.pause))
            self._act()
        self.desk.hear(finding)
        self._remember(desk=self.desk.save())

    def on_validated(self, answer: Any) -> None:
        """Take the validator's answer."""
        intent = self.desk.answer(answer) if not self.stopped else None
        if intent is not None:
            self.decide(*intent)
        self._remember(desk=self.desk.save())

    def _on_deadline(self, event: Any) -> None:
        self.desk.expire(str(event.name))
        self._remember(desk=self.desk.save())

    def _on_check(self, event: Any) -> None:
        if not self.stopped:
            self.risk.check(self.clock.timestamp_ns(), self.bracket.trade.price)
            if self.bracket.waits_for_risk:
                self._act()

    def _on_alarm(self, event: Any) -> None:
        self._act()

    def _hold(self, position: Any) -> None:
        self.bracket.hold(math.copysign(nearest(position.quantity), position.signed_qty), float(position.avg_px_open))

    def _act(self) -> None:
        self._again = True
        if self._acting:  # an event that the engine delivers from inside a command
            return
        self._acting = True
        try:
            while self._again and not self.stopped:
                self._again = False
                self.orders.flush()
                self.orders.carry_out(self.bracket.step(self.clock.timestamp_ns(), self.orders.live()))
        finally:
            self._acting = False
        if (self.bracket.steps or self.orders or self.bracket.held) and not self.stopped:
            self._remember(bracket=self.bracket.save(), risk=self.risk.save())
        self._deliver()
        if self.risk.shutdown_reason and not (self.orders or self.bracket.held or self.stopped):
            self.shutdown_system(self.risk.shutdown_reason)

    def _deliver(self) -> None:
        if not self.bracket.steps:
            return
        while self.bracket.steps and not self._acting:
            self.on_step(self.bracket.steps.popleft())
        if not self.stopped:
            self._remember(desk=self.desk.save())

    @property
    def _key(self) -> str:
        return f"{_STATE}.{self.strategy_id}"

    def _remember(self, **parts: bytes) -> None:
        # A crash calls no `on_save`, so each step is also left in the cache, which a database may stand behind.
        saved = msgspec.structs.replace(self._saved, **parts)
        if saved != self._saved:
            self._saved = saved
            self.cache.add(self._key, msgspec.msgpack.encode(saved))

    def _load(self, content: bytes) -> None:
        self._loaded = True
        try:
            saved = msgspec.msgpack.decode(content, type=Saved)
            if saved.version != _VERSION:
                raise ValueError(f"Expected version {_VERSION}, was {saved.version}")
            if saved.bracket:
                self.bracket.load(saved.bracket)
            if saved.risk:
                self.risk.load(saved.risk)
        except (msgspec.MsgspecError, ValueError) as error:
            # What was lost may have been a halt.
            self.risk.book.stop_all(0, "manual", f"the saved state of {self.strategy_id} cannot be read: {error}")
            return
        self._saved = saved
        try:
            if saved.desk:
                self.desk.load(saved.desk)
            if saved.policies:
                self.load_policies(msgspec.msgpack.decode(saved.policies, type=dict[str, Parts]))
        except msgspec.MsgspecError as error:
            self.log.warning(f"What was known of signals and policies is lost: it cannot be read: {error}")
