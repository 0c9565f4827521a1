"""`fathom backtest compare`: the figures of several runs side by side."""

from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page of the curves."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead of a table.")
def compare(runs: tuple[str, ...], page: Path | None, as_json: bool) -> None:
    """Compare the figures, curves and configurations of runs.

    RUN is a run directory, or its name in ./runs. Figures that a run does not define (no trades, a span under 30 days)
    are shown as a dash, and are null in JSON.

    \b
    Example:
      fathom backtest compare runs/momentum-1a2b3c4d runs/momentum-5e6f7a8b --html compare.html
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track
    from rich.table import Table

    from fathom.backtests.account.performance import load
    from fathom.backtests.reports.comparison import MEASURES, cautions, comparison_html, differences, figures, labels
    from fathom.backtests.reports.report import find_run, write_whole

    errors = Console(stderr=True)
    try:
        found = [find_run(text) for text in runs]
        loaded = [
            load(files) for files in track(found, "Reading runs", console=errors, transient=True, disable=as_json)
        ]
    except (FileNotFoundError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if page is not None:
        write_whole(page, comparison_html(loaded))
    if as_json:
        from fathom.backtests.setup.run_files import dump_json

        content = {"runs": figures(loaded), "cautions": list(cautions(loaded))}
        click.echo(dump_json(content | {"differences": dict(differences([run.config for run in loaded]))}))
        return
    console = Console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for label in labels(loaded):
        table.add_column(label, justify="right", overflow="fold")
    for measure in MEASURES:
        table.add_row(measure.label, *(measure.show(measure.read(run)) for run in loaded))
    console.print(table)
    differing = differences([run.config for run in loaded])
    if differing:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for head in ("\nConfiguration", *(f"\n{label}" for label in labels(loaded))):
            table.add_column(head, overflow="fold")
        for key, values in differing:
            table.add_row(*(escape(text) for text in (key, *values)))
        console.print(table)
    console.print()
    for text in cautions(loaded):
        console.print(f"! {text}", style="yellow", highlight=False, markup=False)
    if page is not None:
        errors.print(f"Wrote {page}", highlight=False, markup=False)
