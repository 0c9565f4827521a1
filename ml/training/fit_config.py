"""Settings of one training: which net, which optimiser, when to stop."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0.0, lt=1.0)]
Positive = Annotated[float, Meta(gt=0.0)]
Weight = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=1)]


class NetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which net.

    Parameters
    ----------
    name : str
        A registered name (`fathom.ml.nets.NETS`), or your own ``"module:Net"``.
    parameters : dict
        What differs from the net's defaults, such as ``{"hidden": 128}``.

    Examples
    --------
    >>> NetConfig(name="compact").parameters
    {}
    """

    name: str = "hybrid_cnn_lstm"
    parameters: dict[str, Any] = {}

    @property
    def title(self) -> str:
        """The name in folders and reports: of your own net the class."""
        return self.name.rpartition(":")[2]


class LossConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Weights of the parts of the loss.

    Parameters
    ----------
    direction, confidence, expected_return, volatility : float
        Of the cross-entropy, of the log loss of the confidence, and of the Huber losses of the return in units of its
        standard deviation and of the volatility's logarithm; 0 leaves a part out.
    class_weights : {"none", "sqrt", "balanced"}
        Weigh directions against their frequency, or its root. Rare directions are then said more often than they
        happen: balanced accuracy gains, calibration and accuracy lose.

    Examples
    --------
    >>> LossConfig().direction
    1.0
    """

    direction: Weight = 1.0
    confidence: Weight = 0.2
    expected_return: Weight = 0.2
    volatility: Weight = 0.1
    class_weights: Literal["none", "sqrt", "balanced"] = "none"


class FitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to train.

    Parameters
    ----------
    epochs : int
        At most this many.
    patience : int
        Epochs without a better validation score before stopping.
    monitor : {"loss", "direction_loss"}
        The validation score.
    batch_size : int
        Windows a step.
    learning_rate, weight_decay : float
        Of AdamW.
    schedule : {"cosine", "constant"}
        After a linear warm-up over `warm_up` of all steps.
    warm_up : float
        Share of the steps.
    gradient_clip : float
        Largest norm of the gradient.
    loss : LossConfig
    precision : {"auto", "float32", "bf16"}
        ``auto`` is mixed bfloat16 on a GPU and float32 elsewhere.
    device : {"auto", "cpu", "gpu"}
        Where torch computes; ``auto`` is a GPU where there is one.
    threads : int
        Threads of torch on the CPU; the same number gives the same result.
    snapshot_secs : float
        A killed training loses at most this much work.

    Examples
    --------
    >>> FitConfig().patience
    10
    """

    epochs: Count = 50
    patience: Count = 10
    monitor: Literal["loss", "direction_loss"] = "direction_loss"
    batch_size: Count = 256
    learning_rate: Positive = 1e-3
    weight_decay: Weight = 1e-4
    schedule: Literal["cosine", "constant"] = "cosine"
    warm_up: Share = 0.05
    gradient_clip: Positive = 1.0
    loss: LossConfig = LossConfig()
    precision: Literal["auto", "float32", "bf16"] = "auto"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    threads: Count = 1
    snapshot_secs: Weight = 60.0
