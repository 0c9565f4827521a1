"""The columns that Fathom writes are the columns that the engine itself writes."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nautilus_trader.model import (
    AggressorSide,
    Bar,
    BarType,
    BookAction,
    BookOrder,
    CustomData,
    DataType,
    InstrumentId,
    OrderBookDelta,
    OrderSide,
    Price,
    Quantity,
    TradeId,
    TradeTick,
)
from nautilus_trader.persistence import ParquetDataCatalog
from numpy.typing import NDArray

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import Grid, default_instruments
from fathom.data_catalog.messages.trade_flags import TradeFlags
from fathom.data_catalog.store.arrow import (
    BAR,
    bar_batch,
    bar_rows,
    book_batch,
    book_rows,
    book_schema,
    flags_batch,
    trade_batch,
    trade_rows,
)
from fathom.data_catalog.store.fixed_point import decode_fixed, encode_fixed
from fathom.market.events import EVENT, Action, Flag, Kind, Side

BTC = default_instruments()["BTCUSDT"]
GRID = Grid.of(BTC)
ID = InstrumentId.from_str("BTCUSDT-LINEAR.BYBIT")
BAR_TYPE = "BTCUSDT-LINEAR.BYBIT-1-MINUTE-LAST-EXTERNAL"
T = 1_723_161_256_501_000_000

int64s = st.integers(-(2**63) + 1, 2**63 - 1)
units = st.one_of(st.integers(1, 2**64 - 1), st.sampled_from([10**k for k in range(20)]))


def book() -> NDArray[np.void]:
    rows = np.zeros(5, dtype=EVENT)
    rows["ts_event"], rows["ts_init"], rows["sequence"] = T - 8, [T, T, T, T + 5, T + 5], [7, 7, 7, 8, 8]
    rows["kind"] = Kind.BOOK
    rows["action"] = [Action.CLEAR, Action.ADD, Action.ADD, Action.UPDATE, Action.DELETE]
    rows["side"] = [Side.NONE, Side.BUY, Side.SELL, Side.BUY, Side.SELL]
    rows["price"] = [0, 618_002, 618_003, 618_001, 618_003]
    rows["size"] = [0, 2_909, 1, 50, 0]
    rows["flags"] = [
        Flag.SNAPSHOT,
        Flag.SNAPSHOT | Flag.MBP,
        Flag.SNAPSHOT | Flag.MBP | Flag.LAST,
        Flag.MBP,
        Flag.MBP | Flag.LAST,
    ]
    return rows


def engine_deltas(rows: NDArray[np.void]) -> list[OrderBookDelta]:
    deltas = []
    for row in rows:
        flags, sequence, ts_event, ts_init = (int(row[name]) for name in ("flags", "sequence", "ts_event", "ts_init"))
        if row["action"] == Action.CLEAR:
            deltas.append(OrderBookDelta.clear(ID, sequence, ts_event, ts_init))
            continue
        price = Price.from_str(GRID.price_text(int(row["price"])))
        size = Quantity.from_str(GRID.size_text(int(row["size"])))
        order = BookOrder(OrderSide(Side(row["side"]).name), price, size, 0)
        deltas.append(
            OrderBookDelta(ID, BookAction(Action(row["action"]).name), order, flags, sequence, ts_event, ts_init)
        )
    return deltas


def written_by_engine(folder: Path, method: str, data: list[Any]) -> pa.Table:
    catalog = ParquetDataCatalog(str(folder))
    return pq.read_table(folder / getattr(catalog, method)(data), partitioning=None)


def assert_same(ours: pa.RecordBatch, engine: pa.Table) -> None:
    assert ours.schema.equals(engine.schema, check_metadata=True), f"{ours.schema}\n---\n{engine.schema}"
    for name in engine.column_names:
        one, two = ours.column(name), engine.column(name).combine_chunks()
        # The two may number the words of a dictionary differently; what counts is the words.
        if pa.types.is_dictionary(one.type):
            one, two = one.dictionary_decode(), two.dictionary_decode()
        assert one.equals(two), name


@settings(deadline=None)
@given(st.lists(int64s, max_size=20), units)
def test_encoding_is_the_product_in_128_bits(counts: list[int], unit: int) -> None:
    words = encode_fixed(np.array(counts, dtype=np.int64), unit)
    for count, (low, high) in zip(counts, words.tolist(), strict=True):
        assert low | high << 64 == (count * unit) % 2**128


@settings(deadline=None)
@given(st.lists(int64s, max_size=20), units)
def test_decoding_undoes_encoding(counts: list[int], unit: int) -> None:
    decoded, bad = decode_fixed(encode_fixed(np.array(counts, dtype=np.int64), unit), unit)
    assert (bad, decoded.tolist()) == (-1, counts)


@settings(deadline=None)
@given(st.integers(-(2**126), 2**126), units)
def test_decoding_tells_multiples_from_other_numbers(raw: int, unit: int) -> None:
    words = np.array([[raw % 2**64, (raw >> 64) % 2**64]], dtype=np.uint64)
    count, rest = divmod(raw, unit)
    fits = rest == 0 and -(2**63) < count < 2**63
    assert decode_fixed(words, unit)[1] == (-1 if fits else 0)


def test_book_columns_are_the_engines(tmp_path: Path) -> None:
    rows = book()
    engine = written_by_engine(tmp_path, "write_order_book_deltas", engine_deltas(rows))
    assert_same(book_batch(rows, GRID), engine)
    assert np.array_equal(book_rows(engine, GRID), rows)


def test_trade_columns_are_the_engines(tmp_path: Path) -> None:
    rows = np.zeros(3, dtype=EVENT)
    rows["kind"], rows["side"], rows["price"], rows["size"] = Kind.TRADE, [1, 2, 0], [618_002, 1, 618_004], [15, 2, 1]
    rows["ts_event"], rows["ts_init"] = T, [T, T + 1, T + 1]
    ids = ["73f90e81-e114-4e60-8f5d-00908fdb0102", "b", "c"]
    ticks = [
        TradeTick(
            ID,
            Price.from_str(GRID.price_text(int(row["price"]))),
            Quantity.from_str(GRID.size_text(int(row["size"]))),
            AggressorSide(Side(row["side"]).name if row["side"] else "NO_AGGRESSOR"),
            TradeId(trade_id),
            int(row["ts_event"]),
            int(row["ts_init"]),
        )
        for row, trade_id in zip(rows, ids, strict=True)
    ]
    engine = written_by_engine(tmp_path, "write_trade_ticks", ticks)
    assert_same(trade_batch(rows, ids, GRID), engine)
    assert np.array_equal(trade_rows(engine, GRID), rows)


def test_bar_columns_are_the_engines(tmp_path: Path) -> None:
    bars = np.zeros(2, dtype=BAR)
    bars["ts_event"] = bars["ts_init"] = [T, T + 60_000_000_000]
    for name, value in {"open": 618_002, "high": 618_100, "low": 617_900, "close": 618_050, "volume": 12_345}.items():
        bars[name] = [value, value + 1]

    def price(bar: np.void, name: str) -> Price:
        return Price.from_str(GRID.price_text(int(bar[name])))

    objects = [
        Bar(
            BarType.from_str(BAR_TYPE),
            price(bar, "open"),
            price(bar, "high"),
            price(bar, "low"),
            price(bar, "close"),
            Quantity.from_str(GRID.size_text(int(bar["volume"]))),
            int(bar["ts_event"]),
            int(bar["ts_init"]),
        )
        for bar in bars
    ]
    engine = written_by_engine(tmp_path, "write_bars", objects)
    assert_same(bar_batch(bars, GRID, BAR_TYPE), engine)
    assert np.array_equal(bar_rows(engine, GRID), bars)


def test_flag_columns_are_the_engines(tmp_path: Path) -> None:
    rows = np.zeros(2, dtype=EVENT)
    rows["flags"], rows["ts_event"], rows["ts_init"] = [1, 3], T, [T + 1, T + 2]
    kind = DataType("TradeFlags", identifier=str(ID))
    data = [
        CustomData(kind, TradeFlags(T, T + 1 + n, instrument_id=ID, trade_id=name, flags=flags))  # type: ignore[misc, arg-type]
        for n, (name, flags) in enumerate([("a", 1), ("b", 3)])
    ]
    engine = written_by_engine(tmp_path, "write_custom_data", data)
    assert_same(flags_batch(rows, pa.array(["a", "b"]), str(ID)), engine)


def test_a_slice_of_a_batch_is_read_from_where_it_starts() -> None:
    rows = book()
    assert np.array_equal(book_rows(book_batch(rows, GRID).slice(2, 2), GRID), rows[2:4])


def test_a_missing_price_reads_as_zero() -> None:
    batch = book_batch(book(), GRID)
    columns = [batch.column(name) for name in batch.schema.names]
    place = batch.schema.names.index("price")
    columns[place] = pa.array([None, *columns[place].to_pylist()[1:]], columns[place].type)
    assert np.array_equal(book_rows(pa.RecordBatch.from_arrays(columns, schema=book_schema(GRID)), GRID), book())


def test_a_price_off_the_grid_is_refused() -> None:
    finer = Grid("BTCUSDT-LINEAR.BYBIT", tick_raw=10**14, lot_raw=10**13, price_precision=2, size_precision=3)
    rows = book()
    rows["price"][1] = 6_180_025
    with pytest.raises(CatalogError, match=r"Expected the price .* multiple of 0\.10, was 61800\.25"):
        book_rows(book_batch(rows, finer), GRID)


@given(
    counts=st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=5),
    unit=st.sampled_from([1, 10**6, 10**16, 2**64 + 16, 10**20, 3 * 10**22, 10**23]),
)
def test_any_increment_is_encoded_exactly(counts: list[int], unit: int) -> None:
    words = encode_fixed(np.array(counts, np.int64), unit)
    assert [int(low) | int(high) << 64 for low, high in words] == [count * unit % 2**128 for count in counts]
    decoded, bad = decode_fixed(words, unit)
    assert bad == -1
    assert decoded.tolist() == counts


def test_what_is_no_multiple_of_a_large_increment_is_named() -> None:
    words = encode_fixed(np.array([2, 3], np.int64), 10**20)
    words[1, 0] += np.uint64(1)
    assert decode_fixed(words, 10**20)[1] == 1
