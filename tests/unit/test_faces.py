"""The faces of the package: names that a user guesses, tables of a catalog, results of a backtest."""

import datetime
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fathom
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import Grid, default_instruments
from fathom.data_catalog.store.alert_store import AlertStore
from fathom.data_catalog.store.tables import Moment
from fathom.ml.features import FeatureConfig
from fathom.ml.tables.build import build
from fathom.ml.tables.config import TableConfig
from tests.makers.alerts import alert
from tests.makers.small_market import BTC, START, config_file, make_bars, make_market
from tests.makers.table_vectors import read_vectors

GUESSES = {
    "fathom": ("Catalog", "Run", "backtest", "__version__", "strategies"),
    "fathom.backtests": ("Run", "run"),
    "fathom.data_catalog": ("Catalog", "Grid", "Instruments"),
    "fathom.ml": ("features", "samples"),
    "fathom.ml.features": ("FeatureSet", "OrderBookFeatures"),
    "fathom.ml.nets": ("Compact", "HybridCnnLstm"),
    "fathom.ml.samples": ("Labels", "PurgedWalkForward", "TripleBarrier"),
    "fathom.strategies": ("Ensemble", "Momentum", "SarWave", "SuperTrend", "VolumeProfile"),
    "fathom.strategies.policy": ("MomentumPolicy", "SarWavePolicy", "SuperTrendPolicy", "VolumeProfilePolicy"),
}
HEAVY = ("numpy", "pandas", "pyarrow", "numba", "click", "rich", "nautilus_trader", "torch")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> fathom.Catalog:
    path = tmp_path_factory.mktemp("market")
    make_market(path, seconds=30.0)
    make_bars(path, [600_000, 600_105])
    return fathom.Catalog(path)


@pytest.mark.parametrize(("package", "name"), [(package, name) for package in GUESSES for name in GUESSES[package]])
def test_the_name_that_a_user_guesses_works(package: str, name: str) -> None:
    module = importlib.import_module(package)
    assert getattr(module, name) is not None
    assert name in dir(module)


def imported_by(line: str) -> set[str]:
    code = f"{line}\nimport sys\nprint(*sorted(name for name in {HEAVY} if name in sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_an_import_brings_what_it_needs() -> None:
    assert imported_by("import fathom; fathom.__version__; dir(fathom)") == set()
    assert imported_by("from fathom.ml.samples import Labels, PurgedWalkForward") == {"numpy", "numba"}
    assert not imported_by("import fathom.backtests, fathom.data_catalog, fathom.strategies") & {"nautilus_trader"}


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"Expected a public name of fathom, was 'Catalogue'\. Did you mean 'Cat"):
        fathom.Catalogue  # type: ignore[attr-defined]  # noqa: B018


def test_trades_have_the_prices_of_the_venue(catalog: fathom.Catalog) -> None:
    frame = catalog.trades(BTC).to_pandas()
    rows = np.concatenate(list(catalog.events(BTC, book=False)))
    grid = Grid.of(default_instruments()[BTC])
    assert frame["price"].tolist() == [float(grid.price_text(int(ticks))) for ticks in rows["price"]]
    assert frame["size"].tolist() == [float(grid.size_text(int(lots))) for lots in rows["size"]]
    assert frame["ts_init"].astype("int64").tolist() == rows["ts_init"].tolist()
    assert frame["side"].tolist()[:2] == ["SELL", "BUY"]


@pytest.mark.parametrize("precision", [(5 * 10**15, 10**8), (25 * 10**13, 10**13), (10**16, 10**16), (10**8, 10**16)])
def test_a_float_price_is_the_nearest_to_its_text(precision: tuple[int, int]) -> None:
    grid = Grid("A.B", *precision, price_precision=8, size_precision=8)
    ticks = np.random.default_rng(3).integers(0, 10**9, 500)
    assert grid.prices(ticks).tolist() == [float(grid.price_text(int(count))) for count in ticks]
    assert grid.sizes(ticks).tolist() == [float(grid.size_text(int(count))) for count in ticks]


def test_changes_of_the_book_are_told_in_words(catalog: fathom.Catalog) -> None:
    frame = catalog.book(BTC, end="2024-08-09").to_pandas()
    assert frame["action"].tolist() == ["CLEAR", *["ADD"] * 16]
    assert frame["side"].tolist() == ["NONE", *["BUY"] * 8, *["SELL"] * 8]
    assert frame["price"].max() - frame["price"][1] == pytest.approx(0.8)


@pytest.mark.parametrize(
    "start",
    [
        "2024-08-09T00:00:10Z",
        "2024-08-09 02:00:10+02:00",
        "2024-08-09T00:00:10",
        datetime.datetime(2024, 8, 9, 0, 0, 10, tzinfo=datetime.UTC),
        pd.Timestamp("2024-08-09 09:00:10", tz="Asia/Tokyo"),
    ],
)
def test_a_span_may_be_named_in_many_ways(catalog: fathom.Catalog, start: Moment) -> None:
    frame = catalog.trades(BTC, start=start, end="2024-08-09T00:00:12.007").to_pandas()
    first = START + 10_000_000_000
    assert frame["ts_init"].astype("int64").tolist() == [first + 7_000_000 + at * 400_000_000 for at in range(6)]


def test_bars_by_their_type_and_by_the_instrument(catalog: fathom.Catalog) -> None:
    frame = catalog.bars(BTC).to_pandas()
    assert frame["close"].tolist() == [60_000.0, 60_010.5]
    assert frame["volume"].tolist() == [50.0, 50.0]
    assert catalog.bars(f"{BTC}-1-MINUTE-LAST-EXTERNAL", start="2024-08-09T00:01:01").num_rows == 1
    with pytest.raises(CatalogError, match=r"was 'ETHUSDT-LINEAR.BYBIT'\. It holds: BTCUSDT-LINEAR\.BYBIT-1-MINUTE"):
        catalog.bars("ETHUSDT-LINEAR.BYBIT")


