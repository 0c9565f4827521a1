"""The command `fathom features describe`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fathom.commands.console import KNOWN_FILE, Terminal, command, instrument_option, page_option

if TYPE_CHECKING:
    from fathom.ml.tables.statistics import Description


@command()
@click.argument("table", type=KNOWN_FILE)
@instrument_option()
@page_option()
def describe(terminal: Terminal, table: Path, instrument: str | None, html: Path | None) -> None:
    """Print the statistics of each feature of a table.

    Count, share of NaN (the warm-up), mean, spread and quantiles; which features never change and which are alike
    (|r| > 0.999); and the rank correlation of each with the return of the mid over the next 1, 5, 10, 30 and 60 s, with
    a 95 % interval that counts overlapping returns as the few they are. Of 100 features that say nothing, five will
    have an interval without 0: a star is a reason to look, no proof.

    The page (--html) has the distributions, a map of the correlations and all horizons.

    \b
    Example:
      fathom features describe fathom-out/tables/features-0123456789ab.parquet --html features.html
    """
    from fathom.ml.tables.file import read_facts
    from fathom.ml.tables.page import write_page
    from fathom.ml.tables.statistics import describe as describe_table

    with terminal.progress() as bars:
        total = len(read_facts(table).schema)
        described = describe_table(
            table, instrument=instrument, on_feature=lambda name: bars.step("features", total=total)
        )
    if html is not None:
        write_page(html, described)
    terminal.answer(_content(described))
    _print(terminal, described)
    if html is not None:
        terminal.note(f"Wrote {html}")


def _content(described: "Description") -> dict[str, Any]:
    from fathom.ml.tables.statistics import QUANTILES

    return {
        "path": described.path,
        "hash": described.facts.hash,
        "schema": described.facts.schema,
        "schema_hashes": {name: schema.hash for name, schema in described.facts.schemas.items()},
        "rows": described.rows,
        "first_ns": described.first_ns,
        "last_ns": described.last_ns,
        "mid": described.mid,
        "quantiles": QUANTILES,
        "features": described.features,
        "alike": described.alike,
        "compared_rows": described.compared_rows,
    }


def _print(terminal: Terminal, described: "Description") -> None:
    import math

    from fathom.ml.tables.figures import number
    from fathom.settings.times import time_text

    rows = []
    for feature in described.features:
        mark = " (never changes)" if feature.constant else "" if feature.count else " (never has a value)"
        quantiles = (feature.quantiles[1], feature.median, feature.quantiles[-2])
        cells = [number(value) for value in (feature.mean, feature.std, *quantiles)]
        cells += [
            "" if math.isnan(r.value) else f"{r.value:+.2f}{'*' if r.excludes_zero else ''}"
            for r in feature.predictions.values()
        ]
        rows.append((feature.name + mark, f"{feature.nan_share:.1%}", *cells))
    horizons = [f"{horizon} s" for horizon in described.features[0].predictions]
    terminal.table(("feature", "NaN", "mean", "std", "1 %", "median", "99 %", *horizons), rows)
    for name, count in described.rows.items():
        terminal.say(f"{name}: {count:,} rows")
    terminal.say(f"{time_text(described.first_ns)} to {time_text(described.last_ns)}")
    stationary = {feature.name for feature in described.features if feature.stationary}
    pairs = [pair for pair in described.alike if pair[0] in stationary and pair[1] in stationary]
    terminal.say(
        f"{len(described.alike)} pairs of features are alike (|r| > 0.999), {len(pairs)} of them among the stationary "
        f"ones{': ' if pairs else ''}{', '.join(f'{a} and {b}' for a, b, _ in pairs)}"
    )
    predictions = [r for feature in described.features for r in feature.predictions.values()]
    starred, known = (sum(r.excludes_zero for r in predictions), sum(not math.isnan(r.low) for r in predictions))
    if described.mid:
        terminal.say(
            f"Columns with seconds: rank correlation with the return of {described.mid} over that time. * = the 95 % "
            f"interval does not hold 0: {starred} of {known}; {0.05 * known:.0f} would by chance alone."
        )
    else:
        terminal.say("The table has neither mid_price nor close: no correlation with returns.")
