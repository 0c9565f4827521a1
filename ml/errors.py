"""What can go wrong between a feature table and a trained model, as one small error tree."""

from fathom.settings.errors import FathomError


class TrainingError(FathomError):
    """Anything that keeps a training from ending in results; the message says what was expected and the remedy."""


class DatasetError(TrainingError):
    """Arrays of a dataset are absent, damaged, or not what is asked for."""
