"""The command group `fathom backtest`: it finds the subcommand and imports only that one."""

from collections.abc import Mapping

import click

from lazy_commands import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "ablate": ("backtests.cli_ablate:ablate", "Measure what each part adds to a backtest."),
    "compare": ("backtests.cli_compare:compare", "Compare the figures and curves of runs."),
    "report": ("backtests.cli_report:report", "Make the pages of existing runs again."),
    "run": ("backtests.cli_run:run", "Run a backtest from TOML files."),
    "scorecard": ("backtests.cli_scorecard:scorecard", "Hold the strategies against the requirements."),
    "weights": ("backtests.cli_weights:weights", "Learn the weights of an ensemble from earlier runs."),
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
