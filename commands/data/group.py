"""The command group `fathom data`: it finds the subcommand and imports only that one."""

from collections.abc import Mapping

import click

from fathom.commands.lazy import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "check": ("fathom.commands.data.check:check", "Look for sequence breaks, crossed books, duplicates, holes."),
    "compare": ("fathom.commands.data.compare:compare", "Print two catalogs side by side: spread, depth, volatility."),
    "download": ("fathom.commands.data.download:download", "Fetch a venue's public archive files, day by day."),
    "import": ("fathom.commands.data.import_:import_", "Bring files of order books, trades or bars into a catalog."),
    "list": ("fathom.commands.data.list_:list_", "Show what a catalog holds: instruments, types, spans, rows."),
    "simulate": ("fathom.commands.data.simulate:simulate", "Make a market with known truth from a TOML scenario."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def data() -> None:
    """Import, download, simulate, list and check market data.

    A catalog is a folder of Parquet files in the engine's own layout; every command names it with --catalog, by default
    fathom-out/catalog.

    \b
    Example:
      fathom data import bybit 2024-12-01_XRPUSDT_ob500.data.zip XRPUSDT2024-12-01.csv.gz --catalog catalog
      fathom data list --catalog catalog
      fathom data check --catalog catalog
    """
