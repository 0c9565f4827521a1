import gzip
import io
import json
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from fathom.data_catalog.errors import DownloadError
from fathom.data_catalog.ingest.archive_files import ArchiveFile, bybit_files
from fathom.data_catalog.ingest.download import Download, Outcome, Patience
from fathom.data_catalog.ingest.transfer import verify
from tests.servers.archive_server import Answer, ArchiveServer, archive_server

DAY = date(2024, 8, 8)
NAME = "2024-08-08_XYZUSDT_ob500.data.zip"
PATH = f"/linear/XYZUSDT/{NAME}"
TRADES = "/trading/XYZUSDT/XYZUSDT2024-08-08.csv.gz"


def zipped(text: bytes, name: str = "2024-08-08_XYZUSDT_ob500.data") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2024, 8, 9, 0, 0, 0)), text)
    return buffer.getvalue()


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


BOOK = zipped(noise(300_000, 1))
OTHER_BOOK = zipped(noise(300_000, 2))  # same length, other bytes
TRADE = gzip.compress(noise(200_000, 3), mtime=0)


@dataclass
class Bench:
    """A server, a folder, and a clock that only counts."""

    server: ArchiveServer
    folder: Path
    waits: list[float] = field(default_factory=list)
    seen: list[tuple[str, int, int | None]] = field(default_factory=list)

    def files(self, *, books: bool = True, trades: bool = False, last: date = DAY) -> list[ArchiveFile]:
        return bybit_files(
            "XYZUSDT",
            DAY,
            last,
            books=books,
            trades=trades,
            depths=(500,),
            books_url=f"{self.server.url}/linear",
            trades_url=f"{self.server.url}/trading/",
        )

    def bring(self, files: list[ArchiveFile] | None = None, **patience: float) -> list[Outcome]:
        settings = Patience(attempts=int(patience.pop("attempts", 6)), **patience)
        with Download(self.folder, settings, sleep=self.waits.append, jitter=lambda: 0.0) as download:
            return list(download.bring(files or self.files(), lambda *progress: self.seen.append(progress)))

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with archive_server({PATH: BOOK, TRADES: TRADE}) as server:
        yield Bench(server, tmp_path / "archive")


def test_brings_a_file_byte_for_byte_and_asks_for_it_unchanged_by_the_way(bench: Bench) -> None:
    [outcome] = bench.bring()
    assert (outcome.status, outcome.size, outcome.requests, outcome.resumed_at) == ("downloaded", len(BOOK), 1, 0)
    assert outcome.path is not None
    assert outcome.path.read_bytes() == BOOK
    assert bench.names() == [NAME]
    assert bench.server.asked[0].accept_encoding == "identity"
    assert bench.seen[0] == (NAME, 0, len(BOOK))
    assert bench.seen[-1] == (NAME, len(BOOK), len(BOOK))


def test_a_second_run_asks_for_nothing(bench: Bench) -> None:
    bench.bring(bench.files(trades=True))
    asked = len(bench.server.asked)
    again = bench.bring(bench.files(trades=True))
    assert [outcome.status for outcome in again] == ["kept", "kept"]
    assert len(bench.server.asked) == asked


@pytest.mark.parametrize("cut", [1, 1000, len(BOOK) - 1])
def test_a_cut_connection_is_taken_up_where_it_broke(bench: Bench, cut: int) -> None:
    bench.server.script[PATH].append(Answer(cut_after=cut))
    [outcome] = bench.bring()
    assert (outcome.status, outcome.requests, outcome.resumed_at) == ("downloaded", 2, cut)
    assert outcome.path is not None
    assert outcome.path.read_bytes() == BOOK
    assert [asked.range for asked in bench.server.asked] == [None, f"bytes={cut}-"]
    assert bench.server.asked[1].if_range is not None
    assert bench.waits == [1.0]


def test_a_line_that_always_breaks_but_moves_on_gets_there_with_few_attempts(bench: Bench) -> None:
    bench.server.script[PATH].extend([Answer(cut_after=30_000)] * 9)
    [outcome] = bench.bring(attempts=2)
    assert (outcome.status, outcome.requests) == ("downloaded", 10)


