"""`fathom backtest compare`: the figures of several runs side by side."""

from pathlib import Path

import click

from fathom.commands.console import Terminal, command, page_option


@command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@page_option("Also write a page of the curves.")
def compare(terminal: Terminal, runs: tuple[str, ...], html: Path | None) -> None:
    """Compare the figures, curves and configurations of runs.

    RUN is a run directory, or its name in fathom-out/runs. Figures that a run does not define (no trades, a span under
    30 days) are shown as a dash, and are null in JSON.

    \b
    Example:
      fathom backtest compare momentum-1a2b3c4d momentum-5e6f7a8b --html compare.html
    """
    from fathom.backtests.account.performance import load
    from fathom.backtests.reports.comparison import MEASURES, cautions, comparison_html, differences, figures, labels
    from fathom.backtests.reports.report import find_run
    from fathom.settings.whole_files import write_whole

    loaded = []
    with terminal.progress() as bars:
        for files in [find_run(text) for text in runs]:
            loaded.append(load(files))
            bars.step("Reading runs", total=len(runs))
    if html is not None:
        write_whole(html, comparison_html(loaded))
    names, differing = labels(loaded), differences([run.config for run in loaded])
    terminal.answer({"runs": figures(loaded), "cautions": list(cautions(loaded)), "differences": dict(differing)})
    rows = [(measure.label, *(measure.show(measure.read(run)) for run in loaded)) for measure in MEASURES]
    terminal.table(("", *names), rows)
    if differing:
        terminal.say()
        terminal.table(("Configuration", *names), [(key, *values) for key, values in differing])
    terminal.say()
    for text in cautions(loaded):
        terminal.warn(f"! {text}")
    if html is not None:
        terminal.note(f"Wrote {html}")
