"""Momentum as an engine strategy: the policy of `strategies.policy.momentum` on bars, with the flow of the book."""

from typing import Annotated, Literal

from msgspec import Meta
from nautilus_trader.model import BarType

from fathom.ml.features import FeatureConfig
from fathom.strategies.policy.momentum import MomentumPolicy
from fathom.strategies.trading.member import Member, check_flow_features
from fathom.strategies.trading.policy_strategy import PolicyStrategy, PolicyStrategyConfig


class MomentumConfig(PolicyStrategyConfig, frozen=True, kw_only=True):
    """Parameters of `Momentum`, beside those of `PolicyStrategyConfig`.

    Attributes
    ----------
    lookback, window, price_weight, volume_weight, flow_weight, min_score, entry_deviations, stop_deviations,
    target_deviations
        See `MomentumPolicy`. `entry_deviations` above 0 waits for a better price: it needs `entry = "limit"`.
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

    lookback: Annotated[int, Meta(ge=1)] = 10
    window: Annotated[int, Meta(ge=2)] = 60
    price_weight: Annotated[float, Meta(ge=0, le=1)] = 0.4
    volume_weight: Annotated[float, Meta(ge=0, le=1)] = 0.3
    flow_weight: Annotated[float, Meta(ge=0, le=1)] = 0.3
    min_score: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    entry_deviations: Annotated[float, Meta(ge=0)] = 0.0
    stop_deviations: Annotated[float, Meta(gt=0)] = 1.0
    target_deviations: Annotated[float, Meta(gt=0)] = 2.0
    book: Literal["quotes", "features", "none"] = "quotes"
    features: FeatureConfig = FeatureConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        total = self.price_weight + self.volume_weight + self.flow_weight
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"Expected price_weight + volume_weight + flow_weight = 1, was {total:g}")
        if self.lookback > self.window:
            raise ValueError(f"Expected lookback up to window, was {self.lookback} over {self.window}")
        if self.entry_deviations > 0.0 and self.entry != "limit":
            raise ValueError(f'Expected entry = "limit" with entry_deviations above 0, was "{self.entry}"')
        if self.book == "features":
            check_flow_features(self.features)

    def member(self, instrument_id: str) -> Member:
        policy = MomentumPolicy(
            instrument_id,
            lookback=self.lookback,
            window=self.window,
            price_weight=self.price_weight,
            volume_weight=self.volume_weight,
            flow_weight=self.flow_weight,
            min_score=self.min_score,
            entry_deviations=self.entry_deviations,
            stop_deviations=self.stop_deviations,
            target_deviations=self.target_deviations,
        )
        bar_type = BarType.from_str(f"{instrument_id}-{self.bars}")
        return Member(policy, bar_type, flow=self.book, features=self.features)


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
