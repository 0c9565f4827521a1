"""Plain-Python twins of the policies: each value from the whole past, from its definition, without state."""

import math
from collections.abc import Sequence
from typing import NamedTuple

Bars = Sequence[tuple[float, ...]]
NAN = math.nan


def order_flow(quotes: Sequence[tuple[float, float, float, float]], first: int, end: int) -> float:
    """Flow of quotes[first:end] over their mean touch, each against the quote before it; NaN before the first quote."""
    if end == 0:
        return NAN
    total, depths = 0.0, []
    for at in range(max(first, 1), end):
        bid, bid_size, ask, ask_size = quotes[at]
        old_bid, old_bid_size, old_ask, old_ask_size = quotes[at - 1]
        total += (bid_size if bid >= old_bid else 0.0) - (old_bid_size if bid <= old_bid else 0.0)
        total -= (ask_size if ask <= old_ask else 0.0) - (old_ask_size if ask >= old_ask else 0.0)
        depths.append((bid_size + ask_size) / 2.0)
    return total / (sum(depths) / len(depths)) if depths and sum(depths) > 0.0 else 0.0


def momentum_parts(bars: Bars, at: int, lookback: int, window: int) -> tuple[float, float, float, float] | None:
    """Price, volume and flow part of the score after bar `at`, and the deviation of a bar; None in the warm-up.

    A bar is (high, low, close, volume, flow).
    """
    if at < window:
        return None
    moves, volumes, flows = [], [], []
    for i in range(at - window + 1, at + 1):
        high, low, close, volume, flow = bars[i]
        last = bars[i - 1][2]
        reach = max(high, last) - min(low, last)
        moves.append(close - last)
        volumes.append(volume * (close - last) / reach if reach > 0.0 else 0.0)
        flows.append(flow)

    def size(values: list[float]) -> float:
        known = [value for value in values if not math.isnan(value)]
        return math.sqrt(sum(value * value for value in known) / len(known)) if known else 0.0

    def part(values: list[float]) -> float:
        recent = values[-lookback:]
        if any(math.isnan(value) for value in recent) or size(values) == 0.0:
            return 0.0
        return math.tanh(sum(recent) / (size(values) * math.sqrt(lookback)) / 2.0)

    return part(moves), part(volumes), part(flows), size(moves)


def momentum_sides(scores: Sequence[float], least: float) -> list[int]:
    """Sides of the signals: a side speaks when it reaches `least`, again only after less than half of it."""
    out, held = [], 0
    for score in scores:
        side = 1 if score > 0.0 else -1
        said = 0
        if abs(score) >= least:
            if side != held:
                said = held = side
        elif abs(score) < least / 2.0:
            held = 0
        out.append(said)
    return out


def sar(bars: Bars, at: int, acceleration: float, limit: float) -> tuple[int, float, float] | None:
    """Trend, SAR of bar `at`, and SAR of the bar after it, by Wilder's rules from the first bar with a direction."""
    start = None
    for i in range(1, at + 1):
        up, down = bars[i][0] - bars[i - 1][0], bars[i - 1][1] - bars[i][1]
        if up > max(0.0, down) or down > max(0.0, up):
            start = i
            break
    if start is None:
        return None
    long = bars[start][0] - bars[start - 1][0] > max(0.0, bars[start - 1][1] - bars[start][1])
    trade = [bars[start]]  # bars since the trade was opened
    point = bars[start - 1][1] if long else bars[start - 1][0]
    speed, extreme = acceleration, bars[start][0] if long else bars[start][1]
    shown = point
    for i in range(start, at + 1):
        high, low = bars[i][:2]
        recent = [bars[i]] if i == start else [bars[i - 1], bars[i]]
        if (low <= point) if long else (high >= point):
            long = not long
            edge = min(b[1] for b in recent) if long else max(b[0] for b in recent)
            shown = min(extreme, edge) if long else max(extreme, edge)
            speed, extreme = acceleration, high if long else low
            trade = [bars[i]]
        else:
            shown = point
            trade.append(bars[i])
            best = max(b[0] for b in trade) if long else min(b[1] for b in trade)
            if (best > extreme) if long else (best < extreme):
                extreme, speed = best, min(speed + acceleration, limit)
        point = shown + speed * (extreme - shown)
        point = min(point, *(b[1] for b in recent)) if long else max(point, *(b[0] for b in recent))
    return (1 if long else -1), shown, point


