"""Gaps, reconnections and bad snapshots of Bybit files: told, refused with --strict, and holes for every reader."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from fathom.backtests.backtest import run as backtest
from fathom.backtests.setup.run_files import RunFiles
from fathom.commands.main import main
from fathom.data_catalog.catalog import Catalog
from fathom.detectors import QuoteStuffingConfig, Surveillance, SurveillanceConfig
from fathom.market.events import Action, Flag, Kind
from fathom.market.follow import BookFollower
from fathom.market.lifecycle import UNSURE
from fathom.ml.features import FeatureConfig, FeatureSet
from fathom.ml.features.laws import check_feature_set
from tests.makers.bybit_files import book_zip, line, message, trade, trades_gz
from tests.makers.feature_replay import assert_same, make_actor, offline, replay
from tests.makers.odd_strategies import SCRIPT
from tests.makers.small_market import BTC, config_file

T0, COUNT = 1_723_161_256_500, 400  # ms; a message every 100 ms
BIDS, ASKS = [(f"{61_800 - n}.00", "2") for n in range(10)], [(f"{61_801 + n}.00", "2") for n in range(10)]


def messages() -> list[dict[str, Any]]:
    """Return a snapshot and changes for 40 s, with a snapshot of the same at 20 s; update ids go up by one."""
    found = [message(T0, kind="snapshot", bids=BIDS, asks=ASKS, u=1, seq=1)]
    for n in range(1, COUNT):
        at: dict[str, Any] = {"ts": T0 + 100 * n, "u": n + 1, "seq": n + 1}
        if n == 200:
            found.append(message(kind="snapshot", bids=BIDS, asks=ASKS, **at))
        else:
            found.append(message(bids=[(f"{61_800 - n % 10}.00", f"{2 + n % 3}")], **at))
    return found


def gap(found: list[dict[str, Any]]) -> None:
    del found[100:103]


def crossed(found: list[dict[str, Any]]) -> None:
    found[100] = message(T0 + 10_000, kind="snapshot", bids=[("61805.00", "1")], asks=ASKS, u=101, seq=101)


def one_sided(found: list[dict[str, Any]]) -> None:
    found[100] = message(T0 + 10_000, kind="snapshot", bids=BIDS, u=101, seq=101)


def reconnect(found: list[dict[str, Any]]) -> None:
    del found[100:200]


FAULTS = {
    gap: "1 break in the update ids (changes are missing or doubled), first at line 101: 104 after 100",
    crossed: "1 snapshot with the best bid above the best ask, first at line 101: bid 61805.00, ask 61801.00",
    one_sided: "1 snapshot without one side, first at line 101: bids 10, asks 0",
    reconnect: "1 snapshot after a break of the feed, first at line 101: 10100 ms after the message before",
}
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)


def import_(folder: Path, fault: Any, *options: str) -> Result:
    found = messages()
    fault(found)
    seconds = (T0 // 1000 + n + 0.7 for n in range(39))
    files = book_zip(folder, map(line, found)), trades_gz(folder, [trade(f"{at:.1f}") for at in seconds])
    arguments = ["data", "import", "bybit", *map(str, files), "--catalog", str(folder / "catalog"), *options]
    return CliRunner().invoke(main, arguments)


def rows_of(folder: Path) -> NDArray[np.void]:
    return np.concatenate(list(Catalog(folder / "catalog").events(BTC)))


def secs(times: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray((times - T0 * 10**6) / 1e9)


@each_fault
def test_the_import_tells_line_and_value_and_strict_refuses(tmp_path: Path, fault: Any) -> None:
    refused = import_(tmp_path, fault, "--strict")
    assert refused.exit_code == 1
    assert FAULTS[fault] in refused.output.replace("\n", " ")
    assert not list((tmp_path / "catalog").rglob("*.parquet"))
    told = import_(tmp_path, fault)
    assert told.exit_code == 0
    assert FAULTS[fault] in told.output
    if fault is not reconnect:  # between the last message and a reconnection there is none to leave out
        assert "the book is unsure until the next good snapshot" in told.output
    checked = CliRunner().invoke(main, ["data", "check", "--catalog", str(tmp_path / "catalog")])
    assert "the book is unknown from here to the next snapshot" in " ".join(checked.output.split())
    assert checked.exit_code == (1 if fault is gap else 0)  # `check` holds broken update ids for an error


def test_a_sound_file_passes_strict_and_has_no_hole(tmp_path: Path) -> None:
    assert import_(tmp_path, lambda found: None, "--strict").exit_code == 0
    rows = rows_of(tmp_path)
    assert np.count_nonzero(rows["action"] == Action.CLEAR) == 2
    assert np.count_nonzero(rows["kind"] == Kind.BOOK) == 2 * 21 + COUNT - 2
    book = BookFollower()
    for row in np.split(rows, len(rows)):
        book.update(row)
        assert book.book.head[UNSURE] == 0


@each_fault
def test_the_book_is_empty_and_unsure_until_the_next_snapshot(tmp_path: Path, fault: Any) -> None:
    import_(tmp_path, fault)
    rows = rows_of(tmp_path)
    book, states = BookFollower(), []
    for row in np.split(rows, len(rows)):
        book.update(row)
        states.append((book.book.head[UNSURE] == 1, book.touch is None))
    whole = (rows["kind"] == Kind.TRADE) | (rows["flags"] & Flag.LAST > 0)  # not within a message
    rows, (unsure, empty) = rows[whole], np.array(states)[whole].T
    at = secs(rows["ts_init"])
    np.testing.assert_array_equal(unsure, empty)
    expected = (at > 10.0) & (at < 20.0)
    np.testing.assert_array_equal(unsure[expected], True)
    assert not unsure[(at < 9.8) | (at > 20.0)].any()
    assert not (expected & (rows["kind"] == Kind.BOOK)).any()


@each_fault
def test_features_are_nan_then_in_both_drivers(tmp_path: Path, fault: Any) -> None:
    import_(tmp_path, fault)
    rows = rows_of(tmp_path)

    def make() -> FeatureSet:
        config = FeatureConfig(groups=("orderbook",), features="all", max_silence_ms=60_000)
        return FeatureSet(config, price_increment=0.1, size_increment=0.001)

    features = make()
    vectors = features.update_many(rows)
    at = secs(vectors.ts)
    hole = (at > 10.0) & (at < 20.0)
    assert hole.sum() == 10
    assert np.isnan(vectors.values[hole]).all()
    mid = vectors.values[:, features.schema.index("mid_price")]
    np.testing.assert_array_equal(mid[~hole & (at > 1)], 61_800.5)
    check_feature_set(make, rows)


@pytest.mark.parametrize("source", ["objects", "catalog"])
@each_fault
def test_the_live_actor_says_the_same(tmp_path: Path, fault: Any, source: str) -> None:
    import_(tmp_path, fault)
    catalog = tmp_path / "catalog"
    config = FeatureConfig(groups=("orderbook",), max_silence_ms=60_000)
    rows_from = {"rows_from": str(catalog)} if source == "catalog" else {}
    said = replay(catalog, make_actor(BTC, features=config, **rows_from)).of(BTC)
    batch = offline(catalog, BTC, config)
    hole = (secs(batch.ts) > 10.0) & (secs(batch.ts) < 20.0)
    assert np.isnan(batch.values[hole]).all()
    assert hole.sum() == 10
    assert_same(type(said)(said.ts[: len(batch.ts)], said.values[: len(batch.ts)]), batch)


@each_fault
def test_detectors_are_silent_then(tmp_path: Path, fault: Any) -> None:
    def alerts_of(rows: NDArray[np.void]) -> NDArray[np.float64]:
        always = SurveillanceConfig(quote_stuffing=QuoteStuffingConfig(threshold=0.01, weights=(8.0, 0, 0, 0, 0)))
        return secs(Surveillance(always).update(rows)["ts_init"])

    import_(tmp_path, lambda found: None)
    loud = alerts_of(rows_of(tmp_path))
    assert ((loud > 10.0) & (loud < 20.0)).any()
    (tmp_path / "again").mkdir()
    import_(tmp_path / "again", fault)
    quiet = alerts_of(rows_of(tmp_path / "again"))
    assert not ((quiet > 10.0) & (quiet < 20.0)).any()
    assert (quiet > 20.0).any()


@each_fault
def test_a_backtest_fills_nothing_then_and_says_why(tmp_path: Path, fault: Any) -> None:
    import_(tmp_path, fault)
    script = 'orders = [[5, "BUY", "0.100"], [15, "BUY", "0.100"], [30, "SELL", "0.100"]]'
    config = config_file(tmp_path, tmp_path / "catalog", strategy=SCRIPT, more=script)
    files = RunFiles(backtest([config], out=tmp_path / "runs").path)
    assert files.table("orders")["status"].to_pylist() == ["FILLED", "REJECTED", "FILLED"]
    assert files.table("fills")["book_state"].to_pylist() == ["sound", "sound"]
    [note] = [note for note in files.summary()["notes"] if "unsure" in note]
    assert note.startswith(
        f"The book of {BTC} was unsure 1 time after gaps or bad snapshots, first at 2024-08-08T23:54:26"
    )
    assert "for 10.0 s in all" in note or "for 10.1 s in all" in note
    for page in ("tearsheet", "execution"):
        assert "was unsure 1 time" in (files.path / f"{page}.html").read_text()
