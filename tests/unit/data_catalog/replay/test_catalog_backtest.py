"""The engine's backtest runs from a catalog that Fathom wrote."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from nautilus_trader.backtest import BacktestDataConfig, BacktestNode, BacktestRunConfig, BacktestVenueConfig
from nautilus_trader.execution import MakerTakerFeeModel
from nautilus_trader.model import InstrumentId, NautilusDataType
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.data_catalog.store.engine_path import engine_path
from fathom.market.events import EVENT, Action, Flag, Kind, Side

BTC = default_instruments()["BTCUSDT"]
T = 1_723_161_256_501_000_000
MESSAGES = 300


def messages() -> np.ndarray:
    """A snapshot of one level a side, then changes of two rows each."""
    rows = np.zeros(3 + 2 * MESSAGES, dtype=EVENT)
    rows["kind"], rows["size"], rows["flags"] = Kind.BOOK, 5, Flag.MBP
    rows["action"], rows["side"][::2], rows["side"][1::2] = Action.UPDATE, Side.SELL, Side.BUY
    rows["price"] = np.where(rows["side"] == Side.SELL, 618_002, 618_001)
    rows["flags"][:3], rows["flags"][2::2] = Flag.SNAPSHOT | Flag.MBP, Flag.MBP | Flag.LAST
    rows["flags"][[0, 2]] = Flag.SNAPSHOT, Flag.SNAPSHOT | Flag.MBP | Flag.LAST
    rows["action"][:3] = Action.CLEAR, Action.ADD, Action.ADD
    rows[0]["side"], rows[0]["price"], rows[0]["size"] = Side.NONE, 0, 0
    rows["ts_init"] = rows["ts_event"] = T + (np.arange(len(rows)) - 1) // 2 * 1_000_000 * (np.arange(len(rows)) > 2)
    return rows


@pytest.mark.parametrize("chunk_size", [None, 64])
def test_a_backtest_runs_from_the_catalog(tmp_path: Path, chunk_size: int | None) -> None:
    catalog = Catalog(tmp_path)
    with catalog.book_writer(BTC) as book:
        book.write(messages())
    ticks = np.zeros(50, dtype=EVENT)
    ticks["kind"], ticks["side"], ticks["price"], ticks["size"] = Kind.TRADE, Side.BUY, 618_002, 1
    ticks["ts_init"] = ticks["ts_event"] = T + np.arange(50) * 2_000_000
    with catalog.trade_writer(BTC) as trades:
        trades.write(ticks, [f"t-{number}" for number in range(50)])

    instrument_id = InstrumentId.from_str("BTCUSDT-LINEAR.BYBIT")
    venue = BacktestVenueConfig(
        "BYBIT",
        "NETTING",
        "MARGIN",
        ["100000 USDT"],
        book_type="L2_MBP",
        fee_model=MakerTakerFeeModel(Decimal("0.0002"), Decimal("0.00055")),
    )
    folder = str(tmp_path)
    data = [
        BacktestDataConfig(NautilusDataType.OrderBookDelta, folder, instrument_id=instrument_id, batch_deltas=True),
        BacktestDataConfig(NautilusDataType.TradeTick, folder, instrument_id=instrument_id),
    ]
    node = BacktestNode([BacktestRunConfig([venue], data, chunk_size=chunk_size, raise_exception=True, id="run")])
    node.build()
    (result,) = node.run()
    assert result.iterations == MESSAGES + 1 + 50
    node.dispose()


@pytest.mark.parametrize("name", ["a%20b", "k#2", "what?", "50% [x]"])
def test_the_engine_reads_the_catalog_that_is_named(tmp_path: Path, name: str) -> None:
    rows = messages()
    for folder, count in ((tmp_path / "a b", 3), (tmp_path / name, 11)):
        with Catalog(folder).book_writer(BTC) as book:
            book.write(rows[:count])
    data = BacktestDataConfig(
        NautilusDataType.OrderBookDelta, engine_path(tmp_path / name), instrument_id=InstrumentId.from_str(str(BTC.id))
    )
    fees = MakerTakerFeeModel(Decimal(0), Decimal(0))
    venue = BacktestVenueConfig("BYBIT", "NETTING", "MARGIN", ["100000 USDT"], book_type="L2_MBP", fee_model=fees)
    result = BacktestNode([BacktestRunConfig([venue], [data], raise_exception=True, id="run")]).run()[0]
    assert result.iterations == 5  # messages
    assert len(ParquetDataCatalog(engine_path(tmp_path / name)).query_order_book_deltas([str(BTC.id)])) == 11
