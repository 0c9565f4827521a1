"""Order-book archives: the fast reader, the careful reader and a naive one agree; what is wrong is named."""

import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fathom.data_catalog.errors import BadInputError
from fathom.data_catalog.ingest import archive, bybit_book
from fathom.data_catalog.ingest.bybit_book import BookFile, Timing
from fathom.data_catalog.ingest.bybit_lines import LINES
from fathom.data_catalog.instruments import Grid, InstrumentSpec, default_instruments
from fathom.market.events import EVENT
from tests.makers.bybit_files import book_zip, line, message, naive_book

GRID = Grid.of(default_instruments()["BTCUSDT"])
SNAPSHOT = line(message(kind="snapshot", bids=[("61800.20", "2.909"), ("61800.10", "0.696")], asks=[("61800.30", "1")]))


def read(path: Path, grid: Grid = GRID, symbol: str = "BTCUSDT", **timing: int) -> tuple[BookFile, NDArray[np.void]]:
    book = BookFile(path, symbol, grid, Timing(**timing))
    parts = [rows.copy() for rows in book.read(lambda size: None)]
    return book, np.concatenate([np.empty(0, dtype=EVENT), *parts])


def careful_only(path: Path) -> NDArray[np.void]:
    """Read every line with the careful reader."""
    book = BookFile(path, "BTCUSDT", GRID, Timing())
    with zipfile.ZipFile(path) as opened:
        lines = opened.read(opened.namelist()[0]).splitlines()
    return np.concatenate([np.empty(0, dtype=EVENT), *(book._careful(one) for one in lines)])


prices = st.integers(1, 10**9).map(lambda ticks: f"{ticks // 10}.{ticks % 10}0")
sizes = st.one_of(st.just("0"), st.integers(0, 10**12).map(lambda lots: f"{lots // 1000}.{lots % 1000:03d}"))
levels = st.lists(st.tuples(prices, sizes), max_size=6)


@st.composite
def files(draw: st.DrawFn) -> list[dict[str, Any]]:
    count, ts, update = draw(st.integers(1, 8)), 1_723_161_256_501, 0
    messages = []
    for number in range(count):
        snapshot = number == 0 or draw(st.booleans())
        ts += draw(st.integers(-3, 50))
        bids, asks = draw(levels), draw(levels)
        if snapshot:
            bids, asks = ([level for level in side if float(level[1])] for side in (bids, asks))
        cts = draw(st.one_of(st.none(), st.just(ts - 7)))
        kind = "snapshot" if snapshot else "delta"
        sequence = draw(st.integers(0, 2**40))
        update += draw(st.sampled_from([1, 1, 1, 0, 2]))
        messages.append(message(ts, kind=kind, bids=bids, asks=asks, u=update, seq=sequence, cts=cts))
    return messages


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_fast_careful_and_naive_agree(tmp_path: Path, messages: list[dict[str, Any]], end: str, last_end: bool) -> None:
    path = book_zip(tmp_path, [line(one) for one in messages], end=end, last_end=last_end)
    book, rows = read(path)
    assert np.array_equal(rows, naive_book(path, "0.1", "0.001"))
    assert np.array_equal(careful_only(path), rows)
    assert book.messages == int(book.state[LINES]) == len(messages)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "symbol", "tick", "lot"),
    [
        ("perp-ticks/2024-08-08_BTCUSDT_ob1000.data.zip", "BTCUSDT", "0.1", "0.001"),
        ("perp-ticks/2024-08-08_ETHUSDT_ob1000.data.zip", "ETHUSDT", "0.01", "0.001"),
        ("bybit-archive/2024-12-01_XRPUSDT_ob500.data.zip", "XRPUSDT", "0.0001", "1"),
    ],
)
def test_real_archives_read_as_naively(real_data: Path, name: str, symbol: str, tick: str, lot: str) -> None:
    book, rows = read(real_data / name, Grid.of(default_instruments()[symbol]), symbol)
    assert np.array_equal(rows, naive_book(real_data / name, tick, lot))
    assert book.warnings() == (
        ["1 message stamped a little before the one before; their ts_init was held"] if symbol == "ETHUSDT" else []
    )


