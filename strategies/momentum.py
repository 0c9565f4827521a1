"""Momentum as an engine strategy: the policy of `strategies.policy.momentum` on bars, with the flow of the book."""

from typing import Literal

from fathom.ml.features import FeatureConfig
from fathom.strategies.policy.momentum import MomentumParameters, MomentumPolicy
from fathom.strategies.trading.member import Member, check_flow_features
from fathom.strategies.trading.policy_strategy import PolicyStrategy, with_parameters


class MomentumConfig(with_parameters(MomentumParameters), kw_only=True):  # type: ignore[misc, call-arg]
    """Parameters of `Momentum`: those of `PolicyStrategyConfig` and of `MomentumParameters`, and its own.

    `entry_deviations` above 0 waits for a better price: it needs `entry = "limit"`.

    Attributes
    ----------
    book
        Where the order flow comes from: `quotes` (best prices and sizes), `features` (the vectors of a `features`
        actor), or `none`.
    features
        What that actor is configured with, for `book = "features"`.

    Examples
    --------
    >>> MomentumConfig(price_weight=1.0).min_score
    Traceback (most recent call last):
    ...
    ValueError: Expected price_weight + volume_weight + flow_weight = 1, was 1.6
    """

    book: Literal["quotes", "features", "none"] = "quotes"
    features: FeatureConfig = FeatureConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.policy.entry_deviations > 0.0 and self.entry != "limit":
            raise ValueError(f'Expected entry = "limit" with entry_deviations above 0, was "{self.entry}"')
        if self.book == "features":
            check_flow_features(self.features)

    def member(self, instrument_id: str) -> Member:
        policy = MomentumPolicy(instrument_id, self.policy)
        return Member(policy, self.bar_type(instrument_id), flow=self.book, features=self.features)


class Momentum(PolicyStrategy):
    """Trade the momentum of price, volume and order flow of one instrument with brackets.

    Parameters
    ----------
    config, instrument_id, strategy_id
        See `PolicyStrategy`.

    Examples
    --------
    >>> Momentum(MomentumConfig(), "BTCUSDT-LINEAR.BYBIT", "Momentum-BTCUSDT").policy.score
    0.0
    """
