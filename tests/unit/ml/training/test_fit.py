"""Training: it learns, stops, and after a kill at any point ends with the numbers of a training that was not killed."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fathom.ml.errors import TrainingError
from fathom.ml.nets import NETS
from fathom.ml.samples.datasets import Arrays
from fathom.ml.training.fit import Trained, fit
from fathom.ml.training.fit_config import FitConfig
from fathom.ml.training.resumption import SNAPSHOT, WEIGHTS
from fathom.ml.training.snapshots import SnapshotError, load
from tests.makers import training_problem as problem

PROJECT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return fit(problem.net(), problem.config(), problem.data(), tmp_path_factory.mktemp("whole"), seed=7)


def figures(trained: Trained) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "secs"} for row in trained.history]


@pytest.mark.parametrize("name", sorted(NETS))
def test_every_net_learns_what_can_be_learned(name: str, tmp_path: Path) -> None:
    data = problem.data(problem.arrays(1_500))
    trained = fit(problem.net(name), problem.config(8), data, tmp_path, seed=1)
    said = trained.predict(data.test_dataloader())
    truth = data.samples.classes[data.fold.test]
    prior = np.bincount(truth).max() / len(truth)
    assert (said.classes == truth).mean() > prior + 0.15
    np.testing.assert_allclose(said.probabilities.sum(axis=1), 1.0, rtol=1e-12)
    actual = data.samples.return_bps[data.fold.test]
    assert np.corrcoef(said.expected_return_bps, actual)[0, 1] > 0.5


@pytest.mark.parametrize("killed_after", [5, 13])  # an epoch has 13 batches: within one, and before its validation
def test_a_killed_training_ends_as_if_it_had_not_been(whole: Trained, killed_after: int, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.makers.training_problem", str(tmp_path), str(killed_after)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"here\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdin.close()
    process.stdout.close()
    assert (tmp_path / SNAPSHOT).is_file()
    steps: list[object] = []
    resumed = fit(problem.net(), problem.config(), problem.data(), tmp_path, seed=7, on_step=steps.append)
    assert 0 < len(steps) <= 4 * 13 - killed_after + 1  # it went on; it did not begin anew
    assert figures(resumed) == figures(whole)
    assert resumed.record.calibration == whole.record.calibration
    weights, others = load(resumed.folder / WEIGHTS)["net"], load(whole.folder / WEIGHTS)["net"]
    assert all(torch.equal(weights[name], others[name]) for name in others)


def test_another_seed_gives_other_numbers(whole: Trained, tmp_path: Path) -> None:
    assert figures(fit(problem.net(), problem.config(), problem.data(), tmp_path, seed=8)) != figures(whole)


def test_an_ended_training_is_returned_and_not_repeated(whole: Trained) -> None:
    again = fit(problem.net(), problem.config(), problem.data(), whole.folder, seed=7, on_step=lambda _: 1 / 0)
    assert again.record == whole.record
    assert not (whole.folder / SNAPSHOT).exists()


def test_a_folder_of_another_training_is_refused(whole: Trained, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Expected a training with these settings and data"):
        fit(problem.net(), problem.config(5), problem.data(), whole.folder, seed=7)

    def stop(row: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(problem.net(), problem.config(), problem.data(), tmp_path, seed=7, on_epoch=stop)
    with pytest.raises(SnapshotError, match="Expected the snapshot of a training with these settings and data"):
        fit(problem.net(), problem.config(), problem.data(seed=4), tmp_path, seed=7)


def test_ctrl_c_is_passed_on_and_keeps_working(tmp_path: Path) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(problem.net("compact"), problem.config(), problem.data(), tmp_path, seed=7, on_step=interrupt)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_damaged_snapshot_is_named(tmp_path: Path) -> None:
    (tmp_path / SNAPSHOT).write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(SnapshotError, match=r"snapshot\.npz: Expected a snapshot of a training"):
        fit(problem.net(), problem.config(), problem.data(), tmp_path, seed=7)


def test_it_stops_when_it_no_longer_gains_and_keeps_the_best(tmp_path: Path) -> None:
    config = FitConfig(epochs=60, patience=3, batch_size=32, learning_rate=3e-2, device="cpu")
    trained = fit(problem.net("compact"), config, problem.data(problem.arrays(edge=0.0)), tmp_path, seed=1)
    scores = [row["validation_direction_loss"] for row in trained.history]
    assert len(scores) == trained.record.best_epoch + 1 + 3 < 60
    assert scores[trained.record.best_epoch] == min(scores)


def test_calibration_lowers_the_log_loss_and_changes_no_direction(whole: Trained) -> None:
    found = whole.record.validation
    assert found["log_loss_after"] <= found["log_loss_before"]
    data = problem.data()
    logits = np.concatenate([whole.net(batch["x"]).logits.detach().numpy() for batch in data.val_dataloader()])
    assert (whole.predict(data.val_dataloader()).classes == logits.argmax(axis=1)).all()


def test_rows_of_the_test_change_nothing_that_is_fitted(whole: Trained, tmp_path: Path) -> None:
    made, honest = problem.arrays(), problem.data()
    first = honest.samples.rows[honest.fold.test].min() - (problem.WINDOW - 1)
    last = honest.samples.rows[honest.fold.validation].max() + 1  # the label's horizon is one row
    assert last < first
    features, mid = np.array(made.features), np.array(made.mid)
    features[first:] = 1e3 - features[first:]
    mid[first:] = mid[first - 1] * mid[first - 1] / mid[first:]
    spoilt = problem.data(Arrays.raw(features, made.ts, mid))
    tests = honest.fold.test
    assert (spoilt.fold.test == tests).all()
    assert (spoilt.samples.classes[tests] != honest.samples.classes[tests]).any()
    other = fit(problem.net(), problem.config(), spoilt, tmp_path, seed=7)
    assert spoilt.scaler == honest.scaler
    assert other.record.calibration == whole.record.calibration
    assert other.record.validation == whole.record.validation
    for name, weights in whole.net.state_dict().items():
        torch.testing.assert_close(other.net.state_dict()[name], weights, rtol=0.0, atol=0.0)


def test_no_number_anywhere_is_a_clear_error(tmp_path: Path) -> None:
    config = FitConfig(epochs=2, learning_rate=1e30, device="cpu", gradient_clip=1e30)
    made = problem.arrays(200)
    with pytest.raises(TrainingError, match="Expected a loss that is a number"):
        fit(problem.net("compact"), config, problem.data(made), tmp_path, seed=1)


def test_no_validation_samples_is_an_error(tmp_path: Path) -> None:
    data = problem.data()
    data.fold = data.fold._replace(validation=np.zeros(0, np.int64))
    with pytest.raises(TrainingError, match="Expected validation samples"):
        fit(problem.net(), problem.config(), data, tmp_path, seed=1)
