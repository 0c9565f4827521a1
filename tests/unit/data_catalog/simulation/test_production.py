from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.quality.check import check
from fathom.data_catalog.simulation import production
from fathom.data_catalog.simulation.config import Feed, InstrumentSpec, Rpi, Simulation
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.moves import SimulationError
from fathom.data_catalog.simulation.production import simulate
from fathom.market.events import TradeFlag
from tests.makers.simulated_features import simulate_arrays

CONFIG = Simulation(scenario="x", duration_secs=25.0, feed=Feed(depth=50), rpi=Rpi(taker_share=0.2))
ID = "BTCUSDT-LINEAR.SIM"


def content(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_the_catalog_holds_the_rows_of_the_generator(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    (made,) = simulate(CONFIG, catalog, 3)
    book, trades, _ = simulate_arrays(CONFIG, 3, 25.0)
    read = np.concatenate(list(catalog.events(ID, trades=False)))
    tape = np.concatenate(list(catalog.events(ID, book=False)))
    for name in ("ts_event", "ts_init", "sequence", "price", "size", "action", "side", "flags"):
        assert (read[name] == book[name]).all(), name
        if name != "sequence":  # the engine's trades have an id instead
            assert (tape[name] == trades[name]).all(), name
    assert (tape["flags"] == TradeFlag.RPI).any()
    assert (made.book_rows, made.trades) == (len(book), len(trades))
    assert made.messages == len(np.unique(book["sequence"]))


def test_running_again_changes_nothing(tmp_path: Path) -> None:
    simulate(CONFIG, Catalog(tmp_path), 3)
    before = content(tmp_path)
    (made,) = simulate(CONFIG, Catalog(tmp_path), 3)
    assert made.already
    assert content(tmp_path) == before


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        simulate(CONFIG, Catalog(tmp_path / name), 3)
        files.append({k: v for k, v in content(tmp_path / name).items() if "lock" not in k})
    assert files[0] == files[1]
    assert f"fathom/truth/{ID}/optimum.json" in files[0]


def test_other_data_of_the_instrument_is_not_mixed_in(tmp_path: Path) -> None:
    simulate(CONFIG, Catalog(tmp_path), 3)
    before = content(tmp_path)
    other = msgspec.structs.replace(CONFIG, scenario="y")
    for config, seed in ((CONFIG, 4), (other, 3)):
        with pytest.raises(SimulationError, match="was scenario 'x' with seed 3 and other settings"):
            simulate(config, Catalog(tmp_path), seed)
    assert content(tmp_path) == before


def test_data_that_nobody_stamped_is_not_touched(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    book, _, _ = simulate_arrays(CONFIG, 3, 1.0)
    with catalog.book_writer(production.definition(InstrumentSpec())) as writer:
        writer.write(book)
    with pytest.raises(SimulationError, match="was data that no simulation stamped"):
        simulate(CONFIG, catalog, 3)


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> dict[str, bytes]:
        raise OSError("disk full")

    monkeypatch.setattr(production, "truth_files", broken)
    with pytest.raises(OSError, match="disk full"):
        simulate(CONFIG, Catalog(tmp_path), 3)
    assert [name for name in content(tmp_path) if not name.endswith(".lock")] == []


def test_a_run_killed_between_trades_and_book_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(CONFIG, Catalog(tmp_path / "whole"), 3)
    commit = Catalog.book_writer

    class Killed(BaseException):
        pass

    def dying(catalog: Catalog, instrument: Any) -> Any:
        writer = commit(catalog, instrument)
        monkeypatch.setattr(writer, "commit", lambda: (_ for _ in ()).throw(Killed()))
        return writer

    with monkeypatch.context() as patch:
        patch.setattr(Catalog, "book_writer", dying)
        with pytest.raises(Killed):
            simulate(CONFIG, Catalog(tmp_path / "cut"), 3)
    assert not (tmp_path / "cut" / "fathom" / "truth" / ID / "simulation.json").exists()
    assert Catalog(tmp_path / "cut").files("trades", ID)
    (made,) = simulate(CONFIG, Catalog(tmp_path / "cut"), 3)
    assert not made.already
    whole, cut = ({k: v for k, v in content(tmp_path / name).items() if "lock" not in k} for name in ("whole", "cut"))
    assert cut == whole


def test_the_check_finds_the_faults_of_a_stressed_market(tmp_path: Path, project: Path) -> None:
    config = load_scenario(project / "configs" / "simulation" / "stress.toml", ["duration_secs=900"])
    simulate(config, Catalog(tmp_path), 6)
    truth = pq.read_table(tmp_path / "fathom" / "truth" / ID / "disturbances.parquet").to_pandas()
    kinds = truth["kind"].value_counts()
    report = check(Catalog(tmp_path), max_hole_secs=4.0)
    found = {finding.check: finding.count for finding in report.findings if finding.data_type == "order_book_deltas"}
    assert report.worst == "error"
    gaps = truth.loc[truth["kind"] == "gap"].dropna(subset="sequence_after")
    assert found["sequence_skipped"] == (gaps["sequence_after"] > gaps["sequence_before"]).sum() > 0
    silent = truth.loc[truth["kind"].isin(["gap", "halt"])]
    long = (silent["ts_to"] - silent["ts_from"]).dt.total_seconds() > 4.1
    assert found["hole"] >= long.sum() > 0
    assert found["message_duplicated"] >= kinds["duplicate"] - 2 > 0
    for fault, finding in (("crossed", "crossed"), ("one_sided", "one_sided")):
        assert found[finding] >= kinds[fault] > 0, fault
    steps = truth.loc[truth["kind"] == "clock_step", "clock_step_ns"]
    assert found["event_time_backwards"] >= len(steps) > 0
    assert ("known_before_it_happened" in found) == (steps > 0).any()
