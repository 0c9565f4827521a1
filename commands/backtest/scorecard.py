"""`fathom backtest scorecard`: every strategy on markets it was not made on, beside the requirements."""

import sys
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
    help="Folder of runs; the scorecard gets a folder of its own in it.",
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Set one value, over the files.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Backtests at a time.")
@click.option("--quick", is_flag=True, help="Short markets and few seeds, for a first look.")
@click.option("--json", "as_json", is_flag=True, help="Print the scorecard as JSON.")
def scorecard(
    configs: tuple[Path, ...], out: Path, assignments: tuple[str, ...], jobs: int, quick: bool, as_json: bool
) -> None:
    """Hold the strategies against the requirements on simulated markets that neither they nor the model has seen.

    The markets are simulated, the model is trained on a market of another seed, and each strategy runs alone on each
    market: with everything, and once more without the validator. What comes out is printed beside what is asked: win
    rate, Sharpe ratio, drawdown, profit factor, and what the validator adds, each with its interval. On markets of the
    kind null, where nothing predicts the price, a profit beyond luck would mean a leak; all looks are counted.

    After Ctrl-C the same command goes on where it was; what is finished is not run again. The folder
    NAME-scorecard-HASH holds scorecard.html, scorecard.json, the markets, the model and the run directories.

    \b
    Example:
      fathom backtest scorecard configs/scorecard/simulated.toml --quick
      fathom backtest scorecard configs/scorecard/simulated.toml --jobs 2
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from fathom.backtests.experiments import scorecard as plans
    from fathom.backtests.experiments import scorecard_results as results
    from fathom.backtests.experiments.scorecard_config import load_scorecard
    from fathom.backtests.experiments.scorecard_page import scorecard_html
    from fathom.backtests.reports.report import write_whole
    from fathom.backtests.setup.run_files import dump_json

    errors = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    try:
        made = plans.plan(load_scorecard(configs, assignments), out, quick=quick)
        with Progress(*columns, console=errors, transient=True, disable=as_json) as progress:
            tasks: dict[str, Any] = {}

            def show(what: str, done: float, of: float) -> None:
                if what not in tasks:
                    tasks[what] = progress.add_task(what, total=of)
                progress.update(tasks[what], completed=done, total=of)

            model = plans.prepare(made, show)
            task = progress.add_task("backtests", total=len(made.cells))

            def tell(name: str, before: bool) -> None:
                progress.update(task, advance=1, description=f"{name}{' (done before)' if before else ''}")

            done = plans.run(made, model, jobs=jobs, progress=tell)
        found = results.compared(made.config, made.folder, done)
    except KeyboardInterrupt:
        click.echo("Interrupted. The same command goes on with what is left.", err=True)
        sys.exit(130)
    except FathomError as error:
        raise click.ClickException(str(error)) from error
    content = dump_json(results.as_json(found))
    page = write_whole(made.folder / "scorecard.html", scorecard_html(found, done))
    write_whole(made.folder / "scorecard.json", content)
    if as_json:
        click.echo(content, nl=False)
        return
    _print(Console(), found)
    errors.print(f"Wrote {page}", highlight=False, markup=False, soft_wrap=True)


def _print(console: Any, found: Any) -> None:
    from rich.table import Table

    from fathom.backtests.experiments.scorecard_page import MARKS, asked, extrapolation, figure
    from fathom.backtests.experiments.scorecard_results import checks, significant
    from fathom.pages.formats import integer, number

    for market in dict.fromkeys(result.market for result in found.results):
        rows = [result for result in found.results if result.market == market]
        heads = checks(rows[0], found.config.requirements)
        table = Table(title=f"Markets: {market}", box=None, header_style="bold", pad_edge=False)
        table.add_column("Strategy")
        for title in ("Trades", "Net, bps a trade", *(f"{row.name} {asked(row)}" for row in heads)):
            table.add_column(title, justify="right")
        for result in rows:
            value, low, high = (number(part, signed=True) for part in result.score.bps)
            cells = [result.strategy, integer(result.score.trades), f"{value} [{low}, {high}]"]
            for row, head in zip(checks(result, found.config.requirements), heads, strict=True):
                more = f" ({asked(row)})" if row.asked != head.asked else ""
                cells.append(f"{figure(row)}\n{MARKS[row.verdict]}{more}")
            table.add_row(*cells)
        console.print(table, highlight=False, markup=False)
        console.print()
    if found.results:
        console.print(extrapolation(found), highlight=False, markup=False)
    for look in found.looks:
        value, low, high = (number(part, signed=True) for part in look.bps)
        text = f"{look.market} {look.seed}, {look.strategy}: {look.trades} trades, {value} bps [{low}, {high}]"
        console.print(f"{text}, p {number(look.p, 3)}, after Holm {number(look.adjusted, 3)}", highlight=False)
    if found.looks:
        count = len(significant(found))
        told = "No profit" if not count else f"{count} profits"
        console.print(f"{told} beyond luck on the null markets, of {len(found.looks)} looks.", highlight=False)
