"""A real artifact with a tiny ONNX model: one softmax of a linear function of the window's last vector."""

import json
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fathom.ml.features import FeatureConfig, FeatureSchema, FeatureSet, Normalisation
from fathom.ml.models.artifacts import ModelSchema, Provenance
from fathom.ml.models.inference import INPUT, OUTPUTS, SCHEMA_KEY


def schema_of(features: FeatureConfig, names: tuple[str, ...] = ()) -> FeatureSchema:
    """Return the schema of a feature set, or of the named columns of it."""
    whole = FeatureSet(features, price_increment=0.1, size_increment=0.001).schema
    return whole.select(names) if names else whole


def write_model(
    folder: Path,
    features: FeatureSchema,
    *,
    window: int,
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0),
    seed: int | None = None,
    name: str = "tiny",
    until_ns: int = 0,
) -> Path:
    """Write an artifact whose logits (HOLD, BUY, SELL) are `bias`, plus random weights on the features with a seed.

    The features are squashed by `tanh` of a thousandth of them, so that the answers differ whatever their scale is.
    """
    grid_ms = int(features.settings["grid_ms"])
    schema = ModelSchema(features=features, window=window, grid_ms=grid_ms, horizon_secs=10.0, label={"kind": "fixed"})
    weights = np.zeros((len(features), 3), np.float32)
    if seed is not None:
        weights = np.random.default_rng(seed).normal(0.0, 1.0, weights.shape).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(_graph(schema, weights, np.array(bias, np.float32)))
    count = len(features)
    scaler = Normalisation(
        kind="standard",
        names=features.names,
        centre=(0.0,) * count,
        scale=(1.0,) * count,
        limit=10.0,
        before_ns=0,
        vectors=1,
    )
    (folder / "scaler.json").write_bytes(scaler.to_json())
    (folder / "schema.json").write_bytes(schema.to_json())
    (folder / "metrics.json").write_text(json.dumps({}))
    files = ("model.onnx", "scaler.json", "schema.json", "metrics.json")
    provenance = Provenance(
        name=name,
        net="linear",
        created="2026-01-01T00:00:00Z",
        schema_hash=schema.hash,
        files={file: sha256((folder / file).read_bytes()).hexdigest() for file in files},
        spans={"train": (0, until_ns)} if until_ns else {},
    )
    (folder / "provenance.json").write_bytes(msgspec.json.encode(provenance))
    return folder


def _graph(schema: ModelSchema, weights: NDArray[np.float32], bias: NDArray[np.float32]) -> bytes:
    rows, columns = schema.shape
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(bias, "bias"),
        numpy_helper.from_array(np.array(rows - 1, np.int64), "last"),
        numpy_helper.from_array(np.array(1e-3), "small"),
        numpy_helper.from_array(np.array([-1.0, 1.0, 0.0], np.float32).reshape(3, 1), "gain"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
    ]
    nodes = [
        helper.make_node("Gather", [INPUT, "last"], ["row"], axis=1),
        helper.make_node("Mul", ["row", "small"], ["scaled"]),
        helper.make_node("Tanh", ["scaled"], ["squashed"]),
        helper.make_node("Cast", ["squashed"], ["single"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["single", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [OUTPUTS[0]], axis=1),
        helper.make_node("ReduceMax", [OUTPUTS[0], "axis"], [OUTPUTS[1]], keepdims=0),
        helper.make_node("MatMul", [OUTPUTS[0], "gain"], ["column"]),
        helper.make_node("Squeeze", ["column", "axis"], [OUTPUTS[2]]),
        helper.make_node("Abs", [OUTPUTS[2]], [OUTPUTS[3]]),
    ]
    given = helper.make_tensor_value_info(INPUT, TensorProto.DOUBLE, ["batch", rows, columns])
    made = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3] if name == OUTPUTS[0] else ["batch"])
        for name in OUTPUTS
    ]
    graph = helper.make_graph(nodes, "tiny", [given], made, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    entry = model.metadata_props.add()
    entry.key, entry.value = SCHEMA_KEY, schema.hash
    return bytes(onnx.ModelProto.SerializeToString(model))
