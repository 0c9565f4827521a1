"""What a training is made of, read from a TOML file: data, label, split, nets, fit."""

import difflib
import re
import tomllib
import typing
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from fathom.ml.errors import TrainingConfigError
from fathom.ml.samples.config import DataConfig
from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.samples.splits import SplitConfig
from fathom.ml.scores.metrics import METRICS
from fathom.ml.training.fit_config import FitConfig, NetConfig

BASELINES: Final = ("prior", "persistence", "logistic", "boosting")
"""Names of the baselines, in the order of reports."""

_AT: Final = re.compile(r"^(?P<problem>.*?)(?: - at `\$?(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>[^`]+)`")


class EvaluationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How results are judged.

    Parameters
    ----------
    baselines : tuple of str
        Which of prior, persistence, logistic and boosting.
    baseline_rows : int
        Training samples that the fitted baselines read, evenly spaced, at most.
    resamples : int
        Of the block bootstrap.
    block_secs : float or None
        Length of its blocks; None means the longer of 20 horizons and two windows.
    level : float
        Of the intervals.
    policy : {"class", "expected_return"}
        How predictions become trades: the likeliest class; or the side of the expected return where that exceeds the
        cost known at the time.
    truth : str or None
        Folder of a simulated instrument's truth (``<catalog>/fathom/truth/<instrument>``): what an observer of the
        hidden state reaches is then reported beside the models.
    metrics : tuple of str
        More scores for the reports, as ``"module:metric"`` (`fathom.ml.scores.metrics.METRICS`).

    Examples
    --------
    >>> EvaluationConfig().level
    0.95
    """

    baselines: tuple[Literal["prior", "persistence", "logistic", "boosting"], ...] = BASELINES
    baseline_rows: Annotated[int, Meta(ge=100)] = 20_000
    resamples: Annotated[int, Meta(ge=100)] = 1_000
    block_secs: Annotated[float, Meta(gt=0.0)] | None = None
    level: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.95
    policy: Literal["class", "expected_return"] = "class"
    truth: str | None = None
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.metrics:
            METRICS.place(name)


class TrainingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a training; what the file does not say is a default.

    Parameters
    ----------
    name : str
        What the runs are called.
    seed : int
        Of everything that is random.
    data : DataConfig
    label : LabelConfig
    split : SplitConfig
    nets : tuple of NetConfig
        Nets to train, each on every fold; none for the baselines alone.
    fit : FitConfig
    evaluation : EvaluationConfig
    ledger : str
        File that counts every trial ever run on a dataset (`fathom.ml.training.trial_ledger`).

    Examples
    --------
    >>> config = msgspec.convert({"name": "x", "data": {"arrays": "a"}}, TrainingConfig)
    >>> config.label.horizon_secs, config.hash[:4] == config.hash[:4]
    (10.0, True)
    """

    name: str
    data: DataConfig
    seed: Annotated[int, Meta(ge=0)] = 0
    label: LabelConfig = LabelConfig()
    split: SplitConfig = SplitConfig()
    nets: tuple[NetConfig, ...] = ()
    fit: FitConfig = FitConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    ledger: str = "trials.jsonl"

    def __post_init__(self) -> None:
        names = [net.title for net in self.nets]
        if len(set(names)) != len(names):
            raise ValueError("Expected each net once in nets, was one twice")

    @property
    def hash(self) -> str:
        """SHA-256 of the settings."""
        return sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


def load_training_config(file: Path | str, changes: Sequence[str] = ()) -> TrainingConfig:
    """Read the settings of a training.

    Parameters
    ----------
    file : Path or str
        TOML; see `TrainingConfig` for what it may say.
    changes : sequence of str
        Such as ``label.horizon_secs=30`` or ``nets.0.name=compact``, applied over the file.

    Raises
    ------
    TrainingConfigError
        Naming the file, the place in it, what was expected and the nearest valid name.
    """
    try:
        document = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingConfigError(f"Expected a readable TOML file, was {error.strerror}.", source=str(file)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingConfigError(f"Expected TOML, was something else: {error}.", source=str(file)) from None
    for change in changes:
        _apply(document, change)
    try:
        return msgspec.convert(document, TrainingConfig)
    except msgspec.ValidationError as error:
        raise _explained(str(error), document, str(file)) from None


def _apply(document: dict[str, Any], change: str) -> None:
    source = f"--set {change}"
    key, equals, text = change.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise TrainingConfigError("Expected KEY=VALUE, such as label.horizon_secs=30.", source=source)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a text
    place: Any = document
    for number, name in enumerate(path):
        last = number == len(path) - 1
        if isinstance(place, list):
            if not name.isdigit() or int(name) >= len(place):
                raise TrainingConfigError(f"Expected an index below {len(place)}, was '{name}'.", source=source)
            if last:
                place[int(name)] = value
            else:
                place = place[int(name)]
        elif not isinstance(place, dict):
            raise TrainingConfigError(f"Expected a table before '{name}', was a value.", source=source)
        elif last:
            place[name] = value
        else:
            place = place.setdefault(name, {})


def _explained(message: str, document: Any, source: str) -> TrainingConfigError:
    matched = _AT.match(message)
    assert matched is not None
    path, problem = (matched["path"] or "").lstrip("."), matched["problem"].rstrip(".")
    unknown = _UNKNOWN.search(problem)
    value, kind = document, _Kind(TrainingConfig)
    for part in filter(None, re.split(r"[.\[\]]+", path)):
        kind = kind.under(part)
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit():
            value = value[int(part)]
    if unknown:
        near = difflib.get_close_matches(unknown["name"], kind.fields, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"Expected one of: {', '.join(kind.fields)}."
        problem = f"Unknown name '{unknown['name']}'. {hint}"
    elif problem.startswith("Invalid enum value") and isinstance(value, str):
        options = [str(option) for option in typing.get_args(kind.kind)]
        near = difflib.get_close_matches(value, options, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        problem = f"Expected one of: {', '.join(options)}; was '{value}'.{hint}"
    elif not isinstance(value, dict | list) and value is not None and " was " not in problem:
        problem = f"{re.sub(r', got .*$', '', problem).replace('`', '')}, was {value!r}."
    else:
        problem += "."
    return TrainingConfigError(problem, source=source, path=path)


class _Kind:
    # Follows a path through the structs, to tell the names that are valid at its end.
    def __init__(self, kind: Any) -> None:
        self.kind = kind

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(getattr(self.kind, "__struct_fields__", ()))

    def under(self, name: str) -> "_Kind":
        if name not in self.fields:
            return self  # an index, or an element of an array
        found = {field.name: field.type for field in msgspec.structs.fields(self.kind)}[name]
        return _Kind(
            next((part for part in getattr(found, "__args__", ()) if hasattr(part, "__struct_fields__")), found)
        )
