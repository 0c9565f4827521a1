"""The feature actor in a backtest of recorded markets, against touching the same deltas in Python; 100 instruments."""

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from click.testing import CliRunner
from nautilus_trader.model import OrderBookDeltas
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.actors.feature_stream import FeatureStream
from fathom.actors.features import FeatureActor, FeatureActorConfig
from fathom.commands.main import main
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.messages.features import FeatureVector
from fathom.data_catalog.replay.rows_of_objects import Records
from fathom.market import Flag, Kind
from fathom.ml.features import FeatureSet
from tests.makers.feature_replay import replay
from tests.performance import Measure

_PROJECT: Final = Path(__file__).resolve().parent.parent.parent
_REAL_DATA: Final = Path(os.environ.get("FATHOM_REAL_DATA", _PROJECT.parent / "shared" / "data"))
_NS: Final = 1_000_000_000
_INSTRUMENTS: Final = 100
_SECONDS: Final = 10
_EVENTS: Final = 10_000_000
BTC, ETH = "BTCUSDT-LINEAR.BYBIT", "ETHUSDT-LINEAR.BYBIT"


class _Timed(FeatureActor):
    """Measures its own handlers, and the bare reading of the same deltas, by turns first and second."""

    def __init__(self, config: FeatureActorConfig, actor_id: str = "Features-001") -> None:
        super().__init__(config, actor_id)
        self.costs: list[float] = []
        self.touches: list[float] = []
        self.vector_costs: list[float] = []
        self._vectors = 0

    def on_book_deltas(self, deltas: OrderBookDeltas) -> None:
        if len(self.costs) % 2:
            self.touches.append(_touched(deltas))
        before, started = self._vectors, time.thread_time()
        super().on_book_deltas(deltas)
        took = time.thread_time() - started
        if len(self.costs) % 2 == 0:
            self.touches.append(_touched(deltas))
        self.costs.append(took)
        if self._vectors > before:
            self.vector_costs.append(took)

    def publish_message(self, topic: str, message: Any) -> None:
        self._vectors += isinstance(message, FeatureVector)
        super().publish_message(topic, message)


def _touched(deltas: OrderBookDeltas) -> float:
    started = time.thread_time()
    for delta in deltas.deltas:
        order = delta.order
        _ = order.price.raw, order.size.raw, order.side
    return time.thread_time() - started


def _actor(catalog: Path) -> list[Measure]:
    actor = _Timed(FeatureActorConfig(instruments=(BTC, ETH)))
    replay(catalog, actor, chunk_size=20_000)
    # Without the first hundred: the two snapshots of 1,000 levels, and what is loaded and compiled on first use.
    costs, touches = (1e6 * np.array(values[100:]) for values in (actor.costs, actor.touches))
    note = f"{len(costs)} messages of both symbols; baseline: price.raw, size.raw and side of each delta in Python; CPU"
    found = [Measure("feature actor, book message, mean", costs.mean(), "us", touches.mean(), f"{note}; required: 3x")]
    for share in (50, 99):
        value, base = (float(np.percentile(values, share)) for values in (costs, touches))
        found.append(Measure(f"feature actor, book message, p{share}", value, "us", base, note))
    vectors = 1e6 * np.array(actor.vector_costs)
    note = f"{len(vectors)} messages that complete a vector: take in what waits, sample, fill, publish"
    return [*found, Measure("feature actor, message with a vector, p99", np.percentile(vectors, 99), "us", None, note)]


