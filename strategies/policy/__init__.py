"""The pure part of the strategies: signals, sizing, risk and protections, as functions of state to intents."""

from typing import TYPE_CHECKING

from fathom.settings.lazy_names import lazy_names

if TYPE_CHECKING:
    from fathom.strategies.policy.momentum import MomentumPolicy
    from fathom.strategies.policy.sar_wave import SarWavePolicy
    from fathom.strategies.policy.supertrend import SuperTrendPolicy
    from fathom.strategies.policy.volume_profile import VolumeProfilePolicy
else:
    _PLACES = {
        "MomentumPolicy": "fathom.strategies.policy.momentum",
        "SarWavePolicy": "fathom.strategies.policy.sar_wave",
        "SuperTrendPolicy": "fathom.strategies.policy.supertrend",
        "VolumeProfilePolicy": "fathom.strategies.policy.volume_profile",
    }
    __getattr__, __dir__ = lazy_names(__name__, _PLACES)

__all__ = ["MomentumPolicy", "SarWavePolicy", "SuperTrendPolicy", "VolumeProfilePolicy"]
