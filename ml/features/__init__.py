"""Model inputs: each a recurrence over event rows or closed bars.

A feature is written once and driven live, in backtests and in batch.
"""

from fathom.market.bar_rows import BAR
from fathom.ml.features.config import FeatureConfig
from fathom.ml.features.errors import FeatureError, SchemaMismatchError, UnknownFeatureError
from fathom.ml.features.feature_set import FeatureSet, Vectors
from fathom.ml.features.group import Group
from fathom.ml.features.normalisation import Normalisation, fit
from fathom.ml.features.orderbook import OrderBookFeatures
from fathom.ml.features.schema import Column, FeatureSchema
from fathom.ml.features.spec import FeatureSpec

__all__ = [
    "BAR",
    "Column",
    "FeatureConfig",
    "FeatureError",
    "FeatureSchema",
    "FeatureSet",
    "FeatureSpec",
    "Group",
    "Normalisation",
    "OrderBookFeatures",
    "SchemaMismatchError",
    "UnknownFeatureError",
    "Vectors",
    "fit",
]
