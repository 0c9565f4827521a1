"""Tables whose rows are whole ladders, such as Tardis' `book_snapshot_25`: what changed from row to row."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fathom.data_catalog.ingest.cells import TimeUnit, counts, times_ns, whole_numbers
from fathom.data_catalog.ingest.table_file import OnProgress, TableFile
from fathom.data_catalog.ingest.table_messages import RAW
from fathom.data_catalog.instruments import Grid
from fathom.market.events import Flag, Side
from fathom.market.kernel_cache import cached

_PIECE: Final = 2048  # ladders between two times that the rows are handed on
_MOST_LEVELS: Final = 1000
_UNDEFINED: Final = str(2**63 - 1)  # Databento's price where there is no level
_BUY, _SELL, _SNAPSHOT = int(Side.BUY), int(Side.SELL), int(Flag.SNAPSHOT)


class Ladder(NamedTuple):
    """How a vendor calls the columns of level n (`{n}`, from 0).

    Parameters
    ----------
    bid_price, bid_size, ask_price, ask_size : str
    nano_prices : bool, default False
        Whether prices may be whole numbers of 1e-9.

    Examples
    --------
    >>> TARDIS.levels(["timestamp", "asks[0].price", "asks[1].price"])
    2
    """

    bid_price: str
    bid_size: str
    ask_price: str
    ask_size: str
    nano_prices: bool = False

    def levels(self, header: list[str]) -> int:
        """Return how many levels a file has."""
        return next(n for n in range(_MOST_LEVELS) if self.ask_price.format(n=n) not in header)

    def columns(self, levels: int) -> dict[str, str]:
        """Return our names of the levels' columns to the vendor's."""
        names = self._fields[:4]
        return {f"{name}_{n}": getattr(self, name).format(n=n) for n in range(levels) for name in names}


TARDIS: Final = Ladder("bids[{n}].price", "bids[{n}].amount", "asks[{n}].price", "asks[{n}].amount")
DATABENTO: Final = Ladder("bid_px_{n:02}", "bid_sz_{n:02}", "ask_px_{n:02}", "ask_sz_{n:02}", nano_prices=True)


def ladder_rows(
    file: TableFile, ladder: Ladder, grid: Grid, unit: TimeUnit | None, on_progress: OnProgress | None
) -> Iterator[NDArray[np.void]]:
    """Yield the rows (`RAW`) that lead from each ladder to the next; the first is a snapshot.

    A level that leaves the ladder is deleted: nobody knows whether it still stands. A ladder that is crossed, empty,
    unsorted or has one side only comes as a snapshot, and so does the one after it.
    """
    levels = sum(name.startswith("bid_price_") for name in file.columns)
    state = np.zeros((2, 2, levels), np.int64)
    fresh = np.ones(1, np.int64)
    for first, batch in file.batches(on_progress):
        rows: NDArray[np.void] = np.zeros(batch.num_rows, RAW)
        rows["line"] = np.arange(first, first + len(rows)) + file.first_line
        rows["ts_init"] = file.convert(first, batch, "ts_init", lambda cells: times_ns(cells, unit))
        rows["ts_event"] = rows["ts_init"]
        if "ts_event" in file.columns:
            rows["ts_event"] = file.convert(first, batch, "ts_event", lambda cells: times_ns(cells, unit))
        if "sequence" in file.columns:
            rows["sequence"] = file.convert(first, batch, "sequence", lambda cells: whole_numbers(cells, "sequence"))
        numbers = np.zeros((2, 2, len(rows), levels), np.int64)
        for side, name in enumerate(("bid", "ask")):
            for n in range(levels):
                price, size = f"{name}_price_{n}", f"{name}_size_{n}"
                numbers[side, 0, :, n] = file.convert(
                    first,
                    batch,
                    price,
                    lambda cells: counts(_filled(cells, nano=ladder.nano_prices), grid.tick_raw, "price"),
                )
                numbers[side, 1, :, n] = file.convert(
                    first, batch, size, lambda cells: counts(_filled(cells), grid.lot_raw, "size")
                )
        for start in range(0, len(rows), _PIECE):
            end = min(start + _PIECE, len(rows))
            out: NDArray[np.void] = np.zeros((end - start) * (4 * levels + 1), RAW)
            count = _changes(rows[start:end], numbers[:, :, start:end], state, fresh, out)
            if count:
                yield out[:count]


def _filled(column: Any, *, nano: bool = False) -> Any:
    # A level that is not there is an empty cell, or Databento's undefined price: 0.
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_finite(column), column, 0.0).fill_null(0.0)
    nano = nano and (pa.types.is_integer(column.type) or not pc.any(pc.match_substring(column, ".")).as_py())
    text = pc.cast(column, pa.string()).fill_null("0")
    text = pc.if_else(pc.is_in(text, pa.array(["", "nan", "NaN", _UNDEFINED])), "0", text)
    if not nano:
        return text
    return pc.replace_substring_regex(pc.utf8_lpad(text, 10, "0"), r"^(\d+)(\d{9})$", r"\1.\2")


@cached
def _changes(
    rows: NDArray[np.void],
    numbers: NDArray[np.int64],
    before: NDArray[np.int64],
    fresh: NDArray[np.int64],
    out: NDArray[np.void],
) -> int:
    n = 0
    levels = numbers.shape[3]
    for i in range(rows.shape[0]):
        good = True
        for side in range(2):
            good = good and numbers[side, 1, i, 0] > 0
            for k in range(1, levels):
                step = numbers[side, 0, i, k] - numbers[side, 0, i, k - 1]
                if numbers[side, 1, i, k] > 0 and (step >= 0 if side == 0 else step <= 0):
                    good = False
        good = good and numbers[0, 0, i, 0] <= numbers[1, 0, i, 0]
        whole = fresh[0] == 1 or not good
        if whole:
            before[:] = 0
            if not good:  # also of an empty ladder there is a row
                n = _put(out, n, rows[i], _BUY, 0, 0, _SNAPSHOT)
        for side in range(2):
            n = _side(rows[i], numbers[side, :, i], before[side], side, _SNAPSHOT if whole else 0, out, n)
        fresh[0] = 0 if good else 1
    return n


@cached
def _side(
    row: Any, new: NDArray[np.int64], old: NDArray[np.int64], side: int, flags: int, out: NDArray[np.void], n: int
) -> int:
    # Both ladders go outwards from the touch: the one that is nearer to it comes next.
    sign = -1 if side == 0 else 1
    code = _BUY if side == 0 else _SELL
    a = b = 0
    levels = new.shape[1]
    while a < levels or b < levels:
        here = b < levels and new[1, b] > 0
        there = a < levels and old[1, a] > 0
        if not here and not there:
            break
        if there and (not here or old[0, a] * sign < new[0, b] * sign):
            n = _put(out, n, row, code, old[0, a], 0, flags)
            a += 1
            continue
        if not there or new[0, b] * sign < old[0, a] * sign:
            n = _put(out, n, row, code, new[0, b], new[1, b], flags)
        else:
            if old[1, a] != new[1, b]:
                n = _put(out, n, row, code, new[0, b], new[1, b], flags)
            a += 1
        b += 1
    old[:] = new
    return n


@cached
def _put(out: NDArray[np.void], n: int, row: Any, side: int, price: int, size: int, flags: int) -> int:
    out[n] = row
    change = out[n]
    change.side, change.price, change.size, change.flags = side, price, size, flags
    return n + 1
