"""The ensemble as an engine strategy: several policies vote with their validated signals, one position is traded."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from nautilus_trader.model import Bar

from fathom.data_catalog.messages.signals import Signal
from fathom.market.saved_arrays import pack_all, unpack_all
from fathom.strategies.momentum import MomentumConfig
from fathom.strategies.policy.ensemble import EnsembleVote
from fathom.strategies.registry import find
from fathom.strategies.sar_wave import SarWaveConfig
from fathom.strategies.supertrend import SuperTrendConfig
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.member import Parts
from fathom.strategies.trading.policy_strategy import PolicyStrategy, PolicyStrategyConfig
from fathom.strategies.volume_profile import VolumeProfileConfig

_NAMES = ("momentum", "sar_wave", "supertrend", "volume_profile")


class EnsembleConfig(SignalStrategyConfig, frozen=True, kw_only=True):
    """Parameters of `Ensemble`, beside those of `SignalStrategyConfig`.

    Attributes
    ----------
    momentum, sar_wave, supertrend, volume_profile
        The members: each whose table is there, with the parameters of its policy. How the vote is traded is the
        ensemble's affair: there, and not with a member, belong entry, sizes, risk and validation.
    members
        More members: name -> a table with the parameters of a strategy that trades one policy. The table's `strategy`
        is the registered name, or `"module:Class"`; by default the member's name.
    weights
        Member -> weight; 1 where it is not named. `fathom backtest weights` learns them from earlier runs.
    window_secs, quorum, min_share, min_margin, conflict
        See `EnsembleVote`.

    Examples
    --------
    >>> config = EnsembleConfig(momentum=MomentumConfig(), supertrend=SuperTrendConfig(), weights={"momentum": 2.0})
    >>> sorted(config.policies), config.all_weights
    (['momentum', 'supertrend'], {'momentum': 2.0, 'supertrend': 1.0})
    """

    momentum: MomentumConfig | None = None
    sar_wave: SarWaveConfig | None = None
    supertrend: SuperTrendConfig | None = None
    volume_profile: VolumeProfileConfig | None = None
    members: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    weights: dict[str, Annotated[float, Meta(ge=0)]] = msgspec.field(default_factory=dict)
    window_secs: Annotated[float, Meta(gt=0)] = 300.0
    quorum: Annotated[int, Meta(ge=1)] = 2
    min_share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    min_margin: Annotated[float, Meta(ge=0, le=1)] = 0.5
    conflict: Literal["majority", "veto"] = "majority"

    def __post_init__(self) -> None:
        policies = self.policies
        if not policies:
            raise ValueError(f"Expected a table of at least one member ({', '.join(_NAMES)}), was none")
        unknown = sorted(set(self.weights) - set(policies))
        if unknown:
            raise ValueError(f"Expected weights of the members ({', '.join(policies)}), was one of {unknown[0]}")
        for name, member in policies.items():
            for field in msgspec.structs.fields(SignalStrategyConfig):
                default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
                if getattr(member, field.name) != default:
                    raise ValueError(f"Expected '{field.name}' beside the members' tables, was in that of {name}")
        self.vote()

    @property
    def policies(self) -> dict[str, PolicyStrategyConfig]:
        """Member -> its configuration."""
        known = {name: getattr(self, name) for name in _NAMES}
        configs = {name: config for name, config in known.items() if config is not None}
        for name, table in self.members.items():
            if name in configs:
                raise ValueError(f"Expected each member once, was {name} twice")
            configs[name] = _decoded(name, dict(table))
        return configs

    @property
    def all_weights(self) -> dict[str, float]:
        """Member -> weight, of all members."""
        return {name: self.weights.get(name, 1.0) for name in self.policies}

    def vote(self) -> EnsembleVote:
        """Return the vote, with nothing cast."""
        return EnsembleVote(
            self.all_weights,
            window_secs=self.window_secs,
            quorum=self.quorum,
            min_share=self.min_share,
            min_margin=self.min_margin,
            conflict=self.conflict,
        )


def _decoded(name: str, table: dict[str, Any]) -> PolicyStrategyConfig:
    entry = find(table.pop("strategy", name))
    if not (isinstance(entry.config, type) and issubclass(entry.config, PolicyStrategyConfig)):
        raise ValueError(f"Expected a strategy that trades one policy as the member {name}, was {entry.component}")
    try:
        config: PolicyStrategyConfig = msgspec.convert(table, entry.config)
    except msgspec.ValidationError as error:
        problem = str(error).replace("`", "'")
        raise ValueError(f"Expected parameters of {entry.component.__name__} in members.{name}: {problem}") from None
    return config


class Ensemble(PolicyStrategy):
    """Trade what several policies elect, one position in one instrument.

    Each member's signal goes its own way through validation and filter. What is left of it is a vote, with the blended
    confidence (without a validator, the signal's strength). An election is a new signal, with a row of its own in the
    journal, and is traded; the member's row ends with `vote`. Members never trade by themselves, and their trailing
    stops are not used: an elected position has the stop of the election.

    `entry_decisions` counts the bars of the first member.

    Parameters
    ----------
    config, instrument_id, strategy_id
        See `PolicyStrategy`.

    Examples
    --------
    >>> config = EnsembleConfig(momentum=MomentumConfig(), supertrend=SuperTrendConfig())
    >>> strategy = Ensemble(config, "BTCUSDT-LINEAR.BYBIT", "Ensemble-BTCUSDT")
    >>> [member.name for member in strategy.members], strategy.vote.weights
    (['momentum', 'supertrend'], {'momentum': 1.0, 'supertrend': 1.0})
    """

    def __init__(self, config: EnsembleConfig, instrument_id: str, strategy_id: str) -> None:
        members = [member.member(instrument_id) for member in config.policies.values()]
        for name, member in zip(config.policies, members, strict=True):
            member.name = name  # two members may trade the same policy
        super().__init__(config, instrument_id, strategy_id, members)
        self.vote = config.vote()

    def on_bar(self, bar: Bar) -> None:
        price = nearest(bar.close)
        for member in self.members:
            if not member.takes(bar):
                continue
            if member is self.members[0]:
                super().decide(price, None)
            signal = self.ask(member.decide, bar, self.desk.regime, self.desk.wave)
            if signal is not None:
                self.propose(price, msgspec.structs.replace(signal, source=member.name))
        self.remember_policies()

    def decide(self, price: float, signal: Signal | None, confidence: float = 1.0) -> None:
        """Take a member's signal that passed as its vote, and trade what is elected."""
        if signal is None:  # the bars of the first member are what is counted
            return
        weighed = confidence if self.settings.validator else confidence * signal.strength
        election = self.vote.cast(signal, weighed, self.clock.timestamp_ns())
        self.remember_policies()  # the answer of the validator comes after the bar's own remembering
        row = self.desk.journal.of(signal.signal_id)
        if election is None:
            if row is not None:
                row.end("vote", f"{signal.side} with {weighed:.2f}: undecided")
            return
        elected = self.bracket.name(election.signal)
        if row is not None:
            row.end("vote", f"{signal.side} with {weighed:.2f}: elected {elected.signal_id}")
        told = self.desk.journal.open(elected, price)
        told.placed_stop, told.placed_target, told.weight = elected.stop, elected.target, election.confidence
        told.reach("cleared", f"elected by {', '.join(election.voters)}")
        super().decide(price, elected, confidence=election.confidence)

    def save_policies(self) -> dict[str, Parts]:
        return super().save_policies() | {self._voters: {"votes": pack_all(self.vote.snapshot())}}

    def load_policies(self, saved: Mapping[str, Parts]) -> None:
        super().load_policies(saved)
        try:
            self.vote.restore(unpack_all(saved[self._voters]["votes"]))
        except (KeyError, ValueError) as error:
            self.log.warning(f"The votes start afresh: {error}")

    @property
    def _voters(self) -> str:
        return f"votes of {', '.join(self.vote.members)}"  # those of other members are not theirs
