"""The commands `fathom data download ...`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fathom.data_catalog.errors import DownloadError
from fathom.data_catalog.ingest.archive_files import BOOKS_URL, DEPTHS, TRADES_URL, bybit_files, read_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

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
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
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


@download.command(short_help="Files of Bybit's public archive: order books and trades of a linear perpetual.")
@click.argument("symbol")
@click.option("--from", "first", type=DAY, required=True, metavar="DATE", help="First day (UTC), such as 2024-12-01.")
@click.option("--to", "last", type=DAY, required=True, metavar="DATE", help="Last day (UTC), included.")
@click.option("--books", is_flag=True, help="The order books. Neither --books nor --trades means both.")
@click.option("--trades", is_flag=True, help="The trades.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("archive"), show_default=True)
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
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_configured,
    is_eager=True,
    expose_value=False,
    help="TOML file with out, depths, books_url, trades_url, attempts; options and environment win over it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON lines instead of a table.")
@click.option(
    "--catalog", type=click.Path(path_type=Path, file_okay=False), help="Import the files into it afterwards."
)
@click.option(
    "--instruments",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="For the import: Bybit's instruments-info JSON, or a TOML of tick and lot.",
)
@click.pass_context
def bybit(
    ctx: click.Context,
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
    as_json: bool,
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
    from rich.console import Console

    from fathom.data_catalog.ingest.download import Patience

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
    console = Console(stderr=True)
    try:
        _bring(out, Patience(attempts=attempts), files, outcomes, console)
    except KeyboardInterrupt:
        _report(outcomes, len(files), out, as_json)
        console.print("Stopped. Run the same command again: it goes on from here.")
        raise click.exceptions.Exit(130) from None
    _report(outcomes, len(files), out, as_json)
    paths = tuple(outcome.path for outcome in outcomes if outcome.path is not None)
    if catalog is not None and paths:
        from fathom.commands.data.import_bybit import bybit as import_bybit

        ctx.invoke(import_bybit, files=paths, catalog_path=catalog, instruments_path=instruments, as_json=as_json)
    if not all(outcome.ok for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _bring(out: Path, patience: Any, files: "Sequence[Any]", outcomes: "list[Outcome]", console: "Console") -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from fathom.data_catalog.ingest.download import Download

    days = Progress(TextColumn("files"), BarColumn(), MofNCompleteColumn())
    bytes_ = Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    )
    whole = days.add_task("", total=len(files))
    tasks: dict[str, Any] = {}

    def show(name: str, done: int, total: int | None) -> None:
        if name not in tasks:
            for task in tasks.values():
                bytes_.remove_task(task)
            tasks.clear()
            tasks[name] = bytes_.add_task(name, total=total)
        bytes_.update(tasks[name], completed=done, total=total)

    with Live(Group(bytes_, days), console=console, transient=True), Download(out, patience) as download:
        for outcome in download.bring(files, show):
            outcomes.append(outcome)
            days.advance(whole)


def _report(outcomes: "Sequence[Outcome]", wanted: int, out: Path, as_json: bool) -> None:
    if as_json:
        import msgspec

        for outcome in outcomes:
            click.echo(msgspec.json.encode(outcome, enc_hook=str))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("day", "kind", "outcome", "bytes", "file or reason", box=box.SIMPLE_HEAD)
    table.columns[3].justify = "right"
    for outcome in outcomes:
        words = {"absent": "no file for that day"}.get(outcome.status, outcome.status)
        place = outcome.path.name if outcome.path else outcome.detail
        table.add_row(outcome.day.isoformat(), outcome.kind, words, f"{outcome.size:,}" if outcome.size else "", place)
    console = Console()
    console.print(table)
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in _STATUSES}
    stated = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    console.print(f"{out}: {stated or 'nothing'}; {len(outcomes)} of {wanted} files decided.")


_STATUSES = ("downloaded", "kept", "absent", "failed")
