"""The recording gives back what was written into the catalog."""

from pathlib import Path

import numpy as np
import pytest

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.live.errors import LiveError
from fathom.live.standin.config import StandInConfig
from fathom.live.standin.market.contracts import load_contracts
from fathom.live.standin.market.recording import BookMessage, Recording, TradeMessage
from fathom.market.events import EVENT, Action, Flag, Kind, Side, TradeFlag
from tests.makers.small_market import START, book_rows, make_market, trade_rows


def messages_of(catalog: Path) -> list[BookMessage | TradeMessage]:
    contracts = load_contracts(StandInConfig(str(catalog)))
    return list(Recording(catalog, contracts.values()).messages())


def test_messages_are_the_rows_of_the_catalog_in_order_of_time(catalog: Path) -> None:
    messages = messages_of(catalog)
    assert [message.ts_init for message in messages] == sorted(message.ts_init for message in messages)
    rows = book_rows(40.0)
    levels = rows[rows["action"] != Action.CLEAR]
    wanted = [(row["side"] == Side.BUY, row["price"], row["size"]) for row in levels]
    books = [each for each in messages if isinstance(each, BookMessage) and each.symbol == "BTCUSDT"]
    assert [change for each in books for change in each.changes] == wanted
    assert len(books) == 160
    assert all(each.clear for each in books)
    trades = [each for each in messages if isinstance(each, TradeMessage) and each.symbol == "ETHUSDT"]
    made = trade_rows(40.0)
    assert [trade[:3] for each in trades for trade in each.trades] == made[["side", "price", "size"]].tolist()
    assert trades[0].trades[0][4] == "ETHUSDT-0"


def test_flags_of_trades_and_trades_of_one_moment_stay_together(tmp_path: Path) -> None:
    catalog, instrument = Catalog(tmp_path), default_instruments()["BTCUSDT"]
    flag = int(TradeFlag.RPI)
    times = [START + 1, START + 1, START + 9]
    rows = [(at, at, 0, 600_000 + n, 5, Kind.TRADE, 0, Side.BUY, flag * (n == 1)) for n, at in enumerate(times)]
    with catalog.book_writer(instrument) as writer:
        writer.write(book_rows(1.0))
    with catalog.trade_writer(instrument) as trades:
        trades.write(np.array(rows, EVENT), ["a", "b", "c"])
    found = [each.trades for each in messages_of(tmp_path) if isinstance(each, TradeMessage)]
    assert found == [[(1, 600_000, 5, 0, "a"), (1, 600_001, 5, flag, "b")], [(1, 600_002, 5, 0, "c")]]


def test_a_change_is_no_clear_and_a_delete_has_no_size(tmp_path: Path) -> None:
    catalog, instrument = Catalog(tmp_path), default_instruments()["BTCUSDT"]
    at = START + 10**9
    change = np.array(
        [
            (at, at, 9, 600_005, 7, Kind.BOOK, Action.UPDATE, Side.SELL, Flag.MBP),
            (at, at, 9, 599_999, 0, Kind.BOOK, Action.DELETE, Side.BUY, Flag.MBP | Flag.LAST),
        ],
        EVENT,
    )
    with catalog.book_writer(instrument) as writer:
        writer.write(np.concatenate([book_rows(0.25), change]))
    last = messages_of(tmp_path)[-1]
    assert last == BookMessage(at, at, "BTCUSDT", False, [(False, 600_005, 7), (True, 599_999, 0)])


def test_a_catalog_without_contracts_or_without_the_symbol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LiveError, match="linear perpetuals"):
        load_contracts(StandInConfig(str(tmp_path)))
    make_market(tmp_path / "c", seconds=1.0)
    with pytest.raises(LiveError, match="XRPUSDT"):
        load_contracts(StandInConfig(str(tmp_path / "c"), symbols=["XRPUSDT"]))
