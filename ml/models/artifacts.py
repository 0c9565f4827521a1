"""A trained model as a directory of plain files: what it reads, what it was made of, and whether it is whole.

No file is code: weights are ONNX, everything else JSON. Opening a model cannot run anything but ONNX operators.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from fathom.ml.features import FeatureSchema, Normalisation
from fathom.ml.features.schema import Canonical
from fathom.settings.errors import FathomError

CLASSES: Final = ("HOLD", "BUY", "SELL")
"""Directions by class number."""

MODEL: Final = "model.onnx"
INT8_MODEL: Final = "model.int8.onnx"
SCALER: Final = "scaler.json"
SCHEMA: Final = "schema.json"
METRICS: Final = "metrics.json"
PROVENANCE: Final = "provenance.json"


class ArtifactError(FathomError, ValueError):
    """A directory cannot be used as a model; the message says what was expected, what was found, and the remedy.

    Examples
    --------
    >>> load_artifact("no/such/model")
    Traceback (most recent call last):
        ...
    fathom.ml.models.artifacts.ArtifactError: no/such/model: Expected the directory of an artifact, was none; `fathom
    models list` ...
    """


class ModelSchema(Canonical, frozen=True, kw_only=True):
    """State what a model reads and what its answer means.

    Parameters
    ----------
    features : FeatureSchema
        Columns of the window, in order.
    window : int
        Vectors that are read at once, oldest first.
    grid_ms : int
        Time between two of them.
    horizon_secs : float
        How far ahead the answer looks.
    label : dict
        How directions were labelled: the kind and its settings.
    classes : tuple of str
        Directions by class number.

    Examples
    --------
    >>> features = FeatureSchema(columns=(), versions={}, settings={"grid_ms": 1000})
    >>> schema = ModelSchema(features=features, window=60, grid_ms=1000, horizon_secs=10.0, label={"kind": "fixed"})
    >>> other = ModelSchema(features=features, window=30, grid_ms=1000, horizon_secs=10.0, label={"kind": "fixed"})
    >>> schema.differences(other)
    ['window: 60 here, 30 there']
    >>> ModelSchema.from_json(schema.to_json()) == schema
    True
    """

    features: FeatureSchema
    window: int
    grid_ms: int
    horizon_secs: float
    label: dict[str, str | int | float | bool]
    classes: tuple[str, ...] = CLASSES

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"Expected a window of 1 or more, was {self.window}")
        grid = self.features.settings.get("grid_ms", self.grid_ms)
        if grid != self.grid_ms:
            raise ValueError(f"Expected the features' grid of {grid} ms, was {self.grid_ms} ms")

    @property
    def shape(self) -> tuple[int, int]:
        """Vectors and features of a window."""
        return self.window, len(self.features)

    def differences(self, other: "ModelSchema") -> list[str]:
        """Return in words what `other` has not, has besides, or has differently."""
        found = self.features.differences(other.features)
        for name in ("window", "grid_ms", "horizon_secs", "classes"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                found.append(f"{name}: {mine} here, {theirs} there")
        for name in sorted({*self.label, *other.label}):
            mine, theirs = self.label.get(name, "absent"), other.label.get(name, "absent")
            if mine != theirs:
                found.append(f"label {name}: {mine} here, {theirs} there")
        return found


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State what a model was made of.

    Parameters
    ----------
    name : str
        What the model is called.
    net : str
        Registered name of the net.
    parameters : dict
        Settings of the net.
    temperature : float
        What the logits were divided by.
    served : str
        Which of the models answers, ``float32`` or ``int8``.
    created : str
        When it was exported, UTC.
    git_revision, dataset_hash, schema_hash : str
        Of the code, the data and the schema; "" where unknown.
    seed : int
    config : dict
        The training configuration.
    spans : dict
        First and last time, ns, of ``train``, ``validation`` and ``test``.
    versions : dict
        Of the libraries.
    files : dict
        SHA-256 of every other file.

    Examples
    --------
    >>> made = Provenance(name="edge", net="compact", created="2026-01-01T00:00:00Z", schema_hash="ab", files={})
    >>> made.served, made.temperature
    ('float32', 1.0)
    """

    name: str
    net: str
    created: str
    schema_hash: str
    files: dict[str, str]
    parameters: dict[str, Any] = {}
    temperature: float = 1.0
    served: str = "float32"
    git_revision: str = ""
    dataset_hash: str = ""
    seed: int = 0
    config: dict[str, Any] = {}
    spans: dict[str, tuple[int, int]] = {}
    versions: dict[str, str] = {}


