"""Rows from the engine's objects: equal to the rows of the catalog, whatever the numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nautilus_trader.model import (
    AggressorSide,
    Bar,
    BarType,
    BookAction,
    BookOrder,
    OrderBookDelta,
    OrderBookDeltas,
    OrderSide,
    Price,
    Quantity,
    TradeId,
    TradeTick,
)
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import Grid, InstrumentSpec, default_instruments
from fathom.data_catalog.replay.recorded_flags import RecordedFlags
from fathom.data_catalog.replay.rows_of_objects import Records, SharedRows, closed_bars
from fathom.data_catalog.store.arrow import BAR as STORED
from fathom.market.events import EVENT, Action, Flag, Kind, Side, TradeFlag
from fathom.ml.features import BAR

BTC = default_instruments()["BTCUSDT"]
RECORDS = Records(Grid.of(BTC))
ACTIONS = (BookAction.ADD, BookAction.UPDATE, BookAction.DELETE, BookAction.CLEAR)


def message(rows: np.ndarray, instrument: Any) -> OrderBookDeltas:
    """Return rows as the engine's message, built from decimal text."""
    grid = Grid.of(instrument)
    deltas = []
    for row in rows:
        side = {1: OrderSide.BUY, 2: OrderSide.SELL}.get(int(row["side"]))
        price = Price.from_str(grid.price_text(int(row["price"])))
        order = BookOrder(side, price, Quantity.from_str(grid.size_text(int(row["size"]))), 0)
        sequence = int(row["sequence"]) % (1 << 64)
        times = int(row["ts_event"]), int(row["ts_init"])
        deltas.append(
            OrderBookDelta(instrument.id, ACTIONS[row["action"] - 1], order, int(row["flags"]), sequence, *times)
        )
    return OrderBookDeltas(instrument.id, deltas)


def random_rows(rng: np.random.Generator, count: int, *, price: int = 700_000, size: int = 5_000) -> np.ndarray:
    rows = np.zeros(count, EVENT)
    rows["kind"], rows["ts_init"], rows["sequence"] = Kind.BOOK, 1_700_000_000_000_000_123, 77
    rows["ts_event"] = rows["ts_init"] - 5
    rows["price"], rows["size"] = rng.integers(1, price, count), rng.integers(0, size, count)
    rows["side"] = rng.choice([Side.BUY, Side.SELL], count)
    rows["action"] = np.where(rows["size"] == 0, Action.DELETE, rng.choice([Action.ADD, Action.UPDATE], count))
    rows["flags"] = Flag.MBP
    rows["flags"][-1] |= np.uint8(Flag.LAST)
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_a_message_becomes_the_rows_it_was_made_of(seed: int) -> None:
    rows = random_rows(np.random.default_rng(seed), 68)
    assert RECORDS.deltas(message(rows, BTC)).tobytes() == rows.tobytes()


def test_readers_of_one_feed_share_a_message_and_mistake_none_for_another() -> None:
    first, second = random_rows(np.random.default_rng(1), 30), random_rows(np.random.default_rng(2), 30)
    assert first.tobytes() != second.tobytes()  # with the same times and sequence number
    together = SharedRows()
    one, other = Records(Grid.of(BTC), together), Records(Grid.of(BTC), together)
    for rows in (first, second, first):
        sent = message(rows, BTC)
        shared = one.deltas(sent)
        assert shared.tobytes() == rows.tobytes()
        assert other.deltas(sent) is shared
    fresh = Records(Grid.of(BTC), SharedRows())  # of another run: it takes nothing over
    assert fresh.deltas(message(second, BTC)).tobytes() == second.tobytes()


def test_a_snapshot_begins_with_a_clear_row() -> None:
    rows = random_rows(np.random.default_rng(6), 40)
    rows["flags"] |= np.uint8(Flag.SNAPSHOT)
    rows[0]["action"], rows[0]["side"], rows[0]["price"], rows[0]["size"] = Action.CLEAR, Side.NONE, 0, 0
    rows[0]["flags"] = Flag.SNAPSHOT
    assert RECORDS.deltas(message(rows, BTC)).tobytes() == rows.tobytes()
    single = OrderBookDelta.clear(BTC.id, 77, int(rows[0]["ts_event"]), int(rows[0]["ts_init"]))
    assert RECORDS.delta(single).tobytes() == rows[:1].tobytes()


def test_each_change_keeps_its_own_ts_event() -> None:
    rows = random_rows(np.random.default_rng(7), 9)
    rows["ts_event"] -= np.array([5, 4, 4, 9, 3, 2, 1, 1, 0])
    rows["ts_event"][4] = rows["ts_event"][-1]
    assert RECORDS.deltas(message(rows, BTC)).tobytes() == rows.tobytes()


def test_a_message_of_changes_of_several_times_keeps_them() -> None:
    rows = random_rows(np.random.default_rng(8), 6)
    rows["ts_init"] += np.arange(6)
    rows["sequence"] += np.arange(6)
    assert RECORDS.deltas(message(rows, BTC)).tobytes() == rows.tobytes()


def test_a_sequence_of_64_bits_is_that_of_the_catalog(tmp_path: Path) -> None:
    rows = random_rows(np.random.default_rng(9), 3)
    rows["sequence"] = -5  # as uint64 the engine holds it
    with Catalog(tmp_path).book_writer(BTC) as writer:
        writer.write(rows)
    deltas = ParquetDataCatalog(str(tmp_path)).query_order_book_deltas([str(BTC.id)])
    assert deltas[0].sequence == (1 << 64) - 5
    assert RECORDS.deltas(OrderBookDeltas(BTC.id, deltas)).tobytes() == rows.tobytes()


