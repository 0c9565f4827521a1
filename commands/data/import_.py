"""The command group `fathom data import`."""

from collections.abc import Mapping

import click

from fathom.commands.lazy import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "bars": ("fathom.commands.data.import_table:bars", "Import OHLCV bars from CSV or Parquet."),
    "bybit": (
        "fathom.commands.data.import_bybit:bybit",
        "Import Bybit's public archive files, order books and trades.",
    ),
    "table": (
        "fathom.commands.data.import_table:table",
        "Import anybody's book changes and trades from CSV or Parquet.",
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def import_() -> None:
    """Bring files of order books, trades or bars into a catalog.

    Importing a file again changes nothing; a file that overlaps other data of its instrument is refused.

    \b
    Example:
      fathom data import bybit FILE... --catalog catalog
    """
