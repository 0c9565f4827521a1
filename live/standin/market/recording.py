"""Read a catalog as the messages that the venue sent, in order of time, a row group at a time."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fathom.data_catalog.store.fixed_point import decode_fixed
from fathom.data_catalog.store.flag_lookup import FlagLookup
from fathom.data_catalog.store.layout import BOOK, TRADE_FLAGS, TRADES
from fathom.data_catalog.store.reading import read_rows
from fathom.live.errors import LiveError
from fathom.live.standin.market.contracts import Contract
from fathom.market.events import Action, Flag, Side

_RAW_UNITS: Final = 10**16
_BOOK_ROW: Final = np.dtype([(name, "<i8") for name in ("ts_event", "ts_init", "price", "size", "code", "last")])
_TRADE_ROW: Final = np.dtype(
    [(name, "<i8") for name in ("ts_event", "ts_init", "price", "size", "side", "flags")] + [("trade_id", "<U36")]
)
_BOOK_CODES: Final = {"ADD": Action.ADD, "UPDATE": Action.UPDATE, "DELETE": Action.DELETE, "CLEAR": Action.CLEAR}
_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL, "NO_ORDER_SIDE": Side.NONE, "NO_AGGRESSOR": Side.NONE}


class BookMessage(NamedTuple):
    """Changes of a book that the venue sent together.

    Parameters
    ----------
    ts_init, ts_event : int
        ns of the recording.
    symbol : str
    clear : bool
        It replaces the book.
    changes : list of (is_bid, ticks, lots)
        0 lots delete a level.
    """

    ts_init: int
    ts_event: int
    symbol: str
    clear: bool
    changes: list[tuple[bool, int, int]]


class TradeMessage(NamedTuple):
    """Trades that the venue sent together.

    Parameters
    ----------
    ts_init, ts_event : int
        ns of the recording.
    symbol : str
    trades : list of (side, ticks, lots, flags, trade_id)
    """

    ts_init: int
    ts_event: int
    symbol: str
    trades: list[tuple[int, int, int, int, str]]


type Message = BookMessage | TradeMessage


class Recording:
    """The book and the trades of contracts in a catalog.

    Parameters
    ----------
    catalog : Path
    contracts : iterable of Contract

    Raises
    ------
    LiveError
        A contract has no book.
    """

    def __init__(self, catalog: Path, contracts: Iterable[Contract]) -> None:
        self._data, self._contracts = catalog / "data", list(contracts)
        for contract in self._contracts:
            if not self._files(BOOK, contract):
                raise LiveError(f"Expected a recorded book of {contract.symbol} in {catalog}, was none.")

    def messages(self) -> Iterator[Message]:
        """Yield the messages of all contracts in order of ts_init; at one moment, books before trades."""
        streams: list[Iterator[Message]] = [self._books(contract) for contract in self._contracts]
        streams += [self._trades(contract) for contract in self._contracts]
        return heapq.merge(*streams, key=lambda message: message.ts_init)

    def first_books(self) -> list[BookMessage]:
        """Return the first message of each book."""
        return [next(self._books(contract)) for contract in self._contracts]

    def _files(self, kind: str, contract: Contract) -> list[Path]:
        return sorted((self._data / kind / contract.instrument_id).glob("*.parquet"))

    def _books(self, contract: Contract) -> Iterator[BookMessage]:
        rest = np.zeros(0, _BOOK_ROW)
        for rows in read_rows(self._files(BOOK, contract), lambda batch: _book_rows(batch, contract)):
            whole = np.concatenate([rest, rows]) if len(rest) else rows
            begin = 0
            for end in (np.flatnonzero(whole["last"]) + 1).tolist():
                yield _book_message(whole[begin:end], contract.symbol)
                begin = end
            rest = whole[begin:]
        if len(rest):
            yield _book_message(rest, contract.symbol)

    def _trades(self, contract: Contract) -> Iterator[TradeMessage]:
        lookup = FlagLookup(self._files(TRADE_FLAGS, contract))
        for rows in read_rows(
            self._files(TRADES, contract), lambda batch: lookup.put(batch, _trade_rows(batch, contract))
        ):
            begin = 0
            times = rows["ts_init"]
            for end in [*(np.flatnonzero(np.diff(times)) + 1).tolist(), len(rows)]:
                part = rows[begin:end]
                trades = list(zip(*(part[name].tolist() for name in _TRADE_FIELDS), strict=True))
                yield TradeMessage(int(times[begin]), int(part["ts_event"][0]), contract.symbol, trades)
                begin = end


_TRADE_FIELDS: Final = ("side", "price", "size", "flags", "trade_id")


def _book_message(rows: NDArray[np.void], symbol: str) -> BookMessage:
    codes = rows["code"].tolist()
    clear = codes[0] < 0
    changes = [
        (code == Side.BUY, price, size)
        for code, price, size in zip(codes, rows["price"].tolist(), rows["size"].tolist(), strict=True)
        if code > 0
    ]
    return BookMessage(int(rows["ts_init"][-1]), int(rows["ts_event"][-1]), symbol, clear, changes)


def _book_rows(batch: Any, contract: Contract) -> NDArray[np.void]:
    rows = np.zeros(batch.num_rows, _BOOK_ROW)
    _put_shared(rows, batch, contract)
    action, side = _codes(batch.column("action"), _BOOK_CODES), _codes(batch.column("side"), _SIDES)
    rows["code"] = np.where(action == Action.CLEAR, -1, side)
    rows["size"][action == Action.DELETE] = 0
    rows["last"] = (np.asarray(batch.column("flags")) & Flag.LAST) > 0
    return rows


def _trade_rows(batch: Any, contract: Contract) -> NDArray[np.void]:
    rows = np.zeros(batch.num_rows, _TRADE_ROW)
    _put_shared(rows, batch, contract)
    rows["side"] = _codes(batch.column("aggressor_side"), _SIDES)
    rows["trade_id"] = batch.column("trade_id").to_pylist()
    return rows


def _put_shared(rows: NDArray[np.void], batch: Any, contract: Contract) -> None:
    for name in ("ts_event", "ts_init"):
        rows[name] = batch.column(name).view(pa.int64()).to_numpy()
    for name, unit in (("price", contract.tick), ("size", contract.lot)):
        column = pc.fill_null(batch.column(name), 0)
        words = np.frombuffer(column.buffers()[1], np.uint64).reshape(-1, 2)[column.offset :][: len(column)]
        rows[name], bad = decode_fixed(words, int(unit * _RAW_UNITS))
        if bad >= 0:
            raise LiveError(f"Expected each {name} of {contract.symbol} on the grid {unit}, was {column[bad]}.")


def _codes(column: Any, numbers: Mapping[str, int]) -> NDArray[np.int64]:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    table = np.array([numbers[word] for word in column.dictionary.to_pylist()] or [0])
    return np.asarray(table[column.indices.to_numpy(zero_copy_only=False)])
