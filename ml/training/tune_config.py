"""What a search for better settings varies, read from a TOML file."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fathom.ml.errors import TrainingConfigError
from fathom.ml.training.config import TrainingConfig, load_training_config

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
        TOML file of the training that is varied, relative to this one; its first net is trained.
    space : dict
        For each path of a setting, as ``--set`` takes it, what it may be.
    trials : int
        How many settings to try, all sessions together.
    tail : float
        Share of the span, its end, that no trial sees.
    pruning : bool
        Whether to stop trials that do worse than the median of the others at the same epoch.
    seed : int

    Examples
    --------
    >>> space = {"fit.learning_rate": Range(low=1e-4, high=1e-2, log=True)}
    >>> TuneConfig(name="x", training="edge.toml", space=space).trials
    30
    """

    name: str
    training: str
    space: Annotated[dict[str, Range], Meta(min_length=1)]
    trials: Annotated[int, Meta(ge=1)] = 30
    tail: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.2
    pruning: bool = True
    seed: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        names = list(self.space)
        for at, (name, range_) in enumerate(self.space.items()):
            for other in range_.when:
                if other not in names[:at]:
                    raise ValueError(f"Expected space.{name}.when to name settings above it, was '{other}'")


def load_tune_config(file: Path | str) -> TuneConfig:
    """Read the settings of a search, and check that every path of it is a setting of the training.

    Raises
    ------
    TrainingConfigError
        Naming the file, the place in it, and what was expected.
    """
    file = Path(file)
    try:
        config = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), TuneConfig)
    except OSError as error:
        raise TrainingConfigError(f"Expected a readable TOML file, was {error.strerror}.", source=str(file)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingConfigError(f"Expected TOML, was something else: {error}.", source=str(file)) from None
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise TrainingConfigError(f"{problem}.", source=str(file), path=path.strip("`.")) from None
    config = msgspec.structs.replace(config, training=str(file.parent / config.training))
    base = trial_config(config, {})
    if not base.nets:
        raise TrainingConfigError("Expected a net, was none.", source=config.training, path="nets")
    for name, range_ in config.space.items():
        for value in range_.choices or (range_.low, range_.high):
            trial_config(config, {name: value})
    return config


def trial_config(config: TuneConfig, chosen: dict[str, Any]) -> TrainingConfig:
    """Return the training with some settings replaced.

    Raises
    ------
    TrainingConfigError
        Where one is unknown or of the wrong kind.
    """
    return load_training_config(config.training, [f"{name}={toml(value)}" for name, value in chosen.items()])


def toml(value: Any) -> str:
    """Return a value as TOML writes it.

    >>> toml(("a", 1.5, True)), toml(1e-7)
    ('["a", 1.5, true]', '1e-07')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    return (
        repr(value) if isinstance(value, int | float) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )
