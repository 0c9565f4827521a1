"""The engine's objects as event rows: the same bits that the catalog's files give, at the price of reading them."""

from array import array
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import Grid
from fathom.market.bar_rows import BAR
from fathom.market.events import EVENT, Action, Kind, Side
from fathom.market.kernel_cache import cached

_BOOK: Final = int(Kind.BOOK)
_TRADE: Final = int(Kind.TRADE)
_CLEAR: Final = int(Action.CLEAR)
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_NAN: Final = float("nan")

# A float that is n increments, to within a relative error of 2**-51 (two roundings by the engine, two here), is n
# exactly where n < 2**40 and the rest is below 1e-3; the engine's precisions allow no smaller rest that is not 0.
_LARGEST: Final = float(1 << 40)
_REST: Final = 1e-3


@cached
def _fill(rows, numbers, codes, tick, lot, sequence, ts_init):  # type: ignore[no-untyped-def]
    count = len(rows)
    for i in range(count):
        row = rows[i]
        action = codes[i]
        size = numbers[count + i]
        side = _SELL if np.signbit(size) else _BUY
        if np.isnan(size):  # an order without a side
            if action != _CLEAR or numbers[i] != 0.0:
                return False
            size, side = 0.0, 0
        ticks = numbers[i] / tick
        lots = abs(size) / lot
        price = np.rint(ticks)
        whole = np.rint(lots)
        # Written so that NaN fails.
        if not (
            abs(ticks - price) < _REST and abs(lots - whole) < _REST and abs(price) < _LARGEST and whole < _LARGEST
        ):
            return False
        row.ts_init = ts_init
        row.sequence = sequence
        row.price = np.int64(price)
        row.size = np.int64(whole)
        row.kind = _BOOK
        row.action = action
        row.side = side
        row.flags = codes[count + i]
    return True


class _Converted(NamedTuple):
    key: tuple[int, int, int]
    rows: NDArray[np.void]
    number: int


class SharedRows:
    """The last message of each instrument as rows: the first reader of a feed pays for its conversion, others get it.

    It is for readers of one feed that get every message, one after the other, from the same start on.

    Examples
    --------
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> shared, grid = SharedRows(), Grid.of(default_instruments()["BTCUSDT"])
    >>> readers = [Records(grid, shared), Records(grid, shared)]
    """

    def __init__(self) -> None:
        self.latest: dict[str, _Converted] = {}


