"""One side and both sides of a replayed book, and what orders of the exchange took from it."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator


class BookSide:
    """Levels of one side, best first.

    Parameters
    ----------
    is_bid : bool

    Examples
    --------
    >>> asks = BookSide(is_bid=False)
    >>> asks.put(101, 5)
    >>> asks.put(100, 2)
    >>> asks.best, asks.take(101, 3), asks.best
    (100, [(100, 2), (101, 1)], 101)
    """

    def __init__(self, *, is_bid: bool) -> None:
        self._sign = -1 if is_bid else 1
        self._keys: list[int] = []
        self.sizes: dict[int, int] = {}
        self._taken: dict[int, int] = {}

    @property
    def best(self) -> int | None:
        """Best price in ticks at which something is left, None of an empty side."""
        return next((price for price in self._open(None)), None)

    def put(self, price: int, size: int) -> None:
        """Set the recorded size of a level; 0 removes it."""
        self._taken.pop(price, None)
        if size:
            if price not in self.sizes:
                insort(self._keys, self._sign * price)
            self.sizes[price] = size
        elif self.sizes.pop(price, None) is not None:
            del self._keys[bisect_left(self._keys, self._sign * price)]

    def clear(self) -> None:
        """Remove all levels."""
        self._keys.clear()
        self.sizes.clear()
        self._taken.clear()

    def recorded(self, depth: int) -> list[int]:
        """Return the best recorded prices, whatever was taken from them."""
        return [self._sign * key for key in self._keys[:depth]]

    def left(self, price: int) -> int:
        """Return what is left of a level."""
        return self.sizes.get(price, 0) - self._taken.get(price, 0)

    def reach(self, limit: int | None) -> int:
        """Return how much is left at a limit or better."""
        return sum(self.left(price) for price in self._open(limit))

    def take(self, limit: int | None, size: int) -> list[tuple[int, int]]:
        """Take up to a size at a limit or better; returns (price, size) best first.

        What was taken stays taken until the recording changes the level.
        """
        fills: list[tuple[int, int]] = []
        for price in self._open(limit) if size > 0 else ():
            part = min(size, self.left(price))
            self._taken[price] = self._taken.get(price, 0) + part
            fills.append((price, part))
            size -= part
            if not size:
                break
        return fills

    def _open(self, limit: int | None) -> Iterator[int]:
        end = None if limit is None else self._sign * limit
        for key in self._keys:
            if end is not None and key > end:
                return
            if not self._taken or self.left(self._sign * key) > 0:
                yield self._sign * key


class Book:
    """Both sides of a book.

    Examples
    --------
    >>> book = Book()
    >>> book.apply(True, [(True, 99, 1), (False, 101, 2)])
    >>> book.bids.best, book.asks.best
    (99, 101)
    """

    def __init__(self) -> None:
        self.bids, self.asks = BookSide(is_bid=True), BookSide(is_bid=False)

    def apply(self, clear: bool, changes: Iterable[tuple[bool, int, int]]) -> None:
        """Apply changes (is_bid, ticks, lots), to an emptied book if `clear`."""
        if clear:
            self.bids.clear()
            self.asks.clear()
        bids, asks = self.bids.put, self.asks.put
        for is_bid, price, size in changes:
            (bids if is_bid else asks)(price, size)

    def against(self, is_buy: bool) -> BookSide:
        """Return the side that an order trades with."""
        return self.asks if is_buy else self.bids

    def own(self, is_buy: bool) -> BookSide:
        """Return the side on which an order rests."""
        return self.bids if is_buy else self.asks
