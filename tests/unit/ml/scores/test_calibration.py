"""Calibration: a known temperature is found, a known line is found, and the error is that of a count by hand."""

import numpy as np
import pytest

from fathom.ml.scores.calibration import Calibration, calibrate, reliability


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found(temperature: float) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(scale=2.0, size=(20_000, 3))
    direction = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    found = calibrate(logits * temperature, np.zeros(len(logits)), direction)
    assert found.temperature == pytest.approx(temperature, rel=0.05)
    probabilities = found.probabilities(logits * temperature)
    right = (probabilities.argmax(axis=1) == direction).astype(np.int64)
    assert reliability(probabilities.max(axis=1), right).error < 0.015


def test_a_known_line_of_the_confidence_is_found() -> None:
    rng = np.random.default_rng(4)
    score = rng.normal(scale=2.0, size=40_000)
    right = rng.random(40_000) < 1.0 / (1.0 + np.exp(-(0.4 * score + 0.7)))
    logits = np.tile([1.0, 0.0, 0.0], (40_000, 1))
    found = calibrate(logits, score, np.where(right, 0, 1))
    assert found.scale == pytest.approx(0.4, abs=0.05)
    assert found.shift == pytest.approx(0.7, abs=0.05)


def test_all_right_and_all_wrong_stay_finite() -> None:
    logits = np.tile([1.0, 0.0, 0.0], (50, 1))
    for direction in (0, 1):
        found = calibrate(logits, np.zeros(50), np.full(50, direction))
        assert np.isfinite((found.temperature, found.scale, found.shift)).all()
        assert 0.0 < found.confidence(np.zeros(1))[0] < 1.0


def test_the_error_is_that_of_a_count_by_hand() -> None:
    rng = np.random.default_rng(5)
    probability, right = rng.random(500), rng.integers(0, 2, 500)
    expected = 0.0
    for low in np.arange(15) / 15.0:
        chosen = (probability >= low) & (probability < low + 1.0 / 15.0)
        if chosen.any():
            expected += chosen.mean() * abs(probability[chosen].mean() - right[chosen].mean())
    assert reliability(probability, right).error == pytest.approx(expected, rel=1e-9)
    assert reliability(np.ones(3), np.ones(3, np.int64)).error == 0.0


def test_nothing_to_calibrate_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expected as many answers as directions"):
        calibrate(np.zeros((0, 3)), np.zeros(0), np.zeros(0, np.int64))
    assert Calibration().confidence(np.zeros(1))[0] == 0.5
