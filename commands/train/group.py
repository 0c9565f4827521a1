"""The command group `fathom train`."""

from collections.abc import Mapping

import click

from fathom.commands.lazy import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("fathom.commands.train.run:run", "Train one model and write its artifact."),
    "tune": ("fathom.commands.train.tune:tune", "Search for better settings, and count every trial."),
    "walk-forward": (
        "fathom.commands.train.walk_forward:walk_forward",
        "Test models and baselines out of sample, fold by fold.",
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def train() -> None:
    """Train models on what a catalog holds, and find out whether they are better than nothing.

    \b
    Example:
      fathom train walk-forward configs/training/null.toml --out runs/null
      fathom train run configs/training/edge.toml
    """
