"""Every detector together on the recorded perpetuals, message by message, against keeping the book alone."""

import gc
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from fathom.detectors import MarketWatch
from fathom.market.events import Flag, Kind
from fathom.market.kernel import kernel
from fathom.market.levels import BookArrays
from fathom.market.lifecycle import book_row, new_book, trade_row
from tests.makers.raw_books import perp_events
from tests.performance import Measure

_PROJECT: Final = Path(__file__).resolve().parent.parent.parent
_REAL_DATA: Final = Path(os.environ.get("FATHOM_REAL_DATA", _PROJECT.parent / "shared" / "data"))
_NS: Final = 1_000_000_000
_REPEATS: Final = 7
_TURNS: Final = 10
_BOOK: Final = int(Kind.BOOK)


@kernel
def _book_alone(book: BookArrays, rows: Any) -> None:
    for i in range(len(rows)):
        row = rows[i]
        side, flags = np.int64(row.side), np.int64(row.flags)
        if row.kind == _BOOK:
            book_row(book, row.price, row.size, np.int64(row.action), side, flags, row.ts_event)
        else:
            trade_row(book, row.price, row.size, side, flags, row.ts_event)


def _messages(rows: np.ndarray) -> list[np.ndarray]:
    ends = np.flatnonzero((rows["kind"] == Kind.TRADE) | (rows["flags"] & Flag.LAST != 0)) + 1
    return np.split(rows, ends[:-1])


def _alone() -> Callable[[np.ndarray], object]:
    book = new_book(levels=1 << 15)
    return lambda message: _book_alone(book, message)


def _costs(make: Callable[[], Callable[[np.ndarray], object]], messages: Sequence[np.ndarray]) -> np.ndarray:
    """Return the CPU time of each message, us: the median over repeats of the whole stream."""
    make()(messages[0])  # compiled now
    found = np.empty((_REPEATS, len(messages)))
    gc.disable()  # what this benchmark itself keeps must not be walked through in the middle of a message
    try:
        for repeat in found:
            take = make()
            for i, message in enumerate(messages):
                started = time.thread_time()
                take(message)
                repeat[i] = time.thread_time() - started
    finally:
        gc.enable()
    return np.asarray(1e6 * np.median(found, axis=0))


def _per_message(symbol: str) -> list[Measure]:
    messages = _messages(perp_events(_REAL_DATA, symbol))
    is_book = np.array([message["kind"][0] == Kind.BOOK for message in messages])
    closes = np.diff([int(message["ts_init"][0]) // _NS for message in messages], prepend=-1) > 0
    every = _costs(lambda: MarketWatch().update, messages)
    bare = _costs(_alone, messages)
    rows = sum(len(m) for m, b in zip(messages, is_book, strict=True) if b) / is_book.sum()
    note = f"{is_book.sum()} book messages of {rows:.0f} rows; baseline: the book alone; CPU, {_REPEATS} repeats"
    measures = []
    for name, share in (("median", 50), ("p99", 99)):
        value, base = (float(np.percentile(costs[is_book], share)) for costs in (every, bare))
        required = "; required: 1,000, aim: 50" if share == 99 else ""
        measures.append(Measure(f"all detectors, {symbol}, book message, {name}", value, "us", base, note + required))
    calm = is_book & ~closes
    value, base = (float(np.percentile(costs[calm], 99)) for costs in (every, bare))
    what = "messages that close no bar of a second"
    measures.append(Measure(f"all detectors, {symbol}, without a bar, p99", value, "us", base, f"{calm.sum()} {what}"))
    value = float(np.median(every[closes]))
    what = "bars of a second, closed and read by the four bar detectors, with their message"
    measures.append(Measure(f"all detectors, {symbol}, closing a bar", value, "us", None, f"{closes.sum()} {what}"))
    return measures


def _over_time(symbol: str) -> list[Measure]:
    rows = perp_events(_REAL_DATA, symbol)
    messages = _messages(rows)
    span = int(rows["ts_init"][-1] - rows["ts_init"][0]) // _NS * _NS + 2 * _NS
    watch, process = MarketWatch(), psutil.Process()
    costs, before, state = [], 0, 0
    for turn in range(_TURNS):
        for message in messages:
            later = message.copy()
            for field in ("ts_init", "ts_event"):
                later[field] += turn * span
            started = time.thread_time()
            watch.update(later)
            costs.append(time.thread_time() - started)
        if turn == 0:
            before = process.memory_info().rss
            state = sum(array.nbytes for array in watch.snapshot().values())
    grown = (process.memory_info().rss - before) / 2**20
    more = (sum(array.nbytes for array in watch.snapshot().values()) - state) / 2**20
    first, last = (1e6 * float(np.mean(part)) for part in (costs[: len(messages)], costs[-len(messages) :]))
    note = (
        f"mean of the last of {_TURNS} turns of the stream ({_TURNS * len(rows) / 1e6:.1f} M rows); baseline: the first"
    )
    what = f"state {state / 2**20:.1f} MiB after the first turn, {more:+.2f} since; required: none"
    return [
        Measure(f"all detectors, {symbol}, message, late", last, "us", first, note),
        Measure(f"all detectors, {symbol}, memory grown over {_TURNS - 1} turns", grown, "MiB", None, what),
    ]


def run() -> list[Measure]:
    """Measure, on the recorded perpetuals; nothing where they are absent."""
    if not (_REAL_DATA / "perp-ticks").is_dir():
        return []
    return [*_per_message("BTCUSDT"), *_per_message("ETHUSDT"), *_over_time("BTCUSDT")]
