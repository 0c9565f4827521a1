"""Training samples: labels, splits, windows, and checks for leaks."""

from fathom.ml.samples.label_config import FixedHorizon, LabelConfig, TripleBarrier
from fathom.ml.samples.labels import Labels, Prices, label
from fathom.ml.samples.splits import Fold, PurgedWalkForward, SplitConfig, split

__all__ = [
    "FixedHorizon",
    "Fold",
    "LabelConfig",
    "Labels",
    "Prices",
    "PurgedWalkForward",
    "SplitConfig",
    "TripleBarrier",
    "label",
    "split",
]
