"""The command group `fathom live`: it finds the subcommand and imports only that one."""

from collections.abc import Mapping

import click

from fathom.commands.lazy import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "plan": ("fathom.commands.live.plan:plan", "Say what a live node would run, without a connection."),
    "rehearse": ("fathom.commands.live.rehearse:rehearse", "Trade on a stand-in of Bybit that replays a recording."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def live() -> None:
    """Run the system of a backtest on the live node: so far against a rehearsal exchange on this machine.

    A rehearsal needs no keys and no internet. The system is read from the very file of its backtest.

    \b
    Example:
      fathom live rehearse configs/live/rehearsal.toml --set exchange.catalog=catalog
    """
