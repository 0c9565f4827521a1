"""What can go wrong with a backtest, as one small error tree."""


class BacktestError(Exception):
    """Anything that keeps a backtest from ending in a report; the message says what, where, and the remedy.

    Examples
    --------
    >>> issubclass(ConfigError, BacktestError), issubclass(RunError, BacktestError)
    (True, True)
    """


class ConfigError(BacktestError):
    """A configuration is wrong: the message names the file and the path in it.

    Examples
    --------
    >>> str(ConfigError("Expected float, was 'x' (str).", source="a.toml", path="venue.fees.maker"))
    "a.toml: venue.fees.maker: Expected float, was 'x' (str)."
    """

    def __init__(self, problem: str, *, source: str = "", path: str = "") -> None:
        self.problem, self.source, self.path = problem, source, path
        super().__init__(": ".join(part for part in (source, path, problem) if part))


class RunError(BacktestError):
    """The simulation failed, or its result contradicts itself."""


class Interrupted(BacktestError):  # noqa: N818 - a wish of the user, no failure
    """The user stopped the run."""
