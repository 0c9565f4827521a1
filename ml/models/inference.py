"""Predictions of an artifact by ONNX Runtime: one thread, no spinning, warmed up, and without torch."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from fathom.ml.features import FeatureSchema
from fathom.ml.models.artifacts import Artifact, ArtifactError, ModelSchema, load_artifact
from fathom.settings.errors import FathomError

INPUT: Final = "window"
OUTPUTS: Final = ("probabilities", "confidence", "expected_return_bps", "volatility_bps")
SCHEMA_KEY: Final = "fathom_schema"
"""Name of the entry of a model's metadata that holds the hash of its schema."""

DIRECTIONS: Final = (0, 1, -1)
"""Direction of each class."""

_BATCH: Final = 16  # larger batches of an LSTM leave the cache: 64 rows at once are slower than 4 times 16
_WARM_UP: Final = 5


class WindowError(FathomError, ValueError):
    """A window cannot be given to the model: it has another shape, or a value that is not finite."""


class Prediction(NamedTuple):
    """What a model says about the time after a window.

    Parameters
    ----------
    direction : int
        1 up, -1 down, 0 neither: the most probable class.
    probabilities : tuple of float
        Calibrated probabilities of HOLD, BUY and SELL.
    confidence : float
        Estimated probability that `direction` is right, 0 to 1.
    expected_return_bps : float
        Expected return over the horizon, basis points.
    inference_ms : float
        Wall time that the answer took.
    volatility_bps : float
        Expected volatility over the horizon, basis points.

    Examples
    --------
    >>> Prediction(1, (0.2, 0.7, 0.1), 0.65, 1.5, 0.9).direction
    1
    """

    direction: int
    probabilities: tuple[float, float, float]
    confidence: float
    expected_return_bps: float
    inference_ms: float
    volatility_bps: float = float("nan")


class Predictions(NamedTuple):
    """What a model says about many windows, one row each; see `Prediction`.

    Parameters
    ----------
    direction : ndarray
        int64 of shape (n,).
    probabilities : ndarray
        float32 of shape (n, 3).
    confidence, expected_return_bps, volatility_bps : ndarray
        float32 of shape (n,).

    Examples
    --------
    >>> zeros = np.zeros(2, np.float32)
    >>> len(Predictions(np.zeros(2, np.int64), np.zeros((2, 3), np.float32), zeros, zeros, zeros).direction)
    2
    """

    direction: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    confidence: NDArray[np.float32]
    expected_return_bps: NDArray[np.float32]
    volatility_bps: NDArray[np.float32]


