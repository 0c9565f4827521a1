"""`fathom backtest report`: the pages of existing runs, made again."""

import click

from fathom.commands.console import Terminal, command


@command(kept="Pages that were made stay.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
def report(terminal: Terminal, runs: tuple[str, ...]) -> None:
    """Make tearsheet.html and execution.html of existing runs again.

    RUN is a run directory, or its name in fathom-out/runs. The pages are made from the files of the run; nothing is
    simulated again, and no other file is touched.

    \b
    Example:
      fathom backtest report momentum-1a2b3c4d
    """
    from fathom.backtests.reports.report import find_run, write_pages

    pages = []
    with terminal.progress() as bars:
        for files in [find_run(text) for text in runs]:
            pages += write_pages(files.path)
            bars.step("Making pages", total=len(runs))
    terminal.answer({"pages": pages})
    for page in pages:
        terminal.say(page)