def test_a_later_run_takes_up_what_an_earlier_one_left(bench: Bench) -> None:
    bench.server.script[PATH].append(Answer(cut_after=12_345))
    [first] = bench.bring(attempts=1)
    assert first.status == "failed"
    assert bench.names() == [f"{NAME}.part"]
    [second] = bench.bring()
    assert (second.status, second.requests, second.resumed_at) == ("downloaded", 1, 12_345)
    assert (bench.folder / NAME).read_bytes() == BOOK
    assert bench.names() == [NAME]


def test_an_interrupt_leaves_a_part_that_the_next_run_takes_up(bench: Bench) -> None:
    def interrupt(name: str, done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    big = zipped(noise(3_000_000, 4))
    bench.server.files[PATH] = big
    with Download(bench.folder) as download, pytest.raises(KeyboardInterrupt):
        list(download.bring(bench.files(), interrupt))
    assert bench.names() == [f"{NAME}.part"]
    [outcome] = bench.bring()
    assert outcome.status == "downloaded"
    assert 0 < outcome.resumed_at < len(big)
    assert (bench.folder / NAME).read_bytes() == big


def test_a_run_killed_before_the_proof_needs_no_request(bench: Bench) -> None:
    bench.bring()
    (bench.folder / NAME).rename(bench.folder / f"{NAME}.part")
    [outcome] = bench.bring()
    assert (outcome.status, outcome.requests) == ("downloaded", 0)
    assert (bench.folder / NAME).read_bytes() == BOOK


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(Answer(body=OTHER_BOOK), id="the server sees that the file changed"),
        pytest.param(Answer(body=OTHER_BOOK, honours_if_range=False), id="only the tag of the answer tells"),
        pytest.param(Answer(body=OTHER_BOOK, honours_if_range=False, validators=False), id="the tag is gone"),
        pytest.param(Answer(body=zipped(noise(100_000, 5)), honours_if_range=False), id="the size changed"),
        pytest.param(Answer(body=zipped(b"short"), honours_if_range=False), id="shorter than the part: 416"),
    ],
)
def test_a_file_that_changed_between_the_attempts_is_brought_from_the_start(bench: Bench, second: Answer) -> None:
    bench.server.script[PATH].extend([Answer(cut_after=50_000), second])
    [outcome] = bench.bring()
    assert (outcome.status, outcome.resumed_at) == ("downloaded", 0)
    assert (bench.folder / NAME).read_bytes() == second.body


def test_a_changed_file_that_no_header_betrays_is_caught_by_its_checksum(bench: Bench) -> None:
    no_tag = Answer(cut_after=200_000, validators=False)
    bench.server.script[PATH].extend([no_tag, Answer(body=OTHER_BOOK)])
    [outcome] = bench.bring()
    assert (outcome.resumed_at, bench.server.asked[1].range) == (0, None), "a part without validators is not continued"
    assert (bench.folder / NAME).read_bytes() == OTHER_BOOK


def test_a_weak_tag_is_not_used_to_continue_a_file(bench: Bench) -> None:
    bench.server.script[PATH].extend([Answer(cut_after=1000, etag_prefix="W/"), Answer(etag_prefix="W/")])
    [outcome] = bench.bring()
    assert outcome.resumed_at == 1000
    assert bench.server.asked[1].if_range is not None
    assert bench.server.asked[1].if_range.endswith("GMT")


@pytest.mark.parametrize(
    "second", [Answer(honours_range=False), Answer(shift_range=-7), Answer(shift_range=3)], ids=["200", "early", "late"]
)
def test_a_server_that_sends_another_range_than_asked_for_spoils_nothing(bench: Bench, second: Answer) -> None:
    bench.server.script[PATH].extend([Answer(cut_after=50_000), second])
    [outcome] = bench.bring()
    assert (outcome.status, outcome.resumed_at) == ("downloaded", 0)
    assert (bench.folder / NAME).read_bytes() == BOOK


def test_waits_as_long_as_a_busy_server_asks(bench: Bench) -> None:
    bench.server.script[PATH].extend([Answer(429, {"Retry-After": "7"}), Answer(503), Answer(500)])
    [outcome] = bench.bring()
    assert (outcome.status, outcome.requests) == ("downloaded", 4)
    assert bench.waits == [7.0, 2.0, 4.0]


