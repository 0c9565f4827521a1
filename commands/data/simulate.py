"""The commands `fathom data simulate` and `fathom data compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from fathom.data_catalog.simulation.measured.statistics import MarketStatistics

from fathom.commands.data.refusals import refusals

if TYPE_CHECKING:
    from fathom.data_catalog.simulation.production import Made


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--catalog", "catalog_path", required=True, type=click.Path(file_okay=False, path_type=Path), help="Catalog folder."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of the generator.")
@click.option("--duration", help="Simulated span, such as 90s, 30m, 6h, 2d; the scenario's own otherwise.")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one value of the scenario; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def simulate(
    config: Path, catalog_path: Path, seed: int, duration: str | None, changes: tuple[str, ...], as_json: bool
) -> None:
    """Make a market with known truth from a TOML scenario (see configs/simulation/).

    The same scenario and seed give the same rows; running it again changes nothing. Simulated instruments live on the
    venue SIM, so that nobody takes them for real. What the generator knew lies in fathom/truth/ of the catalog.

    \b
    Example:
      fathom data simulate configs/simulation/null.toml --catalog catalog --seed 7
      fathom data simulate configs/simulation/edge.toml --catalog catalog --seed 7 --duration 6h \\
          --set instruments.0.symbol=EDGEUSDT --set feed.interval_ms=100
    """
    import json
    import time

    import msgspec
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.simulation.loading import load_scenario
    from fathom.data_catalog.simulation.production import simulate as produce
    from fathom.settings.times import SECOND, duration_ns

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[clock]} simulated"),
        TimeRemainingColumn(),
    )
    begun = time.perf_counter()
    with refusals():
        if duration is not None:
            changes = (*changes, f"duration_secs={duration_ns(duration) / SECOND}")
        scenario = load_scenario(config, changes)
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            tasks = {
                spec.instrument_id: bar.add_task(spec.instrument_id, total=scenario.duration_secs, clock="0:00:00")
                for spec in scenario.instruments
            }

            def advance(instrument_id: str, secs: float) -> None:
                bar.advance(tasks[instrument_id], secs)
                done = int(bar.tasks[tasks[instrument_id]].completed)
                bar.update(tasks[instrument_id], clock=f"{done // 3600}:{done // 60 % 60:02d}:{done % 60:02d}")

            made = produce(scenario, Catalog(catalog_path), seed, advance)
    took = time.perf_counter() - begun
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(one) for one in made], indent=1))
    else:
        _print_made(made, catalog_path, took)


def _print_made(made: "list[Made]", catalog_path: Path, took: float) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    fresh = [one for one in made if not one.already]
    for one in made:
        if one.already:
            console.print(f"{one.instrument_id}: already there, from the same scenario and seed.", highlight=False)
    if not fresh:
        return
    table = Table()
    for name in ("instrument", "messages", "level changes", "trades"):
        table.add_column(name, justify="left" if name == "instrument" else "right")
    for one in fresh:
        table.add_row(one.instrument_id, f"{one.messages:,}", f"{one.book_rows:,}", f"{one.trades:,}")
    console.print(table)
    rate = sum(one.book_rows for one in fresh) / took
    console.print(f"{took:.1f} s, {rate:,.0f} level changes/s into {catalog_path}", highlight=False)
    console.print(f"truth: {catalog_path}/fathom/truth/ ({', '.join(fresh[0].truth)})", highlight=False)


@click.command()
@click.argument("a", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("b", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--instrument-a", help="Instrument id in A; needed where A holds several.")
@click.option("--instrument-b", help="Instrument id in B; needed where B holds several.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page with plots to FILE.")
def compare(
    a: Path, b: Path, instrument_a: str | None, instrument_b: str | None, as_json: bool, html: Path | None
) -> None:
    """Print two catalogs A and B side by side: a simulated market beside a real one, or one day beside another.

    Spread, depth, messages and their length, arrival times, cancellations against trades, lifetimes of levels, trade
    sizes, volatility by horizon, autocorrelation and kurtosis of returns.

    \b
    Example:
      fathom data compare real simulated --instrument-a BTCUSDT-LINEAR.BYBIT --html compare.html
    """
    import msgspec
    from rich.console import Console

    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.simulation.measured.comparison import measure_catalog

    console = Console(stderr=True)
    with refusals():
        sides: list[Any] = []
        for path, wanted in ((a, instrument_a), (b, instrument_b)):
            with console.status(f"measuring {path}"):
                sides.append(measure_catalog(Catalog(path), wanted))
    if as_json:
        found = msgspec.json.encode([statistics for statistics, _ in sides])  # what is not a number becomes null
        click.echo(msgspec.json.format(found, indent=1).decode())
    else:
        Console().print(_comparison_table(sides[0][0], sides[1][0]))
    if html is not None:
        from fathom.data_catalog.simulation.measured.comparison_page import write_page

        with refusals():
            write_page(html, sides[0], sides[1])
        Console(stderr=True).print(f"wrote {html}", highlight=False)


def _comparison_table(a: "MarketStatistics", b: "MarketStatistics") -> "Table":
    from math import isnan

    from rich.table import Table

    from fathom.data_catalog.simulation.measured.comparison import comparison_rows, number_text

    table = Table(box=None, pad_edge=False)
    for name, justify in (("measure", "left"), (a.instrument, "right"), (b.instrument, "right"), ("b / a", "right")):
        table.add_column(name, justify="left" if justify == "left" else "right")
    table.add_row("span, s", number_text(a.secs), number_text(b.secs), "")
    section = ""
    for group, measure, left, right in comparison_rows(a, b):
        if group != section:
            table.add_row(f"[bold]{group}[/bold]", "", "", "")
            section = group
        ratio: Any = right / left if left and not isnan(left) and left * right > 0 else float("nan")
        table.add_row(f"  {measure}", number_text(left), number_text(right), "" if isnan(ratio) else f"{ratio:.2f}")
    return table
