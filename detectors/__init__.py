"""Opinions on the state of a market, each with a confidence: manipulation, levels, waves and regimes.

Every detector is one compiled recurrence: fed row by row or many rows at once it says the same, to the last bit.
"""

from detectors.bars import Bar, bars_of
from detectors.elliott_wave import ElliottWave, ElliottWaveConfig, Wave, WaveReading
from detectors.errors import DetectorError
from detectors.flat_market import FlatMarket, FlatMarketConfig, FlatReading
from detectors.regime import Regime, RegimeConfig, RegimeLabel, RegimeReading
from detectors.support_resistance import Level, LevelsReading, SupportResistance, SupportResistanceConfig

__all__ = [
    "Bar",
    "DetectorError",
    "ElliottWave",
    "ElliottWaveConfig",
    "FlatMarket",
    "FlatMarketConfig",
    "FlatReading",
    "Level",
    "LevelsReading",
    "Regime",
    "RegimeConfig",
    "RegimeLabel",
    "RegimeReading",
    "SupportResistance",
    "SupportResistanceConfig",
    "Wave",
    "WaveReading",
    "bars_of",
]
