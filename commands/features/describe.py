"""The command `fathom features describe`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fathom.settings.errors import FathomError

if TYPE_CHECKING:
    from fathom.ml.tables.statistics import Description


@click.command()
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--instrument", metavar="ID", help="Only this one, such as BTCUSDT-LINEAR.BYBIT.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Also write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def describe(table: Path, instrument: str | None, html: Path | None, as_json: bool) -> None:
    """Print the statistics of each feature of a table.

    Count, share of NaN (the warm-up), mean, spread and quantiles; which features never change and which are alike
    (|r| > 0.999); and the rank correlation of each with the return of the mid over the next 1, 5, 10, 30 and 60 s, with
    a 95 % interval that counts overlapping returns as the few they are. Of 100 features that say nothing, five will
    have an interval without 0: a star is a reason to look, no proof.

    The page (--html) has the distributions, a map of the correlations and all horizons.

    \b
    Example:
      fathom features describe tables/features-0123456789ab.parquet --html features.html
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from fathom.ml.tables.file import read_facts
    from fathom.ml.tables.page import write_page
    from fathom.ml.tables.statistics import describe as describe_table

    columns = (TextColumn("features"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=len(read_facts(table).schema))
            found = describe_table(table, instrument=instrument, on_feature=lambda name: bar.advance(task))
    except FathomError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(_as_json(found))
    else:
        _print(found)
    if html is not None:
        write_page(html, found)
        click.echo(f"wrote {html}", err=True)


def _as_json(found: "Description") -> str:
    import msgspec

    from fathom.ml.tables.statistics import QUANTILES

    whole = {
        "path": found.path,
        "hash": found.facts.hash,
        "schema": found.facts.schema,
        "schema_hashes": {name: schema.hash for name, schema in found.facts.schemas.items()},
        "rows": found.rows,
        "first_ns": found.first_ns,
        "last_ns": found.last_ns,
        "mid": found.mid,
        "quantiles": QUANTILES,
        "features": found.features,
        "alike": found.alike,
        "compared_rows": found.compared_rows,
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1).decode()


def _print(found: "Description") -> None:
    import math

    from rich import box
    from rich.console import Console
    from rich.table import Table

    from fathom.data_catalog.store.layout import time_text
    from fathom.ml.tables.figures import number

    horizons = list(found.features[0].predictions)
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("feature", "NaN", "mean", "std", "1 %", "median", "99 %", *(f"{h} s" for h in horizons)):
        table.add_column(name, justify="left" if name == "feature" else "right", no_wrap=True)
    for one in found.features:
        mark = " (never changes)" if one.constant else " (never has a value)" if not one.count else ""
        table.add_row(
            one.name + mark,
            f"{one.nan_share:.1%}",
            *(number(value) for value in (one.mean, one.std, one.quantiles[1], one.median, one.quantiles[-2])),
            *(
                "" if math.isnan(r.value) else f"{r.value:+.2f}{'*' if r.excludes_zero else ' '}"
                for r in one.predictions.values()
            ),
        )
    console = Console()
    console.width = max(console.width, 150)
    console.print(table)
    for name, rows in found.rows.items():
        console.print(f"{name}: {rows:,} rows", highlight=False)
    console.print(f"{time_text(found.first_ns)} to {time_text(found.last_ns)}", highlight=False)
    stationary = {one.name for one in found.features if one.stationary}
    pairs = [pair for pair in found.alike if pair[0] in stationary and pair[1] in stationary]
    console.print(
        f"{len(found.alike)} pairs of features are alike (|r| > 0.999), {len(pairs)} of them among the stationary "
        f"ones{': ' if pairs else ''}{', '.join(f'{a} and {b}' for a, b, _ in pairs)}",
        highlight=False,
    )
    starred = sum(r.excludes_zero for one in found.features for r in one.predictions.values())
    told = sum(not math.isnan(r.low) for one in found.features for r in one.predictions.values())
    if found.mid:
        console.print(
            f"Columns with seconds: rank correlation with the return of {found.mid} over that time. * = the 95 % "
            f"interval does not hold 0: {starred} of {told}; {0.05 * told:.0f} would by chance alone.",
            highlight=False,
        )
    else:
        console.print("The table has neither mid_price nor close: no correlation with returns.")
