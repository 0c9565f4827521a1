"""Scaling of model inputs, fitted on training data only and stored as JSON beside the model."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fathom.ml.features.errors import FeatureError
from fathom.ml.features.schema import Canonical

_NORMAL_IQR = 1.3489795003921634
"""Distance of the quartiles of a normal distribution with unit variance."""


class Normalisation(Canonical, frozen=True, kw_only=True):
    """Centre and scale of each column: ``(x - centre) / scale``, cut at ``limit``.

    Parameters
    ----------
    kind : {"standard", "robust"}
        Mean and standard deviation, or median and quartile distance / 1.349 (the same for a normal distribution).
    names : tuple of str
        Names of the columns.
    centre, scale : tuple of float
        One a column. A column that does not vary in the training data has scale 1.
    limit : float
        Normalised values are cut at plus and minus this.
    before_ns : int
        Every vector that was read has a grid time before this.
    vectors : int
        How many vectors were read.

    Examples
    --------
    >>> ts = np.array([1, 2, 3, 4])
    >>> values = np.array([[1.0], [3.0], [5.0], [1000.0]])
    >>> normalisation = fit("standard", ["x"], ts, values, before_ns=4)
    >>> normalisation.apply(values).ravel().round(3).tolist()
    [-1.225, 0.0, 1.225, 10.0]
    >>> Normalisation.from_json(normalisation.to_json()) == normalisation
    True
    """

    kind: Literal["standard", "robust"]
    names: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    limit: float
    before_ns: int
    vectors: int

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the normalised values; NaN stays NaN.

        Parameters
        ----------
        values : ndarray
            Shape (..., columns); each row is computed as it would be alone.
        """
        if values.shape[-1] != len(self.names):
            raise FeatureError(f"Expected {len(self.names)} columns, was {values.shape[-1]}")
        scaled: NDArray[np.float64] = (values - np.array(self.centre)) / np.array(self.scale)
        return scaled.clip(-self.limit, self.limit)


def fit(
    kind: Literal["standard", "robust"],
    names: Sequence[str],
    ts: NDArray[np.int64],
    values: NDArray[np.float64],
    *,
    before_ns: int,
    limit: float = 10.0,
) -> Normalisation:
    """Return the normalisation of the vectors before `before_ns`, and of these only.

    Parameters
    ----------
    kind : {"standard", "robust"}
        Which centre and scale.
    names : sequence of str
        Names of the columns.
    ts : ndarray
        Grid time of each vector, ns.
    values : ndarray
        Shape (vectors, columns). Vectors with a NaN (not ready) are left out.
    before_ns : int
        End of the training data; later vectors may be in `values` but are not read.
    limit : float
        Where normalised values are cut.

    Raises
    ------
    FeatureError
        Where fewer than two vectors are left, or one of them holds an infinite value.
    """
    if values.shape != (len(ts), len(names)):
        raise FeatureError(f"Expected values of shape {(len(ts), len(names))}, was {values.shape}")
    training = values[ts < before_ns]
    training = training[~np.isnan(training).any(axis=1)]
    if len(training) < 2:
        raise FeatureError(
            f"Expected two vectors or more before {before_ns} ns without a NaN, was {len(training)}: "
            "start earlier, so that the features are warm, or name fewer features"
        )
    infinite = np.isinf(training).any(axis=0)
    if infinite.any():
        raise FeatureError(f"Expected finite values, was infinite in {names[int(np.argmax(infinite))]}")
    if kind == "standard":
        centre, scale = training.mean(axis=0), training.std(axis=0)
    else:
        low, centre, high = np.quantile(training, (0.25, 0.5, 0.75), axis=0)
        scale = (high - low) / _NORMAL_IQR
        # Where more than half of the values are equal (counts, flags), quartiles tell nothing.
        scale = np.where(scale > 0.0, scale, training.std(axis=0))
    constant = training.min(axis=0) == training.max(axis=0)
    return Normalisation(
        kind=kind,
        names=tuple(names),
        centre=tuple(centre.tolist()),
        scale=tuple(np.where(constant | (scale <= 0.0), 1.0, scale).tolist()),
        limit=limit,
        before_ns=before_ns,
        vectors=len(training),
    )
