"""Volume Profile as an engine strategy: the policy of `fathom.strategies.policy.volume_profile` on bars."""

from fathom.strategies.policy.volume_profile import VolumeProfileParameters, VolumeProfilePolicy
from fathom.strategies.trading.member import Member
from fathom.strategies.trading.policy_strategy import PolicyStrategy, with_parameters


class VolumeProfileConfig(with_parameters(VolumeProfileParameters), kw_only=True):  # type: ignore[misc, call-arg]
    """Parameters of `VolumeProfile`: those of `PolicyStrategyConfig` and of `VolumeProfileParameters`.

    Bars of the mid have no volume: there, `by` must be `time`.

    Examples
    --------
    >>> VolumeProfileConfig(bars="1-MINUTE-MID-INTERNAL", by="time").session
    240
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.policy.by == "volume" and self.without_volume:
            raise ValueError(f"Expected by = \"time\" with bars of quotes ('{self.bars}'), which have no volume")

    def member(self, instrument_id: str) -> Member:
        policy = VolumeProfilePolicy(instrument_id, self.policy)
        return Member(policy, self.bar_type(instrument_id))


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
