"""Backtests of the recorded perpetuals: speed of the engine alone, with a strategy, and as a whole; memory by span."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.performance import Measure

_PROJECT = Path(__file__).resolve().parent.parent.parent
_REAL_DATA = Path(os.environ.get("FATHOM_REAL_DATA", _PROJECT.parent / "shared" / "data"))
_REPEATS = 3
_COPIES = 10

# Runs in a process of its own. The catalog holds the recorded six minutes once, or several times, one file each.
_SETUP = """
import json, sys, tempfile, time
from pathlib import Path
from statistics import median
import numpy as np
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.ingest.bybit import Archive, import_archive
from fathom.data_catalog.ingest.bybit_book import Timing
from fathom.data_catalog.instruments import default_instruments
from fathom.market.events import Kind

source, repeats = Path(sys.argv[1]), int(sys.argv[4])
folder = tempfile.TemporaryDirectory()
catalog = Catalog(Path(folder.name) / "1")
for path in sorted(source.iterdir()):
    symbol = "BTCUSDT" if "BTCUSDT" in path.name else "ETHUSDT"
    import_archive(Archive.of(path), default_instruments()[symbol], catalog, Timing())
copies, files = int(sys.argv[2]), int(sys.argv[3])
if copies > 1:
    many = Catalog(Path(folder.name) / "many")
    for instrument in catalog.instruments():
        rows = np.concatenate(list(catalog.events(str(instrument.id))))
        book, trades = rows[rows["kind"] == Kind.BOOK], rows[rows["kind"] == Kind.TRADE]
        for first in range(0, copies, copies // files):
            with many.book_writer(instrument) as books, many.trade_writer(instrument) as prints:
                for copy in range(first, first + copies // files):
                    for part in (book, trades):
                        part["ts_event"] += 400 * 10**9
                        part["ts_init"] += 400 * 10**9
                    books.write(book)
                    prints.write(trades, [f"{copy}-{number}" for number in range(len(trades))])
        del rows, book, trades
    catalog = many
config = Path(folder.name) / "config.toml"
config.write_text(Path("configs/backtest/perp-ticks.toml").read_text())
sets = [f"data.catalog={catalog.path}"]
"""

_SPEED = """
from fathom.backtests.setup.config import load
from fathom.backtests.setup.data_feed import open_feed
from fathom.backtests.engine.simulation import simulate
from fathom.backtests import run
from fathom.backtests.setup.venue_models import venue_config
from nautilus_trader.backtest import BacktestEngineConfig, BacktestNode, BacktestRunConfig
from nautilus_trader.common import LoggerConfig, LogLevel

resolved = load([config], sets)
feed = open_feed(resolved.config)
bare = load([config], [*sets, "strategies=[]"])

def engine_alone():
    logging = LoggerConfig(stdout_level=LogLevel.OFF, print_config=False)
    settings = BacktestEngineConfig(logging=logging, run_analysis=False)
    chunk = bare.config.data.chunk_events
    node = BacktestNode([
        BacktestRunConfig([venue_config(bare.config)], list(feed.datasets), engine=settings, chunk_size=chunk)
    ])
    node.build()
    started = time.perf_counter()
    node.run()
    taken = time.perf_counter() - started
    node.dispose()
    return taken

def whole():
    started = time.perf_counter()
    run([config], out=Path(folder.name) / "runs", assignments=sets, pages=False)
    return time.perf_counter() - started

engine_alone(), simulate(resolved, feed), whole()  # imports and compiles
times = {"alone": [], "strategy": [], "whole": []}
for repeat in range(repeats):  # by turns, so that a busy machine slows all of them
    times["alone"].append(engine_alone())
    times["strategy"].append(simulate(resolved, feed).elapsed_secs)
    times["whole"].append(whole())
print(json.dumps({name: feed.rows / median(taken) for name, taken in times.items()}))
"""

_MEMORY = """
from fathom.backtests import run

script = (
    "import sys; from fathom.backtests import run; from fathom.backtests.engine.simulation import peak_rss_mib;"
    "run([sys.argv[1]], out=sys.argv[2], assignments=[sys.argv[3]], pages=False); print(peak_rss_mib())"
)
import subprocess
done = subprocess.run(
    [sys.executable, "-c", script, str(config), str(Path(folder.name) / "runs"), sets[0]],
    check=True, capture_output=True, text=True,
)
print(done.stdout.splitlines()[-1])
"""


def run() -> list[Measure]:
    """Measure on the six minutes of perp-ticks (911,059 events), and memory also on ten times the span."""
    source = _REAL_DATA / "perp-ticks"
    if not source.is_dir():
        return []
    speeds = json.loads(_run(_SETUP + _SPEED, str(source), 1, 1))
    spans = ((1, 1), (_COPIES, 1), (_COPIES, _COPIES))
    short, long, files = (float(_run(_SETUP + _MEMORY, str(source), *span)) for span in spans)
    alone = speeds["alone"]
    return [
        Measure("backtest, engine alone", alone, "events/s", None, f"without strategy or actor; median of {_REPEATS}"),
        Measure(
            "backtest with SuperTrend",
            speeds["strategy"],
            "events/s",
            alone,
            f"baseline: the engine alone; two instruments, progress and failure watch included; median of {_REPEATS}",
        ),
        Measure(
            "backtest run, files included",
            speeds["whole"],
            "events/s",
            alone,
            f"baseline: the engine alone; configuration to run directory without pages; median of {_REPEATS}",
        ),
        Measure("backtest peak memory, 10 x span", long, "MiB", short, "baseline: the span once; one file each"),
        Measure("backtest peak memory, in 10 files", files, "MiB", short, "baseline: the span once; a file a copy"),
    ]


def _run(script: str, source: str, copies: int, files: int) -> str:
    command = [sys.executable, "-c", script, source, str(copies), str(files), str(_REPEATS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_PROJECT)
    return done.stdout.splitlines()[-1]
