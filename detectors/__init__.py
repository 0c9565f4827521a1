"""Opinions on the state of a market, each with a confidence: manipulation, levels, waves and regimes.

Every detector is one compiled recurrence: fed row by row or many rows at once it says the same, to the last bit.
"""

from fathom.detectors.bars.detector import Bar, BarDetector, bars_of
from fathom.detectors.bars.elliott_wave import ElliottWave, ElliottWaveConfig, Wave, WaveReading
from fathom.detectors.bars.flat_market import FlatMarket, FlatMarketConfig, FlatReading
from fathom.detectors.bars.regime import Regime, RegimeConfig, RegimeLabel, RegimeNews, RegimeReading
from fathom.detectors.bars.support_resistance import (
    Level,
    LevelsReading,
    SupportResistance,
    SupportResistanceConfig,
    Zones,
)
from fathom.detectors.book.alerts import ALERT, AlertKind
from fathom.detectors.book.layering import LayeringConfig
from fathom.detectors.book.quote_stuffing import QuoteStuffingConfig
from fathom.detectors.book.rpi import RpiReading
from fathom.detectors.book.spoofing import SpoofingConfig
from fathom.detectors.book.surveillance import Layering, QuoteStuffing, Spoofing, Surveillance, SurveillanceConfig
from fathom.detectors.errors import DetectorError
from fathom.detectors.market_watch import BarFindings, Findings, MarketWatch, MarketWatchConfig, News
from fathom.detectors.registry import DETECTORS

__all__ = [
    "ALERT",
    "DETECTORS",
    "AlertKind",
    "Bar",
    "BarDetector",
    "BarFindings",
    "DetectorError",
    "ElliottWave",
    "ElliottWaveConfig",
    "Findings",
    "FlatMarket",
    "FlatMarketConfig",
    "FlatReading",
    "Layering",
    "LayeringConfig",
    "Level",
    "LevelsReading",
    "MarketWatch",
    "MarketWatchConfig",
    "News",
    "QuoteStuffing",
    "QuoteStuffingConfig",
    "Regime",
    "RegimeConfig",
    "RegimeLabel",
    "RegimeNews",
    "RegimeReading",
    "RpiReading",
    "Spoofing",
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
