"""The detectors of a `MarketWatch`, by name; others over bars come from outside, as "module:Name" or entry point."""

from typing import Final

from fathom.settings.doors import Registry

_BARS: Final = "fathom.detectors.bars"

DETECTORS: Final = Registry(
    "detector",
    {
        "manipulation": "fathom.detectors.book.surveillance:Surveillance",
        "levels": f"{_BARS}.support_resistance:SupportResistance",
        "flat": f"{_BARS}.flat_market:FlatMarket",
        "regime": f"{_BARS}.regime:Regime",
        "waves": f"{_BARS}.elliott_wave:ElliottWave",
    },
)
"""The news of one bar is published in this order."""
