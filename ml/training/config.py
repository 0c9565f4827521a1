"""What a training is made of, read from a TOML file: data, label, split, nets, fit."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from fathom.ml.features.schema import Canonical
from fathom.ml.samples.config import DataConfig
from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.samples.splits import SplitConfig
from fathom.ml.scores.metrics import METRICS
from fathom.ml.training.fit_config import FitConfig, NetConfig
from fathom.settings.toml import MOST_SEED, ConfigPath

BASELINES: Final = ("prior", "persistence", "logistic", "boosting")
"""Names of the baselines, in the order of reports."""


class EvaluationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How results are judged.

    Parameters
    ----------
    baselines : tuple of str
        Which of prior, persistence, logistic and boosting.
    baseline_rows : int
        Training samples that the fitted baselines read, evenly spaced, at most.
    resamples : int
        Of the block bootstrap.
    block_secs : float or None
        Length of its blocks; None means the longer of 20 horizons and two windows.
    level : float
        Of the intervals.
    policy : {"class", "expected_return"}
        How predictions become trades: the likeliest class; or the side of the expected return where that exceeds the
        cost known at the time.
    truth : str or None
        Folder of a simulated instrument's truth (``<catalog>/fathom/truth/<instrument>``): what an observer of the
        hidden state reaches is then reported beside the models.
    metrics : tuple of str
        More scores for the reports, as ``"module:metric"`` (`fathom.ml.scores.metrics.METRICS`).

    Examples
    --------
    >>> EvaluationConfig().level
    0.95
    """

    baselines: tuple[Literal["prior", "persistence", "logistic", "boosting"], ...] = BASELINES
    baseline_rows: Annotated[int, Meta(ge=100)] = 20_000
    resamples: Annotated[int, Meta(ge=100)] = 1_000
    block_secs: Annotated[float, Meta(gt=0.0)] | None = None
    level: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.95
    policy: Literal["class", "expected_return"] = "class"
    truth: ConfigPath | None = None
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.metrics:
            METRICS.place(name)


class TrainingConfig(Canonical, frozen=True, kw_only=True):
    """Settings of a training; what the file does not say is a default.

    Parameters
    ----------
    name : str
        What the runs are called.
    seed : int
        Of everything that is random.
    data : DataConfig
    label : LabelConfig
    split : SplitConfig
    nets : tuple of NetConfig
        Nets to train, each on every fold; none for the baselines alone.
    fit : FitConfig
    evaluation : EvaluationConfig
    ledger : str, optional
        Folder of the ledger that counts every trial (`fathom.data_catalog.trials`); by default it lies with the data,
        in their catalog or folder of arrays. The trials of a ``trials.jsonl`` of before are taken over into that.

    Examples
    --------
    >>> config = msgspec.convert({"name": "x", "data": {"arrays": "a"}}, TrainingConfig)
    >>> config.label.horizon_secs, config.hash[:4] == config.hash[:4]
    (10.0, True)
    """

    name: str
    data: DataConfig
    seed: Annotated[int, Meta(ge=0, le=MOST_SEED)] = 0
    label: LabelConfig = LabelConfig()
    split: SplitConfig = SplitConfig()
    nets: tuple[NetConfig, ...] = ()
    fit: FitConfig = FitConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    ledger: ConfigPath | None = None

    def __post_init__(self) -> None:
        names = [net.title for net in self.nets]
        if len(set(names)) != len(names):
            raise ValueError("Expected each net once in nets, was one twice")
