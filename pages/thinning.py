"""Thinning of long curves for the screen, without losing their extremes."""

import numpy as np
from numpy.typing import NDArray


def keep(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return the ascending indices to draw: the first, the last, and the lowest and highest of each of equal runs.

    At most `most` (at least 4) indices; all of them for a curve that is short enough. A run of NaN keeps its first.

    >>> keep(np.array([0.0, 9.0, 1.0, 2.0, -5.0, 3.0, 4.0, 4.0]), most=6).tolist()
    [0, 1, 4, 6, 7]
    """
    count = values.size
    if count <= most:
        return np.arange(count, dtype=np.int64)
    runs = max((most - 2) // 2, 1)
    bounds = np.linspace(0, count, runs + 1).astype(np.int64)
    chosen = [0, count - 1]
    for first, after in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        piece = values[first:after]
        if np.all(np.isnan(piece)):
            chosen.append(first)
        else:
            chosen += [first + int(np.nanargmin(piece)), first + int(np.nanargmax(piece))]
    return np.unique(np.array(chosen, np.int64))
