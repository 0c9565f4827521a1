"""Splits: no training sample shares a price with a test sample."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fathom.ml.samples.splits import Fold, SplitConfig, split

GRID = 1_000


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, SplitConfig, int, int]:
    seed = draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    rows = draw(st.integers(60, 300))
    ts = np.concatenate(
        [np.cumsum(np.where(rng.random(rows) < 0.1, 5, 1)) * GRID for _ in range(draw(st.integers(1, 3)))]
    )
    window, horizon = draw(st.integers(0, 6)) * GRID, draw(st.integers(1, 5)) * GRID
    kind = draw(st.sampled_from(["anchored", "rolling", "combinatorial"]))
    extra = draw(st.sampled_from([None, 1, 3 * GRID]))
    config = SplitConfig(
        kind=kind,  # type: ignore[arg-type]
        folds=draw(st.integers(3, 5)),
        first_train=draw(st.sampled_from([0.3, 0.5])),
        validation=draw(st.sampled_from([0.1, 0.3])),
        embargo_secs=None if extra is None else (window + horizon + extra) / 1e9,
        test_groups=draw(st.integers(1, 2)),
    )
    return ts, config, window, horizon


def folds_of(ts: np.ndarray, config: SplitConfig, reach: int) -> list[Fold]:
    try:
        return list(split(ts, config, reach_ns=reach))
    except ValueError as error:
        assume("was none" not in str(error))
        raise


def touch(ts: np.ndarray, one: np.ndarray, other: np.ndarray, window: int, horizon: int) -> bool:
    """Whether an interval [window start, label end] of one part meets one of the other: all pairs."""
    begin, end = ts - window, ts + horizon
    return bool(((begin[one][:, None] <= end[other]) & (begin[other] <= end[one][:, None])).any())


@settings(max_examples=150, deadline=None)
@given(problem=problems())
def test_no_two_parts_share_a_price(problem: tuple[np.ndarray, SplitConfig, int, int]) -> None:
    ts, config, window, horizon = problem
    for fold in folds_of(ts, config, window + horizon):
        assert not touch(ts, fold.train, fold.test, window, horizon)
        assert not touch(ts, fold.validation, fold.test, window, horizon)
        assert not touch(ts, fold.train, fold.validation, window, horizon)


@settings(max_examples=100, deadline=None)
@given(problem=problems())
def test_every_sample_is_tested_as_often_as_it_should_be(problem: tuple[np.ndarray, SplitConfig, int, int]) -> None:
    ts, config, window, horizon = problem
    folds = folds_of(ts, config, window + horizon)
    times = np.bincount(np.concatenate([fold.test for fold in folds]), minlength=len(ts))
    if config.kind == "combinatorial":
        per_sample = len(folds) * config.test_groups // config.folds
        assert (times == per_sample).all()
    else:
        begin = ts.min() + round((ts.max() + 1 - ts.min()) * config.first_train)
        np.testing.assert_array_equal(times, ts >= begin)
        for fold in folds:
            assert max(ts[fold.train].max(), ts[fold.validation].max()) < ts[fold.test].min()
            assert ts[fold.train].max() < ts[fold.validation].min()


def test_a_rolling_span_moves_and_an_anchored_one_grows() -> None:
    ts = np.arange(1_000) * GRID
    rolling = list(split(ts, SplitConfig(kind="rolling", folds=4, first_train=0.5), reach_ns=5 * GRID))
    anchored = list(split(ts, SplitConfig(kind="anchored", folds=4, first_train=0.5), reach_ns=5 * GRID))
    assert [ts[fold.train].min() // GRID for fold in rolling] == [0, 125, 250, 375]
    assert len({len(fold.train) for fold in rolling}) == 1
    assert [ts[fold.train].min() for fold in anchored] == [0, 0, 0, 0]
    assert [len(fold.train) for fold in anchored] == sorted({len(fold.train) for fold in anchored})


def test_instruments_are_split_at_the_same_times() -> None:
    ts = np.tile(np.arange(200) * GRID, 2)
    for fold in split(ts, SplitConfig(folds=2), reach_ns=3 * GRID):
        for part in (fold.train, fold.validation, fold.test):
            assert sorted(part[part < 200]) == sorted(part[part >= 200] - 200)


def test_an_embargo_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected embargo_secs above window \\+ horizon, which is 70 s, was 60"):
        list(split(np.arange(100) * 10**9, SplitConfig(embargo_secs=60.0), reach_ns=70 * 10**9))


def test_a_part_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected training samples in fold 0, was none"):
        list(split(np.arange(100) * 10**9, SplitConfig(folds=2), reach_ns=70 * 10**9))
    with pytest.raises(ValueError, match="Expected samples to split, was none"):
        list(split(np.zeros(0, np.int64), SplitConfig(), reach_ns=1))
    with pytest.raises(ValueError, match="Expected test_groups below folds, which is 2, was 2"):
        SplitConfig(kind="combinatorial", folds=2)
