"""From a configuration to what the engine replays: data sets, instruments, span, and funding rates."""

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from nautilus_trader.backtest import BacktestDataConfig
from nautilus_trader.model import InstrumentId, NautilusDataType
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.backtests.setup.config import Config, FundingRates
from fathom.backtests.setup.venue_models import check_instrument, money
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.store.engine_path import engine_path
from fathom.data_catalog.store.layout import BARS, BOOK, TRADES, parse_interval
from fathom.data_catalog.store.reading import open_parquet
from fathom.settings.errors import SettingsError
from fathom.settings.times import HOUR, MS, interval_name, iso, moment_ns

FUNDING: Final = "funding_rates"
_ENGINE_TYPES: Final = {
    BOOK: NautilusDataType.OrderBookDelta,
    TRADES: NautilusDataType.TradeTick,
    BARS: NautilusDataType.Bar,
    FUNDING: NautilusDataType.FundingRateUpdate,
}
_FOLDERS: Final = {"book": BOOK, "trades": TRADES, "bars": BARS}


class Feed(NamedTuple):
    """What a run replays.

    Attributes
    ----------
    catalog
        Where it comes from.
    datasets
        The engine's data configurations, one a type and identifier.
    instruments
        Instrument id -> the engine's instrument, in the order of the configuration.
    start_ns, end_ns
        The span simulated: that of the data, cut to the configured one.
    rows
        About how many rows that is (rows of the files, cut in proportion).
    fingerprint
        Hash of names and sizes of the files that hold the data.
    """

    catalog: Catalog
    datasets: list[BacktestDataConfig]
    instruments: dict[str, Any]
    start_ns: int
    end_ns: int
    rows: int
    fingerprint: str


def open_feed(config: Config) -> Feed:
    """Look up the configured data in the catalog.

    Raises
    ------
    SettingsError
        The catalog, an instrument or a data type is not there, or no data lie in the span.
    """
    data = config.data
    catalog = Catalog(Path(data.catalog).resolve())
    if not (catalog.path / "data").is_dir():
        raise SettingsError(
            f"Expected the folder of a catalog, was {data.catalog}. "
            "`fathom data import` or `fathom data simulate` makes one.",
            path="data.catalog",
        )
    instruments = {}
    for at, name in enumerate(data.instruments):
        try:
            instruments[name] = catalog.instrument(name)
        except CatalogError as error:
            raise SettingsError(str(error), path=f"data.instruments[{at}]") from error
        problem = check_instrument(instruments[name], money(config.venue.starting_balance)[1])
        if problem:
            raise SettingsError(problem, path=f"data.instruments[{at}]")
    held = {(span.data_type, span.identifier): span for span in catalog.spans()}
    used = []
    for data_type, identifier in _identifiers(config):
        if (data_type, identifier) not in held:
            there = ", ".join(f"{kind} of {name}" for kind, name in held) or "nothing"
            raise SettingsError(
                f"Expected {data_type} of {identifier} in the catalog, which holds {there}.", path="data"
            )
        used.append(held[data_type, identifier])
    first, last = min(span.first_ns for span in used), max(span.last_ns for span in used)
    start = max(first, moment_ns(data.start) or first)
    end = min(last, moment_ns(data.end) or last)
    if end < last:
        files = [file for span in used for file in catalog.files(span.data_type, span.identifier)]
        end = max(_last_event(file, end) for file in files)
    if start > end:
        raise SettingsError(
            f"Expected a span that overlaps the data, which run from {iso(first)} "
            f"to {iso(last)}, was {data.start} to {data.end}.",
            path="data.start" if data.start else "data.end",
        )
    rows = 0
    hashed = hashlib.sha256()
    for span in used:
        inside = min(span.last_ns, end) - max(span.first_ns, start)
        rows += round(span.rows * max(0.0, min(1.0, inside / max(1, span.last_ns - span.first_ns))))
    names = [(span.data_type, span.identifier) for span in used] + _rates(catalog, config, instruments)
    for data_type, identifier in names:
        for file in catalog.files(data_type, identifier):
            hashed.update(f"{data_type}/{identifier}/{file.name}:{file.stat().st_size}\n".encode())
    datasets = [_dataset(catalog.path, data_type, identifier, start, end) for data_type, identifier in names]
    return Feed(catalog, datasets, instruments, start, end, rows, hashed.hexdigest()[:16])


