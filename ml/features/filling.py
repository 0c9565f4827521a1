"""The fill rule at the edge of a schema: inside the features undefined is NaN, a model is given numbers.

1. Until a feature has had its first value it is NaN: a vector with a NaN is not ready, and no model reads it.
2. After that, where it is undefined, it takes its neutral value if it has one (RSI 50: no close moved).
3. Otherwise it keeps the last value it had.
4. Where its whole group is undefined, as while the book is unsure, it stays NaN.

Nothing later than the vector is read, so the rule cannot look ahead.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fathom.market.kernel_cache import cached


@cached
def _fill(values, neutral, last, whole, witness):  # type: ignore[no-untyped-def]
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            if np.isnan(values[i, j]):
                if not np.isnan(last[j]) and (witness[j] < 0 or not np.isnan(whole[i, witness[j]])):
                    values[i, j] = last[j] if np.isnan(neutral[j]) else neutral[j]
            else:
                last[j] = values[i, j]


class Filling:
    """Fill what is undefined in vectors that come one after the other.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    neutral : Mapping[str, float]
        Value of a column where it is undefined; a column that is not in it keeps its last value.
    witness : ndarray of int64, optional
        For each column a feature of its group that is never undefined, as its place among all features: where that is
        NaN, the group knows nothing. Negative: there is none.

    Examples
    --------
    >>> filling = Filling(["rsi_14", "vwap"], {"rsi_14": 50.0})
    >>> vectors = np.array([[np.nan, np.nan], [70.0, 9.5], [np.nan, np.nan]])
    >>> filling.apply(vectors)
    >>> vectors
    array([[ nan,  nan],
           [70. ,  9.5],
           [50. ,  9.5]])
    """

    def __init__(
        self, names: Sequence[str], neutral: Mapping[str, float], witness: NDArray[np.int64] | None = None
    ) -> None:
        self._witness = np.full(len(names), -1) if witness is None else witness
        self._neutral = np.array([neutral.get(name, np.nan) for name in names])
        self.last = np.full(len(names), np.nan)

    def apply(self, values: NDArray[np.float64], whole: NDArray[np.float64] | None = None) -> None:
        """Fill `values` of shape (vectors, columns) in place; `whole` holds all features, (vectors, features)."""
        _fill(values, self._neutral, self.last, values if whole is None else whole, self._witness)
