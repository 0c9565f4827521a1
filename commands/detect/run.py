"""The command `fathom detect run`."""

from pathlib import Path

import click

from fathom.commands.console import FILE, Terminal, command, config_options, out_option, pages_option


@command(kept="Nothing was stored; the same command starts again.")
@click.argument("config", type=FILE)
@out_option("detections", "Folder of the tables and the page")
@config_options
@pages_option("Whether to write the page.")
def run(terminal: Terminal, config: Path, out: Path, changes: tuple[str, ...], html: bool) -> None:
    """Run every detector over a catalog (see configs/detection/detect.toml).

    Into a folder of the file's name go `alerts.parquet` (every alert with its evidence), `levels.parquet`,
    `regimes.parquet`, `waves.parquet`, and `detection.html`: alerts by kind, confidence and time, and the book around
    the strongest. The actor `detection` of a backtest or a live node says the same of the same events.

    \b
    Example:
      fathom detect run configs/detection/perp-ticks.toml
      fathom detect run configs/detection/detect.toml --set catalog=my-catalog --set min_confidence=0.8
    """
    import time

    from fathom.settings.toml import read
    from fathom.studies.detection.config import DetectionConfig
    from fathom.studies.detection.page import summary, write_page
    from fathom.studies.detection.run import detect, episodes, store, strongest, warnings_of, write_tables

    settings = read(DetectionConfig, config, changes)
    terminal.show_config(settings)
    begun, folder = time.perf_counter(), out / config.stem
    with terminal.progress() as bars:
        markets = detect(settings, bars)
        write_tables(folder, markets)
        stored = store(settings.catalog, markets) if settings.store else 0
        if html:
            shown = {}
            for market in markets:
                shown[market.grid.instrument_id] = episodes(settings, market, strongest(market, settings.episodes))
                bars.step("page", total=len(markets) + 1)
            write_page(folder / "detection.html", settings, markets, shown, config.stem)
    secs, counts, notes = time.perf_counter() - begun, summary(markets), list(warnings_of(markets))
    retail = {market.grid.instrument_id: market.rpi._asdict() for market in markets if market.rpi is not None}
    result = {"folder": folder, "found": counts, "rpi": retail, "stored": stored, "secs": round(secs, 3)}
    terminal.answer(result | {"notes": notes})
    rows = []
    for count in counts:
        rate = "-" if count["series_an_hour"] is None else f"{count['series_an_hour']:.1f}"
        kind = count["kind"].replace("_", " ").lower()
        rows.append((count["instrument"], kind, f"{count['alerts']:,}", f"{count['series']:,}", rate))
    terminal.table(("instrument", "kind", "alerts", "series", "series an hour"), rows)
    for note in notes:
        terminal.warn(f"Note: {note}")
    events = sum(market.rows for market in markets)
    terminal.say(f"{events:,} events in {secs:.1f} s into {folder}" + (f", {stored:,} stored" if stored else ""))
    if html:
        terminal.say(f"Page: {folder / 'detection.html'}")
