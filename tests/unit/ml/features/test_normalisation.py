"""Normalisation is fitted on training data only and comes back from JSON to the last bit."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.ml.features import FeatureError, Normalisation, fit

NAMES = ["a", "b", "c"]


def data(count: int = 500) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(2)
    values = rng.normal([10.0, -3.0, 0.0], [2.0, 0.1, 30.0], (count, 3))
    return np.arange(count) * 1_000, values


@pytest.mark.parametrize("kind", ["standard", "robust"])
def test_later_data_cannot_be_seen(kind: str) -> None:
    ts, values = data()
    fitted = fit(kind, NAMES, ts, values, before_ns=300_000)  # type: ignore[arg-type]
    changed = values.copy()
    changed[300:] = 1e9
    assert fit(kind, NAMES, ts, changed, before_ns=300_000) == fitted  # type: ignore[arg-type]
    assert fit(kind, NAMES, ts[:300], values[:300], before_ns=300_000) == fitted  # type: ignore[arg-type]
    assert fitted.vectors == 300
    changed[299] = 1e9
    assert fit(kind, NAMES, ts, changed, before_ns=300_000) != fitted  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["standard", "robust"])
def test_comes_back_from_json_to_the_last_bit(kind: str) -> None:
    ts, values = data()
    fitted = fit(kind, NAMES, ts, values, before_ns=10**9)  # type: ignore[arg-type]
    again = Normalisation.from_json(fitted.to_json())
    assert again == fitted
    np.testing.assert_array_equal(again.apply(values), fitted.apply(values))


def test_standard_is_mean_and_deviation() -> None:
    ts, values = data()
    scaled = fit("standard", NAMES, ts, values, before_ns=10**9).apply(values)
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0)


def test_robust_is_not_moved_by_outliers() -> None:
    ts, values = data(20_000)
    values[::100] = 1e12
    scaled = fit("robust", NAMES, ts, values, before_ns=10**12).apply(values)
    clean = np.delete(scaled, np.s_[::100], axis=0)
    np.testing.assert_allclose(np.median(clean, axis=0), 0.0, atol=0.05)
    np.testing.assert_allclose(clean.std(axis=0), 1.0, atol=0.05)
    assert (scaled[::100] == 10.0).all()


def test_one_row_is_scaled_as_in_the_table() -> None:
    ts, values = data()
    fitted = fit("robust", NAMES, ts, values, before_ns=10**9)
    table = fitted.apply(values)
    for i in range(0, len(values), 50):
        np.testing.assert_array_equal(fitted.apply(values[i]), table[i])


def test_what_does_not_vary_is_only_centred() -> None:
    ts, values = data()
    values[:, 1] = 0.1
    values[:, 2] = 0.0
    values[::7, 2] = 5.0  # quartiles equal
    for kind in ("standard", "robust"):
        scaled = fit(kind, NAMES, ts, values, before_ns=10**9).apply(values)
        np.testing.assert_allclose(scaled[:, 1], 0.0, atol=1e-12)
        assert np.ptp(scaled[:, 2]) > 2.0


def test_vectors_that_are_not_ready_are_left_out() -> None:
    ts, values = data()
    late = fit("standard", NAMES, ts[100:], values[100:], before_ns=10**9)
    values[:100, 1] = np.nan
    fitted = fit("standard", NAMES, ts, values, before_ns=10**9)
    assert fitted == late
    assert np.isnan(fitted.apply(values)[:100, 1]).all()


def test_errors() -> None:
    ts, values = data()
    with pytest.raises(FeatureError, match="two vectors or more before 1000 ns without a NaN, was 1"):
        fit("standard", NAMES, ts, values, before_ns=1_000)
    with pytest.raises(FeatureError, match=r"Expected values of shape \(500, 2\), was \(500, 3\)"):
        fit("standard", NAMES[:2], ts, values, before_ns=1_000)
    values[3, 2] = np.inf
    with pytest.raises(FeatureError, match="was infinite in c"):
        fit("standard", NAMES, ts, values, before_ns=10**9)
    with pytest.raises(FeatureError, match="Expected 3 columns, was 2"):
        fit("standard", NAMES, ts[10:], values[10:], before_ns=10**9).apply(values[:, :2])
