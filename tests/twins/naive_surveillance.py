"""A plain-Python twin of the record of large orders: lists of all that happened, summed anew at each judgement."""

import math
from dataclasses import dataclass, field

import numpy as np

from fathom.detectors import SurveillanceConfig
from fathom.market.events import Action, Flag, Kind, Side, TradeFlag

CAPACITY = 4096
NEAR = 64
INF = math.inf
NAN = math.nan


@dataclass(eq=False)
class Level:
    """What the book shows at a price, the trades that wait to be seen there, and what was last taken away."""

    lots: int
    pending: int = 0
    pending_at: int = 0
    recent: int = 0
    recent_at: int = -1


@dataclass(eq=False)
class Order:
    """One large order, from the message that first showed it to the one that decides on it."""

    side: int  # 0 bid, 1 ask
    key: int
    lots: int
    placed: int
    placed_after: int
    distance: int
    before: int
    usual: float
    spoof: bool
    large: bool
    rarity: float
    mid2: int
    trades_before: int
    crowd: int = 0
    status: str = "standing"
    retail: list[tuple[int, int]] = field(default_factory=list)  # complete messages, lots
    removed: int = 0
    removed_after: int = 0
    removed_message: int = 0
    taken_away: int = 0
    explained_late: int = 0
    moved: bool = False
    scrolled: bool = False


@dataclass(eq=False)
class Candidate:
    """A withdrawn order that was weighed."""

    order: Order
    message: int
    evidence: dict[str, float]


class NaiveSizes:
    """Every addition so far with its weight, by distance; the quantiles are those of the last refresh."""

    def __init__(self, shares: tuple[float, ...]) -> None:
        self.shares = shares
        self.seen: dict[int, list[list[float]]] = {}  # bin: [cell, weight]
        self.left: dict[int, int] = {}
        self.quantiles: dict[int, tuple[float, ...]] = {}

    @staticmethod
    def bin_of(ticks: int) -> int:
        return ticks if ticks <= 2 else min(15, 3 + int(math.log2((ticks - 1) / 2)))

    @staticmethod
    def cell_of(lots: int) -> int:
        return min(159, math.floor(4 * math.log2(lots) + 1e-12))

    def weight(self, at: int) -> float:
        return sum(weight for _, weight in self.seen.get(at, []))

    def around(self, at: int) -> list[list[float]]:
        """Return what counts at a distance: where few were seen, the neighbours too."""
        bins = [at] if self.weight(at) >= 128 else range(max(0, at - 1), min(15, at + 1) + 1)
        return [one for b in bins for one in self.seen.get(b, [])]

    def add(self, at: int, lots: int) -> None:
        self.seen.setdefault(at, []).append([self.cell_of(lots), 1.0])
        self.left[at] = self.left.get(at, 0) - 1
        if self.left[at] > 0:
            return
        self.left[at] = 16 if self.weight(at) < 128 else 64
        if self.weight(at) >= 4096:
            for one in self.seen[at]:
                one[1] *= 0.5
        known = self.around(at)
        total = sum(weight for _, weight in known)
        if total < 32:
            return
        found = list(self.quantiles.get(at, (NAN,) * 4))
        for k, share in enumerate(self.shares):
            below = 0.0
            for cell in sorted({cell for cell, _ in known}):
                here = sum(weight for c, weight in known if c == cell)
                if below < share * total <= below + here:
                    found[k] = 2.0 ** ((cell + (share * total - below) / here) / 4.0)
                below += here
        self.quantiles[at] = tuple(found)

    def surprise(self, at: int, lots: int) -> float:
        known = self.around(at)
        larger = 1 + sum(weight for cell, weight in known if cell >= self.cell_of(lots))
        return math.log((1 + sum(weight for _, weight in known)) / larger)


