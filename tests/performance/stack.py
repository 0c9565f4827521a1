"""The whole stack (features, detectors, model, ensemble, risk) against the bare engine, on the recorded perpetuals."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import pytest
from nautilus_trader.backtest import BacktestEngineConfig, BacktestNode, BacktestRunConfig
from nautilus_trader.common import LoggerConfig, LogLevel

from fathom.actors.detection import DetectionActor
from fathom.actors.features import FeatureActor
from fathom.actors.validation import ValidationActor
from fathom.backtests.engine.simulation import simulate
from fathom.backtests.setup.config import Resolved, load
from fathom.backtests.setup.data_feed import Feed, open_feed
from fathom.backtests.setup.venue_models import venue_config
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.ingest.bybit import Archive, import_archive
from fathom.data_catalog.ingest.bybit_book import Timing
from fathom.data_catalog.instruments import Grid, InstrumentSpec, default_instruments
from fathom.market.events import Flag, Kind
from fathom.ml.features import FeatureSet
from fathom.strategies.ensemble import Ensemble
from tests.performance import Measure

_PROJECT: Final = Path(__file__).resolve().parent.parent.parent
_REAL_DATA: Final = Path(os.environ.get("FATHOM_REAL_DATA", _PROJECT.parent / "shared" / "data"))
_CONFIGS: Final = [_PROJECT / "configs" / "backtest" / name for name in ("perp-ticks.toml", "perp-ticks-ensemble.toml")]
_RISK: Final = _PROJECT / "configs" / "system" / "risk.toml"
_NET: Final = "hybrid_cnn_lstm"
_WINDOW: Final = 60
_REPEATS: Final = 3
_COPIES: Final = 2
_SPACING_NS: Final = 400 * 10**9
_INSTRUMENTS: Final = 100
_SECONDS: Final = 130
_SETTLED_SECONDS: Final = 5
_NS: Final = 1_000_000_000

_ACTOR: Final = """
[[actors]]
name = "{name}"
[actors.parameters]
{setting}
"""
_CHECKED: Final = (
    "strategies.0.parameters.manipulation.action=block",
    "strategies.0.parameters.placement.stops=true",
    "strategies.0.parameters.placement.targets=true",
    "strategies.0.parameters.momentum.book=features",  # the vectors are there: no second book for its quotes
)
_EAGER: Final = (
    # Many orders, and short trades: what is measured here is the way to an order, not what it earns.
    "strategies.0.parameters.quorum=1",
    "strategies.0.parameters.min_margin=0.0",
    "strategies.0.parameters.momentum.min_score=0.05",
    "strategies.0.parameters.momentum.stop_deviations=0.3",
    "strategies.0.parameters.momentum.target_deviations=0.3",
    "risk.max_daily_loss=1.0",
    "risk.max_drawdown=1.0",
    "risk.protections.stoploss_guard.trades=1000000",
    "risk.protections.cooldown.losses=1000000",
    "risk.protections.low_profit.trades=1000000",
)


def _stack(catalog: str, model: str, *more: str, replays: bool = True) -> Resolved:
    # Everything that a system file can switch on; without a model the signals go straight to filter and risk.
    actors = [("features", ""), ("detection", "")] + ([("validation", f'model = "{model}"')] if model else [])
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder) / "stack.toml"
        overlay.write_text("".join(_ACTOR.format(name=name, setting=setting) for name, setting in actors))
        validated = f"strategies.0.parameters.validator={'true' if model else 'false'}"
        data = [f"data.catalog={catalog}", f"data.rows={'catalog' if replays else 'objects'}"]
        return load([*_CONFIGS, _RISK, overlay], [*data, *_CHECKED, validated, *more])


def _engine_alone(resolved: Resolved, feed: Feed) -> float:
    logging = LoggerConfig(stdout_level=LogLevel.OFF, print_config=False)
    settings = BacktestEngineConfig(logging=logging, run_analysis=False)
    chunk = resolved.config.data.chunk_events
    node = BacktestNode(
        [BacktestRunConfig([venue_config(resolved.config)], list(feed.datasets), engine=settings, chunk_size=chunk)]
    )
    node.build()
    started = time.process_time()
    node.run()
    taken = time.process_time() - started
    node.dispose()
    return taken


def _simulated(resolved: Resolved, feed: Feed) -> float:
    started = time.process_time()
    simulate(resolved, feed)
    return time.process_time() - started


def _speed(catalog: str, model: str) -> dict[str, Any]:
    ways = {
        "whole": _stack(catalog, model),
        "without model": _stack(catalog, ""),
        "from objects": _stack(catalog, model, replays=False),
    }
    feed = open_feed(ways["whole"].config)
    times: dict[str, list[float]] = {"bare": [], **{name: [] for name in ways}}
    for _ in range(_REPEATS + 1):  # by turns, so that a busy machine slows all of them; the first compiles
        times["bare"].append(_engine_alone(ways["whole"], feed))
        for name, resolved in ways.items():
            times[name].append(_simulated(resolved, feed))
    return {"rows": feed.rows, "secs": {name: median(taken[1:]) for name, taken in times.items()}}


class _Stopwatch:
    # The time that the process spends between a message of the book and the order intent that it leads to. A backtest
    # puts the simulated latency of the model between question and answer, and other events into that time, so the
    # pieces are added up: the last message of the instrument through both actors, the bar through the policies (with
    # the model's answers, where there is one), and the answer through filter, vote and risk to the order.
    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.intents: list[tuple[float, float, float]] = []
        self._message: dict[tuple[str, str], int] = {}
        self._bar: dict[str, int] = {}
        self._pending = 0
        self._began = 0

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for actor in (FeatureActor, DetectionActor):
            self._around(patch, actor, "on_book_deltas", self._begin, self._read)
        self._around(patch, Ensemble, "on_bar", self._open_bar, self._close_bar)
        self._around(patch, ValidationActor, "_answer", self._open_answer, None)
        self._around(patch, Ensemble, "on_validated", None, self._close)
        self._around(patch, Ensemble, "submit_order_list", self._submit, None)

    def _around(
        self,
        patch: pytest.MonkeyPatch,
        owner: type,
        name: str,
        before: Callable[..., None] | None,
        after: Callable[..., None] | None,
    ) -> None:
        call = getattr(owner, name)

        def timed(component: Any, *args: Any) -> Any:
            if before is not None:
                before(component, *args)
            result = call(component, *args)
            if after is not None:
                after(component, *args)
            return result

        patch.setattr(owner, name, timed)

    def _begin(self, actor: Any, deltas: Any) -> None:
        self._began = self.clock()

    def _read(self, actor: Any, deltas: Any) -> None:
        spent = self.clock() - self._began
        self._message[type(actor).__name__, str(deltas.instrument_id)] = spent
        self._began = 0

    def _open_bar(self, strategy: Any, bar: Any) -> None:
        self._pending, self._began = 0, self.clock()

    def _close_bar(self, strategy: Any, bar: Any) -> None:
        self._bar[str(strategy.instrument_id)] = self.clock() - self._began
        self._began = 0

    def _open_answer(self, actor: Any, signal: Any, *rest: Any) -> None:
        self._pending, self._began = self._bar[signal.instrument_id], self.clock()

    def _close(self, strategy: Any, answer: Any) -> None:
        self._began = 0

    def _submit(self, strategy: Any, orders: Any) -> None:
        if self._began:  # else an order that waited for the end of another: no message led to it
            own, name = self.clock() - self._began, str(strategy.instrument_id)
            message = sum(spent for (_, of), spent in self._message.items() if of == name)
            self.intents.append((message / 1e6, self._pending / 1e6, own / 1e6))


def _latency(catalog: str, model: str) -> dict[str, Any]:
    accept = ["actors.2.parameters.blending.threshold=0.0"] if model else []
    resolved = _stack(catalog, model, *_EAGER, *accept, replays=False)
    feed = open_feed(resolved.config)
    simulate(resolved, feed)  # compiles
    found: dict[str, Any] = {}
    for name, clock in (("cpu", time.thread_time_ns), ("wall", time.perf_counter_ns)):
        stopwatch = _Stopwatch(clock)
        with pytest.MonkeyPatch.context() as patch:
            stopwatch.watch(patch)
            for _ in range(_REPEATS):
                simulate(resolved, feed)
        pieces = np.array(stopwatch.intents)
        found[name] = np.percentile(pieces.sum(axis=1), [50, 99]).tolist()
        found |= {"intents": len(pieces), f"{name} pieces": np.median(pieces, axis=0).tolist()}
    return found


def _many(catalog: str, model: str) -> dict[str, Any]:
    names = json.dumps([str(instrument.id) for instrument in Catalog(catalog).instruments()])
    resolved = _stack(catalog, model, f"data.instruments={names}", replays=False)
    feed = open_feed(resolved.config)
    seen: list[tuple[int, float]] = []
    finished = simulate(resolved, feed, tick=lambda now_ns: seen.append((now_ns, time.process_time())))
    settled = [one for one in seen if one[0] >= feed.start_ns + _SETTLED_SECONDS * _NS]
    (first_ns, began), (last_ns, ended) = settled[0], settled[-1]
    predictions = finished.tables["predictions"]
    return {
        "messages_per_sec": _messages(catalog) / _SECONDS,
        "core": (ended - began) / ((last_ns - first_ns) / _NS),
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "asked": predictions.num_rows,
        "answered": predictions["error"].to_pylist().count(""),
    }


def _messages(catalog: str) -> int:
    opened = Catalog(catalog)
    rows = np.concatenate(list(opened.events(str(opened.instruments()[0].id), trades=False)))
    return int(np.count_nonzero(rows["flags"] & Flag.LAST))


def _export_early(catalog: str, folder: str) -> dict[str, Any]:
    # Without the few features of 100 and more bars: no window of a short run would hold them.
    return _export(catalog, folder, known_after=_WINDOW)


def _export(catalog: str, folder: str, known_after: int | None = None) -> dict[str, Any]:
    # The production net in full size, without training: time does not depend on the weights. Scaled on real vectors.
    import torch

    from fathom.ml.features import fit
    from fathom.ml.models.artifacts import ModelSchema
    from fathom.ml.models.export import Source, export
    from fathom.ml.nets import build

    torch.set_num_threads(1)
    torch.manual_seed(1)
    opened = Catalog(catalog)
    name = str(opened.instruments()[0].id)
    grid = Grid.of(opened.instrument(name))
    features = FeatureSet(price_increment=grid.tick, size_increment=grid.lot)
    vectors = features.update_many(np.concatenate(list(opened.events(name))))
    known = np.isfinite(vectors.values[:known_after]).any(axis=0)
    chosen = features.schema.select(
        [name for name, is_known in zip(features.schema.names, known, strict=True) if is_known]
    )
    schema = ModelSchema(features=chosen, window=_WINDOW, grid_ms=1_000, horizon_secs=10.0, label={"kind": "fixed"})
    ts, values = vectors.ts[vectors.ready], vectors.values[vectors.ready][:, known]
    windows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW, axis=0).transpose(0, 2, 1)[:64].copy()
    net = build(_NET, features=len(chosen), window=_WINDOW, groups=chosen.groups).eval()
    scaler = fit("standard", chosen.names, ts, values, before_ns=int(ts[-1]) + 1)
    source = Source(name="untrained", net=_NET, schema=schema, scaler=scaler)
    made = export(net, source, folder, windows=windows, directions=np.zeros(len(windows), np.int64))
    return {"served": made.provenance.served}


def _import(folder: Path) -> Catalog:
    catalog = Catalog(folder)
    for path in sorted((_REAL_DATA / "perp-ticks").iterdir()):
        symbol = "BTCUSDT" if "BTCUSDT" in path.name else "ETHUSDT"
        import_archive(Archive.of(path), default_instruments()[symbol], catalog, Timing())
    return catalog


def _write(catalog: Catalog, instrument: Any, rows: Sequence[np.ndarray]) -> None:
    with catalog.book_writer(instrument) as books, catalog.trade_writer(instrument) as prints:
        for number, part in enumerate(rows):
            trades = part[part["kind"] == Kind.TRADE]
            books.write(part[part["kind"] != Kind.TRADE])
            prints.write(trades, [f"{number}-{i}" for i in range(len(trades))])


def _repeated(source: Catalog, folder: Path) -> str:
    # The six minutes again and again: the opening of the model, once a run, is a small part of a run that is no sample.
    for instrument in source.instruments():
        rows = np.concatenate(list(source.events(str(instrument.id))))
        copies = []
        for number in range(_COPIES):
            copies.append(rows.copy())
            for name in ("ts_event", "ts_init"):
                copies[-1][name] += number * _SPACING_NS
        _write(Catalog(folder), instrument, copies)
    return str(folder)


def _multiplied(source: Catalog, folder: Path) -> str:
    # The same market under a hundred names.
    name = "BTCUSDT-LINEAR.BYBIT"
    start = next(span.first_ns for span in source.spans() if span.identifier == name)
    rows = np.concatenate(list(source.events(name, end_ns=start + _SECONDS * _NS)))
    for number in range(_INSTRUMENTS):
        spec = InstrumentSpec(symbol=f"C{number:02}USDT", base=f"C{number:02}", quote="USDT", tick="0.10", lot="0.001")
        _write(Catalog(folder), spec.build(), [rows])
    return str(folder)


def run() -> list[Measure]:
    """Measure, on the recorded perpetuals; nothing where they are absent."""
    if not (_REAL_DATA / "perp-ticks").is_dir():
        return []
    with tempfile.TemporaryDirectory() as folder:
        once = _import(Path(folder) / "once")
        longer, many = _repeated(once, Path(folder) / "longer"), _multiplied(once, Path(folder) / "many")
        model, early = str(Path(folder) / "model"), str(Path(folder) / "early")
        served = _part("export", str(once.path), model)["served"]
        _part("export_early", str(once.path), early)
        speed = _part("speed", longer, model)
        slow, fast = _part("latency", longer, model), _part("latency", longer, "")
        scale = _part("many", many, early)
    net = f"{_NET} of full size, {served}, untrained"
    secs, bare = speed["secs"], speed["secs"]["bare"]
    note = f"{speed['rows']:,} events; baseline: the engine alone; CPU, median of {_REPEATS}"
    name = f"{_INSTRUMENTS} instruments, {scale['messages_per_sec']:.0f} messages/s each"
    measures = [
        Measure("whole stack, backtest", secs["whole"], "s", bare, f"{note}; required: 3x; {net}"),
        Measure("whole stack without model", secs["without model"], "s", bare, note),
        Measure("whole stack from engine objects", secs["from objects"], "s", bare, f"{note}; as live"),
    ]
    for title, found, most in (("with model", slow, 5), ("without model", fast, 1)):
        title = f"book message to order intent, {title}"
        message, bar, answer = found["cpu pieces"]
        medians = f"medians: message {message:.2f}, bar {bar:.2f}, {'answer' if most == 5 else 'rest'} {answer:.2f}"
        note = f"{found['intents']} intents; CPU; from engine objects; p50 {found['cpu'][0]:.2f}; {medians}"
        measures.append(Measure(f"{title}, p99", found["cpu"][1], "ms", None, f"{note}; required: {most}"))
        note = f"by the clock; p50 {found['wall'][0]:.2f}; others may use the machine"
        measures.append(Measure(f"{title}, p99 by the clock", found["wall"][1], "ms", None, note))
    asked = f"{scale['asked']} signals, {scale['answered']} of them after the model had a window"
    return [
        *measures,
        Measure(f"{name}: CPU", 100 * scale["core"], "% of a core", None, f"engine included; {asked}; required: 50"),
        Measure(f"{name}: memory", scale["mib"], "MiB", None, "whole process, its peak; required: 4,096"),
    ]


def _part(*arguments: str) -> dict[str, Any]:
    # In a process of its own: only the export may import torch, and compiled kernels and memory are each part's own.
    command = [sys.executable, "-m", "tests.performance.stack", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=_PROJECT)
    if done.returncode:
        raise RuntimeError(f"{arguments[0]}: {done.stderr.strip()[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    parts = {"export": _export, "export_early": _export_early, "speed": _speed, "latency": _latency, "many": _many}
    part = parts[sys.argv[1]]
    result = part(sys.argv[2], sys.argv[3])
    assert sys.argv[1].startswith("export") or "torch" not in sys.modules
    print(json.dumps(result))
