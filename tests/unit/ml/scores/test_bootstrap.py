"""The block bootstrap."""

import numpy as np
import pytest

from fathom.ml.scores.bootstrap import Interval, Resampler, percentile_interval


def test_sums_are_those_of_the_runs_drawn() -> None:
    ts, values = np.arange(103), np.random.default_rng(1).normal(size=103)
    resampler = Resampler(ts, bucket_ns=10, block_ns=30, resamples=20, seed=5)
    whole, drawn = resampler.sums(values[:, None])
    buckets = [values[ts // 10 == number].sum() for number in range(11)]
    starts = np.random.default_rng(5).integers(0, 11, (20, 4))
    for number, begins in enumerate(starts):
        runs = [[(begin + step) % 11 for step in range(3)] for begin in begins]
        chosen = [bucket for run in runs for bucket in run][:11]  # the last run is cut short
        assert drawn[number, 0] == pytest.approx(sum(buckets[bucket] for bucket in chosen))
    assert whole[0] == pytest.approx(values.sum())


def test_blocks_widen_the_interval_of_dependent_samples() -> None:
    rng = np.random.default_rng(2)
    shocks = rng.normal(size=5_050)
    values = np.convolve(shocks, np.ones(50) / 50, "valid")[:5_000]

    def width(block: int) -> float:
        resampler = Resampler(np.arange(5_000), bucket_ns=1, block_ns=block, resamples=400, seed=3)
        _, drawn = resampler.sums(values[:, None])
        low, high = np.quantile(drawn[:, 0] / 5_000, [0.025, 0.975])
        return float(high - low)

    # The deviation of the mean is 1 / sqrt(5000), independent draws see a seventh of it.
    assert width(1) < 0.35 * 4 / 5_000**0.5
    assert width(500) == pytest.approx(2 * 1.96 / 5_000**0.5, rel=0.35)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(100):
        values = np.convolve(np.random.default_rng(seed).normal(size=2_010), np.ones(10) / 10, "valid")[:2_000]
        resampler = Resampler(np.arange(2_000), bucket_ns=1, block_ns=100, resamples=200, seed=seed)
        whole, drawn = resampler.sums(values[:, None])
        covered += not percentile_interval(whole[0], drawn[:, 0], 0.9).excludes(0.0)
    assert 80 <= covered <= 98


def test_a_value_that_is_mostly_undefined_has_no_interval() -> None:
    drawn = np.where(np.arange(100) < 60, np.nan, 1.0)
    assert np.isnan(percentile_interval(1.0, drawn, 0.95).low)
    assert not Interval(1.0, np.nan, np.nan).excludes(0.0)
