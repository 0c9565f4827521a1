"""Import of a large order-book archive, end to end, against a bare orjson pass over the same lines."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import orjson

from tests.performance import Measure

_PROJECT = Path(__file__).resolve().parent.parent.parent
_REAL_DATA = Path(os.environ.get("FATHOM_REAL_DATA", _PROJECT.parent / "shared" / "data"))
_NAME = "2024-08-08_BTCUSDT_ob1000.data"
_COPIES = 10
_REPEATS = 3

# Runs in a process of its own, so that its peak memory is the import's.
_IMPORT = """
import json, resource, sys, tempfile, time
from pathlib import Path
from nautilus_trader.persistence import ParquetDataCatalog
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.ingest.bybit import Archive, import_archive
from fathom.data_catalog.ingest.bybit_book import Timing
from fathom.data_catalog.instruments import default_instruments

small, large, repeats = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
instrument = default_instruments()["BTCUSDT"]

def imported(path, folder):
    started = time.perf_counter()
    done = import_archive(Archive.of(path), instrument, Catalog(folder), Timing())
    return time.perf_counter() - started, done.entry

def timed(work):
    started = time.perf_counter()
    rows = work()
    return rows / (time.perf_counter() - started)

def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

with tempfile.TemporaryDirectory() as folder:
    imported(small, Path(folder) / "small")  # compiles
    secs = []
    for repeat in range(repeats):
        taken, entry = imported(large, Path(folder) / str(repeat))
        secs.append(taken)
    result = {"secs": secs, "levels": entry.notes["levels"], "peak_mib": peak_mib()}
    catalog, name = Catalog(Path(folder) / "0"), entry.instrument_id
    result["read"] = [timed(lambda: sum(len(rows) for rows in catalog.events(name))) for _ in range(repeats)]
    result["read_peak_mib"] = peak_mib()
    engine = ParquetDataCatalog(str(catalog.path))
    result["engine_read"] = [timed(lambda: len(engine.query_order_book_deltas([name]))) for _ in range(repeats)]
print(json.dumps(result))
"""


def run() -> list[Measure]:
    """Measure import speed and peak memory on the recorded BTCUSDT archive, repeated with shifted times."""
    source = _REAL_DATA / "perp-ticks" / f"{_NAME}.zip"
    if not source.is_file():
        return []
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / f"{_NAME}.zip"
        with zipfile.ZipFile(large, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(_NAME, "w") as member:
            for line in repeated_lines(source, _COPIES):
                member.write(line)
        with zipfile.ZipFile(large) as archive:
            lines = archive.read(_NAME).splitlines()
        bare = statistics.median(_orjson_secs(lines) for _ in range(_REPEATS))
        command = [sys.executable, "-c", _IMPORT, str(source), str(large), str(_REPEATS)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_PROJECT)
        result = json.loads(done.stdout)
    levels = result["levels"]
    secs = statistics.median(result["secs"])
    note = f"baseline: orjson.loads of the same {len(lines):,} lines; median of {_REPEATS}"
    read, engine_read = (statistics.median(result[name]) for name in ("read", "engine_read"))
    return [
        Measure("import bybit book, end to end", levels / secs, "level changes/s", levels / bare, note),
        Measure("import bybit book, time", secs, "s", bare, f"{levels:,} level changes; {note}"),
        Measure("import bybit book, peak memory", result["peak_mib"], "MiB", None, "whole process; bound: 1,024 MiB"),
        Measure("read events from catalog", read, "rows/s", engine_read, "baseline: the engine's query to objects"),
        Measure("read events, peak memory", result["read_peak_mib"], "MiB", None, "same process, after the imports"),
    ]


def repeated_lines(source: Path, copies: int) -> Iterator[bytes]:
    """Yield an archive's lines again and again, each copy later than the one before."""
    with zipfile.ZipFile(source) as archive:
        messages = [orjson.loads(line) for line in archive.read(archive.namelist()[0]).splitlines()]
    span = messages[-1]["ts"] - messages[0]["ts"] + 1000
    for copy in range(copies):
        for message in messages:
            data = message["data"]
            shifted = {
                **message,
                "ts": message["ts"] + copy * span,
                "data": {**data, "u": data["u"] + copy * len(messages), "seq": data["seq"] + copy * len(messages)},
                "cts": message["cts"] + copy * span,
            }
            yield orjson.dumps(shifted) + b"\n"


def _orjson_secs(lines: list[bytes]) -> float:
    started = time.perf_counter()
    for line in lines:
        orjson.loads(line)
    return time.perf_counter() - started