class Records:
    """Turn the engine's objects of one instrument into rows, equal to those that `Catalog.events` reads, bit by bit.

    Parameters
    ----------
    grid : Grid
        Of the instrument.
    shared : SharedRows, optional
        What it shares with other readers of the same feed.

    Examples
    --------
    >>> from nautilus_trader.model import AggressorSide, InstrumentId, Price, Quantity, TradeId, TradeTick
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> instrument = default_instruments()["BTCUSDT"]
    >>> tick = TradeTick(instrument.id, Price.from_str("61800.20"), Quantity.from_str("0.125"), AggressorSide.SELL,
    ...                  TradeId("a"), 5, 7)
    >>> row = Records(Grid.of(instrument)).trade(tick)[0]
    >>> int(row["price"]), int(row["size"]), Side(row["side"]).name, int(row["ts_init"])
    (618002, 125, 'SELL', 7)
    """

    def __init__(self, grid: Grid, shared: SharedRows | None = None) -> None:
        self.grid = grid
        self._tick, self._lot = grid.tick, grid.lot
        self._shared = shared
        self._number = 0  # of the shared message that this reader had last

    def deltas(self, message: Any) -> NDArray[np.void]:
        """Return the rows (`EVENT`) of an `OrderBookDeltas`; they are not to be written to.

        A message has one ts_init and one sequence number; its changes may have a ts_event each.

        Raises
        ------
        CatalogError
            A price or size is not on the instrument's grid.
        """
        if self._shared is None:
            return self._converted(message)
        key, name = (message.sequence, message.ts_event, message.ts_init), self.grid.instrument_id
        latest = self._shared.latest.get(name)
        # Another message may have the same numbers: whoever has had this one has come to the next.
        if latest is None or latest.key != key or self._number >= latest.number:
            latest = _Converted(key, self._converted(message), latest.number + 1 if latest else 1)
            self._shared.latest[name] = latest
        self._number = latest.number
        return latest.rows

    def _converted(self, message: Any) -> NDArray[np.void]:
        changes = message.deltas
        count = len(changes)
        orders = [change.order for change in changes]
        # `signed_size` tells size and side at once (the side of 0 too, as -0.0). It aborts where there is no side.
        numbers = array("d", [float(order.price) for order in orders])
        numbers.extend([order.signed_size() if order.side is not None else _NAN for order in orders])
        codes = bytes([int(change.action) for change in changes] + [change.flags for change in changes])
        first, ts_event, ts_init, sequence = changes[0], message.ts_event, message.ts_init, message.sequence
        rows = np.zeros(count, EVENT)
        times = [change.ts_event for change in changes]
        rows["ts_event"] = ts_event if times.count(ts_event) == count else times
        fits = _fill(
            rows,
            np.frombuffer(numbers),
            np.frombuffer(codes, np.uint8),
            self._tick,
            self._lot,
            _signed(sequence),
            ts_init,
        )
        if fits and first.ts_init == ts_init and first.sequence == sequence:
            return rows
        return np.concatenate([self.delta(change) for change in changes])

    def delta(self, delta: Any) -> NDArray[np.void]:
        """Return the row (`EVENT`, shape (1,)) of an `OrderBookDelta`; raises as `deltas` does."""
        order = delta.order
        return _row(
            delta.ts_event,
            delta.ts_init,
            _signed(delta.sequence),
            self._ticks(order.price),
            self._lots(order.size),
            _BOOK,
            int(delta.action),
            _side(order.side),
            delta.flags,
        )

    def trade(self, trade: Any, flags: int = 0) -> NDArray[np.void]:
        """Return the row (`EVENT`, shape (1,)) of a `TradeTick`; raises as `deltas` does.

        Parameters
        ----------
        trade : TradeTick
        flags : int, default 0
            `TradeFlag` bits, which the engine's trade cannot carry.
        """
        return _row(
            trade.ts_event,
            trade.ts_init,
            0,
            self._ticks(trade.price),
            self._lots(trade.size),
            _TRADE,
            0,
            _side(trade.aggressor_side),
            flags,
        )

    def bar(self, bar: Any) -> NDArray[np.void]:
        """Return the row (`fathom.market.bar_rows.BAR`, shape (1,)) of a `Bar`; the engine's bars have no turnover."""
        rows = np.zeros(1, BAR)
        prices = (self._ticks(price) for price in (bar.open, bar.high, bar.low, bar.close))
        rows[0] = (bar.ts_event, bar.ts_init, *prices, self._lots(bar.volume), np.nan)
        return rows

    def _ticks(self, price: Any) -> int:
        count, rest = divmod(price.raw, self.grid.tick_raw)
        if rest:
            raise self._off_grid("price", price, self.grid.price_text(1))
        return int(count)

    def _lots(self, size: Any) -> int:
        count, rest = divmod(size.raw, self.grid.lot_raw)
        if rest:
            raise self._off_grid("size", size, self.grid.size_text(1))
        return int(count)

    def _off_grid(self, name: str, value: Any, step: str) -> CatalogError:
        return CatalogError(
            f"Expected the {name} of {self.grid.instrument_id} as a multiple of {step}, was {value}: "
            "the instrument does not fit its data."
        )


def closed_bars(bars: NDArray[np.void]) -> NDArray[np.void]:
    """Return bars of the catalog (`data_catalog.store.arrow.BAR`) as the features take them (`market.bar_rows.BAR`).

    Examples
    --------
    >>> from fathom.data_catalog.store.arrow import BAR as STORED
    >>> bars = closed_bars(np.ones(1, STORED))
    >>> int(bars["close"][0]), float(bars["turnover"][0])
    (1, nan)
    """
    rows = np.zeros(len(bars), BAR)
    for name in bars.dtype.names or ():
        rows[name] = bars[name]
    rows["turnover"] = np.nan
    return rows


def _row(*values: int) -> NDArray[np.void]:
    rows = np.zeros(1, EVENT)
    rows[0] = values
    return rows


def _side(side: Any) -> int:
    return 0 if side is None else int(side)


def _signed(sequence: int) -> int:
    # The engine counts in uint64, a row in int64: the same 64 bits.
    return sequence if sequence < 1 << 63 else sequence - (1 << 64)
