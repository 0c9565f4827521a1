"""The command group `fathom features`: build feature tables, describe them, write the reference of all features."""

from collections.abc import Mapping
from pathlib import Path

import click

from fathom.commands.lazy import LazyGroup
from fathom.settings.errors import FathomError

COMMANDS: Mapping[str, tuple[str, str]] = {
    "build": ("fathom.commands.features.group:build", "Write a feature table from a catalog."),
    "describe": (
        "fathom.commands.features.describe:describe",
        "Print the statistics of a feature table; with --html, a page.",
    ),
    "docs": ("fathom.commands.features.group:docs", "Write the reference of every feature."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def features() -> None:
    """Turn order books and trades into what a model reads.

    A feature table holds, for each grid time T and instrument, every feature computed from exactly the events known
    before T: the same values, to the last bit, that the live system computes.

    \b
    Example:
      fathom features build configs/training/features.toml --out tables
      fathom features describe tables/features-0123456789ab.parquet --html features.html
    """


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tables"),
    show_default=True,
    metavar="DIR",
    help="Folder of the table.",
)
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one value of the file; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="Print what became of it as JSON.")
def build(config: Path, out: Path, changes: tuple[str, ...], as_json: bool) -> None:
    """Write the feature table of a TOML file (see configs/training/features.toml).

    The table's name ends with a hash of the settings, the features and the data: the same build again finds it there.
    A build that was stopped goes on where it was. A row has the grid time `ts`, the `instrument` and every feature as
    a float; NaN until a feature has had its first value. What each is says `fathom features docs`.

    \b
    Example:
      fathom features build configs/training/features.toml --set catalog=my-catalog --set features.grid_ms=500
    """
    import json
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from fathom.ml.tables.build import build as build_table
    from fathom.ml.tables.config import TableConfig
    from fathom.settings.toml import read

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    begun = time.perf_counter()
    try:
        settings = read(TableConfig, config, changes)
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            tasks = {name: bar.add_task(name, total=None) for name in settings.instruments}
            built = build_table(
                settings,
                out,
                name=config.stem,
                on_progress=lambda name, done, total: bar.update(tasks[name], completed=done, total=total),
            )
    except (FathomError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    took = time.perf_counter() - begun
    if as_json:
        found = {"path": str(built.path), "already": built.already, "rows": built.rows, "features": built.features}
        click.echo(json.dumps(found | {"resumed_parts": built.resumed, "secs": round(took, 3)}))
    elif built.already:
        click.echo(f"already built: {built.path} ({built.rows:,} rows of {built.features} features)")
    else:
        again = f", going on after {built.resumed} parts" if built.resumed else ""
        click.echo(f"{built.path}: {built.rows:,} rows of {built.features} features in {took:.1f} s{again}")


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("docs/features.md"),
    show_default=True,
    metavar="FILE",
    help="File to write.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where the file is not up to date.")
def docs(out: Path, check: bool) -> None:
    """Write the reference of every feature: formula, unit, source, warm-up and NaN rule, as Markdown.

    \b
    Example:
      fathom features docs --out docs/features.md
    """
    from fathom.ml.features.docs import render

    text = render()
    if not check:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
        click.echo(f"wrote {out}")
    elif not out.is_file() or out.read_text(encoding="utf-8") != text:
        raise click.ClickException(f"Expected {out} to be up to date, was not: `fathom features docs --out {out}`.")
