"""Odd files and absurd values: a clear error that names the file within a second, and never a traceback."""

import contextlib
import random
import time
from pathlib import Path

import pytest

from fathom.backtests.setup.config import load
from fathom.settings.errors import SettingsError
from fathom.settings.times import duration_ns
from fathom.settings.toml import read_toml

OK = 'name = "x"\n[data]\ncatalog = "c"\ninstruments = ["A.B"]\n[venue.fees]\nmaker = 0.1\ntaker = 0.1\n'
PARTS = ["", "[", "]", "=", '"', "\n", "9" * 30, "nan", "\u0660", "."]
FILES: dict[str, tuple[bytes, str]] = {
    "utf-16": (OK.encode("utf-16"), "Save it as UTF-8"),
    "latin 1": (b'name = "\xe9"\n', "Save it as UTF-8"),
    "binary": (b"\x00\x01\x02", "Expected a TOML file"),
    "blank lines": (b"\n" * 20_000_000, "at most 1,000,000 bytes, was 20,000,000"),
    "deep arrays": (b"x = " + b"[" * 10_000 + b"]" * 10_000, "within each other"),
    "deep keys": (b".".join([b"a"] * 5_000) + b" = 1\n", "at most 50 tables within each other"),
    "deep tables": (b"".join(b"[" + b".".join([b"a"] * depth) + b"]\n" for depth in range(1, 80)), "at most 50 tables"),
    "digits": (b"seed = " + b"9" * 5_000, "Exceeds the limit"),
    "twice": (b"a = 1\na = 2\n", "Expected a TOML file: "),
}


@pytest.mark.parametrize("name", FILES)
def test_an_odd_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    content, words = FILES[name]
    file = tmp_path / "odd.toml"
    file.write_bytes(content)
    began = time.monotonic()
    with pytest.raises(SettingsError, match=r"odd\.toml: Expected") as refused:
        load([file])
    assert words in str(refused.value)
    assert len(str(refused.value)) < 500
    assert time.monotonic() - began < 5.0


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "bom.toml"
    file.write_bytes(b"\xef\xbb\xbf" + OK.encode())
    assert read_toml(file)["name"] == "x"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("seed=99999999999999999999999", "seed"),
        ("seed=" + "9" * 5_000, "Expected a number of fewer digits"),
        ("seed=" + "[" * 5_000 + "]" * 5_000, "arrays less deep"),
        ("venue.orders_per_sec=1000000000", "venue.orders_per_sec"),
        ("venue.orders_per_sec=1e9", "venue.orders_per_sec"),
        ("venue.fees.maker=nan", "venue.fees.maker"),
        ("venue.fees.taker=-inf", "venue.fees.taker"),
        ("venue.leverage=1e308", "venue.leverage"),
        ("venue.starting_balance=0 USDT", "venue.starting_balance above 0"),
        (f"venue.starting_balance={'9' * 400} USDT", "venue.starting_balance above 0"),
        ("data.chunk_events=10000000000000000000", "data.chunk_events"),
        ("report.equity_interval=999999999999999d", "at most 100 years"),
        ("report.equity_interval=" + "1d" * 1_000, "Expected a duration such as"),
        ("data.start=0000-01-01T00:00:00Z", "data.start"),
    ],
)
def test_an_absurd_value_is_refused_by_its_place(tmp_path: Path, change: str, words: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(OK)
    with pytest.raises(SettingsError) as refused:
        load([file], [change])
    assert words in str(refused.value)
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("text", ["", "0s", "5", "1h 30m", "-1s", "1e3s", "101000d", "\u0661s"])
def test_no_duration(text: str) -> None:
    with pytest.raises(SettingsError, match="Expected a duration"):
        duration_ns(text)


@pytest.mark.parametrize("seed", range(200))
def test_no_text_breaks_the_reading_of_settings(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    letters = list(OK)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(letters))
        letters[at : at + rng.randint(0, 3)] = rng.choice(
            ["", "[", "]", "=", '"', "\n", "9" * 30, "nan", "\u0660", "."]
        )
    file = tmp_path / "fuzz.toml"
    file.write_text("".join(letters), encoding="utf-8")
    with contextlib.suppress(SettingsError):  # any other error is a defect
        load([file])
