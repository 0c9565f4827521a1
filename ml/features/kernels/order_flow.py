"""Order flow and trade flow over the last seconds: what was added, taken and traded, and by whom."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.flow import (
    ASK_ADDS,
    BID_ADDS,
    BUCKETS,
    BUY_LOTS,
    BUYS,
    MOMENTS,
    OFI,
    OFI_ALL,
    QUOTES,
    ROW_COUNT,
    RPI_LOTS,
    SELL_LOTS,
    SELLS,
    SIGNED_SQUARES,
    SQUARES,
    TOUCH_LOTS,
    TRADES,
    VOLUME,
    VPIN_BUCKETS,
    WEIGHT,
    FlowArrays,
)
from fathom.market.kernel import kernel
from fathom.ml.features.kernels.describe import CKS, NO_TRADES, XGH, Describe, places
from fathom.ml.features.kernels.windows import W1, W5, W10, W60, Scratch, bucket_at, buckets_of, is_warm
from fathom.ml.features.spec import FeatureSpec


def specs(grid_ms: int) -> tuple[FeatureSpec, ...]:
    """Return what `step` writes, in the order of `PLACE`."""
    flow = Describe("flow", grid_ms)
    imbalance = Describe("imbalance", grid_ms)
    dynamics = Describe("dynamics", grid_ms)
    event = (
        "e = [P_b >= P_b'] q_b - [P_b <= P_b'] q_b' - [P_a <= P_a'] q_a + [P_a >= P_a'] q_a', summed over the book "
        "messages of the last second; a vanished side has q = 0 at an infinitely bad price; snapshots add nothing"
    )
    found: list[FeatureSpec] = [
        imbalance(
            "order_flow_imbalance", "base units", event + "; level 1", "Net volume added to bids and taken from asks.",
            source=CKS, seconds=1, nan="never",
        )
    ]  # fmt: skip
    found += [
        flow(
            f"mlofi_{level}", "base units", f"as order_flow_imbalance, of the levels {level}",
            "Multi-level order-flow imbalance: what happens behind the touch.", source=XGH, seconds=1, nan="never",
        )
        for level in range(2, 6)
    ]  # fmt: skip
    found.append(
        flow(
            "mlofi_all", "base units", "sum of the order-flow imbalances of levels 1 to 10 of the last second",
            "Multi-level order-flow imbalance with equal weights.", source=XGH, seconds=1, nan="never",
        )
    )  # fmt: skip
    found += [
        flow(
            f"ofi_{seconds}s", "-",
            f"order-flow imbalance of {seconds} s / time-weighted mean of (best bid volume + best ask volume) / 2",
            "Flow against what it meets: the price moves about half a tick per unit.", source=CKS, seconds=seconds,
            nan="no message with both sides in the window",
        )
        for seconds in (1, 5, 10)
    ]  # fmt: skip
    found.append(
        imbalance(
            "volume_delta_5", "base units", "volume of buying minus selling aggressors of the last 5 s",
            "Net aggression. RPI and block trades do not count.", seconds=5, nan="never",
        )
    )  # fmt: skip
    found += [
        imbalance(
            f"{side}_intensity", "1/s",
            f"increases of {side} levels (new ones included) within 10 bps of the mid from the best {side}, per second "
            "over 5 s",
            "Arrival of limit orders near the touch, as far as the feed's steps show them.", seconds=5, nan="never",
        )
        for side in ("bid", "ask")
    ]  # fmt: skip
    found += [
        imbalance(
            "buy_sell_ratio", "-", "volume of buying aggressors / volume of all signed trades, over 10 s",
            "A share, between 0 and 1: a quotient of the two has no upper end. RPI and block trades do not count.",
            seconds=10, nan=NO_TRADES,
        ),
        flow(
            "signed_trade_imbalance", "-", "(buys - sells) / (buys + sells), numbers of trades over 10 s",
            "Direction of the tape by count.", seconds=10, nan=NO_TRADES,
        ),
        imbalance(
            "smart_money_index", "-", "sum(s v^2) / sum(v^2) - sum(s) / n over the signed trades (s, v) of 60 s",
            "Direction of the large trades (weighted by squared volume) against that of all trades by count: between "
            "-2 and 2.", seconds=60, nan=NO_TRADES,
        ),
        flow(
            "trade_volume_imbalance", "-", "(buy volume - sell volume) / (buy volume + sell volume) over 60 s",
            "Direction of the tape by volume, slower than buy_sell_ratio.", seconds=60, nan=NO_TRADES,
        ),
        dynamics(
            "update_frequency", "1/s", "level changes of the last second, snapshots excluded", "Activity of the book.",
            seconds=1, nan="never",
        ),
        dynamics(
            "quote_intensity", "1/s", "messages that changed price or size of a best level, per second over 5 s",
            "Revisions of the quote; at most the feed's message rate.", seconds=5, nan="never",
        ),
        dynamics(
            "trade_arrival_rate", "1/s", "trades per second over 10 s, block trades excluded", "Activity of the tape.",
            seconds=10, nan="never",
        ),
        flow(
            "rpi_share", "-", "volume of trades flagged RPI / volume of all trades over 60 s",
            "Retail flow that never met the visible book; 0 throughout where the feed carries no flag.",
            source="Bybit, retail price improvement orders", seconds=60, nan="no trade in the window",
        ),
        flow(
            "trade_volume", "base units", "traded volume of 60 s, block trades excluded", "Turnover.", seconds=60,
            nan="never",
        ),
        flow(
            "vpin", "-",
            f"sum |buy - sell| / sum volume over the last {VPIN_BUCKETS} volume buckets, trades signed by their "
            f"aggressors; a bucket is 1/{VPIN_BUCKETS} of the volume of the last 60 s when it opens",
            "Toxicity: one-sidedness in volume time, between 0 and 1. The size of a bucket follows the market, because "
            "a fixed one fits one instrument and one day.",
            source="Easley, Lopez de Prado & O'Hara (2012), doi:10.1093/rfs/hhs053", seconds=120,
            nan=f"fewer than {VPIN_BUCKETS} buckets were filled",
        ),
    ]  # fmt: skip
    return tuple(found)


PLACE: Final = places(specs(1000))
"""Place of each value by the name of its feature."""


@kernel
def step(flow: FlowArrays, scratch: Scratch, lot: float, out: NDArray[np.float64]) -> None:
    """Write the values of `specs`, after `windows.add_up`."""
    counts, sums = scratch.counts, scratch.sums
    out[: len(PLACE)] = np.nan
    if is_warm(flow, 1):
        out[PLACE.order_flow_imbalance] = lot * counts[W1, OFI]
        for level in range(1, 5):
            out[PLACE.mlofi_2 + level - 1] = lot * counts[W1, OFI + level]
        out[PLACE.mlofi_all] = lot * counts[W1, OFI_ALL]
        out[PLACE.ofi_1s] = counts[W1, OFI] / _mean_touch(flow, 1)
        out[PLACE.update_frequency] = np.float64(counts[W1, ROW_COUNT])
    if is_warm(flow, 5):
        out[PLACE.ofi_5s] = counts[W5, OFI] / _mean_touch(flow, 5)
        out[PLACE.volume_delta_5] = lot * (counts[W5, BUY_LOTS] - counts[W5, SELL_LOTS])
        out[PLACE.bid_intensity] = counts[W5, BID_ADDS] / 5.0
        out[PLACE.ask_intensity] = counts[W5, ASK_ADDS] / 5.0
        out[PLACE.quote_intensity] = counts[W5, QUOTES] / 5.0
    if is_warm(flow, 10):
        out[PLACE.ofi_10s] = counts[W10, OFI] / _mean_touch(flow, 10)
        traded = counts[W10, BUY_LOTS] + counts[W10, SELL_LOTS]
        if traded > 0:
            out[PLACE.buy_sell_ratio] = counts[W10, BUY_LOTS] / traded
            out[PLACE.signed_trade_imbalance] = (counts[W10, BUYS] - counts[W10, SELLS]) / (
                counts[W10, BUYS] + counts[W10, SELLS]
            )
        out[PLACE.trade_arrival_rate] = counts[W10, TRADES] / 10.0
    if is_warm(flow, 60):
        signed = counts[W60, BUYS] + counts[W60, SELLS]
        if signed > 0:
            share = (counts[W60, BUYS] - counts[W60, SELLS]) / signed
            out[PLACE.smart_money_index] = sums[W60, SIGNED_SQUARES] / sums[W60, SQUARES] - share
            traded = counts[W60, BUY_LOTS] + counts[W60, SELL_LOTS]
            out[PLACE.trade_volume_imbalance] = (counts[W60, BUY_LOTS] - counts[W60, SELL_LOTS]) / traded
        if counts[W60, VOLUME] > 0:
            out[PLACE.rpi_share] = counts[W60, RPI_LOTS] / counts[W60, VOLUME]
        out[PLACE.trade_volume] = lot * counts[W60, VOLUME]
    if flow.head[BUCKETS] >= VPIN_BUCKETS:
        imbalance = size = np.int64(0)
        for i in range(VPIN_BUCKETS):
            imbalance += flow.vpin[i, 0]
            size += flow.vpin[i, 1]
        out[PLACE.vpin] = imbalance / size


@kernel
def _mean_touch(flow: FlowArrays, seconds: int) -> float:
    # Mean over time of the lots of best bid and best ask: NaN when no side pair stood in the window.
    total = weight = 0.0
    for back in range(buckets_of(flow, seconds)):
        at = bucket_at(flow, back)
        total += flow.sums[at, WEIGHT] * flow.sums[at, MOMENTS + 3 * TOUCH_LOTS]
        weight += flow.sums[at, WEIGHT]
    return total / weight if total > 0.0 else np.nan
