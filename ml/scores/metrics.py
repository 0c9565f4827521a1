"""Scores of predictions: of the classes, of the probabilities, and of the money, each with its resamples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from fathom.ml.samples.datasets import Samples
from fathom.ml.samples.labels import BUY, CLASSES, SELL
from fathom.ml.scores.bootstrap import Interval, Resampler
from fathom.ml.scores.policy_returns import sides, trades
from fathom.ml.scores.predictions import Predictions
from fathom.settings.doors import Registry
from fathom.settings.times import periods_per_year

BINS: Final = 15
"""Bins of the calibration error, equally wide."""

NAMES: Final = (
    "accuracy",
    "balanced_accuracy",
    "direction_accuracy",
    "mcc",
    "auc",
    "f1_macro",
    *(f"{kind}_{name.lower()}" for name in CLASSES for kind in ("precision", "recall", "f1")),
    "log_loss",
    "brier",
    "ece",
    "confidence_ece",
    "trades",
    "hit_rate",
    "net_bps_per_trade",
    "net_bps_total",
    "sharpe",
)
"""Every score, in the order of reports."""

METRICS: Final = Registry("metric", {})
"""Metrics beside `NAMES`: `"module:metric"`, or entry points of packages.

A metric is a function of samples and predictions that returns a number a sample (NaN: the sample does not count). The
score is their mean; its interval comes from the same resamples of time as the others.
"""

type Metric = Callable[[Samples, Predictions], NDArray[np.float64]]

LOWER_IS_BETTER: Final = ("log_loss", "brier", "ece", "confidence_ece")

_RANKS: Final = 64

type Sums = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of one model on some samples.

    Attributes
    ----------
    values : Mapping[str, float]
        By the names of `NAMES`; NaN where undefined (a precision without a prediction, a Sharpe ratio without trades).
    drawn : Mapping[str, ndarray]
        Each score of each resample. Two models scored with the same `Resampler` were resampled alike: their
        differences are paired.
    confusion : ndarray of int64
        Shape (3, 3), true classes down, predicted ones across.
    reliability : ndarray of float64
        Shape (BINS, 3): samples, mean probability of the predicted class, share of right ones.
    resampler : Resampler
        Which drew the resamples.

    Examples
    --------
    >>> from fathom.ml.samples.datasets import Arrays
    >>> from fathom.ml.samples.label_config import LabelConfig
    >>> mid = 100.0 + np.arange(200.0) % 2
    >>> arrays = Arrays.raw(np.zeros((200, 1)), np.arange(200) * 10**9, mid)
    >>> samples = arrays.samples(LabelConfig(horizon_secs=1.0), window=2)
    >>> right = Predictions.of(np.eye(3)[samples.classes])
    >>> resampler = Resampler(samples.ts, bucket_ns=10**9, block_ns=10**10, resamples=100)
    >>> scores = score(samples, right, resampler)
    >>> scores.interval("accuracy", 0.95), scores.values["mcc"], int(scores.values["trades"])
    (Interval(value=1.0, low=1.0, high=1.0), 1.0, 198)
    """

    values: Mapping[str, float]
    drawn: Mapping[str, NDArray[np.float64]]
    confusion: NDArray[np.int64]
    reliability: NDArray[np.float64]
    resampler: Resampler

    def interval(self, name: str, level: float) -> Interval:
        """Return a score with its interval."""
        return self.resampler.interval(self.values[name], self.drawn[name], level)

    def difference(self, other: "Scores", name: str, level: float) -> Interval:
        """Return how much higher this score is than the other's, with the interval of the paired difference."""
        drawn = self.drawn[name] - other.drawn[name]
        return self.resampler.interval(self.values[name] - other.values[name], drawn, level)


