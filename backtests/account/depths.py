"""How deep the account fell below its highest equity: from every mark of every position, not from the grid alone."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from fathom.backtests.account.marks import Floats, Marks, Times

_BLOCK = 1_000_000


class Known(NamedTuple):
    """The marks of an instrument that are known: those of the grid, and every one while it was held.

    Attributes
    ----------
    times_ns
        Ascending.
    mark
        From each time on.
    """

    times_ns: Times
    mark: Floats

    @classmethod
    def of(cls, marks: Marks) -> "Known":
        """Return those of an instrument."""
        times, first = np.unique(np.concatenate([marks.times_ns, marks.path_ns]), return_index=True)
        return cls(times, np.concatenate([marks.mark, marks.path])[first])

    def at(self, times_ns: Times) -> Floats:
        """Return the last mark at or before each time; NaN before the first."""
        where = np.searchsorted(self.times_ns, times_ns, side="right") - 1
        return np.where(where >= 0, self.mark[np.maximum(where, 0)], np.nan)


class Depths(NamedTuple):
    """The deepest fall below the highest equity so far, of all marks since the time before.

    Attributes
    ----------
    share
        As a fraction of the highest equity, at or below zero; NaN while that is not positive.
    money
        In money, at or below zero.
    """

    share: Floats
    money: Floats


def moments(grid_ns: Times, marks: Mapping[str, Marks], *others: Times) -> Iterator[Times]:
    """Yield, in blocks, the times at which the equity may have changed, within the grid; the grid's own included."""
    times = np.unique(np.concatenate([grid_ns, *(priced.path_ns for priced in marks.values()), *others]))
    inside = times[(times >= grid_ns[0]) & (times <= grid_ns[-1])]
    for first in range(0, len(inside), _BLOCK):
        yield inside[first : first + _BLOCK]


class DepthMeter:
    """Measures the depths, block by block.

    Parameters
    ----------
    grid_ns
        The times at which depths are asked.

    Examples
    --------
    >>> meter = DepthMeter(np.array([0, 10]))
    >>> meter.add(np.array([0, 3, 5, 10]), np.array([100.0, 110.0, 99.0, 105.0]))
    >>> meter.depths.share.round(6).tolist(), meter.depths.money.tolist()
    ([0.0, -0.1], [0.0, -11.0])
    """

    def __init__(self, grid_ns: Times) -> None:
        self._grid_ns, self._peak = grid_ns, -np.inf
        self.depths = Depths(np.zeros(grid_ns.size), np.zeros(grid_ns.size))

    def add(self, times_ns: Times, equity: Floats) -> None:
        """Take the equity at the next times."""
        peaks = np.maximum(np.maximum.accumulate(equity), self._peak)
        self._peak = float(peaks[-1])
        share = np.full(equity.size, np.nan)
        np.divide(equity, peaks, out=share, where=peaks > 0.0)
        row = np.searchsorted(self._grid_ns, times_ns)
        np.minimum.at(self.depths.share, row, share - 1.0)
        np.minimum.at(self.depths.money, row, equity - peaks)
