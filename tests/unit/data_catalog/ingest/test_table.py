import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import BadInputError, CatalogError, OverlapError
from fathom.data_catalog.ingest.table import import_table
from fathom.data_catalog.ingest.table_file import Naming
from fathom.data_catalog.ingest.table_messages import as_messages
from fathom.data_catalog.instruments import Instrument, InstrumentSpec
from fathom.market.events import EVENT, Action, Flag, Kind, Side, TradeFlag

XYZ = InstrumentSpec(symbol="XYZUSDT", base="XYZ", quote="USDT", tick="0.10", lot="0.001").build()
T0 = 1_430_438_405_885_000_000
MS = 1_000_000
BOOK = """ts_init,side,price,size
1430438405885,bid,100.10,1.5
1430438405885,bid,100.0,2
1430438405885,ask,100.20,3.001
1430438405985,bid,100.10,0
1430438405985,ask,100.20,2
1430438406085,ask,100.30,1
"""
TRADES = """ts_init,side,price,size,trade_id
1430438405885,buy,100.20,0.5,a
1430438405985,sell,100.10,1,b
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def with_column(text: str, name: str, value: str) -> str:
    header, *lines = text.splitlines()
    return "\n".join([f"{header},{name}", *(f"{line},{value}" for line in lines)]) + "\n"


def events(catalog: Catalog, instrument: Instrument = XYZ) -> NDArray[np.void]:
    return np.concatenate(list(catalog.events(str(instrument.id))))


def tree(catalog: Catalog) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(catalog.path.rglob("*")) if path.is_file()}


def test_a_table_becomes_a_snapshot_and_changes(catalog: Catalog, tmp_path: Path) -> None:
    done = import_table(
        catalog,
        XYZ,
        book=write(tmp_path, "book.csv", BOOK),
        trades=write(tmp_path, "trades.csv.gz", TRADES),
        time_unit="ms",
    )
    assert (done.changes, done.messages, done.trades) == (6, 3, 2)
    rows = events(catalog)
    book, trades = rows[rows["kind"] == Kind.BOOK], rows[rows["kind"] == Kind.TRADE]
    assert book["action"].tolist() == [
        *(Action.CLEAR, Action.ADD, Action.ADD, Action.ADD, Action.DELETE, Action.UPDATE, Action.UPDATE)
    ]
    assert book["flags"].tolist() == [32, 48, 48, 176, 16, 144, 144]
    assert book["price"].tolist() == [0, 1001, 1000, 1002, 1001, 1002, 1003]
    assert book["size"].tolist() == [0, 1500, 2000, 3001, 0, 2000, 1000]
    assert book["side"].tolist() == [0, 1, 1, 2, 1, 2, 2]
    assert ((book["ts_init"] - T0) // MS).tolist() == [0, 0, 0, 0, 100, 100, 200]
    assert (trades["price"].tolist(), trades["size"].tolist()) == ([1002, 1001], [500, 1000])
    assert trades["side"].tolist() == [Side.BUY, Side.SELL]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_messages_do_not_depend_on_where_batches_end(size: int) -> None:
    rng = np.random.default_rng(7)
    rows = np.zeros(200, dtype=EVENT)
    rows["ts_init"] = np.cumsum(rng.integers(0, 2, 200))
    rows["size"] = rng.integers(0, 3, 200)
    rows["price"] = rng.integers(1, 50, 200)

    def batches(step: int) -> Iterator[NDArray[np.void]]:
        return (rows[start : start + step] for start in range(0, 200, step))

    whole = np.concatenate(list(as_messages(batches(200))))
    np.testing.assert_array_equal(np.concatenate(list(as_messages(batches(size)))), whole)
    last = (whole["flags"] & Flag.LAST) > 0
    assert (np.diff(whole["ts_init"])[~last[:-1]] == 0).all()
    assert (np.diff(whole["ts_init"])[last[:-1]] > 0).all()


def test_a_table_that_continues_has_no_snapshot(catalog: Catalog, tmp_path: Path) -> None:
    import_table(catalog, XYZ, book=write(tmp_path, "book.csv", BOOK), time_unit="ms", continues=True)
    rows = events(catalog)
    assert Action.CLEAR not in rows["action"].tolist()
    assert (rows["flags"] & Flag.SNAPSHOT == 0).all()


def test_a_deletion_in_the_first_message_is_no_level(catalog: Catalog, tmp_path: Path) -> None:
    import_table(catalog, XYZ, book=write(tmp_path, "book.csv", BOOK.replace("3.001", "0")), time_unit="ms")
    assert events(catalog)["flags"].tolist() == [32, 48, 176, 16, 144, 144]


def test_sequence_numbers_part_messages_of_the_same_time(catalog: Catalog, tmp_path: Path) -> None:
    lines = with_column(BOOK, "sequence", "7").splitlines()
    lines[5] = lines[5].replace(",7", ",8")
    import_table(catalog, XYZ, book=write(tmp_path, "book.csv", "\n".join(lines)), time_unit="ms")
    rows = events(catalog)
    assert rows["sequence"].tolist() == [7, 7, 7, 7, 7, 8, 7]
    assert rows["flags"].tolist() == [32, 48, 48, 176, 144, 144, 144]


def arrow(kinds: dict[str, Any]) -> pa.Table:
    table = pa_csv.read_csv(pa.BufferReader(BOOK.encode()))
    columns = {name: table[name] for name in table.column_names}
    for name, kind in kinds.items():
        columns[name] = kind(columns[name])
    return pa.table(columns)


TIME = pa.timestamp("ms", tz="UTC")


@pytest.mark.parametrize(
    ("kinds", "unit"),
    [
        pytest.param({}, "ms", id="float64 prices, int64 ms"),
        pytest.param({"price": lambda c: c.cast(pa.float32()), "size": lambda c: c.cast(pa.float32())}, "ms", id="f32"),
        pytest.param({"price": lambda c: pa.array([Decimal(f"{v}") for v in c.to_pylist()])}, "ms", id="decimal"),
        pytest.param(
            {"ts_init": lambda c: c.cast(TIME), "side": lambda c: c.dictionary_encode()}, None, id="timestamp"
        ),
        pytest.param({"ts_init": lambda c: c.cast(pa.timestamp("ms"))}, None, id="timestamp without zone"),
        pytest.param({"ts_init": lambda c: c.cast(TIME).cast(pa.string())}, None, id="text with zone"),
        pytest.param({"ts_init": lambda c: c.cast(pa.timestamp("ms")).cast(pa.string())}, None, id="text"),
        pytest.param({"ts_init": lambda c: pa.array([v / 1000 for v in c.to_pylist()])}, "s", id="float seconds"),
        pytest.param({"ts_init": lambda c: pa.array([v * MS for v in c.to_pylist()])}, "ns", id="int ns"),
        pytest.param({"ts_init": lambda c: pa.array([f"{v}000.000" for v in c.to_pylist()])}, "us", id="text us"),
        pytest.param({"side": lambda c: pa.array(["BUY" if v == "bid" else "Sell" for v in c.to_pylist()])}, "ms"),
        pytest.param({"side": lambda c: pa.array([1 if v == "bid" else -1 for v in c.to_pylist()])}, "ms", id="1, -1"),
        pytest.param({"price": lambda c: c.cast(pa.string()).cast(pa.large_string())}, "ms", id="large text"),
    ],
)
def test_every_encoding_gives_the_same_rows(catalog: Catalog, tmp_path: Path, kinds: Any, unit: Any) -> None:
    import_table(catalog, XYZ, book=write(tmp_path, "book.csv", BOOK), time_unit="ms")
    other = Catalog(tmp_path / "other")
    pq.write_table(arrow(kinds), tmp_path / "book.parquet")
    import_table(other, XYZ, book=tmp_path / "book.parquet", time_unit=unit)
    np.testing.assert_array_equal(events(other), events(catalog))


def test_rpi_flags_and_ts_event_are_kept(catalog: Catalog, tmp_path: Path) -> None:
    text = "ts_init,ts_event,side,price,size,trade_id,rpi\n1430438405.885,1430438405.8,Buy,100.1,1,a,true\n"
    text += "1430438405.985,1430438405.9,Sell,100.1,1,b,0\n"
    import_table(catalog, XYZ, trades=write(tmp_path, "t.csv", text), time_unit="s")
    rows = events(catalog)
    assert rows["flags"].tolist() == [TradeFlag.RPI, 0]
    assert ((rows["ts_init"] - rows["ts_event"]) // MS).tolist() == [85, 85]


def test_columns_may_have_other_names_and_company(catalog: Catalog, tmp_path: Path) -> None:
    text = (
        BOOK.replace("ts_init", "time")
        .replace("size", "qty,note")
        .replace("\n14", ",x\n14")
        .replace("qty,note,x", "qty,note")
    )
    path = write(tmp_path, "book.csv", text.rstrip("\n") + ",x\n")
    naming = Naming({"ts_init": "time", "size": "qty"}, ["note"])
    assert import_table(catalog, XYZ, book=path, naming=naming, time_unit="ms").changes == 6


def test_two_files_may_call_the_same_thing_differently(catalog: Catalog, tmp_path: Path) -> None:
    book = write(tmp_path, "book.csv", BOOK.replace("ts_init", "time"))
    trades = write(tmp_path, "trades.csv", TRADES.replace("ts_init", "when"))
    naming = Naming({"ts_init": "time", "trades.ts_init": "when"})
    assert import_table(catalog, XYZ, book=book, trades=trades, naming=naming, time_unit="ms").trades == 2
    with pytest.raises(CatalogError, match=r"was 'ts_int'\. Did you mean 'ts_init'\?"):
        import_table(catalog, XYZ, book=book, naming=Naming({"ts_int": "time"}), time_unit="ms")


BAD_BOOKS = [
    ("100.10,0", "100.15,0", "line 5: column 'price': Expected a price that is a multiple of 0.1, was 100.15"),
    ("100.10,0", "100.10,-1", "line 5: column 'size': Expected a size >= 0 (0 deletes the level), was -1"),
    ("100.10,0", "99999999999999,0", "column 'price': Expected a price of at most 17014118346046, was 99999999999999"),
    (
        "100.10,0",
        "100.10,99999999999999",
        "column 'size': Expected a size of at most 34028236692093, was 99999999999999",
    ),
    ("100.10,0", "100.10,0.0001", "line 5: column 'size': Expected a size that is a multiple of 0.001, was 0.0001"),
    ("100.10,0", "nan,0", "line 5: column 'price': Expected a price as a decimal number, was 'nan'"),
    ("100.10,0", ",0", "line 5: column 'price': Expected a price as a decimal number, was ''"),
    ("100.10,0", "0,0", "line 5: column 'price': Expected a price > 0, was 0"),
    ("100.10,0", "100.10", "line 5: Expected 4 columns as in the header, was 3: '1430438405985,bid,100.10'"),
    ("bid,100.10,0", "up,100.10,0", "line 5: column 'side': Expected side bid or buy or b"),
    (
        "1430438405985,bid",
        "1430438405884,bid",
        "line 5: column 'ts_init': Expected times that never decrease",
    ),
    ("1430438405985,bid", "soon,bid", "line 5: column 'ts_init': Expected a time in ms"),
    ("1430438405985,bid", "1430438405985000000,bid", "line 5: column 'ts_init'"),
    ("1430438405985,bid", "0,bid", "line 5: column 'ts_init': Expected a time after the year 2000, was 0"),
    ("price", "prise", "Expected a column 'price', was none. Did you mean --map price=prise?"),
    (BOOK, with_column(BOOK, "sequense", "1"), "Did you mean 'sequence'? Say --map sequence=sequense"),
    (
        BOOK,
        with_column(BOOK, "colour", "red"),
        "Expected only columns ts_init, side, price, size",
    ),
    (BOOK[24:], "", "Expected at least one row"),
    (BOOK, "", "Expected a whole CSV with a header line"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD_BOOKS)
def test_bad_input_is_refused_with_its_place_and_leaves_no_trace(
    catalog: Catalog, tmp_path: Path, old: str, new: str, message: str
) -> None:
    import_table(catalog, XYZ, trades=write(tmp_path, "earlier.csv", TRADES), time_unit="ms")
    before = tree(catalog)
    assert old in BOOK
    path = write(tmp_path, "book.csv", BOOK.replace(old, new, 1))
    with pytest.raises(BadInputError) as caught:
        import_table(catalog, XYZ, book=path, time_unit="ms")
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert tree(catalog) == before


def test_bad_trades_leave_no_book_behind(catalog: Catalog, tmp_path: Path) -> None:
    book = write(tmp_path, "book.csv", BOOK)
    for old, new, message in [
        ("sell", "ask", "Expected side buy or b or 1 or sell or s or -1, was 'ask'"),
        ("1,b", "0,b", "Expected a size > 0, was 0"),
        ("1,b", "1,", "column 'trade_id': Expected an id of 1 to 36 ASCII letters, was ''"),
        ("1,b", "1," + "x" * 37, "Expected an id of 1 to 36 ASCII letters, was 'xxx"),
        ("1,b", "1,☃", "Expected an id of 1 to 36 ASCII letters, was"),
    ]:
        trades = write(tmp_path, "trades.csv", TRADES.replace(old, new))
        with pytest.raises(BadInputError, match="line 3") as caught:
            import_table(catalog, XYZ, book=book, trades=trades, time_unit="ms")
        assert message in str(caught.value)
    assert catalog.spans() == []
    assert catalog.instruments() == []


def test_numbers_without_a_unit_are_not_guessed(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="Say --time-unit ms if they are milliseconds"):
        import_table(catalog, XYZ, book=write(tmp_path, "book.csv", BOOK))
    pq.write_table(arrow({}), tmp_path / "book.parquet")
    with pytest.raises(BadInputError, match=r"row 1, column 'ts_init': .* Say --time-unit ms"):
        import_table(catalog, XYZ, book=tmp_path / "book.parquet")


def test_bad_cells_of_parquet_name_row_and_column(catalog: Catalog, tmp_path: Path) -> None:
    for kinds, message in [
        ({"price": lambda c: pa.array([100.1, 100.0, float("nan"), 100.1, 100.2, 100.3])}, "row 3, column 'price'"),
        (
            {"size": lambda c: pa.array([1.0, None, 1.0, 1.0, 1.0, 1.0])},
            "row 2, column 'size': Expected a size",
        ),
        ({"price": lambda c: pa.array([100.1, 100.0, 100.1, 100.1, 100.25, 100.3])}, "row 5, column 'price'"),
        ({"side": lambda c: pa.array([True] * 6)}, "row 1, column 'side'"),
        ({"ts_init": lambda c: pa.array([[1]] * 6)}, "row 1, column 'ts_init': Expected times, text or numbers"),
    ]:
        pq.write_table(arrow(kinds), tmp_path / "book.parquet")
        with pytest.raises(BadInputError) as caught:
            import_table(catalog, XYZ, book=tmp_path / "book.parquet", time_unit="ms")
        assert message in str(caught.value)


def test_what_is_no_table_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"Expected a \.parquet, \.csv or \.csv\.gz file"):
        import_table(catalog, XYZ, book=write(tmp_path, "book.txt", BOOK))
    with pytest.raises(BadInputError, match="well-formed Parquet file"):
        import_table(catalog, XYZ, book=write(tmp_path, "book.parquet", BOOK))
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(BOOK.encode())[:-9])
    with pytest.raises(BadInputError, match="Expected a whole CSV"):
        import_table(catalog, XYZ, book=cut, time_unit="ms")
    with pytest.raises(CatalogError, match="was neither"):
        import_table(catalog, XYZ)


def test_the_same_files_again_change_nothing(catalog: Catalog, tmp_path: Path) -> None:
    book, trades = write(tmp_path, "book.csv", BOOK), write(tmp_path, "trades.csv", TRADES)
    first = import_table(catalog, XYZ, book=book, time_unit="ms")
    before = tree(catalog)
    again = import_table(catalog, XYZ, book=book, time_unit="ms")
    assert (again.changes, again.messages) == (first.changes, first.messages)
    assert again.already == (book,)
    assert tree(catalog) == before
    both = import_table(catalog, XYZ, book=book, trades=trades, time_unit="ms")
    assert (both.trades, both.already) == (2, (book,))
    with pytest.raises(OverlapError):  # other settings, other rows
        import_table(catalog, XYZ, book=book, time_unit="ms", continues=True)


def test_progress_ends_at_the_whole(catalog: Catalog, tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    import_table(
        catalog,
        XYZ,
        book=write(tmp_path, "book.csv", BOOK),
        trades=write(tmp_path, "trades.csv.gz", TRADES),
        time_unit="ms",
        on_progress=lambda what, share: seen.append((what, share)),
    )
    assert seen[-1] == ("trades", 1.0)
    assert ("book", 1.0) in seen
