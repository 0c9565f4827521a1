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

    from fathom.backtests.backtest import run as run_backtest
    from fathom.backtests.errors import Interrupted

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

    from fathom.backtests.results import Run

    summary = outcome.summary
    table = Table(title=f"{summary.name}: {summary.data_span.start} to {summary.data_span.end}", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    for row in Run(outcome.path).card:
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
