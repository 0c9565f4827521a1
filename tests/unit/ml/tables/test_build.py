"""Feature tables: the vectors of the batch driver, whatever the parts, the stops and the starts of a build."""

import datetime
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from fathom.commands.features.group import features as command
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import Grid, default_instruments
from fathom.data_catalog.store.arrow import BAR as STORED
from fathom.market import Kind
from fathom.ml.features import FeatureConfig, FeatureSet, UnknownFeatureError
from fathom.ml.features.micro_price import MicroPriceTable, fit_micro_price
from fathom.ml.tables.build import Built, build
from fathom.ml.tables.config import TableConfig
from fathom.ml.tables.file import read_facts
from fathom.settings.owner import FolderTakenError
from tests.makers.feature_replay import assert_same, offline
from tests.makers.random_market import START_NS, random_market
from tests.makers.small_market import BTC, ETH, SECOND, START
from tests.makers.table_vectors import read_vectors

SECONDS = 90
MINUTE = datetime.datetime(2024, 8, 9, 0, 1, tzinfo=datetime.UTC)
SMALL = FeatureConfig(features=("mid_price", "imbalance_5", "ofi_1s", "close", "rsi_14"))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    held = Catalog(folder)
    for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        instrument, rows = default_instruments()[symbol], market(seed)
        with held.book_writer(instrument) as book:
            book.write(rows[rows["kind"] == Kind.BOOK])
        with held.trade_writer(instrument) as trades:
            rows = rows[rows["kind"] == Kind.TRADE]
            trades.write(rows, [f"t{i}" for i in range(len(rows))])
    bars = np.zeros(SECONDS // 5, STORED)
    bars["ts_event"] = bars["ts_init"] = START + np.arange(1, len(bars) + 1) * 5 * SECOND
    bars["open"] = bars["low"] = 600_000 + np.arange(len(bars)) % 7
    bars["high"] = bars["close"] = bars["open"] + 1 + np.arange(len(bars)) % 3
    bars["volume"] = 100 + np.arange(len(bars))
    with held.bar_writer(f"{BTC}-5-SECOND-LAST-EXTERNAL") as writer:
        writer.write(bars)
    return folder


def market(seed: int) -> np.ndarray:
    """Return a random market of 90 s that begins at `START`."""
    rows = random_market(seed, seconds=SECONDS)
    for name in ("ts_init", "ts_event"):
        rows[name] += START - START_NS
    return rows


def config(catalog: Path, *instruments: str, **settings: object) -> TableConfig:
    return TableConfig(catalog=str(catalog), instruments=instruments or (BTC,), **settings)  # type: ignore[arg-type]


def test_a_table_holds_the_vectors_of_each_instrument(catalog: Path, tmp_path: Path) -> None:
    built = build(config(catalog, BTC, ETH), tmp_path, part_secs=13)
    assert built == Built(built.path, False, built.rows, len(read_facts(built.path).schema), 0)
    assert built.rows == pq.read_metadata(built.path).num_rows > 2 * (SECONDS - 3)
    for name in (BTC, ETH):
        assert_same(read_vectors(built.path, name), offline(catalog, name))


def test_a_table_says_what_it_is(catalog: Path, tmp_path: Path) -> None:
    path = build(config(catalog, features=SMALL), tmp_path, name="small").path
    facts, held = read_facts(path), pq.read_table(path)
    assert facts.schema.names == SMALL.features
    assert held.column_names == ["ts", "instrument", *SMALL.features]
    assert held.schema.field("ts").type == pa.timestamp("ns", tz="UTC")
    assert all(held.schema.field(name).type == pa.float64() for name in SMALL.features)
    assert path.name == f"small-{facts.hash[:12]}.parquet"
    assert facts.config["features"]["grid_ms"] == 1000
    assert {Path(name).parts[1] for name, _, _ in facts.sources} == {"order_book_deltas", "trades", "custom"}
    assert facts.micro_price == {}


@pytest.mark.parametrize("part_secs", [3, 11])
def test_parts_do_not_matter(catalog: Path, tmp_path: Path, part_secs: int) -> None:
    whole = build(config(catalog), tmp_path / "whole").path
    parts = build(config(catalog), tmp_path / "parts", part_secs=part_secs).path
    assert parts.name == whole.name
    assert parts.read_bytes() == whole.read_bytes()
    assert [path.name for path in parts.parent.iterdir()] == [parts.name]


def test_a_second_build_finds_the_first(catalog: Path, tmp_path: Path) -> None:
    first = build(config(catalog), tmp_path)
    written = first.path.stat().st_mtime_ns
    second = build(config(catalog), tmp_path)
    assert second == Built(first.path, True, first.rows, first.features, 0)
    assert first.path.stat().st_mtime_ns == written


def test_settings_and_data_make_the_name(catalog: Path, tmp_path: Path) -> None:
    paths = {
        build(config(catalog, features=SMALL), tmp_path).path,
        build(config(catalog, features=FeatureConfig(features=SMALL.features, grid_ms=500)), tmp_path).path,
        build(config(catalog, features=SMALL, end=MINUTE), tmp_path).path,
        build(config(catalog, ETH, features=SMALL), tmp_path).path,
    }
    other = Catalog(tmp_path / "other")
    rows = market(0)
    with other.book_writer(default_instruments()["BTCUSDT"]) as book:
        book.write(rows[rows["kind"] == Kind.BOOK])
    paths.add(build(config(other.path, features=SMALL), tmp_path).path)
    assert len(paths) == 5


def test_where_the_catalog_lies_does_not_matter(catalog: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(catalog)
    first, second = (build(config(place, features=SMALL), tmp_path / "out") for place in (catalog, link))
    assert (second.already, second.path) == (True, first.path)


class StoppedError(Exception):
    """What a test stops a build with."""


def test_a_stopped_build_goes_on(catalog: Path, tmp_path: Path) -> None:
    whole = build(config(catalog, BTC, ETH), tmp_path / "whole", part_secs=10).path

    def stop(name: str, done: int, total: int) -> None:
        if name == ETH and done > 45 * SECOND:
            raise StoppedError

    with pytest.raises(StoppedError):
        build(config(catalog, BTC, ETH), tmp_path / "again", part_secs=10, on_progress=stop)
    assert not list((tmp_path / "again").glob("*.parquet"))
    again = build(config(catalog, BTC, ETH), tmp_path / "again", part_secs=10)
    assert again.resumed == 10 + 4
    assert again.path.read_bytes() == whole.read_bytes()
    assert [path.name for path in again.path.parent.iterdir()] == [whole.name]


_KILLED = """
import sys, os
from pathlib import Path
from fathom.ml.tables.config import TableConfig
from fathom.ml.tables.build import build
def progress(name, done, total):
    if done > 45_000_000_000:
        print("now", flush=True)
        sys.stdin.readline()
config = TableConfig(catalog=sys.argv[1], instruments=(sys.argv[2],))
build(config, Path(sys.argv[3]), part_secs=10, on_progress=progress)
"""


def test_a_killed_build_goes_on(catalog: Path, project: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _KILLED, str(catalog), BTC, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=project) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        with pytest.raises(FolderTakenError, match="Expected to be alone"):
            build(config(catalog), tmp_path, part_secs=10)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    again = build(config(catalog), tmp_path, part_secs=10)
    assert again.resumed == 4
    assert_same(read_vectors(again.path, BTC), offline(catalog, BTC))


def test_a_span_is_a_part_of_the_whole(catalog: Path, tmp_path: Path) -> None:
    start = MINUTE - datetime.timedelta(seconds=40)
    path = build(config(catalog, start=start, end=MINUTE), tmp_path, part_secs=7).path
    whole, part = offline(catalog, BTC), read_vectors(path, BTC)
    wanted = (whole.ts >= START + 20 * SECOND) & (whole.ts <= START + 60 * SECOND)
    assert len(part.ts) > 30
    assert_same(part, type(part)(whole.ts[wanted], whole.values[wanted]))


def test_bars_come_from_the_catalog(catalog: Path, tmp_path: Path) -> None:
    features = FeatureConfig(bars="outside", bar_ms=5_000)
    path = build(config(catalog, features=features, bar_type="5-SECOND-LAST-EXTERNAL"), tmp_path, part_secs=7).path
    assert_same(read_vectors(path, BTC), offline(catalog, BTC, features, bar_type="5-SECOND-LAST-EXTERNAL"))
    closes = read_vectors(path, BTC, ["close"])
    at = int(np.searchsorted(closes.ts, START + 16 * SECOND))
    assert closes.values[at, 0] == pytest.approx((600_002 + 3) * 0.1)  # the bar closed at 15 s


def test_the_micro_price_is_fitted_on_what_comes_before(catalog: Path, tmp_path: Path) -> None:
    built = build(config(catalog, micro_price_until=MINUTE), tmp_path, part_secs=20)
    rows = np.concatenate(list(Catalog(catalog).events(BTC)))
    book = rows[(rows["kind"] == Kind.BOOK) & (rows["ts_init"] < START + 60 * SECOND)]
    fitted = fit_micro_price(book, instrument=BTC)
    grid = Grid.of(default_instruments()["BTCUSDT"])
    features = FeatureSet(price_increment=grid.tick, size_increment=grid.lot, micro_price=fitted)
    assert_same(read_vectors(built.path, BTC), features.update_many(rows))
    assert read_facts(built.path).micro_price == {BTC: fitted}
    beside = built.path.with_suffix(".micro_price") / f"{BTC}.json"
    assert MicroPriceTable.from_json(beside.read_bytes()) == fitted


def test_what_is_not_there_is_named(catalog: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"Did you mean 'BTCUSDT-LINEAR.BYBIT'"):
        build(config(catalog, "BTCUSD-LINEAR.BYBIT"), tmp_path)
    late = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    with pytest.raises(CatalogError, match=r"Expected data of BTCUSDT-LINEAR.BYBIT between 2025-01-01"):
        build(config(catalog, start=late), tmp_path)
    with pytest.raises(CatalogError, match=r"Expected book changes of BTCUSDT-LINEAR.BYBIT before micro_price_until"):
        build(config(catalog, micro_price_until=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)), tmp_path)
    path = build(config(catalog, features=SMALL), tmp_path).path
    with pytest.raises(CatalogError, match=r"Expected one of BTCUSDT-LINEAR.BYBIT, was 'X'"):
        read_vectors(path, "X")
    with pytest.raises(UnknownFeatureError, match="Did you mean 'rsi_14'"):
        read_vectors(path, BTC, ["rsi_1"])


def test_other_files_are_no_feature_tables(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x")
    pq.write_table(pa.table({"ts": [1]}), tmp_path / "plain")
    for name in ("text", "plain", "none"):
        with pytest.raises(CatalogError, match=f"Expected a feature table, was .*{name}"):
            read_facts(tmp_path / name)


def test_the_command_builds_once(catalog: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'catalog = "{catalog}"\ninstruments = ["{BTC}"]\n[features]\ngrid_ms = 1000\n')
    arguments = ["build", str(file), "--out", str(tmp_path), "--set", "features.grid_ms=500"]
    first = CliRunner().invoke(command, arguments)
    assert first.exit_code == 0, first.output
    assert "rows of" in first.output
    second = CliRunner().invoke(command, arguments)
    assert f"already built: {tmp_path}/mine-" in second.stdout
    told = json.loads(CliRunner().invoke(command, [*arguments, "--json"]).stdout)
    assert told["already"] is True
    assert np.diff(read_vectors(Path(told["path"]), BTC).ts).min() == SECOND // 2
    odd = CliRunner().invoke(command, [*arguments, "--set", "features.grid_ms=2000"])
    assert odd.exit_code == 1
    assert "Expected a grid_ms that divides 1000" in odd.output
    wrong = CliRunner().invoke(command, ["build", str(file), "--set", "features.grid=1"])
    assert wrong.exit_code == 1
    assert "Did you mean 'grid_ms'?" in wrong.output


def test_the_command_writes_the_reference(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "features.md"
    stale = CliRunner().invoke(command, ["docs", "--out", str(out), "--check"])
    assert stale.exit_code == 1
    assert CliRunner().invoke(command, ["docs", "--out", str(out)]).exit_code == 0
    assert "micro_price" in out.read_text()
    assert CliRunner().invoke(command, ["docs", "--out", str(out), "--check"]).exit_code == 0
    assert CliRunner().invoke(command, ["docs", "--out", str(project / "docs/features.md"), "--check"]).exit_code == 0
