"""The topics `orderbook.1`, `.50`, `.200`, `.1000` and `.rpi` of one symbol: a snapshot, then what changed."""

from typing import Any, Final

from fathom.live.standin.market.book import Book, BookSide
from fathom.live.standin.market.contracts import Contract
from fathom.settings.times import MS, SECOND

CADENCE_NS: Final = {1: 10 * MS, 50: 20 * MS, 200: 100 * MS, 1000: 200 * MS}
RPI_DEPTH: Final = 50
RPI_CADENCE_NS: Final = 100 * MS
_REPEAT_NS: Final = 3 * SECOND


class BookFeed:
    """What subscribers of one book topic have been shown.

    Parameters
    ----------
    topic : str
    depth : int
    contract : Contract
    cadence_ns : int
        Least time between two messages; 0 for one at each recorded message.
    rpi : bool
        Rows carry the size of retail-price-improvement orders too.
    """

    def __init__(self, topic: str, depth: int, contract: Contract, cadence_ns: int, *, rpi: bool = False) -> None:
        self.topic, self.depth = topic, depth
        self._contract, self._cadence_ns, self._rpi = contract, cadence_ns, rpi
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._sent_ns, self._seq, self._cts = 0, 0, 0
        self.update_id = 1
        self.dirty = True

    def due(self, now: int) -> bool:
        """Tell whether the venue would send a message now."""
        if self.dirty:
            return now >= self._sent_ns + self._cadence_ns
        return self.depth == 1 and now >= self._sent_ns + _REPEAT_NS

    def poll(self, book: Book, now: int, cts: int, seq: int) -> dict[str, Any] | None:
        """Return the message that brings subscribers up to date, None where nothing changed for them."""
        repeated = not self.dirty
        self.dirty = False
        bids, asks = self._change(self._bids, book.bids), self._change(self._asks, book.asks)
        if not (bids or asks or repeated):
            return None
        self._sent_ns = now
        if not repeated:
            self.update_id += 1
            self._seq, self._cts = seq, cts
        if self.depth == 1:
            return self.snapshot(now)
        return self._message("delta", now, self._rows(bids), self._rows(asks))

    def show(self, book: Book, cts: int, seq: int) -> None:
        """Take over the book as it is, before the first subscriber sees it."""
        self._change(self._bids, book.bids)
        self._change(self._asks, book.asks)
        self._seq, self._cts, self.dirty = seq, cts, False

    def snapshot(self, now: int) -> dict[str, Any]:
        """Return the whole book as subscribers know it."""
        bids = self._rows(sorted(self._bids.items(), reverse=True))
        return self._message("snapshot", now, bids, self._rows(sorted(self._asks.items())))

    def cross(self, now: int, ticks: int) -> dict[str, Any] | None:
        """Return a message with a bid above the best ask; the next `poll` takes the bid back."""
        if not self._asks:
            return None
        price = min(self._asks) + ticks
        self._bids[price] = 1
        self.update_id += 1
        self.dirty = True
        if self.depth == 1:
            return self.snapshot(now)
        return self._message("delta", now, self._rows([(price, 1)]), [])

    def _change(self, shown: dict[int, int], side: BookSide) -> list[tuple[int, int]]:
        sizes = side.sizes
        top = {price: sizes[price] for price in side.recorded(self.depth)}
        changes = [(price, size) for price, size in top.items() if shown.get(price) != size]
        changes += [(price, 0) for price in shown if price not in top]
        shown.clear()
        shown.update(top)
        return changes

    def _rows(self, levels: list[tuple[int, int]]) -> list[list[str]]:
        price_text, size_text = self._contract.price_text, self._contract.size_text
        if self._rpi:
            return [[price_text(price), size_text(size), "0"] for price, size in levels]
        return [[price_text(price), size_text(size)] for price, size in levels]

    def _message(self, kind: str, now: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, Any]:
        data = {"s": self._contract.symbol, "b": bids, "a": asks, "u": self.update_id, "seq": self._seq}
        return {"topic": self.topic, "type": kind, "ts": now // MS, "data": data, "cts": self._cts // MS}
