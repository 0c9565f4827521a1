"""The command `fathom data compare`."""

from pathlib import Path
from typing import Any

import click

from fathom.commands.console import KNOWN_FOLDER, Terminal, command, page_option


@command()
@click.argument("a", type=KNOWN_FOLDER)
@click.argument("b", type=KNOWN_FOLDER)
@click.option("--instrument-a", metavar="ID", help="Instrument of A; needed where A holds several.")
@click.option("--instrument-b", metavar="ID", help="Instrument of B; needed where B holds several.")
@page_option("Also write a page with plots.")
def compare(
    terminal: Terminal, a: Path, b: Path, instrument_a: str | None, instrument_b: str | None, html: Path | None
) -> None:
    """Print two catalogs A and B side by side: a simulated market beside a real one, or one day beside another.

    Spread, depth, messages and their length, arrival times, cancellations against trades, lifetimes of levels, trade
    sizes, volatility by horizon, autocorrelation and kurtosis of returns.

    \b
    Example:
      fathom data compare real simulated --instrument-a BTCUSDT-LINEAR.BYBIT --html compare.html
    """
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.simulation.measured.comparison import comparison_rows, measure_catalog, number_text
    from fathom.data_catalog.simulation.measured.comparison_page import write_page

    sides: list[Any] = []
    with terminal.progress() as bars:
        for path, instrument in ((a, instrument_a), (b, instrument_b)):
            bars(f"measuring {path}", 0)
            sides.append(measure_catalog(Catalog(path), instrument))
    left, right = sides[0][0], sides[1][0]
    terminal.answer([left, right])
    rows = [("span, s", "", number_text(left.secs), number_text(right.secs), "")]
    for group, measure, *values in comparison_rows(left, right):
        first, second = values
        ratio = f"{second / first:.2f}" if first * second > 0 else ""
        rows.append((group, measure, number_text(first), number_text(second), ratio))
    terminal.table(("", "measure", left.instrument, right.instrument, "b / a"), rows)
    if html is not None:
        write_page(html, *sides)
        terminal.note(f"Wrote {html}")