def _vector(catalog: Path) -> list[Measure]:
    opened, costs = Catalog(catalog), []
    for name in (BTC, ETH):
        rows = np.concatenate(list(opened.events(name)))
        grid = Grid.of(opened.instrument(name))
        features = FeatureSet(price_increment=grid.tick, size_increment=grid.lot)
        times = np.arange(rows["ts_init"][0] // _NS + 1, rows["ts_init"][-1] // _NS + 1) * _NS
        for part, ts_ns in zip(np.split(rows, np.searchsorted(rows["ts_init"], times)), times.tolist(), strict=False):
            features.update(part)
            started = time.thread_time()
            features.advance(ts_ns)
            costs.append(1e6 * (time.thread_time() - started))
    costs = costs[5:]  # compiled then
    note = f"{len(costs)} vectors of {len(features.schema)} features, both symbols, CPU time"
    return [
        Measure("full vector, median", statistics.median(costs), "us", None, note),
        Measure("full vector, p99", float(np.percentile(costs, 99)), "us", None, f"{note}; required: 200 us"),
    ]


def _messages(catalog: Path) -> list[OrderBookDeltas]:
    deltas = ParquetDataCatalog(str(catalog)).query_order_book_deltas([BTC], end=_first(catalog) + (_SECONDS + 1) * _NS)
    messages, held = [], []
    for delta in deltas:
        held.append(delta)
        if delta.flags & Flag.LAST:
            messages.append(OrderBookDeltas(delta.instrument_id, held))
            held = []
            if messages[-1].ts_init > messages[0].ts_init + _SECONDS * _NS:
                break
    return messages


def _first(catalog: Path) -> int:
    return next(span.first_ns for span in Catalog(catalog).spans() if span.identifier == BTC)


def _many(catalog: Path) -> list[Measure]:
    messages = _messages(catalog)
    grid = Grid.of(Catalog(catalog).instrument(BTC))
    records = Records(grid)
    process = psutil.Process()
    before = process.memory_info().rss
    streams = [
        FeatureStream(FeatureSet(price_increment=grid.tick, size_increment=grid.lot)) for _ in range(_INSTRUMENTS)
    ]
    vectors = 0
    spent = 0.0
    for i, message in enumerate(messages):
        started = time.thread_time()
        for stream in streams:
            done = stream.until(message.ts_init)
            vectors += 0 if done is None else len(done.ts)
            stream.arrivals.add_book(records.deltas(message), message.ts_init)
        if i:  # not the snapshot, which comes once
            spent += time.thread_time() - started
    span = (messages[-1].ts_init - messages[0].ts_init) / _NS
    name = f"{_INSTRUMENTS} instruments, {len(messages) / span:.0f} messages/s each, vectors at 1 Hz"
    note = f"{span:.0f} s of the BTCUSDT feed to each of them, from engine objects to {vectors:,} full vectors"
    grown = (process.memory_info().rss - before) / 2**20
    whole = process.memory_info().rss / 2**20
    return [
        Measure(f"{name}: CPU", 100 * spent / span, "% of a core", None, f"{note}; required: below 50"),
        Measure(f"{name}: memory", grown, "MiB", None, f"whole process {whole:,.0f}; required: below 1024"),
    ]


def _memory(catalog: Path) -> Measure:
    opened = Catalog(catalog)
    grid = Grid.of(opened.instrument(BTC))
    rows = np.concatenate(list(opened.events(BTC)))
    ends = np.flatnonzero((rows["kind"] == Kind.TRADE) | (rows["flags"] & Flag.LAST != 0)) + 1
    stream = FeatureStream(FeatureSet(price_increment=grid.tick, size_increment=grid.lot))
    span = int(rows["ts_init"][-1] - rows["ts_init"][0]) // _NS * _NS + 2 * _NS
    process, seen, before, turn = psutil.Process(), 0, 0, 0
    while seen < _EVENTS:
        later = rows.copy()
        for field in ("ts_init", "ts_event"):
            later[field] += turn * span
        for message in np.split(later, ends[:-1]):
            ts_ns = int(message["ts_init"][0])
            stream.until(ts_ns)
            if message["kind"][0] == Kind.BOOK:
                stream.arrivals.add_book(message, ts_ns)
            else:
                stream.arrivals.add_trade(message, ts_ns, str(ts_ns))
        seen += len(rows)
        turn += 1
        if turn == 2:
            before = process.memory_info().rss
    grown = (process.memory_info().rss - before) / 2**20
    return Measure(f"feature stream, memory grown over {seen / 1e6:.0f} M events", grown, "MiB", None, "required: none")


def run() -> list[Measure]:
    """Measure, on the recorded perpetuals; nothing where they are absent."""
    if not (_REAL_DATA / "perp-ticks").is_dir():
        return []
    with tempfile.TemporaryDirectory() as folder:
        files = [str(path) for path in sorted((_REAL_DATA / "perp-ticks").iterdir())]
        result = CliRunner().invoke(main, ["data", "import", "bybit", *files, "--catalog", folder])
        assert result.exit_code == 0, result.output
        catalog = Path(folder)
        return [*_many(catalog), *_actor(catalog), *_vector(catalog), _memory(catalog)]
