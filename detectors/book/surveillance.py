"""Surveillance: every detector of manipulation over one book, fed with the event rows of one instrument."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.detectors.bars.detector import FloatArray
from fathom.detectors.bars.market_bars import MarketBars, new_market_bars
from fathom.detectors.book.alerts import ALERT
from fathom.detectors.book.arrays import ALERTS, LOG_FIELDS, LOGGED, LOST, SCRATCH, STEP, WatchArrays, new_watch
from fathom.detectors.book.fitted import read_fitted
from fathom.detectors.book.kernel import PACK, close_due_bar, watch_rows
from fathom.detectors.book.layering import LayeringConfig
from fathom.detectors.book.placed_orders import OrderArrays, grown_orders
from fathom.detectors.book.quote_stuffing import QuoteStuffingConfig, StuffingState
from fathom.detectors.book.rpi import RpiReading, read_rpi
from fathom.detectors.book.scores import Grove
from fathom.detectors.book.sizes import SizeArrays
from fathom.detectors.book.spoofing import SpoofingConfig
from fathom.detectors.book.taker_flow import FlowState
from fathom.detectors.errors import DetectorError
from fathom.market.events import EVENT
from fathom.market.levels import BookArrays
from fathom.market.lifecycle import DEPTH, grown, new_book

_NO_ALERTS: Final = np.zeros(0, ALERT)


class SurveillanceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `Surveillance`.

    Parameters
    ----------
    depth : int
        Levels a side that the feed shows (200 for ``orderbook.200``); 0 when it publishes every change.
    spoofing : SpoofingConfig
    layering : LayeringConfig
    quote_stuffing : QuoteStuffingConfig
    fitted : str
        File of ``fathom detect benchmark --fit``, relative to the working directory: what the detectors' settings leave
        at the default of weights, trees and threshold comes from there. The project's own by default.

    Examples
    --------
    >>> SurveillanceConfig(depth=200).spoofing.ttl_threshold_ms
    200.0
    """

    depth: Annotated[int, Meta(ge=0)] = 0
    spoofing: SpoofingConfig = SpoofingConfig()
    layering: LayeringConfig = LayeringConfig()
    quote_stuffing: QuoteStuffingConfig = QuoteStuffingConfig()
    fitted: str = ""

    def __post_init__(self) -> None:
        if not self.fitted:
            return
        for name, known in read_fitted(Path(self.fitted)).items():
            part = getattr(self, name)
            usual = type(part)()
            left = {field: value for field, value in known.items() if getattr(part, field) == getattr(usual, field)}
            msgspec.structs.force_setattr(self, name, msgspec.structs.replace(part, **left))


