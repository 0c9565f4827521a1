"""How far the result of a run could lie from what it is by chance alone: intervals of the net result and of a trade."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from fathom.backtests.account.statistics import Floats, Times
from fathom.backtests.account.summary import ResultInterval
from fathom.ml.scores.bootstrap import LEAST_BUCKETS, Resampler

LEVEL: Final = 0.95
RESAMPLES: Final = 2_000
_MOST_BUCKETS: Final = 1_200


def of_net(times_ns: Times, equity: Floats, seed: int = 1) -> ResultInterval:
    """Return the interval of the net result: blocks of the gains over equal buckets of time are drawn.

    Examples
    --------
    >>> of_net(np.arange(4), np.array([100.0, 101.0, 99.0, 100.0])).note
    'No 95 % interval: 3 buckets of the equity, 60 are needed.'
    """
    count = min(_MOST_BUCKETS, times_ns.size - 1)
    edges = np.linspace(times_ns[0], times_ns[-1], count + 1)
    at = np.clip(np.searchsorted(times_ns, edges, side="right") - 1, 0, times_ns.size - 1)
    if count:
        at[-1] = times_ns.size - 1
    return _interval(np.diff(equity[at]), seed, "buckets of the equity", whole=True)


def of_trade(results: Floats, seed: int = 1) -> ResultInterval:
    """Return the interval of the mean result of a closed round trip: blocks of neighbouring ones are drawn.

    Examples
    --------
    >>> found = of_trade(np.random.default_rng(1).normal(2.0, 1.0, 400))
    >>> round(found.low, 1), round(found.high, 1)
    (1.9, 2.0)
    """
    return _interval(results, seed, "closed round trips", whole=False)


def interval_text(held: Mapping[str, Any] | None, currency: str) -> str:
    """Return an interval of `summary.json` in words, or why there is none; "" for a run from before there were any.

    Examples
    --------
    >>> interval_text({"level": 0.95, "low": -1.5, "high": 2.0, "note": ""}, "USDT")
    '95 % interval [-1.50, +2.00] USDT'
    """
    if not held:
        return ""
    if held["note"]:
        return str(held["note"])
    return f"{100 * held['level']:g} % interval [{held['low']:+,.2f}, {held['high']:+,.2f}] {currency}"


def _interval(values: Floats, seed: int, noun: str, *, whole: bool) -> ResultInterval:
    if values.size < LEAST_BUCKETS or not np.isfinite(values).all():
        count = f"{values.size} {noun}, {LEAST_BUCKETS} are needed"
        return ResultInterval(level=LEVEL, low=None, high=None, note=f"No 95 % interval: {count}.")
    times = np.arange(values.size)
    least = Resampler(times, bucket_ns=1, block_ns=1, resamples=RESAMPLES, seed=seed)
    resampler = least.fitted(values)
    total, drawn = resampler.bucket_sums(values[:, None])
    scale = 1.0 if whole else 1.0 / values.size
    found = resampler.interval(float(total[0] * scale), drawn[:, 0] * scale, LEVEL)
    if np.isnan(found.low):
        return ResultInterval(level=LEVEL, low=None, high=None, note=resampler.sentence(LEVEL))
    return ResultInterval(level=LEVEL, low=found.low, high=found.high, note="")
