"""Backtests with features, a validator and scripted signals: for the tests of the validator and of faults."""

from pathlib import Path

from fathom.ml.features import FeatureConfig
from tests.makers.scripted import SCRIPTED
from tests.makers.small_market import config_file
from tests.makers.tiny_model import schema_of, write_model

FEATURES = FeatureConfig(groups=("orderbook",), grid_ms=250)
NAMES = ("imbalance_5", "mid_price", "bid_ask_spread_abs", "depth_bid_5")
WINDOW = 8
SIGNALS = '[[10, "BUY", 0.7], [30, "SELL", 0.7], [50, "BUY", 0.7]]'


def tiny(
    folder: Path, *, bias: tuple[float, float, float] = (0.0, 0.0, 0.0), seed: int | None = None, until_ns: int = 0
) -> Path:
    """Write a model of a few features of `FEATURES`."""
    return write_model(
        folder, schema_of(FEATURES, NAMES), window=WINDOW, bias=bias, seed=seed, name=folder.name, until_ns=until_ns
    )


def validated_config(
    folder: Path,
    catalog: Path,
    validation: str,
    *,
    strategy: str = f"signals = {SIGNALS}",
    features: str = "",
    silence_ms: int = 300_000,
) -> Path:
    """Write a configuration with the actors `features` and `validation` (its parameters as TOML) and a scripted one."""
    more = f"""
notional = 60000.0
validator = true
{strategy}
[[actors]]
name = "features"
[actors.parameters]
{features}
features = {{ groups = ["orderbook"], grid_ms = 250, max_silence_ms = {silence_ms} }}
[[actors]]
name = "validation"
[actors.parameters]
{validation}
"""
    return config_file(folder, catalog, strategy=SCRIPTED, more=more)
