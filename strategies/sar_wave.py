"""SAR Wave as an engine strategy: the policy of `strategies.policy.sar_wave` with its own detectors or the bus's."""

from typing import Literal

from fathom.detectors import ElliottWaveConfig, FlatMarketConfig
from fathom.strategies.policy.sar_wave import SarWaveParameters, SarWavePolicy
from fathom.strategies.trading.member import Member
from fathom.strategies.trading.policy_strategy import PolicyStrategy, with_parameters


class SarWaveConfig(with_parameters(SarWaveParameters), kw_only=True):  # type: ignore[misc, call-arg]
    """Parameters of `SarWave`: those of `PolicyStrategyConfig` and of `SarWaveParameters`, and its own.

    Attributes
    ----------
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

    trail: bool = True
    detectors: Literal["own", "bus"] = "own"
    flat: FlatMarketConfig = FlatMarketConfig()
    wave: ElliottWaveConfig = ElliottWaveConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.policy  # checks them

    def member(self, instrument_id: str) -> Member:
        return Member(
            SarWavePolicy(instrument_id, self.policy),
            self.bar_type(instrument_id),
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
