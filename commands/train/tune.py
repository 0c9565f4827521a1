"""`fathom train tune`: a search for better settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fathom.commands.console import FILE, Terminal, command, config_options, jobs_option, own_out_option

if TYPE_CHECKING:
    from fathom.ml.training.tuning import Tried


@command(kept="Finished trials stay; the same command goes on with the study.")
@click.argument("config", type=FILE)
@own_out_option("tuning")
@click.option("--trials", type=click.IntRange(min=1), help="Change the number of trials of the file.")
@jobs_option("Processes at work.")
@config_options
def tune(
    terminal: Terminal, config: Path, out: Path | None, trials: int | None, jobs: int, changes: tuple[str, ...]
) -> None:
    """Search for better settings of a training: its features, label, net and optimiser.

    CONFIG names a training and, for each setting that varies, what it may be (see configs/tuning/edge.toml). Trials
    are drawn by TPE; those below the median at the same epoch are stopped. The study is a folder: the same command goes
    on with it, after a kill too, and in several shells at once. No trial reads the held-out tail of the span, and every
    trial is counted in the trial ledger of the dataset. Test the winner with `fathom train run`, once.

    \b
    Example:
      fathom train tune configs/tuning/edge.toml --jobs 2
    """
    from fathom.ml.training.tune_config import load_tune_config
    from fathom.settings.home import output

    changes = changes if trials is None else (*changes, f"trials={trials}")
    settings = load_tune_config(config, changes)
    terminal.show_config(settings)
    folder = out or output("tuning") / settings.name
    from fathom.ml.training.tuning import open_study, ranked
    from fathom.ml.training.tuning import tune as search

    if jobs > 1:
        _together(terminal, config, folder, changes, jobs)
        tried = ranked(open_study(folder, settings.name))
    else:
        with terminal.progress() as bars:
            tried = search(
                settings, folder, on_trial=lambda trial: bars(settings.name, trial.number + 1, settings.trials)
            )
    terminal.answer(tried)
    _print(terminal, tried, settings.training, folder)


def _together(terminal: Terminal, config: Path, folder: Path, changes: tuple[str, ...], jobs: int) -> None:
    # Processes of their own: torch's threads and seeds are global to one.
    import subprocess
    import sys

    command = [sys.executable, "-m", "fathom.ml.training.tuning_worker", str(config), str(folder)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        running.extend(subprocess.Popen([*command, str(number), *changes]) for number in range(jobs))
        codes = [process.wait() for process in running]
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
                process.wait()
    # A worker that was killed left its trials to the others: the study is whole where one of them ended well.
    if any(code > 0 for code in codes) or not any(code == 0 for code in codes):
        raise click.ClickException("Expected every worker to end well, was not; what it said stands above.")
    if killed := sum(code < 0 for code in codes):
        terminal.warn(f"{killed} of {jobs} workers was killed; the others took up what it left.")


def _print(terminal: Terminal, tried: "list[Tried]", training: str, folder: Path) -> None:
    from fathom.settings.toml import toml_value

    rows = []
    for trial in tried[:20]:
        skill = "-" if trial.skill is None else f"{trial.skill:+.4f}"
        rows.append((trial.number, trial.state, skill, _settings(trial.chosen) + f" ({trial.note})" * bool(trial.note)))
    terminal.table(("trial", "state", "skill", "settings"), rows)
    counts = {state: sum(trial.state == state for trial in tried) for state in sorted({trial.state for trial in tried})}
    terminal.say(f"{', '.join(f'{count} {state}' for state, count in counts.items())} in {folder}")
    if tried and tried[0].state == "complete":
        options = " ".join(f"--set '{name}={toml_value(value)}'" for name, value in tried[0].chosen.items())
        terminal.say(f"Test the best on the tail that no trial has seen:\n  fathom train run {training} {options}")


def _settings(chosen: dict[str, Any]) -> str:
    from fathom.settings.toml import toml_value

    return ", ".join(f"{name}={toml_value(value)}" for name, value in chosen.items())
