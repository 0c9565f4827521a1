"""The command `fathom detect run`."""

from pathlib import Path
from typing import Any

import click


def _plain(retail: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    # A share of no trade is NaN, which is no JSON.
    return {
        name: {key: None if value != value else value for key, value in found.items()} for name, found in retail.items()
    }


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("detections"),
    show_default=True,
    metavar="DIR",
    help="Folder of the tables and the page.",
)
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one value of the file; may be repeated."
)
@click.option("--html/--no-html", default=True, show_default=True, help="Whether to write the page.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def run(config: Path, out: Path, changes: tuple[str, ...], html: bool, as_json: bool) -> None:
    """Run every detector over a catalog (see configs/detection/detect.toml).

    Into a folder of the file's name go `alerts.parquet` (every alert with its evidence), `levels.parquet`,
    `regimes.parquet`, `waves.parquet`, and `detection.html`: alerts by kind, confidence and time, and the book around
    the strongest. The actor `detection` of a backtest or a live node says the same of the same events.

    \b
    Example:
      fathom detect run configs/detection/perp-ticks.toml
      fathom detect run configs/detection/detect.toml --set catalog=my-catalog --set min_confidence=0.8
    """
    import json
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Table

    from fathom.commands.data.refusals import refusals
    from fathom.settings.toml import read
    from fathom.studies.detection.config import DetectionConfig
    from fathom.studies.detection.page import summary, write_page
    from fathom.studies.detection.run import detect, episodes, store, strongest, warnings_of, write_tables

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    begun = time.perf_counter()
    folder = out / config.stem
    with refusals():
        settings = read(DetectionConfig, config, changes)
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            tasks: dict[str, int] = {}

            def on_progress(name: str, done: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bar.add_task(name, total=total)
                bar.update(tasks[name], completed=done, total=total)  # type: ignore[arg-type]

            markets = detect(settings, on_progress)
            write_tables(folder, markets)
            stored = store(settings.catalog, markets) if settings.store else 0
            if html:
                drawing = bar.add_task("page", total=len(markets) + 1)
                shown = {}
                for market in markets:
                    shown[market.grid.instrument_id] = episodes(settings, market, strongest(market, settings.episodes))
                    bar.advance(drawing)
                write_page(folder / "detection.html", settings, markets, shown, config.stem)
    took = time.perf_counter() - begun
    found = summary(markets)
    if as_json:
        retail = {market.grid.instrument_id: market.rpi._asdict() for market in markets if market.rpi is not None}
        told = {"folder": str(folder), "found": found, "rpi": _plain(retail), "stored": stored, "secs": round(took, 3)}
        told["notes"] = list(warnings_of(markets))
        click.echo(json.dumps(told))
        return
    lines = Table("instrument", "kind", "alerts", "series", "series an hour")
    for one in found:
        rate = "-" if one["series_an_hour"] is None else f"{one['series_an_hour']:.1f}"
        kind = one["kind"].replace("_", " ").lower()
        lines.add_row(one["instrument"], kind, f"{one['alerts']:,}", f"{one['series']:,}", rate)
    Console().print(lines)
    for warning in warnings_of(markets):
        Console().print(f"Note: {warning}", highlight=False)
    rows = sum(market.rows for market in markets)
    click.echo(f"{rows:,} events in {took:.1f} s into {folder}" + (f", {stored:,} stored" if stored else ""))
    if html:
        click.echo(f"Page: {folder / 'detection.html'}")
