"""Ticks and lots from 1e-10 to 1e7: what every import stores is what the file says, to the last digit."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.ingest.bars import import_bars
from fathom.data_catalog.ingest.bybit import Archive, import_archive
from fathom.data_catalog.ingest.bybit_book import Timing
from fathom.data_catalog.ingest.table import import_table
from fathom.data_catalog.instruments import Grid, InstrumentSpec
from fathom.market.events import Kind
from tests.makers.bybit_files import book_zip, line, message, trade, trades_gz

STEPS = ["0.0000000001", "0.00000001", "0.25", "1844", "1845", "10000", "10000000"]
TICKS, LOTS = 3, 2


@pytest.mark.parametrize("lot", STEPS)
@pytest.mark.parametrize("tick", [STEPS[0], "0.10", STEPS[-1]])
def test_the_numbers_of_files_are_stored_exactly(tmp_path: Path, tick: str, lot: str) -> None:
    spec = InstrumentSpec(symbol="BTCUSDT", base="BTC", quote="USDT", tick=tick, lot=lot)
    instrument = spec.build()
    name, grid = str(instrument.id), Grid.of(instrument)
    low, high, size = (f"{Decimal(step) * count:f}" for step, count in ((tick, TICKS), (tick, TICKS + 1), (lot, LOTS)))
    archive, tables = Catalog(tmp_path / "archive"), Catalog(tmp_path / "tables")
    snapshot = line(message(kind="snapshot", bids=[(low, size)], asks=[(high, size)]))
    cells = trade(price=low, size=size).split(",")
    cells[8:] = [size, f"{Decimal(low) * Decimal(size):f}"]  # the notionals say that it is linear
    for path in (book_zip(tmp_path, [snapshot]), trades_gz(tmp_path, [",".join(cells)])):
        import_archive(Archive.of(path), instrument, archive, Timing())
    trades, bars = tmp_path / "trades.csv", tmp_path / "bars.csv"
    trades.write_text(f"ts_init,side,price,size,trade_id\n1733011200100,buy,{low},{size},a\n")
    bars.write_text(f"timestamp,open,high,low,close,volume\n1733011200,{low},{high},{low},{low},{size}\n")
    import_table(tables, instrument, trades=trades, time_unit="ms")
    import_bars(tables, instrument, bars, bar="1-MINUTE-LAST-EXTERNAL", stamp="open", time_unit="s")
    for catalog in (archive, tables):
        rows = np.concatenate(list(catalog.events(name)))
        [row] = rows[rows["kind"] == Kind.TRADE]
        assert (int(row["price"]), int(row["size"])) == (TICKS, LOTS)
        assert (Decimal(grid.price_text(TICKS)), Decimal(grid.size_text(LOTS))) == (Decimal(low), Decimal(size))
    levels = np.concatenate(list(archive.events(name, trades=False)))[1:]
    assert levels[["price", "size"]].tolist() == [(TICKS, LOTS), (TICKS + 1, LOTS)]
    [bar] = tables.bar_rows(f"{name}-1-MINUTE-LAST-EXTERNAL")
    assert (int(bar["close"]), int(bar["high"]), int(bar["volume"])) == (TICKS, TICKS + 1, LOTS)
