"""The command `fathom data import bybit`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fathom.commands.console import KNOWN_FILE, Terminal, catalog_option, command

if TYPE_CHECKING:
    from fathom.data_catalog.ingest.bybit import Imported


@command(kept="Finished files stay imported; the same command goes on with the rest.")
@click.argument("files", nargs=-1, required=True, type=KNOWN_FILE)
@catalog_option()
@click.option(
    "--instruments",
    type=KNOWN_FILE,
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
@click.option("--strict", is_flag=True, help="Refuse a file with a fault that else is only told (see above).")
def bybit(
    terminal: Terminal,
    files: tuple[Path, ...],
    catalog: Path,
    instruments: Path | None,
    latency_ms: float,
    max_clock_step_ms: float,
    strict: bool,
) -> None:
    """Import Bybit's public archive FILES: order books of any depth, and trades.

    Order books are zips named like 2024-12-01_XRPUSDT_ob500.data.zip, trades like XRPUSDT2024-12-01.csv.gz, with or
    without an RPI column (the flag is kept). Each file is imported as a whole or not at all; one that was imported
    before is skipped, and one that overlaps other data of its instrument is refused. An empty file is
    told and left out.

    Faults are told with line and value: missing update ids, sequences that go back, trade ids that stand twice, stamps
    of another day than the file's name, snapshots that are crossed or have one side only. After missing ids or such a
    snapshot the book is unsure until the next good snapshot: nothing of it is imported until then, the engine has no
    market there, features are NaN and detectors silent. --strict refuses the file instead.

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
    imported: list[Imported] = []
    try:
        import_files(terminal, files, catalog, instruments, imported, latency_ms, max_clock_step_ms, strict=strict)
    finally:
        terminal.answer([each.content for each in imported])


def import_files(
    terminal: Terminal,
    files: tuple[Path, ...],
    folder: Path,
    instruments: Path | None,
    imported: "list[Imported]",
    latency_ms: float = 0.0,
    max_clock_step_ms: float = 10.0,
    *,
    strict: bool = False,
) -> None:
    """Import archive files, add each to `imported` and print them; files before a bad one stay imported."""
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.errors import EmptyFileError
    from fathom.data_catalog.ingest.bybit import import_archive, plan
    from fathom.data_catalog.ingest.bybit_book import Timing
    from fathom.data_catalog.instruments import load_instruments

    catalog, timing = Catalog(folder), Timing(round(latency_ms * 1e6), round(max_clock_step_ms * 1e6))
    empty: list[EmptyFileError] = []
    planned = plan(files, catalog, load_instruments(instruments) if instruments else None)
    try:
        with terminal.progress() as bars:
            for archive, instrument in planned:
                name, size = archive.path.name, archive.path.stat().st_size

                def show(count: int, name: str = name, size: int = size) -> None:
                    bars.step(name, count, total=size)

                try:
                    imported.append(import_archive(archive, instrument, catalog, timing, show, strict=strict))
                except EmptyFileError as error:  # a day without trades
                    if strict:
                        raise
                    empty.append(error)
    finally:
        _print(terminal, imported)
        for none in empty:
            terminal.warn(f"{none} Nothing of it was imported.")
    if empty and not imported:
        raise empty[0]


def _print(terminal: Terminal, imported: "list[Imported]") -> None:
    from fathom.settings.times import time_text

    if not imported:
        return
    rows = []
    for each in imported:
        entry = each.entry
        speed = ("already imported", "") if each.already else (f"{each.secs:.2f} s", f"{each.rows_per_sec:,.0f}")
        rows.append((entry.file, f"{entry.rows:,}", time_text(entry.first_ns), time_text(entry.last_ns), *speed))
    terminal.table(("file", "rows", "from", "to", "took", "rows/s"), rows)
    for name in dict.fromkeys(each.entry.instrument_id for each in imported):
        kind = {"LINEAR": ", a linear perpetual", "SPOT": ", a spot pair"}.get(name[:-6].rpartition("-")[2], "")
        terminal.say(f"Bybit's files do not say their product: these were taken for {name}{kind}.")
    for each in imported:
        for warning in each.entry.warnings:
            terminal.warn(f"{each.entry.file}: {warning}")
