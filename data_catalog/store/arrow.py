"""Event rows to the engine's Arrow columns and back, without a Python object per row."""

import json
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import FIXED_PRECISION, Grid
from fathom.data_catalog.store.fixed_point import decode_fixed, encode_fixed
from fathom.market.events import EVENT, Kind

BAR: Final = np.dtype(
    [(name, "<i8") for name in ("ts_event", "ts_init", "open", "high", "low", "close", "volume")], align=True
)
"""One bar, 56 bytes: times in ns (the close of the bar), prices in ticks, volume in lots."""

_DECIMAL: Final = pa.decimal128(38, FIXED_PRECISION)
_TIME: Final = pa.timestamp("ns", tz="UTC")
_WORD: Final = pa.dictionary(pa.int8(), pa.string())

_FLAGS_SCHEMA: Final = pa.schema(
    [
        pa.field("instrument_id", pa.string()),
        pa.field("trade_id", pa.string()),
        pa.field("flags", pa.int64()),
        pa.field("type", pa.string(), nullable=False),
        pa.field("ts_event", _TIME, nullable=False),
        pa.field("ts_init", _TIME, nullable=False),
        pa.field("data_type", pa.string(), nullable=False),
    ],
    metadata={"type_name": "TradeFlags"},
)

# The position in each list is the number that the event row carries (`Action`, `Side`).
_ACTIONS: Final = ("ADD", "UPDATE", "DELETE", "CLEAR")  # numbered from 1
_BOOK_SIDES: Final = ("NO_ORDER_SIDE", "BUY", "SELL")
_TRADE_SIDES: Final = ("NO_AGGRESSOR", "BUY", "SELL")


def book_schema(grid: Grid) -> pa.Schema:
    """Return the schema in which the engine stores an instrument's `OrderBookDelta`.

    Examples
    --------
    >>> grid = Grid("BTCUSDT-LINEAR.BYBIT", tick_raw=10**15, lot_raw=10**13, price_precision=2, size_precision=3)
    >>> book_schema(grid).names
    ['action', 'side', 'price', 'size', 'order_id', 'flags', 'sequence', 'ts_event', 'ts_init']
    """
    return pa.schema(
        [
            pa.field("action", _WORD, nullable=False),
            pa.field("side", _WORD, nullable=False),
            pa.field("price", _DECIMAL),
            pa.field("size", _DECIMAL),
            pa.field("order_id", pa.uint64(), nullable=False),
            pa.field("flags", pa.uint8(), nullable=False),
            pa.field("sequence", pa.uint64(), nullable=False),
            pa.field("ts_event", _TIME, nullable=False),
            pa.field("ts_init", _TIME, nullable=False),
        ],
        metadata=_metadata(grid, "OrderBookDelta"),
    )


def trade_schema(grid: Grid) -> pa.Schema:
    """Return the schema in which the engine stores an instrument's `TradeTick`."""
    return pa.schema(
        [
            pa.field("price", _DECIMAL, nullable=False),
            pa.field("size", _DECIMAL, nullable=False),
            pa.field("aggressor_side", _WORD, nullable=False),
            pa.field("trade_id", pa.string(), nullable=False),
            pa.field("ts_event", _TIME, nullable=False),
            pa.field("ts_init", _TIME, nullable=False),
        ],
        metadata=_metadata(grid, "TradeTick"),
    )


def bar_schema(grid: Grid, bar_type: str) -> pa.Schema:
    """Return the schema in which the engine stores the `Bar` of a bar type."""
    decimals = [pa.field(name, _DECIMAL, nullable=False) for name in ("open", "high", "low", "close", "volume")]
    times = [pa.field(name, _TIME, nullable=False) for name in ("ts_event", "ts_init")]
    return pa.schema([*decimals, *times], metadata={"bar_type": bar_type, **_metadata(grid, "Bar")})


