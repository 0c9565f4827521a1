"""`fathom backtest report`: the pages of existing runs, made again."""

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
def report(runs: tuple[str, ...]) -> None:
    """Make tearsheet.html and execution.html of existing runs again.

    RUN is a run directory, or its name in ./runs. The pages are made from the files of the run; nothing is simulated
    again, and no other file is touched.

    \b
    Example:
      fathom backtest report runs/momentum-1a2b3c4d
    """
    from rich.console import Console
    from rich.progress import track

    from fathom.backtests.reports.report import find_run, write_pages

    try:
        found = [find_run(text) for text in runs]
        for files in track(found, "Making pages", console=Console(stderr=True), transient=True):
            for path in write_pages(files.path):
                click.echo(str(path))
    except (FileNotFoundError, ValueError) as error:
        raise click.ClickException(str(error)) from error