def score(
    samples: Samples,
    predictions: Predictions,
    resampler: Resampler,
    policy: Literal["class", "expected_return"] = "class",
    metrics: Sequence[str] = (),
) -> Scores:
    """Score predictions.

    ``accuracy`` and its kin take the likeliest class. ``direction_accuracy`` asks of the samples whose price moved
    whether BUY or SELL was the likelier one, ties counting half. ``auc`` is the mean over classes of one against the
    rest; its resamples use 64 ranks. ``brier`` is the sum over classes. ``ece`` is of the probability of the predicted
    class, ``confidence_ece`` of the model's own confidence. The money is that of `ml.scores.policy_returns.trades`;
    ``sharpe`` is of the net return of each bucket of the resampler, zero where nothing was entered; it is annualised,
    and NaN where the buckets are less than 30 days.

    Parameters
    ----------
    samples : Samples
    predictions : Predictions
        One a sample.
    resampler : Resampler
        Over the times of the samples.
    policy : {"class", "expected_return"}
        How predictions become trades, see `fathom.ml.scores.policy_returns.sides`.
    metrics : sequence of str
        More scores by their names in `METRICS`, such as "module:metric".

    Raises
    ------
    ValueError
        Predictions are not as many as samples, or hold a NaN.
    """
    if len(predictions.probabilities) != len(samples):
        raise ValueError(f"Expected {len(samples)} predictions, was {len(predictions.probabilities)}")
    if not np.isfinite(predictions.probabilities).all():
        raise ValueError("Expected probabilities that are numbers, was NaN: the training diverged")
    truth, chosen = samples.classes, predictions.classes
    made = trades(samples, sides(samples, predictions, policy))
    columns = {
        "confusion": np.eye(9)[truth * 3 + chosen],
        "loss": _losses(samples, predictions),
        "moved": _moved(samples, predictions),
        "ece": _calibration(predictions.probabilities.max(axis=1), truth == chosen),
        "confidence": _calibration(predictions.confidence.clip(0.0, 1.0), truth == chosen),
        "money": np.stack([made.taken, made.taken & (made.net_bps > 0.0), made.net_bps], axis=1),
    }
    edges = np.cumsum([0, *(part.shape[1] for part in columns.values())])
    whole, drawn = resampler.sums(np.concatenate(list(columns.values()), axis=1))
    net = np.bincount(resampler.bucket, made.net_bps, resampler.buckets)
    bucket_whole, bucket_drawn = resampler.bucket_sums(np.stack([np.ones_like(net), net, net**2], axis=1))
    ranks_whole, ranks_drawn = resampler.bucket_sums(_rank_counts(truth, predictions.probabilities, resampler))

    per_year = periods_per_year(resampler.bucket_ns, resampler.buckets * resampler.bucket_ns)

    def named(sums: Sums, buckets: Sums, ranks: Sums) -> dict[str, Sums]:
        part = {name: sums[:, edges[i] : edges[i + 1]] for i, name in enumerate(columns)}
        found = _of_confusion(part["confusion"].reshape(-1, 3, 3))
        count = np.maximum(part["confusion"].sum(axis=1), 1.0)
        found["auc"] = _auc(ranks)
        found["log_loss"], found["brier"] = part["loss"].T / count
        found["direction_accuracy"] = _ratio(part["moved"][:, 1], part["moved"][:, 0])
        found["ece"], found["confidence_ece"] = _ece(part["ece"]), _ece(part["confidence"])
        found["trades"], won, total = part["money"].T
        found["hit_rate"], found["net_bps_per_trade"] = _ratio(won, found["trades"]), _ratio(total, found["trades"])
        found["net_bps_total"] = total
        mean = buckets[:, 1] / buckets[:, 0]
        deviation = np.sqrt(np.maximum(buckets[:, 2] / buckets[:, 0] - mean**2, 0.0))
        found["sharpe"] = _ratio(mean, deviation) * per_year**0.5
        return {name: found[name] for name in NAMES}

    values = {name: float(part[0]) for name, part in named(whole[None], bucket_whole[None], ranks_whole[None]).items()}
    values["auc"] = _exact_auc(truth, predictions.probabilities)
    bins = whole[edges[3] : edges[4]].reshape(BINS, 3)
    reliability = np.stack([bins[:, 0], _ratio(bins[:, 1], bins[:, 0]), _ratio(bins[:, 2], bins[:, 0])], axis=1)
    confusion = whole[edges[0] : edges[1]].reshape(3, 3).round().astype(np.int64)
    resampled = named(drawn, bucket_drawn, ranks_drawn)
    for name in metrics:
        title, metric = name.rpartition(":")[2], METRICS.load(name)
        values[title], resampled[title] = _own(metric, samples, predictions, resampler)
    return Scores(values, resampled, confusion, reliability, resampler)


def _own(
    metric: Metric, samples: Samples, predictions: Predictions, resampler: Resampler
) -> tuple[float, NDArray[np.float64]]:
    each = np.asarray(metric(samples, predictions), np.float64)
    if each.shape != (len(samples),):
        raise ValueError(f"Expected a metric that returns {len(samples)} numbers, one a sample, was {each.shape}")
    known = np.isfinite(each)
    whole, drawn = resampler.sums(np.stack([np.where(known, each, 0.0), known], axis=1))
    return float(_ratio(whole[:1], whole[1:])[0]), _ratio(drawn[:, 0], drawn[:, 1])


