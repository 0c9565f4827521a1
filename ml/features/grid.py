"""The event-time grid: which grid times events complete, and how many events each of them may see."""

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]


class EventGrid:
    """Follow the events of one instrument along the grid.

    A grid time T, a multiple of the step since the epoch, is due with the first event at or after it, or when somebody
    asks for the time. It sees exactly the events before it. The first is the first multiple after the first event. A
    time that comes later than the longest silence after the last event before it is left out.

    `due` and `due_many` do the same; the one is quick for a few events, the other for many.

    Parameters
    ----------
    step_ns : int
        Distance of the grid times.
    silence_ns : int
        Longest silence.

    Attributes
    ----------
    next_ns : int
        The next grid time; 0 before the first event.
    newest_ns : int
        Time of the newest event.

    Examples
    --------
    >>> grid = EventGrid(step_ns=10, silence_ns=15)
    >>> events, none = np.array([3, 9, 10, 25]), np.zeros(0, np.int64)
    >>> grid.due(25, events, none)
    [(10, 2, 0), (20, 3, 0)]
    >>> grid.next_ns, grid.newest_ns
    (30, 25)
    >>> grid.due(50, none, none)
    [(30, 0, 0), (40, 0, 0)]
    """

    def __init__(self, *, step_ns: int, silence_ns: int) -> None:
        self.step_ns = step_ns
        self.silence_ns = silence_ns
        self.next_ns = 0
        self.newest_ns = 0

    def due(self, until_ns: int, rows: Times, bars: Times) -> list[tuple[int, int, int]]:
        """Take two kinds of events and return the grid times up to `until_ns`.

        Parameters
        ----------
        until_ns : int
            Time up to which grid times are due.
        rows, bars : ndarray
            ``ts_init`` of the events, growing.

        Returns
        -------
        list of tuple
            Grid time, and how many of `rows` and of `bars` it may see.
        """
        found = []
        start, before = self._start(rows, bars), self.newest_ns
        cut = bar_cut = 0
        for ts_ns in range(start, until_ns + 1, self.step_ns):
            if cut < len(rows) and rows[cut] < ts_ns:
                cut = int(np.searchsorted(rows, ts_ns, side="left"))
                before = max(before, int(rows[cut - 1]))
            if bar_cut < len(bars) and bars[bar_cut] < ts_ns:
                bar_cut = int(np.searchsorted(bars, ts_ns, side="left"))
                before = max(before, int(bars[bar_cut - 1]))
            if ts_ns - before <= self.silence_ns:
                found.append((ts_ns, cut, bar_cut))
        self._move(start, until_ns, rows, bars)
        return found

    def due_many(self, until_ns: int, rows: Times, bars: Times) -> tuple[Times, Times, Times]:
        """Do what `due` does, with three arrays as the answer."""
        start = self._start(rows, bars)
        times = np.arange(start, until_ns + 1, self.step_ns)
        before = np.full(len(times), self.newest_ns)
        cuts = []
        for events in (rows, bars):
            cut = np.searchsorted(events, times, side="left")
            some = cut > 0
            before[some] = np.maximum(before[some], events[cut[some] - 1])
            cuts.append(cut)
        self._move(start, until_ns, rows, bars)
        alive = times - before <= self.silence_ns
        return times[alive], cuts[0][alive], cuts[1][alive]

    def late(self, events: Times) -> int:
        """Return how many of the events belong before a grid time that was given away already."""
        given_ns = self.next_ns - self.step_ns
        return int(np.searchsorted(events, given_ns, side="left")) if len(events) and events[0] < given_ns else 0

    def _start(self, rows: Times, bars: Times) -> int:
        if self.next_ns:
            return self.next_ns
        first = min(int(events[0]) for events in (rows, bars) if len(events))
        return (first // self.step_ns + 1) * self.step_ns

    def _move(self, start: int, until_ns: int, rows: Times, bars: Times) -> None:
        self.next_ns = max(start, (until_ns // self.step_ns + 1) * self.step_ns)
        for events in (rows, bars):
            if len(events):
                self.newest_ns = max(self.newest_ns, int(events[-1]))
