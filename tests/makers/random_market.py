"""A market of random rows that does everything a feed may do: for laws, never for statistics."""

import numpy as np

from fathom.market.events import EVENT, Action, Flag, Kind, Side, TradeFlag

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000


def random_market(
    seed: int, *, seconds: float, depth: int = 0, message_ms: tuple[int, int] = (20, 400), odd: bool = True
) -> np.ndarray:
    """Return the merged rows of a random market.

    Trades come before, after and at the time of the messages that show them. With `odd` there are also snapshots in
    mid-stream, emptied sides, deletions of what was never there, levels 200,000 ticks away, jumps of the price, block
    trades, RPI trades, trades without an aggressor, and trades that arrive late. With `depth`, levels that no longer
    fit are deleted, as in a feed of limited depth.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, ...]] = []
    mid = 100_000
    book: dict[int, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
    time = START_NS + int(rng.integers(1, 900)) * MS
    end = time + int(seconds * 1000) * MS
    sequence = 0
    first = True
    last_event = time

    def away(side: int, price: int) -> int:
        return price if side == Side.SELL else -price

    def best(side: int) -> int:
        return min(book[side], key=lambda price: away(side, price))

    def new_price(side: int) -> int:
        distance = int(rng.geometric(0.12))
        if odd and rng.random() < 0.01:
            distance = int(rng.integers(30_000, 95_000))
        return mid + distance if side == Side.SELL else mid - distance

    def trade(ts_init: int) -> None:
        side: int = Side.BUY if rng.random() < 0.5 else Side.SELL
        hit = Side.SELL if side == Side.BUY else Side.BUY
        price = best(hit) if book[hit] and rng.random() < 0.9 else mid + int(rng.integers(-2, 3))
        flags = 0
        if odd and rng.random() < 0.1:
            flags = int(rng.choice([TradeFlag.RPI, TradeFlag.BLOCK]))
        if odd and rng.random() < 0.02:
            side = Side.NONE
        size = int(rng.integers(1, 60)) if rng.random() < 0.98 else int(rng.integers(2_000, 60_000))
        ts_event = last_event if rng.random() < 0.3 else ts_init
        rows.append((ts_event, ts_init, 0, price, size, Kind.TRADE, 0, side, flags))

    while time < end:
        sequence += 1
        changes: list[tuple[int, int, int, int]] = []  # side, price, size, action
        snapshot = first or (odd and rng.random() < 0.004)
        mid += int(rng.integers(-1, 2)) if rng.random() < 0.3 else 0
        if odd and rng.random() < 0.001:
            mid += int(rng.choice([-40_000, 40_000]))
        if snapshot:
            book = {Side.BUY: {}, Side.SELL: {}}
            for side in (Side.BUY, Side.SELL):
                for _ in range(int(rng.integers(3, 40))):
                    book[side][new_price(side)] = int(rng.integers(1, 500))
            changes = [(s, p, v, Action.ADD) for s in book for p, v in book[s].items()]
        else:
            for _ in range(int(rng.integers(1, 12))):
                side = Side.BUY if rng.random() < 0.5 else Side.SELL
                price = new_price(side)
                if book[side] and rng.random() < 0.6:
                    price = best(side) if rng.random() < 0.3 else list(book[side])[int(rng.integers(len(book[side])))]
                size = 0 if rng.random() < 0.3 else int(rng.integers(1, 500))
                changes.append((side, price, size, Action.UPDATE if size else Action.DELETE))
                if size:
                    book[side][price] = size
                else:
                    book[side].pop(price, None)
            if odd and rng.random() < 0.003:
                side = Side.BUY if rng.random() < 0.5 else Side.SELL
                changes += [(side, price, 0, Action.DELETE) for price in list(book[side])]
                book[side].clear()
            # The sides may not stay crossed: what the new price went through is taken away.
            for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
                for price in [price for price in book[side] if sign * (price - mid) <= 0]:
                    del book[side][price]
                    changes.append((side, price, 0, Action.DELETE))
        if depth:
            for side in (Side.BUY, Side.SELL):
                for price in sorted(book[side], key=lambda price: away(side, price))[depth:]:
                    del book[side][price]
                    changes.append((side, price, 0, Action.DELETE))
        last_event = time - int(rng.integers(0, 5)) * MS
        if snapshot:
            rows.append((last_event, time, sequence, 0, 0, Kind.BOOK, Action.CLEAR, 0, Flag.SNAPSHOT))
        base = Flag.MBP | (Flag.SNAPSHOT if snapshot else 0)
        for i, (at, price, size, action) in enumerate(changes):
            flags = int(base | (Flag.LAST if i == len(changes) - 1 else 0))
            rows.append((last_event, time, sequence, price, size, Kind.BOOK, action, at, flags))
        first = False
        step = int(rng.integers(*message_ms)) * MS
        for offset in sorted(rng.integers(0, step + 1, int(rng.poisson(0.8))).tolist()):
            trade(time + int(offset))
        if odd and rng.random() < 0.003:
            step += 3_500 * MS  # a gap in the feed
        time += step
    found = np.array(rows, dtype=EVENT)
    return found[np.argsort(found["ts_init"], kind="stable")]
