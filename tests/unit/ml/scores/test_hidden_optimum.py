"""What an observer of the hidden state would have said."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from fathom.ml.errors import TrainingError
from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.scores.hidden_optimum import foretold, load_optimum
from tests.makers.walks import GRID_NS, walk

HORIZON = {
    "horizon_secs": 30.0,
    "direction_accuracy": 0.8,
    "threshold_bps": 1.0,
    "threshold_accuracy": 0.75,
    "threshold_majority": 0.45,
    "decisions": [{"fee_bps": 2.0, "accuracy": 0.7, "majority": 0.4, "net_bps": 5.5}],
}


def test_the_optimum_is_that_of_the_label(tmp_path: Path) -> None:
    (tmp_path / "optimum.json").write_bytes(msgspec.json.encode({"horizons": [HORIZON]}))
    found = load_optimum(tmp_path, LabelConfig(horizon_secs=30.0, fee_bps=2.0, threshold_bps=1.0))
    assert (found.accuracy, found.majority, found.net_bps) == (0.75, 0.45, 5.5)
    costs = load_optimum(tmp_path, LabelConfig(horizon_secs=30.0, fee_bps=2.0))
    assert (costs.accuracy, costs.majority) == (0.7, 0.4)
    for label, problem in (
        (LabelConfig(horizon_secs=20.0), r"one of \[30.0\] s"),
        (LabelConfig(horizon_secs=30.0, fee_bps=3.0), r"a fee of one of \[2.0\] bps"),
        (LabelConfig(horizon_secs=30.0, threshold_bps=7.0), "a threshold of 1 bps"),
    ):
        with pytest.raises(TrainingError, match=problem):
            load_optimum(tmp_path, label)
    with pytest.raises(TrainingError, match="Expected the truth of a simulation"):
        load_optimum(tmp_path / "none", LabelConfig())


def test_the_oracle_says_what_training_showed_in_the_state() -> None:
    samples = walk(300).samples(LabelConfig(horizon_secs=1.0, threshold_bps=1.0), window=2)
    begins = np.arange(0, 300, 50) * GRID_NS
    states = np.array([0, 1, 2, 0, 1, 2])
    train, test = samples.take(np.arange(150)), samples.take(np.arange(150, len(samples)))
    said = foretold(begins, states, train, test)
    # Grid time T knows what came before T: at 50 s the state of the first spell still holds.
    held = {state: (train.ts > begins[state]) & (train.ts <= begins[state] + 50 * GRID_NS) for state in range(3)}
    for number, ts in enumerate(test.ts.tolist()):
        state = int(states[np.searchsorted(begins, ts) - 1])
        expected = np.bincount(train.classes[held[state]], minlength=3) / held[state].sum()
        np.testing.assert_allclose(said.probabilities[number], expected, atol=1e-6)
