import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from fathom.commands.data.check import check as check_command
from fathom.commands.data.import_bybit import bybit as bybit_command
from fathom.commands.data.list_ import list_ as list_command
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import InstrumentError
from fathom.data_catalog.instruments import Grid, InstrumentSpec
from fathom.data_catalog.quality.book_audit import BOOK_CHECKS
from fathom.data_catalog.quality.check import check
from fathom.data_catalog.quality.coverage import Hole, coverage
from fathom.data_catalog.quality.findings import CHECKS, Finding, Report
from fathom.data_catalog.quality.row_audit import BAR_CHECKS, TRADE_CHECKS
from fathom.data_catalog.store.arrow import BAR, bar_batch, book_batch, trade_batch
from fathom.data_catalog.store.layout import BARS, BOOK, TRADES
from fathom.market.events import EVENT, Action, Kind, Side
from fathom.settings.times import interval_name
from tests.makers.book_events import NS, T0, event, rows_of
from tests.makers.bybit_files import book_zip, line
from tests.makers.bybit_files import message as book_message

XYZ = InstrumentSpec(symbol="XYZUSDT", base="XYZ", quote="USDT", tick="0.10", lot="0.001").build()
ID = "XYZUSDT-LINEAR.BYBIT"
BAR_TYPE = f"{ID}-1-MINUTE-LAST-EXTERNAL"
GRID = Grid.of(XYZ)


def sound_book() -> NDArray[np.void]:
    return rows_of(
        event(0, Action.CLEAR, Side.NONE, 0, 0, 32, 1),
        event(0, Action.ADD, Side.BUY, 1000, 5, 48, 1),
        event(0, Action.ADD, Side.BUY, 999, 5, 48, 1),
        event(0, Action.ADD, Side.SELL, 1001, 5, 48, 1),
        event(0, Action.ADD, Side.SELL, 1003, 5, 176, 1),
        event(1, Action.UPDATE, Side.BUY, 1000, 4, 144, 2),
        event(2, Action.DELETE, Side.SELL, 1001, 0, 16, 3),
        event(2, Action.UPDATE, Side.SELL, 1002, 7, 144, 3),
        event(3, Action.UPDATE, Side.BUY, 998, 7, 144, 4),
        event(4, Action.UPDATE, Side.BUY, 997, 7, 144, 5),
    )


def sound_trades() -> NDArray[np.void]:
    rows = np.zeros(3, dtype=EVENT)
    rows["ts_event"] = rows["ts_init"] = T0 + np.array([0, 1, 2]) * NS
    rows["kind"], rows["price"], rows["size"], rows["side"] = Kind.TRADE, [1000, 1001, 1001], [1, 2, 3], [2, 1, 1]
    return rows


def sound_bars() -> NDArray[np.void]:
    bars = np.zeros(3, dtype=BAR)
    bars["ts_event"] = bars["ts_init"] = T0 + np.array([60, 120, 180]) * NS
    for name, values in {"open": 1000, "high": 1010, "low": 990, "close": [1001, 1002, 1003], "volume": 7}.items():
        bars[name] = values
    return bars


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog(tmp_path / "catalog")
    catalog.put_instrument(XYZ)
    return catalog


def put(catalog: Catalog, data_type: str, batch: pa.RecordBatch, identifier: str = ID, row_group: int = 1000) -> Path:
    """Put a file there past the writers, which would refuse it."""
    times = batch.column("ts_init")
    folder = catalog.path / "data" / data_type / identifier
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / interval_name(times[0].value, times[len(times) - 1].value)
    pq.write_table(pa.Table.from_batches([batch]), path, row_group_size=row_group)
    return path


def put_book(catalog: Catalog, rows: NDArray[np.void]) -> Path:
    return put(catalog, BOOK, book_batch(rows, GRID))


def found(report: Report) -> dict[str, int]:
    return {finding.check: finding.count for finding in report.findings}


def only(report: Report, name: str) -> Finding:
    assert [finding.check for finding in report.findings] == [name]
    return report.findings[0]


