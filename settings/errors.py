"""The root of every error that Fathom raises on purpose, and the error of a setting."""

from fathom.settings.urls import redacted


class FathomError(Exception):
    """Anything that Fathom refuses; the message says what was expected, what was found and the remedy.

    Commands print the message of a `FathomError` in one line and exit with 1. Every other exception is a defect of
    Fathom. No message holds the password of a URL.
    """

    def __str__(self) -> str:
        """Return the message."""
        return redacted(super().__str__())


class SettingsError(FathomError, ValueError):
    """A setting is wrong: the message names the file or the `--set`, and the path in it.

    Parameters
    ----------
    problem : str
        "Expected X, was Y", then the remedy.
    source : str, optional
        The file, or the `--set KEY=VALUE`.
    path : str, optional
        Where in it, such as ``venue.fees.maker``.

    Examples
    --------
    >>> str(SettingsError("Expected float, was 'x' (str).", source="a.toml", path="venue.fees.maker"))
    "a.toml: venue.fees.maker: Expected float, was 'x' (str)."
    """

    def __init__(self, problem: str, *, source: str = "", path: str = "") -> None:
        self.problem, self.source, self.path = problem, source, path
        super().__init__(": ".join(part for part in (source, path, problem) if part))
