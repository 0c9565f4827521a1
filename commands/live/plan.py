"""`fathom live plan`: what a live node would run."""

from pathlib import Path

import click

from fathom.commands.console import Terminal, command, config_options


@command(no_args_is_help=True)
@click.argument("systems", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SYSTEM...")
@config_options
def plan(terminal: Terminal, systems: tuple[Path, ...], changes: tuple[str, ...]) -> None:
    """Check whether the system of a backtest can run live, and say what would run; no socket is opened.

    SYSTEM is the configuration of a backtest; later files and --set go over earlier ones. The digest is that of its
    tearsheet: the same system.

    \b
    Example:
      fathom live plan configs/backtest/demo.toml --set data.depth=50
    """
    from fathom.live.setup.rehearsal_config import plan as plan_of
    from fathom.settings.toml import Layers

    made = plan_of(Layers.read(systems, changes))
    parts = made.components
    shown = {"actors": [each.shown for each in parts.actors], "strategies": [each.shown for each in parts.strategies]}
    terminal.show_config(made.system, **shown)
    content = {
        "name": made.system.name,
        "digest": made.digest,
        "instruments": made.system.data.instruments,
        "depth": made.depth,
        "bars_delay_ms": made.system.bars_delay_ms,
        "actors": [actor.name for actor in parts.actors],
        "strategies": {strategy.name: strategy.instruments for strategy in parts.strategies},
        "risk": made.system.risk,
    }
    terminal.answer(content)
    rows = [
        ("System", f"{made.system.name}, digest {made.digest}"),
        ("Instruments", ", ".join(made.system.data.instruments)),
        ("Book", f"{made.depth} levels a side; bars close {made.system.bars_delay_ms:g} ms after their end"),
        ("Actors", ", ".join(actor.name for actor in parts.actors) or "none"),
        ("Strategies", ", ".join(strategy.name for strategy in parts.strategies) or "none"),
        ("Limits", "those of [risk]" if made.system.risk is not None else "none: the file has no [risk]"),
    ]
    terminal.table(("", ""), rows)
    terminal.say("It can run live. `fathom live rehearse` lets it trade against a stand-in of the exchange.")