def test_sound_data_give_no_finding(catalog: Catalog) -> None:
    put_book(catalog, sound_book())
    put(catalog, TRADES, trade_batch(sound_trades(), ["a", "b", "c"], GRID))
    put(catalog, BARS, bar_batch(sound_bars(), GRID, BAR_TYPE), BAR_TYPE)
    report = check(catalog)
    assert report.findings == []
    assert report.worst is None
    assert [(one.data_type, one.rows, one.messages) for one in report.checked] == [
        (BARS, 3, 0),
        (BOOK, 10, 5),
        (TRADES, 3, 0),
    ]


def set_to(field: str, index: int, value: int) -> Callable[[NDArray[np.void]], NDArray[np.void]]:
    def change(rows: NDArray[np.void]) -> NDArray[np.void]:
        rows[field][index] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("damage", "expected", "row"),
    [
        (set_to("ts_init", 9, T0), {"time_backwards": 1, "known_before_it_happened": 1, "file_name_wrong": 0}, 9),
        (set_to("ts_event", 9, T0), {"event_time_backwards": 1}, 9),
        (set_to("ts_event", 9, T0 + 9 * NS), {"known_before_it_happened": 1}, 9),
        (set_to("sequence", 9, 9), {"sequence_jump": 1}, 9),
        (set_to("sequence", 9, 3), {"sequence_backwards": 1}, 9),
        (set_to("sequence", 9, 4), {"sequence_repeated": 1}, 9),
        (set_to("flags", 8, 16), {"message_unterminated": 1}, 8),
        (set_to("flags", 9, 16), {"message_unterminated": 1}, 9),
        (set_to("price", 9, 1002), {"locked": 1}, 9),
        (set_to("price", 9, 1005), {"crossed": 1}, 9),
        (set_to("price", 9, 999), {}, 9),
        (set_to("side", 9, 0), {"side_missing": 1}, 9),
        (set_to("size", 9, -1), {"size_negative": 1}, 9),
        (set_to("size", 9, 0), {"size_zero": 1}, 9),
        (lambda rows: rows[5:], {"no_snapshot_first": 1}, 0),
        (set_to("price", 6, 1004), {"unknown_level_deleted": 1}, 6),
        (set_to("price", 4, 1001), {"snapshot_level_repeated": 1, "one_sided": 0}, 4),
        (set_to("price", 7, 1001), {}, 7),
    ],
)
def test_each_damage_to_a_book_is_found_where_it_is(
    catalog: Catalog, damage: Any, expected: dict[str, int], row: int
) -> None:
    put_book(catalog, damage(sound_book()))
    report = check(catalog)
    assert {name: count for name, count in found(report).items() if CHECKS[name][0] != "info" or name in expected} == {
        name: count for name, count in expected.items() if count
    }
    for finding in report.findings:
        if finding.check in expected:
            assert finding.examples[0].row == row


def test_messages_that_come_twice_are_found(catalog: Catalog) -> None:
    rows = sound_book()
    put_book(catalog, np.concatenate([rows, rows[-1:]]))
    finding = check(catalog).findings[0]
    assert (finding.check, finding.count, finding.examples[0].row) == ("message_duplicated", 1, 10)


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_locked_book_is_told_alike_in_snapshots_and_changes(catalog: Catalog, snapshot: bool) -> None:
    rows = sound_book()[:5]
    if snapshot:
        rows["price"][3] = 1000
    else:
        locking = rows_of(event(1, Action.UPDATE, Side.SELL, 1000, 1, 144, 2))
        rows = np.concatenate([rows, locking])
    put_book(catalog, rows)
    finding = only(check(catalog), "locked")
    assert finding.severity == "warning"
    assert finding.examples[0].detail == "bid 100.00, ask 100.00"


def test_a_book_with_one_side_only_is_told(catalog: Catalog) -> None:
    put_book(catalog, np.concatenate([sound_book()[:3], rows_of(event(0, Action.ADD, Side.BUY, 996, 1, 176, 1))]))
    assert only(check(catalog), "one_sided").severity == "warning"


def test_a_cross_sequence_leaves_numbers_out_and_is_sound(catalog: Catalog) -> None:
    rows = sound_book()
    rows["sequence"] *= 87
    put_book(catalog, rows)
    assert check(catalog).findings == []


def test_a_snapshot_may_begin_a_new_count(catalog: Catalog) -> None:
    again = sound_book()
    for name in ("ts_init", "ts_event"):
        again[name] += 10 * NS
    put_book(catalog, np.concatenate([sound_book(), again]))
    assert check(catalog).findings == []


