"""Put the flags of trades, which the engine's columns cannot hold, back on the rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fathom.data_catalog.store.layout import parse_interval


class FlagLookup:
    """Flags of trades by trade id, read for the span of each batch.

    Parameters
    ----------
    files : list of Path
        Files of the custom data `fathom.data_catalog.messages.trade_flags.TradeFlags` of one instrument.

    Examples
    --------
    >>> from fathom.market.events import EVENT
    >>> batch = pa.record_batch({"trade_id": ["a", "b"]})
    >>> FlagLookup([]).put(batch, np.zeros(2, dtype=EVENT))["flags"]
    array([0, 0], dtype=uint8)
    """

    def __init__(self, files: list[Path]) -> None:
        self._files = [(*parse_interval(path), path) for path in files]

    def put(self, batch: pa.RecordBatch, rows: NDArray[np.void]) -> NDArray[np.void]:
        """Give rows that were read from a batch of the engine's `TradeTick` columns their flags; returns the rows."""
        if self._files and len(rows):
            rows["flags"] = self._of(rows, batch.column("trade_id"))
        return rows

    def _of(self, rows: NDArray[np.void], trade_ids: Any) -> NDArray[np.uint8]:
        flags = np.zeros(len(rows), dtype=np.uint8)
        first, last = int(rows["ts_init"][0]), int(rows["ts_init"][-1])
        for start, end, path in self._files:
            if start > last or end < first:
                continue
            known = self._read(path, first, last)
            found = pc.index_in(trade_ids, value_set=known["trade_id"].combine_chunks())
            where = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
            if len(where):
                chosen = known["flags"].combine_chunks().take(found.take(pa.array(where)))
                flags[where] = chosen.to_numpy().astype(np.uint8)
        return flags

    def _read(self, path: Path, first: int, last: int) -> pa.Table:
        time = pa.timestamp("ns", tz="UTC")
        bounds = [("ts_init", ">=", pa.scalar(first, time)), ("ts_init", "<=", pa.scalar(last, time))]
        return pq.read_table(path, columns=["trade_id", "flags"], filters=bounds)
