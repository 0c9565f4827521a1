"""Baselines: they find what is there, and nothing where nothing is."""

import numpy as np
import pytest

from fathom.ml.samples.datasets import Arrays, Samples
from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.samples.splits import SplitConfig, split
from fathom.ml.training.baselines import BASELINES, summarise
from tests.makers.walks import walk

LABEL = LabelConfig(horizon_secs=1.0, fee_bps=0.0, threshold_bps=1.0)


def answered(name: str, arrays: Arrays) -> tuple[Samples, Samples, np.ndarray, np.ndarray]:
    samples = arrays.samples(LABEL, window=4)
    fold = next(split(samples.ts, SplitConfig(folds=1, first_train=0.6), reach_ns=samples.reach_ns))
    train, test = samples.take(fold.train), samples.take(fold.test)
    model = BASELINES[name](1)
    model.fit(arrays, train, arrays.fit_scaler(train.touched_rows()))
    said = model.predict(arrays, test)
    np.testing.assert_allclose(said.probabilities.sum(axis=1), 1.0, rtol=1e-6)
    return train, test, said.probabilities, said.expected_return_bps


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_a_fitted_baseline_finds_skill(name: str) -> None:
    _, test, said, expected = answered(name, walk(1_500, skill=0.9))
    moved = test.return_bps != 0.0
    right = (said[:, 1] > said[:, 2]) == (test.return_bps > 0.0)
    assert right[moved].mean() > 0.75
    assert np.corrcoef(expected, test.return_bps)[0, 1] > 0.6


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    _, test, said, _ = answered(name, walk(1_500, seed=4))
    right = np.where(said[:, 1] == said[:, 2], 0.5, (said[:, 1] > said[:, 2]) == (test.return_bps > 0.0))
    assert abs(right.mean() - 0.5) < 4 * 0.5 / len(test) ** 0.5


def test_the_prior_says_what_training_showed() -> None:
    train, _, said, expected = answered("prior", walk(400))
    np.testing.assert_array_equal(said[0], train.class_shares())
    assert expected[0] == train.return_bps.mean()


def test_persistence_repeats_the_last_move() -> None:
    _, test, said, _ = answered("persistence", walk(400))
    np.testing.assert_array_equal(said.argmax(axis=1), test.past_classes)


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_one_class_in_training_is_what_is_said(name: str) -> None:
    arrays = walk(300)
    samples = arrays.samples(LabelConfig(horizon_secs=1.0, threshold_bps=1e6), window=4)
    model = BASELINES[name](1)
    model.fit(arrays, samples, arrays.fit_scaler(samples.rows))
    assert set(model.predict(arrays, samples).classes) == {0}


def test_a_window_boils_down_to_its_end_its_means_and_its_change() -> None:
    arrays = walk(60)
    samples = arrays.samples(LABEL, window=20).take(np.array([3]))
    scaler = arrays.fit_scaler(np.arange(60))
    rows = scaler.apply(arrays.features[3 : 3 + 20].astype(np.float64))
    expected = np.concatenate([rows[-1], rows.mean(axis=0), rows[-10:].mean(axis=0), rows[-1] - rows[0]])
    np.testing.assert_allclose(summarise(arrays, samples, scaler)[0], expected, rtol=1e-6, atol=1e-6)
