"""Block bootstrap in time: how far a statistic of dependent samples could lie from its value by chance alone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Interval(NamedTuple):
    """A value and the bounds of its interval; NaN where undefined.

    Examples
    --------
    >>> Interval(0.5, 0.4, 0.6).excludes(0.7)
    True
    """

    value: float
    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside."""
        return bool(value < self.low or value > self.high)


class Resampler:
    """Circular moving-block bootstrap over buckets of time.

    Samples overlap (windows and labels reach over many of them), so they are not drawn one by one. Time is cut into
    buckets; a resample is made of runs of neighbouring buckets, each run beginning at a random one and going on at the
    beginning after the last. All instruments of a bucket come together. Whatever is a function of sums over samples is
    then a function of sums over buckets, weighted by how often each was drawn.

    Parameters
    ----------
    ts : ndarray
        Times of the samples, ns.
    bucket_ns : int
        Length of a bucket.
    block_ns : int
        Length of a run; it should exceed the memory of the samples several times. At most a third of the span.
    resamples : int
    seed : int

    Attributes
    ----------
    bucket : ndarray of int64
        Number of each sample's bucket; buckets without a sample are left out.
    buckets, block : int
        How many buckets there are, and how many a run has.

    Examples
    --------
    >>> ts = np.arange(1000)
    >>> resampler = Resampler(ts, bucket_ns=10, block_ns=50, resamples=200, seed=1)
    >>> total, drawn = resampler.sums(np.ones((1000, 1)))
    >>> total.tolist(), drawn.shape, float(drawn.min()), float(drawn.max())
    ([1000.0], (200, 1), 1000.0, 1000.0)

    References
    ----------
    Politis & Romano, "A circular block-resampling procedure for stationary data" (1992), in Exploring the Limits of
    Bootstrap, Wiley.
    """

    def __init__(
        self, ts: NDArray[np.int64], *, bucket_ns: int, block_ns: int, resamples: int = 1_000, seed: int = 0
    ) -> None:
        _, self.bucket = np.unique(ts // bucket_ns, return_inverse=True)
        self.buckets = int(self.bucket.max(initial=-1)) + 1
        self.block = int(np.clip(round(block_ns / bucket_ns), 1, max(self.buckets // 3, 1)))
        self.resamples, self.bucket_ns = resamples, bucket_ns
        runs = -(-self.buckets // self.block)
        self._starts = np.random.default_rng(seed).integers(0, max(self.buckets, 1), (resamples, runs))

    def sums(self, columns: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the sums of columns of shape (samples, columns), and those of each resample, (resamples, columns)."""
        by_bucket = np.stack(
            [np.bincount(self.bucket, column, self.buckets) for column in np.asarray(columns, np.float64).T], axis=1
        )
        return self.bucket_sums(by_bucket)

    def bucket_sums(self, by_bucket: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the same of values that are sums over buckets already, of shape (buckets, columns)."""
        drawn = np.empty((self.resamples, by_bucket.shape[1]))
        for first in range(0, self.resamples, 64):
            drawn[first : first + 64] = self._times_drawn(slice(first, first + 64)) @ by_bucket
        return by_bucket.sum(axis=0), drawn

    def _times_drawn(self, resamples: slice) -> NDArray[np.float64]:
        # Each run adds one at its start and takes it away after its end; those that pass the end come in at the front.
        starts = self._starts[resamples]
        n, count = self.buckets, len(starts)
        edges = np.zeros((count, 2 * n + 1))
        rows = np.repeat(np.arange(count), starts.shape[1])
        np.add.at(edges, (rows, starts.ravel()), 1.0)
        lengths = np.full(starts.shape, self.block)
        lengths[:, -1] = n - (starts.shape[1] - 1) * self.block  # as many buckets as there are
        np.add.at(edges, (rows, (starts + lengths).ravel()), -1.0)
        covered = np.cumsum(edges, axis=1)
        return covered[:, :n] + covered[:, n : 2 * n]


def percentile_interval(value: float, drawn: NDArray[np.float64], level: float) -> Interval:
    """Return a value with the percentiles of its resamples; undefined where most of these are.

    Examples
    --------
    >>> percentile_interval(0.5, np.linspace(0.0, 1.0, 129), 0.75)
    Interval(value=0.5, low=0.125, high=0.875)
    """
    known = drawn[np.isfinite(drawn)]
    if len(known) * 2 < len(drawn) or not np.isfinite(value):
        return Interval(float(value), np.nan, np.nan)
    low, high = np.quantile(known, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(value), float(low), float(high))
