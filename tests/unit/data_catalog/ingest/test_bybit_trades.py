"""Trades archives: exact times and prices, RPI flags, either order; what is wrong is named."""

import csv
import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fathom.data_catalog.errors import BadInputError
from fathom.data_catalog.ingest import bybit_trades
from fathom.data_catalog.ingest.bybit_book import Timing
from fathom.data_catalog.ingest.bybit_trades import TradeFile
from fathom.data_catalog.ingest.decimal_text import Step, parse_decimals
from fathom.data_catalog.instruments import Grid, default_instruments
from fathom.market.events import EVENT, Kind, Side, TradeFlag
from tests.makers.bybit_files import HEADER, trade, trades_gz

ID = "id-1723161256.5230-0.015"
GRID = Grid.of(default_instruments()["BTCUSDT"])


def read(path: Path, symbol: str = "BTCUSDT", **timing: int) -> tuple[TradeFile, NDArray[np.void], list[str]]:
    trades = TradeFile(path, symbol, Grid.of(default_instruments()[symbol]), Timing(**timing))
    parts = list(trades.read(lambda size: None))
    return trades, np.concatenate([rows for rows, _ in parts]), pa.concat_arrays([ids for _, ids in parts]).to_pylist()


@pytest.mark.real_data
@pytest.mark.parametrize(("symbol", "tick", "lot"), [("BTCUSDT", "0.1", "0.001"), ("ETHUSDT", "0.01", "0.001")])
def test_real_archives_read_as_naively(real_data: Path, symbol: str, tick: str, lot: str) -> None:
    path = real_data / "perp-ticks" / f"{symbol}2024-08-08.csv.gz"
    with gzip.open(path, "rt") as file:
        table = list(csv.DictReader(file))
    naive = np.zeros(len(table), dtype=EVENT)
    for row, cells in zip(naive, table, strict=True):
        row["ts_event"] = row["ts_init"] = int(Decimal(cells["timestamp"]) * 10**9)
        row["price"], row["size"] = (
            int(Decimal(cells["price"]) / Decimal(tick)),
            int(Decimal(cells["size"]) / Decimal(lot)),
        )
        row["kind"], row["side"] = Kind.TRADE, Side.BUY if cells["side"] == "Buy" else Side.SELL
    trades, rows, ids = read(path, symbol)
    assert np.array_equal(rows, naive)
    assert ids == [cells["trdMatchID"] for cells in table]
    assert (trades.has_rpi, trades.warnings()) == (False, [])


def test_times_are_exact_to_the_nanosecond(tmp_path: Path) -> None:
    texts = ["1723161256", "1723161256.1", "1723161256.100000001", "1723161256.9999999990", "1.7231612570e9"]
    _, rows, _ = read(trades_gz(tmp_path, [trade(text) for text in texts]), latency_ns=7)
    start = 1_723_161_256_000_000_000
    wanted = [start + step for step in (0, 100_000_000, 100_000_001, 999_999_999, 1_000_000_000)]
    assert rows["ts_event"].tolist() == wanted
    assert rows["ts_init"].tolist() == [time + 7 for time in wanted]


@pytest.mark.parametrize(("no", "yes"), [("0", "1"), ("false", "true"), ("False", "True"), ("", "TRUE")])
def test_rpi_flags_are_kept(tmp_path: Path, no: str, yes: str) -> None:
    path = trades_gz(tmp_path, [f"{trade()},{flag}" for flag in (no, yes, no)], header=f"{HEADER},RPI")
    trades, rows, _ = read(path)
    assert rows["flags"].tolist() == [0, TradeFlag.RPI, 0]
    assert trades.has_rpi


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    header = "price,RPI,trdMatchID,side,symbol,timestamp,size"
    _, rows, ids = read(trades_gz(tmp_path, ["61800.20,1,x,Buy,BTCUSDT,1723161256.5,0.015"], header=header))
    assert (rows["price"][0], rows["size"][0], rows["side"][0], rows["flags"][0], ids) == (
        618_002,
        15,
        Side.BUY,
        1,
        ["x"],
    )


@pytest.mark.parametrize("chunk_bytes", [4 << 20, 1_000])
def test_a_file_that_lists_the_newest_first_is_reversed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(bybit_trades, "CHUNK_BYTES", chunk_bytes)
    lines = [trade(f"{1723161256 + n // 3}.5", size=f"0.{n + 1:03d}") for n in range(200)]
    _, wanted, wanted_ids = read(trades_gz(tmp_path, lines))
    trades, rows, ids = read(trades_gz(tmp_path, reversed(lines), day="2024-08-09"))
    assert np.array_equal(rows, wanted)
    assert ids == wanted_ids
    assert trades.warnings() == ["listed newest first: the order was reversed"]


