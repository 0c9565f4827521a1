"""A tiny market with a zigzag price, in a catalog, and configurations to backtest on it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.data_catalog.store.arrow import BAR
from fathom.market.events import EVENT, Action, Flag, Kind, Side

MS = 1_000_000
SECOND = 1_000 * MS
START = 1_723_161_600 * SECOND  # 2024-08-09 00:00:00 UTC, a funding time
BTC, ETH = "BTCUSDT-LINEAR.BYBIT", "ETHUSDT-LINEAR.BYBIT"
LEVELS = 8
SUPERTREND = """
bars = "2-SECOND-LAST-INTERNAL"
atr_period = 3
multiplier = 1.0
volume_window = 0
notional = 60000.0
"""


def zigzag(seconds: float) -> int:
    """Return the mid in ticks: 600,000 +- 200, up and down every 12 s."""
    phase = (seconds / 12.0) % 2.0
    return 600_000 + round(400 * (phase if phase < 1.0 else 2.0 - phase)) - 200


def book_rows(seconds: float, mid: Callable[[float], int] = zigzag, every_ms: int = 250) -> NDArray[np.void]:
    """Return a snapshot of `LEVELS` levels a side every `every_ms`, one tick of spread, sizes of 1 to 8 units."""
    rows = []
    for at in range(0, round(seconds * 1000), every_ms):
        time, centre = START + at * MS, mid(at / 1000.0)
        rows.append((time, time, at, 0, 0, Kind.BOOK, Action.CLEAR, 0, Flag.SNAPSHOT))
        for side, step in ((Side.BUY, -1), (Side.SELL, 1)):
            for level in range(LEVELS):
                price = centre + (step if side == Side.SELL else 0) + step * level
                flags = Flag.SNAPSHOT | Flag.MBP
                rows.append((time, time, at, price, 1_000 * (level + 1), Kind.BOOK, Action.ADD, side, flags))
        rows[-1] = (*rows[-1][:-1], rows[-1][-1] | Flag.LAST)
    return np.array(rows, EVENT)


def trade_rows(seconds: float, mid: Callable[[float], int] = zigzag, every_ms: int = 400) -> NDArray[np.void]:
    """Return trades that hit the touch, by turns on either side, 7 ms after a round time."""
    rows = []
    for number, at in enumerate(range(7, round(seconds * 1000), every_ms)):
        side = Side.BUY if number % 2 else Side.SELL
        price = mid((at - 7) // 250 * 0.25) + (1 if side == Side.BUY else 0)
        rows.append((START + at * MS, START + at * MS, 0, price, 500 + 10 * (number % 7), Kind.TRADE, 0, side, 0))
    return np.array(rows, EVENT)


def make_market(
    path: Path,
    symbols: Sequence[str] = ("BTCUSDT",),
    *,
    seconds: float = 60.0,
    mid: Callable[[float], int] = zigzag,
) -> Catalog:
    """Write book and trades of the symbols to a catalog."""
    catalog = Catalog(path)
    for symbol in symbols:
        instrument = default_instruments()[symbol]
        with catalog.book_writer(instrument) as writer:
            writer.write(book_rows(seconds, mid))
        trades = trade_rows(seconds, mid)
        with catalog.trade_writer(instrument) as writer:
            writer.write(trades, [f"{symbol}-{number}" for number in range(len(trades))])
    return catalog


def make_bars(path: Path, closes: Sequence[int], *, minutes: int = 1) -> str:
    """Write bars of BTCUSDT that open at the last close; return the bar type without the instrument."""
    catalog = Catalog(path)
    catalog.put_instrument(default_instruments()["BTCUSDT"])
    bars = np.zeros(len(closes), BAR)
    bars["ts_event"] = bars["ts_init"] = START + np.arange(1, len(closes) + 1) * 60 * minutes * SECOND
    bars["close"] = closes
    bars["open"] = [closes[0], *closes[:-1]]
    bars["high"] = np.maximum(bars["open"], bars["close"]) + 5
    bars["low"] = np.minimum(bars["open"], bars["close"]) - 5
    bars["volume"] = 50_000
    kind = f"{minutes}-MINUTE-LAST-EXTERNAL"
    with catalog.bar_writer(f"{BTC}-{kind}") as writer:
        writer.write(bars)
    return kind


def config_file(folder: Path, catalog: Path, *, strategy: str = "supertrend", more: str = "", name: str = "c") -> Path:
    """Write a configuration that trades BTCUSDT with SuperTrend on two-second bars (or with another strategy)."""
    text = f"""
name = "small"
[data]
catalog = "{catalog}"
instruments = ["{BTC}"]
[venue.fees]
maker = 0.0002
taker = 0.00055
[[strategies]]
name = "{strategy}"
[strategies.parameters]
{SUPERTREND if strategy == "supertrend" else ""}
{more}
"""
    file = folder / f"{name}.toml"
    file.write_text(text)
    return file
