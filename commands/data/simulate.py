"""The command `fathom data simulate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fathom.commands.console import FILE, Terminal, catalog_option, command, config_options

if TYPE_CHECKING:
    from fathom.data_catalog.simulation.production import Made


@command(kept="Finished instruments stay; the same command goes on.")
@click.argument("config", type=FILE)
@catalog_option()
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of the generator.")
@click.option("--duration", help="Simulated span, such as 90s, 30m, 6h, 2d; the scenario's own otherwise.")
@config_options
def simulate(
    terminal: Terminal, config: Path, catalog: Path, seed: int, duration: str | None, changes: tuple[str, ...]
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
    import time

    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.simulation.loading import load_scenario
    from fathom.data_catalog.simulation.production import simulate as produce
    from fathom.settings.times import SECOND, duration_ns

    if duration is not None:
        changes = (*changes, f"duration_secs={duration_ns(duration) / SECOND}")
    scenario, begun = load_scenario(config, changes), time.perf_counter()
    terminal.show_config(scenario)
    with terminal.progress() as bars:
        made = produce(
            scenario, Catalog(catalog), seed, lambda name, secs: bars.step(name, secs, total=scenario.duration_secs)
        )
    terminal.answer(made)
    _print(terminal, made, catalog, time.perf_counter() - begun)


def _print(terminal: Terminal, made: "list[Made]", catalog: Path, secs: float) -> None:
    for market in made:
        if market.already:
            terminal.say(f"{market.instrument_id}: already there, from the same scenario and seed.")
    fresh = [market for market in made if not market.already]
    if not fresh:
        return
    rows = [(one.instrument_id, f"{one.messages:,}", f"{one.book_rows:,}", f"{one.trades:,}") for one in fresh]
    terminal.table(("instrument", "messages", "level changes", "trades"), rows)
    changes = sum(market.book_rows for market in fresh)
    terminal.say(f"{secs:.1f} s, {changes / secs:,.0f} level changes/s into {catalog}")
    terminal.say(f"truth: {catalog}/fathom/truth/ ({', '.join(fresh[0].truth)})")
