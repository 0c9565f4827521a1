"""`fathom backtest ablate`: the same backtest with and without each of its parts."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fathom.commands.console import Terminal, command, config_options, jobs_option, out_option

if TYPE_CHECKING:
    from fathom.backtests.experiments.ablation import Ablation


@command(no_args_is_help=True, kept="Finished backtests stay; the same command goes on with what is left.")
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CONFIG...")
@out_option("runs", "Folder of runs; the ablation gets a folder of its own in it")
@config_options
@jobs_option("Backtests at a time.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the bootstrap.")
def ablate(
    terminal: Terminal, configs: tuple[Path, ...], out: Path, changes: tuple[str, ...], jobs: int, seed: int
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
    from fathom.backtests.experiments import ablation
    from fathom.backtests.experiments.ablation_page import ablation_html
    from fathom.backtests.setup.config import load
    from fathom.backtests.setup.run_files import dump_json
    from fathom.settings.whole_files import write_whole

    resolved = load(configs, changes)
    terminal.show_config(resolved.config, **resolved.shown)
    variants, name = ablation.plan(configs, changes)
    folder = out / name
    with terminal.progress() as bars:

        def tell(name: str, before: bool) -> None:
            bars.step("Backtests", total=len(variants), note=f"{name}{' (done before)' if before else ''}")

        measured = ablation.ablate(variants, folder, jobs=jobs, seed=seed, progress=tell)
    content = ablation.as_json(measured)
    page = write_whole(folder / "ablation.html", ablation_html(measured))
    write_whole(folder / "ablation.json", dump_json(content))
    terminal.answer(content)
    _print(terminal, measured)
    terminal.note(f"Wrote {page}")


def _print(terminal: Terminal, measured: "Ablation") -> None:
    from fathom.backtests.experiments.ablation_page import sentence
    from fathom.pages.formats import integer, number, percent

    for note in measured.in_sample:
        terminal.warn(f"Note: {note}")
    currency, rows = measured.full.currency, []
    for row in measured.rows:
        effect, low, high = (number(value, signed=True) for value in row.effect)
        rows.append(
            (
                row.variant.part or "nothing (full)",
                number(row.net, signed=True),
                effect if row.variant.part else "",
                f"[{low}, {high}]" if row.variant.part else "",
                percent(row.max_drawdown),
                integer(row.trades),
                percent(row.win_rate, 1),
            )
        )
    heads = ("Without", f"Net, {currency}", "The part adds", "95 % interval", "Max drawdown", "Trades", "Won")
    terminal.table(heads, rows)
    terminal.say()
    for row in measured.rows[1:]:
        terminal.say(sentence(row, currency))
    terminal.say(measured.trials)
