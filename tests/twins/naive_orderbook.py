"""Naive twins of the order-book features: dictionaries, lists, and every vector computed from scratch from all rows."""

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from fathom.market.events import Action, Flag, Kind, Side, TradeFlag
from tests.twins.naive_market_bars import naive_levels

NS = 1_000_000_000
NAN = math.nan


@dataclass
class Life:
    """One level from its first showing to its end."""

    side: int
    price: int
    lots: int
    born: int
    born_after: int | None
    born_lots: int
    added: int = 0
    cancelled: int = 0
    traded: int = 0
    pending: int = 0
    pending_at: int = 0
    recent: int = 0
    recent_at: int = -1
    gone_after: int = 0
    gone: int = 0
    held: int = 0
    held_traded: int = 0
    cause: str = "open"


@dataclass
class Replay:
    """What a pure-Python reader of the rows remembers."""

    depth: int = 0
    book: dict[int, dict[int, Life]] = field(default_factory=lambda: {1: {}, 2: {}})
    messages: list[tuple[int, list[tuple[int, int]], list[tuple[int, int]], bool]] = field(default_factory=list)
    rows: list[tuple[int, int, bool]] = field(default_factory=list)  # time, side, near increase
    grown: list[tuple[int, int, int]] = field(default_factory=list)  # of the open message: row, side, price
    trades: list[tuple[int, int, int, int, int, int | None]] = field(default_factory=list)
    ends: list[tuple[int, Life]] = field(default_factory=list)  # time of the message that made it final
    open_ends: list[list[Life]] = field(default_factory=lambda: [[], []])  # of the last message, of this one
    horizon: dict[int, float] = field(default_factory=lambda: {1: math.inf, 2: math.inf})
    through: list[dict[int, tuple[float, int]]] = field(default_factory=lambda: [{}, {}])
    snapshot: bool = False
    count: int = 0
    last_ts: int | None = None
    now: int = 0

    def read(self, rows: np.ndarray) -> "Replay":
        for ts_event, ts_init, _, price, size, kind, action, side, flags in rows.tolist():
            self.now = max(self.now, ts_init)
            if kind == Kind.TRADE:
                self._trade(price, size, side, flags, ts_event)
                continue
            change = 0
            if action == Action.CLEAR:
                self.book = {1: {}, 2: {}}
                self.horizon = {1: math.inf, 2: math.inf}
                self.through = [{}, {}]
                self.open_ends = [[], []]
                self.snapshot = True
            else:
                change = self._level(side, price, size, ts_event)
            if not self.snapshot and action != Action.CLEAR:
                self.rows.append((self.now, side, False))
                if change > 0:
                    self.grown.append((len(self.rows) - 1, side, price))
            if flags & Flag.LAST:
                for at, grown_side, grown_price in self.grown:
                    self.rows[at] = (self.rows[at][0], grown_side, self._near(grown_side, grown_price))
                self.grown = []
                self._message(ts_event)
        return self

    def away(self, side: int, price: int) -> int:
        return price if side == Side.SELL else -price

    def levels(self, side: int) -> list[tuple[int, int]]:
        return sorted(
            ((life.price, life.lots) for life in self.book[side].values()), key=lambda level: self.away(side, level[0])
        )

    def _near(self, side: int, price: int) -> bool:
        if not self.messages or not (self.messages[-1][1] and self.messages[-1][2]):
            return False
        mid2 = self.messages[-1][1][0][0] + self.messages[-1][2][0][0]
        if not self.book[side]:
            return False
        best = max(self.book[side]) if side == Side.BUY else min(self.book[side])
        return (self.away(side, price) - self.away(side, best)) * 2000 <= mid2

    def _settle(self, life: Life) -> None:
        if life.pending and self.count - life.pending_at > 1:
            life.traded += life.pending
            life.added += life.pending
            life.pending = 0

    def _level(self, side: int, price: int, size: int, ts_event: int) -> int:
        side_book = self.book[side]
        life = side_book.get(price)
        if size <= 0:
            if life is None:
                return 0
            self._settle(life)
            life.held, life.held_traded = life.lots, min(life.lots, life.pending)
            life.traded += life.held_traded
            life.cancelled += life.held - life.held_traded
            life.pending -= life.held_traded
            life.lots = 0
            life.gone_after, life.gone = self.last_ts if self.last_ts is not None else -1, ts_event
            through = any(
                side in seen and self.away(side, price) < seen[side][0] and life.born <= seen[side][1]
                for seen in self.through
            )
            life.cause = "traded" if through or 2 * life.held_traded >= life.held else "cancelled"
            self.open_ends[1].append(life)
            del side_book[price]
            return -life.held
        if life is None:
            seen = not self.snapshot and self.away(side, price) <= self.horizon[side]
            side_book[price] = Life(side, price, size, ts_event, self.last_ts if seen else None, size)
            return size
        self._settle(life)
        change = size - life.lots
        if change > 0:
            life.added += change
        elif change < 0:
            traded = min(-change, life.pending)
            life.pending -= traded
            life.traded += traded
            life.recent = -change - traded
            life.recent_at = self.count
            life.cancelled += life.recent
        life.lots = size
        return change

    def _message(self, ts_event: int) -> None:
        bids, asks = self.levels(Side.BUY), self.levels(Side.SELL)
        for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
            full = self.depth > 0 and len(levels) >= self.depth
            if full:
                for life in self.open_ends[1]:
                    if life.side == side and self.away(side, life.price) > self.away(side, levels[-1][0]):
                        life.cause = "exit"
            if self.depth > 0:
                self.horizon[side] = self.away(side, levels[-1][0]) if full else math.inf
            elif self.snapshot and levels:
                self.horizon[side] = self.away(side, levels[-1][0])
        self.through = [self.through[1], {}]
        self.ends += [(self.now, life) for life in self.open_ends[0]]
        self.open_ends = [self.open_ends[1], []]
        self.last_ts = ts_event if self.last_ts is None else max(self.last_ts, ts_event)
        self.messages.append((self.now, bids, asks, self.snapshot))
        self.snapshot = False
        self.count += 1

    def _trade(self, price: int, size: int, aggressor: int, flags: int, ts_event: int) -> None:
        if size <= 0:
            return
        mid2 = None
        if self.messages and self.messages[-1][1] and self.messages[-1][2]:
            mid2 = self.messages[-1][1][0][0] + self.messages[-1][2][0][0]
        if not flags & TradeFlag.BLOCK:
            self.trades.append((self.now, price, size, aggressor, flags, mid2))
        if flags & (TradeFlag.RPI | TradeFlag.BLOCK) or aggressor == Side.NONE:
            return
        side = Side.SELL if aggressor == Side.BUY else Side.BUY
        key, latest = self.through[1].get(side, (-math.inf, -1))
        self.through[1][side] = (max(key, self.away(side, price)), max(latest, ts_event))
        late = self.last_ts is not None and ts_event <= self.last_ts
        life = self.book[side].get(price)
        if life is not None:
            if late and life.recent > 0 and life.recent_at == self.count - 1:
                claimed = min(size, life.recent)
                life.recent -= claimed
                life.cancelled -= claimed
                life.traded += claimed
                size -= claimed
            if size > 0:
                self._settle(life)
                life.pending += size
                life.pending_at = self.count
        elif late:
            for ended in self.open_ends[0]:
                if ended.side == side and ended.price == price:
                    claimed = min(size, ended.held - ended.held_traded)
                    ended.held_traded += claimed
                    ended.cancelled -= claimed
                    ended.traded += claimed
                    size -= claimed
                    if ended.cause == "cancelled" and 2 * ended.held_traded >= ended.held:
                        ended.cause = "traded"