@pytest.mark.real_data
def test_where_chunks_end_does_not_matter(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = real_data / "bybit-archive" / "2024-12-01_XRPUSDT_ob500.data.zip"
    grid = Grid.of(default_instruments()["XRPUSDT"])
    whole = read(path, grid, "XRPUSDT")[1]
    for size in (997, 70_001):
        monkeypatch.setattr(archive, "CHUNK_BYTES", size)
        assert np.array_equal(read(path, grid, "XRPUSDT")[1], whole)


def test_a_stored_zip_reads_like_a_deflated_one(tmp_path: Path) -> None:
    deflated = read(book_zip(tmp_path, [SNAPSHOT]))[1]
    assert np.array_equal(read(book_zip(tmp_path, [SNAPSHOT], method=zipfile.ZIP_STORED))[1], deflated)


def test_flags_actions_and_times_are_the_live_adapters(tmp_path: Path) -> None:
    bids, asks = [("61800.20", "0")], [("61800.40", "2")]
    change = line(message(1_723_161_256_600, bids=bids, asks=asks, u=2, cts=1_723_161_256_590))
    _, rows = read(book_zip(tmp_path, [SNAPSHOT, change]), latency_ns=5_000_000)
    assert rows["flags"].tolist() == [32, 48, 48, 176, 16, 144]
    assert rows["action"].tolist() == [4, 1, 1, 1, 3, 2]
    assert rows["side"].tolist() == [0, 1, 1, 2, 1, 2]
    assert rows["price"].tolist() == [0, 618_002, 618_001, 618_003, 618_002, 618_004]
    assert rows["ts_event"][[0, 5]].tolist() == [1_723_161_256_501_000_000, 1_723_161_256_590_000_000]
    assert rows["ts_init"][[0, 5]].tolist() == [1_723_161_256_506_000_000, 1_723_161_256_605_000_000]


def test_a_snapshot_in_the_middle_clears_the_book(tmp_path: Path) -> None:
    _, rows = read(book_zip(tmp_path, [SNAPSHOT, SNAPSHOT, line(message(kind="snapshot", u=2))]))
    assert rows["flags"].tolist() == [32, 48, 48, 176] * 2 + [160]


def test_other_key_order_and_blanks_are_read(tmp_path: Path) -> None:
    value = json.loads(SNAPSHOT)
    data = dict(reversed(value["data"].items()))
    swapped = json.dumps({"cts": 1, "new_field": [1], **dict(reversed(value.items())), "data": data})
    _, rows = read(book_zip(tmp_path, ["", f"  {swapped} ", ""]))
    plain = read(book_zip(tmp_path, [line(value | {"cts": 1})]))[1]
    assert np.array_equal(rows, plain)


def test_numbers_in_other_notation_are_read_exactly(tmp_path: Path) -> None:
    odd = line(message(kind="snapshot", bids=[("6.18002e4", "2.909000")], asks=[("061800.3", "1e-3")]))
    _, rows = read(book_zip(tmp_path, [odd]))
    assert rows["price"].tolist() == [0, 618_002, 618_003]
    assert rows["size"].tolist() == [0, 2_909, 1]


def test_a_tick_that_is_no_power_of_ten(tmp_path: Path) -> None:
    grid = Grid.of(InstrumentSpec(symbol="BTCUSDT", base="BTC", quote="USDT", tick="0.25", lot="5").build())
    good = line(message(kind="snapshot", bids=[("100.75", "10")], asks=[("101.00", "5")]))
    assert read(book_zip(tmp_path, [good]), grid)[1]["price"].tolist() == [0, 403, 404]
    with pytest.raises(BadInputError, match=r"multiple of 0\.25 .*, was '100\.80'"):
        read(book_zip(tmp_path, [line(message(kind="snapshot", bids=[("100.80", "10")]))]), grid)


def test_gaps_are_counted_but_not_at_snapshots(tmp_path: Path) -> None:
    changes = [line(message(1_723_161_256_502 + n, bids=[("1.0", "1")], u=u)) for n, u in enumerate((2, 3, 5, 5, 9))]
    later = SNAPSHOT.replace('"ts":1723161256501', '"ts":1723161256600')
    book, _ = read(book_zip(tmp_path, [SNAPSHOT, *changes, later]))
    assert book.warnings() == [
        "3 breaks in the update ids (changes are missing or doubled), first at line 4: 5 after 3",
        "the book is unsure until the next good snapshot: 3 messages of such times left out, and an empty snapshot "
        "instead",
    ]
    assert (book.snapshots, book.levels) == (2, 3 + 5 + 3)


def test_changes_before_a_snapshot_are_told(tmp_path: Path) -> None:
    book, rows = read(book_zip(tmp_path, [line(message(bids=[("1.0", "1")])), SNAPSHOT]))
    assert len(rows) == 5
    assert "1 change before the first snapshot" in book.warnings()[0]


def test_a_stamp_a_little_early_is_held(tmp_path: Path) -> None:
    early = line(message(1_723_161_256_491, bids=[("1.0", "1")], u=2))
    _, rows = read(book_zip(tmp_path, [SNAPSHOT, early]))
    assert rows["ts_init"].tolist() == [1_723_161_256_501_000_000] * 5
    assert rows["ts_event"][-1] == 1_723_161_256_491_000_000
    with pytest.raises(BadInputError, match=r"line 2: Expected 'ts' not to run backwards, was 1723161256491"):
        read(book_zip(tmp_path, [SNAPSHOT, early]), tolerance_ns=9_999_999)


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (SNAPSHOT[:-9], "Expected a JSON object, was"),
        ("[]", r"Expected a JSON object, was '\[\]'"),
        (SNAPSHOT.replace('"ts":', '"t":'), "Expected field 'ts', was none"),
        (SNAPSHOT.replace('"b":', '"bids":'), r"Expected field 'data\.b', was none\. Fields: s, bids, a, u, seq"),
        (SNAPSHOT.replace('"seq":10', '"seq":-1'), r"in 'data\.seq', was -1"),
        (SNAPSHOT.replace('"seq":10', '"seq":"10"'), r"in 'data\.seq', was '10'"),
        (SNAPSHOT.replace('"u":1', '"u":true'), r"in 'data\.u', was True"),
        (SNAPSHOT.replace("1723161256501", "1723161256501.5"), r"in 'ts', was 1723161256501\.5"),
        (SNAPSHOT.replace("1723161256501", "1723161256501000000"), "in 'ts', was 1723161256501000000"),
        (SNAPSHOT.replace("snapshot", "trade"), "Expected type 'snapshot' or 'delta', was 'trade'"),
        (
            SNAPSHOT.replace("orderbook", "tickers"),
            "Expected topic 'orderbook.DEPTH.BTCUSDT', was 'tickers.500.BTCUSDT'",
        ),
        (SNAPSHOT.replace('"s":"BTCUSDT"', '"s":"ETHUSDT"'), r"Expected symbol BTCUSDT in 'data\.s', was 'ETHUSDT'"),
        (SNAPSHOT.replace("500.BTCUSDT", "500.ETHUSDT"), "Expected symbol BTCUSDT in 'topic', was 'ETHUSDT'"),
        (SNAPSHOT.replace("2.909", "-2.909"), r"of 0 or more|above 0 in a snapshot in data\.b\[0\], was '-2\.909'"),
        (SNAPSHOT.replace("2.909", "0"), r"Expected a size above 0 in a snapshot in data\.b\[0\], was '0'"),
        (
            SNAPSHOT.replace("2.909", "2.9095"),
            r"data\.b\[0\]: Expected a size that is a multiple of 0\.001 .* '2\.9095'",
        ),
        (
            SNAPSHOT.replace("61800.30", "61800.35"),
            r"data\.a\[0\]: Expected a price .* of 0\.10 .* '61800\.35'.*--instruments",
        ),
        (SNAPSHOT.replace("61800.30", "-1.0"), r"Expected a price above 0 in data\.a\[0\], was '-1\.0'"),
        (SNAPSHOT.replace("61800.30", "0"), r"Expected a price above 0 in data\.a\[0\], was '0'"),
        (SNAPSHOT.replace("61800.30", "x"), r"Expected a price as a decimal number, was 'x'"),
        (SNAPSHOT.replace('["61800.30","1"]', '["61800.30"]'), r"Expected \[\"price\",\"size\"\] in data\.a\[0\]"),
        (SNAPSHOT.replace('"61800.30"', "61800.30"), r"Expected \[\"price\",\"size\"\] in data\.a\[0\]"),
        (SNAPSHOT + "x", "Expected a JSON object"),
        (SNAPSHOT.replace("61800.30", "17014118346047"), "Expected a price of at most 17014118346046, was"),
        (SNAPSHOT.replace("61800.30", "9" * 40), "Expected a price of at most 17014118346046, was '9999"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, bad: str, expected: str) -> None:
    assert bad != SNAPSHOT
    path = book_zip(tmp_path, [SNAPSHOT, "", SNAPSHOT, bad, SNAPSHOT])
    with pytest.raises(BadInputError, match=expected) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}, line 4: ")


