"""`fathom data import bybit`: once, as a whole, with a summary; also through a kill -9."""

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.commands.main import main
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import BadInputError
from fathom.data_catalog.ingest.bybit import Archive, Imported, import_archive
from fathom.data_catalog.ingest.bybit_book import Timing
from fathom.data_catalog.instruments import default_instruments, toml_example
from fathom.data_catalog.store.imported import Ledger
from fathom.data_catalog.store.writers import ROW_GROUP_ROWS, RowWriter
from fathom.market.events import TradeFlag
from tests.makers.bybit_files import HEADER, book_zip, line, message, trade, trades_gz

ID = "BTCUSDT-LINEAR.BYBIT"
SNAPSHOT = message(kind="snapshot", bids=[("61800.20", "2.909")], asks=[("61800.30", "1")])


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["data", "import", "bybit", *map(str, arguments)])


def state(folder: Path) -> dict[str, bytes]:
    """Everything that the engine reads, and the ledger."""
    files = [*(folder / "data").rglob("*"), *(folder / "fathom" / "ledger").rglob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.is_file()}


def changes(count: int, first_ts: int = 1_723_161_256_502) -> list[str]:
    rng = np.random.default_rng(count)
    prices, sizes = rng.integers(1, 10**6, (count, 10)).tolist(), rng.integers(0, 99, (count, 10)).tolist()
    return [
        line(message(first_ts + n, bids=[(f"{p}.0", f"{s}") for p, s in zip(*row, strict=True)], u=n + 2, seq=n))
        for n, row in enumerate(zip(prices, sizes, strict=True))
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("files")
    trades = [f"{trade(f'{1723161256 + n}.5', size=f'0.{n + 1:03d}')},{n % 3 == 0:d}" for n in range(30)]
    return book_zip(folder, [line(SNAPSHOT), *changes(50)]), trades_gz(folder, trades, header=f"{HEADER},RPI")


def test_books_and_trades_come_back_as_events(files: tuple[Path, Path], tmp_path: Path) -> None:
    result = run(*files, "--catalog", tmp_path)
    assert result.exit_code == 0, result.output
    assert "503" in result.output
    rows = np.concatenate(list(Catalog(tmp_path).events(ID)))
    trades = rows[rows["kind"] == 2]
    assert (len(rows), len(trades)) == (533, 30)
    assert trades["flags"].tolist() == [TradeFlag.RPI * (n % 3 == 0) for n in range(30)]
    assert len(ParquetDataCatalog(str(tmp_path)).query_order_book_deltas([ID])) == 503
    book, ticks = Ledger(tmp_path).entries()
    assert (book.rows, book.notes) == (503, {"messages": 51, "snapshots": 1, "levels": 502, "breaks": 0})
    assert (ticks.rows, ticks.notes) == (30, {"rpi_column": True})


def test_importing_again_changes_nothing(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(*files, "--catalog", tmp_path)
    before = state(tmp_path)
    result = run(*files, "--catalog", tmp_path)
    assert result.exit_code == 0
    assert result.output.count("already imported") == 2
    assert state(tmp_path) == before


def test_the_summary_as_json(files: tuple[Path, Path], tmp_path: Path) -> None:
    result = run(*files, "--catalog", tmp_path, "--json", "--latency-ms", "2.5")
    book, trades = json.loads(result.stdout)
    assert (book["rows"], book["already"], trades["kind"]) == (503, False, "trades")
    assert book["settings"] == {"latency_ns": 2_500_000, "tolerance_ns": 10_000_000}
    assert book["first_ns"] == 1_723_161_256_501_000_000 + 2_500_000


def test_other_settings_for_the_same_file_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(*files, "--catalog", tmp_path)
    result = run(files[0], "--catalog", tmp_path, "--latency-ms", "5")
    assert result.exit_code == 1
    assert "with the settings of its import before (--latency-ms 0 --max-clock-step-ms 10)" in result.output


def test_other_content_of_the_same_time_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    run(files[0], "--catalog", catalog)
    before = state(catalog)
    result = run(book_zip(tmp_path, [line(SNAPSHOT), *changes(51)]), "--catalog", catalog)
    assert result.exit_code == 1
    assert f"Expected a span of {ID} without order_book_deltas" in result.output
    assert state(catalog) == before


def test_data_that_was_deleted_is_imported_again(files: tuple[Path, Path], tmp_path: Path) -> None:
    run(files[0], "--catalog", tmp_path)
    (path,) = Catalog(tmp_path).files("order_book_deltas", ID)
    path.unlink()
    assert "already" not in run(files[0], "--catalog", tmp_path).output
    assert path.is_file()


def test_a_bad_line_leaves_nothing(files: tuple[Path, Path], tmp_path: Path) -> None:
    lines = [line(SNAPSHOT), *changes(ROW_GROUP_ROWS // 10 + 100)]
    bad = book_zip(tmp_path, [*lines, lines[5].replace('"61', '"-61').replace('"b":[["', '"b":[["-')])
    result = run(bad, "--catalog", tmp_path / "catalog")
    assert result.exit_code == 1
    assert f"line {len(lines) + 1}: Expected a price above 0" in result.output
    assert state(tmp_path / "catalog") == {}
    assert list((tmp_path / "catalog" / "fathom" / "staging").iterdir()) == []


def test_symbols_beyond_ascii_and_what_was_assumed(tmp_path: Path) -> None:
    symbol = "币安人生USDT"
    name = f"{symbol}-LINEAR.BYBIT"
    known = tmp_path / "known.toml"
    fields = {"symbol": symbol, "base": "币安人生", "quote": "USDT", "tick": "0.10", "lot": "0.001"}
    known.write_text("\n".join(["[[instrument]]", *(f'{field} = "{value}"' for field, value in fields.items())]))
    snapshot = line(message(kind="snapshot", bids=[("61800.20", "2")], asks=[("61800.30", "1")], symbol=symbol))
    book = book_zip(tmp_path, [snapshot.encode().decode("unicode_escape")], name=f"2024-08-08_{symbol}_ob500.data.zip")
    trades = trades_gz(tmp_path, [trade().replace("BTCUSDT", symbol)])
    trades = trades.rename(trades.with_name(trades.name.replace("BTCUSDT", symbol)))
    result = run(book, trades, "--instruments", known, "--catalog", tmp_path / "catalog")
    assert result.exit_code == 0, result.output
    assert f"do not say their product: these were taken for {name}, a linear perpetual" in result.output
    catalog = Catalog(tmp_path / "catalog")
    assert [(span.identifier, span.rows) for span in catalog.spans()] == [(name, 3), (name, 1)]
    assert len(ParquetDataCatalog(str(catalog.path)).query_trade_ticks([name])) == 1  # the engine finds them too
    assert [str(instrument.id) for instrument in catalog.instruments()] == [name]
    assert "is sound" in CliRunner().invoke(main, ["data", "check", "--catalog", str(catalog.path)]).output


@pytest.mark.parametrize("kind", ["header", "nothing", "book"])
def test_an_empty_day_is_told_and_the_batch_goes_on(files: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    if kind == "book":
        empty = book_zip(tmp_path, [], name="2024-08-07_BTCUSDT_ob500.data.zip", last_end=False)
    else:
        empty = trades_gz(tmp_path, [], day="2024-08-07")
        if kind == "nothing":
            empty.write_bytes(gzip.compress(b""))
    result = run(empty, files[0], "--catalog", tmp_path / "catalog")
    assert result.exit_code == 0, result.output
    assert "Nothing of it was imported" in result.output
    assert empty.name in result.output
    assert len(Ledger(tmp_path / "catalog").entries()) == 1
    for options in ([empty], [empty, files[0], "--strict"]):
        assert run(*options, "--catalog", tmp_path / "other").exit_code == 1
        assert state(tmp_path / "other") == {}


def test_files_before_a_bad_one_stay_imported(files: tuple[Path, Path], tmp_path: Path) -> None:
    bad = trades_gz(tmp_path, [trade(price="x")])
    result = run(files[0], bad, "--catalog", tmp_path / "catalog")
    assert result.exit_code == 1
    assert "line 2: 'price': Expected a price as a decimal number, was 'x'" in result.output
    assert "2024-08-08_BTCUSDT_ob500.data.zip" in result.output
    assert len(Ledger(tmp_path / "catalog").entries()) == 1


def filled_example(symbol: str) -> str:
    """Return the template that an error prints, with tick and lot filled in."""
    text = toml_example(symbol).partition("\n\n")[2]
    return text.replace('tick = "?"', 'tick = "0.0001"').replace('lot = "?"', 'lot = "1"')


def test_an_unknown_symbol_says_what_to_write(tmp_path: Path) -> None:
    path = book_zip(tmp_path, [line(message(symbol="ABCUSDT"))], name="2024-08-08_ABCUSDT_ob200.data.zip")
    result = run(path, "--catalog", tmp_path / "catalog")
    assert result.exit_code == 1
    assert f"{path}: Expected an instrument of BYBIT, was 'ABCUSDT'." in result.output
    assert 'symbol = "ABCUSDT"' in result.output
    (tmp_path / "mine.toml").write_text(filled_example("ABCUSDT"))
    level = line(message(kind="snapshot", bids=[("0.0012", "7")], symbol="ABCUSDT"))
    path = book_zip(tmp_path, [level], name="2024-08-08_ABCUSDT_ob200.data.zip")
    assert run(path, "--catalog", tmp_path / "catalog", "--instruments", tmp_path / "mine.toml").exit_code == 0
    # From now on the catalog itself knows it.
    level = line(message(1_723_161_266_501, kind="snapshot", bids=[("0.0012", "7")], symbol="ABCUSDT"))
    path = book_zip(tmp_path, [level], name="2024-08-09_ABCUSDT_ob200.data.zip")
    assert run(path, "--catalog", tmp_path / "catalog").exit_code == 0


@pytest.mark.real_data
def test_instruments_from_bybits_response(files: tuple[Path, Path], real_data: Path, tmp_path: Path) -> None:
    response = real_data / "bybit-protocol" / "instruments-info_linear_5syms.json"
    assert run(files[0], "--catalog", tmp_path, "--instruments", response).exit_code == 0
    assert str(Catalog(tmp_path).instrument(ID).max_quantity) == "1500.000"
    # A later file with the other definition of the same instrument would make the catalog contradict itself.
    toml = tmp_path / "other.toml"
    toml.write_text(filled_example("BTCUSDT"))
    result = run(files[1], "--catalog", tmp_path, "--instruments", toml)
    assert result.exit_code == 1
    assert "price_increment 0.10 -> 0.0001" in result.output


@pytest.mark.parametrize("name", ["BTCUSDT.csv", "2024-08-08_BTCUSDT.data.zip", "BTCUSDT_2024-08-08.csv.gz", "x"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BadInputError, match=f"Expected the name of a Bybit archive file.*, was '{name}'"):
        Archive.of(Path(name))


@pytest.mark.parametrize("name", ["2024-13-41_BTCUSDT_ob500.data.zip", "BTCUSDT2023-02-29.csv.gz"])
def test_a_day_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadInputError, match=f"{name}: Expected a day in the file's name, was '20"):
        Archive.of(Path(name))


@pytest.mark.parametrize(
    ("name", "kind", "symbol"),
    [
        ("2024-12-01_XRPUSDT_ob500.data.zip", "book", "XRPUSDT"),
        ("2025-12-01_1000PEPEUSDT_ob200.data.zip", "book", "1000PEPEUSDT"),
        ("2025-12-01_BTC-27MAR26_ob1000.data.zip", "book", "BTC-27MAR26"),
        ("1000PEPEUSDT2025-12-01.csv.gz", "trades", "1000PEPEUSDT"),
        ("BTCPERP2025-12-01.csv.gz", "trades", "BTCPERP"),
    ],
)
def test_names_tell_kind_and_symbol(name: str, kind: str, symbol: str) -> None:
    archive = Archive.of(Path(name))
    assert (archive.kind, archive.symbol) == (kind, symbol)


def test_a_kill_leaves_a_readable_catalog_and_the_next_import_completes_it(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog"
    run(files[1], "--catalog", catalog)
    before = state(catalog)
    # A row group of the large file is written long before its end: there the child stops itself, and is killed.
    large = book_zip(tmp_path, [line(SNAPSHOT), *changes(2 * ROW_GROUP_ROWS // 10)])
    child = subprocess.Popen([sys.executable, "-c", _STOPPING_IMPORT, str(large), "--catalog", str(catalog)])
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), "the child ended before it was to be killed"
    (staged,) = (catalog / "fathom" / "staging").glob("*/rows.parquet")
    assert staged.stat().st_size > 0
    os.kill(child.pid, signal.SIGKILL)
    child.wait()

    assert state(catalog) == before
    assert sum(len(rows) for rows in Catalog(catalog).events(ID)) == 30
    assert len(ParquetDataCatalog(str(catalog)).query_trade_ticks([ID])) == 30
    result = run(large, "--catalog", catalog)
    assert result.exit_code == 0, result.output
    assert "already" not in result.output
    assert not staged.exists()
    entry = next(entry for entry in Ledger(catalog).entries() if entry.kind == "book")
    assert sum(len(rows) for rows in Catalog(catalog).events(ID, trades=False)) == entry.rows


def test_a_file_that_another_process_brings_meanwhile_is_imported_once(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    catalog = Catalog(tmp_path)
    ours = Archive.of(files[1])
    instrument = default_instruments()["BTCUSDT"]
    others: list[Imported] = []

    def meanwhile(size: int) -> None:
        if not others:
            others.append(import_archive(ours, instrument, catalog, Timing()))

    done = import_archive(ours, instrument, catalog, Timing(), meanwhile)
    assert (others[0].already, done.already) == (False, True)
    assert done.entry == others[0].entry
    assert len(Ledger(tmp_path).entries()) == 1


def test_a_disk_that_refuses_is_told_without_a_traceback(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "catalog/x")

    monkeypatch.setattr(RowWriter, "_put", full)
    result = run(files[1], "--catalog", tmp_path)
    assert result.exit_code == 1
    assert "Expected to read and write catalog/x, was: No space left on device." in " ".join(result.output.split())
    assert list(tmp_path.rglob("*.parquet")) == []
    assert list((tmp_path / "fathom" / "staging").iterdir()) == []


_STOPPING_IMPORT = """
import os, signal, sys
from fathom.data_catalog.store import writers
from fathom.commands.main import main

put = writers.RowWriter._put
def put_and_stop(self, batch):
    put(self, batch)
    os.kill(os.getpid(), signal.SIGSTOP)
writers.RowWriter._put = put_and_stop
main(["data", "import", "bybit", *sys.argv[1:]])
"""
