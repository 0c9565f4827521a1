"""Opinions on the state of a market, each with a confidence: manipulation, levels, waves and regimes.

Every detector is one compiled recurrence: fed row by row or many rows at once it says the same, to the last bit.
"""

from detectors.alerts import ALERT, AlertKind
from detectors.bars import Bar, bars_of
from detectors.elliott_wave import ElliottWave, ElliottWaveConfig, Wave, WaveReading
from detectors.errors import DetectorError
from detectors.flat_market import FlatMarket, FlatMarketConfig, FlatReading
from detectors.layering import LayeringConfig
from detectors.market_watch import BarFindings, Findings, MarketWatch, MarketWatchConfig, Zones
from detectors.quote_stuffing import QuoteStuffingConfig
from detectors.regime import Regime, RegimeConfig, RegimeLabel, RegimeReading
from detectors.rpi import RpiReading
from detectors.spoofing import SpoofingConfig
from detectors.support_resistance import Level, LevelsReading, SupportResistance, SupportResistanceConfig
from detectors.surveillance import Surveillance, SurveillanceConfig

__all__ = [
    "ALERT",
    "AlertKind",
    "Bar",
    "BarFindings",
    "DetectorError",
    "ElliottWave",
    "ElliottWaveConfig",
    "Findings",
    "FlatMarket",
    "FlatMarketConfig",
    "FlatReading",
    "LayeringConfig",
    "Level",
    "LevelsReading",
    "MarketWatch",
    "MarketWatchConfig",
    "QuoteStuffingConfig",
    "Regime",
    "RegimeConfig",
    "RegimeLabel",
    "RegimeReading",
    "RpiReading",
    "SpoofingConfig",
    "SupportResistance",
    "SupportResistanceConfig",
    "Surveillance",
    "SurveillanceConfig",
    "Wave",
    "WaveReading",
    "Zones",
    "bars_of",
]
