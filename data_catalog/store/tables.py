"""Rows of a catalog as tables for people: real prices and sizes, words for codes, UTC times."""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import Grid
from fathom.market.events import Action, Side

type Moment = str | datetime.datetime | None
"""A time: ISO text, datetime or pandas Timestamp, in UTC where it names no time zone; None is no limit."""

_TIME: Final = pa.timestamp("ns", tz="UTC")
_ACTIONS: Final = pa.array(["", *(action.name for action in Action)])
_SIDES: Final = pa.array([side.name for side in Side])


def time_ns(moment: Moment) -> int | None:
    """Return a time in ns since the epoch.

    Examples
    --------
    >>> time_ns("2024-08-09") == time_ns("2024-08-09T02:00+02:00") == time_ns(datetime.datetime(2024, 8, 9))
    True
    >>> time_ns("today at noon")
    Traceback (most recent call last):
    ...
    fathom.data_catalog.errors.CatalogError: Expected a time such as 2024-08-09T14:30:00Z, was 'today at noon'.
    """
    if moment is None:
        return None
    import pandas as pd

    try:
        stamp = pd.to_datetime(moment, utc=True, format="ISO8601") if isinstance(moment, str) else pd.Timestamp(moment)
    except (ValueError, TypeError):
        raise CatalogError(f"Expected a time such as 2024-08-09T14:30:00Z, was {moment!r}.") from None
    stamp = stamp.tz_localize("UTC") if stamp.tz is None else stamp
    return int(stamp.as_unit("ns").value)


def book_table(rows: NDArray[np.void], grid: Grid) -> pa.Table:
    """Return book rows (`EVENT`) as a table: one row a change of a level, `size` being its new size."""
    return pa.table(
        {
            **_times(rows),
            "action": _words(rows["action"], _ACTIONS),
            "side": _words(rows["side"], _SIDES),
            "price": grid.prices(rows["price"]),
            "size": grid.sizes(rows["size"]),
            "sequence": rows["sequence"],
            "flags": rows["flags"],
        }
    )


def trade_table(rows: NDArray[np.void], grid: Grid) -> pa.Table:
    """Return trade rows (`EVENT`) as a table; `side` is the aggressor's."""
    return pa.table(
        {
            **_times(rows),
            "side": _words(rows["side"], _SIDES),
            "price": grid.prices(rows["price"]),
            "size": grid.sizes(rows["size"]),
            "flags": rows["flags"],
        }
    )


def bar_table(rows: NDArray[np.void], grid: Grid) -> pa.Table:
    """Return bars (`fathom.data_catalog.store.arrow.BAR`) as a table; the times are those of the close."""
    prices = {name: grid.prices(rows[name]) for name in ("open", "high", "low", "close")}
    return pa.table({**_times(rows), **prices, "volume": grid.sizes(rows["volume"])})


def message_table(files: Iterable[tuple[str, Path]], start_ns: int | None, end_ns: int | None) -> pa.Table:
    """Return stored messages, from files with the name of their source, in order of `ts_init`."""
    tables = []
    for source, path in files:
        table = pq.ParquetFile(path).read()
        tables.append(table.append_column("source", pa.repeat(source, len(table))))
    whole = pa.concat_tables(tables, promote_options="permissive").sort_by("ts_init")
    whole = whole.drop_columns([name for name in ("type", "data_type") if name in whole.column_names])
    times = whole["ts_init"].cast(pa.int64()).to_numpy()
    first = 0 if start_ns is None else int(np.searchsorted(times, start_ns))
    end = len(times) if end_ns is None else int(np.searchsorted(times, end_ns, side="right"))
    return whole.slice(first, max(0, end - first))


def _times(rows: NDArray[np.void]) -> dict[str, Any]:
    return {name: pa.array(rows[name]).view(_TIME) for name in ("ts_event", "ts_init")}


def _words(codes: NDArray[np.uint8], words: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), words)