def test_understands_a_date_and_ignores_nonsense_in_retry_after(bench: Bench) -> None:
    soon = format_datetime(datetime.now().astimezone() + timedelta(seconds=90))
    bench.server.script[PATH].extend([Answer(503, {"Retry-After": soon}), Answer(503, {"Retry-After": "later"})])
    [outcome] = bench.bring()
    assert outcome.status == "downloaded"
    assert 60.0 < bench.waits[0] <= 90.0
    assert bench.waits[1] == 2.0


def test_does_not_sleep_for_hours(bench: Bench) -> None:
    bench.server.script[PATH].append(Answer(429, {"Retry-After": "7200"}))
    [outcome] = bench.bring()
    assert outcome.status == "failed"
    assert "7,200 s" in outcome.detail
    assert bench.waits == []


def test_gives_up_after_the_stated_attempts_and_goes_on(bench: Bench) -> None:
    bench.server.script[PATH].extend([Answer(503)] * 9)
    book, trades = bench.bring(bench.files(trades=True), attempts=3)
    assert (book.status, book.requests) == ("failed", 3)
    assert "503" in book.detail
    assert "3 attempts" in book.detail
    assert trades.status == "downloaded"
    assert bench.waits == [1.0, 2.0]


def test_the_waits_double_up_to_the_longest_and_jitter_shortens_them() -> None:
    patience = Patience(first_wait_secs=0.5, longest_wait_secs=3.0)
    assert [patience.wait_secs(n, 0.0) for n in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert patience.wait_secs(1, 0.5) == 0.75
    assert patience.wait_secs(10**6, 0.0) == 3.0


def test_no_file_for_a_day_is_no_failure(bench: Bench) -> None:
    outcomes = bench.bring(bench.files(last=date(2024, 8, 10)))
    assert [outcome.status for outcome in outcomes] == ["downloaded", "absent", "absent"]
    assert all(outcome.ok for outcome in outcomes)
    assert bench.waits == []


@pytest.mark.parametrize("status", [400, 401, 403, 410])
def test_other_refusals_fail_at_once_and_name_the_address(bench: Bench, status: int) -> None:
    bench.server.script[PATH].append(Answer(status))
    [outcome] = bench.bring()
    assert (outcome.status, outcome.requests) == ("failed", 1)
    assert str(status) in outcome.detail
    assert bench.server.url in outcome.detail


def test_a_server_that_is_not_there_fails_after_the_attempts(bench: Bench) -> None:
    [outcome] = bench.bring([ArchiveFile("book", DAY, (f"http://127.0.0.1:1{PATH}",))], attempts=2)
    assert (outcome.status, outcome.requests) == ("failed", 2)
    assert "connection broke" in outcome.detail


def test_an_address_that_is_none_fails_at_once(bench: Bench) -> None:
    [outcome] = bench.bring([ArchiveFile("book", DAY, (f"ftp://127.0.0.1{PATH}",))])
    assert (outcome.status, bench.waits) == ("failed", [])
    assert "Expected an address that can be asked" in outcome.detail


def test_a_folder_that_cannot_hold_the_file_is_told_and_not_retried(bench: Bench) -> None:
    (bench.folder / f"{NAME}.part" / "in the way").mkdir(parents=True)
    [outcome] = bench.bring()
    assert (outcome.status, bench.waits) == ("failed", [])
    assert f"{NAME}.part" in outcome.detail


@pytest.mark.parametrize(
    "body",
    [BOOK[:-30], BOOK[:100_000] + b"\0" * 16 + BOOK[100_016:], b"<html>sorry</html>", zipfile.ZipFile],
    ids=["truncated", "flipped", "no zip", "no member"],
)
def test_a_damaged_zip_never_gets_its_name(bench: Bench, body: object) -> None:
    if not isinstance(body, bytes):
        buffer = io.BytesIO()
        zipfile.ZipFile(buffer, "w").close()
        body = buffer.getvalue()
    bench.server.files[PATH] = body
    [outcome] = bench.bring()
    assert (outcome.status, outcome.requests) == ("failed", 2)
    assert NAME in outcome.detail
    assert bench.names() == []


@pytest.mark.parametrize("body", [TRADE[:-5], TRADE[:1000] + b"\0" * 9 + TRADE[1009:], b"", b"a,b\n", TRADE + b"junk"])
def test_a_damaged_gzip_never_gets_its_name(bench: Bench, body: bytes) -> None:
    bench.server.files[TRADES] = body
    [outcome] = bench.bring(bench.files(books=False, trades=True))
    assert outcome.status == "failed"
    assert "XYZUSDT2024-08-08.csv.gz" in outcome.detail
    assert bench.names() == []


def test_damage_on_the_way_is_mended_by_another_attempt(bench: Bench) -> None:
    bench.server.script[PATH].extend([Answer(body=BOOK[:-30]), Answer(body=BOOK)])
    [outcome] = bench.bring()
    assert (outcome.status, outcome.requests) == ("downloaded", 2)


def test_a_server_that_states_no_length_is_trusted_only_with_the_checksum(bench: Bench) -> None:
    bench.server.script[PATH].extend([Answer(states_length=False, cut_after=1000), Answer(states_length=False)])
    [outcome] = bench.bring()
    assert (outcome.status, outcome.size, outcome.requests) == ("downloaded", len(BOOK), 2)


def test_a_file_put_there_by_hand_is_proved_and_kept_or_brought_again(bench: Bench) -> None:
    bench.folder.mkdir()
    (bench.folder / NAME).write_bytes(BOOK)
    assert [outcome.status for outcome in bench.bring()] == ["kept"]
    (bench.folder / NAME).write_bytes(BOOK[:-1])
    assert [outcome.status for outcome in bench.bring()] == ["downloaded"]
    assert (bench.folder / NAME).read_bytes() == BOOK


def test_a_part_without_a_readable_note_is_not_continued(bench: Bench) -> None:
    bench.server.script[PATH].append(Answer(cut_after=1000))
    bench.bring(attempts=1)
    (bench.folder / ".fathom" / f"{NAME}.json").write_text(json.dumps({"colour": "blue"}))
    [outcome] = bench.bring()
    assert (outcome.status, outcome.resumed_at) == ("downloaded", 0)


def test_the_depths_are_tried_in_order(bench: Bench) -> None:
    [file] = bybit_files("XYZUSDT", DAY, DAY, books=True, depths=(1000, 500), books_url=f"{bench.server.url}/linear")
    [outcome] = bench.bring([file])
    assert (outcome.status, outcome.requests) == ("downloaded", 2)
    assert outcome.path is not None
    assert outcome.path.name == NAME
    assert [asked.path.rpartition("_")[2] for asked in bench.server.asked] == ["ob1000.data.zip", "ob500.data.zip"]
    assert bench.bring([file])[0].status == "kept", "no depth is asked for once one of them is here"


def test_lists_every_day_of_both_kinds() -> None:
    files = bybit_files("BTCUSDT", date(2024, 2, 28), date(2024, 3, 1), books=True, trades=True)
    assert [(file.kind, file.day.day) for file in files] == [
        (kind, day) for day in (28, 29, 1) for kind in ("book", "trades")
    ]
    assert files[0].urls == (
        "https://quote-saver.bycsi.com/orderbook/linear/BTCUSDT/2024-02-28_BTCUSDT_ob500.data.zip",
        "https://quote-saver.bycsi.com/orderbook/linear/BTCUSDT/2024-02-28_BTCUSDT_ob200.data.zip",
    )
    assert files[1].urls == ("https://public.bybit.com/trading/BTCUSDT/BTCUSDT2024-02-28.csv.gz",)


@pytest.mark.parametrize("symbol", ["btcusdt", "BTC/USDT", "../../etc", "", "BTC USDT"])
def test_refuses_what_is_no_symbol(symbol: str) -> None:
    with pytest.raises(DownloadError, match="Expected a symbol"):
        bybit_files(symbol, DAY, DAY, books=True)


def test_refuses_days_that_run_backwards_and_no_depth() -> None:
    with pytest.raises(DownloadError, match="--from 2024-08-08 --to 2024-08-07"):
        bybit_files("BTCUSDT", DAY, date(2024, 8, 7), books=True)
    with pytest.raises(DownloadError, match="at least one book depth"):
        bybit_files("BTCUSDT", DAY, DAY, books=True, depths=())


def test_verify_refuses_what_it_cannot_prove(tmp_path: Path) -> None:
    (tmp_path / "book.csv").write_text("a,b\n")
    with pytest.raises(DownloadError, match=r"Expected a \.zip or \.gz file, was book\.csv"):
        verify(tmp_path / "book.csv")