def cks(before: list[tuple[int, int]], after: list[tuple[int, int]], level: int, sign: int) -> int:
    """Contribution of one level of one side (`sign` 1 for bids), after Cont, Kukanov and Stoikov."""

    def at(levels: list[tuple[int, int]]) -> tuple[float, int]:
        return levels[level] if level < len(levels) else (-sign * math.inf, 0)

    (price0, lots0), (price1, lots1) = at(before), at(after)
    gain = 0
    if sign * price1 >= sign * price0:
        gain += lots1
    if sign * price1 <= sign * price0:
        gain -= lots0
    return sign * gain


def vwap(levels: list[tuple[int, int]]) -> float:
    return sum(price * lots for price, lots in levels) / sum(lots for _, lots in levels)


def volume(levels: list[tuple[int, int]]) -> int:
    return sum(lots for _, lots in levels)


def ratio(bids: float, asks: float) -> float:
    return (bids - asks) / (bids + asks) if bids + asks else NAN


def moments(pieces: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Mean, standard deviation and skewness of weighted values."""
    if not pieces:
        return NAN, NAN, NAN
    weights, values = np.array(pieces).T
    mean = float(np.sum(weights * values) / weights.sum())
    std = math.sqrt(float(np.sum(weights * (values - mean) ** 2) / weights.sum()))
    if np.ptp(values) == 0.0:
        return mean, 0.0, NAN
    return mean, std, float(np.sum(weights * (values - mean) ** 3) / weights.sum()) / std**3


def clusters(levels: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    levels = levels[:100]
    found: list[list[tuple[int, int]]] = []
    running = False
    for level in levels:
        large = level[1] * len(levels) > 2 * volume(levels)
        if large and not running:
            found.append([])
        if large:
            found[-1].append(level)
        running = large
    return found


def naive_vector(
    rows: np.ndarray,
    ts: int,
    *,
    tick: float,
    lot: float,
    grid_ms: int = 1000,
    bar_ms: int = 1000,
    depth: int = 0,
) -> dict[str, float]:
    """Return the features at grid time `ts` of the rows, which begin at the start of the stream."""
    grid = grid_ms * 1_000_000
    rows = rows[rows["ts_init"] < ts]
    replay = Replay(depth=depth).read(rows)
    start = (int(rows["ts_init"][0]) // grid + 1) * grid
    samples = (ts - start) // grid + 1
    out: dict[str, float] = {}

    def warm(seconds: int) -> bool:
        return samples >= seconds * 1000 // grid_ms

    def put(name: str, seconds: int, value: float) -> None:
        out[name] = value if warm(seconds) else NAN

    def mid_at(time: int) -> float:
        past = [message for message in replay.messages if message[0] < time]
        return 0.5 * (past[-1][1][0][0] + past[-1][2][0][0]) if past and past[-1][1] and past[-1][2] else NAN

    bids, asks = replay.levels(Side.BUY), replay.levels(Side.SELL)
    out["total_bid_volume"], out["total_ask_volume"] = lot * volume(bids), lot * volume(asks)
    support, resistance = naive_levels(rows, ts, bar_ms)
    out["support_level_1"], out["resistance_level_1"] = tick * support, tick * resistance
    if bids and asks:
        _instant(out, bids, asks, tick, lot)
        mid = (bids[0][0] + asks[0][0]) / 2
        out["distance_to_support"] = 1e4 * (mid - support) / mid
        out["distance_to_resistance"] = 1e4 * (resistance - mid) / mid
        before = mid_at(ts - NS) if samples > 1000 // grid_ms else NAN
        out["mid_return"] = 1e4 * (mid_at(ts) / before - 1)

    # Order flow.
    flow: dict[int, list[int]] = {window: [0] * 10 for window in (1, 5, 10)}
    quotes = dict.fromkeys((1, 5, 10), 0)
    mid_moves = spread_moves = 0
    for old, new in pairwise(replay.messages):
        if new[3]:
            continue
        for window in flow:
            if new[0] >= ts - window * NS:
                for level in range(10):
                    flow[window][level] += cks(old[1], new[1], level, 1) + cks(old[2], new[2], level, -1)
                quotes[window] += old[1][:1] != new[1][:1] or old[2][:1] != new[2][:1]
        if new[0] >= ts - 60 * NS and old[1] and old[2] and new[1] and new[2]:
            mid_moves += (new[1][0][0] + new[2][0][0] - old[1][0][0] - old[2][0][0]) ** 2
            spread_moves += (new[2][0][0] - new[1][0][0] - old[2][0][0] + old[1][0][0]) ** 2
    put("order_flow_imbalance", 1, lot * flow[1][0])
    for level in range(2, 6):
        put(f"mlofi_{level}", 1, lot * flow[1][level - 1])
    put("mlofi_all", 1, lot * sum(flow[1]))
    put("quote_intensity", 5, quotes[5] / 5)
    now_mid = mid_at(ts)
    put("orderbook_volatility", 60, 1e4 * 0.5 * math.sqrt(mid_moves) / now_mid)
    put("spread_volatility", 60, 1e4 * math.sqrt(spread_moves) / now_mid)
    put("update_frequency", 1, float(sum(time >= ts - NS for time, _, _ in replay.rows)))
    for name, side in (("bid_intensity", Side.BUY), ("ask_intensity", Side.SELL)):
        put(name, 5, sum(t >= ts - 5 * NS and s == side and near for t, s, near in replay.rows) / 5)

    # Held states over time.
    for window in (1, 5, 10, 30, 60):
        pieces: dict[str, list[tuple[float, float]]] = {}
        for i, (begin, b, a, _) in enumerate(replay.messages):
            end = replay.messages[i + 1][0] if i + 1 < len(replay.messages) else ts
            weight = (end - max(begin, ts - window * NS)) / NS
            if weight <= 0 or not b or not a:
                continue
            spread, mid = a[0][0] - b[0][0], 0.5 * (a[0][0] + b[0][0])
            states = {
                "imbalance_5": ratio(volume(b[:5]), volume(a[:5])),
                "micro_price_offset": 1e4 * 0.5 * spread * ratio(b[0][1], a[0][1]) / mid,
                "depth_10": lot * (volume(b[:10]) + volume(a[:10])),
                "touch_depth": lot * 0.5 * (b[0][1] + a[0][1]),
                "spread": float(spread),
            }
            for name, value in states.items():
                pieces.setdefault(name, []).append((weight, value))
        if window in (1, 5, 10):
            mean = moments(pieces.get("touch_depth", []))[0]
            put(f"ofi_{window}s", window, lot * flow[window][0] / mean)
        if window >= 10:
            for name in ("imbalance_5", "micro_price_offset", "depth_10", "touch_depth", "spread"):
                for statistic, value in zip(("mean", "std", "skew"), moments(pieces.get(name, [])), strict=True):
                    if name != "spread" or statistic == "mean":
                        put(f"{name}_{statistic}_{window}s", window, value)
    _trades(put, replay, ts, lot)
    _costs(put, replay, ts, start, grid, tick, lot, mid_at)
    out["vpin"] = _vpin(replay, ts, start, grid)

    # Levels that were pulled.
    lives = [
        (max(0, life.gone_after - life.born) / 1e6, max(0, life.gone - life.born_after) / 1e6)
        for time, life in replay.ends
        if time >= ts - 60 * NS and life.cause == "cancelled" and life.born_after is not None
    ]
    middles = [0.5 * (low + high) for low, high in lives]
    put("level_ttl_avg", 60, float(np.mean(middles)) if lives else NAN)
    put("level_ttl_std", 60, float(np.std(middles)) if len(lives) > 1 else NAN)
    put("level_ttl_granularity", 60, float(np.mean([high - low for low, high in lives])) if lives else NAN)
    return out


def _instant(
    out: dict[str, float],
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    tick: float,
    lot: float,
) -> None:
    (bid, bid_lots), (ask, ask_lots) = bids[0], asks[0]
    mid = (bid + ask) / 2
    out["bid_ask_spread_abs"] = tick * (ask - bid)
    out["bid_ask_spread_rel"] = 1e4 * (ask - bid) / mid
    out["mid_price"] = tick * mid
    out["micro_price"] = tick * (bid * ask_lots + ask * bid_lots) / (bid_lots + ask_lots)
    out["micro_price_offset"] = 1e4 * (out["micro_price"] / out["mid_price"] - 1)
    for n in (5, 10):
        for name, levels in (("bid", bids), ("ask", asks)):
            out[f"vwap_{name}_{n}"] = tick * vwap(levels[:n])
            out[f"vwap_{name}_{n}_offset"] = 1e4 * (vwap(levels[:n]) - mid) / mid
            out[f"depth_{name}_{n}"] = lot * volume(levels[:n])
        out[f"imbalance_{n}"] = ratio(volume(bids[:n]), volume(asks[:n]))
    out["imbalance_total"] = ratio(volume(bids), volume(asks))
    out["book_depth_ratio"] = (volume(bids[:10]) + volume(asks[:10])) / (volume(bids) + volume(asks))
    pressure = [
        sum(lots / max(0.5, abs(price - mid) * (1 if (price < mid) == below else -1)) for price, lots in levels[:10])
        for levels, below in ((bids, True), (asks, False))
    ]
    out["price_pressure"] = ratio(*pressure)
    near = [volume([level for level in levels if abs(level[0] - levels[0][0]) < 5]) for levels in (bids, asks)]
    out["liquidity_bid_5"], out["liquidity_ask_5"] = lot * near[0], lot * near[1]
    out["liquidity_asymmetry"] = ratio(*near)
    band = [
        volume([level for level in levels if 1000 * sign * (2 * level[0] - 2 * mid) <= 2 * mid])
        for levels, sign in ((bids, -1), (asks, 1))
    ]
    out["depth_imbalance_ratio"] = ratio(*band)
    for name, levels, side in (("bid", bids, 1), ("ask", asks, 2)):
        found = clusters(levels)
        largest = max(found, key=volume, default=[])
        price = vwap(largest) if largest else NAN
        out[f"num_{name}_clusters"] = float(len(found))
        out[f"largest_{name}_cluster_price"] = tick * price
        out[f"largest_{name}_cluster_volume"] = lot * volume(largest)
        out[f"largest_{name}_cluster_distance"] = 1e4 * (price - mid) / mid * (-1 if side == 1 else 1)
        out[f"largest_{name}_cluster_share"] = volume(largest) / volume(levels[:100])


def _trades(put, replay: Replay, ts: int, lot: float) -> None:  # type: ignore[no-untyped-def]
    def window(seconds: int) -> list[tuple[int, int, int, int, int, int | None]]:
        return [trade for trade in replay.trades if trade[0] >= ts - seconds * NS]

    def signed(seconds: int) -> list[tuple[int, int]]:
        return [
            (1 if side == Side.BUY else -1, size)
            for _, _, size, side, flags, _ in window(seconds)
            if side != Side.NONE and not flags & TradeFlag.RPI
        ]

    put("volume_delta_5", 5, lot * sum(s * v for s, v in signed(5)))
    ten = signed(10)
    put("buy_sell_ratio", 10, sum(v for s, v in ten if s > 0) / sum(v for _, v in ten) if ten else NAN)
    put("signed_trade_imbalance", 10, sum(s for s, _ in ten) / len(ten) if ten else NAN)
    put("trade_arrival_rate", 10, len(window(10)) / 10)
    minute = signed(60)
    if minute:
        by_square = sum(s * v * v for s, v in minute) / sum(v * v for _, v in minute)
        put("smart_money_index", 60, by_square - sum(s for s, _ in minute) / len(minute))
        put("trade_volume_imbalance", 60, sum(s * v for s, v in minute) / sum(v for _, v in minute))
    traded = sum(trade[2] for trade in window(60))
    if traded:
        put("rpi_share", 60, sum(t[2] for t in window(60) if t[4] & TradeFlag.RPI) / traded)
    put("trade_volume", 60, lot * traded)
    costs = [
        (size, 2e4 * (1 if side == Side.BUY else -1) * (price - mid2 / 2) / (mid2 / 2))
        for _, price, size, side, flags, mid2 in window(10)
        if side != Side.NONE and not flags & TradeFlag.RPI and mid2 is not None
    ]
    if costs:
        put("effective_spread", 10, sum(v * c for v, c in costs) / sum(v for v, _ in costs))


def _costs(put, replay, ts, start, grid, tick, lot, mid_at) -> None:  # type: ignore[no-untyped-def]
    returns, signed, values = [], [], []
    for end in range(max(start, ts - 60 * NS + grid), ts + 1, grid):
        inside = [trade for trade in replay.trades if end - grid <= trade[0] < end]
        move = 1e4 * (mid_at(end) / mid_at(end - grid) - 1) if end > start else NAN
        if not math.isnan(move):
            returns.append(move)
            signed.append(
                lot
                * sum(
                    t[2] * (1 if t[3] == Side.BUY else -1)
                    for t in inside
                    if t[3] != Side.NONE and not t[4] & TradeFlag.RPI
                )
            )
            values.append(tick * lot * sum(t[1] * t[2] for t in inside))
    if len(returns) >= 30 and np.ptp(signed) > 0:
        put("kyle_lambda", 60, float(np.polyfit(signed, returns, 1)[0]))
    ratios = [abs(move) / value * 1e6 for move, value in zip(returns, values, strict=True) if value > 0]
    put("amihud_illiquidity", 60, float(np.mean(ratios)) if ratios else NAN)
    tape = [trade for trade in replay.trades if not trade[4] & TradeFlag.RPI]
    steps = [(new[0], new[1] - old[1]) for old, new in pairwise(tape)]
    pairs = np.array([(a[1], b[1]) for a, b in pairwise(steps) if b[0] >= ts - 60 * NS])
    if len(pairs) >= 2 and not math.isnan(mid_at(ts)):
        covariance = np.cov(pairs.T, bias=True)[0, 1]
        put("roll_spread", 60, -math.copysign(2e4 * math.sqrt(abs(covariance)) / mid_at(ts), covariance))


def _vpin(replay: Replay, ts: int, start: int, grid: int) -> float:
    tape = [t for t in replay.trades if not t[4] & TradeFlag.RPI and t[3] != Side.NONE]
    filled: list[tuple[int, int]] = []
    target = size = buy = sell = 0
    for end in range(start, ts + 1, grid):
        for time, _, lots, side, _, _ in tape:
            if not (end == start or time >= end - grid) or time >= end or not target:
                continue
            size = size or target
            while lots > 0:
                part = min(lots, size - buy - sell)
                buy, sell = (buy + part, sell) if side == Side.BUY else (buy, sell + part)
                lots -= part
                if buy + sell == size:
                    filled.append((abs(buy - sell), size))
                    size, buy, sell = target, 0, 0
        span = min(60 * NS, end - start + grid)
        if span >= 10 * NS:
            target = max(
                1, int(sum(t[2] for t in tape if end - span <= t[0] < end) / (span // 1_000_000) * 60_000 / 20)
            )
    if len(filled) < 20:
        return NAN
    return sum(x for x, _ in filled[-20:]) / sum(v for _, v in filled[-20:])
