"""`fathom backtest run`: TOML files in, a run directory and its first figures out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fathom.commands.console import Bars, Terminal, command, config_options, out_option, pages_option

if TYPE_CHECKING:
    from fathom.backtests.backtest import Outcome
    from fathom.backtests.setup.data_feed import Feed


@command(no_args_is_help=True, kept="No run directory was written.")
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CONFIG...")
@out_option("runs", "Folder of runs")
@config_options
@pages_option("Whether to write tearsheet.html and execution.html.")
def run(terminal: Terminal, configs: tuple[Path, ...], out: Path, changes: tuple[str, ...], html: bool) -> None:
    """Run the backtest of one or several TOML files.

    Of several files, a later one overrides an earlier one, key by key (an array, such as the strategies, is replaced
    as a whole), and --set overrides both. Nothing is included from elsewhere. Paths in a file are relative to the
    file. The run directory appears in the folder of runs when the run is complete, or not at all: after an
    error, an exception in a strategy included, there is none, and the exit code is 1.

    \b
    Example:
      fathom backtest run configs/backtest/perp-ticks.toml --set data.catalog=catalog
      fathom backtest run base.toml overlay.toml --set strategies.0.parameters.atr_period=14 --set venue.leverage=5

    \b
    A small configuration:
      name = "first"
      [data]
      catalog = "catalog"
      instruments = ["BTCUSDT-LINEAR.BYBIT"]
      [venue.fees]
      maker = 0.0002
      taker = 0.00055
      [[strategies]]
      name = "supertrend"
    """
    from fathom.backtests.backtest import run as run_backtest
    from fathom.backtests.setup.config import load

    resolved = load(configs, changes)
    terminal.show_config(resolved.config, **resolved.shown)
    with terminal.engine_output(), terminal.progress() as bars:
        outcome = run_backtest(
            configs,
            out=out,
            assignments=changes,
            log_level=terminal.log_level.upper(),
            pages=html,
            started=lambda feed: _ticks(feed, bars),
        )
    terminal.answer({"path": outcome.path, "summary": outcome.summary, "timing": outcome.timing})
    _print(terminal, outcome, pages=html)


def _ticks(feed: "Feed", bars: Bars) -> Any:
    import time

    from fathom.settings.times import iso

    span, began = max(1, feed.end_ns - feed.start_ns), time.perf_counter()

    def tick(now_ns: int) -> None:
        done = min(span, now_ns - feed.start_ns)
        rate = feed.rows * done / span / (time.perf_counter() - began)
        bars("Simulating", done, span, f"{iso(now_ns)[:19]}  ~{rate:,.0f} events/s")

    return tick


def _print(terminal: Terminal, outcome: "Outcome", *, pages: bool) -> None:
    from fathom.backtests.results import Run

    summary = outcome.summary
    span = summary.data_span
    terminal.table(("", "", ""), Run(outcome.path).card, title=f"{summary.name}: {span.start} to {span.end}")
    for note in summary.notes:
        terminal.warn(f"Note: {note}")
    terminal.say(f"Run: {outcome.path}")
    if pages:
        terminal.say(f"Tearsheet: {outcome.path / 'tearsheet.html'}")
        terminal.say(f"Fills, alerts, signals to trades: {outcome.path / 'execution.html'}")
