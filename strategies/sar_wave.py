"""SAR Wave as an engine strategy: the policy of `strategies.policy.sar_wave` with its own detectors or the bus's."""

from typing import Annotated, Literal

from msgspec import Meta
from nautilus_trader.model import BarType

from fathom.detectors import ElliottWaveConfig, FlatMarketConfig
from fathom.strategies.policy.sar_wave import SarWavePolicy
from fathom.strategies.trading.member import Member
from fathom.strategies.trading.policy_strategy import PolicyStrategy, PolicyStrategyConfig


class SarWaveConfig(PolicyStrategyConfig, frozen=True, kw_only=True):
    """Parameters of `SarWave`, beside those of `PolicyStrategyConfig`.

    Attributes
    ----------
    acceleration, max_acceleration, max_flat, min_wave_confidence, atr_period, min_stop_atr, target_risk
        See `SarWavePolicy`.
    trail
        Whether the SAR moves the stop of the position.
    detectors
        `own`: flatness and waves of the strategy's bars. `bus`: the latest that a `detection` actor published, on its
        bars; there a flat market counts as entirely flat, since its strength is told only when it changes.
    flat, wave
        Settings of the own detectors.

    Examples
    --------
    >>> SarWaveConfig(wave=ElliottWaveConfig(reversal=3.0)).max_flat
    0.7
    """

    acceleration: Annotated[float, Meta(gt=0, lt=1)] = 0.02
    max_acceleration: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    max_flat: Annotated[float, Meta(ge=0, le=1)] = 0.7
    min_wave_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.2
    atr_period: Annotated[int, Meta(ge=1)] = 14
    min_stop_atr: Annotated[float, Meta(ge=0)] = 1.0
    target_risk: Annotated[float, Meta(gt=0)] = 2.0
    trail: bool = True
    detectors: Literal["own", "bus"] = "own"
    flat: FlatMarketConfig = FlatMarketConfig()
    wave: ElliottWaveConfig = ElliottWaveConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.acceleration > self.max_acceleration:
            raise ValueError(f"Expected acceleration up to {self.max_acceleration:g}, was {self.acceleration:g}")

    def member(self, instrument_id: str) -> Member:
        policy = SarWavePolicy(
            instrument_id,
            acceleration=self.acceleration,
            max_acceleration=self.max_acceleration,
            max_flat=self.max_flat,
            min_wave_confidence=self.min_wave_confidence,
            atr_period=self.atr_period,
            min_stop_atr=self.min_stop_atr,
            target_risk=self.target_risk,
        )
        return Member(
            policy,
            BarType.from_str(f"{instrument_id}-{self.bars}"),
            detectors=self.detectors,
            flat=self.flat,
            wave=self.wave,
            trails=self.trail,
        )


class SarWave(PolicyStrategy):
    """Trade reversals of the parabolic SAR in one instrument with brackets, the SAR being the trailing stop.

    Parameters
    ----------
    config, instrument_id, strategy_id
        See `PolicyStrategy`.

    Examples
    --------
    >>> SarWave(SarWaveConfig(), "BTCUSDT-LINEAR.BYBIT", "SarWave-BTCUSDT").policy.trend
    0
    """
