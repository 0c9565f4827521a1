"""The flags of a catalog's trades, for a replay by an engine that cannot replay them itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.store.layout import TRADE_FLAGS

_BATCH_ROWS: Final = 16_384


class RecordedFlags:
    """Look up the flags of trades while they are replayed: the engine's `BacktestNode` replays no custom data.

    The files are read along with the replay, a batch at a time, and forgotten behind it.

    Parameters
    ----------
    catalog : Catalog
        Where the trades come from.
    instrument_id : str

    Examples
    --------
    >>> import tempfile
    >>> RecordedFlags(Catalog(tempfile.mkdtemp()), "BTCUSDT-LINEAR.BYBIT").of("a", 5)
    0
    """

    def __init__(self, catalog: Catalog, instrument_id: str) -> None:
        self._batches = _batches(catalog.files(TRADE_FLAGS, instrument_id))
        self._held: list[tuple[int, dict[str, int]]] = []  # last ts_init of a batch, flags by trade id
        self._read_to = -1

    def of(self, trade_id: str, ts_ns: int) -> int:
        """Return the `TradeFlag` bits of the trade known at `ts_ns`; of trades, these times must not decrease."""
        while self._read_to <= ts_ns:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._read_to = batch[0]
            self._held.append(batch)
        while self._held and self._held[0][0] < ts_ns:
            del self._held[0]
        return next((flags[trade_id] for _, flags in self._held if trade_id in flags), 0)


def _batches(files: list[Path]) -> Iterator[tuple[int, dict[str, int]]]:
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=["trade_id", "flags", "ts_init"], use_threads=False):
                if batch.num_rows:
                    last = batch.column("ts_init").cast(pa.int64())[-1].as_py()
                    yield (
                        last,
                        dict(zip(batch.column("trade_id").to_pylist(), batch.column("flags").to_pylist(), strict=True)),
                    )
