from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.data_catalog.quality.book_audit import BOOK_CHECKS, BookAudit
from fathom.market.events import EVENT, Action, Kind, Side
from tests.makers.book_events import NS, T0, event, rows_of


def naive_audit(rows: NDArray[np.void], max_hole_ns: int) -> Counter[str]:
    """Count the same things with dictionaries and one message after the other."""
    counts: Counter[str] = Counter()
    messages: list[list[Any]] = []
    fresh = True
    for row in rows:
        if not fresh and (row["ts_init"], row["sequence"]) != (
            messages[-1][-1]["ts_init"],
            messages[-1][-1]["sequence"],
        ):
            counts["message_unterminated"] += 1
            fresh = True
        if fresh:
            messages.append([])
        messages[-1].append(row)
        fresh = bool(row["flags"] & 128)
    counts["message_unterminated"] += not fresh
    book: dict[int, set[int]] = {1: set(), 2: set()}
    known, last_event = False, 0
    for number, message in enumerate(messages):
        first = message[0]
        snapshot = first["action"] == Action.CLEAR or bool(first["flags"] & 32)
        if number:
            before = messages[number - 1][0]
            counts["time_backwards"] += int(first["ts_init"] < before["ts_init"])
            counts["hole"] += int(first["ts_init"] - before["ts_init"] > max_hole_ns)
            if snapshot:
                lost = int(first["sequence"]) > int(before["sequence"]) + 1
                counts["sequence_skipped"] += bool(before["sequence"]) and lost
            elif first["sequence"] and before["sequence"]:
                step = int(first["sequence"]) - int(before["sequence"])
                name = "sequence_backwards" if step < 0 else "sequence_jump" if step > 1 else "sequence_repeated"
                counts[name] += step != 1
        else:
            counts["no_snapshot_first"] += not snapshot
        touched: set[tuple[int, int]] = set()
        for row in message:
            side, price = int(row["side"]), int(row["price"])
            counts["known_before_it_happened"] += int(row["ts_event"] > row["ts_init"])
            counts["event_time_backwards"] += int(row["ts_event"] < last_event)
            last_event = max(last_event, int(row["ts_event"]))
            if row["action"] == Action.CLEAR:
                book, known = {1: set(), 2: set()}, True
                touched = set()
                continue
            if side == 0:
                counts["side_missing"] += 1
                continue
            counts["size_negative"] += int(row["size"] < 0)
            counts["size_zero"] += int(row["size"] == 0 and row["action"] != Action.DELETE)
            if (side, price) in touched and price in book[side]:
                counts["snapshot_level_repeated" if snapshot else "level_repeated"] += 1
            if row["action"] == Action.DELETE or row["size"] <= 0:
                counts["unknown_level_deleted"] += known and price not in book[side]
                book[side].discard(price)
                touched.discard((side, price))
            else:
                book[side].add(price)
                touched.add((side, price))
        if not message[-1]["flags"] & 128:
            continue
        if book[1] and book[2]:
            bid, ask = max(book[1]), min(book[2])
            counts["crossed"] += bid > ask
            counts["locked"] += bid == ask
        else:
            counts["one_sided" if book[1] or book[2] or not snapshot else "unsure"] += known
    return +counts


@pytest.mark.parametrize("seed", range(8))
def test_the_audit_equals_its_naive_twin_on_damaged_books(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 4000
    rows = np.zeros(count, dtype=EVENT)
    ends = rng.random(count) < 0.3
    message = np.concatenate([[0], np.cumsum(ends)[:-1]])
    rows["ts_init"] = T0 + message * NS + (rng.random(count) < 0.002) * rng.integers(-9, 9, count) * NS
    rows["ts_event"] = rows["ts_init"] - rng.integers(-1, 4, count)
    rows["sequence"] = 1 + message + (rng.random(count) < 0.002) * rng.integers(0, 3, count)
    rows["action"] = rng.choice([1, 2, 3], count, p=[0.1, 0.5, 0.4])
    rows["action"][rng.random(count) < 0.003] = Action.CLEAR
    rows["side"] = rng.choice([0, 1, 2], count, p=[0.005, 0.5, 0.495])
    spread = 40 if seed % 2 else 4000  # the wide book outgrows the first table and leaves gaps between levels
    rows["price"] = 10_000 + np.where(rows["side"] == 1, -1, 1) * rng.integers(-1, spread, count)
    rows["size"] = rng.choice([-1, 0, 5], count, p=[0.005, 0.01, 0.985]) * (rows["action"] != Action.DELETE)
    rows["flags"] = 16 + 128 * (ends & (rng.random(count) > 0.002)) + 32 * (rows["action"] == Action.CLEAR)
    rows["kind"] = Kind.BOOK
    audit = BookAudit(max_hole_ns=2 * NS)
    for piece in np.split(rows, np.sort(rng.integers(0, count, 9))):
        audit.update(piece)
    audit.finish()
    counted = {name: audit.count(name) for name in BOOK_CHECKS if audit.count(name) and name != "message_duplicated"}
    assert counted == dict(naive_audit(rows, 2 * NS))
    assert len(counted) > 12


def test_a_book_that_outgrows_its_table_keeps_its_best_prices() -> None:
    count = 20_000
    prices = np.random.default_rng(3).permutation(np.arange(1, count + 1)) * 7
    rows = rows_of(*[event(0, Action.ADD, Side.BUY, int(price), 1, 48) for price in prices])
    rows = np.concatenate([rows_of(event(0, Action.CLEAR, Side.NONE, 0, 0, 32)), rows])
    ask = rows_of(event(0, Action.ADD, Side.SELL, 7 * count, 1, 176))
    audit = BookAudit(10**18)
    audit.update(np.concatenate([rows, ask]))
    for top in range(count, 1, -1):
        gone = event(0, Action.DELETE, Side.BUY, 7 * top, 0, 16)
        audit.update(rows_of(gone, event(0, Action.UPDATE, Side.SELL, 7 * (top - 1), 1, 144)))
    audit.finish()
    assert audit.count("locked") == count  # in the snapshot too
    assert audit.count("crossed") == 0
