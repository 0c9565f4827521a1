"""One backtest from configuration files to a run directory."""

import datetime
import importlib.metadata
import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from fathom.backtests.account import equity, figures, ledger, tables
from fathom.backtests.account.liquidation import liquidation_of
from fathom.backtests.account.marks import Held, Marks, read_marks
from fathom.backtests.account.periods import Period, period_ends
from fathom.backtests.account.summary import Summary
from fathom.backtests.engine import decisions
from fathom.backtests.engine.component_notes import notes_of
from fathom.backtests.engine.records import Records
from fathom.backtests.engine.simulation import Finished, Tick, peak_rss_mib, simulate
from fathom.backtests.setup import run_files as artifacts
from fathom.backtests.setup.config import Resolved, fitting_interval, load
from fathom.backtests.setup.counted_trial import FILE, begin_trial, end_trial
from fathom.backtests.setup.data_feed import Feed, open_feed
from fathom.backtests.setup.identity import CodeIdentity, code_of
from fathom.settings.home import output
from fathom.settings.times import duration_ns
from fathom.settings.whole_files import write_whole

_PACKAGES: Final = ("fathom-trader", "nautilus_trader", "numpy", "numba", "pyarrow", "pandas", "TA-Lib", "quantstats")


class Outcome(NamedTuple):
    """A finished run: its directory, its summary, and how long it took."""

    path: Path
    summary: Summary
    timing: dict[str, float]


def run(
    files: Iterable[Path | str | Mapping[str, Any]],
    *,
    out: Path | str | None = None,
    assignments: Iterable[str] = (),
    log_level: str = "OFF",
    pages: bool = True,
    kind: str = "backtest",
    started: Callable[[Feed], Tick | None] | None = None,
) -> Outcome:
    """Run the backtest of TOML files, or of dicts with their content, and write its run directory.

    Parameters
    ----------
    files, assignments
        See `fathom.backtests.setup.config.load`.
    out
        The folder of runs, by default `output("runs")`; the run gets a folder of its own in it, whole or not at all.
    log_level
        The engine's log, see `fathom.backtests.engine.simulation.simulate`.
    pages
        Whether to write `tearsheet.html` and `execution.html`.
    kind
        What the ledger of trials calls the run: `backtest`, `ablate` or `scorecard`.
    started
        Called with the feed when the data are found; may return a function that is told the simulated time.

    Raises
    ------
    BacktestError
        The configuration is wrong, the simulation failed, or its result contradicts itself; nothing is written then.
    """
    resolved = load(files, assignments)
    feed = open_feed(resolved.config)
    tick = started(feed) if started else None
    code = code_of(resolved.text)
    trial = begin_trial(resolved, feed, code, kind)
    finished = simulate(resolved, feed, tick=tick, log_level=log_level)
    ground, contents, interval = _account(resolved, feed, finished)
    summary = figures.summarize(ground, interval)
    notes = [overlap.sentence() for overlap in summary.in_sample]
    notes += [*finished.notes, *notes_of(finished.tables), *summary.notes]
    summary = msgspec.structs.replace(summary, notes=notes)
    end_trial(
        trial, feed, {"net": summary.pnl.net, "trades": summary.trades.closed, "config_hash": summary.config_hash}
    )
    timing = {
        "elapsed_secs": finished.elapsed_secs,
        "events": summary.events["total"],
        "events_per_sec": summary.events["total"] / finished.elapsed_secs,
        "messages": finished.messages,
        "simulated_secs_per_sec": summary.span.seconds / finished.elapsed_secs,
        "peak_rss_mib": peak_rss_mib(),
    }
    now = datetime.datetime.now(datetime.UTC)
    name = f"{now:%Y%m%d-%H%M%S}-{resolved.config.name}-{resolved.digest}"
    with artifacts.NewRun(Path(out or output("runs")), name) as new:
        write_whole(new.folder / "config.toml", resolved.text)
        write_whole(new.folder / "summary.json", artifacts.dump_json(msgspec.to_builtins(summary)))
        write_whole(new.folder / "versions.json", artifacts.dump_json(_versions(resolved, feed, code)))
        write_whole(new.folder / FILE, artifacts.dump_json(msgspec.to_builtins(trial)))
        write_whole(new.folder / "timing.json", artifacts.dump_json(timing))
        written = {table: artifacts.to_table(table, columns) for table, columns in contents.items()}
        for table, content in written.items():
            artifacts.write_table(new.folder, table, content)
        for table, kept in finished.tables.items():
            content = decisions.completed(kept, written) if table == "decisions" else kept
            artifacts.write_kept_table(new.folder, table, content)
        if pages:
            from fathom.backtests.reports.report import write_pages

            write_pages(new.folder, name)
    return Outcome(new.path, summary, timing)


