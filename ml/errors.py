"""What can go wrong between a feature table and a trained model, as one small error tree."""

from fathom.settings.errors import FathomError


class TrainingError(FathomError):
    """Anything that keeps a training from ending in results; the message says what was expected and the remedy.

    Examples
    --------
    >>> issubclass(TrainingConfigError, TrainingError)
    True
    """


class TrainingConfigError(TrainingError):
    """A training configuration is wrong: the message names the file and the path in it.

    Examples
    --------
    >>> str(TrainingConfigError("Expected a number, was 'x'.", source="a.toml", path="label.fee_bps"))
    "a.toml: label.fee_bps: Expected a number, was 'x'."
    """

    def __init__(self, problem: str, *, source: str = "", path: str = "") -> None:
        self.problem, self.source, self.path = problem, source, path
        super().__init__(": ".join(part for part in (source, path, problem) if part))


class DatasetError(TrainingError):
    """Arrays of a dataset are absent, damaged, or not what is asked for."""
