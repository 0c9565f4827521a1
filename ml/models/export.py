"""From a trained net to an artifact: exported, compared with torch, quantised, timed, and put in place as a whole."""

import datetime
import logging
import os
import platform
import statistics
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fathom.ml.features import Normalisation
from fathom.ml.models.artifacts import (
    INT8_MODEL,
    METRICS,
    MODEL,
    PROVENANCE,
    SCALER,
    SCHEMA,
    Artifact,
    ArtifactError,
    ModelSchema,
    Provenance,
    load_artifact,
)
from fathom.ml.models.inference import INPUT, OUTPUTS, SCHEMA_KEY, Predictor
from fathom.ml.scores.calibration import Calibration
from fathom.ml.scores.confusion import macro_f1
from fathom.settings.whole_files import whole_folder

TOLERANCE: Final = 1e-5
"""Largest difference of ONNX and torch: of a probability, or relative to a value in bps above 1."""

MOST_F1_LOSS: Final = 0.01
"""What quantisation may cost in macro F1, absolute."""

_OPSET: Final = 20
_TIMED: Final = 300


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What is exported, and what is known of it.

    Parameters
    ----------
    name : str
        What the model is called.
    net : str
        Registered name of the net.
    parameters : dict
    schema : ModelSchema
    scaler : Normalisation
        Of the columns of the schema.
    calibration : Calibration
    metrics : dict
        Goes into ``metrics.json``, with what the export adds: ``export`` and ``latency``.
    config : dict
        Training configuration.
    seed : int
    git_revision, dataset_hash : str
    spans : dict
        First and last time, ns, of the parts of the data.
    """

    name: str
    net: str
    schema: ModelSchema
    scaler: Normalisation
    calibration: Calibration = Calibration()
    parameters: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    config: dict[str, Any] = {}
    seed: int = 0
    git_revision: str = ""
    dataset_hash: str = ""
    spans: dict[str, tuple[int, int]] = {}


class Deployed(nn.Module):
    """A net from raw float64 windows to calibrated answers: scaler, net, temperature, confidence.

    The scaler computes in float64, as `fathom.ml.features.Normalisation` does: prices keep their ticks.

    Parameters
    ----------
    net : Module
    scaler : Normalisation
    calibration : Calibration

    Examples
    --------
    >>> from fathom.ml.nets import build
    >>> from fathom.ml.features import fit
    >>> scaler = fit("standard", ["a"], np.array([1, 2]), np.array([[3.0], [7.0]]), before_ns=3)
    >>> deployed = Deployed(build("compact", features=1, window=8).eval(), scaler, Calibration(temperature=2.0))
    >>> [tuple(answer.shape) for answer in deployed(torch.zeros(4, 8, 1, dtype=torch.float64))]
    [(4, 3), (4,), (4,), (4,)]
    """

    centre: Tensor
    factor: Tensor

    def __init__(self, net: nn.Module, scaler: Normalisation, calibration: Calibration) -> None:
        super().__init__()
        self.net = net
        self.limit = scaler.limit
        self.calibration = calibration
        self.register_buffer("centre", torch.tensor(scaler.centre, dtype=torch.float64))
        # A product takes a third of the time of a quotient; in float64 the difference is far below a float32.
        self.register_buffer("factor", 1.0 / torch.tensor(scaler.scale, dtype=torch.float64))

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scaled = ((window - self.centre) * self.factor).clamp(-self.limit, self.limit).float()
        heads = self.net(scaled)
        calibration = self.calibration
        return (
            (heads.logits / calibration.temperature).softmax(dim=-1),
            (heads.confidence * calibration.scale + calibration.shift).sigmoid(),
            heads.expected_return,
            heads.volatility.exp(),
        )


def export(
    net: nn.Module,
    source: Source,
    folder: Path | str,
    *,
    windows: NDArray[np.float64],
    directions: NDArray[np.int64],
    int8: bool = True,
) -> Artifact:
    """Write the artifact of a net; the directory appears when everything in it is whole and checked.

    Parameters
    ----------
    net : Module
        On the CPU.
    source : Source
    folder : Path or str
        Of the artifact; it must not exist.
    windows : ndarray
        Real windows of shape (n, window, features), raw: on them ONNX is compared with torch, and int8 with float32.
    directions : ndarray
        Their true classes.
    int8 : bool
        Whether to quantise too. The int8 model is kept where it costs at most `MOST_F1_LOSS`, and answers by default
        where it is the faster one.

    Raises
    ------
    ArtifactError
        Where the folder exists, ONNX and torch differ, or scaler and schema do not belong together.
    """
    folder = Path(folder)
    if folder.exists():
        raise ArtifactError(f"{folder}: Expected a directory that is not there yet, was one; name another")
    if source.scaler.names != source.schema.features.names:
        raise ArtifactError(f"{folder}: Expected a scaler of the schema's columns, was one of others")
    if windows.shape[1:] != source.schema.shape or not 0 < len(windows) == len(directions):
        raise ArtifactError(
            f"{folder}: Expected windows of shape (n, {source.schema.window}, {len(source.schema.features)}) and "
            f"n directions, was {windows.shape} and {directions.shape}"
        )
    with whole_folder(folder) as part:
        _write(net, source, part, windows, directions, int8)
    return load_artifact(folder)


def _write(
    net: nn.Module,
    source: Source,
    folder: Path,
    windows: NDArray[np.float64],
    directions: NDArray[np.int64],
    int8: bool,
) -> None:
    deployed = Deployed(net, source.scaler, source.calibration).eval()
    _save_onnx(deployed, source.schema, folder / MODEL)
    (folder / SCALER).write_bytes(source.scaler.to_json())
    (folder / SCHEMA).write_bytes(source.schema.to_json())
    (folder / METRICS).write_bytes(b"{}")
    _seal(folder, source, "float32")
    plain = Predictor(load_artifact(folder))
    found: dict[str, Any] = {"windows": len(windows), "torch_difference": _compared(deployed, plain, windows, folder)}
    answers = plain.predict_many(windows)
    found["f1_float32"] = macro_f1(answers.probabilities.argmax(axis=1), directions)
    latency = {"float32": _latency(plain, windows)}
    served = "float32"
    if int8:
        _quantise(folder / MODEL, folder / INT8_MODEL, source.schema)
        _seal(folder, source, "float32")
        small = Predictor(load_artifact(folder), precision="int8")
        others = small.predict_many(windows)
        found["f1_int8"] = macro_f1(others.probabilities.argmax(axis=1), directions)
        found["int8_difference"] = float(np.abs(others.probabilities - answers.probabilities).max())
        found["int8_agreement"] = float((others.direction == answers.direction).mean())
        latency["int8"] = _latency(small, windows)
        if found["f1_float32"] - found["f1_int8"] > MOST_F1_LOSS:
            (folder / INT8_MODEL).unlink()
        elif latency["int8"]["cpu_p50_ms"] < latency["float32"]["cpu_p50_ms"]:
            served = "int8"
    metrics = source.metrics | {"export": found, "latency": latency | {"machine": _machine()}}
    (folder / METRICS).write_bytes(msgspec.json.format(msgspec.json.encode(metrics), indent=1))
    _seal(folder, source, served)


def _save_onnx(deployed: Deployed, schema: ModelSchema, path: Path) -> None:
    example = torch.zeros((2, *schema.shape), dtype=torch.float64)
    with _quiet():
        program = torch.onnx.export(
            deployed,
            (example,),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _describe(model, schema)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _describe(model: onnx.ModelProto, schema: ModelSchema) -> None:
    entry = model.metadata_props.add()
    entry.key, entry.value = SCHEMA_KEY, schema.hash


def _quantise(path: Path, out: Path, schema: ModelSchema) -> None:
    # Weights become int8, activations are scaled as they come. Convolutions are left: theirs is no gain here. The
    # runtime first folds constants, as the exporter leaves an LSTM's weights as slices and concatenations.
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folded = out.with_suffix(".folded")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    with _quiet():
        quantize_dynamic(folded, out, weight_type=QuantType.QInt8, op_types_to_quantize=["LSTM", "MatMul"])
    folded.unlink()
    model = onnx.load(out)
    del model.metadata_props[:]
    _describe(model, schema)
    out.write_bytes(model.SerializeToString())


def _compared(deployed: Deployed, predictor: Predictor, windows: NDArray[np.float64], folder: Path) -> float:
    with torch.inference_mode():
        whole = torch.from_numpy(np.ascontiguousarray(windows, np.float64))
        columns = zip(*(deployed(whole[at : at + 64]) for at in range(0, len(whole), 64)), strict=True)
        theirs = [torch.cat(parts).numpy() for parts in columns]
    worst = 0.0
    # A return is the net's answer times the standard deviation of returns: in that unit the two must agree.
    units = [float(held) for name, held in deployed.net.named_buffers() if name.endswith("return_unit")]
    least = {"expected_return_bps": max([1.0, *units])}
    for name, ours, expected in zip(OUTPUTS, predictor.predict_many(windows)[1:], theirs, strict=True):
        difference = float((np.abs(ours - expected) / np.maximum(np.abs(expected), least.get(name, 1.0))).max())
        if not difference <= TOLERANCE:
            raise ArtifactError(
                f"{folder.name}: Expected ONNX and torch within {TOLERANCE:g}, was {difference:g} in {name}; "
                "report it with the net's settings"
            )
        worst = max(worst, difference)
    return worst


def _latency(predictor: Predictor, windows: NDArray[np.float64]) -> dict[str, float]:
    taken, computed = [], []
    for number in range(_TIMED):
        began = time.thread_time_ns()
        taken.append(predictor.predict_one(windows[number % len(windows)]).inference_ms)
        computed.append((time.thread_time_ns() - began) / 1e6)
    many = windows[:256]
    begun = time.perf_counter()
    predictor.predict_many(many)
    rate = len(many) / (time.perf_counter() - begun)
    return {
        "p50_ms": statistics.median(taken),
        "p99_ms": float(np.quantile(taken, 0.99)),
        "cpu_p50_ms": statistics.median(computed),
        "rows_per_sec": rate,
    }


def reseal(folder: Path, metrics: dict[str, Any]) -> Artifact:
    """Add figures to the metrics of an artifact that nobody uses yet, and its provenance says so.

    Parameters
    ----------
    folder : Path
        Of an artifact that `export` wrote and that is not in its place yet.
    metrics : dict
        Entries to add or replace.
    """
    found = load_artifact(folder)
    (folder / METRICS).write_bytes(msgspec.json.format(msgspec.json.encode(found.metrics | metrics), indent=1))
    files = found.provenance.files | {METRICS: sha256((folder / METRICS).read_bytes()).hexdigest()}
    provenance = msgspec.structs.replace(found.provenance, files=files)
    (folder / PROVENANCE).write_bytes(msgspec.json.format(msgspec.json.encode(provenance), indent=1))
    return load_artifact(folder)


def _seal(folder: Path, source: Source, served: str) -> None:
    files = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name in (MODEL, INT8_MODEL, SCALER, SCHEMA, METRICS)
    }
    provenance = Provenance(
        name=source.name,
        net=source.net,
        parameters=source.parameters,
        temperature=source.calibration.temperature,
        served=served,
        created=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        git_revision=source.git_revision,
        dataset_hash=source.dataset_hash,
        schema_hash=source.schema.hash,
        seed=source.seed,
        config=source.config,
        spans=source.spans,
        versions=_versions(),
        files=files,
    )
    (folder / PROVENANCE).write_bytes(msgspec.json.format(msgspec.json.encode(provenance), indent=1))


def _versions() -> dict[str, str]:
    packages = ("torch", "lightning", "onnx", "onnxruntime", "numpy")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} processors; one thread; others may have used the machine"


@contextmanager
def _quiet() -> Iterator[None]:
    # Exporter and quantiser tell of their inner affairs through warnings and loggers, at length.
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
