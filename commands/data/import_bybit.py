"""The command `fathom data import bybit`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fathom.commands.data.refusals import refusals

if TYPE_CHECKING:
    from fathom.data_catalog.ingest.bybit import Imported


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--catalog", "catalog_path", required=True, type=click.Path(file_okay=False, path_type=Path), help="Catalog folder."
)
@click.option(
    "--instruments",
    "instruments_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Bybit's instruments-info JSON, or a .toml (see above). Default: what the catalog holds, then "
    "configs/system/instruments.toml.",
)
@click.option(
    "--latency-ms",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Feed latency: how long after the venue's stamp your system would have known a message (ts_init = ts + this).",
)
@click.option(
    "--max-clock-step-ms",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="How far a stamp may lie before the one before it; more is an error.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def bybit(
    files: tuple[Path, ...],
    catalog_path: Path,
    instruments_path: Path | None,
    latency_ms: float,
    max_clock_step_ms: float,
    as_json: bool,
) -> None:
    """Import Bybit's public archive FILES: order books of any depth, and trades.

    Order books are zips named like 2024-12-01_XRPUSDT_ob500.data.zip, trades like XRPUSDT2024-12-01.csv.gz, with or
    without an RPI column (the flag is kept). Each file is imported as a whole or not at all; one that was imported
    before is skipped, and one that overlaps other data of its instrument is refused.

    \b
    Example:
      fathom data import bybit 2024-12-01_XRPUSDT_ob500.data.zip XRPUSDT2024-12-01.csv.gz --catalog catalog
    \b
    An instruments file:
      [[instrument]]
      symbol = "XRPUSDT"
      base = "XRP"
      quote = "USDT"
      tick = "0.0001"           # price increment; its text also sets the decimals shown
      lot = "1"                 # size increment
      maker_fee = "0.0002"      # optional, a fraction: 2 basis points
      taker_fee = "0.00055"     # optional
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.ingest.bybit import import_archive, plan
    from fathom.data_catalog.ingest.bybit_book import Timing
    from fathom.data_catalog.instruments import load_instruments

    catalog = Catalog(catalog_path)
    timing = Timing(round(latency_ms * 1e6), round(max_clock_step_ms * 1e6))
    done: list[Imported] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with refusals():
        planned = plan(files, catalog, load_instruments(instruments_path) if instruments_path else None)
        try:
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("", total=sum(archive.path.stat().st_size for archive, _ in planned))
                for archive, instrument in planned:
                    progress.update(task, description=archive.path.name)
                    done.append(
                        import_archive(archive, instrument, catalog, timing, lambda size: progress.advance(task, size))
                    )
        finally:  # files before a bad one stay imported
            if as_json:
                _print_json(done)
            elif done:
                _print_table(done)


def _print_json(done: "list[Imported]") -> None:
    import json
    from dataclasses import asdict

    rows = [
        asdict(one.entry) | {"secs": one.secs, "rows_per_sec": one.rows_per_sec, "already": one.already} for one in done
    ]
    click.echo(json.dumps(rows, indent=1))


def _print_table(done: "list[Imported]") -> None:
    from rich.console import Console
    from rich.table import Table

    from fathom.data_catalog.store.layout import time_text

    table = Table("file", "rows", "from", "to", "took", "rows/s", box=None, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    for number in (1, 4, 5):
        table.columns[number].justify = "right"
    for one in done:
        entry = one.entry
        speed = ("already imported", "") if one.already else (f"{one.secs:.2f} s", f"{one.rows_per_sec:,.0f}")
        span = time_text(entry.first_ns), time_text(entry.last_ns)
        table.add_row(entry.file, f"{entry.rows:,}", *span, *speed)
    console = Console()
    console.width = max(console.width, 132)  # a wide table reads better broken by the terminal than cut off
    console.print(table)
    for one in done:
        for warning in one.entry.warnings:
            console.print(f"{one.entry.file}: {warning}", style="yellow")
