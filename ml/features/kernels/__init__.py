"""Compiled steps of the order-book features: each writes its values from the state of the book and of the flow.

A module holds the step and, beside it, what each value is (`ml.features.spec.FeatureSpec`), in the order it writes.
"""

from fathom.ml.features.kernels.orderbook import Scratch, new_scratch, orderbook_specs, run, sample, step

__all__ = ["Scratch", "new_scratch", "orderbook_specs", "run", "sample", "step"]
