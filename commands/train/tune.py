"""`fathom train tune`: a search for better settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fathom.settings.errors import FathomError

if TYPE_CHECKING:
    from fathom.ml.training.tuning import Tried


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of the study; tuning/<name of the study> otherwise.",
)
@click.option("--trials", type=click.IntRange(min=1), help="Change the number of trials of the file.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes at work.")
@click.option("--json", "as_json", is_flag=True, help="Print the trials as JSON.")
def tune(config: Path, out: Path | None, trials: int | None, workers: int, as_json: bool) -> None:
    """Search for better settings of a training: its features, label, net and optimiser.

    CONFIG names a training and, for each setting that varies, what it may be (see configs/tuning/edge.toml). Trials
    are drawn by TPE; those below the median at the same epoch are stopped. The study is a folder: the same command goes
    on with it, after a kill too, and in several shells at once. No trial reads the held-out tail of the span, and every
    trial is counted in the trial ledger of the dataset. Test the winner with `fathom train run`, once.

    \b
    Example:
      fathom train tune configs/tuning/edge.toml --workers 2
    """
    import json

    import msgspec
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from fathom.ml.training.tune_config import load_tune_config

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        settings = load_tune_config(config)
        if trials is not None:
            settings = msgspec.structs.replace(settings, trials=trials)
        folder = out or Path("tuning") / settings.name
        from fathom.ml.training.tuning import open_study, ranked
        from fathom.ml.training.tuning import tune as search

        if workers > 1:
            _together(config, folder, settings.trials, workers)
            found = ranked(open_study(folder, settings.name))
        else:
            with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task(settings.name, total=settings.trials)
                found = search(settings, folder, on_trial=lambda tried: bar.update(task, completed=tried.number + 1))
    except (FathomError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(one) for one in found], indent=1))
        return
    _print(found, settings.training, folder)


def _together(config: Path, folder: Path, trials: int, workers: int) -> None:
    # Processes of their own: torch's threads and seeds are global to one.
    import subprocess
    import sys

    command = [sys.executable, "-m", "fathom.ml.training.tuning_worker", str(config), str(folder), str(trials)]
    running = [subprocess.Popen([*command, str(number)]) for number in range(workers)]
    try:
        codes = [process.wait() for process in running]
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
    if any(codes):
        raise click.ClickException("Expected every worker to end well, was not; what it said stands above.")


def _print(found: "list[Tried]", training: str, folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from fathom.settings.toml import toml_value

    shown = Table("trial", "state", "skill", "settings")
    for one in found[:20]:
        skill = "-" if one.skill is None else f"{one.skill:+.4f}"
        shown.add_row(str(one.number), one.state, skill, _settings(one.chosen) + (f" ({one.note})" if one.note else ""))
    console = Console(soft_wrap=True)
    console.print(shown)
    counts = {state: sum(one.state == state for one in found) for state in sorted({one.state for one in found})}
    click.echo(f"{', '.join(f'{count} {state}' for state, count in counts.items())} in {folder}")
    if found and found[0].state == "complete":
        options = " ".join(f"--set '{name}={toml_value(value)}'" for name, value in found[0].chosen.items())
        click.echo(f"Test the best on the tail that no trial has seen:\n  fathom train run {training} {options}")


def _settings(chosen: dict[str, Any]) -> str:
    from fathom.settings.toml import toml_value

    return ", ".join(f"{name}={toml_value(value)}" for name, value in chosen.items())