def test_a_disorder_in_a_reversed_file_names_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bybit_trades, "CHUNK_BYTES", 1_000)
    lines = [trade(f"{1723161256 - n}.5") for n in range(100)]
    lines[60] = trade("1723161256.5")
    with pytest.raises(BadInputError, match="line 61: Expected 'timestamp' not to run forwards"):
        read(trades_gz(tmp_path, lines))


def test_a_stamp_a_little_early_is_held(tmp_path: Path) -> None:
    trades, rows, _ = read(
        trades_gz(tmp_path, [trade("1723161256.509"), trade("1723161256.500"), trade("1723161256.51")])
    )
    assert (rows["ts_init"] - 1_723_161_256_000_000_000).tolist() == [509_000_000, 509_000_000, 510_000_000]
    assert (rows["ts_event"] - 1_723_161_256_000_000_000).tolist() == [509_000_000, 500_000_000, 510_000_000]
    assert trades.warnings() == ["1 trade stamped a little before the one before; their ts_init was held"]


@pytest.mark.parametrize("chunk_bytes", [4 << 20, 400])
@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (trade("1723161255.5230"), "Expected 'timestamp' not to run backwards, was 2024-08-08T23:54:15.523Z, 1000 ms"),
        (trade("1723161256523"), "Expected 'timestamp' in seconds with up to 9 decimals, .* was '1723161256523'"),
        (trade("yesterday"), "Expected 'timestamp' in seconds .* was 'yesterday'"),
        (trade().replace("BTCUSDT", "ETHUSDT"), "Expected symbol BTCUSDT in 'symbol', was 'ETHUSDT'"),
        (trade(side="buy"), "Expected 'Buy' or 'Sell' in 'side', was 'buy'"),
        (trade(size="-0.015"), r"Expected a size above 0 in 'size', was '-0\.015'"),
        (trade(size="0"), "Expected a size above 0 in 'size', was '0'"),
        (trade(size="0.0155"), r"'size': Expected a size that is a multiple of 0\.001 .*, was '0\.0155'"),
        (trade(price="61800.25"), r"'price': Expected a price .* of 0\.10 .*, was '61800\.25'.*--instruments"),
        (trade(price=""), "'price': Expected a price as a decimal number, was ''"),
        (trade().replace(ID, ""), "Expected an id of 1 to 36 ASCII letters in 'trdMatchID', was ''"),
        (
            trade().replace(ID, "x" * 37),
            "Expected an id of 1 to 36 ASCII letters in 'trdMatchID', was 'xxx",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str, expected: str, chunk_bytes: int
) -> None:
    monkeypatch.setattr(bybit_trades, "CHUNK_BYTES", chunk_bytes)
    path = trades_gz(tmp_path, [*[trade()] * 12, bad, trade()])
    with pytest.raises(BadInputError, match=expected) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}, line 14: ")


def test_a_strange_rpi_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="line 2: Expected 0, 1, true or false in 'RPI', was 'maybe'"):
        read(trades_gz(tmp_path, [f"{trade()},maybe"], header=f"{HEADER},RPI"))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"{HEADER},rpi", r"line 1: Expected a known column once, was 'rpi'\. Expected one of: timestamp"),
        (f"{HEADER},prise", r"was 'prise'\. Did you mean 'price'"),
        (f"{HEADER},price", "Expected a known column once, was 'price'"),
        (HEADER.replace("side,", ""), "line 1: Expected column 'side', was none"),
    ],
)
def test_strange_columns_are_refused(tmp_path: Path, header: str, expected: str) -> None:
    path = trades_gz(tmp_path, [",".join("1" * (header.count(",") + 1))], header=header)
    with pytest.raises(BadInputError, match=expected):
        read(path)


def test_a_line_with_missing_cells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [trade(f"{1723161256 + i}.5230") for i in range(20)]
    path = trades_gz(tmp_path, [*lines, "1723161276.5230,BTCUSDT,Buy", *lines])
    expected = r"line 22: Expected 10 columns as in the header, was 3: '1723161276\.5230,BTCUSDT,Buy'.*again"
    with pytest.raises(BadInputError, match=expected):
        read(path)
    monkeypatch.setattr(bybit_trades, "CHUNK_BYTES", 1_000)
    with pytest.raises(BadInputError, match=expected):
        read(path)


@pytest.mark.parametrize("stamp", ["1723161", "1722988456.5230", "1723334056.5230"])
def test_a_stamp_of_another_day_or_unit_is_refused(tmp_path: Path, stamp: str) -> None:
    path = trades_gz(tmp_path, [trade(), trade(stamp)])
    trades = TradeFile(path, "BTCUSDT", GRID, Timing(), date(2024, 8, 8))
    with pytest.raises(BadInputError, match=rf"line 3: Expected 'timestamp' in seconds from .*, was '{stamp}'\."):
        list(trades.read(lambda size: None))


