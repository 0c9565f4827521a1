"""Datasets: which windows there are, and that they are views of files."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.ml.errors import DatasetError
from fathom.ml.samples.datasets import Arrays, windows
from fathom.ml.samples.label_config import LabelConfig
from tests.makers.walks import GRID_NS, walk

LABEL = LabelConfig(horizon_secs=2.0, fee_bps=0.0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), window=st.integers(1, 6))
def test_a_window_is_whole_ready_and_of_one_instrument(seed: int, window: int) -> None:
    rng = np.random.default_rng(seed)
    rows = 80
    instrument = np.sort(rng.integers(0, 3, rows))
    ts = np.cumsum(np.where(rng.random(rows) < 0.1, 2, 1)) * GRID_NS
    features = rng.normal(size=(rows, 2))
    features[rng.random((rows, 2)) < 0.03] = np.nan
    features[rng.random((rows, 2)) < 0.01] = np.inf
    mid = 100.0 + rng.normal(size=rows)
    mid[rng.random(rows) < 0.03] = np.nan
    samples = Arrays.raw(features, ts, mid, instrument=instrument).samples(LABEL, window=window)
    expected = []
    for last in range(rows):
        first, end = last - window + 1, last + 2
        if first < 0 or end >= rows:
            continue
        here = slice(first, end + 1)
        unbroken = (np.diff(ts[here]) == GRID_NS).all() and len(set(instrument[here])) == 1
        if unbroken and np.isfinite(features[first : last + 1]).all() and np.isfinite(mid[here]).all():
            expected.append(last)
    assert samples.rows.tolist() == expected


def test_windows_are_views_of_the_mapped_file(tmp_path: Path) -> None:
    arrays = Arrays.open(walk(100).save(tmp_path / "arrays"))
    view = windows(arrays.features, 60)
    assert isinstance(arrays.features, np.memmap)
    assert not arrays.features.flags.writeable
    assert np.shares_memory(view, arrays.features)
    assert view.shape == (41, 60, 3)
    np.testing.assert_array_equal(view[7], arrays.features[7:67])


def test_saved_arrays_come_back(tmp_path: Path) -> None:
    made = walk(50, instruments=2)
    arrays = Arrays.open(made.save(tmp_path / "arrays"))
    assert arrays.facts == made.facts
    for name in ("features", "ts", "instrument", "mid", "spread_bps"):
        np.testing.assert_array_equal(getattr(arrays, name), getattr(made, name))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arrays"]


def test_the_hash_is_of_the_content() -> None:
    made = walk(50)
    mid = made.mid.copy()
    mid[7] += 1e-9
    changed = Arrays.raw(made.features, made.ts, mid, spread_bps=made.spread_bps, instruments=["I0"])
    assert walk(50).facts.hash == made.facts.hash != changed.facts.hash


def test_damaged_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Expected a folder of arrays, was .*nowhere"):
        Arrays.open(tmp_path / "nowhere")
    folder = walk(50).save(tmp_path / "arrays")
    np.save(folder / "mid.npy", np.ones(49))
    with pytest.raises(DatasetError, match="Expected 50 rows"):
        Arrays.open(folder)


def test_rows_out_of_order_are_refused() -> None:
    with pytest.raises(DatasetError, match="sorted by instrument and time"):
        Arrays.raw(np.zeros((2, 1)), np.array([2, 1]), np.ones(2))
    with pytest.raises(DatasetError, match="Expected 2 times"):
        Arrays.raw(np.zeros((2, 1)), np.array([1]), np.ones(2))


def test_the_scaler_reads_training_rows_only() -> None:
    made = walk(200)
    samples = made.samples(LABEL, window=5)
    rows = samples.take(np.arange(50)).touched_rows()
    spoilt = np.array(made.features)
    spoilt[rows.max() + 1 :] = 1e6
    other = Arrays.raw(spoilt, made.ts, made.mid)
    assert made.fit_scaler(rows).centre == other.fit_scaler(rows).centre
    assert rows.tolist() == list(range(54))


def test_class_weights_even_out_the_classes() -> None:
    samples = walk(500, seed=3).samples(LabelConfig(horizon_secs=1.0, threshold_bps=6.0), window=5)
    shares = samples.class_shares()
    assert shares.sum() == pytest.approx(1.0)
    balanced = samples.class_weights("balanced")
    np.testing.assert_allclose(balanced * shares, 1 / 3)
    np.testing.assert_allclose((samples.class_weights("sqrt") * shares).sum(), 1.0)
    np.testing.assert_array_equal(samples.class_weights("none"), 1.0)


def test_costs_known_at_the_time_are_two_fees_and_the_spread() -> None:
    samples = walk(50).samples(LabelConfig(horizon_secs=1.0, fee_bps=2.0), window=5)
    assert set(samples.entry_cost_bps) == {4.5}


def test_features_that_never_have_a_value_are_named() -> None:
    arrays = walk(500, columns=4)
    features = np.array(arrays.features)
    features[:, 1] = np.nan
    features[:40, 2] = np.nan
    broken = dataclasses.replace(arrays, features=features)
    assert broken.rows_without_value() == {"feature_1": 500, "feature_2": 40}
    with pytest.raises(DatasetError, match=r"was none of 500\. These never have a value: feature_1\. Leave them out"):
        broken.samples(LabelConfig(horizon_secs=1.0), window=10)


def test_rows_that_all_lack_something_are_told_of_by_feature() -> None:
    arrays = walk(10, columns=2)
    features = np.array(arrays.features)
    features[:5, 0] = features[5:, 1] = np.nan
    with pytest.raises(DatasetError, match=r"each row lacks some: feature_0 \(5 rows\), feature_1 \(5 rows\)"):
        dataclasses.replace(arrays, features=features).samples(LabelConfig(horizon_secs=1.0), window=2)
