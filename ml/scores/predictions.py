"""What any model says of samples, baseline or net: probabilities of the classes, and the return that it expects."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fathom.ml.samples.labels import CLASSES
from fathom.settings.whole_files import whole_file


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Answers for samples.

    Attributes
    ----------
    probabilities : ndarray of float64
        Shape (samples, 3): HOLD, BUY, SELL.
    expected_return_bps : ndarray of float64
        Shape (samples,).
    confidence : ndarray of float64
        Probability that the direction is right, as the model itself says.

    Examples
    --------
    >>> predictions = Predictions.of(np.array([[0.2, 0.5, 0.3]]))
    >>> predictions.classes.tolist(), predictions.confidence.tolist()
    ([1], [0.5])
    """

    probabilities: NDArray[np.float64]
    expected_return_bps: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        probabilities: NDArray[np.floating],
        expected_return_bps: NDArray[np.floating] | None = None,
        confidence: NDArray[np.floating] | None = None,
    ) -> Self:
        """Return predictions; the confidence is the largest probability, and no return is expected, by default."""
        shares = np.asarray(probabilities, np.float64)
        if shares.ndim != 2 or shares.shape[1] != len(CLASSES):
            raise ValueError(f"Expected probabilities of shape (samples, {len(CLASSES)}), was {shares.shape}")
        returns = np.zeros(len(shares)) if expected_return_bps is None else np.asarray(expected_return_bps, np.float64)
        sure = shares.max(axis=1) if confidence is None else np.asarray(confidence, np.float64)
        return cls(shares, returns, sure)

    @property
    def classes(self) -> NDArray[np.int64]:
        """The likeliest class of each sample; the first of equals."""
        chosen: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return chosen

    def save(self, path: Path) -> None:
        """Write the predictions; the file appears when it is whole."""
        with whole_file(path) as file:
            np.savez(
                file,
                probabilities=self.probabilities,
                expected_return_bps=self.expected_return_bps,
                confidence=self.confidence,
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what `save` wrote."""
        with np.load(path, allow_pickle=False) as parts:
            return cls(parts["probabilities"], parts["expected_return_bps"], parts["confidence"])


def joined(parts: list[Predictions]) -> Predictions:
    """Return predictions of several folds, one after the other.

    Examples
    --------
    >>> one = Predictions.of(np.array([[0.2, 0.5, 0.3]]))
    >>> joined([one, one]).probabilities.shape
    (2, 3)
    """
    return Predictions(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.expected_return_bps for part in parts]),
        np.concatenate([part.confidence for part in parts]),
    )
