"""What a search for better settings varies, read from a TOML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fathom.ml.training.config import TrainingConfig
from fathom.settings.errors import SettingsError
from fathom.settings.toml import MOST_SEED, ConfigPath, read, toml_value

type Scalar = bool | int | float | str


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one setting may be: one of `choices`, or a number from `low` to `high`.

    Parameters
    ----------
    choices : tuple, optional
        Texts, numbers, or lists of them.
    low, high : int or float, optional
        Bounds, inclusive; whole numbers where both are.
    log : bool
        Whether to search by the logarithm.
    step : int or float, optional
        Distance of the values.
    when : dict
        Other settings of the search, and the values with which this one counts.

    Examples
    --------
    >>> Range(low=1e-4, high=1e-2, log=True).high
    0.01
    >>> Range(low=1)
    Traceback (most recent call last):
    ...
    ValueError: Expected either choices, or low and high; was low=1, high=None, choices=None
    """

    choices: tuple[Scalar | tuple[Scalar, ...], ...] | None = None
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    step: int | float | None = None
    when: dict[str, Scalar] = {}

    def __post_init__(self) -> None:
        bounds = self.low is not None and self.high is not None
        if bounds == (self.choices is not None) or (self.low is None) != (self.high is None):
            raise ValueError(
                f"Expected either choices, or low and high; was low={self.low}, high={self.high}, "
                f"choices={self.choices}"
            )
        if self.choices is not None and not self.choices:
            raise ValueError("Expected one choice or more, was none")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"Expected low below high, was {self.low} and {self.high}")
        if self.log and self.low is not None and self.low <= 0:
            raise ValueError(f"Expected low above 0 with log, was {self.low}")
        if self.log and self.step is not None:
            raise ValueError("Expected either log or step, was both")


class TuneConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a search.

    Parameters
    ----------
    name : str
        What the study is called.
    training : str
        TOML file of the training that is varied; its first net is trained.
    space : dict
        For each path of a setting, as ``--set`` takes it, what it may be.
    trials : int
        How many settings to try, all sessions together.
    tail : float
        Share of the span, its end, that no trial sees.
    pruning : bool
        Whether to stop trials that do worse than the median of the others at the same epoch.
    seed : int
        Of the search.

    Examples
    --------
    >>> space = {"fit.learning_rate": Range(low=1e-4, high=1e-2, log=True)}
    >>> TuneConfig(name="x", training="edge.toml", space=space).trials
    30
    """

    name: str
    training: ConfigPath
    space: Annotated[dict[str, Range], Meta(min_length=1)]
    trials: Annotated[int, Meta(ge=1)] = 30
    tail: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.2
    pruning: bool = True
    seed: Annotated[int, Meta(ge=0, le=MOST_SEED)] = 0

    def __post_init__(self) -> None:
        names = list(self.space)
        for at, (name, range_) in enumerate(self.space.items()):
            for other in range_.when:
                if other not in names[:at]:
                    raise ValueError(f"Expected space.{name}.when to name settings above it, was '{other}'")


def load_tune_config(file: Path | str, changes: Sequence[str] = ()) -> TuneConfig:
    """Read the settings of a search, and check that every path of it is a setting of the training.

    Raises
    ------
    SettingsError
        Naming the file, the place in it, and what was expected.
    """
    config = read(TuneConfig, file, changes)
    base = trial_config(config, {})
    if not base.nets:
        raise SettingsError("Expected a net, was none.", source=config.training, path="nets")
    for name, range_ in config.space.items():
        for value in range_.choices or (range_.low, range_.high):
            trial_config(config, {name: value})
    return config


def trial_config(config: TuneConfig, chosen: dict[str, Any]) -> TrainingConfig:
    """Return the training with some settings replaced.

    Raises
    ------
    SettingsError
        Where one is unknown or of the wrong kind.
    """
    return read(TrainingConfig, config.training, [f"{name}={toml_value(value)}" for name, value in chosen.items()])
