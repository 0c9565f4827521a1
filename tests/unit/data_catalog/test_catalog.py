"""The catalog: what is written is read back, by Fathom and by the engine; what is refused leaves nothing."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nautilus_trader.model import NautilusDataType
from nautilus_trader.persistence import ParquetDataCatalog
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError, InstrumentError, OverlapError
from fathom.data_catalog.instruments import InstrumentSpec, default_instruments
from fathom.data_catalog.messages.trade_flags import TradeFlags
from fathom.data_catalog.store.arrow import BAR
from fathom.data_catalog.store.layout import parse_interval
from fathom.data_catalog.store.merge import merge_by_time
from fathom.data_catalog.store.staging import Staging
from fathom.data_catalog.store.writers import ROW_GROUP_ROWS
from fathom.market.events import EVENT, Action, Flag, Kind, Side
from fathom.settings.times import interval_name

BTC = default_instruments()["BTCUSDT"]
ID = "BTCUSDT-LINEAR.BYBIT"
T = 1_723_161_256_501_000_000


def book_rows(count: int, first_ns: int = T, per_time: int = 700, seed: int = 1) -> NDArray[np.void]:
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, dtype=EVENT)
    rows["kind"], rows["flags"] = Kind.BOOK, Flag.MBP
    rows["action"], rows["side"] = rng.integers(1, 4, count), rng.integers(1, 3, count)
    rows["price"], rows["size"] = rng.integers(600_000, 630_000, count), rng.integers(0, 10**9, count)
    rows["sequence"] = np.arange(count)
    rows["ts_init"] = first_ns + np.arange(count) // per_time * 1_000_000
    rows["ts_event"] = rows["ts_init"] - 3
    return rows


def trade_rows(times: NDArray[np.int64], seed: int = 2) -> NDArray[np.void]:
    rng = np.random.default_rng(seed)
    rows = np.zeros(len(times), dtype=EVENT)
    rows["kind"], rows["ts_init"], rows["ts_event"] = Kind.TRADE, times, times
    rows["side"], rows["price"] = rng.integers(1, 3, len(times)), 618_000
    rows["size"], rows["flags"] = 1 + np.arange(len(times)), rng.integers(0, 4, len(times))
    return rows


def ids(count: int, prefix: str = "t") -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


def data_files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "data").rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, NDArray[np.void]]:
    """A catalog of two book files and two trade files, and all their rows in the order in which they must come."""
    catalog = Catalog(tmp_path_factory.mktemp("filled"))
    first = book_rows(ROW_GROUP_ROWS + 5_000)
    second = book_rows(3_000, first_ns=int(first["ts_init"][-1]) + 1, seed=3)
    trades = []
    for number, rows in enumerate((first, second)):
        with catalog.book_writer(BTC) as writer:
            for start in range(0, len(rows), 50_000):
                writer.write(rows[start : start + 50_000])
        ticks = trade_rows(np.sort(np.random.default_rng(number).choice(np.unique(rows["ts_init"]), 900)), seed=number)
        with catalog.trade_writer(BTC) as writer:
            writer.write(ticks[:400], ids(900, f"f{number}")[:400])
            writer.write(ticks[400:], ids(900, f"f{number}")[400:])
        trades.append(ticks)
    rows = np.concatenate([first, second, *trades])
    return catalog, rows[np.argsort(rows["ts_init"], kind="stable")]


def test_events_come_back_merged_and_whole(filled: tuple[Catalog, NDArray[np.void]]) -> None:
    catalog, rows = filled
    batches = list(catalog.events(ID, batch_rows=10_000))
    assert max(len(batch) for batch in batches) <= 10_000
    assert np.array_equal(np.concatenate(batches), rows)


def test_events_of_one_kind(filled: tuple[Catalog, NDArray[np.void]]) -> None:
    catalog, rows = filled
    for kind, names in ((Kind.BOOK, {"trades": False}), (Kind.TRADE, {"book": False})):
        assert np.array_equal(np.concatenate(list(catalog.events(ID, **names))), rows[rows["kind"] == kind])
    assert list(catalog.events(ID, book=False, trades=False)) == []


def test_events_of_a_span_include_both_ends(filled: tuple[Catalog, NDArray[np.void]]) -> None:
    catalog, rows = filled
    start, end = (int(rows["ts_init"][number]) for number in (60_000, 130_000))
    wanted = rows[(rows["ts_init"] >= start) & (rows["ts_init"] <= end)]
    assert np.array_equal(np.concatenate(list(catalog.events(ID, start_ns=start, end_ns=end))), wanted)
    assert list(catalog.events(ID, start_ns=int(rows["ts_init"][-1]) + 1)) == []


def test_the_engine_reads_what_was_written(filled: tuple[Catalog, NDArray[np.void]]) -> None:
    catalog, rows = filled
    engine = ParquetDataCatalog(str(catalog.path))
    deltas, book = engine.query_order_book_deltas([ID]), rows[rows["kind"] == Kind.BOOK]
    assert [delta.sequence for delta in deltas] == book["sequence"].tolist()
    for number in (0, 777, len(book) - 1):
        delta, row = deltas[number], book[number]
        assert delta.order.price.raw == int(row["price"]) * 10**15
        assert delta.order.size.raw == int(row["size"]) * 10**13
        assert delta.order.side is not None
        assert (delta.action.value, delta.order.side.value, delta.flags) == (row["action"], row["side"], row["flags"])
        assert (delta.ts_event, delta.ts_init) == (row["ts_event"], row["ts_init"])
    trades = engine.query_trade_ticks([ID])
    assert [trade.size.raw // 10**13 for trade in trades] == rows[rows["kind"] == Kind.TRADE]["size"].tolist()
    flags = engine.query_custom_data(NautilusDataType.Custom(TradeFlags.__name__), [ID])
    assert len(flags) == np.count_nonzero(rows[rows["kind"] == Kind.TRADE]["flags"])


def test_the_engine_knows_the_intervals(filled: tuple[Catalog, NDArray[np.void]]) -> None:
    catalog, rows = filled
    intervals = ParquetDataCatalog(str(catalog.path)).get_intervals(NautilusDataType.OrderBookDelta, ID)
    assert len(intervals) == 2
    assert (intervals[0][0], intervals[1][1]) == (rows["ts_init"][0], rows["ts_init"][-1])
    assert [parse_interval(path) for path in catalog.files("order_book_deltas", ID)] == intervals


def test_spans_tell_rows_and_times(filled: tuple[Catalog, NDArray[np.void]]) -> None:
    catalog, _ = filled
    spans = {span.data_type: span for span in catalog.spans()}
    assert set(spans) == {"order_book_deltas", "trades", "custom/TradeFlags"}
    assert (spans["order_book_deltas"].rows, spans["trades"].rows) == (ROW_GROUP_ROWS + 8_000, 1_800)
    assert (spans["order_book_deltas"].first_ns, spans["order_book_deltas"].files) == (T, 2)


def test_bars_come_back(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    bars = np.ones(3, dtype=BAR)
    bars["ts_init"] = bars["ts_event"] = [T, T + 60_000_000_000, T + 120_000_000_000]
    bar_type = f"{ID}-1-MINUTE-LAST-EXTERNAL"
    with pytest.raises(InstrumentError, match="It holds: none"):
        catalog.bar_writer(bar_type)
    catalog.put_instrument(BTC)
    with catalog.bar_writer(bar_type) as writer:
        writer.write(bars[:1])
        writer.write(bars[1:])
    assert np.array_equal(catalog.bar_rows(bar_type), bars)
    assert len(ParquetDataCatalog(str(tmp_path)).query_bars([bar_type])) == 3
    with pytest.raises(CatalogError, match="Expected bars of"):
        catalog.bar_rows(f"{ID}-5-MINUTE-LAST-EXTERNAL")
    with pytest.raises(CatalogError, match="Expected a bar type such as"):
        catalog.bar_rows(ID)


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    with pytest.raises(CatalogError, match="never to decrease"), catalog.book_writer(BTC) as writer:  # noqa: PT012
        for first_ns in (T, T - 1):
            writer.write(book_rows(ROW_GROUP_ROWS + 1, first_ns=first_ns))
    assert data_files(tmp_path) == []
    assert list((tmp_path / "fathom" / "staging").iterdir()) == []
    assert catalog.instruments() == []


def test_other_data_of_the_same_time_is_refused(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    rows = book_rows(5_000)
    with catalog.book_writer(BTC) as writer:
        writer.write(rows)
    before = data_files(tmp_path)
    for first_ns in (T, int(rows["ts_init"][-1]) - 1, T - 1_000_000):  # the last runs into the data at its second time
        with pytest.raises(OverlapError, match=r"the catalog holds 2024-08-08T23:54:16\.501Z to"):  # noqa: SIM117
            with catalog.book_writer(BTC) as writer:
                writer.write(book_rows(2_000, first_ns=first_ns))
    assert data_files(tmp_path) == before


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("ts_init", T - 1, "Expected ts_init never to decrease, was 2024-08-08T23:54:16.500999999Z after"),
        ("size", -3, "Expected a size >= 0, was -3 lots"),
        ("kind", Kind.TRADE, "Expected rows of kind BOOK, was 2"),
    ],
)
def test_rows_that_no_book_has_are_refused(tmp_path: Path, field: str, value: int, message: str) -> None:
    rows = book_rows(10)
    rows[field][7] = value
    with pytest.raises(CatalogError, match=message), Catalog(tmp_path).book_writer(BTC) as writer:
        writer.write(rows)
    assert data_files(tmp_path) == []


def test_trades_need_their_ids(tmp_path: Path) -> None:
    with (
        pytest.raises(CatalogError, match="Expected 2 trade ids, was 1"),
        Catalog(tmp_path).trade_writer(BTC) as writer,
    ):
        writer.write(trade_rows(np.array([T, T])), ["a"])


def test_a_writer_without_rows_leaves_no_file(tmp_path: Path) -> None:
    with Catalog(tmp_path).trade_writer(BTC):
        pass
    assert Catalog(tmp_path).spans() == []


def test_putting_an_instrument_again_changes_nothing(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.put_instrument(BTC)
    before = [(path, path.stat().st_mtime_ns) for path in data_files(tmp_path)]
    catalog.put_instrument(BTC)
    assert [(path, path.stat().st_mtime_ns) for path in data_files(tmp_path)] == before
    assert len(before) == 1


def test_another_definition_is_refused(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.put_instrument(BTC)
    other = InstrumentSpec(symbol="BTCUSDT", base="BTC", quote="USDT", tick="0.50", lot="0.001").build()
    with pytest.raises(InstrumentError, match=r"price_increment 0\.10 -> 0\.50"):
        catalog.put_instrument(other)
    with pytest.raises(InstrumentError, match=r"price_increment 0\.10 -> 0\.50"), catalog.book_writer(other):
        pass


def test_an_unknown_instrument_names_the_nearest(filled: tuple[Catalog, NDArray[np.void]]) -> None:
    with pytest.raises(InstrumentError, match=f"Did you mean '{ID}'"):
        next(filled[0].events("BTCUSDT.BYBIT"))


def test_a_move_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    dead = tmp_path / "fathom" / "staging" / "dead"
    dead.mkdir(parents=True)
    (dead / "owner.lock").touch()
    (dead / "second").write_text("2")
    (dead / "commit.json").write_text(json.dumps({"first": "data/moved", "second": "data/late"}))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "moved").write_text("1")
    Catalog(tmp_path).put_instrument(BTC)
    assert ((tmp_path / "data" / "moved").read_text(), (tmp_path / "data" / "late").read_text()) == ("1", "2")
    assert not dead.exists()


def test_a_move_that_fails_is_finished_later(tmp_path: Path) -> None:
    catalog, rows = Catalog(tmp_path), book_rows(10)
    (tmp_path / "data").write_text("a file where the engine's folder belongs")
    with pytest.raises(NotADirectoryError), catalog.book_writer(BTC) as writer:
        writer.write(rows)
    (tmp_path / "data").unlink()
    assert np.array_equal(np.concatenate(list(catalog.events(ID))), rows)
    assert list((tmp_path / "fathom" / "staging").iterdir()) == []


def test_a_catalog_that_cannot_be_written_is_read(filled: tuple[Catalog, NDArray[np.void]]) -> None:
    catalog, _ = filled
    shutil.rmtree(catalog.path / "fathom")
    assert len(catalog.spans()) == 3
    assert not (catalog.path / "fathom").exists()


def test_what_was_not_promised_is_thrown_away_but_not_what_lives(tmp_path: Path) -> None:
    dead = tmp_path / "fathom" / "staging" / "dead"
    dead.mkdir(parents=True)
    (dead / "owner.lock").touch()
    (dead / "rows.parquet").write_bytes(b"PAR1 half a file")
    with Staging(tmp_path) as living:
        Catalog(tmp_path).put_instrument(BTC)
        assert living.folder.exists()
    assert not dead.exists()
    assert len(Catalog(tmp_path).instruments()) == 1


@given(times=st.lists(st.integers(-(10**15), 4 * 10**18), min_size=2, max_size=2).map(sorted))
def test_file_names_keep_their_times(times: list[int]) -> None:
    assert parse_interval(Path(interval_name(*times))) == tuple(times)


def test_a_foreign_file_name_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"Expected a file named FIRST_LAST\.parquet"):
        parse_interval(Path("part-0.parquet"))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 12), max_size=8), max_size=5),
    st.lists(st.lists(st.integers(0, 12), max_size=8), max_size=5),
)
def test_merging_is_a_stable_sort(first: list[list[int]], second: list[list[int]]) -> None:
    def stream(chunks: list[list[int]], kind: Kind) -> tuple[NDArray[np.void], Iterator[NDArray[np.void]]]:
        rows = np.zeros(sum(map(len, chunks)), dtype=EVENT)
        rows["ts_init"], rows["kind"] = sorted(time for chunk in chunks for time in chunk), kind
        rows["sequence"] = np.arange(len(rows))
        ends = np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)
        return rows, (rows[end - len(chunk) : end] for chunk, end in zip(chunks, ends.tolist(), strict=True))

    (book, books), (trade, trades) = stream(first, Kind.BOOK), stream(second, Kind.TRADE)
    wanted = np.concatenate([book, trade])
    wanted = wanted[np.argsort(wanted["ts_init"], kind="stable")]
    merged = list(merge_by_time(books, trades))
    assert all(len(rows) for rows in merged)
    assert np.array_equal(np.concatenate([wanted[:0], *merged]), wanted)


def test_a_snapshot_larger_than_a_row_group_keeps_its_order(tmp_path: Path) -> None:
    rows = book_rows(ROW_GROUP_ROWS + 3_000, per_time=ROW_GROUP_ROWS * 2)
    rows["action"] = Action.ADD
    with Catalog(tmp_path).book_writer(BTC) as writer:
        writer.write(rows)
    assert np.array_equal(np.concatenate(list(Catalog(tmp_path).events(ID))), rows)


@pytest.mark.parametrize("later_first", [False, True])
def test_days_may_share_the_stamp_between_them_but_no_trade(tmp_path: Path, later_first: bool) -> None:
    catalog = Catalog(tmp_path)
    midnight = 1_733_097_600_000_000_000
    days = {"a": [midnight - 5, midnight], "b": [midnight, midnight + 5]}

    def write(name: str, ids: list[str]) -> None:
        rows = np.zeros(2, EVENT)
        rows["kind"], rows["side"], rows["size"], rows["price"] = Kind.TRADE, Side.BUY, 1, 618_002
        rows["ts_init"] = days[name]
        with catalog.trade_writer(BTC) as writer:
            writer.write(rows, ids)

    first, second = ("b", "a") if later_first else ("a", "b")
    write(first, ["x1", "x2"])
    with pytest.raises(OverlapError, match=r"Both hold the trade x[12]: take it out of one of the files"):
        write(second, ["x2", "x1"])  # the same trade stands in both days
    write(second, ["x3", "x4"])
    [span] = catalog.spans()
    assert (span.first_ns, span.last_ns, span.rows) == (midnight - 5, midnight + 5, 4)


def test_a_day_of_one_stamp_may_share_it_with_the_next(tmp_path: Path) -> None:
    catalog, midnight = Catalog(tmp_path), 1_733_097_600_000_000_000

    def write(times: list[int], ids: list[str]) -> None:
        rows = np.zeros(len(times), EVENT)
        rows["kind"], rows["side"], rows["size"], rows["price"] = Kind.TRADE, Side.BUY, 1, 618_002
        rows["ts_init"] = times
        with catalog.trade_writer(BTC) as writer:
            writer.write(rows, ids)

    write([midnight], ["x1"])
    write([midnight, midnight + 5], ["x2", "x3"])
    with pytest.raises(OverlapError):
        write([midnight], ["x4"])  # a file of the same name
    with pytest.raises(OverlapError):
        write([midnight + 3, midnight + 9], ["x5", "x6"])
    assert [span.rows for span in catalog.spans()] == [3]
