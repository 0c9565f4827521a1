"""The command group `fathom detect`: run the detectors over a catalog, measure them on markets with known truth."""

from collections.abc import Mapping

import click

from fathom.commands.lazy import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "benchmark": (
        "fathom.commands.detect.benchmark:benchmark",
        "Measure the manipulation detectors on streams whose manipulation is known.",
    ),
    "regimes": (
        "fathom.commands.detect.regimes:regimes",
        "Hold regimes, flatness and waves against simulated states.",
    ),
    "run": ("fathom.commands.detect.run:run", "Run every detector over a catalog; write alerts and a page."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def detect() -> None:
    """Find manipulation, levels, regimes and waves in recorded markets, and measure how well they are found.

    An alert is an opinion with a confidence. What the confidence is worth, how many alerts an hour an untouched market
    raises, and which manipulation cannot be found, `fathom detect benchmark` measures; docs/detectors.md explains it.

    \b
    Example:
      fathom detect benchmark --catalog catalog --quick
    """
