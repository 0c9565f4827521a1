"""Go through trades, or bars, row by row and count what cannot be true of them."""

from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fathom.data_catalog.quality.tally import Tally, note
from fathom.market.kernel_cache import cached

_LAST, _LAST_EVENT, _STARTED = range(3)

TRADE_CHECKS: Final = (
    "time_backwards",
    "event_time_backwards",
    "known_before_it_happened",
    "no_trades",
    "size_negative",
    "trade_size_zero",
    "aggressor_missing",
    "trade_id_repeated",
)
_TIME_BACK, _EVENT_BACK, _EARLY, _HOLE, _NEGATIVE, _ZERO, _NO_SIDE, _ID_AGAIN = range(len(TRADE_CHECKS))

BAR_CHECKS: Final = (
    "time_backwards",
    "known_before_it_happened",
    "bars_overlap",
    "bars_missing",
    "bar_contradicts_itself",
    "size_negative",
)


class TradeAudit(Tally):
    """Counts what is wrong in the trades of one instrument, given in any pieces.

    Parameters
    ----------
    max_hole_ns : int
        How long a time without a trade may be.

    Examples
    --------
    >>> from fathom.market.events import EVENT
    >>> audit = TradeAudit(max_hole_ns=10**9)
    >>> audit.update(np.zeros(2, dtype=EVENT), pa.record_batch({"trade_id": ["a", "a"]}))
    >>> audit.count("trade_size_zero"), audit.count("trade_id_repeated")
    (2, 1)
    """

    checks: ClassVar = TRADE_CHECKS

    def __init__(self, max_hole_ns: int) -> None:
        super().__init__()
        self._max_hole_ns = max_hole_ns
        self._state = np.zeros(3, dtype=np.int64)
        self._ids = np.zeros(1 << 16, dtype=np.uint64)
        self._known = 0

    def update(self, rows: NDArray[np.void], batch: Any) -> None:
        """Go through trade rows (`EVENT`) and the ids in the batch that they come from."""
        _audit_trades(rows, self.rows, self._max_hole_ns, self._state, self.counts, self.where)
        ids = batch.column("trade_id").cast(pa.large_string())
        offsets = np.frombuffer(ids.buffers()[1], dtype=np.int64)[ids.offset : ids.offset + len(ids) + 1]
        text = np.frombuffer(ids.buffers()[2] or b"", dtype=np.uint8)
        while 2 * (self._known + len(rows)) > len(self._ids):
            self._ids = _wider(self._ids)
        times = np.ascontiguousarray(rows["ts_init"])
        self._known += _audit_ids(text, offsets, times, self.rows, self._ids, self.counts, self.where)
        self.rows += len(rows)

    def next_file(self) -> None:
        """Forget the ids: they must differ within a file, and a file is a day or so."""
        self._ids = np.zeros(1 << 16, dtype=np.uint64)
        self._known = 0

    def finish(self) -> None:
        """Say that there are no more rows."""