def constant_funding(feed: Feed, funding: FundingRates, folder: Path) -> list[BacktestDataConfig]:
    """Write a constant funding rate for the feed's perpetuals as a small catalog; return its data configurations.

    The engine settles funding when the time stated in the last update before it (`next_funding_ns`) comes, at that
    update's rate and the mid of the book (the last price without one); an update is needed for every settlement.
    """
    interval = funding.interval_hours * HOUR
    first = feed.start_ns // interval + 1
    settlements = range(first * interval, feed.end_ns + 1, interval)
    perpetuals = _perpetuals(feed.instruments)
    if not settlements or not perpetuals:
        return []
    rate = str(Decimal(repr(funding.rate)))
    told = [max(feed.start_ns, at - interval + MS) for at in settlements]
    folder.mkdir(parents=True, exist_ok=True)
    ParquetDataCatalog(engine_path(folder)).write_instruments([feed.instruments[name] for name in perpetuals])
    time = pa.timestamp("ns", tz="UTC")
    for name in perpetuals:
        schema = pa.schema(
            [
                pa.field("rate", pa.string(), nullable=False),
                pa.field("interval", pa.uint64()),
                pa.field("next_funding_ns", time),
                pa.field("ts_event", time, nullable=False),
                pa.field("ts_init", time, nullable=False),
            ],
            metadata={"instrument_id": name, "type_name": "FundingRateUpdate"},
        )
        columns = [
            pa.array([rate] * len(told)),
            pa.array([funding.interval_hours * 60] * len(told), pa.uint64()),
            *(pa.array(times, time) for times in (list(settlements), told, told)),
        ]
        path = folder / "data" / FUNDING / name / interval_name(told[0], told[-1])
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_arrays(columns, schema=schema), path)
    return [_dataset(folder, FUNDING, name, feed.start_ns, feed.end_ns) for name in perpetuals]


def _identifiers(config: Config) -> list[tuple[str, str]]:
    data = config.data
    wanted = []
    for instrument in data.instruments:
        for kind in data.types:
            names = [f"{instrument}-{bars}" for bars in data.bars] if kind == "bars" else [instrument]
            wanted += [(_FOLDERS[kind], name) for name in names]
    return wanted


def _rates(catalog: Catalog, config: Config, instruments: dict[str, Any]) -> list[tuple[str, str]]:
    if config.funding.source != "catalog":
        return []
    perpetuals = _perpetuals(instruments)
    for name in perpetuals:
        if not catalog.files(FUNDING, name):
            raise SettingsError(
                f"Expected {FUNDING} of {name} in the catalog, was none. Known sources: none, catalog, constant.",
                path="funding.source",
            )
    return [(FUNDING, name) for name in perpetuals]


def _perpetuals(instruments: dict[str, Any]) -> list[str]:
    return [name for name, item in instruments.items() if type(item).__name__ == "CryptoPerpetual"]


def _last_event(file: Path, end_ns: int) -> int:
    # The last ts_init at or before a time, -1 without any; of a file that straddles it, one column of one row group.
    first, last = parse_interval(file)
    if first > end_ns:
        return -1
    if last <= end_ns:
        return last
    with open_parquet(file) as parquet:
        at = parquet.schema_arrow.get_field_index("ts_init")
        for group in reversed(range(parquet.num_row_groups)):
            statistics = parquet.metadata.row_group(group).column(at).statistics
            if statistics is not None and statistics.min.value > end_ns:
                continue
            times = parquet.read_row_group(group, columns=["ts_init"]).column(0).cast(pa.int64()).to_numpy()
            if times[0] <= end_ns:
                return int(times[np.searchsorted(times, end_ns, side="right") - 1])
    return -1


def _dataset(path: Path, data_type: str, identifier: str, start_ns: int, end_ns: int) -> BacktestDataConfig:
    bars = data_type == BARS
    return BacktestDataConfig(
        _ENGINE_TYPES[data_type],
        engine_path(path),
        instrument_id=None if bars else InstrumentId.from_str(identifier),
        bar_types=[identifier] if bars else None,
        start_time=start_ns,
        end_time=end_ns,
        batch_deltas=data_type == BOOK,
        optimize_file_loading=True,  # else the engine opens every file at once: some 14 MiB each
    )
