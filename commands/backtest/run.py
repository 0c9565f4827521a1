"""`fathom backtest run`: TOML files in, a run directory and its first figures out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from fathom.settings.errors import FathomError


@click.command(no_args_is_help=True)
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CONFIG...")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of runs.",
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Set one value, over the files.")
@click.option("--json", "as_json", is_flag=True, help="Print path, summary and timing as JSON.")
@click.option(
    "--log-level",
    type=click.Choice(["off", "error", "warning", "info", "debug"], case_sensitive=False),
    default="off",
    show_default=True,
    help="The engine's own log, on standard error.",
)
@click.option("--no-pages", is_flag=True, help="Leave out tearsheet.html and execution.html.")
def run(
    configs: tuple[Path, ...],
    out: Path,
    assignments: tuple[str, ...],
    as_json: bool,
    log_level: str,
    no_pages: bool,
) -> None:
    """Run the backtest of one or several TOML files.

    Of several files, a later one overrides an earlier one, key by key (an array, such as the strategies, is replaced
    as a whole), and --set overrides both. Nothing is included from elsewhere. Paths in a file are relative to the
    current folder. The run directory appears in the folder of runs when the run is complete, or not at all: after an
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
    import os

    from rich.console import Console

    from fathom.backtests.errors import Interrupted
    from fathom.backtests.run import run as run_backtest

    errors = Console(stderr=True)
    # The engine writes its log to file descriptor 1, which is for the result.
    result = os.dup(1)
    try:
        os.dup2(2, 1)
        with _progress(errors) as started:
            outcome = run_backtest(
                configs,
                out=out,
                assignments=assignments,
                log_level=log_level.upper(),
                pages=not no_pages,
                started=started,
            )
    except Interrupted as error:
        click.echo(f"Interrupted. {error} No run directory was written.", err=True)
        sys.exit(130)
    except FathomError as error:
        raise click.ClickException(str(error)) from error
    finally:
        sys.stdout.flush()
        os.dup2(result, 1)
        os.close(result)
    if as_json:
        import msgspec

        from fathom.backtests.setup.run_files import dump_json

        content = {"path": str(outcome.path), "summary": msgspec.to_builtins(outcome.summary), "timing": outcome.timing}
        click.echo(dump_json(content), nl=False)
        return
    _print(Console(), outcome, pages=not no_pages)


@contextmanager
def _progress(console: Any) -> Iterator[Any]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from fathom.backtests.setup.data_feed import Feed, iso

    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[now]}  {task.fields[speed]}"),
        TimeRemainingColumn(),
    ]
    # The engine holds the interpreter between two ticks: each of them redraws the bar.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:

        def started(feed: Feed) -> Any:
            span = max(1, feed.end_ns - feed.start_ns)
            task = progress.add_task("Simulating", total=span, now=iso(feed.start_ns)[:19], speed="")

            def tick(now_ns: int) -> None:
                done = min(span, now_ns - feed.start_ns)
                elapsed = progress.tasks[task].elapsed or 0.0
                rate = feed.rows * done / span / elapsed if elapsed > 0.0 else 0.0
                progress.update(task, completed=done, now=iso(now_ns)[:19], speed=f"~{rate:,.0f} events/s")
                progress.refresh()

            return tick

        yield started


def _print(console: Any, outcome: Any, *, pages: bool) -> None:
    from rich.table import Table

    from fathom.backtests.account.performance import basket_name

    summary, timing = outcome.summary, outcome.timing
    pnl, trades, fills = summary.pnl, summary.trades, summary.fills
    money = summary.currency
    table = Table(title=f"{summary.name}: {summary.data_span.start} to {summary.data_span.end}", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    held = f"{basket_name(summary.benchmark.instruments)}: {_percent(summary.benchmark.total_return)}"
    rows = [
        ("Return", _percent(summary.total_return), held),
        ("Equity", f"{summary.final_equity:,.2f} {money}", f"from {summary.starting_equity:,.2f}"),
        (
            "Net PnL",
            f"{pnl.net:+,.2f} {money}",
            f"price {pnl.price:+,.2f}, fees {pnl.fees:+,.2f}, funding {pnl.funding:+,.2f}, "
            f"slippage {pnl.slippage:+,.2f}",
        ),
        ("Max drawdown", _percent(summary.risk.max_drawdown), f"{summary.risk.max_drawdown_money:,.2f} {money}"),
        (
            "Sharpe",
            "-" if summary.risk.sharpe is None else f"{summary.risk.sharpe:.2f}",
            summary.undefined.get("risk.sharpe", "annualised, 365 days"),
        ),
        (
            "Round trips",
            f"{trades.closed} closed",
            f"{trades.wins} won, {trades.long} long, {trades.short} short, {trades.open} open",
        ),
        (
            "Fills",
            f"{fills.count} of {summary.orders.count} orders",
            "none" if fills.maker_share is None else f"{fills.maker_share:.0%} maker, {fills.turnover:,.0f} turnover",
        ),
        (
            "Speed",
            f"{timing['events_per_sec']:,.0f} events/s",
            f"{timing['events']:,} events in {timing['elapsed_secs']:.1f} s, {timing['peak_rss_mib']:,.0f} MiB",
        ),
    ]
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for note in summary.notes:
        console.print(f"Note: {note}", style="yellow", highlight=False)
    console.print(f"Run: {outcome.path}", highlight=False, soft_wrap=True)
    if pages:
        console.print(f"Tearsheet: {outcome.path / 'tearsheet.html'}", highlight=False, soft_wrap=True)
        console.print(
            f"Fills, alerts, signals to trades: {outcome.path / 'execution.html'}", highlight=False, soft_wrap=True
        )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100.0 * value:+.3f} %"
