"""What trading costs and how it moves the price: effective spread, Kyle's lambda, Amihud's ratio, Roll's spread."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.flow import (
    BUY_LOTS,
    COST,
    COST_LOTS,
    HELD,
    MID2,
    MID_MOVES,
    NOTIONAL,
    PAIRS,
    RETURN,
    SELL_LOTS,
    SPREAD_MOVES,
    STEP_CROSS,
    STEP_LAG_SUM,
    STEP_SUM,
    TTL_COUNT,
    TTL_M2,
    TTL_MEAN,
    TTL_WIDTH,
    FlowArrays,
)
from fathom.market.kernel import kernel
from fathom.ml.features.kernels.describe import OWN, Describe, places
from fathom.ml.features.kernels.windows import W10, W60, Scratch, bucket_at, buckets_of, is_warm
from fathom.ml.features.spec import FeatureSpec

MIN_RETURNS: Final = 30
"""Grid steps with a return that Kyle's lambda needs."""


def specs(grid_ms: int) -> tuple[FeatureSpec, ...]:
    """Return what `step` writes, in the order of `PLACE`."""
    liquidity = Describe("liquidity", grid_ms)
    dynamics = Describe("dynamics", grid_ms)
    grid = f"grid steps ({grid_ms} ms)"
    ended = (
        "over the levels that the last 60 s showed as cancelled, births seen; not those that traded, left a limited "
        "depth, or went with a snapshot"
    )
    none = "no such level in the window"
    return (
        liquidity(
            "effective_spread", "bps",
            "volume-weighted mean over 10 s of 2e4 s (price - mid) / mid, s = 1 for a buying and -1 for a selling "
            "aggressor, mid of the last book message before the trade",
            "What aggressors paid. Below 0 when the mid was already gone. RPI and block trades do not count.",
            source="Huang & Stoll (1996), doi:10.1016/0304-405X(95)00844-5", seconds=10,
            nan="no signed trade against a two-sided book in the window",
        ),
        liquidity(
            "kyle_lambda", "bps per base unit",
            f"slope of the regression (with constant) of mid returns on signed aggressor volume, {grid} of 60 s",
            "Price impact of volume.", source="Kyle (1985), doi:10.2307/1913210", seconds=60,
            nan=f"fewer than {MIN_RETURNS} returns, or no variation of the volume",
        ),
        liquidity(
            "amihud_illiquidity", "bps per million quote units",
            f"mean over the {grid} of 60 s with trades of |mid return| / traded value",
            "Price movement per value traded.", source="Amihud (2002), doi:10.1016/S1386-4181(01)00024-6", seconds=60,
            nan="no grid step with trades and a return",
        ),
        liquidity(
            "roll_spread", "bps",
            "2e4 sqrt(|cov|) / mid with the sign of -cov, cov of successive changes of the trade price over 60 s",
            "Spread implied by the bounce of trades. Negative where trades run on instead of bouncing: cut off at 0 it "
            "would be constant for minutes. RPI trades are left out.",
            source="Roll (1984), doi:10.1111/j.1540-6261.1984.tb03897.x", seconds=60,
            nan="fewer than 2 pairs of changes, or a side of the book is empty",
        ),
        dynamics(
            "level_ttl_avg", "ms", "mean of the middle of [shortest, longest] life, " + ended,
            "How long an order that is pulled stood.", source=OWN, seconds=60, nan=none,
        ),
        dynamics(
            "level_ttl_std", "ms", "standard deviation of the same",
            "Whether one or several kinds of quoting are there.", seconds=60, nan="fewer than 2 such levels",
        ),
        dynamics(
            "level_ttl_granularity", "ms", "mean of longest - shortest life of the same",
            "What the feed's steps leave unknown about level_ttl_avg.", seconds=60, nan=none,
        ),
        dynamics(
            "orderbook_volatility", "bps",
            "1e4 sqrt(sum of squared changes of the mid from message to message, 60 s) / mid",
            "Realised volatility of the mid. Changes over a snapshot are left out.",
            source="Andersen et al. (2003), doi:10.1111/1468-0262.00418", seconds=60,
        ),
        dynamics(
            "spread_volatility", "bps",
            "1e4 sqrt(sum of squared changes of the spread from message to message, 60 s) / mid",
            "Realised volatility of the spread.", seconds=60,
        ),
    )  # fmt: skip


