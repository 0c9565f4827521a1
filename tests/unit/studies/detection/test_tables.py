"""The tables of a detection run, and what it stores in the catalog, are whole or not there."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fathom.data_catalog.instruments import Grid, default_instruments
from fathom.data_catalog.messages.detections import LevelUpdate, ManipulationAlert
from fathom.studies.detection import run
from fathom.studies.detection.run import Market, store, write_tables
from tests.makers.alerts import alert

BTC = "BTCUSDT-LINEAR.BYBIT"


def market(count: int) -> Market:
    made = Market(Grid.of(default_instruments()["BTCUSDT"]))
    made.found = {ManipulationAlert: [alert(BTC, number + 1) for number in range(count)], LevelUpdate: []}
    return made


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def failing(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, after: int) -> None:
    original, calls = getattr(place, name), 0

    def spoiled(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > after:
            raise OSError(28, "No space left on device")
        return original(*arguments, **options)

    monkeypatch.setattr(place, name, spoiled)


@pytest.mark.parametrize("after", [0, 1])
def test_a_full_disk_leaves_the_tables_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    assert {path.name for path in write_tables(tmp_path, [market(2)])} == {"alerts.parquet", "levels.parquet"}
    before = files(tmp_path)
    failing(monkeypatch, pq, "write_table", after)
    with pytest.raises(OSError, match="No space left"):
        write_tables(tmp_path, [market(5)])
    assert files(tmp_path) == before
    monkeypatch.undo()
    write_tables(tmp_path, [market(5)])
    assert files(tmp_path).keys() == before.keys()
    assert files(tmp_path) != before


def test_what_is_stored_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    markets = [market(3)]
    failing(monkeypatch, run, "ParquetDataCatalog", 0)
    with pytest.raises(OSError, match="No space left"):
        store(tmp_path, markets)
    assert files(tmp_path) == {}
    monkeypatch.undo()
    (tmp_path / "fathom" / ".detections.part" / "data").mkdir(parents=True)
    (tmp_path / "fathom" / ".detections.part" / "data" / "half.parquet").write_bytes(b"x")  # of a killed process
    assert store(tmp_path, markets) == 3
    (name,) = files(tmp_path)
    assert name.startswith("data/custom/ManipulationAlert/")
    assert not (tmp_path / "fathom" / ".detections.part").exists()
