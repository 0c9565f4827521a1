"""Rate limits: so many orders a second and account, so many calls in five seconds and address."""

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

from fathom.live.standin.exchange.refusals import RefusedError

ORDERS_PER_SECOND: Final = 10
READS_PER_SECOND: Final = 50
CALLS_PER_ADDRESS: Final = 600
ADDRESS_SECS: Final = 5.0
BAN_SECS: Final = 600.0


class Limits:
    """Counts calls in sliding windows of exchange time.

    Parameters
    ----------
    enabled : bool
    now : callable
        Returns exchange time in seconds.

    Examples
    --------
    >>> limits = Limits(enabled=True, now=lambda: 0.0)
    >>> [limits.use(1, "order.create") for _ in range(3)]
    [9, 8, 7]
    """

    def __init__(self, *, enabled: bool, now: Callable[[], float]) -> None:
        self._enabled, self._now = enabled, now
        self._used: dict[tuple[int, str], deque[float]] = defaultdict(deque)
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._banned: dict[str, float] = {}

    def use(self, uid: int, op: str, count: int = 1) -> int:
        """Use `count` of an account's allowance of an operation; returns what is left, raises `RefusedError` 10006."""
        most = ORDERS_PER_SECOND if op.startswith("order.") else READS_PER_SECOND
        used, now = self._used[uid, op], self._now()
        while used and used[0] <= now - 1.0:
            used.popleft()
        if self._enabled and len(used) + count > most:
            raise RefusedError(10006)
        used.extend([now] * count)
        return max(0, most - len(used))

    def is_banned(self, address: str) -> bool:
        """Count a call of an address; tell whether it is banned, as it is for ten minutes after too many."""
        now, calls = self._now(), self._calls[address]
        if self._banned.get(address, -BAN_SECS) > now:
            return True
        while calls and calls[0] <= now - ADDRESS_SECS:
            calls.popleft()
        calls.append(now)
        if self._enabled and len(calls) > CALLS_PER_ADDRESS:
            self.ban(address)
            return True
        return False

    def ban(self, address: str, secs: float = BAN_SECS) -> None:
        """Ban an address."""
        self._banned[address] = self._now() + secs
