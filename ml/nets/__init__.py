"""Neural nets that turn a window of scaled features into a direction, a confidence, a return and a volatility.

Each is registered by name; `build` returns a new one.
"""

from ml.nets.compact import Compact
from ml.nets.fusion import Fusion
from ml.nets.heads import Heads, PredictionHeads
from ml.nets.hybrid import HybridCnnLstm
from ml.nets.registry import NETS, NetError, build
from ml.nets.stockformer import Stockformer

__all__ = ["NETS", "Compact", "Fusion", "Heads", "HybridCnnLstm", "NetError", "PredictionHeads", "Stockformer", "build"]