class BarAudit(Tally):
    """Counts what is wrong in the bars of one bar type, given in any pieces.

    Parameters
    ----------
    step_ns : int or None
        Time from one bar to the next; None where bars have no fixed length.

    Examples
    --------
    >>> from fathom.data_catalog.store.arrow import BAR
    >>> bars = np.ones(2, dtype=BAR)
    >>> bars["ts_event"] = bars["ts_init"] = [60, 180]
    >>> audit = BarAudit(step_ns=60)
    >>> audit.update(bars)
    >>> audit.count("bars_missing"), audit.count("bar_contradicts_itself")
    (1, 0)
    """

    checks: ClassVar = BAR_CHECKS

    def __init__(self, step_ns: int | None) -> None:
        super().__init__()
        self._step_ns = step_ns
        self._last_ns: int | None = None

    def update(self, bars: NDArray[np.void]) -> None:
        """Go through bars (`BAR`)."""
        if not len(bars):
            return
        times = bars["ts_init"]
        first = int(times[0]) - (self._step_ns or 0) if self._last_ns is None else self._last_ns
        before = np.concatenate([[first], times[:-1]])
        steps = times - before
        prices = [bars[name] for name in ("open", "high", "low", "close")]
        contradiction = (bars["high"] < np.maximum.reduce(prices)) | (bars["low"] > np.minimum.reduce(prices))
        step = self._step_ns
        none = np.zeros(len(bars), dtype=bool)
        for name, wrong, one in (
            ("time_backwards", steps < 0, before),
            ("known_before_it_happened", bars["ts_event"] > times, bars["ts_event"]),
            ("bars_overlap", none if step is None else (steps >= 0) & (steps < step), before),
            ("bars_missing", none if step is None else steps > step, before),
            ("bar_contradicts_itself", contradiction, before),
            ("size_negative", bars["volume"] < 0, bars["close"]),
        ):
            for i in np.flatnonzero(wrong):
                place = [int(number) for number in (self.rows + i, times[i], one[i], bars["volume"][i])]
                note(self.counts, self.where, BAR_CHECKS.index(name), *place)
        self._last_ns = int(times[-1])
        self.rows += len(bars)

    def finish(self) -> None:
        """Say that there are no more rows."""


@cached
def _audit_trades(
    rows: NDArray[np.void],
    base: int,
    max_hole_ns: int,
    s: NDArray[np.int64],
    counts: NDArray[np.int64],
    where: NDArray[np.int64],
) -> None:
    for i in range(rows.shape[0]):
        row = rows[i]
        at, now = base + i, row.ts_init
        if s[_STARTED]:
            if now < s[_LAST]:
                note(counts, where, _TIME_BACK, at, now, s[_LAST], 0)
            elif now - s[_LAST] > max_hole_ns:
                note(counts, where, _HOLE, at, now, s[_LAST], 0)
            if row.ts_event < s[_LAST_EVENT]:
                note(counts, where, _EVENT_BACK, at, now, s[_LAST_EVENT], row.ts_event)
        if row.ts_event > now:
            note(counts, where, _EARLY, at, now, row.ts_event, 0)
        if row.size < 0:
            note(counts, where, _NEGATIVE, at, now, row.price, row.size)
        elif row.size == 0:
            note(counts, where, _ZERO, at, now, row.price, row.size)
        if row.side == 0:
            note(counts, where, _NO_SIDE, at, now, row.price, row.size)
        s[_STARTED] = 1
        s[_LAST] = now
        s[_LAST_EVENT] = max(s[_LAST_EVENT], row.ts_event)


@cached
def _audit_ids(
    text: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    times: NDArray[np.int64],
    base: int,
    table: NDArray[np.uint64],
    counts: NDArray[np.int64],
    where: NDArray[np.int64],
) -> int:
    # 64-bit FNV-1a stands for the id: among ten million ids the chance of a false alarm is about 1 in 400,000.
    known = 0
    for i in range(times.shape[0]):
        code = np.uint64(0xCBF29CE484222325)
        for k in range(offsets[i], offsets[i + 1]):
            code = (code ^ np.uint64(text[k])) * np.uint64(0x100000001B3)
        code = code or np.uint64(1)
        if _put(table, code):
            known += 1
        else:
            note(counts, where, _ID_AGAIN, base + i, times[i], 0, 0)
    return known


@cached
def _put(table: NDArray[np.uint64], code: np.uint64) -> bool:
    mask = np.uint64(table.shape[0] - 1)
    slot = (code ^ (code >> np.uint64(32))) & mask
    while table[slot] != np.uint64(0):
        if table[slot] == code:
            return False
        slot = (slot + np.uint64(1)) & mask
    table[slot] = code
    return True


@cached
def _wider(table: NDArray[np.uint64]) -> NDArray[np.uint64]:
    wide = np.zeros(2 * table.shape[0], dtype=np.uint64)
    for code in table:
        if code != np.uint64(0):
            _put(wide, code)
    return wide
