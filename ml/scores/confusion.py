"""Which classes were said for which, and what follows from that alone."""

import numpy as np
from numpy.typing import NDArray


def confusion(said: NDArray[np.int64], truth: NDArray[np.int64], classes: int = 3) -> NDArray[np.int64]:
    """Return how often each class (row) was said to be each class (column).

    >>> confusion(np.array([0, 1, 1]), np.array([0, 1, 0])).tolist()
    [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    """
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes)


def macro_f1(said: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the mean F1 of the classes that were said or true.

    >>> macro_f1(np.array([0, 1, 1]), np.array([0, 1, 0])).__round__(3)
    0.667
    """
    table = confusion(said, truth)
    seen = table.sum(axis=0) + table.sum(axis=1)
    return float((2.0 * np.diag(table)[seen > 0] / seen[seen > 0]).mean())
