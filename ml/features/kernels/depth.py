"""Prices, depths and imbalances of the book as it stands: one walk from the touch outwards on each side."""

# numba types the kernels: mypy knows neither its integers nor that a kernel is no plain function.
# mypy: disable-error-code="return-value, no-any-return, assignment, call-arg, call-overload, unreachable"

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.flow import MID, SAMPLES, FlowArrays
from fathom.market.kernel import kernel
from fathom.market.levels import (
    ASK,
    BEST,
    BID,
    COUNT,
    KEY,
    LOTS,
    TOTAL,
    BookArrays,
    first_place,
    next_place,
    slot_at,
)
from fathom.ml.features.kernels.describe import Describe, places
from fathom.ml.features.kernels.windows import BAND, NEAR, Q5, Q10, QD5, QD10, TICKS5, Scratch, bucket_at, buckets_of
from fathom.ml.features.spec import FeatureSpec

_BAND: Final = 1000  # 10 bps, as a divisor


def specs(grid_ms: int) -> tuple[FeatureSpec, ...]:
    """Return what `step` writes, in the order of `PLACE`."""
    micro = Describe("microstructure", grid_ms)
    imbalance = Describe("imbalance", grid_ms)
    liquidity = Describe("liquidity", grid_ms)
    ratio = "(bids - asks) / (bids + asks) of "
    found: list[FeatureSpec] = [
        micro(
            "bid_ask_spread_abs", "price", "best ask - best bid",
            "Cost of crossing the book at once. A tick throughout where a tick is large.", stationary=False,
        ),
        micro(
            "bid_ask_spread_rel", "bps", "1e4 (best ask - best bid) / mid", "Spread that compares over prices.",
            of="bid_ask_spread_abs",
        ),
        micro("mid_price", "price", "(best bid + best ask) / 2", "Middle of the best prices.", stationary=False),
        micro(
            "micro_price", "price", "(bid * ask lots + ask * bid lots) / (bid lots + ask lots), of the best levels",
            "Weighted mid: nearer to the side with less volume. `stoikov_micro_price` is the martingale version.",
            source="Gatheral & Oomen (2010), doi:10.1007/s00780-009-0120-1", stationary=False,
        ),
    ]  # fmt: skip
    found += [
        micro(
            f"vwap_{side}_{levels}", "price", f"volume-weighted mean price of the {levels} best {side} levels",
            f"Where a market order through {levels} levels fills on average; of all levels when there are fewer.",
            stationary=False,
        )
        for levels in (5, 10)
        for side in ("bid", "ask")
    ]  # fmt: skip
    found += [
        micro(
            f"depth_{side}_{levels}", "base units", f"volume of the {levels} best {side} levels",
            "Resting volume near the touch; of all levels when there are fewer.",
        )
        for levels in (5, 10)
        for side in ("bid", "ask")
    ]  # fmt: skip
    found += [
        micro(
            f"total_{side}_volume", "base units", f"volume of all {side} levels that the feed shows",
            "Resting volume at any distance: it depends on the depth of the feed.", nan="never",
        )
        for side in ("bid", "ask")
    ]  # fmt: skip
    found.append(
        micro(
            "book_depth_ratio", "-", "volume of the 10 best levels of both sides / volume of all levels",
            "How much of the visible volume rests near the touch. The quotient of the two totals would be "
            "imbalance_total over again.",
        )
    )  # fmt: skip
    found.append(
        micro(
            "mid_return", "bps", "1e4 (mid / mid one second before - 1)", "Return of the last second.",
            seconds=1, extra=1, nan="a side of the book is empty, now or a second before", of="mid_price",
        )
    )  # fmt: skip
    found.append(
        micro(
            "micro_price_offset", "bps", "1e4 (micro_price / mid - 1)", "Pull of the best sizes on the price.",
            of="micro_price",
        )
    )  # fmt: skip
    for levels in (5, 10):
        for side in ("bid", "ask"):
            name = f"vwap_{side}_{levels}"
            found.append(
                micro(f"{name}_offset", "bps", f"1e4 ({name} / mid - 1)", "Negative on the bid side.", of=name)
            )
    for name, volume in (("5", "the 5 best levels"), ("10", "the 10 best levels"), ("total", "all levels")):
        found.append(imbalance(f"imbalance_{name}", "-", ratio + volume, "Between -1 (asks only) and 1 (bids only)."))
    found.append(
        imbalance(
            "price_pressure", "-",
            "(B - A) / (B + A), B and A the sums of volume / distance from the mid over the 10 best levels of a side",
            "Imbalance in which near levels weigh more; a level nearer than half a tick counts as half a tick away.",
        )
    )  # fmt: skip
    found += [
        liquidity(
            f"liquidity_{side}_5", "base units", f"volume of the {side} levels less than 5 ticks from the best {side}",
            f"What a market order must take to move the best {side} by 5 ticks.",
        )
        for side in ("bid", "ask")
    ]  # fmt: skip
    found.append(
        liquidity("liquidity_asymmetry", "-", ratio + "liquidity_bid_5 and liquidity_ask_5", "Which way is easier.")
    )
    found.append(
        liquidity(
            "depth_imbalance_ratio", "-", ratio + "the volume within 10 bps of the mid",
            "Imbalance in a band of price instead of a number of levels.",
            nan="a side of the book is empty, or no level within 10 bps",
        )
    )  # fmt: skip
    return tuple(found)


