"""Work that is due at a moment of exchange time."""

import heapq
import itertools
from collections.abc import Callable


class Timers:
    """Calls functions in order of time; at one moment, in the order in which they were set.

    Examples
    --------
    >>> timers, heard = Timers(), []
    >>> timers.at(20, lambda: heard.append("b"))
    >>> timers.at(10, lambda: heard.append("a"))
    >>> timers.run(15)
    >>> heard, timers.next_ns
    (['a'], 20)
    """

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    @property
    def next_ns(self) -> int | None:
        """When the next function is due."""
        return self._due[0][0] if self._due else None

    def at(self, time_ns: int, call: Callable[[], None]) -> None:
        """Call a function at a time, or at the next run after it."""
        heapq.heappush(self._due, (time_ns, next(self._numbers), call))

    def run(self, now: int) -> None:
        """Call what is due."""
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
