"""The command group `fathom backtest`: it finds the subcommand and imports only that one."""

from collections.abc import Mapping

import click

from fathom.commands.lazy import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "ablate": ("fathom.commands.backtest.ablate:ablate", "Measure what each part adds to a backtest."),
    "compare": ("fathom.commands.backtest.compare:compare", "Compare the figures and curves of runs."),
    "lookahead": ("fathom.commands.backtest.lookahead:lookahead", "Find components that see the future."),
    "report": ("fathom.commands.backtest.report:report", "Make the pages of existing runs again."),
    "run": ("fathom.commands.backtest.run:run", "Run a backtest from TOML files."),
    "scorecard": ("fathom.commands.backtest.scorecard:scorecard", "Hold the strategies against the requirements."),
    "weights": ("fathom.commands.backtest.weights:weights", "Learn the weights of an ensemble from earlier runs."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def backtest() -> None:
    """Run, compare and report backtests.

    A run is a folder: its configuration, figures, orders, fills, round trips, equity curve and pages.

    \b
    Example:
      fathom backtest run configs/backtest/perp-ticks.toml --set data.catalog=catalog
      fathom backtest compare runs/*
    """
