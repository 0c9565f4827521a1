"""Export: the artifact answers what torch answers, one window at a time or many, scaled and calibrated alike."""

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from fathom.ml.models.artifacts import INT8_MODEL, Artifact, ArtifactError, load_artifact
from fathom.ml.models.export import export
from fathom.ml.models.inference import Predictor, WindowError
from fathom.ml.nets import NETS
from fathom.ml.scores.confusion import macro_f1
from tests.makers import exported

PROJECT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Artifact]:
    folder = tmp_path_factory.mktemp("models")
    return cache(lambda name: exported.artifact(folder / name, name))


@pytest.fixture(params=sorted(NETS))
def artifact(request: pytest.FixtureRequest, exports: Callable[[str], Artifact]) -> Artifact:
    return exports(request.param)


@pytest.fixture
def compact(exports: Callable[[str], Artifact]) -> Artifact:
    return exports("compact")


def by_hand(name: str) -> tuple[np.ndarray, ...]:
    # The scaler and the calibration as their own classes apply them, around the net.
    source, given = exported.source(name), exported.windows()
    scaled = torch.from_numpy(source.scaler.apply(given).astype(np.float32))
    with torch.inference_mode():
        heads = exported.net(name)(scaled)
    return (
        source.calibration.probabilities(heads.logits.numpy()),
        source.calibration.confidence(heads.confidence.numpy()),
        heads.expected_return.numpy(),
        heads.volatility.exp().numpy(),
    )


def test_onnx_answers_as_torch_with_scaler_and_temperature(artifact: Artifact) -> None:
    answers = Predictor(artifact, precision="float32").predict_many(exported.windows())
    for ours, theirs in zip(answers[1:], by_hand(artifact.provenance.net), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert np.ptp(answers.probabilities, axis=0).min() > 1e-4  # the windows matter


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_one_is_a_row_of_many(artifact: Artifact, precision: str) -> None:
    if precision == "int8" and not artifact.has_int8:
        pytest.skip("quantisation cost this net too much")
    given = exported.windows()
    many = Predictor(artifact, precision=precision, workers=2).predict_many(given)  # type: ignore[arg-type]
    predictor = Predictor(artifact, precision=precision)  # type: ignore[arg-type]
    for row, window in enumerate(given):
        one = predictor.predict_one(window)
        assert one.direction == many.direction[row]
        np.testing.assert_allclose(one.probabilities, many.probabilities[row], atol=1e-5)
        np.testing.assert_allclose(one.confidence, many.confidence[row], atol=1e-5)
        np.testing.assert_allclose(one.expected_return_bps, many.expected_return_bps[row], atol=1e-5)
        assert one.inference_ms > 0.0


def test_the_artifact_says_what_was_measured(artifact: Artifact) -> None:
    found = artifact.metrics["export"]
    assert found["torch_difference"] <= 1e-5
    assert artifact.has_int8 == (found["f1_float32"] - found["f1_int8"] <= 0.01)
    answers = Predictor(artifact, precision="float32").predict_many(exported.windows())
    truth = np.random.default_rng(1).integers(0, 3, len(answers.direction))
    assert found["f1_float32"] == macro_f1(answers.probabilities.argmax(axis=1), truth)
    assert artifact.metrics["latency"]["float32"]["p99_ms"] >= artifact.metrics["latency"]["float32"]["p50_ms"] > 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_window_that_is_not_finite_is_named(compact: Artifact, bad: float) -> None:
    given = exported.windows(2)
    given[1, 3, 2] = bad
    predictor = Predictor(compact)
    with pytest.raises(WindowError, match=r"Expected finite values, was .* in c2, vector 3 of the window"):
        predictor.predict_one(given[1])
    with pytest.raises(WindowError, match="in c2, vector 3"):
        predictor.predict_many(given)


def test_huge_values_that_are_finite_are_cut(compact: Artifact) -> None:
    given = exported.windows(1)[0]
    given[0, :2] = 1.7e308
    assert np.isfinite(Predictor(compact).predict_one(given).probabilities).all()


def test_other_shapes_are_refused(compact: Artifact) -> None:
    predictor = Predictor(compact)
    with pytest.raises(WindowError, match=r"Expected a window of shape \(8, 5\), was \(7, 5\)"):
        predictor.predict_one(np.zeros((7, 5)))
    with pytest.raises(WindowError, match=r"Expected windows of shape \(n, 8, 5\), was \(3, 8, 4\)"):
        predictor.predict_many(np.zeros((3, 8, 4)))
    assert predictor.predict_many(np.zeros((0, 8, 5))).direction.shape == (0,)


def test_inference_imports_no_torch(compact: Artifact) -> None:
    script = (
        "import sys, numpy as np; from fathom.ml.models.inference import Predictor; p = Predictor.open(sys.argv[1]);"
        "p.predict_one(np.zeros((8, 5)));"
        "print([m for m in ('torch', 'lightning', 'mlflow', 'optuna', 'onnx', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(compact.path)], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert done.stdout.strip() == "[]"


def test_it_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fathom.ml.models.export.TOLERANCE", -1.0)
    with pytest.raises(ArtifactError, match="Expected ONNX and torch within"):
        exported.artifact(tmp_path / "model", int8=False)
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_is_never_written_over(compact: Artifact) -> None:
    with pytest.raises(ArtifactError, match="Expected a directory that is not there yet"):
        exported.artifact(compact.path)


def test_a_scaler_of_other_columns_is_refused(tmp_path: Path) -> None:
    import msgspec

    source = exported.source()
    other = msgspec.structs.replace(source, schema=exported.schema(4))
    with pytest.raises(ArtifactError, match="Expected a scaler of the schema's columns"):
        export(exported.net(), other, tmp_path / "m", windows=exported.windows(), directions=np.zeros(40, np.int64))


def test_no_file_is_code(compact: Artifact) -> None:
    for path in compact.path.iterdir():
        assert path.suffix in {".onnx", ".json"}
        assert not path.read_bytes().startswith((b"\x80", b"PK"))
    assert (compact.path / INT8_MODEL).is_file() == compact.has_int8
    assert load_artifact(compact.path).version == compact.version
