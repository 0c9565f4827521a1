"""The alerts of a running actor in a catalog: a series of their own beside what `fathom detect run` stores."""

import tempfile
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from nautilus_trader.model import CustomData, DataType
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.messages.detections import ManipulationAlert
from fathom.data_catalog.store.layout import ENGINE_DATA, folder_of, parse_interval
from fathom.settings.times import HOUR, interval_name

# That wait, and for how long: a live actor runs for months, and may end without being asked.
_MOST: Final = 10_000


class AlertStore:
    """Store the alerts of one instrument as custom data, under the identifier `<instrument id>.<source>`.

    What it stores takes the place of what was stored there of the same span before: a backtest that is run again leaves
    its alerts once, and a live actor adds those of each session. They are written when there are 10,000, when the first
    has waited for an hour, and by `close`; a file appears whole or not at all.

    Parameters
    ----------
    catalog : Path or str
        Folder of the catalog, which is made where it is absent.
    instrument_id : str
    source : str
        Who found them, such as the actor's id.
    start_ns : int
        Begin of the span; no alert is earlier.

    Raises
    ------
    CatalogError
        The path is no folder.

    Examples
    --------
    >>> store = AlertStore(tempfile.mkdtemp(), "BTCUSDT-LINEAR.BYBIT", "Detection-001", start_ns=0)
    >>> store.close(5), list(store.folder.glob("*"))
    (0, [])
    """

    def __init__(self, catalog: Path | str, instrument_id: str, source: str, *, start_ns: int) -> None:
        self.catalog = Path(catalog)
        try:
            self.catalog.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogError(f"Expected the folder of a catalog, was {catalog}: {error}") from error
        kind = ManipulationAlert.__name__
        self.data_type = DataType(kind, identifier=f"{instrument_id}.{source}")
        self.folder = self.catalog / ENGINE_DATA / "custom" / kind / folder_of(f"{instrument_id}.{source}")
        self._start_ns = start_ns
        self._waiting: list[ManipulationAlert] = []

    def add(self, alert: ManipulationAlert) -> None:
        """Take the next alert, of no earlier `ts_init` than those before."""
        waiting = self._waiting
        is_due = len(waiting) >= _MOST or (waiting and alert.ts_init - waiting[0].ts_init >= HOUR)
        if is_due and alert.ts_init > waiting[-1].ts_init:
            self.close(alert.ts_init - 1)
        self._waiting.append(alert)

    def close(self, end_ns: int) -> int:
        """Write what waits, as all that there is until `end_ns`, included; return how many alerts that were."""
        count = len(self._waiting)
        overlapping = [path for path in sorted(self.folder.glob("*.parquet")) if self._overlaps(path, end_ns)]
        if count or overlapping:
            self._write(overlapping, end_ns)
        self._waiting, self._start_ns = [], end_ns + 1
        return count

    def _overlaps(self, path: Path, end_ns: int) -> bool:
        first, last = parse_interval(path)
        return first <= end_ns and last >= self._start_ns

    def _write(self, overlapping: list[Path], end_ns: int) -> None:
        with tempfile.TemporaryDirectory(prefix=".alerts-", dir=self.catalog) as scratch:
            tables = [self._outside(path, end_ns) for path in overlapping]
            if self._waiting:
                data = [CustomData(self.data_type, alert) for alert in self._waiting]
                ParquetDataCatalog(scratch).write_custom_data(data)
                tables += [pq.ParquetFile(path).read() for path in Path(scratch).rglob("*.parquet")]
            whole = pa.concat_tables(tables).sort_by("ts_init")
            kept = set()
            if whole.num_rows:
                times = whole["ts_init"].cast(pa.int64())
                path = self.folder / interval_name(times[0].as_py(), times[-1].as_py())
                new = Path(scratch) / "whole"
                pq.write_table(whole, new, compression="zstd")
                self.folder.mkdir(parents=True, exist_ok=True)
                new.replace(path)
                kept.add(path)
        for path in set(overlapping) - kept:
            path.unlink()

    def _outside(self, path: Path, end_ns: int) -> pa.Table:
        table = pq.ParquetFile(path).read()
        times = table["ts_init"].cast(pa.int64()).to_numpy()
        return table.filter(pa.array((times < self._start_ns) | (times > end_ns)))