def test_time_that_runs_backwards_is_refused(tmp_path: Path) -> None:
    late = line(message(1_723_161_255_501, bids=[("1.0", "1")], u=2))
    with pytest.raises(BadInputError, match=r"line 2: .*1000 ms before .*--max-clock-step-ms 1000"):
        read(book_zip(tmp_path, [SNAPSHOT, late]))


def test_the_remedy_for_a_step_back_is_enough(tmp_path: Path) -> None:
    late = line(message(1_723_161_256_501 - 3_599_901, bids=[("1.0", "1")], u=2))
    path = book_zip(tmp_path, [SNAPSHOT, late])
    with pytest.raises(BadInputError, match=r"--max-clock-step-ms 3599901\.") as caught:
        read(path)
    allowed = float(str(caught.value).rpartition(" ")[2].rstrip("."))
    assert read(path, tolerance_ns=round(allowed * 1e6))[0].messages == 2


@pytest.mark.parametrize("field", ["ts", "cts"])
@pytest.mark.parametrize("stamp", [1_723_161_256, 1_722_988_456_501, 1_723_334_056_501])
def test_a_stamp_of_another_day_or_unit_is_refused(tmp_path: Path, field: str, stamp: int) -> None:
    good = message(bids=[("1.0", "1")], u=2, cts=1_723_161_256_501)
    path = book_zip(tmp_path, [SNAPSHOT, line(good), line(good | {field: stamp})])
    book = BookFile(path, "BTCUSDT", GRID, Timing(), date(2024, 8, 8))
    with pytest.raises(BadInputError, match=rf"line 3: Expected milliseconds from .* in '{field}', was {stamp}\."):
        list(book.read(lambda size: None))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bybit_book, "_MAX_LINE_BYTES", 1_000)
    with pytest.raises(BadInputError, match="line 1: Expected lines of JSON"):
        read(book_zip(tmp_path, ["x" * 5_000], last_end=False))


