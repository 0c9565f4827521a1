"""The command group `fathom train`."""

from collections.abc import Mapping

import click

from lazy_commands import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("ml.cli_run:run", "Train one model and write its artifact."),
    "tune": ("ml.cli_tune:tune", "Search for better settings, and count every trial."),
    "walk-forward": ("ml.cli_walk_forward:walk_forward", "Test models and baselines out of sample, fold by fold."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def train() -> None:
    """Train models on what a catalog holds, and find out whether they are better than nothing.

    \b
    Example:
      fathom train walk-forward configs/training/null.toml --out runs/null
      fathom train run configs/training/edge.toml
    """
