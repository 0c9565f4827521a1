"""Alerts of an actor in a catalog: what is stored, what a second run replaces, and what it leaves alone."""

from pathlib import Path

import pytest
from nautilus_trader.model import NautilusDataType
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.messages.detections import ManipulationAlert
from fathom.data_catalog.store import alert_store
from fathom.data_catalog.store.alert_store import AlertStore
from fathom.settings.times import interval_name
from tests.makers.alerts import alert
from tests.makers.small_market import BTC, START

SERIES = f"{BTC}.Detection-001"


def alert_at(ts_ns: int, name: str = "") -> ManipulationAlert:
    return alert(BTC, START + ts_ns, confidence=0.5, trace_id=name or f"at {ts_ns}")


def keep(catalog: Path, start: int, end: int, *alerts: ManipulationAlert, source: str = "Detection-001") -> int:
    store = AlertStore(catalog, BTC, source, start_ns=START + start)
    for each in alerts:
        store.add(each)
    return store.close(START + end)


def held(catalog: Path, series: str = SERIES) -> list[str]:
    kind = NautilusDataType.Custom("ManipulationAlert")
    return [one.data.trace_id for one in ParquetDataCatalog(str(catalog)).query_custom_data(kind, [series])]


def files(catalog: Path) -> list[str]:
    return sorted(path.name for path in (catalog / "data/custom/ManipulationAlert" / SERIES).iterdir())


def test_the_catalog_gives_back_what_was_stored(tmp_path: Path) -> None:
    assert keep(tmp_path / "new", 0, 9, alert_at(3), alert_at(5), alert_at(5, "twin")) == 3
    assert held(tmp_path / "new") == ["at 3", "at 5", "twin"]
    assert files(tmp_path / "new") == [interval_name(START + 3, START + 5)]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["data"]


def test_alerts_wait_for_an_hour_at_most(tmp_path: Path) -> None:
    store, hour = AlertStore(tmp_path, BTC, "Detection-001", start_ns=START), 3600 * 10**9
    for ts in (3, hour + 2):
        store.add(alert_at(ts))
    assert not (tmp_path / "data").exists()
    store.add(alert_at(hour + 3))
    assert held(tmp_path) == ["at 3", f"at {hour + 2}"]
    assert store.close(START + hour + 9) == 1
    assert held(tmp_path)[-1] == f"at {hour + 3}"


def test_sessions_add_up_and_a_rerun_replaces_its_span(tmp_path: Path) -> None:
    keep(tmp_path, 0, 9, alert_at(3), alert_at(5))
    keep(tmp_path, 10, 19, alert_at(12))
    assert held(tmp_path) == ["at 3", "at 5", "at 12"]
    keep(tmp_path, 0, 9, alert_at(3, "again"))
    assert held(tmp_path) == ["again", "at 12"]
    assert keep(tmp_path, 0, 9) == 0
    assert held(tmp_path) == ["at 12"]
    assert files(tmp_path) == [interval_name(START + 12, START + 12)]


def test_what_lies_outside_of_the_span_stays(tmp_path: Path) -> None:
    keep(tmp_path, 0, 99, *(alert_at(at) for at in range(10, 60, 10)))
    keep(tmp_path, 20, 39, alert_at(25, "new"))
    assert held(tmp_path) == ["at 10", "new", "at 40", "at 50"]
    assert files(tmp_path) == [interval_name(START + 10, START + 50)]


def test_series_of_others_are_left_alone(tmp_path: Path) -> None:
    keep(tmp_path, 0, 9, alert_at(3))
    keep(tmp_path, 0, 9, alert_at(4), source="Detection-002")
    assert held(tmp_path) == ["at 3"]
    assert held(tmp_path, f"{BTC}.Detection-002") == ["at 4"]


def test_many_are_written_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_store, "_MOST", 3)
    keep(tmp_path, 0, 99, alert_at(50, "old"))
    store = AlertStore(tmp_path, BTC, "Detection-001", start_ns=START)
    for at in (1, 2, 3, 3, 3, 4, 5, 6, 6):
        store.add(alert_at(at))
    assert held(tmp_path) == ["at 1", "at 2", "at 3", "at 3", "at 3", "old"]  # as after a crash
    store.close(START + 99)
    assert held(tmp_path) == ["at 1", "at 2", "at 3", "at 3", "at 3", "at 4", "at 5", "at 6", "at 6"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tmp_path, 0, 9, alert_at(3))

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(OSError, match="no space"):
        keep(tmp_path, 0, 9, alert_at(4))
    assert held(tmp_path) == ["at 3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_file_is_no_catalog(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogError, match="Expected the folder of a catalog, was"):
        AlertStore(tmp_path / "file", BTC, "Detection-001", start_ns=0)