PLACE: Final = places(specs(1000))
"""Place of each value by the name of its feature."""


@kernel
def step(flow: FlowArrays, scratch: Scratch, tick: float, lot: float, out: NDArray[np.float64]) -> None:
    """Write the values of `specs`, after `windows.add_up`."""
    counts, sums = scratch.counts, scratch.sums
    out[: len(PLACE)] = np.nan
    if is_warm(flow, 10) and sums[W10, COST_LOTS] > 0.0:
        out[PLACE.effective_spread] = sums[W10, COST] / sums[W10, COST_LOTS]
    if not is_warm(flow, 60):
        return
    out[PLACE.kyle_lambda] = _kyle_lambda(flow) / lot
    out[PLACE.amihud_illiquidity] = _amihud(flow) / (tick * lot) * 1e6
    if flow.head[HELD] == 1:
        mid = 0.5 * flow.head[MID2]
        n = counts[W60, PAIRS]
        if n >= 2:
            cross = counts[W60, STEP_CROSS] - counts[W60, STEP_SUM] * (counts[W60, STEP_LAG_SUM] / n)
            width = 2e4 * np.sqrt(abs(cross) / n) / mid
            out[PLACE.roll_spread] = width if cross <= 0.0 else -width
        out[PLACE.orderbook_volatility] = 0.5e4 * np.sqrt(counts[W60, MID_MOVES]) / mid
        out[PLACE.spread_volatility] = 1e4 * np.sqrt(counts[W60, SPREAD_MOVES]) / mid
    count = mean = m2 = 0.0
    for back in range(buckets_of(flow, 60)):
        at = bucket_at(flow, back)
        more = flow.sums[at, TTL_COUNT]
        if more > 0.0:
            both = count + more
            delta = flow.sums[at, TTL_MEAN] - mean
            mean += delta * (more / both)
            m2 += flow.sums[at, TTL_M2] + delta * delta * (count * more / both)
            count = both
    if count > 0.0:
        out[PLACE.level_ttl_avg] = mean
        out[PLACE.level_ttl_granularity] = sums[W60, TTL_WIDTH] / count
    if count > 1.0:
        out[PLACE.level_ttl_std] = np.sqrt(m2 / count)


@kernel
def _kyle_lambda(flow: FlowArrays) -> float:
    # Slope of the returns of the grid steps on their signed volume, in bps a lot: two passes, for the digits.
    n = mean_x = mean_y = 0.0
    for back in range(buckets_of(flow, 60)):
        at = bucket_at(flow, back)
        y = flow.sums[at, RETURN]
        if y == y:
            n += 1.0
            mean_x += flow.counts[at, BUY_LOTS] - flow.counts[at, SELL_LOTS]
            mean_y += y
    if n < MIN_RETURNS:
        return np.nan
    mean_x /= n
    mean_y /= n
    covariance = variance = 0.0
    for back in range(buckets_of(flow, 60)):
        at = bucket_at(flow, back)
        y = flow.sums[at, RETURN]
        if y == y:
            x = flow.counts[at, BUY_LOTS] - flow.counts[at, SELL_LOTS] - mean_x
            covariance += x * (y - mean_y)
            variance += x * x
    return covariance / variance if variance > 0.0 else np.nan


@kernel
def _amihud(flow: FlowArrays) -> float:
    # Mean of |return| / traded value, in bps per tick times lot, over the grid steps that traded.
    n = total = 0.0
    for back in range(buckets_of(flow, 60)):
        at = bucket_at(flow, back)
        move, value = abs(flow.sums[at, RETURN]), flow.sums[at, NOTIONAL]
        if value > 0.0 and move == move:
            n += 1.0
            total += move / value
    return total / n if n > 0.0 else np.nan