def test_files_without_trades_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="Expected at least one trade, was none"):
        read(trades_gz(tmp_path, []))
    empty = tmp_path / "BTCUSDT2024-08-10.csv.gz"
    empty.write_bytes(gzip.compress(b""))
    with pytest.raises(BadInputError, match="Expected a whole CSV with a header line"):
        read(empty)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = trades_gz(tmp_path, [trade(f"{1723161256 + n}.5230") for n in range(3_000)])
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:-4], b"timestamp,symbol", content[:-8] + bytes(8)):
        path.write_bytes(damaged)
        with pytest.raises(BadInputError, match=r"Expected a (whole )?gzip file") as caught:
            read(path)
        assert str(path) in str(caught.value)


decimals = st.tuples(st.integers(0, 10**8), st.integers(0, 9)).map(
    lambda pair: f"{Decimal(pair[0]).scaleb(-pair[1]):f}"
)


@settings(deadline=None)
@given(st.lists(decimals, max_size=8), st.integers(0, 9), st.sampled_from([1, 5, 25]))
def test_text_is_read_as_decimal_does(texts: list[str], places: int, mantissa: int) -> None:
    counts = np.zeros(len(texts), dtype=np.int64)
    bad = parse_decimals(pa.array(texts, pa.string()), Step(places, mantissa), counts)
    exact = [Decimal(text) / Decimal(mantissa).scaleb(-places) for text in texts]
    whole = [number == int(number) for number in exact]
    assert bad == (whole.index(False) if False in whole else -1)
    good = len(texts) if bad < 0 else bad
    assert counts[:good].tolist() == [int(number) for number in exact[:good]]


@pytest.mark.parametrize(
    "text",
    ["", ".", ".5", "5.", "1.2.3", "-1", "+1", "1e3", " 1", "1 ", "٣", "9" * 19, "9" * 18, "922337203685477580.8"],
)
def test_text_in_other_notation_is_left_to_the_careful_reader(text: str) -> None:
    assert parse_decimals(pa.array(["1", text, "2"]), Step(1, 1), np.zeros(3, dtype=np.int64)) == 1


def test_the_largest_number_that_fits_is_read() -> None:
    counts = np.zeros(2, dtype=np.int64)
    assert parse_decimals(pa.array(["922337203685477580.7", "9223372036.854775807"]), Step(1, 1), counts) == 1
    assert parse_decimals(pa.array(["0", "9223372036.854775807"]), Step(9, 1), counts) == -1
    assert counts[1] == 2**63 - 1


def test_a_slice_of_a_column_is_read_from_where_it_starts() -> None:
    counts = np.zeros(2, dtype=np.int64)
    assert parse_decimals(pa.array(["x", "1.5", "2"])[1:], Step(1, 1), counts) == -1
    assert counts.tolist() == [15, 20]


def test_doubled_ids_and_trades_of_another_day_are_told_of(tmp_path: Path) -> None:
    texts = ["1723161256.1", "1723161256.2", "1723161256.2", "1723161600.0"]
    path = trades_gz(tmp_path, [trade(text) for text in texts])
    trades = TradeFile(path, "BTCUSDT", GRID, Timing(), date(2024, 8, 8))
    assert sum(len(rows) for rows, _ in trades.read(lambda size: None)) == 4
    assert trades.warnings() == [
        "1 trade of another day than the file's name, first at line 5: 2024-08-09T00:00:00Z",
        "1 trade id again (the trades may be doubled), first at line 4: that of line 3",
    ]


@pytest.mark.parametrize("newest_first", [False, True])
def test_no_hint_of_a_clock_step_imports_trades_twice(tmp_path: Path, newest_first: bool) -> None:
    lines = [trade(f"{1723161256 + n}.1") for n in range(5)]
    lines = [*lines, *lines[1:]]
    with pytest.raises(
        BadInputError, match=r"The trade id-\S+ stands in the file twice: fetch the file again"
    ) as caught:
        read(trades_gz(tmp_path, lines[::-1] if newest_first else lines))
    assert "clock-step" not in str(caught.value)
    with pytest.raises(BadInputError, match=r"allow it with --max-clock-step-ms 3000\."):
        read(trades_gz(tmp_path, [trade(f"{at}.1") for at in (1723161258, 1723161255, 1723161259)]))


def test_trades_whose_size_counts_the_quote_currency_are_refused(tmp_path: Path) -> None:
    cells = "1723161256.1,BTCUSDT,Buy,5000,96500.50,PlusTick,a,5181320,0.0518132,5000"
    with pytest.raises(BadInputError, match=r"line 2: Expected trades of a linear contract, was an inverse one"):
        read(trades_gz(tmp_path, [cells]))
