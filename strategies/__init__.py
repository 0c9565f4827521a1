"""Trading strategies: a policy turns state into signals.
A thin engine strategy turns signals into orders, and events into state.
"""

from typing import TYPE_CHECKING

from fathom.settings.lazy_names import lazy_names

if TYPE_CHECKING:
    from fathom.strategies.ensemble import Ensemble
    from fathom.strategies.momentum import Momentum
    from fathom.strategies.sar_wave import SarWave
    from fathom.strategies.supertrend import SuperTrend
    from fathom.strategies.volume_profile import VolumeProfile
else:
    _PLACES = {
        "Ensemble": "fathom.strategies.ensemble",
        "Momentum": "fathom.strategies.momentum",
        "SarWave": "fathom.strategies.sar_wave",
        "SuperTrend": "fathom.strategies.supertrend",
        "VolumeProfile": "fathom.strategies.volume_profile",
    }
    __getattr__, __dir__ = lazy_names(__name__, _PLACES)

__all__ = ["Ensemble", "Momentum", "SarWave", "SuperTrend", "VolumeProfile"]
