"""The ledger: everything that happened on the exchange, in order, never changed."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """One line of the ledger.

    Parameters
    ----------
    number : int
    time_ns : int
        Exchange time.
    kind : str
        "command", "order", "execution", "position", "wallet", "funding", "fault" or "socket".
    uid : int
        The account; 0 for none.
    data : dict
        A command holds `op`, `args`, `code` and `text`; the others hold what the private stream says.
    """

    number: int
    time_ns: int
    kind: str
    uid: int
    data: dict[str, Any]


class Ledger:
    """An append-only list of entries that another thread may read.

    Examples
    --------
    >>> ledger = Ledger()
    >>> ledger.add(5, "command", 1, {"op": "order.create", "code": 0})
    >>> len(ledger), ledger.count("order.create"), ledger[0].time_ns
    (1, 1, 5)
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def add(self, time_ns: int, kind: str, uid: int, data: dict[str, Any]) -> None:
        """Append an entry."""
        self._entries.append(Entry(len(self._entries), time_ns, kind, uid, data))

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, number: int) -> Entry:
        return self._entries[number]

    def __iter__(self) -> Iterator[Entry]:
        return itertools.islice(iter(self._entries), len(self._entries))

    def of(self, *kinds: str, uid: int | None = None) -> list[Entry]:
        """Return the entries of some kinds, of one account or of all."""
        return [entry for entry in self if entry.kind in kinds and uid in (None, entry.uid)]

    def count(self, op: str) -> int:
        """Return how many commands arrived whose operation begins so, accepted or refused.

        Each order of a batch counts; `count("order.")` counts every order command.
        """
        return sum(entry.data["op"].startswith(op) for entry in self.of("command"))