def _account(resolved: Resolved, feed: Feed, finished: Finished) -> tuple[tables.Ground, dict[str, Any], str]:
    config, records = resolved.config, finished.records
    interval = config.report.equity_interval
    if interval == "auto":
        interval = fitting_interval(feed.end_ns - feed.start_ns)
    # What the strategies sent when they stopped is filled after the last event: the account ends with that.
    end_ns = max([feed.end_ns, *(fill.ts_event for fill in records.fills), *(at for at, _ in records.balances)])
    grid = period_ends(feed.start_ns, end_ns, Period(interval, duration_ns(interval)))
    multipliers = {name: float(item.multiplier) for name, item in feed.instruments.items()}
    marks: dict[str, Marks] = {}
    counts: dict[str, int] = {}
    for name, instrument in feed.instruments.items():
        times = [order.ts_init for order in records.orders if order.instrument_id == name]
        times += [fill.ts_event for fill in records.fills if fill.order.instrument_id == name]
        wanted = np.union1d(grid, np.array(times, np.int64))
        span = feed.start_ns, feed.end_ns
        marks[name], rows = read_marks(feed.catalog, instrument, config.data, wanted, *span, _held(records, name))
        counts = {kind: counts.get(kind, 0) + rows.get(kind, 0) for kind in counts.keys() | rows.keys()}
    arrival = {
        order.client_order_id: float(marks[order.instrument_id].at(np.array([order.ts_init]))[0])
        for order in records.orders
    }
    books = ledger.keep(records, arrival, multipliers)
    precision = next(iter(feed.instruments.values())).quote_currency.precision
    liquidated = liquidation_of(records)
    curve = equity.trace(grid, records, books, marks, multipliers, 10.0**-precision, liquidated)
    ground = tables.Ground(
        resolved, feed, records, finished.strategies, arrival, books, curve, marks, counts, multipliers, liquidated
    )
    fill_mids = [
        float(marks[entry.fill.order.instrument_id].at(np.array([entry.fill.ts_event]))[0]) for entry in books.entries
    ]
    contents = {
        "orders": tables.order_columns(ground),
        "fills": tables.fill_columns(ground, fill_mids),
        "positions": tables.position_columns(ground),
        "equity": {"ts": grid, **curve.columns},
        "prices": equity.price_columns(curve, marks),
    }
    return ground, contents, interval


def _held(records: Records, instrument: str) -> Held:
    fills = [fill for fill in records.fills if fill.order.instrument_id == instrument]
    sizes = np.cumsum([fill.signed for fill in fills], dtype=np.float64)
    return Held(np.array([fill.ts_event for fill in fills], np.int64), np.round(sizes, 12))


def _versions(resolved: Resolved, feed: Feed, code: CodeIdentity) -> dict[str, Any]:
    return {
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "config_hash": resolved.digest,
        "system": resolved.system,
        "code": msgspec.to_builtins(code),
        "seed": resolved.config.seed,
        "data_fingerprint": feed.fingerprint,
    }
