"""Exchange time: the recording's moments on the clock by which the exchange stamps its messages."""

import time
from typing import Literal

from fathom.settings.times import MS


class Clock:
    """Maps recorded time to exchange time.

    Parameters
    ----------
    first_ns : int
        First moment of the recording.
    speed : float
        Recorded seconds in a second; 0: time is what `hold` says.
    stamps : {"wall", "recorded"}

    Examples
    --------
    >>> clock = Clock(1_000, speed=0, stamps="recorded")
    >>> clock.start()
    >>> clock.hold(5_000)
    >>> clock.now(), clock.stamp(2_000)
    (5000, 2000)
    """

    def __init__(self, first_ns: int, speed: float, stamps: Literal["wall", "recorded"]) -> None:
        self.speed, self._wall = speed, stamps == "wall"
        self._zero_ns = self._first_ns = self._held_ns = first_ns
        self._shown_ns = time.time_ns() if self._wall else first_ns  # exchange time of the first recorded moment
        self._started_ns: int | None = None
        self.skew_ms = 0.0

    @property
    def running(self) -> bool:
        """Tell whether the replay has started."""
        return self._started_ns is not None

    def start(self) -> None:
        """Let the recording begin now."""
        self._started_ns = time.monotonic_ns()
        self._shown_ns = time.time_ns() if self._wall else self._first_ns

    def rewind(self, first_ns: int) -> None:
        """Let the recording begin again now, while exchange time goes on."""
        self._shown_ns, self._first_ns = self.now(), first_ns

    def hold(self, now_ns: int) -> None:
        """Set the exchange time of a market that stands still."""
        self._held_ns = max(self._held_ns, now_ns)

    def now(self) -> int:
        """Return exchange time in ns."""
        if self._wall:
            return time.time_ns()
        if self.speed == 0:
            return self._held_ns
        if self._started_ns is None:
            return self._zero_ns
        return self._zero_ns + int((time.monotonic_ns() - self._started_ns) * self.speed)

    def stamp(self, recorded_ns: int) -> int:
        """Return the exchange time of a recorded moment."""
        since = recorded_ns - self._first_ns
        return self._shown_ns + (round(since / self.speed) if self._wall else since)

    def shown_ms(self, now_ns: int) -> int:
        """Return an exchange time as an answer shows it: in ms, with the skew of a fault."""
        return now_ns // MS + round(self.skew_ms)

    def server_ms(self) -> int:
        """Return the time by which requests are judged: the wall clock, and the skew of a fault."""
        return self.shown_ms(time.time_ns())
