"""Read the recorded markets of ``../shared/data`` into event rows with plain readers, independently of the importer."""

import csv
import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fathom.market.events import EVENT, Action, Flag, Kind, Side

MS = 1_000_000

PERP_STEPS = {"BTCUSDT": (0.1, 0.001), "ETHUSDT": (0.01, 0.001)}
"""Price and size increment of the recorded perpetuals."""


def perp_book(folder: Path, symbol: str) -> np.ndarray:
    """Return the book rows of one symbol of ``perp-ticks``."""
    tick, lot = PERP_STEPS[symbol]
    (archive,) = (folder / "perp-ticks").glob(f"*_{symbol}_ob*.data.zip")
    prices: list[str] = []
    sizes: list[str] = []
    blocks: list[tuple[int, int, int, bool, int, int]] = []  # ts_event, ts_init, sequence, snapshot, bids, asks
    with zipfile.ZipFile(archive) as opened, opened.open(opened.namelist()[0]) as lines:
        for line in lines:
            message = json.loads(line)
            data = message["data"]
            for price, size in (*data["b"], *data["a"]):
                prices.append(price)
                sizes.append(size)
            ts = message["ts"] * MS
            snapshot = message["type"] == "snapshot"
            blocks.append(
                (message.get("cts", message["ts"]) * MS, ts, data["seq"], snapshot, len(data["b"]), len(data["a"]))
            )
    ticks = np.rint(np.array(prices, dtype=np.float64) / tick).astype(np.int64)
    lots = np.rint(np.array(sizes, dtype=np.float64) / lot).astype(np.int64)
    rows = np.zeros(len(ticks) + sum(block[3] for block in blocks), dtype=EVENT)
    start = at = 0
    for ts_event, ts_init, sequence, snapshot, bids, asks in blocks:
        count = snapshot + bids + asks
        rows_of = rows[at : at + count]
        rows_of["ts_event"], rows_of["ts_init"], rows_of["sequence"] = ts_event, ts_init, sequence
        rows_of["kind"] = Kind.BOOK
        rows_of["flags"] = Flag.MBP | (Flag.SNAPSHOT if snapshot else 0)
        if snapshot:
            rows_of["action"][0], rows_of["flags"][0] = Action.CLEAR, Flag.SNAPSHOT
        levels = rows_of[int(snapshot) :]
        levels["price"] = ticks[start : start + bids + asks]
        levels["size"] = lots[start : start + bids + asks]
        levels["side"][:bids], levels["side"][bids:] = Side.BUY, Side.SELL
        levels["action"] = np.where(levels["size"] == 0, Action.DELETE, Action.ADD if snapshot else Action.UPDATE)
        rows_of["flags"][-1] |= Flag.LAST
        start += bids + asks
        at += count
    return rows


def perp_trades(folder: Path, symbol: str) -> np.ndarray:
    """Return the trade rows of one symbol of ``perp-ticks``."""
    tick, lot = PERP_STEPS[symbol]
    (archive,) = (folder / "perp-ticks").glob(f"{symbol}*.csv.gz")
    with gzip.open(archive, "rt") as text:
        records = list(csv.DictReader(text))
    rows = np.zeros(len(records), dtype=EVENT)
    for row, record in zip(rows, records, strict=True):
        seconds, _, fraction = record["timestamp"].partition(".")
        row["ts_init"] = row["ts_event"] = int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))
        row["side"] = Side[record["side"].upper()]
    rows["kind"] = Kind.TRADE
    rows["price"] = np.rint(np.array([float(r["price"]) for r in records]) / tick)
    rows["size"] = np.rint(np.array([float(r["size"]) for r in records]) / lot)
    return rows[np.argsort(rows["ts_init"], kind="stable")]


def merged(book: np.ndarray, trades: np.ndarray) -> np.ndarray:
    """Merge by ``ts_init``, book rows before trades at ties."""
    rows = np.concatenate([book, trades])
    return rows[np.argsort(rows["ts_init"], kind="stable")]


def perp_events(folder: Path, symbol: str) -> np.ndarray:
    """Return book and trades of one symbol of ``perp-ticks``, merged."""
    return merged(perp_book(folder, symbol), perp_trades(folder, symbol))


def _parquet_rows(path: Path, kind: Kind, buy: str) -> np.ndarray:
    table = pq.read_table(path)
    rows = np.zeros(table.num_rows, dtype=EVENT)
    rows["ts_init"] = rows["ts_event"] = table["ts_init"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    rows["price"] = np.rint(pc.cast(table["price"], "float64").to_numpy() / 0.01)
    rows["size"] = np.rint(pc.cast(table["size"], "float64").to_numpy() / 1e-8)
    is_buy = np.array(table["side"].to_pylist()) == buy
    rows["side"] = np.where(is_buy, Side.BUY, Side.SELL)
    rows["kind"] = kind
    return rows


def bitstamp_events(folder: Path) -> np.ndarray:
    """Return book and trades of the 24 hours of Bitstamp, merged; the rows of one time are one message."""
    book = _parquet_rows(folder / "bitstamp-24h" / "book.parquet", Kind.BOOK, "bid")
    book["action"] = np.where(book["size"] == 0, Action.DELETE, Action.UPDATE)
    book["flags"] = Flag.MBP
    last = np.append(book["ts_init"][1:] != book["ts_init"][:-1], True)
    book["flags"][last] = Flag.MBP | Flag.LAST
    trades = _parquet_rows(folder / "bitstamp-24h" / "trades.parquet", Kind.TRADE, "buy")
    return merged(book, trades)
