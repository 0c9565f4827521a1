"""The command `fathom train walk-forward`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fathom.settings.errors import FathomError

if TYPE_CHECKING:
    from fathom.ml.training.summary import Summary


@click.command(name="walk-forward", no_args_is_help=True)
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of the run; runs/<name of the configuration> otherwise.",
)
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one value of the file; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def walk_forward(config: Path, out: Path | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Fit every net and every baseline of a TOML file on each fold, and test them on what comes after.

    Training, validation and test spans are cut from each other by an embargo longer than window and horizon. Results
    are out of sample only, per fold and stitched together, with block-bootstrap intervals. A run that is stopped goes
    on where it was when it is called again with the same --out. Before anything is fitted the inputs are checked for
    knowledge of the future. Every new model is written to the trial ledger.

    Into --out go summary.json, report.html and, for each fold and model, its answers.

    \b
    Example:
      fathom data simulate configs/simulation/null.toml --catalog catalog/null --seed 1 --duration 12h
      fathom train walk-forward configs/training/null.toml
      fathom train walk-forward configs/training/null.toml --out runs/long --set label.horizon_secs=60
    """
    from fathom.ml.samples.leak_check import check
    from fathom.ml.samples.preparation import prepare, table_config
    from fathom.ml.training.config import TrainingConfig
    from fathom.ml.training.page import write_page
    from fathom.ml.training.summary import as_json as plain
    from fathom.ml.training.summary import summarise, write_summary
    from fathom.ml.training.walk_forward import walk_forward as run_all
    from fathom.settings.toml import read

    try:
        settings = read(TrainingConfig, config, changes)
        folder = out or Path("runs") / settings.name
        with _progress() as say:
            arrays = prepare(settings.data, say)
            say("leak check", 0, 1)
            leak = check(
                arrays, table_config(settings.data), horizon=max(settings.label.horizon_ns // arrays.grid_ns, 1)
            )
            say("leak check", 1, 1)
            run = run_all(settings, arrays, folder, on_progress=say)
            say("scores", 0, 1)
            summary = summarise(run, leak)
            say("scores", 1, 1)
        write_summary(summary, folder / "summary.json")
        write_page(summary, folder / "report.html")
    except (FathomError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(plain(summary)), indent=1).decode())
    else:
        _print(summary, folder)
    if not leak.passed:
        raise click.ClickException(f"{leak.sentence()} The results are worth nothing; see {folder}/report.html.")


@contextmanager
def _progress() -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def say(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield say


def _print(summary: "Summary", folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from fathom.ml.training.page import interval_text

    console = Console()
    table = Table(
        title=f"{summary.run.config.name}: out of sample, {len(summary.run.folds)} folds", title_justify="left"
    )
    for name in ("model", "accuracy", "MCC", "AUC", "ECE", "trades", "net bps a trade"):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=name == "model")
    for model in summary.models:
        scores = [
            interval_text(model.stitched.interval(name, summary.level), digits)
            for name, digits in (("accuracy", 3), ("mcc", 3), ("auc", 3), ("ece", 3), ("trades", 0))
        ]
        net = interval_text(model.stitched.interval("net_bps_per_trade", summary.level), 2)
        table.add_row(model.name, *scores[:-1], f"{model.stitched.values['trades']:,.0f}", net)
    console.width = max(console.width, 120)  # an interval that is cut off is of no use
    console.print(table)
    console.print(f"{summary.level:.0%} intervals, block bootstrap. {summary.leak.sentence()}", highlight=False)
    console.print(f"{summary.run.trials} models were ever tried on this dataset. {folder}/report.html", highlight=False)
