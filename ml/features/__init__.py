"""Model inputs: each a recurrence over event rows or closed bars.

A feature is written once and driven live, in backtests and in batch.
"""

from ml.features.bars import BAR
from ml.features.config import FeatureConfig
from ml.features.errors import FeatureError, SchemaMismatchError, UnknownFeatureError
from ml.features.feature_set import FeatureSet, Vectors
from ml.features.normalisation import Normalisation, fit
from ml.features.schema import Column, FeatureSchema
from ml.features.spec import FeatureSpec

__all__ = [
    "BAR",
    "Column",
    "FeatureConfig",
    "FeatureError",
    "FeatureSchema",
    "FeatureSet",
    "FeatureSpec",
    "Normalisation",
    "SchemaMismatchError",
    "UnknownFeatureError",
    "Vectors",
    "fit",
]
