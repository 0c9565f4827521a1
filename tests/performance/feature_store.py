"""Handing vectors to the store, writing them to Redis, and reading a window back."""

import statistics
import tempfile
import time
from collections import deque
from pathlib import Path

import numpy as np

from fathom.ml.features import FeatureConfig, FeatureSet
from fathom.ml.serving.redis_store import RedisStore
from tests.performance import Measure
from tests.servers.redis_server import Server, installed

_VECTORS = 5_000
_SYMBOLS = 100


def run() -> list[Measure]:
    """Measure with a server of its own; nothing where none is installed."""
    if not installed():
        return []
    schema = FeatureSet(FeatureConfig(), price_increment=0.1, size_increment=0.001).schema
    values = np.random.default_rng(1).normal(size=len(schema))
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        store = RedisStore(server.url)
        try:
            handed = []
            begin = time.perf_counter()
            for number in range(_VECTORS):
                began = time.thread_time_ns()
                store.put(f"S{number % _SYMBOLS}", number // _SYMBOLS * 1_000_000_000, values, schema)
                handed.append((time.thread_time_ns() - began) / 1e3)
            store.flush(60.0)
            rate = _VECTORS / (time.perf_counter() - begin)
            windows = []
            for _ in range(50):
                started = time.perf_counter()
                count = len(store.window("S7", 50))
                windows.append((time.perf_counter() - started) * 1e3)
        finally:
            store.close()
            server.kill()
    note = f"{len(schema)} features; baseline: to a deque"
    return [
        Measure("store: hand over a vector, median", statistics.median(handed), "us", _deque(values), note),
        Measure("store: hand over a vector, p99", float(np.quantile(handed, 0.99)), "us", None, "while it writes"),
        Measure("store: written to Redis", rate, "vectors/s", 100.0, "baseline: 100 instruments at 1 Hz"),
        Measure(f"store: a window of {count}", statistics.median(windows), "ms", None, "one round trip, decoded"),
    ]


def _deque(values: np.ndarray) -> float:
    queue: deque[np.ndarray] = deque(maxlen=1_000)
    taken = []
    for _ in range(_VECTORS):
        started = time.thread_time_ns()
        queue.append(values.copy())
        taken.append((time.thread_time_ns() - started) / 1e3)
    return statistics.median(taken)
