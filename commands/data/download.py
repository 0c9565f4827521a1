"""The commands `fathom data download ...`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fathom.commands.console import FILE, FOLDER, KNOWN_FILE, Command, Terminal, out_option
from fathom.data_catalog.errors import DownloadError
from fathom.data_catalog.ingest.archive_files import BOOKS_URL, DEPTHS, TRADES_URL, bybit_files, read_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fathom.data_catalog.ingest.bybit import Imported
    from fathom.data_catalog.ingest.download import Outcome

DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def download() -> None:
    """Fetch a venue's public archive files, day by day.

    \b
    Example:
      fathom data download bybit BTCUSDT --from 2024-12-01 --to 2024-12-03 --out archive
    """


def _depths(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"Expected depths such as 500,200, was '{value}'.")
    return tuple(int(part) for part in parts)


def _configured(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """Take the defaults of the other options from the file; it is read first (`is_eager`)."""
    if value is None:
        return None
    try:
        config = read_config(value.read_bytes(), value)
    except OSError as error:
        raise click.BadParameter(f"Expected a readable file, was {value}: {error.strerror}.") from error
    except DownloadError as error:
        raise click.BadParameter(str(error)) from error
    found = {name: setting for name in config.__struct_fields__ if (setting := getattr(config, name)) is not None}
    if "depths" in found:
        found["depths"] = ",".join(map(str, found["depths"]))
    ctx.default_map = {**(ctx.default_map or {}), **found}
    return value


@download.command(
    "bybit",
    cls=Command,
    kept="Complete files stay; the same command goes on with the rest.",
    short_help="Files of Bybit's public archive: order books and trades of a linear perpetual.",
)
@click.argument("symbol")
@click.option("--from", "first", type=DAY, required=True, metavar="DATE", help="First day (UTC), such as 2024-12-01.")
@click.option("--to", "last", type=DAY, required=True, metavar="DATE", help="Last day (UTC), included.")
@click.option("--books", is_flag=True, help="The order books. Neither --books nor --trades means both.")
@click.option("--trades", is_flag=True, help="The trades.")
@out_option("archive", "Folder of the files")
@click.option(
    "--depths",
    callback=_depths,
    default=",".join(map(str, DEPTHS)),
    show_default=True,
    help="Book depths to ask for, the first that exists is taken. Bybit published ob500 until 2025-08-20, ob200 since.",
)
@click.option(
    "--books-url",
    envvar="FATHOM_BYBIT_BOOKS_URL",
    show_envvar=True,
    default=BOOKS_URL,
    show_default=True,
    help="SYMBOL/DATE_SYMBOL_obDEPTH.data.zip is looked for below this address.",
)
@click.option(
    "--trades-url",
    envvar="FATHOM_BYBIT_TRADES_URL",
    show_envvar=True,
    default=TRADES_URL,
    show_default=True,
    help="SYMBOL/SYMBOLDATE.csv.gz is looked for below this address.",
)
@click.option("--attempts", type=click.IntRange(1), default=6, show_default=True, help="Attempts without any progress.")
@click.option(
    "--config",
    type=FILE,
    callback=_configured,
    is_eager=True,
    expose_value=False,
    help="TOML file with out, depths, books_url, trades_url, attempts; options and environment win over it.",
)
@click.option(
    "--print-config", is_flag=True, help="Print the settings of the download and their meaning, and do nothing else."
)
@click.option("--catalog", type=FOLDER, metavar="DIR", help="Import the files into it afterwards.")
@click.option(
    "--instruments", type=KNOWN_FILE, help="For the import: Bybit's instruments-info JSON, or a TOML of tick and lot."
)
def bybit(
    terminal: Terminal,
    symbol: str,
    first: datetime,
    last: datetime,
    books: bool,
    trades: bool,
    out: Path,
    depths: tuple[int, ...],
    books_url: str,
    trades_url: str,
    attempts: int,
    catalog: Path | None,
    instruments: Path | None,
) -> None:
    """Download daily files of SYMBOL from Bybit's public archive.

    A file gets its name only when its size is the one that the server states and every checksum in it fits. Stop with
    Ctrl-C at any time: the same command goes on from there, and skips what is complete. A busy server (429, 5xx) or a
    broken connection is tried again, after growing waits. A day for which the server has no file (404) is listed and
    is no error.

    \b
    Example:
      fathom data download bybit BTCUSDT --from 2024-12-01 --to 2024-12-03 --out archive
      fathom data import bybit archive/* --catalog catalog
    or, in one step, the first with --catalog catalog.

    Exit code: 0 if every day is there or the server has none; 1 if a day failed; 130 after Ctrl-C.
    """
    from fathom.commands.data.import_bybit import import_files
    from fathom.data_catalog.ingest.archive_files import DownloadConfig
    from fathom.data_catalog.ingest.download import Download, Patience

    terminal.show_config(DownloadConfig(books_url, trades_url, depths, attempts, str(out)))
    both = books == trades
    try:
        files = bybit_files(
            symbol,
            first.date(),
            last.date(),
            books=books or both,
            trades=trades or both,
            depths=depths,
            books_url=books_url,
            trades_url=trades_url,
        )
    except DownloadError as error:
        raise click.UsageError(str(error)) from error
    outcomes: list[Outcome] = []
    imported: list[Imported] = []
    try:
        with terminal.progress() as bars, Download(out, Patience(attempts=attempts)) as download:
            for outcome in download.bring(files, bars):
                outcomes.append(outcome)
                bars.step("files", total=len(files))
    finally:
        _print(terminal, outcomes, len(files), out)
    paths = tuple(outcome.path for outcome in outcomes if outcome.path is not None)
    try:
        if catalog is not None and paths:
            import_files(terminal, paths, catalog, instruments, imported)
    finally:
        terminal.answer({"files": outcomes, "imported": [each.content for each in imported]})
    if not all(outcome.ok for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _print(terminal: Terminal, outcomes: "Sequence[Outcome]", wanted: int, out: Path) -> None:
    rows = []
    for outcome in outcomes:
        words = {"absent": "no file for that day"}.get(outcome.status, outcome.status)
        place = outcome.path.name if outcome.path else outcome.detail
        size = f"{outcome.size:,}" if outcome.size else ""
        rows.append((outcome.day.isoformat(), outcome.kind, words, size, place))
    terminal.table(("day", "kind", "outcome", "bytes", "file or reason"), rows)
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in _STATUSES}
    stated = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    terminal.say(f"{out}: {stated or 'nothing'}; {len(outcomes)} of {wanted} files decided.")


_STATUSES = ("downloaded", "kept", "absent", "failed")
