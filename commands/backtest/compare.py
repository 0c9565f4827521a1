"""`fathom backtest compare`: the figures of several runs side by side."""

from pathlib import Path

import click

from fathom.commands.console import Terminal, command, page_option


@command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@page_option("Also write a page of the curves.")
@click.option("--sort", metavar="FIGURE", help="Highest of this figure first: its name in --json, such as net.")
def compare(terminal: Terminal, runs: tuple[str, ...], html: Path | None, sort: str | None) -> None:
    """Compare the figures, curves and configurations of runs.

    RUN is a run directory, or its name in fathom-out/runs; a file or a folder that is no run is skipped. Figures that a
    run does not define (no trades, a span under 30 days) are shown as a dash, and are null in JSON.

    \b
    Example:
      fathom backtest compare momentum-1a2b3c4d momentum-5e6f7a8b --html compare.html
      fathom backtest compare fathom-out/runs/* --sort net
    """
    from fathom.backtests.account.performance import load
    from fathom.backtests.reports.comparison import (
        MEASURES,
        cautions,
        comparison_html,
        differences,
        figures,
        labels,
        ranked,
        shown,
    )
    from fathom.backtests.reports.report import find_run
    from fathom.settings.nearest import nearest
    from fathom.settings.whole_files import write_whole

    known = [measure.key for measure in MEASURES]
    if sort is not None and sort not in known:
        raise click.ClickException(f"Expected a figure for --sort, was '{sort}'. {nearest(sort, known)}")
    loaded, skipped = [], []
    with terminal.progress() as bars:
        for text in runs:
            if Path(text).exists() and not (Path(text) / "summary.json").is_file() and len(runs) > 1:
                skipped.append(text)
            else:
                loaded.append(load(find_run(text)))
            bars.step("Reading runs", total=len(runs))
    if not loaded:
        raise click.ClickException(f"Expected run directories (with a summary.json), was none of {', '.join(runs)}.")
    if sort is not None:
        loaded = ranked(loaded, sort)
    if html is not None:
        write_whole(html, comparison_html(loaded))
    names, differing = labels(loaded), differences([run.config for run in loaded])
    terminal.answer(
        {
            "runs": figures(loaded),
            "cautions": list(cautions(loaded)),
            "differences": dict(differing),
            "skipped": skipped,
        }
    )
    terminal.table(("", *names), [(label, *texts) for label, texts in shown(loaded)])
    if differing:
        terminal.say()
        terminal.table(("Configuration", *names), [(key, *values) for key, values in differing])
    terminal.say()
    for text in cautions(loaded):
        terminal.warn(f"! {text}")
    if skipped:
        terminal.warn(f"! Skipped, since they are no runs: {', '.join(skipped)}")
    if html is not None:
        terminal.note(f"Wrote {html}")