def book_batch(rows: NDArray[np.void], grid: Grid) -> pa.RecordBatch:
    """Return book rows (`EVENT`) as the engine's columns."""
    count = len(rows)
    columns = [
        _words(rows["action"].astype(np.int8) - np.int8(1), _ACTIONS),
        _words(rows["side"].astype(np.int8), _BOOK_SIDES),
        _decimals(rows["price"], grid.tick_raw),
        _decimals(rows["size"], grid.lot_raw),
        pa.array(np.zeros(count, dtype=np.uint64)),
        pa.array(np.ascontiguousarray(rows["flags"])),
        pa.array(np.ascontiguousarray(rows["sequence"]).view(np.uint64)),
        _times(rows["ts_event"]),
        _times(rows["ts_init"]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=book_schema(grid))


def trade_batch(rows: NDArray[np.void], trade_ids: Any, grid: Grid) -> pa.RecordBatch:
    """Return trade rows (`EVENT`) and their ids (a list or array of text) as the engine's columns."""
    columns = [
        _decimals(rows["price"], grid.tick_raw),
        _decimals(rows["size"], grid.lot_raw),
        _words(rows["side"].astype(np.int8), _TRADE_SIDES),
        trade_id_array(trade_ids),
        _times(rows["ts_event"]),
        _times(rows["ts_init"]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=trade_schema(grid))


def bar_batch(bars: NDArray[np.void], grid: Grid, bar_type: str) -> pa.RecordBatch:
    """Return bars (`BAR`) as the engine's columns."""
    columns = [_decimals(bars[name], grid.tick_raw) for name in ("open", "high", "low", "close")]
    columns += [_decimals(bars["volume"], grid.lot_raw), _times(bars["ts_event"]), _times(bars["ts_init"])]
    return pa.RecordBatch.from_arrays(columns, schema=bar_schema(grid, bar_type))


def flags_batch(rows: NDArray[np.void], trade_ids: pa.Array, instrument_id: str) -> pa.RecordBatch:
    """Return the flags of trade rows as the engine stores the custom data
    `data_catalog.messages.trade_flags.TradeFlags`.
    """
    count = len(rows)
    kind = json.dumps({"type_name": "TradeFlags", "metadata": None, "identifier": instrument_id}, separators=(",", ":"))
    columns = [
        pa.repeat(instrument_id, count),
        trade_ids,
        pa.array(rows["flags"].astype(np.int64)),
        pa.repeat("TradeFlags", count),
        _times(rows["ts_event"]),
        _times(rows["ts_init"]),
        pa.repeat(kind, count),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_FLAGS_SCHEMA)


TRADE_ID: Final = "^[!-~][ -~]{0,35}$"
"""What the engine takes as a trade id; it aborts the process on any other, so that no other may enter a catalog."""

TRADE_ID_WORDS: Final = "an id of 1 to 36 ASCII letters"


def trade_id_array(trade_ids: Any) -> pa.Array:
    """Return trade ids (Arrow, list, or numpy array of str or bytes) as an Arrow array of strings."""
    if isinstance(trade_ids, pa.Array):
        return trade_ids.cast(pa.string())
    return pa.array(trade_ids).cast(pa.string())


def book_rows(batch: Any, grid: Grid) -> NDArray[np.void]:
    """Return the engine's `OrderBookDelta` columns as rows (`EVENT`).

    Parameters
    ----------
    batch : pyarrow.RecordBatch or pyarrow.Table
    grid : Grid
        Of the instrument.

    Returns
    -------
    EVENT array

    Raises
    ------
    CatalogError
        A price or size is not on the grid.
    """
    rows = np.zeros(batch.num_rows, dtype=EVENT)
    rows["kind"] = Kind.BOOK
    rows["action"] = _numbers(batch.column("action"), _ACTIONS) + 1
    rows["side"] = _numbers(batch.column("side"), _BOOK_SIDES)
    rows["price"] = _counts(batch.column("price"), grid.tick_raw, "price", grid)
    rows["size"] = _counts(batch.column("size"), grid.lot_raw, "size", grid)
    rows["flags"] = _plain(batch.column("flags"))
    rows["sequence"] = _plain(batch.column("sequence")).view(np.int64)
    rows["ts_event"] = _plain(batch.column("ts_event"))
    rows["ts_init"] = _plain(batch.column("ts_init"))
    return rows


def trade_rows(batch: Any, grid: Grid) -> NDArray[np.void]:
    """Return the engine's `TradeTick` columns as rows (`EVENT`); flags are 0, sequence too: the engine stores none."""
    rows = np.zeros(batch.num_rows, dtype=EVENT)
    rows["kind"] = Kind.TRADE
    rows["side"] = _numbers(batch.column("aggressor_side"), _TRADE_SIDES)
    rows["price"] = _counts(batch.column("price"), grid.tick_raw, "price", grid)
    rows["size"] = _counts(batch.column("size"), grid.lot_raw, "size", grid)
    rows["ts_event"] = _plain(batch.column("ts_event"))
    rows["ts_init"] = _plain(batch.column("ts_init"))
    return rows


def bar_rows(batch: Any, grid: Grid) -> NDArray[np.void]:
    """Return the engine's `Bar` columns as rows (`BAR`)."""
    rows = np.zeros(batch.num_rows, dtype=BAR)
    for name in ("open", "high", "low", "close"):
        rows[name] = _counts(batch.column(name), grid.tick_raw, name, grid)
    rows["volume"] = _counts(batch.column("volume"), grid.lot_raw, "volume", grid)
    rows["ts_event"] = _plain(batch.column("ts_event"))
    rows["ts_init"] = _plain(batch.column("ts_init"))
    return rows


def _metadata(grid: Grid, type_name: str) -> dict[str, str]:
    return {
        "instrument_id": grid.instrument_id,
        "price_precision": str(grid.price_precision),
        "size_precision": str(grid.size_precision),
        "type_name": type_name,
    }


def _words(codes: NDArray[np.int8], values: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(values), safe=False)


def _decimals(counts: NDArray[np.int64], unit: int) -> pa.Array:
    return pa.Array.from_buffers(_DECIMAL, len(counts), [None, pa.py_buffer(encode_fixed(counts, unit))])


def _times(values: NDArray[np.int64]) -> pa.Array:
    return pa.Array.from_buffers(_TIME, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def _one(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _plain(column: Any) -> NDArray[Any]:
    column = _one(column)
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _numbers(column: Any, values: tuple[str, ...]) -> NDArray[np.uint8]:
    column = _one(column)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words = column.dictionary.to_pylist()
    unknown = [word for word in words if word not in values]
    if unknown:
        raise CatalogError(f"Expected one of {', '.join(values)}, was {unknown[0]!r}: the file is not the engine's.")
    table = np.array([values.index(word) for word in words] or [0], dtype=np.uint8)
    return np.asarray(table[column.indices.to_numpy(zero_copy_only=False)])


def _counts(column: Any, unit: int, name: str, grid: Grid) -> NDArray[np.int64]:
    column = _one(column)
    if column.null_count:
        column = pc.fill_null(column, 0)
    words = np.frombuffer(column.buffers()[1], dtype=np.uint64).reshape(-1, 2)
    counts, bad = decode_fixed(words[column.offset : column.offset + len(column)], unit)
    if bad >= 0:
        step = grid.price_text(1) if unit == grid.tick_raw else grid.size_text(1)
        raise CatalogError(
            f"Expected the {name} of {grid.instrument_id} as a multiple of {step}, was {column[bad]}: "
            "the instrument in the catalog does not fit its data."
        )
    return counts
