"""Time-weighted mean, standard deviation and skewness of the held states, by merging the moments of the buckets.

References
----------
Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115; Pebay (2008) for the third moment.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.flow import (
    DEPTH_10,
    IMBALANCE_5,
    MICRO_OFFSET,
    MOMENTS,
    SPREAD_TICKS,
    STATES,
    TOUCH_LOTS,
    WEIGHT,
    FlowArrays,
)
from fathom.market.kernel import kernel
from fathom.ml.features.kernels.describe import Describe
from fathom.ml.features.kernels.windows import bucket_at, buckets_of, is_warm
from fathom.ml.features.spec import FeatureSpec

ROLLING_S: Final = (10, 30, 60)
SIZE: Final = 3 * (3 * STATES - 2)


@kernel
def step(flow: FlowArrays, lot: float, out: NDArray[np.float64]) -> None:
    """Write the values of `specs`."""
    out[:SIZE] = np.nan
    for state in range(STATES):
        scale = lot if state in (DEPTH_10, TOUCH_LOTS) else 1.0
        at = MOMENTS + 3 * state
        weight = mean = m2 = m3 = 0.0
        begin = np.int64(0)
        for w in range(3):
            if not is_warm(flow, ROLLING_S[w]):
                break
            end = buckets_of(flow, ROLLING_S[w])
            for back in range(begin, end):
                bucket = bucket_at(flow, back)
                more = flow.sums[bucket, WEIGHT]
                if more > 0.0:
                    both = weight + more
                    delta = flow.sums[bucket, at] - mean
                    share = more / both
                    more2 = flow.sums[bucket, at + 1]
                    square = delta * delta * weight * share
                    m3 += (
                        flow.sums[bucket, at + 2]
                        + square * delta * ((weight - more) / both)
                        + 3.0 * delta * (weight * more2 - more * m2) / both
                    )
                    m2 += more2 + square
                    mean += delta * share
                    weight = both
            begin = end
            if weight > 0.0:
                statistics = 3 if state < SPREAD_TICKS else 1  # of the last state the mean alone
                place = 9 * state + statistics * w
                variance = m2 / weight
                out[place] = scale * mean
                if statistics == 3:
                    out[place + 1] = scale * np.sqrt(variance)
                    if variance > 0.0:
                        out[place + 2] = m3 / weight / (variance * np.sqrt(variance))


def specs(grid_ms: int) -> tuple[FeatureSpec, ...]:
    """Return what `step` writes, in its order."""
    rolling = Describe("rolling", grid_ms)
    states = {
        IMBALANCE_5: ("imbalance_5", "-", "imbalance_5"),
        MICRO_OFFSET: ("micro_price_offset", "bps", "micro_price_offset"),
        DEPTH_10: ("depth_10", "base units", "depth_bid_10 + depth_ask_10"),
        TOUCH_LOTS: ("touch_depth", "base units", "mean of best bid volume and best ask volume"),
        SPREAD_TICKS: ("spread", "ticks", "best ask - best bid"),
    }
    words = {
        "mean": "Level of the window.",
        "std": "How much it moves within the window.",
        "skew": "Whether it is pulled to one side: third standardised moment.",
    }
    found: list[FeatureSpec] = []
    for state in range(STATES):
        name, unit, of = states[state]
        for seconds in ROLLING_S:
            for statistic, text in words.items():
                if state == SPREAD_TICKS and statistic != "mean":
                    continue  # its deviation repeats spread_volatility; no skew exists while it stays a tick wide
                found.append(
                    rolling(
                        f"{name}_{statistic}_{seconds}s",
                        "-" if statistic == "skew" else unit,
                        f"time-weighted {statistic} of {of} over the last {seconds} s",
                        text,
                        source="moments merged after Pebay (2008)",
                        seconds=seconds,
                        nan="never two-sided in the window" + (", or constant" if statistic == "skew" else ""),
                    )
                )
    return tuple(found)
