"""Order-book features in batch and online, against a bare replay of the same book."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from numba import njit

from fathom.market.events import EVENT, Action, Flag, Kind, Side
from fathom.ml.features.orderbook import OrderBookFeatures
from tests.makers.raw_books import PERP_STEPS, perp_events
from tests.performance import Measure

_PROJECT = Path(__file__).resolve().parent.parent.parent
_REAL_DATA = Path(os.environ.get("FATHOM_REAL_DATA", _PROJECT.parent / "shared" / "data"))
_NS = 1_000_000_000
_REPEATS = 5
_EVENTS = 10_000_000
_INSTRUMENTS = 100
_MESSAGES_PER_SECOND = 20
_SPAN = 1 << 22  # ticks of the bare replay


@njit(cache=True)
def _bare(rows, lots, best):  # type: ignore[no-untyped-def]
    # What any replay must do: store each size at its tick, and know the best prices. Both sides grow away from 0.
    for i in range(len(rows)):
        row = rows[i]
        if row.kind != 1:
            continue
        if row.action == 4:
            lots[:] = 0
            best[:] = 1 << 40
            continue
        side = row.side - 1
        x = row.price if side == 1 else _SPAN - row.price
        if x < 0 or x >= _SPAN:
            continue
        lots[side, x] = row.size
        if row.size > 0:
            best[side] = min(best[side], x)
        elif x == best[side]:
            while x < _SPAN and lots[side, x] == 0:
                x += 1
            best[side] = x


def _grid(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(rows["ts_init"][0] // _NS + 1, rows["ts_init"][-1] // _NS + 1) * _NS
    return times, np.searchsorted(rows["ts_init"], times, side="left")


def _features(symbol: str) -> OrderBookFeatures:
    price, size = PERP_STEPS[symbol]
    return OrderBookFeatures(price_increment=price, size_increment=size)


def _rate(work: Callable[[], None], count: int) -> float:
    # CPU time of this thread: what else the machine does must not count.
    work()
    rates = []
    for _ in range(_REPEATS):
        started = time.thread_time()
        work()
        rates.append(count / (time.thread_time() - started))
    return statistics.median(rates)


def _batch(symbol: str, rows: np.ndarray) -> Measure:
    changes = int(np.count_nonzero(rows["kind"] == Kind.BOOK))
    times, cuts = _grid(rows)

    def all_features() -> None:
        features = _features(symbol)
        features.run(rows, times, cuts, np.empty((len(times), len(features.specs))))

    lots, best = np.zeros((2, _SPAN), np.int64), np.zeros(2, np.int64)
    rate = _rate(all_features, changes)
    bare = _rate(lambda: _bare(rows, lots, best), changes)
    count = len(_features(symbol).specs)
    note = f"{count} features at 1 Hz; baseline: bare numba replay with best prices; CPU time, {_REPEATS} repeats"
    return Measure(f"book features in batch, {symbol}", rate, "level changes/s", bare, note)


def _messages(rows: np.ndarray) -> list[np.ndarray]:
    ends = np.flatnonzero((rows["kind"] == Kind.TRADE) | (rows["flags"] & Flag.LAST != 0)) + 1
    return np.split(rows, ends[:-1])


def _online(symbol: str, rows: np.ndarray) -> list[Measure]:
    features = _features(symbol)
    out = np.empty(len(features.specs))
    features.absorb(rows[:0])
    _features(symbol).sample(_NS, out)  # both are compiled now
    next_ts = int(rows["ts_init"][0] // _NS + 1) * _NS
    costs: list[float] = []
    vectors: list[float] = []
    touches: list[float] = []
    for message in _messages(rows):
        while int(message["ts_init"][0]) >= next_ts:
            started = time.thread_time()
            features.sample(next_ts, out)
            vectors.append(1e6 * (time.thread_time() - started))
            next_ts += _NS
        started = time.thread_time()
        features.absorb(message)
        took = 1e6 * (time.thread_time() - started)
        if message["kind"][0] == Kind.BOOK:
            costs.append(took)
            started = time.thread_time()
            for row in message:
                _ = row["price"], row["size"], row["side"]
            touches.append(1e6 * (time.thread_time() - started))
    changes = np.count_nonzero(rows["kind"] == Kind.BOOK) / len(costs)
    touch = statistics.median(touches)
    note = f"{changes:.0f} level changes; baseline: reading price, size and side of its numpy rows in Python"
    return [
        Measure(f"book message, {symbol}, median", statistics.median(costs), "us", touch, note),
        Measure(f"book message, {symbol}, p99", float(np.percentile(costs, 99)), "us", None, f"{len(costs)} messages"),
        Measure(f"vector, {symbol}, median", statistics.median(vectors), "us", None, f"{len(vectors)} vectors"),
        Measure(f"vector, {symbol}, p99", float(np.percentile(vectors, 99)), "us", None, "required: 200 us"),
    ]


def _memory(symbol: str, rows: np.ndarray) -> Measure:
    features = _features(symbol)
    times, cuts = _grid(rows)
    out = np.empty((len(times), len(features.specs)))
    later, span = rows.copy(), int(rows["ts_init"][-1] - rows["ts_init"][0]) // _NS * _NS + 2 * _NS
    features.run(rows, times, cuts, out)
    process = psutil.Process()
    before = process.memory_info().rss
    seen = 0
    turn = 0
    while seen < _EVENTS:
        turn += 1
        later["ts_init"] = rows["ts_init"] + turn * span
        later["ts_event"] = rows["ts_event"] + turn * span
        features.run(later, times + turn * span, cuts, out)
        seen += len(later)
    grown = (process.memory_info().rss - before) / 2**20
    return Measure(f"memory grown over {_EVENTS // 1_000_000} M events, {symbol}", grown, "MiB", None, "required: none")


def _many(symbol: str, rows: np.ndarray) -> list[Measure]:
    messages = [message for message in _messages(rows) if message["kind"][0] == Kind.BOOK]
    process = psutil.Process()
    before = process.memory_info().rss
    instruments = [_features(symbol) for _ in range(_INSTRUMENTS)]
    for features in instruments:
        features.absorb(messages[0])
    out = np.empty(len(instruments[0].specs))
    seconds = 5
    at = 1
    started = time.thread_time()
    for second in range(seconds):
        for _ in range(_MESSAGES_PER_SECOND):
            for features in instruments:
                features.absorb(messages[at])
            at += 1
        for features in instruments:
            features.sample((int(messages[at]["ts_init"][0]) // _NS + second) * _NS, out)
    share = 100 * (time.thread_time() - started) / seconds
    grown = (process.memory_info().rss - before) / 2**20
    name = f"{_INSTRUMENTS} instruments, {_MESSAGES_PER_SECOND} messages/s each, vectors at 1 Hz"
    return [
        Measure(f"{name}: CPU", share, "% of a core", None, "book features alone; required: below 50, with the bars"),
        Measure(f"{name}: memory", grown, "MiB", None, "required: below 1024"),
    ]


def _single_rows() -> Measure:
    # The dearest feed: each message is one change at the touch.
    count = 200_000
    rows = np.zeros(count, EVENT)
    rows["kind"], rows["action"], rows["flags"] = Kind.BOOK, Action.UPDATE, Flag.MBP | Flag.LAST
    rows["side"] = np.where(np.arange(count) % 2, Side.SELL, Side.BUY)
    rows["price"] = 10_000 + np.where(np.arange(count) % 2, 1, -1) * (1 + np.arange(count) // 2 % 15)
    rows["size"] = 1 + np.arange(count) % 97
    rows["ts_init"] = rows["ts_event"] = np.arange(count) * 1_000_000

    def work() -> None:
        OrderBookFeatures(price_increment=0.1, size_increment=0.1).absorb(rows)

    return Measure(
        "messages of one change at the touch", _rate(work, count), "messages/s", None, "no sampling; CPU time"
    )


def run() -> list[Measure]:
    """Measure."""
    found = []
    for symbol in PERP_STEPS:
        rows = perp_events(_REAL_DATA, symbol)
        found += [_batch(symbol, rows), *_online(symbol, rows)]
    rows = perp_events(_REAL_DATA, "BTCUSDT")
    return [*found, _single_rows(), _memory("BTCUSDT", rows), *_many("BTCUSDT", rows)]