@dataclass(frozen=True)
class Artifact:
    """A trained model on disk, checked to be whole.

    Attributes
    ----------
    path : Path
        The directory.
    schema : ModelSchema
    scaler : Normalisation
        For information and offline use; it is folded into the model, which reads raw windows.
    metrics : dict
        Figures by split, and ``latency``, ``export``.
    provenance : Provenance
    """

    path: Path
    schema: ModelSchema
    scaler: Normalisation
    metrics: dict[str, Any]
    provenance: Provenance

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.provenance.name

    @property
    def version(self) -> str:
        """First 12 digits of the hash of everything that decides an answer."""
        return _version(self.provenance.files)

    @property
    def has_int8(self) -> bool:
        """Whether a quantised model is there too."""
        return INT8_MODEL in self.provenance.files

    def model(self, precision: str = "") -> Path:
        """Return the file of the model; by default the one that `Provenance.served` names."""
        precision = precision or self.provenance.served
        if precision == "float32":
            return self.path / MODEL
        if precision != "int8":
            raise ArtifactError(f"{self.path}: Expected precision float32 or int8, was '{precision}'")
        if not self.has_int8:
            raise ArtifactError(f"{self.path}: Expected an int8 model, was none; export it with int8, or use float32")
        return self.path / INT8_MODEL


def load_artifact(path: Path | str, *, expected: ModelSchema | FeatureSchema | None = None) -> Artifact:
    """Return the artifact of a directory after checking that it is whole and means what is expected.

    Parameters
    ----------
    path : Path or str
        The directory.
    expected : ModelSchema or FeatureSchema, optional
        What the caller will give to the model. A feature schema may have more columns than the model reads.

    Raises
    ------
    ArtifactError
        Where the directory or a file is missing, damaged or of another version, where the files contradict each other,
        or where the schema is not the expected one: with both sides' differences.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ArtifactError(
            f"{folder}: Expected the directory of an artifact, was none; `fathom models list` shows what there is"
        )
    provenance: Provenance = _decoded(folder, PROVENANCE, Provenance)
    for file in (MODEL, SCALER, SCHEMA, METRICS):
        if file not in provenance.files:
            raise ArtifactError(f"{folder / PROVENANCE}: Expected the hash of {file}, was none; export the model again")
    for file, digest in sorted(provenance.files.items()):
        if Path(file).name != file:
            raise ArtifactError(f"{folder / PROVENANCE}: Expected the name of a file beside it, was '{file}'")
        found = sha256(_content(folder / file)).hexdigest()
        if found != digest:
            raise ArtifactError(
                f"{folder / file}: Expected the file that was exported ({digest[:12]}), was another ({found[:12]}); "
                "export the model again or copy the directory as a whole"
            )
    schema: ModelSchema = _decoded(folder, SCHEMA, ModelSchema)
    scaler: Normalisation = _decoded(folder, SCALER, Normalisation)
    metrics: dict[str, Any] = _decoded(folder, METRICS, dict[str, Any])
    if schema.hash != provenance.schema_hash:
        raise ArtifactError(
            f"{folder / SCHEMA}: Expected the schema {provenance.schema_hash[:12]} of the model, was {schema.hash[:12]}"
        )
    if scaler.names != schema.features.names:
        raise ArtifactError(
            f"{folder / SCALER}: Expected the columns of {SCHEMA}, were others: "
            + "; ".join(_unlike(schema.features.names, scaler.names))
        )
    if schema.classes != CLASSES:
        raise ArtifactError(f"{folder / SCHEMA}: Expected classes {CLASSES}, was {schema.classes}")
    if expected is not None:
        require(schema, expected, str(folder))
    return Artifact(folder, schema, scaler, metrics, provenance)


def require(schema: ModelSchema, expected: ModelSchema | FeatureSchema, where: str) -> None:
    """Raise an `ArtifactError` with both sides' differences unless the model reads what is expected."""
    if isinstance(expected, ModelSchema):
        found = schema.differences(expected)
    else:
        known = {*expected.names}
        here = expected.select([name for name in schema.features.names if name in known])
        found = schema.features.differences(here)
    if found:
        raise ArtifactError(
            f"{where}: Expected the schema of the model, was another (here: the model): {'; '.join(found)}; "
            "train on these features, or give the model its own"
        )


def _version(files: Mapping[str, str]) -> str:
    decisive = {name: digest for name, digest in files.items() if name in (MODEL, INT8_MODEL, SCALER, SCHEMA)}
    return sha256(msgspec.json.encode(decisive, order="sorted")).hexdigest()[:12]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path}: Expected a readable file, was {error.strerror}; the artifact is not whole: export it again"
        ) from None


def _decoded(folder: Path, file: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(_content(folder / file), type=kind)
    except msgspec.DecodeError as error:
        raise ArtifactError(f"{folder / file}: Expected what an export writes: {error}; export it again") from None


def _unlike(mine: tuple[str, ...], theirs: tuple[str, ...]) -> list[str]:
    found = [f"missing: {name}" for name in mine if name not in theirs]
    found += [f"not expected: {name}" for name in theirs if name not in mine]
    return found or ["the same names in another order"]
