"""What can go wrong with features; everything derives from `FeatureError`."""

from collections.abc import Iterable

from fathom.settings.errors import FathomError
from fathom.settings.nearest import did_you_mean


class FeatureError(FathomError, ValueError):
    """A feature set, a schema or a state cannot be used as asked."""


class UnknownFeatureError(FeatureError):
    """A name is not among the registered features.

    Examples
    --------
    >>> print(UnknownFeatureError("rsi14", ["rsi_14", "rsi_28"]))
    Expected the name of a feature, was 'rsi14'. Did you mean 'rsi_14'?
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        hint = did_you_mean(name, known) or " `fathom features describe` lists them."
        super().__init__(f"Expected the name of a feature, was '{name}'.{hint}")


class SchemaMismatchError(FeatureError):
    """Two sides do not mean the same by a vector of features.

    Examples
    --------
    >>> print(SchemaMismatchError("the model", "the live set", ["missing: rsi_14"]))
    Expected the features of the model, were those of the live set: missing: rsi_14
    """

    def __init__(self, expected: str, actual: str, differences: list[str]) -> None:
        super().__init__(f"Expected the features of {expected}, were those of {actual}: " + "; ".join(differences))
