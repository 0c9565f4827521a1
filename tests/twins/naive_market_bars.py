"""Naive twins of the bars that detectors read, and of the levels over them: a dictionary, rows one after the other."""

import numpy as np

from fathom.detectors import SupportResistance
from fathom.market.events import Action, Kind, Side, TradeFlag

NAN = float("nan")
SILENT_BARS = 300

type NaiveBar = tuple[int, list[float]]
"""Close of the bar, and high, low, close, volume, bid wall and its ratio, ask wall and its ratio."""


def naive_wall(book: dict[int, int], side: int) -> list[float]:
    best = sorted(book.items(), reverse=side == Side.BUY)[:50]
    if len(best) < 2:
        return [NAN, NAN]
    price, lots = max(best, key=lambda level: level[1])
    return [float(price), lots * (len(best) - 1.0) / (sum(size for _, size in best) - lots)]


def naive_bars(rows: np.ndarray, length_ns: int, until_ns: int | None = None) -> list[NaiveBar]:
    """Return the bars that have ended by the last row, or by `until_ns`; see `fathom.detectors.bars.market_bars`."""
    book: dict[int, dict[int, int]] = {1: {}, 2: {}}
    found: list[NaiveBar] = []
    edge = (int(rows["ts_init"][0]) // length_ns + 1) * length_ns
    trades: list[tuple[float, float]] = []
    before, idle = NAN, 0

    def close_until(ts_ns: int) -> None:
        nonlocal before, idle, edge, trades
        while ts_ns >= edge:
            if idle == SILENT_BARS:
                edge = (ts_ns // length_ns + 1) * length_ns
                return
            close = trades[-1][0] if trades else before
            if book[1] and book[2]:
                close = (max(book[1]) + min(book[2])) / 2
            prices = [price for price, _ in trades] + [close]
            if close == close:
                volume = float(sum(size for _, size in trades))
                walls = [*naive_wall(book[1], 1), *naive_wall(book[2], 2)]
                found.append((edge, [max(prices), min(prices), close, volume, *walls]))
            before, trades, idle, edge = close, [], idle + 1, edge + length_ns

    for row in rows:
        close_until(int(row["ts_init"]))
        idle = 0
        side, price = int(row["side"]), int(row["price"])
        if row["kind"] == Kind.TRADE:
            if not row["flags"] & TradeFlag.BLOCK:
                trades.append((float(price), float(row["size"])))
        elif row["action"] == Action.CLEAR:
            book = {1: {}, 2: {}}
        elif row["size"] <= 0 or row["action"] == Action.DELETE:
            book[side].pop(price, None)
        else:
            book[side][price] = int(row["size"])
    if until_ns is not None:
        close_until(until_ns)
    return found


def naive_levels(rows: np.ndarray, ts_ns: int, bar_ms: int = 1000) -> tuple[float, float]:
    """Return support and resistance at a grid time in ticks, of the rows before it; NaN before the first bar."""
    bars = naive_bars(rows, bar_ms * 1_000_000, ts_ns)
    if not bars:
        return NAN, NAN
    table = np.array([bar for _, bar in bars])
    nearest = SupportResistance().update_many(table)[-1]
    support = float(table[-120:, 1].min() if np.isnan(nearest[0]) else nearest[0])
    resistance = float(table[-120:, 0].max() if np.isnan(nearest[2]) else nearest[2])
    return support, resistance
