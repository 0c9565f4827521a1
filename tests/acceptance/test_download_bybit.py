"""`fathom data download bybit` against a server on loopback that holds the real archive files."""

import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fathom.commands.data.group import data
from fathom.data_catalog.catalog import Catalog
from tests.servers.archive_server import Answer, ArchiveServer, archive_server

pytestmark = pytest.mark.real_data

BOOK = "/linear/BTCUSDT/2024-08-08_BTCUSDT_ob1000.data.zip"
TRADES = "/trading/BTCUSDT/BTCUSDT2024-08-08.csv.gz"
XRP = "/linear/XRPUSDT/2024-12-01_XRPUSDT_ob500.data.zip"


@pytest.fixture
def archive(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("fathom.data_catalog.ingest.download.time.sleep", lambda secs: None)
    files = {path: (real_data / "perp-ticks" / path.rpartition("/")[2]).read_bytes() for path in (BOOK, TRADES)}
    files[XRP] = (real_data / "bybit-archive" / XRP.rpartition("/")[2]).read_bytes()
    with archive_server(files) as server:
        monkeypatch.setenv("FATHOM_BYBIT_BOOKS_URL", f"{server.url}/linear")
        monkeypatch.setenv("FATHOM_BYBIT_TRADES_URL", f"{server.url}/trading")
        yield server


def download(symbol: str, first: str, last: str, *options: str) -> Result:
    arguments = ["download", "bybit", symbol, "--from", first, "--to", last, *options]
    return CliRunner().invoke(data, arguments, env={"COLUMNS": "200"})


def test_brings_real_files_through_cuts_a_busy_server_and_a_missing_day(archive: ArchiveServer, tmp_path: Path) -> None:
    half = len(archive.files[BOOK]) // 2
    archive.script[BOOK].extend([Answer(cut_after=half), Answer(429, {"Retry-After": "3"})])
    archive.script[TRADES].extend([Answer(503), Answer(cut_after=1000)])
    arguments = ("BTCUSDT", "2024-08-07", "2024-08-08", "--depths", "500,1000", "--out", str(tmp_path))
    result = download(*arguments)
    assert result.exit_code == 0, result.output
    for path in (BOOK, TRADES):
        assert (tmp_path / path.rpartition("/")[2]).read_bytes() == archive.files[path]
    assert [asked.range for asked in archive.asked if asked.path == BOOK] == [None, f"bytes={half}-", f"bytes={half}-"]
    assert result.output.count("no file for that day") == 2
    assert "2 downloaded, 2 absent" in result.output

    asked = len(archive.asked)
    again = download(*arguments)
    assert again.exit_code == 0
    assert "2 kept, 2 absent" in again.output
    assert all(request.path not in (BOOK, TRADES) for request in archive.asked[asked:])


def test_what_came_can_be_imported_right_away(archive: ArchiveServer, tmp_path: Path) -> None:
    arguments = ("XRPUSDT", "2024-12-01", "2024-12-02", "--out", str(tmp_path / "archive"))
    for _ in range(2):
        result = download(*arguments, "--catalog", str(tmp_path / "catalog"))
        assert result.exit_code == 0, result.output
        [span] = Catalog(tmp_path / "catalog").spans()
        assert (span.data_type, span.identifier) == ("order_book_deltas", "XRPUSDT-LINEAR.BYBIT")


def test_ctrl_c_leaves_a_part_that_the_next_run_takes_up(archive: ArchiveServer, tmp_path: Path, project: Path) -> None:
    archive.script[BOOK].append(Answer(hold_after=1_000_000))
    arguments = ["bybit", "BTCUSDT", "--from", "2024-08-08", "--to", "2024-08-08", "--depths", "1000", "--books"]
    # A shell that runs the tests in the background lets them, and what they start, ignore Ctrl-C.
    heed = (
        "import signal; from fathom.commands.main import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); main()"
    )
    command = [sys.executable, "-c", heed, "data", "download", *arguments, "--out", str(tmp_path)]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert archive.holding.wait(timeout=60)
        part = tmp_path / (BOOK.rpartition("/")[2] + ".part")
        while not (part.is_file() and part.stat().st_size):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "Complete files stay; the same command goes on with the rest." in told
    assert "Traceback" not in told
    left = part.stat().st_size
    assert 0 < left <= 1_000_000
    assert download("BTCUSDT", "2024-08-08", "2024-08-08", *arguments[6:], "--out", str(tmp_path)).exit_code == 0
    assert archive.asked[-1].range == f"bytes={left}-"
    assert (tmp_path / BOOK.rpartition("/")[2]).read_bytes() == archive.files[BOOK]


def test_a_failed_day_gives_exit_code_1_and_the_others_come(archive: ArchiveServer, tmp_path: Path) -> None:
    archive.files[BOOK] = archive.files[BOOK][:-100]
    result = download("BTCUSDT", "2024-08-08", "2024-08-08", "--depths", "1000", "--out", str(tmp_path), "--json")
    assert result.exit_code == 1
    book, trades = json.loads(result.stdout)["files"]
    assert (book["status"], trades["status"]) == ("failed", "downloaded")
    assert "damaged: 2024-08-08_BTCUSDT_ob1000.data.zip" in book["detail"]
    assert [path.name for path in tmp_path.glob("*.*") if path.is_file()] == ["BTCUSDT2024-08-08.csv.gz"]


def test_the_byte_exact_archive_file_comes_with_the_settings_of_a_file(
    archive: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FATHOM_BYBIT_BOOKS_URL")
    config = tmp_path / "download.toml"
    config.write_text(f'books_url = "{archive.url}/linear"\nout = "{tmp_path / "there"}"\ndepths = [200, 500]\n')
    result = download("XRPUSDT", "2024-12-01", "2024-12-01", "--books", "--config", str(config))
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "there" / XRP.rpartition("/")[2]) as archived:
        assert archived.read("2024-12-01_XRPUSDT_ob500.data").count(b"\n") in (49, 50)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("btcusdt", "2024-08-08", "2024-08-08"), "Expected a symbol"),
        (("BTCUSDT", "2024-08-08", "2024-08-07"), "Expected --to on or after --from"),
        (("BTCUSDT", "8 August", "2024-08-07"), "does not match the format"),
        (("BTCUSDT", "2024-08-08", "2024-08-08", "--depths", "deep"), "Expected depths such as 500,200, was 'deep'"),
    ],
)
def test_a_wrong_call_asks_nothing(archive: ArchiveServer, arguments: tuple[str, ...], message: str) -> None:
    result = download(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert archive.asked == []


def test_a_misspelt_setting_is_named(archive: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "download.toml").write_text("atempts = 3\n")
    result = download("BTCUSDT", "2024-08-08", "2024-08-08", "--config", str(tmp_path / "download.toml"))
    assert result.exit_code == 2
    assert "atempts" in result.output
