"""Baselines: what a model must beat, on the same windows and splits, behind the same interface."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fathom.ml.features import Normalisation
from fathom.ml.samples.datasets import Arrays, Samples, windows
from fathom.ml.samples.labels import CLASSES
from fathom.ml.scores.predictions import Predictions

_RECENT: Final = 10


class Baseline(Protocol):
    """A model that is fitted on some samples and answers for others.

    Examples
    --------
    >>> sorted(BASELINES)
    ['boosting', 'logistic', 'persistence', 'prior']
    """

    def fit(self, arrays: Arrays, train: Samples, scaler: Normalisation) -> None:
        """Learn from training samples."""

    def predict(self, arrays: Arrays, samples: Samples) -> Predictions:
        """Answer for samples."""


class Prior:
    """The classes' shares in the training samples, whatever the window says.

    Examples
    --------
    >>> from fathom.ml.samples.label_config import LabelConfig
    >>> arrays = Arrays.raw(np.zeros((9, 1)), np.arange(9) * 10**9, np.full(9, 100.0))
    >>> samples = arrays.samples(LabelConfig(horizon_secs=1.0), window=2)
    >>> prior = Prior()
    >>> prior.fit(arrays, samples, arrays.fit_scaler(samples.rows))
    >>> prior.predict(arrays, samples).probabilities[0].tolist()
    [1.0, 0.0, 0.0]
    """

    def fit(self, arrays: Arrays, train: Samples, scaler: Normalisation) -> None:
        self._shares = train.class_shares()
        self._mean_bps = float(train.return_bps.mean())

    def predict(self, arrays: Arrays, samples: Samples) -> Predictions:
        return Predictions.of(np.tile(self._shares, (len(samples), 1)), np.full(len(samples), self._mean_bps))


class Persistence:
    """The class of the move that has just ended goes on, for sure.

    Examples
    --------
    >>> from fathom.ml.samples.label_config import LabelConfig
    >>> arrays = Arrays.raw(np.zeros((9, 1)), np.arange(9) * 10**9, 100.0 + np.arange(9))
    >>> samples = arrays.samples(LabelConfig(horizon_secs=1.0), window=2)
    >>> same = Persistence()
    >>> same.fit(arrays, samples, arrays.fit_scaler(samples.rows))
    >>> same.predict(arrays, samples).classes.tolist() == samples.classes.tolist()
    True
    """

    def fit(self, arrays: Arrays, train: Samples, scaler: Normalisation) -> None:
        self._means = _class_means(train)

    def predict(self, arrays: Arrays, samples: Samples) -> Predictions:
        said = np.eye(len(CLASSES))[samples.past_classes]
        return Predictions.of(said, said @ self._means)


class Fitted:
    """A classifier of scikit-learn over what a window boils down to.

    Its inputs are, for each column, scaled: the last row, the mean of the window and of its last ten rows, and the
    last row less the first. The expected return is the mean of each class's training returns, weighted by its
    probability.

    Parameters
    ----------
    make : callable
        Returns a classifier.

    Examples
    --------
    >>> from fathom.ml.samples.label_config import LabelConfig
    >>> rng = np.random.default_rng(0)
    >>> mid = 100.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, 300)))
    >>> ahead = np.append(np.diff(mid), 0.0)[:, None]  # a leak, to have something to learn
    >>> arrays = Arrays.raw(ahead, np.arange(300) * 10**9, mid)
    >>> samples = arrays.samples(LabelConfig(horizon_secs=1.0, fee_bps=0.0), window=2)
    >>> model = BASELINES["logistic"](0)
    >>> model.fit(arrays, samples, arrays.fit_scaler(samples.rows))
    >>> float((model.predict(arrays, samples).classes == samples.classes).mean()) > 0.9
    True
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def fit(self, arrays: Arrays, train: Samples, scaler: Normalisation) -> None:
        self._scaler = scaler
        self._means = _class_means(train)
        self._present = np.unique(train.classes)
        if len(self._present) > 1:
            self._model = self._make()
            self._model.fit(summarise(arrays, train, scaler), train.classes)

    def predict(self, arrays: Arrays, samples: Samples) -> Predictions:
        probabilities = np.zeros((len(samples), len(CLASSES)))
        if len(self._present) == 1:
            probabilities[:, self._present] = 1.0
        else:
            for at in range(0, len(samples), 8_192):
                part = samples.take(np.arange(at, min(at + 8_192, len(samples))))
                found = self._model.predict_proba(summarise(arrays, part, self._scaler))
                probabilities[at : at + len(part), self._present] = found
        return Predictions.of(probabilities, probabilities @ self._means)


def summarise(arrays: Arrays, samples: Samples, scaler: Normalisation) -> NDArray[np.float32]:
    """Return what the windows boil down to: shape (samples, 4 columns), see `Fitted`."""
    views = windows(arrays.features, samples.window)
    recent = min(_RECENT, samples.window)
    found = np.empty((len(samples), 4 * arrays.features.shape[1]), np.float32)
    for at in range(0, len(samples), 512):
        raw = views[samples.rows[at : at + 512] - (samples.window - 1)]
        scaled = scaler.apply(raw.astype(np.float64))
        last = scaled[:, -1]
        parts = (last, scaled.mean(axis=1), scaled[:, -recent:].mean(axis=1), last - scaled[:, 0])
        found[at : at + 512] = np.concatenate(parts, axis=1)
    return found


def _class_means(train: Samples) -> NDArray[np.float64]:
    shown = np.bincount(train.classes, minlength=len(CLASSES))
    means: NDArray[np.float64] = np.bincount(train.classes, train.return_bps, len(CLASSES)) / np.maximum(shown, 1)
    return means


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    # Inputs are many and alike: a strong ridge, chosen once and for all markets.
    return LogisticRegression(C=0.01, max_iter=200, tol=1e-3)


def _boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    # Its own early stopping would draw validation samples at random, next to their twins in training: none.
    return HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=15,
        min_samples_leaf=100,
        l2_regularization=1.0,
        max_features=0.2,
        early_stopping=False,
        random_state=seed,
    )


BASELINES: Final[Mapping[str, Callable[[int], Baseline]]] = MappingProxyType(
    {
        "prior": lambda _: Prior(),
        "persistence": lambda _: Persistence(),
        "logistic": lambda _: Fitted(_logistic),
        "boosting": lambda seed: Fitted(lambda: _boosting(seed)),
    }
)
"""How to make each baseline, given a seed."""
