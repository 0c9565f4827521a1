import gzip
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import BadInputError, CatalogError, OverlapError
from fathom.data_catalog.ingest.bars import import_bars
from fathom.data_catalog.ingest.table_file import Naming
from fathom.data_catalog.instruments import InstrumentSpec

XYZ = InstrumentSpec(symbol="XYZUSDT", base="XYZ", quote="USDT", tick="0.10", lot="0.001").build()
MINUTE = "1-MINUTE-LAST-EXTERNAL"
TYPE = f"XYZUSDT-LINEAR.BYBIT-{MINUTE}"
TEXT = """timestamp,open,high,low,close,volume
2022-01-01 00:00:00,100.0,101.5,99.9,101.0,12.5
2022-01-01 00:01:00,101.0,101.0,100.0,100.5,0
2022-01-01 00:05:00,100.5,100.7,100.5,100.6,3.001
"""
OPEN_NS = np.array(["2022-01-01T00:00", "2022-01-01T00:01", "2022-01-01T00:05"], dtype="datetime64[ns]").astype(
    np.int64
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def write(folder: Path, text: str, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize(("stamp", "shift"), [("open", 60 * 10**9), ("close", 0)])
def test_a_bar_is_known_when_it_closes(catalog: Catalog, tmp_path: Path, stamp: str, shift: int) -> None:
    done = import_bars(catalog, XYZ, write(tmp_path, TEXT), bar=MINUTE, stamp=stamp)  # type: ignore[arg-type]
    assert (done.bars, done.already) == (3, False)
    bars = catalog.bar_rows(TYPE)
    assert bars["ts_init"].tolist() == (OPEN_NS + shift).tolist()
    assert bars["ts_event"].tolist() == bars["ts_init"].tolist()
    assert bars["open"].tolist() == [1000, 1010, 1005]
    assert bars["high"].tolist() == [1015, 1010, 1007]
    assert bars["low"].tolist() == [999, 1000, 1005]
    assert bars["close"].tolist() == [1010, 1005, 1006]
    assert bars["volume"].tolist() == [12_500, 0, 3_001]


def test_parquet_and_gzip_give_the_same_bars(catalog: Catalog, tmp_path: Path) -> None:
    import_bars(catalog, XYZ, write(tmp_path, TEXT, "bars.csv.gz"), bar=MINUTE, stamp="open")
    pq.write_table(pa_csv.read_csv(tmp_path / "bars.csv.gz"), tmp_path / "bars.parquet")
    other = Catalog(tmp_path / "other")
    import_bars(other, XYZ, tmp_path / "bars.parquet", bar=TYPE, stamp="open")
    np.testing.assert_array_equal(other.bar_rows(TYPE), catalog.bar_rows(TYPE))


def test_a_volume_in_money_is_divided_by_the_typical_price(catalog: Catalog, tmp_path: Path) -> None:
    import_bars(catalog, XYZ, write(tmp_path, TEXT), bar=MINUTE, stamp="open", volume_unit="quote")
    typical = (101.5 + 99.9 + 101.0) / 3
    assert catalog.bar_rows(TYPE)["volume"].tolist() == [round(12.5 / typical * 1000), 0, round(3.001 / 100.6 * 1000)]


def test_an_odd_volume_is_refused_or_rounded_as_told(catalog: Catalog, tmp_path: Path) -> None:
    path = write(tmp_path, TEXT.replace("12.5", "12.50049"))
    with pytest.raises(BadInputError, match=r"line 2: column 'volume': Expected a volume that is a multiple of 0\.001"):
        import_bars(catalog, XYZ, path, bar=MINUTE, stamp="open")
    import_bars(catalog, XYZ, path, bar=MINUTE, stamp="open", round_volume=True)
    assert catalog.bar_rows(TYPE)["volume"].tolist() == [12_500, 0, 3_001]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "101.0,101.0,100.0",
            "101.0,100.9,100.0",
            "line 3: column 'high': Expected the highest of the prices",
        ),
        ("101.0,101.0,100.0", "101.0,101.0,100.8", "line 3: column 'low': Expected the lowest of the prices"),
        (
            "101.0,101.0,100.0",
            "101.05,101.1,100.0",
            "line 3: column 'open': Expected a price that is a multiple",
        ),
        ("101.0,101.0,100.0", "101.0,101.0,-1", "line 3: column 'low': Expected a price > 0"),
        ("100.5,0", "100.5,-1", "line 3: column 'volume': Expected a volume >= 0"),
        ("100.5,0", "100.5,inf", "line 3: column 'volume': Expected a volume"),
        (
            "00:01:00",
            "00:00:30",
            "line 3: column 'timestamp': Expected a bar to close 60 s or more",
        ),
        ("00:01:00", "00:00:00", "line 3: column 'timestamp'"),
        ("00:01:00", "00:07:00", "line 4: column 'timestamp'"),
        ("00:01:00", "25:01:00", "line 3: column 'timestamp': Expected a time such as"),
        ("volume", "volumes", "Did you mean --map volume=volumes?"),
        ("close,", "close,trades,", "line 2: Expected 7 columns as in the header, was 6"),
    ],
)
def test_bad_bars_are_refused_with_their_place(
    catalog: Catalog, tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in TEXT
    with pytest.raises(BadInputError) as caught:
        import_bars(catalog, XYZ, write(tmp_path, TEXT.replace(old, new)), bar=MINUTE, stamp="open")
    assert message in str(caught.value)
    assert "bars.csv" in str(caught.value)
    assert catalog.spans() == []


def test_numbers_for_times_need_a_unit_and_columns_may_be_renamed(catalog: Catalog, tmp_path: Path) -> None:
    text = "open_time,open,high,low,close,volume,trades\n1640995200000,100,100,100,100,1,7\n"
    naming = Naming({"timestamp": "open_time"}, ["*"])
    with pytest.raises(BadInputError, match="Say --time-unit ms"):
        import_bars(catalog, XYZ, write(tmp_path, text), bar=MINUTE, stamp="open", naming=naming)
    import_bars(catalog, XYZ, write(tmp_path, text), bar=MINUTE, stamp="open", naming=naming, time_unit="ms")
    assert catalog.bar_rows(TYPE)["ts_init"].tolist() == [OPEN_NS[0] + 60 * 10**9]


@pytest.mark.parametrize(
    ("bar", "message"),
    [
        ("1-MINUT-LAST-EXTERNAL", "Expected bars such as 1-MINUTE-LAST-EXTERNAL, was '1-MINUT-LAST-EXTERNAL'"),
        ("1-MINUTE-LAST-INTERNAL", "Expected EXTERNAL bars"),
        ("100-TICK-LAST-EXTERNAL", "Expected bars of one length"),
        ("1-MONTH-LAST-EXTERNAL", "Expected bars of one length"),
    ],
)
def test_bars_whose_close_cannot_be_told_are_refused(catalog: Catalog, tmp_path: Path, bar: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        import_bars(catalog, XYZ, write(tmp_path, TEXT), bar=bar, stamp="open")


def test_the_same_file_again_changes_nothing(catalog: Catalog, tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)
    import_bars(catalog, XYZ, path, bar=MINUTE, stamp="open")
    before = catalog.bar_rows(TYPE)
    again = import_bars(catalog, XYZ, path, bar=MINUTE, stamp="open")
    assert (again.bars, again.already) == (3, True)
    np.testing.assert_array_equal(catalog.bar_rows(TYPE), before)
    with pytest.raises(OverlapError):  # other settings, other rows
        import_bars(catalog, XYZ, path, bar=MINUTE, stamp="open", volume_unit="quote")


def test_bars_over_other_bars_are_refused(catalog: Catalog, tmp_path: Path) -> None:
    import_bars(catalog, XYZ, write(tmp_path, TEXT), bar=MINUTE, stamp="open")
    with pytest.raises(OverlapError):
        import_bars(catalog, XYZ, write(tmp_path, TEXT.replace("100.6", "100.7")), bar=MINUTE, stamp="open")
