"""Running the engine over a feed: streamed, with progress in simulated time, failing where a handler fails."""

import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Self

import pyarrow as pa
from msgspec import structs
from nautilus_trader.backtest import BacktestEngineConfig, BacktestNode, BacktestRunConfig
from nautilus_trader.common import DataActor, DataActorConfig, LoggerConfig, LogLevel, TimeEvent
from nautilus_trader.data import DataEngineConfig
from nautilus_trader.model import ActorId
from nautilus_trader.risk import RiskEngineConfig

from fathom.actors.holder import Holder
from fathom.actors.market_stream import MarketStream
from fathom.backtests.engine.punctual import make_punctual
from fathom.backtests.engine.records import Records, collect
from fathom.backtests.engine.venue_rules import VenueRules
from fathom.backtests.errors import Interrupted, RunError
from fathom.backtests.setup.config import Config, Resolved
from fathom.backtests.setup.data_feed import Feed, constant_funding
from fathom.backtests.setup.run_files import TIMESTAMP
from fathom.backtests.setup.venue_models import venue_config
from fathom.data_catalog.replay.rows_of_objects import SharedRows
from fathom.settings import escapes
from fathom.settings.times import iso
from fathom.strategies import system
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.trading.pacer import Pacer

type Tick = Callable[[int], None]

_STEPS = 400


class Finished(NamedTuple):
    """What a simulation leaves.

    Attributes
    ----------
    records
        Orders, fills, funding and account states.
    strategies
        Ids of the strategies that ran.
    messages
        Data events that the engine processed (a book message counts once).
    elapsed_secs
        Wall clock of the simulation, loading included.
    peak_rss_mib
        Largest memory of the process so far.
    tables
        What strategies and actors with a method `tables` kept for the run directory, by name: alerts, decisions.
    notes
        What strategies and actors with a method `notes` want a reader of the run to know.
    """

    records: Records
    strategies: list[str]
    messages: int
    elapsed_secs: float
    peak_rss_mib: float
    tables: dict[str, pa.Table]
    notes: list[str]


def simulate(
    resolved: Resolved,
    feed: Feed,
    *,
    tick: Tick | None = None,
    log_level: str = "OFF",
    watchers: Sequence[DataActor] = (),
) -> Finished:
    """Run the actors and strategies over the feed.

    Parameters
    ----------
    resolved
        The configuration.
    feed
        Its data.
    tick
        Called now and then with the simulated time (ns).
    log_level
        The engine's own log on standard output: `OFF`, `ERROR`, `WARNING`, `INFO` or `DEBUG`.
    watchers
        Actors that listen and change nothing.

    Raises
    ------
    RunError
        An exception left a strategy or an actor, the engine logged an error, or it stopped before the end of the data.
    Interrupted
        On Ctrl-C.
    """
    with tempfile.TemporaryDirectory(prefix="fathom-funding-") as scratch:
        datasets = list(feed.datasets)
        if resolved.config.funding.source == "constant":
            datasets += constant_funding(feed, resolved.config.funding, Path(scratch))
        run = BacktestRunConfig(
            [venue_config(resolved.config)],
            datasets,
            engine=_engine_config(resolved.config, log_level),
            chunk_size=resolved.config.data.chunk_events,
            raise_exception=True,  # else a failure to load the data is an empty result
            dispose_on_completion=False,
        )
        node = BacktestNode([run])
        try:
            return _run(node, run.id, resolved, feed, tick, watchers)
        except RuntimeError as error:  # all that the engine raises
            raise RunError(f"The engine refused: {error}") from error
        finally:
            node.dispose()


