"""Scores, against scikit-learn and against sums by hand."""

import numpy as np
import pytest
from sklearn import metrics as reference

from fathom.ml.samples.datasets import Samples
from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.samples.labels import CLASSES
from fathom.ml.scores.bootstrap import Resampler
from fathom.ml.scores.metrics import BINS, NAMES, score
from fathom.ml.scores.policy_returns import sides, trades
from fathom.ml.scores.predictions import Predictions
from fathom.settings import times
from tests.makers.walks import GRID_NS, walk

LABEL = LabelConfig(horizon_secs=2.0, fee_bps=1.0, threshold_bps=3.0)


def problem(seed: int = 0, skill: float = 0.8) -> tuple[Samples, Predictions]:
    rng = np.random.default_rng(seed)
    samples = walk(800, seed=seed, instruments=2).samples(LABEL, window=3)
    samples = samples.take(np.argsort(samples.ts, kind="stable"))
    logits = rng.normal(size=(len(samples), 3)) + skill * 2.0 * np.eye(3)[samples.classes]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = rng.normal(0.0, 6.0, len(samples))
    return samples, Predictions.of(shares, expected, rng.uniform(size=len(samples)))


def resampler_of(samples: Samples, resamples: int = 200) -> Resampler:
    return Resampler(samples.ts, bucket_ns=2 * GRID_NS, block_ns=40 * GRID_NS, resamples=resamples, seed=1)


def test_scores_of_classes_equal_those_of_scikit_learn() -> None:
    samples, said = problem()
    found = score(samples, said, resampler_of(samples)).values
    truth, chosen = samples.classes, said.classes
    expected = {
        "accuracy": reference.accuracy_score(truth, chosen),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, chosen),
        "mcc": reference.matthews_corrcoef(truth, chosen),
        "auc": reference.roc_auc_score(truth, said.probabilities, multi_class="ovr"),
        "f1_macro": reference.f1_score(truth, chosen, average="macro"),
        "log_loss": reference.log_loss(truth, said.probabilities),
        "brier": ((said.probabilities - np.eye(3)[truth]) ** 2).sum(axis=1).mean(),
    }
    parts = reference.precision_recall_fscore_support(truth, chosen)
    for number, name in enumerate(CLASSES):
        for kind, values in zip(("precision", "recall", "f1"), parts, strict=False):
            expected[f"{kind}_{name.lower()}"] = values[number]
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name
    assert list(found) == list(NAMES)


def test_the_error_of_calibration_is_the_mean_gap_of_its_bins() -> None:
    samples, said = problem()
    sure, right = said.probabilities.max(axis=1), said.classes == samples.classes
    gaps = []
    for low in np.arange(BINS) / BINS:
        inside = (sure >= low) & (sure < low + 1 / BINS)
        if inside.any():
            gaps.append(inside.mean() * abs(sure[inside].mean() - right[inside].mean()))
    scores = score(samples, said, resampler_of(samples))
    assert scores.values["ece"] == pytest.approx(sum(gaps))
    assert scores.reliability[:, 0].sum() == len(samples)
    honest = Predictions.of(np.tile(samples.class_shares(), (len(samples), 1)))
    assert score(samples, honest, resampler_of(samples)).values["ece"] == pytest.approx(0.0, abs=1e-12)


def test_direction_is_asked_only_where_the_price_moved() -> None:
    samples, said = problem()
    lean = said.probabilities[:, 1] > said.probabilities[:, 2]
    moved = samples.return_bps != 0.0
    expected = (lean == (samples.return_bps > 0.0))[moved].mean()
    assert score(samples, said, resampler_of(samples)).values["direction_accuracy"] == pytest.approx(expected)
    nothing = Predictions.of(np.full((len(samples), 3), 1 / 3))
    assert score(samples, nothing, resampler_of(samples)).values["direction_accuracy"] == 0.5


@pytest.mark.parametrize("policy", ["class", "expected_return"])
def test_an_instrument_holds_one_position_at_a_time_and_pays_for_it(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, said = problem()
    wished = sides(samples, said, policy)  # type: ignore[arg-type]
    made = trades(samples, wished)
    free_at, total, count = {0: 0, 1: 0}, 0.0, 0
    for i in range(len(samples)):
        instrument = int(samples.instrument[i])
        if policy == "class":
            side = {0: 0, 1: 1, 2: -1}[int(said.classes[i])]
        else:
            expected = said.expected_return_bps[i]
            side = int(np.sign(expected)) if abs(expected) > 2.0 + 0.5 else 0
        enters = side != 0 and samples.ts[i] >= free_at[instrument]
        assert made.taken[i] == enters
        if enters:
            free_at[instrument] = int(samples.ts[i]) + 2 * GRID_NS
            count, total = count + 1, total + side * samples.return_bps[i] - (2.0 + 0.5)
    found = score(samples, said, resampler_of(samples), policy).values  # type: ignore[arg-type]
    assert found["trades"] == count > 0
    assert found["net_bps_total"] == pytest.approx(total)
    assert found["net_bps_per_trade"] == pytest.approx(total / count)
    net = np.bincount((samples.ts - samples.ts.min() // (2 * GRID_NS) * 2 * GRID_NS) // (2 * GRID_NS), made.net_bps)
    assert np.isnan(found["sharpe"])  # of minutes, and no such span is annualised
    monkeypatch.setattr(times, "SHORTEST_ANNUALISED", 0)
    found = score(samples, said, resampler_of(samples), policy).values  # type: ignore[arg-type]
    assert found["sharpe"] == pytest.approx(net.mean() / net.std() * (365 * 86_400 / 2.0) ** 0.5)


def test_no_trade_has_no_result() -> None:
    samples, _ = problem()
    idle = Predictions.of(np.tile([1.0, 0.0, 0.0], (len(samples), 1)))
    scores = score(samples, idle, resampler_of(samples))
    assert scores.values["trades"] == 0.0
    assert np.isnan(scores.values["net_bps_per_trade"])
    assert np.isnan(scores.interval("sharpe", 0.95).low)


def test_two_models_are_compared_on_the_same_resamples() -> None:
    samples, good = problem(skill=1.0)
    _, bad = problem(skill=0.2)
    resampler = resampler_of(samples)
    one, other = score(samples, good, resampler), score(samples, bad, resampler)
    gain = one.difference(other, "accuracy", 0.95)
    assert gain.value == pytest.approx(one.values["accuracy"] - other.values["accuracy"])
    assert gain.low > 0.0
    assert one.difference(one, "accuracy", 0.95) == (0.0, 0.0, 0.0)
    # Interval of AUC by ranks lies around the exact value.
    auc = one.interval("auc", 0.95)
    assert auc.low < auc.value < auc.high


def test_answers_that_are_no_numbers_are_refused() -> None:
    samples, said = problem()
    broken = said.probabilities.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="the training diverged"):
        score(samples, Predictions.of(broken), resampler_of(samples))
    with pytest.raises(ValueError, match=f"Expected {len(samples)} predictions, was 1"):
        score(samples, Predictions.of(np.full((1, 3), 1 / 3)), resampler_of(samples))
