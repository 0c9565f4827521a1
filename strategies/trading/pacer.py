"""The pace of an account: the venue takes so many order commands a second, and refuses the next one."""

from collections import deque
from typing import Final

_WINDOW_NS: Final = 1_000_000_001

ORDERS_PER_SEC: Final = 10
"""What Bybit takes of an account."""


class Pacer:
    """Counts the order commands of the last second; all strategies of an account share one.

    Entries leave two places for stops, targets, cancels and exits, which therefore go first.

    Parameters
    ----------
    per_sec
        Commands a second.

    Examples
    --------
    >>> pacer = Pacer(3)
    >>> pacer.wait_ns(0, entry=True)
    0
    >>> pacer.spend(0)
    >>> pacer.wait_ns(5, entry=True), pacer.wait_ns(5, entry=False)
    (999999996, 0)
    """

    def __init__(self, per_sec: int = ORDERS_PER_SEC) -> None:
        self.per_sec = per_sec
        self._reserved = min(2, per_sec - 1)
        self._sent: deque[int] = deque()

    def wait_ns(self, now: int, *, entry: bool) -> int:
        """Return how long the next command has to wait."""
        while self._sent and self._sent[0] <= now - _WINDOW_NS:
            self._sent.popleft()
        room = self.per_sec - (self._reserved if entry else 0)
        return 0 if len(self._sent) < room else self._sent[-room] + _WINDOW_NS - now

    def spend(self, now: int) -> None:
        """Take that a command is sent."""
        self._sent.append(now)