@given(
    tick=st.sampled_from(["0.00001", "0.0005", "0.01", "0.10", "2.5", "1000"]),
    lot=st.sampled_from(["0.00000001", "0.003", "1", "100"]),
    ticks=st.lists(st.integers(0, 1 << 44), min_size=1, max_size=8),
    lots=st.integers(1, 1 << 44),
)
def test_large_and_odd_numbers_come_through(tick: str, lot: str, ticks: list[int], lots: int) -> None:
    instrument = InstrumentSpec(symbol="XUSDT", base="BTC", quote="USDT", tick=tick, lot=lot).build()
    grid = Grid.of(instrument)
    rows = random_rows(np.random.default_rng(10), len(ticks))
    # The engine's own limits of price and size.
    rows["price"] = [min(count, 17_000_000_000_000 * 10**16 // grid.tick_raw) for count in ticks]
    rows["size"] = min(lots, 34_000_000_000_000 * 10**16 // grid.lot_raw)
    assert Records(grid).deltas(message(rows, instrument)).tobytes() == rows.tobytes()


@pytest.mark.parametrize(("price", "size", "what"), [("61800.25", "1.000", "price"), ("61800.20", "0.0005", "size")])
def test_numbers_off_the_grid_are_refused(price: str, size: str, what: str) -> None:
    instrument = InstrumentSpec(symbol="BTCUSDT", base="BTC", quote="USDT", tick="0.10", lot="0.001").build()
    order = BookOrder(OrderSide.BUY, Price.from_str(price), Quantity.from_str(size), 0)
    delta = OrderBookDelta(instrument.id, BookAction.ADD, order, 144, 1, 2, 3)
    records = Records(Grid.of(instrument))
    with pytest.raises(CatalogError, match=f"Expected the {what} of BTCUSDT-LINEAR.BYBIT as a multiple of"):
        records.delta(delta)
    with pytest.raises(CatalogError, match=f"Expected the {what} of BTCUSDT-LINEAR.BYBIT as a multiple of"):
        records.deltas(OrderBookDeltas(instrument.id, [delta]))


def test_an_order_without_a_side_does_not_abort() -> None:
    order = BookOrder(None, Price.from_str("61800.20"), Quantity.from_str("1.000"), 0)
    delta = OrderBookDelta(BTC.id, BookAction.ADD, order, 144, 1, 2, 3)
    (row,) = RECORDS.deltas(OrderBookDeltas(BTC.id, [delta]))
    assert row["side"] == Side.NONE
    assert row["size"] == 1_000


@pytest.mark.parametrize("aggressor", [AggressorSide.BUY, AggressorSide.SELL, AggressorSide.NO_AGGRESSOR])
def test_a_trade_is_the_row_of_the_catalog(tmp_path: Path, aggressor: AggressorSide) -> None:
    tick = TradeTick(
        BTC.id, Price.from_str("61800.20"), Quantity.from_str("0.125"), aggressor, TradeId("a"), 5, 1_700_000_000
    )
    ParquetDataCatalog(str(tmp_path)).write_instruments([BTC])
    ParquetDataCatalog(str(tmp_path)).write_trade_ticks([tick])
    (want,) = Catalog(tmp_path).events(str(BTC.id))
    assert RECORDS.trade(tick).tobytes() == want.tobytes()
    assert RECORDS.trade(tick, TradeFlag.RPI)["flags"] == TradeFlag.RPI


def test_a_bar_is_the_bar_of_the_catalog(tmp_path: Path) -> None:
    bar_type = f"{BTC.id}-1-MINUTE-LAST-EXTERNAL"
    stored = np.zeros(1, STORED)
    stored[0] = (60, 61, 618_002, 618_009, 617_990, 618_000, 4_250)
    first, high, low, last = (Price.from_str(text) for text in ("61800.20", "61800.90", "61799.00", "61800.00"))
    bar = Bar(BarType.from_str(bar_type), first, high, low, last, Quantity.from_str("4.250"), 60, 61)
    got, want = RECORDS.bar(bar), closed_bars(stored)
    assert got.dtype == want.dtype == BAR
    assert got.tobytes() == want.tobytes()
    assert np.isnan(got["turnover"]).all()


def test_recorded_flags_follow_the_replay(tmp_path: Path) -> None:
    rows = np.zeros(40_000, EVENT)
    rows["kind"], rows["side"], rows["price"], rows["size"] = Kind.TRADE, Side.BUY, 618_000, 1
    rows["ts_init"] = rows["ts_event"] = np.arange(40_000) // 2 * 1_000
    rows["flags"] = np.random.default_rng(11).integers(0, 4, 40_000)
    for part in (slice(0, 25_000), slice(25_000, 40_000)):
        with Catalog(tmp_path).trade_writer(BTC) as writer:
            writer.write(rows[part], [f"t{i}" for i in range(part.start, part.stop)])
    flags = RecordedFlags(Catalog(tmp_path), str(BTC.id))
    found = [flags.of(f"t{i}", int(rows["ts_init"][i])) for i in range(0, 40_000, 3)]
    assert found == rows["flags"][::3].tolist()
    assert flags.of("unknown", int(rows["ts_init"][-1])) == 0
