"""Block bootstrap in time: how far a statistic of dependent samples could lie from its value by chance alone."""

import copy
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

LEAST_BLOCKS: Final = 10
"""Independent blocks that an interval needs; with fewer, it would hold the truth less often than stated."""
LEAST_BUCKETS: Final = 60
"""Buckets from which the memory of a series can be measured."""

_LONG: Final = 10.0  # a block is as many memories long, where there is room
_FEWEST_LONG: Final = 12  # blocks, where there is not


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
        Least length of a run. `fitted` makes it longer where the samples remember more. At most a third of the span.
    resamples : int
    seed : int

    Attributes
    ----------
    bucket : ndarray of int64
        Number of each sample's bucket; buckets without a sample are left out.
    buckets, block : int
        How many buckets there are, and how many a run has.
    independent : float
        As how many independent blocks the buckets count: no more than there are runs.
    inflation : float
        By how much `fitted` widens the intervals, since a run cuts off what it remembers of the one before.

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
        self.independent = self.buckets / max(self.block, round(block_ns / bucket_ns), 1)
        self.inflation = 1.0
        self._seed = seed
        self._start()

    def _start(self) -> None:
        runs = -(-self.buckets // self.block)
        self._starts = np.random.default_rng(self._seed).integers(0, max(self.buckets, 1), (self.resamples, runs))

    def fitted(self, *series: NDArray[np.float64]) -> Self:
        """Return a resampler whose runs suit the memory of the buckets' values.

        Parameters
        ----------
        series : ndarray of shape (buckets,)
            What statistics are made of: a gain; for a ratio, above - ratio * below.
        """
        longest = max((memory(values) for values in series), default=1.0)
        found = copy.copy(self)
        room = -(-self.buckets // _FEWEST_LONG)
        found.block = int(max(self.block, min(np.ceil(_LONG * longest), room), 1))
        found.independent = min(self.independent, self.buckets / found.block, self.buckets / (2.0 * longest))
        if self.buckets < LEAST_BUCKETS:
            found.independent = min(found.independent, 0.0)
        decay, steps = (longest - 1.0) / (longest + 1.0), np.arange(1, found.block)
        within = 1.0 + 2.0 * float(np.sum((1.0 - steps / found.block) * decay**steps))
        found.inflation = max(1.0, longest / within) ** 0.5
        found._start()
        return found

    def difference(self, first: NDArray[np.float64], second: NDArray[np.float64], level: float) -> Interval:
        """Return how much more the buckets of one series sum to than those of another, with the paired interval.

        Series that are equal differ by exactly nothing, however short they are.
        """
        apart = first - second
        if not apart.any():
            return Interval(0.0, 0.0, 0.0)
        fitted = self.fitted(apart)
        total, drawn = fitted.bucket_sums(apart[:, None])
        return fitted.interval(float(total[0]), drawn[:, 0], level)

    def interval(self, value: float, drawn: NDArray[np.float64], level: float) -> Interval:
        """Return a value with its interval, from its resamples.

        The percentiles are Student's instead of the normal ones (Hesterberg 2015, doi:10.1080/00031305.2015.1089789),
        for as many blocks as there are. Without `LEAST_BLOCKS` independent blocks, and where most resamples are
        undefined, the bounds are NaN.
        """
        known = drawn[np.isfinite(drawn)]
        if len(known) * 2 < len(drawn) or not np.isfinite(value) or self.independent < LEAST_BLOCKS:
            return Interval(float(value), np.nan, np.nan)
        from scipy.stats import norm, t

        runs = self.buckets / self.block
        tail = norm.cdf(t.ppf((1.0 - level) / 2.0, runs - 1.0) * (runs / (runs - 1.0)) ** 0.5)
        low, high = np.quantile(known, [tail, 1.0 - tail])
        return Interval(float(value), *(float(value + self.inflation * (bound - value)) for bound in (low, high)))

    def sentence(self, level: float) -> str:
        """Return how its intervals were made, or why there are none."""
        if self.independent < LEAST_BLOCKS:
            return (
                f"No {100 * level:g} % intervals: the data count as {int(self.independent)} independent blocks, "
                f"{LEAST_BLOCKS} are needed."
            )
        blocks = f"{self.resamples:,} resamples of {self.buckets / self.block:.0f} blocks"
        return f"{100 * level:g} % intervals: block bootstrap, {blocks}."

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


def memory(values: NDArray[np.float64]) -> float:
    """Return for how many buckets a series remembers itself: 1 for independent values.

    The integrated autocorrelation time, the larger of two estimates: by the first autocorrelation, without its bias
    (Marriott and Pope 1954, doi:10.1093/biomet/41.3-4.390), and by summing up to five times the sum (Sokal 1997,
    doi:10.1007/978-1-4899-0319-8_6) where that exceeds 2.

    Examples
    --------
    >>> memory(np.array([1.0, -1.0] * 50))
    1.0
    >>> 8.0 < memory(np.repeat(np.random.default_rng(1).normal(size=200), 10)) < 20.0
    True
    """
    count = len(values)
    centred = np.asarray(values, np.float64) - np.mean(values) if count else np.zeros(0)
    spread = float(np.dot(centred, centred))
    if count < 4 or not spread > 0.0:
        return 1.0
    frequencies = np.fft.rfft(centred, 2 * count)
    correlations = np.fft.irfft(frequencies * np.conj(frequencies))[1:count] / spread
    first = min(max(correlations[0] + (1.0 + 3.0 * correlations[0]) / count, 0.0), 0.99)
    sums = 1.0 + 2.0 * np.cumsum(correlations)
    enough = np.flatnonzero(np.arange(1, count) >= 5.0 * np.maximum(sums, 1.0))
    summed = float(sums[enough[0]]) if enough.size else float(count)
    return max(float((1.0 + first) / (1.0 - first)), summed if summed > 2.0 else 1.0)