class Predictor:
    """Answer for windows of raw, unscaled features.

    The scaler and the temperature are part of the ONNX graph: nothing can be forgotten or applied twice. A quantised
    model scales its activations by the range of the whole batch, so that rows would depend on their neighbours: its
    windows go through it one at a time, and `predict_one` is the row of `predict_many` for both kinds.

    Parameters
    ----------
    artifact : Artifact
    precision : {"float32", "int8"}, optional
        Which model; by default the one that the artifact names.
    workers : int
        Threads of `predict_many`, each with a session of its own. `predict_one` always runs in the calling thread.

    Examples
    --------
    >>> Predictor.open("no/such/model")
    Traceback (most recent call last):
        ...
    fathom.ml.models.artifacts.ArtifactError: no/such/model: Expected the directory of an artifact, was none; ...
    """

    def __init__(self, artifact: Artifact, *, precision: Literal["", "float32", "int8"] = "", workers: int = 1) -> None:
        if workers < 1:
            raise ValueError(f"Expected 1 worker or more, was {workers}")
        self.artifact = artifact
        self.precision = precision or artifact.provenance.served
        path = artifact.model(self.precision)
        self._sessions = [_session(path) for _ in range(workers)]
        _check(self._sessions[0], artifact.schema, path)
        self._shape = artifact.schema.shape
        self._batch = 1 if self.precision == "int8" else _BATCH
        for session in self._sessions:
            for _ in range(_WARM_UP):
                session.run(OUTPUTS, {INPUT: np.zeros((1, *self._shape))})

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        expected: ModelSchema | FeatureSchema | None = None,
        precision: Literal["", "float32", "int8"] = "",
        workers: int = 1,
    ) -> "Predictor":
        """Load, check and warm up the model of a directory.

        Raises
        ------
        ArtifactError
            Where the artifact is damaged or does not read what is expected; see `load_artifact`.
        """
        return cls(load_artifact(path, expected=expected), precision=precision, workers=workers)

    def predict_one(self, window: NDArray[np.float64]) -> Prediction:
        """Return the answer for one window.

        Parameters
        ----------
        window : ndarray
            float64 of shape (window, features), raw, oldest first, columns in the order of the schema.

        Raises
        ------
        WindowError
            Where the shape is another, or a value is NaN or infinite.
        """
        begun = time.perf_counter_ns()
        values = self._checked(window, self._shape)
        outputs = self._sessions[0].run(OUTPUTS, {INPUT: values.reshape(1, *self._shape)})
        probabilities: list[float] = outputs[0][0].tolist()
        hold, buy, sell = probabilities
        return Prediction(
            DIRECTIONS[probabilities.index(max(probabilities))],
            (hold, buy, sell),
            float(outputs[1][0]),
            float(outputs[2][0]),
            (time.perf_counter_ns() - begun) / 1e6,
            float(outputs[3][0]),
        )

    def predict_many(self, windows: NDArray[np.float64]) -> Predictions:
        """Return the answers for windows of shape (n, window, features).

        Raises
        ------
        WindowError
            Where the shape is another, or a value is NaN or infinite.
        """
        if windows.ndim != 3 or windows.shape[1:] != self._shape:
            raise WindowError(f"Expected windows of shape (n, {self._shape[0]}, {self._shape[1]}), was {windows.shape}")
        count = len(windows)
        found = Predictions(
            np.zeros(count, np.int64), np.zeros((count, 3), np.float32), *(np.zeros(count, np.float32) for _ in "crv")
        )
        batches = range(0, count, self._batch)
        if len(self._sessions) == 1:
            self._fill(self._sessions[0], windows, batches, found)
        else:
            workers = len(self._sessions)
            with ThreadPoolExecutor(workers) as pool:  # ONNX Runtime lets go of the interpreter while it computes
                jobs = [
                    pool.submit(self._fill, session, windows, batches[number::workers], found)
                    for number, session in enumerate(self._sessions)
                ]
                for job in jobs:
                    job.result()
        found.direction[:] = np.array(DIRECTIONS)[found.probabilities.argmax(axis=1)]
        return found

    def _fill(self, session: Any, windows: NDArray[np.float64], batches: range, found: Predictions) -> None:
        for first in batches:
            rows = slice(first, first + self._batch)
            values = self._checked(windows[rows], windows[rows].shape)
            for place, output in zip(found[1:], session.run(OUTPUTS, {INPUT: values}), strict=True):
                place[rows] = output

    def _checked(self, window: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        if window.shape != shape:
            raise WindowError(f"Expected a window of shape {shape}, was {window.shape}")
        values = np.ascontiguousarray(window, np.float64)
        if not np.isfinite(values).all():
            at = np.argwhere(~np.isfinite(values))[0]
            name = self.artifact.schema.features.names[at[-1]]
            raise WindowError(
                f"Expected finite values, was {values[tuple(at)]} in {name}, vector {at[-2]} of the window; "
                "wait until the features are warm"
            )
        return values


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises classes of its own for each kind of damage
        raise ArtifactError(f"{path}: Expected an ONNX model: {error}; export it again") from None


def _check(session: Any, schema: ModelSchema, path: Path) -> None:
    (given,) = session.get_inputs()
    outputs = [output.name for output in session.get_outputs()]
    if given.name != INPUT or given.type != "tensor(double)" or tuple(given.shape[1:]) != schema.shape:
        raise ArtifactError(
            f"{path}: Expected an input {INPUT} of doubles of shape (batch, {schema.window}, {len(schema.features)}), "
            f"was {given.name} of {given.type} and shape {given.shape}; export it again"
        )
    if outputs != list(OUTPUTS):
        raise ArtifactError(f"{path}: Expected outputs {', '.join(OUTPUTS)}, was {', '.join(outputs)}; export it again")
    found = session.get_modelmeta().custom_metadata_map.get(SCHEMA_KEY, "absent")
    if found != schema.hash:
        raise ArtifactError(
            f"{path}: Expected the model of the schema {schema.hash[:12]}, was of {found[:12]}; export it again"
        )
