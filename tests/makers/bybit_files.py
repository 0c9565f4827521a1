"""Small Bybit archive files for the tests, and plain readers of them that share nothing with the importer."""

import gzip
import json
import zipfile
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fathom.market.events import EVENT, Action, Flag, Kind, Side

HEADER = "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"


def message(
    ts: int = 1_723_161_256_501,
    *,
    kind: str = "delta",
    bids: Iterable[tuple[str, str]] = (),
    asks: Iterable[tuple[str, str]] = (),
    u: int = 1,
    seq: int = 10,
    cts: int | None = None,
    symbol: str = "BTCUSDT",
) -> dict[str, Any]:
    """Return one order-book message."""
    data = {"s": symbol, "b": [list(level) for level in bids], "a": [list(level) for level in asks], "u": u, "seq": seq}
    whole: dict[str, Any] = {"topic": f"orderbook.500.{symbol}", "type": kind, "ts": ts, "data": data}
    return whole if cts is None else whole | {"cts": cts}


def line(value: dict[str, Any]) -> str:
    """Return a message as the archive has it: no blanks, keys in Bybit's order."""
    return json.dumps(value, separators=(",", ":"))


def book_zip(
    folder: Path,
    lines: Iterable[str],
    *,
    name: str = "2024-08-08_BTCUSDT_ob500.data.zip",
    end: str = "\n",
    method: int = zipfile.ZIP_DEFLATED,
    last_end: bool = True,
) -> Path:
    """Write an order-book archive."""
    path = folder / name
    text = end.join(lines) + (end if last_end else "")
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name.removesuffix(".zip"), text)
    return path


def trades_gz(folder: Path, lines: Iterable[str], *, header: str = HEADER, day: str = "2024-08-08") -> Path:
    """Write a trades archive."""
    path = folder / f"BTCUSDT{day}.csv.gz"
    path.write_bytes(gzip.compress("".join(f"{one}\n" for one in (header, *lines)).encode()))
    return path


def trade(ts: str = "1723161256.5230", *, side: str = "Sell", size: str = "0.015", price: str = "61800.20") -> str:
    """Return one line of a trades archive."""
    return f"{ts},BTCUSDT,{side},{size},{price},ZeroPlusTick,id-{ts}-{size},92700300000,0.015,927.003000"


def naive_book(path: Path, tick: str, lot: str, latency_ms: int = 0) -> NDArray[np.void]:
    """Return the rows of an order-book archive, read with `json` and `Decimal`.

    Where messages are missing, or a snapshot is crossed or has one side only, there is an empty snapshot until the next
    good one.
    """
    rows: list[tuple[int, ...]] = []
    known, update, was_snapshot, missing, sure = 0, None, True, False, True
    last: tuple[int, ...] | None = None
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    for one in text.splitlines():
        if not one.strip():
            continue
        whole = json.loads(one)
        data, snapshot = whole["data"], whole["type"] == "snapshot"
        known = max(known, (whole["ts"] + latency_ms) * 10**6)
        stamp = whole.get("cts", whole["ts"]) * 10**6, known, data["seq"]
        levels: list[tuple[int, int, int, int]] = []
        for side, changes in ((Side.BUY, data["b"]), (Side.SELL, data["a"])):
            for price, size in changes:
                ticks, lots = Decimal(price) / Decimal(tick), Decimal(size) / Decimal(lot)
                assert ticks % 1 == lots % 1 == 0
                action = Action.ADD if snapshot else Action.UPDATE if lots else Action.DELETE
                levels.append((int(ticks), int(lots), action, side))
        message_rows: list[tuple[int, ...]] = []
        if snapshot:
            message_rows.append((*stamp, 0, 0, Kind.BOOK, Action.CLEAR, Side.NONE, int(Flag.SNAPSHOT)))
        flags = int(Flag.MBP | Flag.SNAPSHOT if snapshot else Flag.MBP)
        message_rows += [(*stamp, ticks, lots, Kind.BOOK, action, side, flags) for ticks, lots, action, side in levels]
        jumped = update is not None and data["u"] not in (update, update + 1)
        missing = missing or (jumped and not (snapshot and was_snapshot))
        update, was_snapshot = data["u"], snapshot
        if not message_rows:
            continue
        message_rows[-1] = (*message_rows[-1][:-1], message_rows[-1][-1] | Flag.LAST)
        hole = (0, 0, Kind.BOOK, Action.CLEAR, Side.NONE, int(Flag.SNAPSHOT | Flag.LAST))
        if missing and last is not None and sure:
            rows.append((*last, *hole))
            sure = False
        missing, last = False, stamp
        if snapshot:
            bids, asks = ([Decimal(price) for price, _ in data[side]] for side in ("b", "a"))
            good = bool(bids and asks) and max(bids) <= min(asks)
            if sure and not good:
                rows.append((*stamp, *hole))
            sure = good
        if sure:
            rows += message_rows
    return np.array(rows, dtype=EVENT)
