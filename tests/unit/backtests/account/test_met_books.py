"""Fills in books that cannot be or are old: counted in the notes, told on the page, kept beside each fill."""

import re
from pathlib import Path

import numpy as np
import pytest

from fathom.backtests.backtest import run
from fathom.backtests.setup.run_files import RunFiles
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.market.events import Side
from tests.makers.odd_strategies import SCRIPT
from tests.makers.reading_pages import rows
from tests.makers.small_market import BTC, SECOND, START, book_rows, config_file, trade_rows

CROSSED, HOLE = (10, 12), (20, 45)
ORDERS = [[5, "BUY", "0.100"], [11, "SELL", "0.100"], [21, "BUY", "0.100"], [40, "SELL", "0.100"], [50, "BUY", "0.100"]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    """Run five orders through a book that is crossed for two seconds, and absent for twenty-five."""
    folder = tmp_path_factory.mktemp("met")
    book = book_rows(60.0, lambda second: 600_000)
    seconds = (book["ts_init"] - START) / SECOND
    crossed = (seconds >= CROSSED[0]) & (seconds < CROSSED[1]) & (book["side"] == Side.SELL)
    book["price"][crossed] -= 5
    book = book[(seconds <= HOLE[0]) | (seconds >= HOLE[1])]
    instrument, catalog = default_instruments()["BTCUSDT"], Catalog(folder / "catalog")
    with catalog.book_writer(instrument) as writer:
        writer.write(book)
    trades = trade_rows(60.0, lambda second: 600_000)
    with catalog.trade_writer(instrument) as writer:
        writer.write(trades, [str(number) for number in range(len(trades))])
    script = f"orders = {ORDERS}".replace("'", '"')
    config = config_file(folder, catalog.path, strategy=SCRIPT, more=script)
    return RunFiles(run([config], out=folder / "runs").path)


def test_each_fill_knows_its_book(made: RunFiles) -> None:
    fills = made.table("fills")
    assert fills["book_state"].to_pylist() == ["sound", "crossed", "hole", "stale", "sound"]
    np.testing.assert_allclose(fills["book_age_secs"], [0.02, 0.02, 1.02, 20.02, 0.02])


def test_the_notes_count_them(made: RunFiles) -> None:
    notes = [note for note in made.summary()["notes"] if "fills met" in note]
    assert [note.partition(":")[0].partition(",")[0] for note in notes] == [
        "1 of 5 fills met a crossed book",
        "1 of 5 fills met a book older than venue.stale_book_secs",
        "1 of 5 fills met a hole of the data",
    ]
    assert f"first {BTC} at 2024-08-09T00:00:11.020Z (bid 60000, ask 59999.6)" in notes[0]
    assert "(20.0 s old)" in notes[1]
    assert "(no change from 2024-08-09T00:00:20.000Z to 2024-08-09T00:00:45.000Z)" in notes[2]


def test_the_pages_tell_them(made: RunFiles) -> None:
    page = (made.path / "execution.html").read_text()
    table = rows(page)
    for name, count in (("A crossed book", "1"), ("A book older", "1"), ("A hole", "1"), ("A sound book", "2")):
        [row] = [row for label, row in table.items() if label.startswith(name)]
        assert row[0] == count
    for name in ("execution", "tearsheet"):
        assert len(re.findall("1 of 5 fills met", (made.path / f"{name}.html").read_text())) == 3


@pytest.mark.parametrize(("secs", "states"), [(30.0, ["sound", "crossed", *["sound"] * 3]), (0.01, ["stale"] * 5)])
def test_the_bound_is_the_users(made: RunFiles, tmp_path: Path, secs: float, states: list[str]) -> None:
    config = made.path / "config.toml"
    again = RunFiles(run([config], out=tmp_path, assignments=[f"venue.stale_book_secs={secs}"], pages=False).path)
    states = [states[0], "crossed", *states[2:]]
    assert again.table("fills")["book_state"].to_pylist() == states
    assert again.table("fills").select(["ts_event", "price"]).equals(made.table("fills").select(["ts_event", "price"]))


def test_without_a_book_nothing_is_said_of_it(made: RunFiles, tmp_path: Path) -> None:
    config = made.path / "config.toml"
    bare = RunFiles(run([config], out=tmp_path, assignments=['data.types=["trades"]']).path)
    assert set(bare.table("fills")["book_state"].to_pylist()) == {None}
    assert "Books that the fills met" not in (bare.path / "execution.html").read_text()
    assert not [note for note in bare.summary()["notes"] if "fills met" in note]


def test_a_fill_in_an_unsure_book_is_told(tmp_path: Path) -> None:
    book = book_rows(60.0, lambda second: 600_000)
    seconds = (book["ts_init"] - START) / SECOND
    bids = (seconds >= 10) & (seconds < 20) & (book["side"] == Side.BUY)  # snapshots of asks alone, for ten seconds
    instrument, catalog = default_instruments()["BTCUSDT"], Catalog(tmp_path / "catalog")
    with catalog.book_writer(instrument) as writer:
        writer.write(book[~bids])
    trades = trade_rows(60.0, lambda second: 600_000)
    with catalog.trade_writer(instrument) as writer:
        writer.write(trades, [str(number) for number in range(len(trades))])
    script = 'orders = [[5, "BUY", "0.100"], [15, "BUY", "0.100"]]'
    config = config_file(tmp_path, catalog.path, strategy=SCRIPT, more=script)
    files = RunFiles(run([config], out=tmp_path / "runs").path)
    assert files.table("fills")["book_state"].to_pylist() == ["sound", "unsure"]
    first, second = [note for note in files.summary()["notes"] if "unsure" in note]
    assert first == (
        f"The book of {BTC} was unsure 1 time after gaps or bad snapshots, first at 2024-08-09T00:00:10.000Z, for "
        "10.0 s in all: no feature and no alert then."
    )
    assert second.startswith("1 of 2 fills met an unsure book")
