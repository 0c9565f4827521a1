"""Events of one instrument as they come from the engine, put into the order in which a catalog gives them."""

from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.market.bar_rows import BAR
from fathom.market.events import EVENT, Kind

_NO_ROWS: Final = np.zeros(0, EVENT)
_NO_BARS: Final = np.zeros(0, BAR)
_BOOK: Final = int(Kind.BOOK)
_TRADE: Final = int(Kind.TRADE)


class _Part(NamedTuple):
    ts_ns: int
    kind: int
    rows: NDArray[np.void]


class _Saved(msgspec.Struct, frozen=True):
    parts: list[tuple[int, int, bytes]]
    bars: bytes


class Arrivals:
    """Hold the newest events until later ones have come, then give them away in the order of `Catalog.events`.

    Of events with equal ts_init a catalog gives the book before the trades, while the engine gives first what it was
    told of first. So nothing is given away before an event with a later ts_init is there. That also gives time to put
    flags (`fathom.data_catalog.messages.trade_flags.TradeFlags`) on trades, whichever of the two comes first.

    Attributes
    ----------
    held : int
        Rows and bars that wait.

    Examples
    --------
    >>> rows = np.zeros(3, EVENT)
    >>> rows["kind"], rows["ts_init"] = [Kind.TRADE, Kind.BOOK, Kind.BOOK], [10, 10, 20]
    >>> arrivals = Arrivals()
    >>> arrivals.add_trade(rows[:1], 10)
    >>> arrivals.add_book(rows[1:2], 10)
    >>> arrivals.add_book(rows[2:], 20)
    >>> ready, _ = arrivals.take(before_ns=20)
    >>> ready["kind"].tolist(), arrivals.held
    ([1, 2], 1)
    """

    def __init__(self) -> None:
        self.held = 0
        self._parts: list[_Part] = []
        self._bars: list[NDArray[np.void]] = []
        self._sorted = True
        self._trades: dict[str, _Part] = {}
        self._flags: dict[str, tuple[int, int]] = {}

    def add_book(self, rows: NDArray[np.void], ts_ns: int) -> None:
        """Take the rows (`EVENT`) of a message known since `ts_ns`."""
        self._add(_Part(ts_ns, _BOOK, rows))

    def add_trade(self, row: NDArray[np.void], ts_ns: int, trade_id: str | None = None) -> None:
        """Take the row of a trade known since `ts_ns`; with an id it may get flags, or has got them already."""
        part = _Part(ts_ns, _TRADE, row)
        if trade_id is not None:
            known = self._flags.pop(trade_id, None)
            if known is None:
                self._trades[trade_id] = part
            else:
                row["flags"] = known[1]
        self._add(part)

    def add_flags(self, trade_id: str, flags: int, ts_ns: int) -> None:
        """Take the `TradeFlag` bits of a trade known since `ts_ns`."""
        part = self._trades.pop(trade_id, None)
        if part is None:
            self._flags[trade_id] = (ts_ns, flags)
        else:
            part.rows["flags"] = flags

    def add_bars(self, bars: NDArray[np.void]) -> None:
        """Take closed bars (`fathom.market.bar_rows.BAR`)."""
        self._bars.append(bars)
        self.held += len(bars)

    def take(self, before_ns: int) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Return the rows and the bars with ``ts_init < before_ns``, in order, and forget them."""
        if not self._sorted:
            self._parts.sort(key=lambda part: part[:2])
            self._sorted = True
        count = len(self._parts)
        while count and self._parts[count - 1].ts_ns >= before_ns:
            count -= 1
        rows = joined([part.rows for part in self._parts[:count]])
        del self._parts[:count]
        bars = _NO_BARS
        if self._bars:
            waiting = np.concatenate(self._bars)
            early = waiting["ts_init"] < before_ns
            bars, self._bars = waiting[early], [] if early.all() else [waiting[~early]]
        self.held -= len(rows) + len(bars)
        if self._trades:
            self._trades = {name: part for name, part in self._trades.items() if part.ts_ns >= before_ns}
        if self._flags:
            self._flags = {name: flags for name, flags in self._flags.items() if flags[0] >= before_ns}
        return rows, bars

    def save(self) -> bytes:
        """Return the events that wait, for `load`."""
        parts = [(part.ts_ns, part.kind, part.rows.tobytes()) for part in self._parts]
        return msgspec.msgpack.encode(_Saved(parts, np.concatenate([_NO_BARS, *self._bars]).tobytes()))

    def load(self, state: bytes) -> None:
        """Take over what `save` returned, in place of what waits here."""
        saved = msgspec.msgpack.decode(state, type=_Saved)
        self._parts = [_Part(ts_ns, kind, np.frombuffer(rows, EVENT).copy()) for ts_ns, kind, rows in saved.parts]
        self._bars = [np.frombuffer(saved.bars, BAR)] if saved.bars else []
        self._sorted = False
        self._trades, self._flags = {}, {}
        self.held = sum(len(part.rows) for part in self._parts) + sum(map(len, self._bars))

    def _add(self, part: _Part) -> None:
        parts = self._parts
        if parts and (part.ts_ns, part.kind) < parts[-1][:2]:
            self._sorted = False
        parts.append(part)
        self.held += len(part.rows)


def joined(parts: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Return rows (`EVENT`) one after the other in one writeable array."""
    # `np.concatenate` copies structured arrays field by field: 50 times slower.
    if len(parts) < 2:
        return parts[0] if parts else _NO_ROWS
    return np.frombuffer(bytearray().join([rows.tobytes() for rows in parts]), EVENT)