def _losses(samples: Samples, predictions: Predictions) -> NDArray[np.float64]:
    p = predictions.probabilities
    of_truth = p[np.arange(len(p)), samples.classes]
    brier = ((p - np.eye(3)[samples.classes]) ** 2).sum(axis=1)
    return np.stack([-np.log(np.maximum(of_truth, 1e-15)), brier], axis=1)


def _moved(samples: Samples, predictions: Predictions) -> NDArray[np.float64]:
    lean = np.sign(predictions.probabilities[:, BUY] - predictions.probabilities[:, SELL])
    went = np.sign(samples.return_bps)
    right = np.where(lean == 0.0, 0.5, (lean == went).astype(np.float64))
    return np.stack([went != 0.0, np.where(went != 0.0, right, 0.0)], axis=1).astype(np.float64)


def _calibration(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    # For each bin: samples, sum of what was said, right ones.
    at = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    columns = np.zeros((len(sure), BINS, 3))
    rows = np.arange(len(sure))
    columns[rows, at, 0], columns[rows, at, 1], columns[rows, at, 2] = 1.0, sure, right
    return columns.reshape(len(sure), BINS * 3)


def _ece(sums: Sums) -> Sums:
    bins = sums.reshape(-1, BINS, 3)
    count = np.maximum(bins[..., 0].sum(axis=1), 1.0)
    gap: Sums = np.abs(bins[..., 1] - bins[..., 2]).sum(axis=1) / count
    return gap


def _of_confusion(matrix: Sums) -> dict[str, Sums]:
    true, said = matrix.sum(axis=2), matrix.sum(axis=1)
    hits, count = np.diagonal(matrix, axis1=1, axis2=2), matrix.sum(axis=(1, 2))
    recall, precision = _ratio(hits, true), _ratio(hits, said)
    # As scikit-learn: a class that is neither there nor predicted has no F1; one never predicted has 0.
    f1 = _ratio(2.0 * hits, true + said)
    found = {"accuracy": _ratio(hits.sum(axis=1), count)}
    found["balanced_accuracy"] = _mean_of_known(recall)
    found["f1_macro"] = _mean_of_known(f1)
    covariance = hits.sum(axis=1) * count - (true * said).sum(axis=1)
    spread = np.sqrt((count**2 - (said**2).sum(axis=1)) * (count**2 - (true**2).sum(axis=1)))
    found["mcc"] = np.where(spread > 0.0, _ratio(covariance, spread), 0.0)
    for number, name in enumerate(CLASSES):
        for kind, values in (("precision", precision), ("recall", recall), ("f1", f1)):
            found[f"{kind}_{name.lower()}"] = values[:, number]
    return found


def _rank_counts(truth: NDArray[np.int64], p: NDArray[np.float64], resampler: Resampler) -> NDArray[np.float64]:
    # For each bucket: how many samples of and not of a class have a probability of it in each rank.
    found = np.zeros((resampler.buckets, 3, 2, _RANKS))
    for number in range(3):
        edges = np.unique(np.quantile(p[:, number], np.arange(1, _RANKS) / _RANKS))
        rank = np.searchsorted(edges, p[:, number], side="right")
        cell = (resampler.bucket * 2 + (truth == number)) * _RANKS + rank
        found[:, number] = np.bincount(cell, minlength=resampler.buckets * 2 * _RANKS).reshape(-1, 2, _RANKS)
    return found.reshape(resampler.buckets, -1)


def _auc(sums: Sums) -> Sums:
    counts = sums.reshape(-1, 3, 2, _RANKS)
    others, own = counts[:, :, 0], counts[:, :, 1]
    below = np.cumsum(others, axis=2) - others
    wins = (own * (below + 0.5 * others)).sum(axis=2)
    return _mean_of_known(_ratio(wins, own.sum(axis=2) * others.sum(axis=2)))


def _exact_auc(truth: NDArray[np.int64], p: NDArray[np.float64]) -> float:
    from sklearn.metrics import roc_auc_score

    shown = [number for number in range(3) if 0 < (truth == number).sum() < len(truth)]
    if not shown:
        return float("nan")
    return float(np.mean([roc_auc_score(truth == number, p[:, number]) for number in shown]))


def _ratio(above: Sums, below: Sums) -> Sums:
    found: Sums = np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0.0)
    return found


def _mean_of_known(values: Sums) -> Sums:
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))
