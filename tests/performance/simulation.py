"""Speed of the simulator: alone against a bare copy of its rows, and through the catalog writer."""

import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.simulation.generator import Generator
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.production import simulate
from tests.performance import Measure

_SCENARIO = Path(__file__).resolve().parents[2] / "configs" / "simulation" / "null.toml"
_ALONE_SECS = 1200.0
_WRITTEN_SECS = 600.0
_REPEATS = 3


@njit(cache=True)
def _copy(source: Any, target: Any) -> None:
    for i in range(source.shape[0]):
        target[i] = source[i]


def run() -> list[Measure]:
    """Measure simulated level changes per second of the `null` scenario."""
    config = load_scenario(_SCENARIO)
    list(Generator(config, 0, 0).run(1.0))  # compiles
    alone, rows = [], 0
    for repeat in range(_REPEATS):
        generator = Generator(config, 0, repeat)
        list(generator.run(1.0))  # the warm-up of the book is not counted
        started = time.perf_counter()
        rows = sum(len(batch.book) for batch in generator.run(_ALONE_SECS))
        alone.append(rows / (time.perf_counter() - started))
    book = np.concatenate([batch.book for batch in Generator(config, 0, 1).run(300.0)])
    target = np.empty_like(book)
    _copy(book[:10], target)
    copied = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        _copy(book, target)
        copied.append(len(book) / (time.perf_counter() - started))
    written = []
    written_config = load_scenario(_SCENARIO, [f"duration_secs={_WRITTEN_SECS}"])
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(_REPEATS):
            started = time.perf_counter()
            (made,) = simulate(written_config, Catalog(Path(folder) / str(repeat)), repeat)
            written.append(made.book_rows / (time.perf_counter() - started))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    note = f"baseline: a numba loop that copies the same rows; median of {_REPEATS}"
    copy = statistics.median(copied)
    return [
        Measure("simulate, rows only", statistics.median(alone), "level changes/s", copy, f"{rows:,} rows; {note}"),
        Measure("simulate into a catalog", statistics.median(written), "level changes/s", copy, f"with truth; {note}"),
        Measure("simulate, peak memory", peak, "MiB", None, "of the whole benchmark process"),
    ]
