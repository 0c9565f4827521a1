"""Volume Profile as an engine strategy: the policy of `fathom.strategies.policy.volume_profile` on bars."""

from typing import Annotated, Literal

from msgspec import Meta
from nautilus_trader.model import BarType

from fathom.strategies.policy.volume_profile import VolumeProfilePolicy
from fathom.strategies.trading.member import Member
from fathom.strategies.trading.policy_strategy import PolicyStrategy, PolicyStrategyConfig


class VolumeProfileConfig(PolicyStrategyConfig, frozen=True, kw_only=True):
    """Parameters of `VolumeProfile`, beside those of `PolicyStrategyConfig`.

    Attributes
    ----------
    session, bins, by, value_share, high_node, low_node, acceptance, volume_ratio, stop_ranges, extension, min_reward,
    reversion, breakout
        See `VolumeProfilePolicy`. Bars of the mid have no volume: there, `by` must be `time`.

    Examples
    --------
    >>> VolumeProfileConfig(bars="1-MINUTE-MID-INTERNAL", by="time").session
    240
    """

    session: Annotated[int, Meta(ge=2)] = 240
    bins: Annotated[int, Meta(ge=4, le=1000, multiple_of=2)] = 40
    by: Literal["volume", "time"] = "volume"
    value_share: Annotated[float, Meta(gt=0, lt=1)] = 0.7
    high_node: Annotated[float, Meta(ge=1)] = 1.5
    low_node: Annotated[float, Meta(ge=0, le=1)] = 0.5
    acceptance: Annotated[int, Meta(ge=1)] = 3
    volume_ratio: Annotated[float, Meta(ge=0)] = 1.0
    stop_ranges: Annotated[float, Meta(ge=0)] = 1.0
    extension: Annotated[float, Meta(gt=0)] = 1.0
    min_reward: Annotated[float, Meta(ge=0)] = 1.0
    reversion: bool = True
    breakout: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.by == "volume" and self.without_volume:
            raise ValueError(f"Expected by = \"time\" with bars of quotes ('{self.bars}'), which have no volume")

    def member(self, instrument_id: str) -> Member:
        policy = VolumeProfilePolicy(
            instrument_id,
            session=self.session,
            bins=self.bins,
            by=self.by,
            value_share=self.value_share,
            high_node=self.high_node,
            low_node=self.low_node,
            acceptance=self.acceptance,
            volume_ratio=self.volume_ratio,
            stop_ranges=self.stop_ranges,
            extension=self.extension,
            min_reward=self.min_reward,
            reversion=self.reversion,
            breakout=self.breakout,
        )
        return Member(policy, BarType.from_str(f"{instrument_id}-{self.bars}"))


class VolumeProfile(PolicyStrategy):
    """Trade rejections at, and breakouts from, the value area of one instrument with brackets.

    Parameters
    ----------
    config, instrument_id, strategy_id
        See `PolicyStrategy`.

    Examples
    --------
    >>> VolumeProfile(VolumeProfileConfig(), "BTCUSDT-LINEAR.BYBIT", "VolumeProfile-BTCUSDT").policy.profile is None
    True
    """
