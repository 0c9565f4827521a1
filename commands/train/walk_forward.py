"""The command `fathom train walk-forward`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fathom.commands.console import FILE, Terminal, command, config_options, own_out_option

if TYPE_CHECKING:
    from fathom.ml.training.summary import Summary


@command("walk-forward", no_args_is_help=True, kept="Finished folds stay; the same command goes on with the rest.")
@click.argument("config", type=FILE)
@own_out_option("walk-forward")
@config_options
def walk_forward(terminal: Terminal, config: Path, out: Path | None, changes: tuple[str, ...]) -> None:
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
      fathom train walk-forward configs/training/null.toml --out long --set label.horizon_secs=60
    """
    from fathom.ml.samples.leak_check import check
    from fathom.ml.samples.preparation import prepare, table_config
    from fathom.ml.training.config import TrainingConfig
    from fathom.ml.training.page import write_page
    from fathom.ml.training.summary import as_json, summarise, write_summary
    from fathom.ml.training.walk_forward import walk_forward as run_all
    from fathom.settings.home import output
    from fathom.settings.toml import read

    settings = read(TrainingConfig, config, changes)
    terminal.show_config(settings)
    folder = out or output("walk-forward") / settings.name
    with terminal.progress() as bars:
        arrays = prepare(settings.data, bars)
        bars("leak check", 0, 1)
        horizon = max(settings.label.horizon_ns // arrays.grid_ns, 1)
        leak = check(arrays, table_config(settings.data), horizon=horizon)
        bars("leak check", 1, 1)
        run = run_all(settings, arrays, folder, on_progress=bars)
        bars("scores", 0, 1)
        summary = summarise(run, leak)
        bars("scores", 1, 1)
    write_summary(summary, folder / "summary.json")
    write_page(summary, folder / "report.html")
    terminal.answer(as_json(summary))
    _print(terminal, summary, folder)
    if not leak.passed:
        raise click.ClickException(f"{leak.sentence()} The results are worth nothing; see {folder}/report.html.")


def _print(terminal: Terminal, summary: "Summary", folder: Path) -> None:
    from fathom.ml.training.page import interval_text

    scores = (("accuracy", 3), ("mcc", 3), ("auc", 3), ("ece", 3), ("trades", 0), ("net_bps_per_trade", 2))
    rows = []
    for model in summary.models:
        cells = {name: interval_text(model.stitched.interval(name, summary.level), digits) for name, digits in scores}
        cells["trades"] = f"{model.stitched.values['trades']:,.0f}"
        rows.append((model.name, *cells.values()))
    title = f"{summary.run.config.name}: out of sample, {len(summary.run.folds)} folds"
    terminal.table(("model", "accuracy", "MCC", "AUC", "ECE", "trades", "net bps a trade"), rows, title=title)
    terminal.say(f"{summary.resampler.sentence(summary.level)} {summary.leak.sentence()}")
    terminal.say(f"{summary.run.trials:,} different things were ever tried on these data. {folder}/report.html")
