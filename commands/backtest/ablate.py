"""`fathom backtest ablate`: the same backtest with and without each of its parts."""

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
    help="Folder of runs; the ablation gets a folder of its own in it.",
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Set one value, over the files.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Backtests at a time.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def ablate(
    configs: tuple[Path, ...], out: Path, assignments: tuple[str, ...], jobs: int, seed: int, as_json: bool
) -> None:
    """Measure what the validator, the detectors, each protection and each strategy add to a backtest.

    The backtest of the files is run as it is, and once more without each of its parts, on the same data. The difference
    of the net PnL comes with a 95 % interval of a paired block bootstrap. After Ctrl-C the same command goes on where
    it was; what is finished is not run again. The folder NAME-ablation-HASH holds ablation.html, ablation.json and the
    run directory of each variant.

    \b
    Example:
      fathom backtest ablate configs/backtest/demo.toml configs/system/ensemble.toml --jobs 2
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from fathom.backtests.experiments import ablation
    from fathom.backtests.experiments.ablation_page import ablation_html
    from fathom.backtests.reports.report import write_whole
    from fathom.backtests.setup.run_files import dump_json

    errors = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        variants, name = ablation.plan(configs, assignments)
        folder = out / name
        with Progress(*columns, console=errors, transient=True, disable=as_json) as progress:
            task = progress.add_task("Backtests", total=len(variants))

            def tell(name: str, before: bool) -> None:
                progress.update(task, advance=1, description=f"{name}{' (done before)' if before else ''}")

            found = ablation.ablate(variants, folder, jobs=jobs, seed=seed, progress=tell)
    except KeyboardInterrupt:
        click.echo("Interrupted. The same command goes on with what is left.", err=True)
        sys.exit(130)
    except FathomError as error:
        raise click.ClickException(str(error)) from error
    content = dump_json(ablation.as_json(found))
    page = write_whole(folder / "ablation.html", ablation_html(found))
    write_whole(folder / "ablation.json", content)
    if as_json:
        click.echo(content, nl=False)
        return
    _print(Console(), found)
    errors.print(f"Wrote {page}", highlight=False, markup=False, soft_wrap=True)


def _print(console: Any, found: Any) -> None:
    from rich.table import Table

    from fathom.backtests.experiments.ablation_page import sentence
    from fathom.pages.formats import integer, number, percent

    currency = found.full.currency
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("Without")
    for head in (f"Net, {currency}", "The part adds", "95 % interval", "Max drawdown", "Trades", "Won"):
        table.add_column(head, justify="right")
    for row in found.rows:
        low, high = (number(value, signed=True) for value in row.effect[1:])
        table.add_row(
            row.variant.part or "nothing (full)",
            number(row.net, signed=True),
            number(row.effect.value, signed=True) if row.variant.part else "",
            f"[{low}, {high}]" if row.variant.part else "",
            percent(row.max_drawdown),
            integer(row.trades),
            percent(row.win_rate, 1),
        )
    console.print(table, highlight=False, markup=False)
    console.print()
    for row in found.rows[1:]:
        console.print(sentence(row, currency), highlight=False, markup=False)
