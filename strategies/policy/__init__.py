"""The pure part of the strategies: signals, sizing, risk and protections, as functions of state to intents."""

from typing import TYPE_CHECKING

from fathom.settings.lazy_names import lazy_names

if TYPE_CHECKING:
    from fathom.strategies.policy.momentum import MomentumParameters, MomentumPolicy
    from fathom.strategies.policy.sar_wave import SarWaveParameters, SarWavePolicy
    from fathom.strategies.policy.supertrend import SuperTrendParameters, SuperTrendPolicy
    from fathom.strategies.policy.volume_profile import VolumeProfileParameters, VolumeProfilePolicy
else:
    _PLACES = {
        "MomentumParameters": "fathom.strategies.policy.momentum",
        "MomentumPolicy": "fathom.strategies.policy.momentum",
        "SarWaveParameters": "fathom.strategies.policy.sar_wave",
        "SarWavePolicy": "fathom.strategies.policy.sar_wave",
        "SuperTrendParameters": "fathom.strategies.policy.supertrend",
        "SuperTrendPolicy": "fathom.strategies.policy.supertrend",
        "VolumeProfileParameters": "fathom.strategies.policy.volume_profile",
        "VolumeProfilePolicy": "fathom.strategies.policy.volume_profile",
    }
    __getattr__, __dir__ = lazy_names(__name__, _PLACES)

__all__ = [
    "MomentumParameters",
    "MomentumPolicy",
    "SarWaveParameters",
    "SarWavePolicy",
    "SuperTrendParameters",
    "SuperTrendPolicy",
    "VolumeProfileParameters",
    "VolumeProfilePolicy",
]