def test_messages_lost_before_a_snapshot_are_told(tmp_path: Path) -> None:
    again = sound_book()
    for name in ("ts_init", "ts_event"):
        again[name] += 10 * NS
    first, last = int(sound_book()["sequence"][0]), int(sound_book()["sequence"][-1])
    for lost, wanted in ((0, {}), (3, {"sequence_skipped": 1})):
        other = Catalog(tmp_path / str(lost))
        other.put_instrument(XYZ)
        later = again.copy()
        later["sequence"] += last - first + 1 + lost
        put_book(other, np.concatenate([sound_book(), later]))
        assert found(check(other)) == wanted


def test_holes_depend_on_the_threshold_and_span_files(catalog: Catalog) -> None:
    later = sound_book()
    for name in ("ts_init", "ts_event"):
        later[name] += 100 * NS
    put_book(catalog, sound_book())
    put_book(catalog, later)
    finding = only(check(catalog, max_hole_secs=60), "hole")
    assert finding.examples[0].detail.startswith("96.000 s after 2024-08-08")
    assert finding.examples[0].row == 0
    assert check(catalog, max_hole_secs=97).findings == []
    assert found(check(catalog, max_hole_secs=0.5))["hole"] == 9


def off_grid(batch: pa.RecordBatch, name: str, index: int, value: str) -> pa.RecordBatch:
    cells = batch.column(name).to_pylist()
    cells[index] = Decimal(value)
    column = pa.array(cells, type=batch.schema.field(name).type)
    return batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), column)


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [("price", "100.05", "price_off_tick"), ("size", "0.0005", "size_off_lot"), ("price", "-0.05", "price_off_tick")],
)
def test_prices_and_sizes_off_the_grid_are_found(catalog: Catalog, name: str, value: str, finding: str) -> None:
    put(catalog, BOOK, off_grid(book_batch(sound_book(), GRID), name, 8, value))
    report = check(catalog)
    assert found(report)[finding] == 1
    example = next(one for one in report.findings if one.check == finding).examples[0]
    assert (example.row, example.detail) == (8, value)
    assert report.checked[0].rows == 10


def test_the_rest_of_a_batch_with_a_price_off_the_grid_is_checked_too(catalog: Catalog) -> None:
    rows = sound_book()
    rows["sequence"][9] = 9
    put(catalog, BOOK, off_grid(book_batch(rows, GRID), "price", 8, "99.85"))
    assert found(check(catalog)) == {"price_off_tick": 1, "sequence_jump": 1}


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (set_to("ts_init", 2, T0), {"time_backwards": 1, "known_before_it_happened": 1}),
        (set_to("size", 1, 0), {"trade_size_zero": 1}),
        (set_to("size", 1, -5), {"size_negative": 1}),
        (set_to("side", 1, 0), {"aggressor_missing": 1}),
        (set_to("ts_event", 1, T0 + 9 * NS), {"known_before_it_happened": 1, "event_time_backwards": 1}),
    ],
)
def test_each_damage_to_trades_is_found(catalog: Catalog, damage: Any, expected: dict[str, int]) -> None:
    path = put(catalog, TRADES, trade_batch(damage(sound_trades()), ["a", "b", "c"], GRID))
    assert found(check(catalog)) == expected
    assert path.is_file()


def test_trade_ids_that_come_twice_are_found_among_many(catalog: Catalog) -> None:
    count = 150_000
    rows = np.zeros(count, dtype=EVENT)
    rows["ts_event"] = rows["ts_init"] = T0 + np.arange(count) * 1000
    rows["kind"], rows["price"], rows["size"], rows["side"] = Kind.TRADE, 1000, 1, 1
    ids = [f"{number:08x}" for number in range(count)]
    ids[140_000], ids[3] = ids[7], ids[2]
    put(catalog, TRADES, trade_batch(rows, ids, GRID))
    finding = only(check(catalog), "trade_id_repeated")
    assert finding.count == 2
    assert [example.row for example in finding.examples] == [3, 140_000]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (set_to("high", 1, 1000), {"bar_contradicts_itself": 1}),
        (set_to("low", 1, 1001), {"bar_contradicts_itself": 1}),
        (set_to("volume", 1, -1), {"size_negative": 1}),
        (set_to("ts_event", 1, T0 + 121 * NS), {"known_before_it_happened": 1}),
        (lambda bars: bars[[0, 2]], {"bars_missing": 1}),
        (lambda bars: bars[[0, 1, 1, 2]], {"bars_overlap": 1}),
        (set_to("ts_init", 1, T0 + 150 * NS), {"bars_missing": 1, "bars_overlap": 1}),
    ],
)
def test_each_damage_to_bars_is_found(catalog: Catalog, damage: Any, expected: dict[str, int]) -> None:
    put(catalog, BARS, bar_batch(damage(sound_bars()), GRID, BAR_TYPE), BAR_TYPE)
    assert found(check(catalog)) == expected


