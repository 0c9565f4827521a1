"""The driver that the manipulation detectors share: event rows in, alerts out, one state to save and restore."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.bars.detector import FloatArray
from fathom.detectors.book.alerts import ALERT, ALERTS, LOGGED, LOST
from fathom.detectors.book.arrays import MOST_EVIDENCE, STEP, WatchArrays
from fathom.detectors.book.kernel import PACK, close_due_bar, watch_rows
from fathom.detectors.book.placed_orders import grown_orders
from fathom.detectors.book.rpi import RpiReading, read_rpi
from fathom.detectors.errors import DetectorError
from fathom.market.events import EVENT
from fathom.market.levels import BookArrays
from fathom.market.lifecycle import DEPTH, grown

_NO_ALERTS: Final = np.zeros(0, ALERT)


class BookDetector:
    """Detectors of manipulation over one book; not used by itself.

    An order is judged one message after it vanished, because a trade that explains it may come late. Feed every row of
    the instrument in the order of ``ts_init``; the alerts do not depend on how the rows are cut into calls.
    """

    def __init__(self, book: BookArrays, watch: WatchArrays) -> None:
        self._hold(book, watch)
        self._candidates: list[tuple[NDArray[Any], NDArray[np.float64]]] = []

    def _hold(self, book: BookArrays, watch: WatchArrays) -> None:
        self._words = PACK.words((book, watch))
        self._book, self._watch = book, watch

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copy, or what was pickled: its arrays lie elsewhere.
        self.__dict__.update(state)
        self._hold(self._book, self._watch)

    def update(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Take the next rows (`fathom.market.EVENT`) and return the alerts (`detectors.ALERT`) that they raised."""
        if rows.dtype is not EVENT and rows.dtype != EVENT:
            raise DetectorError(
                f"Expected rows of fathom.market.EVENT, was {rows.dtype}. Build them with rows_of_objects."
            )
        flags = rows.flags
        if not (flags.c_contiguous and flags.writeable):
            rows = rows.copy()  # the kernel is compiled for this kind of array only
        head = self._watch.desk.head
        found = []
        at, end = 0, len(rows)
        while at < end:
            last = min(at + STEP, end)
            at = watch_rows(self._words, rows, at, last)
            if head[ALERTS] or head[LOGGED]:
                found.append(self._collect())
            if at < last:
                book = grown(self._book)
                placed = self._watch.placed
                orders = grown_orders(placed.orders, len(book.pool))
                self._hold(book, self._watch._replace(placed=placed._replace(orders=orders)))
        return np.concatenate(found) if found else _NO_ALERTS

    def close_bar(self, ts_ns: int, bar: FloatArray) -> int:
        """Close the forming bar, if it has ended by `ts_ns`, into `bar` (the fields of `detectors.bars.detector.Bar`).

        Returns
        -------
        int
            `NOT_DUE` where none has ended, `NO_PRICE` where there was no price yet, `WRITTEN` with a bar written.
        """
        return int(close_due_bar(self._words, ts_ns, bar))

    def _collect(self) -> NDArray[Any]:
        desk = self._watch.desk
        alerts, logged = desk.alerts[: desk.head[ALERTS]].copy(), desk.head[LOGGED]
        if logged:
            self._candidates.append((desk.log[:logged].copy(), desk.log_evidence[:logged].copy()))
        desk.head[ALERTS] = desk.head[LOGGED] = 0
        return alerts

    def candidates(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return every candidate weighed so far (`ALERT`, of confidence and series 0) and its evidence."""
        if not self._candidates:
            return _NO_ALERTS, np.zeros((0, MOST_EVIDENCE))
        rows, evidence = zip(*self._candidates, strict=True)
        return np.concatenate(rows), np.concatenate(evidence)

    @property
    def book(self) -> BookArrays:
        """The book that the detectors read."""
        return self._book

    @property
    def rpi(self) -> RpiReading:
        """What is known of retail price improvement on this instrument."""
        return read_rpi(self._watch.rpi)

    @property
    def lost_alerts(self) -> int:
        """Alerts that found no room in one call; 0 unless something is badly wrong."""
        return int(self._watch.desk.head[LOST])

    @property
    def nbytes(self) -> int:
        """Memory of the state in bytes; it grows only with the number of levels in the book."""
        return sum(array.nbytes for array in self.snapshot().values())

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold the whole state."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {**_named("book", self._book), **_named("watch", self._watch)}

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `snapshot` of a detector of the same kind and settings."""
        mine, name = self._arrays(), type(self).__name__
        missing = sorted(mine.keys() - snapshot.keys())
        if missing:
            raise DetectorError(
                f"Expected the snapshot of a {name}, was one without {', '.join(missing)}. "
                f"Restore what {name}.snapshot returned, or start afresh."
            )
        others = [key for key in mine if key.startswith(_SETTINGS) and not np.array_equal(snapshot[key], mine[key])]
        if snapshot["book.head"][DEPTH] != self._book.head[DEPTH]:
            others.append("depth")
        if others:
            raise DetectorError(
                f"Expected the snapshot of a {name} with the same settings, was one whose {others[0]} differs. "
                "Restore it into one built from the configuration that was saved, or start afresh."
            )
        try:
            self._hold(_restored("book", self._book, snapshot), _restored("watch", self._watch, snapshot))
        except TypeError as error:
            raise DetectorError(f"Expected the snapshot of a {name}, was one of other arrays: {error}") from None


# What a snapshot leaves out: it is the caller's, empty between two calls, or only scratch.
_OWN: Final = (
    "watch.bars",
    *(f"watch.desk.{name}" for name in ("alerts", "log", "log_evidence")),
    *(f"watch.{name}.evidence" for name in ("spoofing", "layering", "stuffing")),
    *(f"watch.{name}.best_evidence" for name in ("spoofing", "layering")),
    *(f"watch.layering.{name}" for name in ("cluster", "best_cluster", "members")),
)
_SETTINGS: Final = (
    *("watch.desk.on", "watch.desk.allowed", "watch.placed.band_bps", "watch.placed.sizes.shares"),
    *("watch.spoofing.alone_weights", "watch.spoofing.grove", "watch.layering.grove"),
    *(f"watch.{name}.{part}" for name in ("spoofing", "layering", "stuffing") for part in ("params", "weights")),
)


def _named(name: str, value: Any) -> dict[str, NDArray[Any]]:
    if name in _OWN:
        return {}
    if not isinstance(value, tuple):
        return {name: value}
    parts = (_named(f"{name}.{field}", part) for field, part in value._asdict().items())  # type: ignore[attr-defined]
    return {key: array for part in parts for key, array in part.items()}


def _restored(name: str, value: Any, snapshot: Mapping[str, NDArray[Any]]) -> Any:
    if name in _OWN:
        return value
    if not isinstance(value, tuple):
        return snapshot[name].copy()
    parts = value._asdict().items()  # type: ignore[attr-defined]
    return type(value)(*(_restored(f"{name}.{field}", part, snapshot) for field, part in parts))