class Area(NamedTuple):
    """A profile: bins from low to high, the fullest of them, and the value area."""

    low: float
    width: float
    volumes: list[float]
    control: float
    bottom: float
    top: float


def value_area(bars: Bars, count: int, share: float, close: float) -> Area | None:
    """Profile of bars (high, low, close, volume) in `count` bins over their range."""
    low, high = min(b[1] for b in bars), max(b[0] for b in bars)
    total = sum(b[3] for b in bars)
    if high <= low or total <= 0.0:
        return None
    width = (high - low) / count
    volumes = [0.0] * count
    for top, bottom, _, volume, *_ in bars:
        for k in range(count):
            left, right = low + k * width, low + (k + 1) * width
            if top > bottom:
                volumes[k] += volume * max(0.0, min(top, right) - max(bottom, left)) / (top - bottom)
            elif left < top < right:
                volumes[k] += volume
            elif math.isclose(top, left, abs_tol=1e-9) or math.isclose(top, right, abs_tol=1e-9):
                inner = low + 1e-9 < top < high - 1e-9
                volumes[k] += volume / 2.0 if inner else volume
    control = max(range(count), key=lambda k: (volumes[k], -abs(low + (k + 0.5) * width - close)))
    first = last = control
    while sum(volumes[first : last + 1]) < share * total and (first > 0 or last < count - 1):
        above = volumes[last + 1] if last < count - 1 else -1.0
        below = volumes[first - 1] if first > 0 else -1.0
        last, first = last + (above >= below), first - (below >= above)
    return Area(low, width, volumes, low + (control + 0.5) * width, low + first * width, low + (last + 1) * width)


def profile_events(bars: Bars, session: int, count: int, share: float, accept: int, ratio: float) -> list[int]:
    """Events after each bar: 1 or -1 a reversion to that side, 2 or -2 a breakout."""
    out = []
    outside: list[tuple[float, ...]] = []
    side = 0
    for at, bar in enumerate(bars):
        area = value_area(bars[at - session : at], count, share, bar[2]) if at >= session else None
        event = 0
        if area is not None:
            now = 1 if bar[2] > area.top else -1 if bar[2] < area.bottom else 0
            if now == 0:
                if side and len(outside) < accept:
                    event = -side
                side, outside = 0, []
            else:
                outside = [*outside, bar] if now == side else [bar]
                side = now
                mean = sum(b[3] for b in bars[at - session : at]) / session
                if len(outside) == accept and sum(b[3] for b in outside) >= ratio * accept * mean:
                    event = 2 * side
        out.append(event)
    return out


class Vote(NamedTuple):
    """What a member says, and when."""

    member: int
    direction: int
    confidence: float
    risk: float
    reward: float
    ts: int


def elections(
    votes: Sequence[Vote],
    weights: Sequence[float],
    *,
    window: int,
    quorum: int,
    min_share: float,
    min_margin: float,
    veto: bool,
) -> list[tuple[int, float, float, float]]:
    """Side, confidence, risk and reward after each vote, from all votes since the last election."""
    out, since = [], 0
    for at, now in enumerate(votes):
        last = {vote.member: vote for vote in votes[since : at + 1]}  # a member's last vote
        live = [v for v in last.values() if now.ts - v.ts <= window and weights[v.member] > 0.0]
        sums = {side: sum(weights[v.member] * v.confidence for v in live if v.direction == side) for side in (1, -1)}
        side = 1 if sums[1] > sums[-1] else -1 if sums[-1] > sums[1] else 0
        winners = [v for v in live if v.direction == side]
        decided = side != 0 and len(winners) >= quorum and sums[side] >= min_share * sum(weights)
        margin = (sums[side] - sums[-side]) / (sums[1] + sums[-1]) if decided else 0.0
        if not decided or margin < min_margin or (veto and len(winners) < len(live)):
            out.append((0, 0.0, 0.0, 0.0))
            continue
        shares = [weights[v.member] * v.confidence / sums[side] for v in winners]
        held = sum(weights[v.member] for v in winners)
        risk = sum(share * v.risk for share, v in zip(shares, winners, strict=True))
        reward = sum(share * v.reward for share, v in zip(shares, winners, strict=True))
        out.append((side, margin * sums[side] / held, risk, reward))
        since = at + 1
    return out
