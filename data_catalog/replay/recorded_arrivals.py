"""The events of a catalog while an engine replays it: read along with the replay, not made of its objects again."""

from collections.abc import Iterator
from typing import Final
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.replay.arrivals import Arrivals, joined

_BATCH_ROWS: Final = 65_536

type _Key = tuple[str, str, int, bool, bool]


class RecordedArrivals(Arrivals):
    """Give away what `Arrivals` would, had it been told of every event of the replay: bit by bit the same rows.

    It is told of nothing but closed bars. The engine must replay all that the catalog has of the instrument from its
    start on, book and trades. Those who follow the same replay in one process share what is read: it is held from the
    one who is farthest behind on.

    Parameters
    ----------
    catalog : Catalog
        What is replayed.
    instrument_id : str
    start_ns : int
        Where the replay starts.
    book : bool, default True
        Whether the book's changes are wanted; else the trades only.
    flags : bool, default True
        Whether the trades are to have their flags, which an engine does not replay.

    Examples
    --------
    >>> import tempfile
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> from fathom.market.events import EVENT, Flag
    >>> catalog, instrument = Catalog(tempfile.mkdtemp()), default_instruments()["BTCUSDT"]
    >>> rows = np.zeros(3, EVENT)
    >>> rows["kind"], rows["action"], rows["side"], rows["flags"] = 1, 1, 1, [0, Flag.LAST, Flag.LAST]
    >>> rows["price"], rows["size"], rows["ts_event"], rows["ts_init"] = [9, 8, 7], 5, [1, 1, 2], [1, 1, 2]
    >>> with catalog.book_writer(instrument) as writer:
    ...     writer.write(rows)
    >>> recorded = RecordedArrivals(catalog, str(instrument.id), start_ns=1)
    >>> [recorded.take(before_ns)[0]["price"].tolist() for before_ns in (1, 2, 9)]
    [[], [9, 8], [7]]
    """

    def __init__(
        self, catalog: Catalog, instrument_id: str, *, start_ns: int, book: bool = True, flags: bool = True
    ) -> None:
        super().__init__()
        self._batches = _shared(catalog, instrument_id, start_ns, book, flags)
        self._number = -1
        self._rows: NDArray[np.void] | None = None
        self._times = np.zeros(0, np.int64)
        self._at = 0
        self._next()

    def take(self, before_ns: int) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Return the rows and the bars with ``ts_init < before_ns``, in order, and forget them."""
        _, bars = super().take(before_ns)
        parts = []
        while self._rows is not None:
            end = int(np.searchsorted(self._times, before_ns))
            if end > self._at:
                parts.append(self._rows[self._at : end])
                self._at = end
            if end < len(self._rows):
                break
            self._next()
        return joined(parts), bars

    @property
    def near_ns(self) -> int:
        """A time up to which `take` gives away no more than the rest of what is read (65,536 rows)."""
        return int(self._times[-1]) if self._rows is not None else 1 << 62

    def save(self) -> bytes:
        """Raise `CatalogError`: a replay begins at its beginning."""
        raise _unsaved()

    def load(self, state: bytes) -> None:
        """Raise `CatalogError`: a replay begins at its beginning."""
        raise _unsaved()

    def _next(self) -> None:
        self._number += 1
        self._rows, self._at = self._batches.of(self._number, self), 0
        if self._rows is not None:
            self._times = np.ascontiguousarray(self._rows["ts_init"])


def _unsaved() -> CatalogError:
    return CatalogError("Expected a replay from beginning to end, was one that saves its state: leave rows_from out")


class _Batches:
    # A stream that several readers follow, each at its own pace: held is what the last of them has still to read.
    def __init__(self, source: Iterator[NDArray[np.void]]) -> None:
        self._source = source
        self._held: dict[int, NDArray[np.void]] = {}
        self._read = 0
        self._readers: WeakKeyDictionary[RecordedArrivals, int] = WeakKeyDictionary()

    @property
    def is_whole(self) -> bool:
        return self._read == len(self._held)

    def of(self, number: int, reader: RecordedArrivals) -> NDArray[np.void] | None:
        self._readers[reader] = number
        while number >= self._read:
            batch = next(self._source, None)
            if batch is None:
                return None
            self._held[self._read] = batch
            self._read += 1
        found = self._held[number]
        last = min(self._readers.values())
        for old in [held for held in self._held if held < last]:
            del self._held[old]
        return found


_SHARED: WeakValueDictionary[_Key, _Batches] = WeakValueDictionary()


def _shared(catalog: Catalog, instrument_id: str, start_ns: int, book: bool, flags: bool) -> _Batches:
    key = (str(catalog.path.resolve()), instrument_id, start_ns, book, flags)
    found = _SHARED.get(key)
    if found is None or not found.is_whole:  # of an earlier run
        events = catalog.events(instrument_id, start_ns=start_ns, book=book, flags=flags, batch_rows=_BATCH_ROWS)
        found = _Batches(events)
        _SHARED[key] = found
    return found
