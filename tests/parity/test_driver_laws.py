"""Laws 3, 4 and 5 on recorded markets: engine objects are table rows, vectors of a backtest are those of the batch."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from nautilus_trader.model import NautilusDataType, OrderBookDeltas
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.commands.main import main
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.replay.rows_of_objects import Records
from fathom.ml.tables.build import build
from fathom.ml.tables.config import TableConfig
from tests.makers.feature_replay import Collector, assert_same, make_actor, offline, replay, stacked
from tests.makers.table_vectors import read_vectors

pytestmark = pytest.mark.real_data
BTC, ETH, XRP = (f"{symbol}-LINEAR.BYBIT" for symbol in ("BTCUSDT", "ETHUSDT", "XRPUSDT"))


@pytest.fixture(scope="module")
def catalog(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    files = [str(path) for name in ("perp-ticks", "bybit-archive") for path in (real_data / name).iterdir()]
    result = CliRunner().invoke(main, ["data", "import", "bybit", *files, "--catalog", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def backtest(catalog: Path) -> Collector:
    # Trades are told to the engine before the book: at equal times it gives them first, a table gives the book first.
    return replay(catalog, make_actor(BTC, ETH, record=True), kinds=("trades", "book"), chunk_size=20_000)


@pytest.mark.parametrize("name", [BTC, ETH, XRP])
def test_rows_of_book_objects_are_table_rows(catalog: Path, name: str) -> None:
    records = Records(Grid.of(Catalog(catalog).instrument(name)))
    want = np.concatenate(list(Catalog(catalog).events(name, trades=False)))
    deltas = ParquetDataCatalog(str(catalog)).query_order_book_deltas([name])
    messages, at = [], 0
    for end in (np.flatnonzero(want["flags"] & 128) + 1).tolist():
        messages.append(records.deltas(OrderBookDeltas(deltas[at].instrument_id, deltas[at:end])))
        at = end
    assert at == len(deltas) == len(want)
    assert np.concatenate(messages).tobytes() == want.tobytes()
    some = np.random.default_rng(31).integers(0, len(deltas), 2_000).tolist()
    assert np.concatenate([records.delta(deltas[i]) for i in some]).tobytes() == want[some].tobytes()


@pytest.mark.parametrize("name", [BTC, ETH])
def test_rows_of_trade_objects_are_table_rows(catalog: Path, name: str) -> None:
    records = Records(Grid.of(Catalog(catalog).instrument(name)))
    want = np.concatenate(list(Catalog(catalog).events(name, book=False)))
    ticks = ParquetDataCatalog(str(catalog)).query_trade_ticks([name])
    assert np.concatenate([records.trade(tick) for tick in ticks]).tobytes() == want.tobytes()


@pytest.mark.parametrize("name", [BTC, ETH])
def test_vectors_of_a_backtest_are_those_of_the_batch(catalog: Path, backtest: Collector, name: str) -> None:
    want = offline(catalog, name)
    assert len(want.ts) > 300
    assert want.ready.any()
    assert_same(backtest.of(name), want)


def test_recorded_vectors_come_back_from_a_catalog(catalog: Path, backtest: Collector, tmp_path: Path) -> None:
    recorded = ParquetDataCatalog(str(tmp_path))
    recorded.write_custom_data(backtest.custom[ETH])
    found = recorded.query_custom_data(NautilusDataType.Custom("FeatureVector"), [ETH])
    assert_same(stacked([one.data for one in found]), offline(catalog, ETH))


def test_a_feature_table_holds_the_vectors_of_the_backtest(catalog: Path, backtest: Collector, tmp_path: Path) -> None:
    built = build(TableConfig(catalog=str(catalog), instruments=(BTC, ETH)), tmp_path, part_secs=37)
    for name in (BTC, ETH):
        assert_same(read_vectors(built.path, name), backtest.of(name))


def test_a_restart_in_mid_stream_changes_nothing(catalog: Path, backtest: Collector) -> None:
    rows = np.concatenate(list(Catalog(catalog).events(BTC)))
    cut = int(rows["ts_init"][len(rows) // 2])
    first, second = make_actor(BTC), make_actor(BTC)
    before = replay(catalog, first, end_ns=cut - 1)
    second.load(first.save())
    after = replay(catalog, second, start_ns=cut)
    whole = [*before.vectors[BTC], *after.vectors[BTC]]
    assert 100 < len(before.vectors[BTC]) < 300
    assert_same(stacked(whole), backtest.of(BTC))
