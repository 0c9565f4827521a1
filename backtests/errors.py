"""What can go wrong with a backtest, as one small error tree."""

from fathom.settings.errors import FathomError


class BacktestError(FathomError):
    """Anything that keeps a backtest from ending in a report; the message says what, where, and the remedy."""


class RunError(BacktestError):
    """The simulation failed, or its result contradicts itself."""


class NoRunError(BacktestError, FileNotFoundError):
    """A path is no run directory."""


class Interrupted(BacktestError):  # noqa: N818 - a wish of the user, no failure
    """The user stopped the run."""