PLACE: Final = places(specs(1000))
"""Place of each value by the name of its feature."""


@kernel
def walk(book: BookArrays, scratch: Scratch) -> None:
    """Fill `scratch` from the levels; both sides must hold one at least."""
    best_bid, best_ask = book.sides[BID, BEST], book.sides[ASK, BEST]
    mid2 = best_ask - best_bid
    for side in range(2):
        best = book.sides[side, BEST]
        away = mid2 if side == BID else -mid2
        q5 = q10 = qd5 = qd10 = ticks5 = band = np.int64(0)
        pressure = 0.0
        rank = np.int64(0)
        place = first_place(book, side)
        while place >= 0:
            slot = slot_at(book, side, place)
            key, lots = book.pool[slot, KEY], book.pool[slot, LOTS]
            distance = key - best
            half_ticks = 2 * key + away  # from the mid
            if rank < 10:
                q10 += lots
                qd10 += lots * distance
                pressure += lots / max(1, half_ticks)
                if rank < 5:
                    q5 += lots
                    qd5 += lots * distance
            if distance < 5:
                ticks5 += lots
            within = half_ticks * _BAND <= mid2
            if within:
                band += lots
            if rank < NEAR:
                scratch.near[side, 0, rank] = key
                scratch.near[side, 1, rank] = lots
            elif not within and distance >= 5:
                break
            rank += 1
            place = next_place(book, side, place + 1)
        scratch.found[side] = min(rank, NEAR)
        depth = scratch.depth
        depth[side, Q5], depth[side, Q10], depth[side, QD5], depth[side, QD10] = q5, q10, qd5, qd10
        depth[side, TICKS5], depth[side, BAND] = ticks5, band
        scratch.pressure[side] = pressure


@kernel
def step(
    book: BookArrays, flow: FlowArrays, scratch: Scratch, tick: float, lot: float, out: NDArray[np.float64]
) -> None:
    """Write the values of `specs`; NaN when a side is empty, but the totals, which are then 0."""
    sides, depth = book.sides, scratch.depth
    bids, asks = sides[BID, TOTAL], sides[ASK, TOTAL]
    out[: len(PLACE)] = np.nan
    out[PLACE.total_bid_volume] = lot * bids
    out[PLACE.total_ask_volume] = lot * asks
    if sides[BID, COUNT] == 0 or sides[ASK, COUNT] == 0:
        return
    walk(book, scratch)
    bid, ask = -sides[BID, BEST], sides[ASK, BEST]
    bid_lots, ask_lots = scratch.near[BID, 1, 0], scratch.near[ASK, 1, 0]
    mid2 = bid + ask
    mid = 0.5 * mid2
    spread = ask - bid
    out[PLACE.bid_ask_spread_abs] = tick * spread
    out[PLACE.bid_ask_spread_rel] = 1e4 * spread / mid
    out[PLACE.mid_price] = tick * mid
    offset = 0.5 * spread * ((bid_lots - ask_lots) / (bid_lots + ask_lots))
    out[PLACE.micro_price] = tick * (mid + offset)
    for i in range(2):
        size, moment = (Q5, QD5) if i == 0 else (Q10, QD10)
        below = depth[BID, moment] / depth[BID, size]
        above = depth[ASK, moment] / depth[ASK, size]
        out[PLACE.vwap_bid_5 + 2 * i] = tick * (bid - below)
        out[PLACE.vwap_ask_5 + 2 * i] = tick * (ask + above)
        out[PLACE.depth_bid_5 + 2 * i] = lot * depth[BID, size]
        out[PLACE.depth_ask_5 + 2 * i] = lot * depth[ASK, size]
        out[PLACE.vwap_bid_5_offset + 2 * i] = -1e4 * (below + 0.5 * spread) / mid
        out[PLACE.vwap_ask_5_offset + 2 * i] = 1e4 * (above + 0.5 * spread) / mid
    out[PLACE.book_depth_ratio] = (depth[BID, Q10] + depth[ASK, Q10]) / (bids + asks)
    second = buckets_of(flow, 1)
    if flow.head[SAMPLES] > second:
        before = flow.sums[bucket_at(flow, second), MID]
        out[PLACE.mid_return] = 1e4 * (mid - before) / before
    out[PLACE.micro_price_offset] = 1e4 * offset / mid
    out[PLACE.imbalance_5] = _imbalance(depth[BID, Q5], depth[ASK, Q5])
    out[PLACE.imbalance_10] = _imbalance(depth[BID, Q10], depth[ASK, Q10])
    out[PLACE.imbalance_total] = _imbalance(bids, asks)
    out[PLACE.price_pressure] = (scratch.pressure[BID] - scratch.pressure[ASK]) / (
        scratch.pressure[BID] + scratch.pressure[ASK]
    )
    out[PLACE.liquidity_bid_5] = lot * depth[BID, TICKS5]
    out[PLACE.liquidity_ask_5] = lot * depth[ASK, TICKS5]
    out[PLACE.liquidity_asymmetry] = _imbalance(depth[BID, TICKS5], depth[ASK, TICKS5])
    if depth[BID, BAND] + depth[ASK, BAND] > 0:
        out[PLACE.depth_imbalance_ratio] = _imbalance(depth[BID, BAND], depth[ASK, BAND])


@kernel
def _imbalance(bids: int, asks: int) -> float:
    return (bids - asks) / (bids + asks)