def test_alerts_name_their_source(catalog: fathom.Catalog) -> None:
    with pytest.raises(CatalogError, match=r"Expected stored alerts of BTCUSDT.*fathom detect run"):
        catalog.alerts(BTC)
    store = AlertStore(catalog.path, BTC, "Detection-001", start_ns=START)
    for at in (1, 2):
        store.add(alert(BTC, START + at, series=at))
    store.close(START + 10)
    frame = catalog.alerts(BTC, start=pd.Timestamp(START + 2, tz="UTC")).to_pandas()
    assert frame[["source", "kind", "series"]].to_numpy().tolist() == [["Detection-001", "SPOOFING", 2]]
    assert frame["ts_event"].dt.tz is not None


def test_what_is_not_there_is_an_error_that_says_what_is(catalog: fathom.Catalog) -> None:
    with pytest.raises(CatalogError, match=r"Did you mean 'BTCUSDT-LINEAR\.BYBIT'"):
        catalog.trades("BTCUSD-LINEAR.BYBIT")
    with pytest.raises(CatalogError, match="Expected a time such as 2024-08-09T14:30:00Z, was 'noon'"):
        catalog.trades(BTC, start="noon")
    empty = catalog.trades(BTC, start="2025-01-01")
    assert empty.num_rows == 0
    assert empty.column_names == ["ts_event", "ts_init", "side", "price", "size", "flags"]


def test_features_are_those_of_a_built_table(catalog: fathom.Catalog, tmp_path: Path) -> None:
    config = FeatureConfig(groups=("orderbook",), features=("mid_price", "imbalance_5"))
    frame = catalog.features(BTC, config, start="2024-08-09T00:00:05", end="2024-08-09T00:00:20").to_pandas()
    zone = datetime.UTC
    table = TableConfig(
        catalog=str(catalog.path),
        instruments=(BTC,),
        features=config,
        start=datetime.datetime(2024, 8, 9, 0, 0, 5, tzinfo=zone),
        end=datetime.datetime(2024, 8, 9, 0, 0, 20, tzinfo=zone),
    )
    vectors = read_vectors(build(table, tmp_path).path, BTC)
    assert frame["ts"].astype("int64").tolist() == vectors.ts.tolist()
    np.testing.assert_array_equal(frame[["mid_price", "imbalance_5"]].to_numpy(), vectors.values)
    assert len(frame) == 16


def test_a_dict_and_a_file_give_the_same_run(catalog: fathom.Catalog, tmp_path: Path) -> None:
    file = config_file(tmp_path, catalog.path)
    first = fathom.backtest(file, out=tmp_path / "runs", pages=False)
    second = fathom.backtest(tomllib.loads(file.read_text()), out=tmp_path / "runs", pages=False)
    assert first.summary == second.summary
    assert first.path != second.path
    for name in ("equity", "fills", "trades", "orders", "decisions", "alerts"):
        frame = getattr(first, name)
        pd.testing.assert_frame_equal(frame, getattr(second, name))
        times = frame.reset_index().select_dtypes("datetimetz")
        assert times.shape[1] >= 1
        assert {str(kind.tz) for kind in times.dtypes} == {"UTC"}
    assert len(first.fills) == first.summary["fills"]["count"] > 0
    assert first.trades["pnl_net"].sum() == pytest.approx(first.summary["pnl"]["net"])
    assert not (first.path / "tearsheet.html").exists()
    assert first.tearsheet.read_text().startswith("<!DOCTYPE html>")


def test_a_run_shows_itself_as_a_card(catalog: fathom.Catalog, tmp_path: Path) -> None:
    overlay = {"name": "a-b"}
    run = fathom.Run.load(
        fathom.backtest([config_file(tmp_path, catalog.path), overlay], out=tmp_path / "<b>", pages=False).path
    )
    shown = run._repr_html_()
    assert "<caption>a-b: 2024-08-09" in shown
    assert f"<td>{run.summary['fills']['count']} of {run.summary['orders']['count']} orders</td>" in shown
    assert "<b>" not in shown
    assert "&lt;b&gt;" in shown


def test_a_wrong_dict_gets_the_answer_of_a_wrong_file(tmp_path: Path) -> None:
    with pytest.raises(fathom.FathomError, match=r"^config: nme: Expected one of: name, .* Did you mean 'name'"):
        fathom.backtest({"nme": "x"}, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_no_run_is_refused(catalog: fathom.Catalog, tmp_path: Path) -> None:
    with pytest.raises(fathom.FathomError, match="There is no such folder"):
        fathom.Run.load(tmp_path / "none")
    with pytest.raises(fathom.FathomError, match="It holds no run"):
        fathom.Run.load(tmp_path)
    run = fathom.backtest(config_file(tmp_path, catalog.path), out=tmp_path / "runs", pages=False)
    with pytest.raises(fathom.FathomError, match=rf"It is a folder of runs: name one, such as .*{run.path.name}"):
        fathom.Run.load(tmp_path / "runs")
    with pytest.raises(fathom.FathomError, match=r"Name its folder: "):
        fathom.Run.load(run.path / "summary.json")
    (run.path / "summary.json").write_text("{")
    with pytest.raises(fathom.FathomError, match=r"Expected JSON of a run in .*summary\.json, was broken"):
        fathom.Run.load(run.path)