def test_files_that_lie_are_found(catalog: Catalog) -> None:
    path = put_book(catalog, sound_book())
    path.rename(path.with_name(interval_name(T0, T0 + 99 * NS)))
    assert only(check(catalog), "file_name_wrong").severity == "error"


def test_an_unreadable_file_is_an_error_and_the_others_are_checked(catalog: Catalog) -> None:
    rows = sound_book()
    rows["flags"][9] = 16
    path = put_book(catalog, rows)
    strange = path.with_name(interval_name(T0 + 9 * NS, T0 + 99 * NS))
    pq.write_table(pa.table({"ts_init": [1]}), strange)
    report = check(catalog)
    assert found(report) == {"unreadable": 1, "message_unterminated": 1}
    assert report.findings[0].examples[0].file == strange.name


def test_a_file_of_another_precision_and_one_without_instrument_are_errors(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    put_book(catalog, sound_book())
    assert only(check(catalog), "instrument_missing").severity == "error"
    catalog.put_instrument(InstrumentSpec(symbol="XYZUSDT", base="XYZ", quote="USDT", tick="0.1", lot="0.001").build())
    assert only(check(catalog), "definition_mismatch").examples[0].detail == "price precision 2, the instrument's is 1"


def test_one_instrument_can_be_checked_alone(catalog: Catalog) -> None:
    put_book(catalog, sound_book()[5:])
    put(catalog, BARS, bar_batch(sound_bars(), GRID, BAR_TYPE), BAR_TYPE)
    assert len(check(catalog, instrument_id=ID).checked) == 2
    with pytest.raises(InstrumentError, match=r"Did you mean 'XYZUSDT-LINEAR\.BYBIT'"):
        check(catalog, instrument_id="XYZUSD-LINEAR.BYBIT")


def test_every_check_has_a_severity_and_a_meaning() -> None:
    assert {*BOOK_CHECKS, *TRADE_CHECKS, *BAR_CHECKS} <= set(CHECKS)
    assert {severity for severity, _ in CHECKS.values()} == {"error", "warning", "info"}


def test_the_list_knows_holes_inside_and_between_files(catalog: Catalog) -> None:
    rows = sound_book()
    rows["ts_init"][5:] += 70 * NS
    put(catalog, BOOK, book_batch(rows, GRID), row_group=3)
    later = sound_book()
    later["ts_init"] += 200 * NS
    put(catalog, BOOK, book_batch(later, GRID), row_group=3)
    [one] = coverage(catalog)
    assert (one.span.rows, one.span.files) == (20, 2)
    assert one.holes == [Hole(T0, T0 + 71 * NS), Hole(T0 + 74 * NS, T0 + 200 * NS)]
    assert one.longest_secs == 126.0
    assert coverage(catalog, max_hole_secs=200)[0].holes == []
    assert len(coverage(catalog, max_hole_secs=0.5)[0].holes) == 9


def test_a_missing_bar_is_a_hole_of_any_threshold(catalog: Catalog) -> None:
    put(catalog, BARS, bar_batch(sound_bars()[[0, 2]], GRID, BAR_TYPE), BAR_TYPE)
    [one] = coverage(catalog, max_hole_secs=1e6)
    assert one.holes == [Hole(T0 + 60 * NS, T0 + 180 * NS)]


def run(command: Any, catalog: Catalog, *options: str) -> Any:
    return CliRunner().invoke(command, ["--catalog", str(catalog.path), *options])


def test_the_exit_code_tells_errors_and_with_strict_warnings(catalog: Catalog) -> None:
    put_book(catalog, sound_book())
    assert run(check_command, catalog, "--strict").exit_code == 0
    assert run(check_command, catalog, "--max-hole", "0.5").exit_code == 0
    assert run(check_command, catalog, "--max-hole", "0.5", "--strict").exit_code == 1
    rows = sound_book()
    rows["price"][9] = 1005
    put_book(catalog, rows)
    result = run(check_command, catalog)
    assert result.exit_code == 1
    assert "crossed" in result.stdout
    assert "bid 100.50, ask 100.20" in result.stdout
    report = json.loads(run(check_command, catalog, "--json").stdout)
    assert report["worst"] == "error"
    assert report["findings"][0]["check"] == "crossed"
    assert report["findings"][0]["examples"][0]["row"] == 9
    assert run(check_command, catalog, "--instrument", "NONE.BYBIT").exit_code == 1


def test_the_list_prints_and_gives_json(catalog: Catalog, tmp_path: Path) -> None:
    path = put_book(catalog, sound_book())
    text = run(list_command, catalog).stdout
    assert ID in text
    assert "0.10" in text
    listed = json.loads(run(list_command, catalog, "--json", "--max-hole", "0.5").stdout)
    assert listed["instruments"] == [{"id": ID, "kind": "CryptoPerpetual", "tick": "0.10", "lot": "0.001"}]
    [one] = listed["data"]
    assert (one["rows"], one["files"], one["bytes"]) == (10, 1, path.stat().st_size)
    assert [hole["secs"] for hole in one["holes"]] == [1.0] * 4
    (tmp_path / "empty").mkdir()
    assert "holds nothing" in run(list_command, Catalog(tmp_path / "empty")).stdout


def test_a_hole_in_the_update_ids_of_an_archive_is_an_error(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    bids, asks = [("61000.00", "1.000")], [("61000.10", "1.000")]
    updates = ((0, "snapshot", 1), (1_000, "delta", 2), (2_000, "delta", 4))
    lines = [
        line(book_message(1_723_161_256_501 + ms, kind=kind, u=u, seq=10 * u, bids=bids, asks=asks))
        for ms, kind, u in updates
    ]
    archive = book_zip(tmp_path, lines)
    imported = CliRunner().invoke(bybit_command, [str(archive), "--catalog", str(catalog)])
    assert imported.exit_code == 0, imported.output
    result = CliRunner().invoke(check_command, ["--catalog", str(catalog), "--json"])
    assert result.exit_code == 1
    found = {finding["check"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert found["update_ids_broken"]["severity"] == "error"
    assert found["update_ids_broken"]["count"] == 1


@pytest.mark.parametrize("content", [b"", b"PAR1 but no more", None])
def test_a_damaged_file_is_named_by_the_list_and_found_by_the_check(catalog: Catalog, content: bytes | None) -> None:
    path = put_book(catalog, sound_book())
    if content is None:
        content = path.read_bytes()
        content = content[:40] + bytes(len(content) // 2) + content[40 + len(content) // 2 :]
    path.write_bytes(content)
    result = run(check_command, catalog, "--json")
    assert result.exit_code == 1
    assert [finding["check"] for finding in json.loads(result.stdout)["findings"]] == ["unreadable"]
    listed = run(list_command, catalog)
    assert isinstance(listed.exception, SystemExit | None)
    if listed.exit_code:
        assert f"was {path}" in " ".join(listed.stderr.split())


def test_damaged_files_of_our_own_are_named(catalog: Catalog) -> None:
    put_book(catalog, sound_book())
    entry = catalog.path / "fathom" / "ledger" / "x.json"
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.write_text("{")
    assert f"Expected an import's entry in {entry}, was broken" in run(check_command, catalog).stderr
    entry.unlink()
    [definition] = (catalog.path / "data" / "crypto_perpetual").rglob("*.parquet")
    definition.write_bytes(b"x")
    for command in (check_command, list_command):
        result = run(command, catalog)
        assert result.exit_code == 1
        assert "instrument" in result.output
        assert isinstance(result.exception, SystemExit)


def test_a_check_of_nothing_fails(tmp_path: Path) -> None:
    for arguments in ((), ("--json",)):
        result = run(check_command, Catalog(tmp_path), *arguments)
        assert result.exit_code == 1
        assert f"was none in {tmp_path}" in result.stderr
