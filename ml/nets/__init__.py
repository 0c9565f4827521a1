"""Neural nets that turn a window of scaled features into a direction, a confidence, a return and a volatility.

Each is registered by name; `build` returns a new one.
"""

from fathom.ml.nets.compact import Compact
from fathom.ml.nets.fusion import Fusion
from fathom.ml.nets.heads import Heads, PredictionHeads
from fathom.ml.nets.hybrid import HybridCnnLstm
from fathom.ml.nets.registry import NETS, NetError, build
from fathom.ml.nets.stockformer import Stockformer

__all__ = ["NETS", "Compact", "Fusion", "Heads", "HybridCnnLstm", "NetError", "PredictionHeads", "Stockformer", "build"]
