"""Count what an audit finds, and keep the first places of each kind."""

from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.kernel_cache import cached

EXAMPLES: Final = 3
"""Places kept of each kind."""


class Tally:
    """Findings of the kinds in `checks`: how many, and where the first of them are.

    Examples
    --------
    >>> class Odd(Tally):
    ...     checks = ("odd",)
    >>> odd = Odd()
    >>> note(odd.counts, odd.where, 0, 7, 1_000, 3, 0)
    >>> odd.count("odd"), odd.places("odd")
    (1, [(7, 1000, 3, 0)])
    """

    checks: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.counts = np.zeros(len(self.checks), dtype=np.int64)
        self.where = np.zeros((len(self.checks), EXAMPLES, 4), dtype=np.int64)
        self.rows = 0

    def count(self, check: str) -> int:
        """Return how often a check failed."""
        return int(self.counts[self.checks.index(check)])

    def places(self, check: str) -> list[tuple[int, int, int, int]]:
        """Return the first failures of a check: row (counted from 0), ts_init, and two numbers that belong to it."""
        found = self.where[self.checks.index(check), : min(self.count(check), EXAMPLES)]
        return [(int(row), int(time), int(one), int(two)) for row, time, one, two in found]


@cached
def note(
    counts: NDArray[np.int64], where: NDArray[np.int64], check: int, row: int, time: int, one: int, two: int
) -> None:
    """Count one finding of a kind, and keep its place if it is among the first."""
    if counts[check] < where.shape[1]:
        place = where[check, counts[check]]
        place[0] = row
        place[1] = time
        place[2] = one
        place[3] = two
    counts[check] += 1
