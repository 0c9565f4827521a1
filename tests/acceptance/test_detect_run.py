"""`fathom detect run`, from the command line over a catalog, and the book that its page shows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from nautilus_trader.model import NautilusDataType
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.commands.main import main
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.detectors import MarketWatchConfig
from fathom.market import Action, Kind, Side
from fathom.studies.detection.config import DetectionConfig
from fathom.studies.detection.figures import sizes_over_time
from fathom.studies.detection.run import detect, episodes, strongest
from tests.makers.random_market import random_market
from tests.makers.reading_pages import loads, read
from tests.parity.test_market_watch_laws import EVERYTHING

BTC, ETH = "BTCUSDT-LINEAR.BYBIT", "ETHUSDT-LINEAR.BYBIT"
LOW = """
[watch.surveillance.spoofing]
threshold = 1e-9
[watch.surveillance.layering]
threshold = 1e-9
"""


def fathom(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        instrument, rows = default_instruments()[symbol], random_market(seed, seconds=60)
        with Catalog(folder).book_writer(instrument) as book:
            book.write(rows[rows["kind"] == Kind.BOOK])
        with Catalog(folder).trade_writer(instrument) as trades:
            rows = rows[rows["kind"] == Kind.TRADE]
            trades.write(rows, [f"t{i}" for i in range(len(rows))])
    return folder


@pytest.fixture(scope="module")
def config(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "low.toml"
    path.write_text(f'catalog = "{catalog}"\nepisodes = 3\n{LOW}')
    return path


def test_a_run_leaves_tables_and_a_page(catalog: Path, config: Path, tmp_path: Path) -> None:
    done = fathom("detect", "run", config, "--out", tmp_path, "--set", "store=true", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    folder = tmp_path / "low"
    assert told["folder"] == str(folder)
    alerts = pq.read_table(folder / "alerts.parquet")
    assert alerts.num_rows == sum(one["alerts"] for one in told["found"]) > 20
    assert set(alerts["instrument_id"].to_pylist()) == {BTC, ETH}
    assert {path.name for path in folder.iterdir()} == {
        "alerts.parquet", "levels.parquet", "regimes.parquet", "waves.parquet", "detection.html",
    }  # fmt: skip
    page = (folder / "detection.html").read_text()
    assert loads(page) == []
    reader = read(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert page.count("data:image/png") == 6  # three books for each instrument
    strong = alerts.to_pandas().sort_values("confidence", ascending=False).iloc[0]
    assert strong["trace_id"] in page
    # The catalog gives back what was stored; storing again is refused.
    kept = ParquetDataCatalog(str(catalog)).query_custom_data(NautilusDataType.Custom("ManipulationAlert"), [BTC])
    names = [name for name, of in zip(alerts["trace_id"].to_pylist(), alerts["instrument_id"].to_pylist(), strict=True)
             if of == BTC]  # fmt: skip
    assert sorted(one.data.trace_id for one in kept) == sorted(names)
    again = fathom("detect", "run", config, "--out", tmp_path, "--set", "store=true", "--no-html")
    assert again.exit_code == 1
    assert "Expected no ManipulationAlert of BTCUSDT-LINEAR.BYBIT in the catalog yet" in again.output


def test_what_is_not_sure_enough_is_left_out_of_its_series_too(config: Path, tmp_path: Path) -> None:
    def alerts_of(least: float) -> list[dict[str, Any]]:
        folder = tmp_path / str(least)
        done = fathom(
            "detect", "run", config, "--out", folder, "--no-html", "--json", "--set", f"min_confidence={least}"
        )
        told = json.loads(done.stdout)
        assert {one["trades"] > 0 for one in told["rpi"].values()} == {True}
        rows: list[dict[str, Any]] = pq.read_table(folder / "low" / "alerts.parquet").to_pylist()
        assert sum(one["series"] for one in told["found"]) == sum(row["series"] == 1 for row in rows)
        return rows

    every = alerts_of(0.0)
    middle = sorted(row["confidence"] for row in every)[len(every) // 2]
    sure = alerts_of(middle)
    assert [row["trace_id"] for row in sure] == [row["trace_id"] for row in every if row["confidence"] >= middle]
    before = {row["trace_id"]: row["series"] for row in every}
    assert any(row["series"] == 1 < before[row["trace_id"]] for row in sure)  # the first of its series was not sure
    assert all(row["series"] <= before[row["trace_id"]] for row in sure)


def test_a_book_without_its_beginning_is_told(config: Path, tmp_path: Path) -> None:
    whole = fathom("detect", "run", config, "--out", tmp_path, "--no-html", "--json")
    assert json.loads(whole.stdout)["notes"] == []
    start = "start=2023-11-14T22:13:40Z"
    done = fathom("detect", "run", config, "--out", tmp_path, "--set", start)
    told = f"The book of {BTC}, {ETH} begins without a snapshot"
    assert told in " ".join(done.output.split())
    assert told in " ".join(read((tmp_path / "low" / "detection.html").read_text()).text)


def test_a_run_says_what_it_found(config: Path, tmp_path: Path) -> None:
    done = fathom("detect", "run", config, "--out", tmp_path, "--no-html", "--set", f'instruments=["{BTC}"]')
    assert done.exit_code == 0, done.output
    assert "series an hour" in done.output
    assert ETH not in done.output
    assert not (tmp_path / "low" / "detection.html").exists()
    page = pq.read_table(tmp_path / "low" / "levels.parquet")
    assert page["supports"].to_pylist()[-1][0].keys() == {"price", "strength"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("wach.bar_ms=5", "Did you mean 'watch'?"),
        ("watch.surveillance.spoofing.treshold=0.5", "Did you mean 'threshold'?"),
        (
            'watch.detectors=["levls"]',
            "watch: Expected the name of a detector, was 'levls'. Did you mean 'levels'?",
        ),
        ("watch.surveillance.depth=-5", "watch.surveillance.depth: Expected int >= 0, was -5 (int)."),
        ("watch.flat.leave=0.9", "watch.flat: Expected leave up to enter (0.5), was 0.9."),
        ("watch.bars=outside", 'Expected watch.bars = "book", was "outside"'),
        ("catalog=/nowhere", "Expected an order book in /nowhere, was none."),
        ('instruments=["BTCUSD-LINEAR.BYBIT"]', "Did you mean 'BTCUSDT-LINEAR.BYBIT'?"),
        ("start=2026-01-01T00:00:00", "Expected start with a time zone"),
        ("start=2030-01-01T00:00:00Z", "from 2030-01-01 00:00:00+00:00 to the end, was none: see fathom data list"),
    ],
)
def test_what_is_wrong_is_named(config: Path, tmp_path: Path, change: str, told: str) -> None:
    done = fathom("detect", "run", config, "--out", tmp_path, "--set", change)
    assert done.exit_code == 1
    assert told in " ".join(done.output.split())
    assert not list(tmp_path.iterdir())


def test_the_shipped_configurations_are_valid(project: Path, tmp_path: Path) -> None:
    from fathom.settings.toml import read

    names = sorted(path.name for path in (project / "configs" / "detection").glob("*.toml"))
    assert "detect.toml" in names
    for name in names:
        assert read(DetectionConfig, project / "configs" / "detection" / name).episodes == 12


def test_the_book_of_an_episode_is_the_recorded_one(catalog: Path) -> None:
    settings = DetectionConfig(catalog=str(catalog), watch=MarketWatchConfig(surveillance=EVERYTHING))
    (market, _) = detect(settings)
    found = episodes(settings, market, strongest(market, 5))
    assert len(found) == 5
    assert [one.alert.confidence for one in found] == sorted((one.alert.confidence for one in found), reverse=True)
    rows = np.concatenate(list(Catalog(catalog).events(BTC)))
    for episode in found:
        lots = sizes_over_time(episode, columns=50)
        for column in (0, 20, 49):
            edge = episode.start_ns + (column + 1) * (episode.end_ns - episode.start_ns) / 50
            book: dict[tuple[int, int], int] = {}
            for row in rows[(rows["kind"] == Kind.BOOK) & (rows["ts_event"] < edge)]:
                if row["action"] == Action.CLEAR:
                    book = {}
                    continue
                book[int(row["side"]), int(row["price"])] = 0 if row["action"] == Action.DELETE else int(row["size"])
            prices = range(episode.low, episode.low + lots.shape[1])
            for place, side in enumerate((Side.BUY, Side.SELL)):
                assert lots[place, :, column].tolist() == [book.get((side, price), 0) for price in prices]
        shown = rows[(rows["ts_event"] >= episode.start_ns) & (rows["ts_event"] < episode.end_ns)]
        assert len(episode.rows) == len(shown)


def test_regimes_are_held_against_the_states_of_a_simulated_market(project: Path, tmp_path: Path) -> None:
    scenario = project / "configs" / "simulation" / "regimes.toml"
    for seed in (1, 2):
        made = fathom(
            "data", "simulate", scenario, "--catalog", tmp_path / str(seed), "--seed", seed, "--duration", "8m"
        )
        assert made.exit_code == 0, made.output
    file = project / "configs" / "detection" / "regimes.toml"
    done = fathom("detect", "regimes", tmp_path / "1", "--config", file, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["bar_ms"] == 5_000
    assert sum(map(sum, told["confusion"])) == 95  # bars of 5 s in 8 minutes, but for the last
    truth = pq.read_table(tmp_path / "1" / "fathom" / "truth" / "BTCUSDT-LINEAR.SIM" / "states.parquet")
    there = set(truth["state"].to_pylist())
    assert {state for state, row in zip(told["states"], told["confusion"], strict=True) if sum(row)} <= there
    shown = fathom("detect", "regimes", tmp_path / "1", "--fit", tmp_path / "2", "--trials", 5, "--bar-ms", 5_000)
    assert shown.exit_code == 0, shown.output
    assert "[watch.regime]" in shown.output
    assert "mean recall" in shown.output
    same = fathom("detect", "regimes", tmp_path / "1", "--fit", tmp_path / "1")
    assert same.exit_code == 1
    assert "Expected other catalogs to fit on than to report on" in same.output


def test_regimes_need_a_simulated_market(catalog: Path) -> None:
    done = fathom("detect", "regimes", catalog)
    assert done.exit_code == 1
    assert "Expected the truth of a simulated market" in done.output
