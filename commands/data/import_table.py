"""The commands `fathom data import table` and `fathom data import bars`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fathom.commands.console import KNOWN_FILE, Decorator, Terminal, catalog_option, command

if TYPE_CHECKING:
    from fathom.data_catalog.ingest.cells import TimeUnit
    from fathom.data_catalog.ingest.table_file import Naming

_KEPT = "The catalog stayed as it was."


def _options(function: Callable[..., None]) -> Callable[..., None]:
    options: list[Decorator] = [
        click.option("--instrument", "name", required=True, metavar="ID", help="Id or symbol, as BTCUSD.BITSTAMP."),
        click.option(
            "--instruments", type=KNOWN_FILE, help="Bybit's instruments-info JSON, or a TOML of tick and lot."
        ),
        catalog_option(),
        click.option(
            "--map",
            "mapping",
            multiple=True,
            metavar="NAME=COLUMN",
            help="The file calls NAME so (trades.NAME: that file).",
        ),
        click.option("--ignore", multiple=True, metavar="COLUMN", help="Leave a column out; '*': every other one."),
        click.option(
            "--time-unit",
            type=click.Choice(["s", "ms", "us", "ns"]),
            help="What times count that are plain numbers. Times of a zoneless text or type are UTC.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@command(kept=_KEPT)
@click.option(
    "--book",
    type=KNOWN_FILE,
    help="Book changes: ts_init, side, price, size; optionally ts_event, sequence, is_snapshot, previous.",
)
@click.option(
    "--trades", type=KNOWN_FILE, help="Trades: ts_init, side, price, size, trade_id; optionally ts_event, rpi."
)
@click.option(
    "--preset",
    "presets",
    multiple=True,
    metavar="VENDOR:FILE",
    help="A vendor's file as it comes, one for --book, one for --trades (see above).",
)
@click.option("--strict", is_flag=True, help="Refuse a file with a fault that else is only told (see above).")
@click.option("--continues", is_flag=True, help="The first message changes the book of earlier data in the catalog.")
@_options
def table(
    terminal: Terminal,
    name: str,
    instruments: Path | None,
    catalog: Path,
    mapping: tuple[str, ...],
    ignore: tuple[str, ...],
    time_unit: "TimeUnit | None",
    book: Path | None,
    trades: Path | None,
    continues: bool,
    presets: tuple[str, ...],
    strict: bool,
) -> None:
    """Import book changes and trades from Parquet, CSV or CSV.gz files.

    ts_init is the time at which your system knew of the row; ts_event, if there is one, is the venue's. A row of the
    book table states the new size of a level, 0 deletes it; side is bid or ask (buy, sell). Rows with equal ts_init
    (and sequence) are one message; the first message is taken for the whole book, unless a column is_snapshot marks
    snapshots. A column previous states the sequence of the message before. The side of a trade is its aggressor's: buy
    or sell. Prices and sizes must be multiples of the instrument's tick and lot.

    A file with a wrong value is refused with its place; the catalog then stays as it was. A snapshot that is crossed or
    has one side only, a gap in previous, a snapshot in mid-file (a reconnection), trade ids that stand twice and
    sequences that go back are told with line and value. The book is unsure then until the next good snapshot: see
    `fathom data import bybit --help`. --strict refuses such a file.

    \b
    Presets, for files as the vendor gives them:
      tardis:incremental_book_L2, tardis:book_snapshot (5, 25, ...), tardis:trades
      databento:mbp-10
      binance:depthUpdate (messages, as JSON lines or a table), binance:T_DEPTH, binance:aggTrades
    A level that leaves a ladder of N levels is deleted, as nobody knows whether it still stands.

    \b
    Example:
      fathom data import table --book book.parquet --trades trades.parquet --instrument BTCUSD.BITSTAMP --catalog C
      fathom data import table --trades t.csv.gz --map ts_init=time --map trade_id=id --time-unit ms ...
      fathom data import table --preset tardis:incremental_book_L2 --book BTCUSDT.csv.gz --instrument BTCUSDT ...
    """
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.ingest.table import import_table

    if book is None and trades is None:
        raise click.UsageError("Expected --book FILE, --trades FILE or both, was neither.")
    with terminal.progress() as bars:
        done = import_table(
            Catalog(catalog),
            _instrument(name, instruments, catalog),
            book=book,
            trades=trades,
            naming=_naming(mapping, ignore),
            time_unit=time_unit,
            continues=continues,
            strict=strict,
            presets=presets,
            on_progress=lambda what, share: bars(what, share, 1.0),
        )
    terminal.answer({"catalog": catalog, "imported": done})
    for already in done.already:
        terminal.say(f"{already} had been imported before: nothing to do.")
    for warning in done.warnings:
        terminal.warn(warning)
    terminal.say(f"{catalog}: {done.changes:,} book changes in {done.messages:,} messages, {done.trades:,} trades.")


@command(kept=_KEPT)
@click.argument("file", type=KNOWN_FILE)
@click.option("--bar", required=True, metavar="BARS", help="Such as 1-MINUTE-LAST-EXTERNAL.")
@click.option(
    "--timestamp",
    "stamp",
    type=click.Choice(["open", "close"]),
    required=True,
    help="Which end of the bar the file's timestamp is. The catalog always gets the close.",
)
@click.option(
    "--volume-unit",
    type=click.Choice(["base", "quote"]),
    default="base",
    show_default=True,
    help="quote: divided by the bar's typical price, (high + low + close) / 3, to the nearest lot.",
)
@click.option("--round-volume", is_flag=True, help="Round a volume that is no multiple of the lot.")
@_options
def bars(
    terminal: Terminal,
    name: str,
    instruments: Path | None,
    catalog: Path,
    mapping: tuple[str, ...],
    ignore: tuple[str, ...],
    time_unit: "TimeUnit | None",
    file: Path,
    bar: str,
    stamp: Any,
    volume_unit: Any,
    round_volume: bool,
) -> None:
    """Import bars from a Parquet, CSV or CSV.gz FILE with timestamp, open, high, low, close, volume.

    A bar is known when it closes: ts_event and ts_init of the catalog are the bar's close, so that no backtest sees
    it earlier. Say with --timestamp which end of the bar your file states.

    \b
    Example:
      fathom data import bars BTCUSDT_1m.csv.gz --instrument BTCUSDT-LINEAR.BYBIT --bar 1-MINUTE-LAST-EXTERNAL \\
          --timestamp open --map timestamp=open_time --time-unit ms --ignore '*' --catalog C
    """
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.ingest.bars import import_bars

    with terminal.progress() as progress:
        done = import_bars(
            Catalog(catalog),
            _instrument(name, instruments, catalog),
            file,
            bar=bar,
            stamp=stamp,
            volume_unit=volume_unit,
            round_volume=round_volume,
            naming=_naming(mapping, ignore),
            time_unit=time_unit,
            on_progress=lambda share: progress("bars", share, 1.0),
        )
    terminal.answer({"catalog": catalog, "imported": done})
    if done.already:
        terminal.say(f"{file} had been imported before: nothing to do.")
    terminal.say(f"{catalog}: {done.bars:,} bars.")


def _naming(mapping: tuple[str, ...], ignore: tuple[str, ...]) -> "Naming":
    from fathom.data_catalog.ingest.table_file import Naming

    pairs = [item.partition("=") for item in mapping]
    for item, (ours, equals, theirs) in zip(mapping, pairs, strict=True):
        if not (ours and equals and theirs):
            raise click.UsageError(f"Expected --map NAME=COLUMN, was --map {item}.")
    return Naming({ours: theirs for ours, _, theirs in pairs}, ignore)


def _instrument(name: str, file: Path | None, catalog: Path) -> Any:
    """Find an instrument by id or symbol: in the file, else in the catalog, else among those that need no file."""
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.instruments import Instruments, default_instruments, load_instruments

    if file is not None:
        return load_instruments(file).of(name)
    return Instruments([*default_instruments().values(), *Catalog(catalog).instruments()]).of(name)