def test_damaged_zips_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    changes = [
        line(message(1_723_161_256_502 + n, bids=[(f"{price}.0", "1")], u=n + 2))
        for n, price in enumerate(rng.integers(1, 10**6, 3_000).tolist())
    ]
    path = book_zip(tmp_path, [SNAPSHOT, *changes])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInputError, match="Expected a whole zip file"):
        read(path)
    path.write_bytes(content[: len(content) // 2] + bytes(100) + content[len(content) // 2 + 100 :])
    with pytest.raises(
        BadInputError, match=r"Expected deflated data|Expected .* bytes with checksum|Expected a JSON object"
    ):
        read(path)
    path.write_bytes(b"not a zip")
    with pytest.raises(BadInputError, match="Expected a whole zip file"):
        read(path)


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = book_zip(tmp_path, [SNAPSHOT], method=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"2.909", b"2.908"))
    with pytest.raises(BadInputError, match="with checksum"):
        read(path)


def test_a_zip_of_several_files_is_refused(tmp_path: Path) -> None:
    path = book_zip(tmp_path, [SNAPSHOT])
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr("another", "x")
    with pytest.raises(BadInputError, match=r"Expected one file inside the zip, was 2 \(.*another\)"):
        read(path)


def test_sequences_that_go_back_and_other_days_are_told(tmp_path: Path) -> None:
    late = [line(message(1_723_161_256_600 + n, bids=[("1.0", "1")], u=2 + n, seq=seq)) for n, seq in enumerate((9, 8))]
    tomorrow = line(message(1_723_161_600_000, bids=[("1.0", "1")], u=4, seq=20))
    book = BookFile(book_zip(tmp_path, [SNAPSHOT, *late, tomorrow]), "BTCUSDT", GRID, Timing(), date(2024, 8, 8))
    assert sum(map(len, book.read(lambda size: None))) == 7
    assert book.faults() == [
        "2 messages with a sequence less than the one before, first at line 2: 9 after 10",
        "1 message of another day than the file's name, first at line 4: 2024-08-09T00:00:00Z",
    ]


def test_a_message_that_comes_twice_makes_no_hole(tmp_path: Path) -> None:
    change = line(message(1_723_161_256_600, bids=[("1.0", "1")], u=2))
    book, rows = read(book_zip(tmp_path, [SNAPSHOT, change, change]))
    assert len(rows) == 6
    assert book.faults() == ["1 break in the update ids (changes are missing or doubled), first at line 3: 2 after 2"]


def test_no_hint_of_a_clock_step_imports_lines_twice(tmp_path: Path) -> None:
    lines = [SNAPSHOT, *(line(message(1_723_161_256_600 + 100 * n, bids=[("1.0", "1")], u=2 + n)) for n in range(5))]
    with pytest.raises(BadInputError, match=r"line 7: .* The update id goes back too, to 2 after 6: lines") as caught:
        read(book_zip(tmp_path, [*lines, *lines[1:]]))
    assert "clock-step" not in str(caught.value)
