"""Making the pages of a run directory, and finding run directories by path or by name."""

from pathlib import Path

from fathom.backtests.setup.run_files import RunFiles
from fathom.settings.home import output
from fathom.settings.nearest import did_you_mean
from fathom.settings.whole_files import write_whole


def write_pages(folder: Path, run_id: str | None = None) -> list[Path]:
    """Write `tearsheet.html` and `execution.html` of a run directory, each whole or not at all; return their paths.

    `run_id` is the name that the pages show, by default the name of the directory.
    """
    from fathom.backtests.account.performance import load
    from fathom.backtests.reports.execution_page import execution_html
    from fathom.backtests.reports.tearsheet import tearsheet_html

    run = load(RunFiles(folder), run_id)
    pages = {"tearsheet.html": tearsheet_html(run), "execution.html": execution_html(run)}
    return [write_whole(folder / name, text) for name, text in pages.items()]


def find_run(text: str, runs: Path | None = None) -> RunFiles:
    """Return the run directory at the path `text`, or of that name in `runs`, by default `output("runs")`.

    Raises
    ------
    FileNotFoundError
        If there is none, naming the nearest.
    """
    runs = runs or output("runs")
    for path in (Path(text), runs / text):
        if (path / "summary.json").is_file():
            return RunFiles(path)
    known = sorted(path.parent.name for path in runs.glob("*/summary.json"))
    hint = did_you_mean(Path(text).name, known) or " `fathom backtest run` makes one."
    where = f"a run directory (with a summary.json) or the name of one in {runs}"
    raise FileNotFoundError(f"Expected {where}, was '{text}'.{hint}")