class Surveillance:
    """Watch one instrument for spoofing, layering and quote stuffing, and measure its RPI share.

    All detectors read one book and one record of large orders (`detectors.book.placed_orders`). An order is judged one
    message after it vanished, because a trade that explains it may come late. Feed it every row of the instrument in
    the order of ``ts_init``; the alerts do not depend on how the rows are cut into calls.

    Parameters
    ----------
    config : SurveillanceConfig, optional
    keep_candidates : bool, default False
        Also keep every candidate that was weighed, with its evidence, for the benchmark.
    bars : MarketBars, optional
        A forming bar that takes the trades; it stays the caller's, and is no part of a snapshot.

    Examples
    --------
    >>> import numpy as np
    >>> from fathom.market import EVENT
    >>> watch = Surveillance()
    >>> len(watch.update(np.zeros(0, EVENT)))
    0
    >>> watch.rpi.trades
    0

    References
    ----------
    Lee, E. J., Eom, K. S. and Park, K. S. (2013). Microstructure-based manipulation: strategic behavior and performance
    of spoofing traders. Journal of Financial Markets 16(2), 227-252. https://doi.org/10.1016/j.finmar.2012.05.004

    Egginton, J. F., Van Ness, B. F. and Van Ness, R. A. (2016). Quote stuffing. Financial Management 45(3), 583-608.
    https://doi.org/10.1111/fima.12126
    """

    def __init__(
        self,
        config: SurveillanceConfig | None = None,
        *,
        keep_candidates: bool = False,
        bars: MarketBars | None = None,
    ) -> None:
        self.config = c = config or SurveillanceConfig()
        book = new_book(depth=c.depth)
        forming = new_market_bars(1) if bars is None else bars
        watch = new_watch(
            c.spoofing, c.layering, c.quote_stuffing, forming, levels=len(book.pool), logs=keep_candidates
        )
        self._hold(book, watch)
        self._candidates: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []

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
        head = self._watch.head
        found = []
        at, end = 0, len(rows)
        while at < end:
            last = min(at + STEP, end)
            at = watch_rows(self._words, rows, at, last)
            if head[ALERTS] or head[LOGGED]:
                found.append(self._collect())
            if at < last:
                book = grown(self._book)
                self._hold(book, self._watch._replace(orders=grown_orders(self._watch.orders, len(book.pool))))
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
        head = self._watch.head
        alerts = self._watch.alerts[: head[ALERTS]].copy()
        head[ALERTS] = 0
        if head[LOGGED]:
            n = head[LOGGED]
            self._candidates.append((self._watch.log[:n].copy(), self._watch.log_evidence[:n].copy()))
            head[LOGGED] = 0
        return alerts

    def candidates(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return every candidate weighed so far (columns ``L_...`` of the kernel) and its evidence."""
        if not self._candidates:
            return np.zeros((0, LOG_FIELDS), np.int64), np.zeros((0, SCRATCH))
        ints, floats = zip(*self._candidates, strict=True)
        return np.concatenate(ints), np.concatenate(floats)

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
        return int(self._watch.head[LOST])

    @property
    def nbytes(self) -> int:
        """Memory of the state in bytes; it grows only with the number of levels in the book."""
        return sum(array.nbytes for array in self.snapshot().values())

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold the whole state."""
        return {name: array.copy() for name, array in _arrays(self._book, self._watch).items()}

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `snapshot` of a surveillance with the same settings."""
        mine = _arrays(self._book, self._watch)
        missing = sorted(mine.keys() - snapshot.keys())
        if missing:
            raise DetectorError(
                f"Expected the snapshot of a Surveillance, was one without {', '.join(missing)}. "
                "Restore what Surveillance.snapshot returned, or start afresh."
            )
        for name in (
            "watch.params",
            *(f"watch.{name}" for name in WatchArrays._fields if "weights" in name),
            *(f"{name}.{field}" for name, kind in _PARTS.items() if kind is Grove for field in Grove._fields),
            "sizes.shares",
        ):
            if not np.array_equal(snapshot[name], mine[name]):
                raise _other_settings(name)
        if snapshot["book.head"][DEPTH] != self.config.depth:
            raise _other_settings("depth")
        book = BookArrays(**{name: snapshot[f"book.{name}"].copy() for name in BookArrays._fields})
        parts: dict[str, Any] = {}
        for name, kind in _PARTS.items():
            parts[name] = kind(**{field: snapshot[f"{name}.{field}"].copy() for field in kind._fields})
        flat: dict[str, Any] = {
            name: snapshot[f"watch.{name}"].copy()
            for name in WatchArrays._fields
            if name not in _PARTS and name not in _OWN
        }
        try:
            self._hold(book, self._watch._replace(**parts, **flat))
        except TypeError as error:
            raise DetectorError(f"Expected the snapshot of a Surveillance, was one of other arrays: {error}") from None


def _other_settings(name: str) -> DetectorError:
    return DetectorError(
        f"Expected the snapshot of a Surveillance with the same settings, was one whose {name} differs. "
        "Restore it into one built from the configuration that was saved, or start afresh."
    )


_PARTS: Final[dict[str, Any]] = {
    "sizes": SizeArrays,
    "orders": OrderArrays,
    "flow": FlowState,
    "stuffing": StuffingState,
    "spoof_grove": Grove,
    "layer_grove": Grove,
}
# What a snapshot leaves out: it is the caller's, empty between two calls, or only scratch.
_OWN: Final = (
    "bars",
    "alerts",
    "log",
    "log_evidence",
    "evidence",
    "best_evidence",
    "cluster",
    "best_cluster",
    "members",
)


def _arrays(book: BookArrays, watch: WatchArrays) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {f"book.{name}": getattr(book, name) for name in BookArrays._fields}
    for name in WatchArrays._fields:
        value = getattr(watch, name)
        if name in _PARTS:
            arrays |= {f"{name}.{field}": getattr(value, field) for field in value._fields}
        elif name not in _OWN:
            arrays[f"watch.{name}"] = value
    return arrays
