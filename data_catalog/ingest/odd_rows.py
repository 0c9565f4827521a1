"""What is odd in a file, in words: how often, and where first."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.pages.formats import counted


class Odd(NamedTuple):
    """What is odd in one way in a file: how often, and the first."""

    rows: int
    line: int
    value: str

    def plus(self, rows: int) -> "Odd":
        """Return the same with more of them."""
        return self._replace(rows=self.rows + rows)

    def words(self, noun: str, what: str, place: str = "line") -> str:
        """Return a sentence for the user.

        Examples
        --------
        >>> Odd(2, 7, "2024-12-02T00:00:00Z").words("trade", "of another day than the file's name")
        "2 trades of another day than the file's name, first at line 7: 2024-12-02T00:00:00Z"
        """
        return f"{counted(self.rows, noun)} {what}, first at {place} {self.line}: {self.value}"


def repeated_ids(hashes: Sequence[NDArray[np.uint64]], first_line: int) -> Odd | None:
    """Return the trade ids of a file that stand more than once, given the hash of each; None where none does.

    Examples
    --------
    >>> repeated_ids([np.array([5, 9, 5], np.uint64)], first_line=2)
    Odd(rows=1, line=4, value='that of line 2')
    """
    ids = np.concatenate([np.zeros(0, np.uint64), *hashes])
    if len(np.unique(ids)) == len(ids):
        return None
    order = np.argsort(ids, kind="stable")
    again = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    first = again[np.argmin(order[again + 1])]
    line, before = int(order[first + 1]) + first_line, int(order[first]) + first_line
    return Odd(len(again), line, f"that of line {before}")