class NaiveWatch:
    """Reads rows as `detectors.Surveillance` does, and keeps every candidate for spoofing with its evidence."""

    def __init__(self, config: SurveillanceConfig) -> None:
        self.config = config
        bars = config.layering.size_percentile, config.spoofing.size_percentile
        self.sizes = NaiveSizes((bars[0] / 100, bars[1] / 100, 0.75, 0.8))
        self.book: list[dict[int, Level]] = [{}, {}]
        self.horizon: list[float] = [INF, INF]
        self.touch: list[float] = [INF, INF]
        self.orders: list[Order | None] = []  # by number; None where there was no room
        self.at: dict[tuple[int, int], list[Order]] = {}
        self.additions: list[tuple[int, int, int, int]] = []
        self.waiting: list[Order] = []
        self.ended: list[Order] = []  # in this message
        self.trades: list[tuple[int, int, int]] = []  # time, side hit, lots
        self.moves: list[tuple[int, float]] = []
        self.mid2: int | None = None
        self.snapshot = False
        self.count = 0
        self.last_ts: int | None = None  # largest so far
        self.before_ts = 0
        self.began = self.now = 0
        self.past: list[tuple[float, int, float, int, float]] = []
        self.found: list[Candidate] = []
        self.flows: tuple[int, int, list[list[float]]] = (-1, -1, [])
        self.forgotten = 0

    def read(self, rows: np.ndarray) -> "NaiveWatch":
        for ts_event, ts_init, _, price, size, kind, action, side_code, flags in rows.tolist():
            self.now = max(self.now, ts_init)
            self.began = self.began or ts_init
            side = {Side.BUY: 0, Side.SELL: 1}.get(side_code)
            if kind == Kind.TRADE:
                if side is not None and size > 0 and not flags & TradeFlag.BLOCK:
                    hit = 1 - side
                    self._trade(hit, price if hit else -price, size, bool(flags & TradeFlag.RPI), ts_event)
                continue
            if action == Action.CLEAR:
                self._clear()
            elif side is not None:
                self._change(side, price if side else -price, size, ts_event)
            if flags & Flag.LAST:
                self._message(ts_event)
        return self

    def _clear(self) -> None:
        self.book = [{}, {}]
        self.horizon = [INF, INF]
        self.additions, self.waiting, self.ended = [], [], []
        for order in self.orders:
            if order is not None:
                order.status = "free"
        self.snapshot = True

    def _standing(self, side: int, key: int) -> list[Order]:
        """Return the orders at a level, the newest first."""
        left = [order for order in self.at.get((side, key), []) if order.status == "standing"]
        self.at[side, key] = left
        return list(reversed(left))

    def _trade(self, side: int, key: int, size: int, retail: bool, ts_event: int) -> None:
        for order in self._standing(side, key) if retail else ():
            order.retail.append((self.count, size))
        for order in [*self.waiting, *self.ended]:
            if (order.side, order.key) == (side, key) and ts_event <= order.removed:
                order.explained_late += size
        if retail:
            return
        self.trades.append((self.now, side, size))
        level = self.book[side].get(key)
        if level is None:
            return
        late = self.last_ts is not None and ts_event <= self.last_ts
        if late and level.recent_at == self.count - 1:
            claimed = min(size, level.recent)
            level.recent -= claimed
            size -= claimed
        if size > 0:
            level.pending = self._pending(level) + size
            level.pending_at = self.count

    def _pending(self, level: Level) -> int:
        return level.pending if self.count - level.pending_at <= 1 else 0

    def _change(self, side: int, key: int, size: int, ts_event: int) -> None:
        level = self.book[side].get(key)
        before = 0 if level is None else level.lots
        if size > before and not self.snapshot and key <= self.horizon[side]:
            self.additions.append((side, key, size - before, before))
        if level is None:
            if size > 0:
                self.book[side][key] = Level(size)
            return
        if size < before:
            traded = min(before - size, self._pending(level))
            level.pending = self._pending(level) - traded
            level.recent, level.recent_at = before - size - traded, self.count
            if not self.snapshot:
                self._take_away(side, key, level.recent, max(size, 0), ts_event)
        level.lots = size
        if size <= 0:
            del self.book[side][key]

    def _take_away(self, side: int, key: int, taken: int, left: int, ts_event: int) -> None:
        while True:
            fits = [o for o in self._standing(side, key) if taken >= 0.8 * o.lots]
            if not fits:
                break
            order = min(fits, key=lambda o: abs(taken - o.lots) / o.lots)
            order.status = "ended"
            order.removed, order.removed_after, order.removed_message = ts_event, self.before_ts, self.count
            order.taken_away = min(taken, order.lots)
            self.ended.append(order)
            taken -= order.lots
        for order in self._standing(side, key):
            if 0.8 * order.lots > left:
                order.status = "free"

    def _message(self, ts_event: int) -> None:
        if self.book[0] and self.book[1]:
            mid2 = min(self.book[1]) - min(self.book[0])
            if self.mid2 is not None:
                self.moves.append((self.now, 0.5 * (mid2 - self.mid2)))
            self.mid2 = mid2
        depth = self.config.depth
        for side in range(2):
            full = depth > 0 and len(self.book[side]) >= depth
            if depth > 0:
                self.horizon[side] = max(self.book[side]) if full else INF
            elif self.snapshot and self.book[side]:
                self.horizon[side] = max(self.book[side])
            if self.book[side]:
                self.touch[side] = min(self.book[side])
        for order in [*self.waiting, *self.ended]:
            for side, key, lots, _ in self.additions:
                elsewhere = key != order.key or order in self.ended
                if side == order.side and elsewhere and 10 * abs(lots - order.lots) <= order.lots:
                    order.moved = True
        for order in self.ended:
            order.scrolled = order.key > self.horizon[order.side]
        self._judge()
        for order in self.waiting:
            order.status = "free"
        self.waiting, self.ended = self.ended, []
        if not self.snapshot:
            self._place_all(ts_event)
        self.additions, self.snapshot = [], False
        self.before_ts = ts_event
        self.last_ts = ts_event if self.last_ts is None else max(self.last_ts, ts_event)
        self.count += 1

    def _place_all(self, ts_event: int) -> None:
        farthest = int(0.5e-4 * (self.mid2 or 0) * self.config.layering.band_bps)
        new = []
        for side, key, lots, before in self.additions:
            distance = key - self.touch[side]
            if not 0 <= distance <= farthest:
                continue
            at = self.sizes.bin_of(int(distance))
            layer, spoof, usual, large = self.sizes.quantiles.get(at, (NAN,) * 4)
            self.sizes.add(at, lots)
            level = self.book[side].get(key)
            if not (lots >= layer or lots >= spoof or lots >= large) or level is None or level.lots < lots:
                continue
            oldest = self.orders[-CAPACITY] if len(self.orders) >= CAPACITY else None
            if oldest is not None and oldest.status == "ended":
                self.orders.append(None)
                continue
            if oldest is not None and oldest.status == "standing":
                oldest.status = "free"
                self.forgotten += 1
            order = Order(
                side, key, lots, ts_event, self.before_ts, int(distance), before, lots / usual, lots >= spoof,
                lots >= large, self.sizes.surprise(at, lots), self.mid2 or 0, len(self.trades),
            )  # fmt: skip
            self.orders.append(order)
            self.at.setdefault((side, key), []).append(order)
            new.append(order)
        for order in new:
            order.crowd = sum(o.side == order.side and o.distance <= NEAR and o.large for o in new)

    def _withdrawn(self, order: Order) -> bool:
        retail = sum(lots for at, lots in order.retail if at >= order.removed_message - 1)
        unexplained = order.taken_away - order.explained_late - retail
        return not order.scrolled and unexplained >= 0.8 * order.lots

    def _life(self, order: Order) -> float:
        shortest = max(0, order.removed_after - order.placed)
        return max(1e-3, 0.5e-9 * (shortest + order.removed - order.placed_after))

    def _judge(self) -> None:
        spoofing = self.config.spoofing
        for side in range(2):
            near = sum(o.side == side and o.distance <= NEAR and o.large for o in self.waiting)
            remembered = []
            for order in [o for o in self.waiting if o.side == side]:
                if (
                    not order.spoof
                    or order.distance < spoofing.min_distance_ticks
                    or not self._withdrawn(order)
                    or self._life(order) > 1e-3 * spoofing.max_life_ms
                ):
                    continue
                evidence = self._weigh(order, near)
                suspicion = _logistic(spoofing.alone_weights, list(evidence.values()))
                evidence |= {"recurrence": 0.0, "same_size": 0.0, "recurrence_size": 0.0}
                if suspicion >= 0.05:
                    evidence |= self._recurrence(order, evidence["size"])
                    remembered.append((order.removed * 1e-9, side, math.log(order.lots), order.distance, suspicion))
                self.found.append(Candidate(order, self.count, evidence))
            self.past += remembered

    def _faded(self) -> list[list[float]]:
        """Return fading sums over all trades: over 0.25 s and over a minute, lots of each side, then number."""
        if self.flows[:2] != (self.now, len(self.trades)):
            sums = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
            for ts, side, lots in self.trades:
                for total, secs in zip(sums, (0.25, 60.0), strict=True):
                    left = math.exp(-(self.now - ts) * 1e-9 / secs)
                    total[side] += lots * left
                    total[2] += left
            self.flows = (self.now, len(self.trades), sums)
        return self.flows[2]

    def _weigh(self, order: Order, near: int) -> dict[str, float]:
        life = self._life(order)
        memory = 60.0 * (1.0 - math.exp(-max((self.now - self.began) * 1e-9, 0.1) / 60.0))
        fast, slow = self._faded()
        one = max(1.0, (slow[0] + slow[1]) / slow[2] if self.trades else 1.0)
        since = self.trades[order.trades_before :]

        def surplus(hit: int) -> float:
            taken = sum(lots for _, side, lots in since if side == hit)
            lately = min(fast[hit], float(taken))
            usual = slow[hit] / memory * min(0.25, life)
            return _clip(math.log((lately + one) / (usual + one)), -2, 6)

        variance = sum(move**2 * math.exp(-(self.now - ts) * 1e-9 / 60.0) for ts, move in self.moves)
        towards = 0.5 * ((self.mid2 or 0) - order.mid2) * (1 if order.side == 0 else -1)
        own, other = (sum(side == s for _, side, _ in since) for s in (order.side, 1 - order.side))
        alike = sum(
            o is not order
            and (o.side, o.placed) == (order.side, order.placed)
            and 30 * abs(o.lots - order.lots) <= order.lots
            for o in self.waiting
        )
        benefit, size = surplus(1 - order.side), _clip(math.log(max(order.usual, 1e-3)), -1, 2.5)
        return {
            "constant": 1.0,
            "size": size,
            "rarity": _clip(order.rarity, 0, 8),
            "dominance": order.lots / (order.lots + order.before),
            "short": _clip(math.log(1e-3 * self.config.spoofing.ttl_threshold_ms / life), -3, 3),
            "long": max(0.0, math.log(life / 2)),
            "benefit": benefit,
            "own_side": surplus(order.side),
            "move": _clip(towards / max(0.5, math.sqrt(variance / memory * life)), -3, 3),
            "lean": _clip((other - own) / math.sqrt(other + own + 1), -3, 3),
            "twins": math.log(1 + alike),
            "moved": float(order.moved),
            "distance": math.log(1 + order.distance),
            "far": max(0.0, math.log(max(order.distance, 1) / 20)),
            "placed_crowd": math.log(max(order.crowd, 1)),
            "removed_crowd": math.log(max(near, 1)),
            "size_benefit": size * max(benefit, 0.0),
        }

    def _recurrence(self, order: Order, size: float) -> dict[str, float]:
        alike = same = 0.0
        for ts, side, log_lots, distance, suspicion in self.past[-512:]:
            off = abs(log_lots - math.log(order.lots))
            if side != order.side or off > 0.7 or abs(distance - order.distance) > 5 + 0.5 * order.distance:
                continue
            weight = suspicion * math.exp(-max(0.0, order.removed * 1e-9 - ts) / self.config.spoofing.history_secs)
            alike += weight
            same += weight if off <= 0.12 else 0.0
        again = math.log1p(10 * alike)
        return {"recurrence": again, "same_size": math.log1p(10 * same), "recurrence_size": again * size}


def _logistic(weights: tuple[float, ...], evidence: list[float]) -> float:
    return 1.0 / (1.0 + math.exp(-sum(w * x for w, x in zip(weights, evidence, strict=True))))


def _clip(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)
