"""The block bootstrap."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from fathom.ml.scores.bootstrap import LEAST_BLOCKS, LEAST_BUCKETS, Interval, Resampler, memory


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
        covered += not resampler.interval(whole[0], drawn[:, 0], 0.9).excludes(0.0)
    assert 80 <= covered <= 98


def test_a_value_that_is_mostly_undefined_has_no_interval() -> None:
    drawn = np.where(np.arange(100) < 60, np.nan, 1.0)
    resampler = Resampler(np.arange(200), bucket_ns=1, block_ns=1, resamples=100)
    assert np.isnan(resampler.interval(1.0, drawn, 0.95).low)
    assert not Interval(1.0, np.nan, np.nan).excludes(0.0)


def series(kind: str, count: int, rho: float, rng: np.random.Generator) -> NDArray[np.float64]:
    size = count + 200
    draws = {
        "normal": rng.normal(size=size),
        "skewed": rng.exponential(size=size) - 1.0,
        "heavy tails": rng.standard_t(3, size=size),
    }
    made = lfilter([1.0], [1.0, -rho], draws[kind])[200:]
    return np.asarray(made, np.float64)


@pytest.mark.parametrize("kind", ["normal", "skewed", "heavy tails"])
@pytest.mark.parametrize(("count", "rho"), [(60, 0.0), (100, 0.0), (100, 0.3), (300, 0.6), (300, 0.8), (1_200, 0.9)])
def test_95_percent_intervals_cover_the_truth_in_93_to_97_percent(kind: str, count: int, rho: float) -> None:
    """Of 1,000 series each, whose memory nobody states: the binomial error is 0.7 %, and three of them are allowed."""
    rng = np.random.default_rng([count, round(10 * rho), len(kind)])
    shown, covered, runs = 0, 0, 1_000
    for seed in range(runs):
        values = series(kind, count, rho, rng)
        least = Resampler(np.arange(count), bucket_ns=1, block_ns=1, resamples=300, seed=seed)
        fitted = least.fitted(values)
        total, drawn = fitted.bucket_sums(values[:, None])
        interval = fitted.interval(float(total[0]), drawn[:, 0], 0.95)
        if np.isfinite(interval.low):
            shown, covered = shown + 1, covered + (not interval.excludes(0.0))
    assert shown > 0.9 * runs
    assert 0.93 - 0.021 < covered / shown < 0.97 + 0.021


def test_a_ratio_of_sums_is_covered_too() -> None:
    """Net result a trade, where the number of trades differs from bucket to bucket, and losses cluster."""
    rng = np.random.default_rng(4)
    covered = 0
    for seed in range(600):
        trades = rng.poisson(0.8, 300).astype(float)
        net = trades * 0.7 + np.sqrt(trades) * series("heavy tails", 300, 0.4, rng)
        least = Resampler(np.arange(300), bucket_ns=1, block_ns=1, resamples=300, seed=seed)
        value = net.sum() / trades.sum()
        fitted = least.fitted(net - value * trades)
        drawn = fitted.bucket_sums(np.stack([net, trades], axis=1))[1]
        covered += not fitted.interval(value, drawn[:, 0] / drawn[:, 1], 0.95).excludes(0.7)
    assert 0.93 - 0.027 < covered / 600 < 0.97 + 0.027


def test_without_independent_blocks_there_is_no_interval() -> None:
    rng = np.random.default_rng(1)
    drawn = rng.normal(size=300)
    few = Resampler(np.arange(LEAST_BUCKETS - 1), bucket_ns=1, block_ns=1, resamples=300)
    long = Resampler(np.arange(600), bucket_ns=1, block_ns=1, resamples=300)
    stated = Resampler(np.arange(600), bucket_ns=1, block_ns=61, resamples=300)
    walk = np.cumsum(rng.normal(size=600))
    for resampler in (few.fitted(rng.normal(size=LEAST_BUCKETS - 1)), long.fitted(walk), stated):
        assert resampler.independent < LEAST_BLOCKS
        assert np.isnan(resampler.interval(1.0, drawn, 0.95).low)
        assert resampler.sentence(0.95).startswith("No 95 % intervals: the data count as ")
    assert (
        long.fitted(rng.normal(size=600))
        .sentence(0.95)
        .startswith("95 % intervals: block bootstrap, 300 resamples of ")
    )


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_memory_is_that_of_an_autoregression(rho: float) -> None:
    rng = np.random.default_rng(3)
    found = np.median([memory(series("normal", 5_000, rho, rng)) for _ in range(20)])
    assert found == pytest.approx((1.0 + rho) / (1.0 - rho), rel=0.2)
    assert memory(np.zeros(10)) == memory(np.zeros(0)) == 1.0