def _run(
    node: BacktestNode, run_id: str, resolved: Resolved, feed: Feed, tick: Tick | None, watchers: Sequence[DataActor]
) -> Finished:
    node.build()
    depth = resolved.depth
    clock = Clockwork("Clockwork-001", max(1_000_000, (feed.end_ns - feed.start_ns) // _STEPS), tick)
    for watcher in (clock, *watchers):
        node.add_actor(run_id, watcher)
    if resolved.config.venue.liquidation.enabled:
        node.add_actor(run_id, Holder("Holder-001", list(feed.instruments), depth))
    names: set[str] = set()
    actors = [system.build_actor(actor.entry, actor.parameters, names) for actor in resolved.actors]
    rows = SharedRows()
    for actor in actors:
        if isinstance(actor, MarketStream):
            actor.share(rows)
        node.add_actor(run_id, actor)
    taken: set[str] = set()
    components: list[Any] = []
    book, pacer = _risk_book(resolved.config), Pacer(resolved.config.venue.orders_per_sec)
    rules = VenueRules(resolved.config.venue.orders_per_sec)
    for strategy in resolved.strategies:
        components += system.build(strategy.entry, strategy.parameters, strategy.instruments, taken, book, pacer)
    for component in components:
        component.book_depth = depth
        rules.bind(component)
        make_punctual(component, resolved.config.venue.latency)
        node.add_strategy(run_id, component)
    began = time.perf_counter()
    with _Stop() as stop:
        clock.stopping = stop
        results, escaped = escapes.call(node.run)
    elapsed = time.perf_counter() - began
    if stop.asked is not None:
        when = f"at {iso(clock.now_ns)} of simulated time" if clock.now_ns else "before the first event"
        raise Interrupted(f"Stopped {when}.") from stop.asked
    for escape in escaped:
        if isinstance(escape.error, KeyboardInterrupt):
            when = f"at {iso(clock.now_ns)} of simulated time" if clock.now_ns else "before the first event"
            raise Interrupted(f"Stopped {when}.") from escape.error
    if escaped:
        first = escaped[0]
        raise RunError(
            f"An exception left {first.handler} after {iso(clock.now_ns)} of simulated time; "
            f"the run has no result.\n\n{first.trace}"
        ) from first.error
    if not results:
        raise RunError("Expected a result from the engine, was none: `--log-level INFO` shows how far it came.")
    ended = max(clock.stopped_ns, clock.now_ns)
    if ended < feed.end_ns:
        raise RunError(
            f"Expected a simulation until {iso(feed.end_ns)}, was one until {iso(ended)}: the engine logged an error, "
            "which stands above, and stopped."
        )
    records = collect(node.get_engine_cache(run_id), feed.instruments)
    ran = sorted(str(component.strategy_id) for component in components)
    tables = _tables([*actors, *components]) | _risk_events(book)
    parts = [*actors, *components]
    notes = [note for part in parts if isinstance(part, system.LeavesNotes) for note in part.notes()] + rules.notes()
    sent = {order.strategy_id for order in records.orders}
    silent = [str(part.strategy_id) for part in components if not isinstance(part, system.LeavesNotes)]
    notes += [f"{name} sent no order." for name in silent if name not in sent]
    return Finished(records, ran, int(results[0].iterations), elapsed, peak_rss_mib(), tables, notes)


def _tables(components: list[Any]) -> dict[str, pa.Table]:
    found: dict[str, list[pa.Table]] = {}
    for component in components:
        if isinstance(component, system.KeepsTables):
            for name, table in component.tables().items():
                found.setdefault(name, []).append(table)
    return {name: pa.concat_tables(parts) for name, parts in found.items()}


def _risk_book(config: Config) -> RiskBook:
    # A halt may ask a live node to shut down; here it would cut the run short.
    risk = config.risk
    quiet = structs.replace(risk, shutdown_on_halt=False) if risk is not None else None
    return RiskBook(quiet, taker_fee=config.venue.fees.taker)


def _risk_events(book: RiskBook) -> dict[str, pa.Table]:
    rows = [structs.asdict(event) for event in book.events]
    if not rows:
        return {}
    table = pa.Table.from_pylist(rows)
    for at, name in ((0, "ts"), (table.column_names.index("until"), "until")):
        table = table.set_column(at, name, pa.array([row[name] or None for row in rows], TIMESTAMP))
    return {"risk_events": table}


def _engine_config(config: Config, log_level: str) -> BacktestEngineConfig:
    pace = f"{config.venue.orders_per_sec}/00:00:01"
    level = {"WARN": "WARNING"}.get(log_level.upper(), log_level.upper())
    return BacktestEngineConfig(
        logging=LoggerConfig(stdout_level=getattr(LogLevel, level), print_config=False),
        run_analysis=False,
        shutdown_on_error=True,  # else the engine logs an exception of a handler, and goes on
        data_engine=DataEngineConfig(
            emit_quotes_from_book=True, time_bars_build_delay=round(1_000 * config.bars_delay_ms)
        ),
        risk_engine=RiskEngineConfig(max_order_submit_rate=pace, max_order_modify_rate=pace),
    )


class _Stop:
    """Keeps a Ctrl-C or SIGTERM until the engine can end: raised in a handler, the engine would log it as an error.

    A second one is raised at once.
    """

    def __init__(self) -> None:
        self.asked: KeyboardInterrupt | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                if callable(before):
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        try:
            self._before[signal.Signals(number)](number, frame)
        except KeyboardInterrupt as error:
            if self.asked is not None:
                raise
            self.asked = error


class Clockwork(DataActor):
    """Tells the simulated time now and then, and when the engine stopped. It subscribes to nothing.

    Parameters
    ----------
    actor_id
        Its name.
    step_ns
        Simulated time between two calls.
    tick
        Called with the time (ns).
    """

    def __new__(cls, actor_id: str, step_ns: int, tick: Tick | None) -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId(actor_id)))  # type: ignore[call-arg]

    def __init__(self, actor_id: str, step_ns: int, tick: Tick | None) -> None:
        super().__init__()
        self.step_ns = step_ns
        self.tick = tick
        self.now_ns = 0
        self.stopped_ns = 0
        self.stopping: _Stop | None = None

    def on_start(self) -> None:
        self.now_ns = self.clock.timestamp_ns()
        self.clock.set_timer_ns("tick", self.step_ns)

    def on_time_event(self, event: TimeEvent) -> None:
        self.now_ns = event.ts_event
        if self.stopping is not None and self.stopping.asked is not None:
            self.shutdown_system("the user stopped it")
        if self.tick is not None:
            self.tick(event.ts_event)

    def on_stop(self) -> None:
        self.stopped_ns = self.clock.timestamp_ns()
        self.clock.cancel_timers()


def peak_rss_mib() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
