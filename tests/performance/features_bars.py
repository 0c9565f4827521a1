"""Bar features and whole vectors: batch, online, and a hundred instruments in one process."""

import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import talib
from numpy.typing import NDArray

from fathom.market.bar_rows import WINDOW
from fathom.ml.features import FeatureConfig, FeatureSet
from fathom.ml.features.bar_group import SPECS, BarGroup
from tests.makers import raw_books, trade_streams
from tests.makers.trade_streams import SECOND
from tests.performance import Measure

_REAL_DATA = Path(os.environ.get("FATHOM_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
_REPEATS = 3
_DAY = 86_400
_INSTRUMENTS = 100


def run() -> list[Measure]:
    """Measure; what needs recorded data is left out where there is none."""
    measures = [*_batch(), *_online()]
    if (_REAL_DATA / "perp-ticks").is_dir():
        rows = raw_books.perp_events(_REAL_DATA, "BTCUSDT")
        measures += [*_whole_batch(rows), *_whole_online(rows), *_hundred(rows)]
    return measures


def _timed(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(_REPEATS):
        started = time.process_time()  # of one thread, as others may use the machine
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def _group() -> BarGroup:
    return BarGroup(price_increment=0.1, size_increment=0.001, interval_ns=SECOND)


def _batch() -> list[Measure]:
    rows = trade_streams.busy(1, 1_000_000, seconds=_DAY)
    times = trade_streams.START + (np.arange(_DAY) + 1) * SECOND
    cuts = np.searchsorted(rows["ts_init"], times)
    out = np.empty((_DAY, len(SPECS)))
    _group().run(rows, times, cuts, out)
    ours = _timed(lambda: _group().run(rows, times, cuts, out)) / _DAY * 1e6
    bars = _group()
    bars.absorb(rows[: len(rows) // 4])
    window = bars.snapshot()["bars"]
    theirs = _timed(lambda: [_talib(window) for _ in range(100)]) / 100 * 1e6
    note = f"26 TA-Lib calls over the same {WINDOW} bars; a day of 1 s bars, median of {_REPEATS}"
    return [Measure(f"{len(SPECS)} bar features, batch", ours, "us a vector", theirs, note)]


def _talib(window: NDArray[np.float64]) -> int:
    _, high, low, close, volume, _ = window
    for length in (10, 20, 50, 100, 200):
        talib.SMA(close, length)
    for length in (10, 20, 50):
        talib.EMA(close, length)
    talib.MACD(close)
    for indicator in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI, talib.WILLR, talib.CCI):
        indicator(high, low, close)
    for length in (14, 28):
        talib.RSI(close, length)
    talib.STOCH(high, low, close)
    talib.MOM(close)
    talib.BBANDS(close)
    for length in (10, 14):
        talib.ATR(high, low, close, length)
    talib.OBV(close, volume)
    talib.AD(high, low, close, volume)
    talib.MFI(high, low, close, volume)
    talib.SAR(high, low)
    for length in (9, 26, 52):
        talib.MIDPRICE(high, low, length)
    return len(window)


def _online() -> list[Measure]:
    rows = trade_streams.busy(2, 20_000, seconds=2_000)
    group, out, taken = _group(), np.empty(len(SPECS)), []
    times = trade_streams.START + (np.arange(2_000) + 1) * SECOND
    cuts = [0, *np.searchsorted(rows["ts_init"], times).tolist()]
    for i, ts_ns in enumerate(times.tolist()):
        group.absorb(rows[cuts[i] : cuts[i + 1]])
        started = time.thread_time_ns()
        group.sample(ts_ns, out)
        taken.append(time.thread_time_ns() - started)
    return _both("bar features, online", np.array(taken[WINDOW + 50 :]) / 1e3, 100.0)


def _both(name: str, micros: NDArray[np.float64], limit: float) -> list[Measure]:
    note = "baseline: the limit; time of the thread, as others may use the machine"
    return [
        Measure(f"{name}, median", float(np.median(micros)), "us", limit, note),
        Measure(f"{name}, p99", float(np.quantile(micros, 0.99)), "us", limit, note),
    ]


def _features(*groups: str) -> FeatureSet:
    tick, lot = raw_books.PERP_STEPS["BTCUSDT"]
    config = FeatureConfig(groups=groups) if groups else FeatureConfig()
    return FeatureSet(config, price_increment=tick, size_increment=lot)


def _whole_batch(rows: NDArray[np.void]) -> list[Measure]:
    many = np.concatenate([rows] * 5)
    many["ts_init"] += np.repeat(np.arange(5) * 345 * SECOND, len(rows))
    _features().update_many(rows)
    whole = len(many) / _timed(lambda: _features().update_many(many)) / 1e6
    book = len(many) / _timed(lambda: _features("orderbook").update_many(many)) / 1e6
    note = f"baseline: order-book features alone; 5 x BTCUSDT, 1 Hz, median of {_REPEATS}"
    return [Measure("every feature, batch", whole, "M rows/s", book, note)]


def _whole_online(rows: NDArray[np.void]) -> list[Measure]:
    messages = np.split(rows, np.flatnonzero(np.diff(rows["ts_init"])) + 1)
    count = len(_features().schema)
    vectors, quiet = [], []
    for _ in range(2 * _REPEATS - 1):
        taken, between = _replayed(messages)
        vectors.append(taken)
        quiet.append(statistics.median(between))
    # The median of each vector over the repeats: what remains is the vector's, not the neighbour's on the machine.
    settled = np.median(np.array(vectors), axis=0)[len(vectors[0]) // 5 :]
    return [
        *_both(f"vector of {count}, online", settled, 200.0),
        Measure("message, online, median", statistics.median(quiet), "us", None, "of about 68 deltas"),
    ]


def _replayed(messages: list[NDArray[np.void]]) -> tuple[list[float], list[float]]:
    features = _features()
    vectors: list[float] = []
    quiet: list[float] = []
    for message in messages:
        begin, due = time.thread_time_ns(), int(message["ts_init"][0])
        given = features.advance(due)
        middle = time.thread_time_ns()
        features.update(message)
        quiet.append((time.thread_time_ns() - middle) / 1e3)
        if len(given.ts) == 1:
            vectors.append((middle - begin) / 1e3)
    return vectors, quiet


def _hundred(rows: NDArray[np.void]) -> list[Measure]:
    messages = np.split(rows, np.flatnonzero(np.diff(rows["ts_init"])) + 1)
    sets = [_features() for _ in range(_INSTRUMENTS)]
    for features in sets:  # the snapshot and the first minute are not the steady state
        features.update(rows[: len(rows) // 4])
    rest = [message for message in messages if message["ts_init"][0] > rows["ts_init"][len(rows) // 4]][:600]
    span = (int(rest[-1]["ts_init"][-1]) - int(rest[0]["ts_init"][0])) / SECOND
    started = time.process_time()
    for message in rest:
        for features in sets:
            features.update(message)
    share = (time.process_time() - started) / span
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    per_second = len(rest) / span
    note = f"baseline: the limit; {per_second:.0f} messages/s each, vectors at 1 Hz"
    return [
        Measure(f"{_INSTRUMENTS} instruments, share of a core", share, "cores", 0.5, note),
        Measure(
            f"{_INSTRUMENTS} instruments, peak memory of the process", peak, "MiB", 1024.0, "all benchmarks so far"
        ),
    ]
