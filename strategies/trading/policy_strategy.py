"""The engine's half of a strategy that trades one policy: bars in, what the policy says out to `propose`.

`Momentum`, `SarWave`, `SuperTrend` and `VolumeProfile` are this class with a policy; `Ensemble` hosts several.
"""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from nautilus_trader.model import Bar, BarType, BookType, QuoteTick

from fathom.data_catalog.messages.features import FEATURES_TOPIC
from fathom.market.saved_arrays import SavedArray, pack_all, unpack_all
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.member import Member, of_quotes
from fathom.strategies.trading.signal_strategy import SignalStrategy, SignalStrategyConfig

_STATE = "policies"


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

    def member(self, instrument_id: str) -> Member:
        """Return the policy for an instrument, with what feeds it."""
        raise NotImplementedError


class PolicyStrategy(SignalStrategy):
    """Feed policies with the bars of one instrument, and propose what they say.

    Their state, that of their own detectors included, is saved and loaded with the engine's, and also left in the
    engine's cache after each bar, which a database may stand behind: after a restart, or a crash, they go on with the
    next bar.

    Parameters
    ----------
    config, instrument_id, strategy_id
        See `BracketStrategy`.
    members
        The policies; that of the configuration by default.

    Examples
    --------
    >>> from fathom.strategies.supertrend import SuperTrend, SuperTrendConfig
    >>> strategy = SuperTrend(SuperTrendConfig(), "BTCUSDT-LINEAR.BYBIT", "SuperTrend-BTCUSDT")
    >>> isinstance(strategy, PolicyStrategy), [member.name for member in strategy.members]
    (True, ['supertrend'])
    """

    def __init__(
        self,
        config: SignalStrategyConfig,
        instrument_id: str,
        strategy_id: str,
        members: Sequence[Member] | None = None,
    ) -> None:
        super().__init__(config, instrument_id, strategy_id)
        if members is None:
            members = [config.member(instrument_id)]  # type: ignore[attr-defined]
        self.members = list(members)
        self._is_loaded = False

    @property
    def policy(self) -> Any:
        """The first policy."""
        return self.members[0].policy

    def on_start(self) -> None:
        super().on_start()
        remembered = None if self._is_loaded else self.cache.get(self._key)
        if remembered:
            self.load_policies(msgspec.msgpack.decode(bytes(remembered), type=dict[str, bytes]))
        for member in self.members:
            member.open(self.instrument)
        if any(member.needs_book for member in self.members):
            self.subscribe_book_deltas(self.instrument_id, BookType.L2_MBP, self.book_depth, managed=True)
        if any(member.flow_from == "quotes" for member in self.members):
            self.subscribe_quotes(self.instrument_id)
        if any(member.flow_from == "features" for member in self.members):
            self.subscribe_topic(f"{FEATURES_TOPIC}.{self.instrument_id}", self.on_vector)
        for bar_type in dict.fromkeys(member.bar_type for member in self.members):
            self.subscribe_bars(bar_type)

    def on_quote(self, quote: QuoteTick) -> None:
        touch = (quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size)
        numbers = [nearest(value) for value in touch]
        for member in self.members:
            member.take_quote(*numbers)

    def on_vector(self, vector: Any) -> None:
        for member in self.members:
            if member.flow_from == "features":
                self.ask(member.take_vector, vector)

    def on_bar(self, bar: Bar) -> None:
        (member,) = self.members
        self.propose(nearest(bar.close), self.ask(member.decide, bar, self.regime, self.wave))
        if member.trails:
            self.trail_with(member)
        self.remember_policies()

    def trail_with(self, member: Member) -> None:
        """Move the stop of the position to the member's trailing stop, if that is on the position's side."""
        stop, held = member.policy.trailing_stop, 1 if self._is_long else -1
        move = getattr(self, "trail", None)
        if self._held is not None and member.policy.trend == held and math.isfinite(stop) and move is not None:
            move(stop)

    def remember_policies(self) -> None:
        """Leave the state of the policies in the engine's cache: a crash calls no `on_save`."""
        self.cache.add(self._key, msgspec.msgpack.encode(self.save_policies()))

    def save_policies(self) -> dict[str, bytes]:
        """Return the state of the policies."""
        saved = {
            member.name: {part: pack_all(arrays) for part, arrays in member.save().items()} for member in self.members
        }
        return {_STATE: msgspec.msgpack.encode(saved)}

    def load_policies(self, state: dict[str, bytes]) -> None:
        """Continue from what `save_policies` returned; a policy whose settings have changed starts afresh."""
        self._is_loaded = True
        try:
            saved = msgspec.msgpack.decode(bytes(state[_STATE]), type=dict[str, dict[str, dict[str, SavedArray]]])
        except msgspec.MsgspecError as error:
            self.log.warning(f"The policies start afresh: their saved state cannot be read: {error}")
            return
        for member in self.members:
            if member.name not in saved:
                continue
            try:
                member.load({part: unpack_all(arrays) for part, arrays in saved[member.name].items()})
            except (KeyError, ValueError) as error:
                self.log.warning(f"The policy {member.name} starts afresh: {error}")

    def on_save(self) -> dict[str, bytes]:
        return {**super().on_save(), **self.save_policies()}

    def on_load(self, state: dict[str, bytes]) -> None:
        super().on_load(state)
        if _STATE in state:
            self.load_policies(state)

    @property
    def _key(self) -> str:
        return f"{_STATE}.{self.strategy_id}"
