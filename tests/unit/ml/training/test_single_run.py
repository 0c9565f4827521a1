"""One run: from a configuration to an artifact with a card, registered, and found again by the same command."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fathom.commands.train.run import run
from fathom.ml.models.artifacts import load_artifact
from fathom.ml.models.inference import Predictor
from fathom.ml.samples.datasets import Arrays
from fathom.settings.toml import read
from tests.makers import training_problem as problem

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    problem.arrays(600, columns=3, edge=0.2).save(folder / "arrays")
    (folder / "training.toml").write_text(
        f"""
name = "tiny"
ledger = "{folder}"
[[nets]]
name = "compact"
parameters = {{ channels = [6], steps = [4], hidden = 6 }}
[data]
arrays = "{folder}/arrays"
window = {problem.WINDOW}
[label]
horizon_secs = 1.0
threshold_bps = 0.4
fee_bps = 0.0
[fit]
epochs = 3
batch_size = 32
learning_rate = 1e-2
device = "cpu"
[evaluation]
baselines = ["prior"]
resamples = 100
"""
    )
    return folder / "training.toml"


def test_a_run_ends_in_an_artifact_that_knows_itself(config: Path) -> None:
    models = config.parent / "models"
    arguments = [str(config), "--out", str(models), "--importance", "32", "--no-track", "--json"]
    done = CliRunner().invoke(run, arguments)
    assert done.exit_code == 0, done.output
    (entry,) = json.loads(done.stdout)
    artifact = load_artifact(entry["path"])
    assert (artifact.name, artifact.version) == ("tiny-compact", entry["version"])
    assert {"card.html", "card.md", "model.onnx"} <= {path.name for path in artifact.path.iterdir()}
    metrics, made = artifact.metrics, artifact.provenance
    assert made.dataset_hash == Arrays.open(config.parent / "arrays").facts.hash
    assert made.spans["train"][1] < made.spans["validation"][0] < made.spans["validation"][1] < made.spans["test"][0]
    assert [one["name"] for one in metrics["importance"][:2]] == ["raw", "feature_0"]  # the column that tells
    assert metrics["trials_on_dataset"] == 1  # the net, not its baseline

    # What the artifact answers for the raw rows of the tail is what was scored.
    arrays = Arrays.open(config.parent / "arrays")
    from fathom.ml.samples.splits import split
    from fathom.ml.training.config import TrainingConfig
    from fathom.ml.training.single_run import single

    settings = single(read(TrainingConfig, config), 0.2)
    samples = arrays.samples(settings.label, window=problem.WINDOW)
    (fold,) = split(samples.ts, settings.split, reach_ns=samples.reach_ns)
    rows = samples.rows[fold.test]
    windows = np.stack([arrays.features[row - problem.WINDOW + 1 : row + 1] for row in rows]).astype(np.float64)
    said = Predictor(artifact, precision="float32").predict_many(windows).probabilities.argmax(axis=1)
    accuracy = (said == samples.classes[fold.test]).mean()
    assert accuracy == pytest.approx(metrics["test"]["compact"]["scores"]["accuracy"][0], abs=1e-9)

    again = CliRunner().invoke(run, arguments)
    assert json.loads(again.stdout)[0]["version"] == entry["version"]


def test_a_configuration_without_a_net_is_refused(config: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(run, [str(config), "--out", str(tmp_path), "--no-track", "--set", "nets=[]"])
    assert done.exit_code == 1
    assert "Expected a net in the configuration" in done.output


def test_a_tail_must_be_a_share(config: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(run, [str(config), "--out", str(tmp_path), "--no-track", "--tail", "1.5"])
    assert done.exit_code == 1
    assert "Expected a held-out tail between 0 and 1" in done.output
