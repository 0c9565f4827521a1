"""The command group `fathom features`: build feature tables, describe them, write the reference of all features."""

from collections.abc import Mapping
from pathlib import Path

import click

from fathom.commands.console import FILE, Terminal, command, config_options, out_option
from fathom.commands.lazy import LazyGroup

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
      fathom features build configs/training/features.toml
      fathom features describe fathom-out/tables/features-0123456789ab.parquet --html features.html
    """


@command(kept="Finished parts stay; the same command goes on with the rest.")
@click.argument("config", type=FILE)
@out_option("tables", "Folder of the table")
@config_options
def build(terminal: Terminal, config: Path, out: Path, changes: tuple[str, ...]) -> None:
    """Write the feature table of a TOML file (see configs/training/features.toml).

    The table's name ends with a hash of the settings, the features and the data: the same build again finds it there.
    A build that was stopped goes on where it was. A row has the grid time `ts`, the `instrument` and every feature as
    a float; NaN until a feature has had its first value. What each is says `fathom features docs`.

    \b
    Example:
      fathom features build configs/training/features.toml --set catalog=my-catalog --set features.grid_ms=500
    """
    import time

    from fathom.ml.tables.build import build as build_table
    from fathom.ml.tables.config import TableConfig
    from fathom.settings.toml import read

    settings, begun = read(TableConfig, config, changes), time.perf_counter()
    terminal.show_config(settings)
    with terminal.progress() as bars:
        built = build_table(settings, out, name=config.stem, on_progress=bars)
    secs = time.perf_counter() - begun
    content = {"path": built.path, "already": built.already, "rows": built.rows, "features": built.features}
    terminal.answer(content | {"resumed_parts": built.resumed, "secs": round(secs, 3)})
    if built.already:
        terminal.say(f"already built: {built.path} ({built.rows:,} rows of {built.features} features)")
    else:
        again = f", going on after {built.resumed} parts" if built.resumed else ""
        terminal.say(f"{built.path}: {built.rows:,} rows of {built.features} features in {secs:.1f} s{again}")


@command()
@click.option("--out", type=FILE, default=Path("docs/features.md"), show_default=True, metavar="FILE", help="The file.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where the file is not up to date.")
def docs(terminal: Terminal, out: Path, check: bool) -> None:
    """Write the reference of every feature: formula, unit, source, warm-up and NaN rule, as Markdown.

    \b
    Example:
      fathom features docs --out docs/features.md
    """
    from fathom.ml.features.docs import render

    text = render()
    current = out.is_file() and out.read_text(encoding="utf-8") == text
    if check and not current:
        raise click.ClickException(f"Expected {out} to be up to date, was not: `fathom features docs --out {out}`.")
    if not check:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
        terminal.say(f"Wrote {out}")
    terminal.answer({"path": out, "changed": not current})
