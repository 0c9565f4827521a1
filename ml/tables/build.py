"""Building feature tables: the vectors of some instruments over a span of a catalog, as one Parquet file."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.replay.rows_of_objects import closed_bars
from fathom.data_catalog.store.arrow import bar_rows
from fathom.data_catalog.store.layout import BARS, BOOK, TRADE_FLAGS, TRADES, parse_interval
from fathom.data_catalog.store.reading import read_rows
from fathom.market.bar_rows import BAR
from fathom.market.events import EVENT
from fathom.ml.features import FeatureSet, Vectors
from fathom.ml.features.micro_price import MicroPriceTable, fit_micro_price
from fathom.ml.tables.config import TableConfig
from fathom.ml.tables.file import FORMAT, TableFacts, as_arrow
from fathom.settings.owner import owned
from fathom.settings.whole_files import sync, whole_file, write_whole

_ROW_GROUP: Final = 16_384

type OnProgress = Callable[[str, int, int], None]
"""Called with an instrument, how much of its span (ns) is done, and how long that is."""


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a build.

    Parameters
    ----------
    path : Path
        The table.
    already : bool
        Whether it was there before.
    rows, features : int
    resumed : int
        Parts that an earlier build had finished before it was stopped.

    Examples
    --------
    >>> Built(Path("features-ab.parquet"), True, 690, 160, 0).path.name
    'features-ab.parquet'
    """

    path: Path
    already: bool
    rows: int
    features: int
    resumed: int


@dataclass(frozen=True, slots=True)
class TableJob:
    """One instrument of a table: its files and its span.

    The events of [start_ns, end_ns] are read, beginning with the file that holds the configured start: a book is whole
    from its snapshot on, and that stands at the beginning of a file.
    """

    config: TableConfig
    catalog: Catalog
    grid: Grid
    files: list[Path]
    start_ns: int
    end_ns: int

    @property
    def instrument(self) -> str:
        return self.grid.instrument_id

    def features(self, table: MicroPriceTable | None = None) -> FeatureSet:
        return FeatureSet(
            self.config.features, price_increment=self.grid.tick, size_increment=self.grid.lot, micro_price=table
        )


def build(
    config: TableConfig,
    out: Path,
    *,
    name: str = "features",
    part_secs: int = 3600,
    on_progress: OnProgress | None = None,
) -> Built:
    """Write the feature table of a configuration, unless it is there.

    Its name ends with a hash of the settings, the features' versions and the data (name, size and footer of each file;
    a footer holds the counts, sizes and extremes of every column). The table appears when it is whole. A build that is
    stopped, by whatever means, goes on from the last finished part when it is called again, and gives the same file.
    Memory is that of one part's vectors and one batch of events.

    With a `micro_price_until`, the fitted tables lie beside, in ``<table>.micro_price/<instrument>.json``: a live
    `FeatureActor` needs them.

    Parameters
    ----------
    config : TableConfig
    out : Path
        Folder of the table.
    name : str, default "features"
        What its name begins with.
    part_secs : int, default 3600
        Event time after which the work is saved.
    on_progress : callable, optional

    Raises
    ------
    CatalogError
        The catalog lacks an instrument, or data of it in the span; or another process is building this table.
    """
    catalog = Catalog(config.catalog)
    jobs = [job_of(catalog, config, instrument) for instrument in config.instruments]
    sources = [_source(catalog, path) for job in jobs for path in job.files]
    settings = msgspec.to_builtins(config)
    del settings["catalog"]  # where it lies does not matter
    identity = [FORMAT, settings, [(job.features().schema.hash, job.grid.tick_raw, job.grid.lot_raw) for job in jobs]]
    digest = sha256(json.dumps([*identity, sources], sort_keys=True).encode()).hexdigest()
    path = out / f"{name}-{digest[:12]}.parquet"
    if path.is_file():
        held = pq.read_metadata(path)
        return Built(path, True, held.num_rows, held.num_columns - 2, 0)
    folder = out / f".{path.stem}.parts"
    with owned(folder, "the other one builds the same table"):
        resumed = 0
        tables, schemas = {}, {}
        for number, job in enumerate(jobs):
            table = fitted_micro_price(job)
            if table is not None:
                tables[job.instrument] = table
            schemas[job.instrument] = job.features(table).schema
            resumed += _write_parts(job, table, f"{folder}/{number:04d}", part_secs * 1_000_000_000, on_progress)
        facts = TableFacts(
            format=FORMAT,
            hash=digest,
            config=settings,
            schemas=schemas,
            sources=sources,
            micro_price=tables,
            catalog=str(catalog.path.resolve()),
        )
        rows = _join(sorted(folder.glob("*.parquet")), folder / "whole.tmp", facts)
        for instrument, table in tables.items():
            write_whole(path.with_suffix(".micro_price") / f"{instrument}.json", table.to_json())
        (folder / "whole.tmp").rename(path)
        sync(out)
        shutil.rmtree(folder)
    return Built(path, False, rows, len(facts.schema), resumed)


def vectors_table(config: TableConfig, on_progress: OnProgress | None = None) -> pa.Table:
    """Return the vectors that `build` would write, as a table in memory: `ts`, `instrument`, and a column a feature.

    Raises
    ------
    CatalogError
        The catalog lacks an instrument, or data of it in the span.
    """
    catalog, tables = Catalog(config.catalog), []
    for instrument in config.instruments:
        job = job_of(catalog, config, instrument)
        features = job.features(fitted_micro_price(job))
        vectors = _span(job, features, job.start_ns, job.end_ns, on_progress)
        tables.append(as_arrow(instrument, features.schema, vectors))
    return pa.concat_tables(tables)


def job_of(catalog: Catalog, config: TableConfig, instrument: str) -> TableJob:
    """Return what is to be read of an instrument; raises `CatalogError` where there is nothing."""
    grid = Grid.of(catalog.instrument(instrument))
    start, end = config.start_ns or 0, config.end_ns or 1 << 62
    kinds = [(BOOK, instrument)] if config.features.reads_book else []
    kinds += [(TRADES, instrument), (TRADE_FLAGS, instrument)]
    if config.bar_type is not None:
        kinds.append((BARS, f"{instrument}-{config.bar_type}"))
    files, first, last = [], end + 1, start - 1
    for data_type, identifier in kinds:
        for path in catalog.files(data_type, identifier):
            begin, finish = parse_interval(path)
            fits = data_type == BOOK and config.micro_price_until_ns is not None
            if begin > end or (finish < start and not fits):
                continue
            files.append(path)
            if data_type != TRADE_FLAGS:
                first, last = min(first, begin), max(last, finish)
    last = min(last, end)
    if max(first, start) > last:
        span = f"{config.start or 'the beginning'} and {config.end or 'the end'}"
        raise CatalogError(f"Expected data of {instrument} between {span} in {catalog.path}, was none.")
    return TableJob(config, catalog, grid, files, first, last)


def _source(catalog: Catalog, path: Path) -> tuple[str, int, str]:
    with path.open("rb") as file:
        file.seek(-8, 2)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, 2)
        footer = sha256(file.read()).hexdigest()
        return path.relative_to(catalog.path).as_posix(), file.tell(), footer


def fitted_micro_price(job: TableJob) -> MicroPriceTable | None:
    """Return the micro-price fitted on the events that the settings name, or None where they name none."""
    until = job.config.micro_price_until_ns
    if until is None:
        return None
    # From the first event there is, not from `start`: the fit needs a book from its snapshot on.
    parts = list(job.catalog.events(job.instrument, end_ns=until - 1, trades=False))
    if not parts:
        raise CatalogError(f"Expected book changes of {job.instrument} before micro_price_until, was none.")
    return fit_micro_price(np.concatenate(parts), instrument=job.instrument)


def _write_parts(
    job: TableJob, table: MicroPriceTable | None, prefix: str, part_ns: int, on_progress: OnProgress | None
) -> int:
    first, last = job.start_ns // part_ns, job.end_ns // part_ns
    paths = {part: Path(f"{prefix}-{part:012d}.parquet") for part in range(first, last + 1)}
    done = [part for part, path in paths.items() if path.is_file()]
    features = job.features(table)
    if done:
        features.restore(paths[done[-1]].with_suffix(".state").read_bytes())
    for part in range(first + len(done), last + 1):
        begin, end = max(part * part_ns, job.start_ns), min((part + 1) * part_ns - 1, job.end_ns)
        vectors = _span(job, features, begin, end, on_progress)
        # The state first: a part that is there has its state.
        write_whole(paths[part].with_suffix(".state"), features.snapshot())
        with whole_file(paths[part]) as file:
            pq.write_table(as_arrow(job.instrument, features.schema, vectors), file, compression="zstd")
        if part > first:
            paths[part - 1].with_suffix(".state").unlink()
    if on_progress:
        on_progress(job.instrument, job.end_ns - job.start_ns, job.end_ns - job.start_ns)
    return len(done)


def bars_of_table(job: TableJob, begin_ns: int, end_ns: int) -> NDArray[np.void]:
    """Return the bars from outside that a table reads, as rows of `BAR`; none if it makes its own."""
    bars = np.zeros(0, BAR)
    if job.config.bar_type is not None:
        files = job.catalog.files(BARS, f"{job.instrument}-{job.config.bar_type}")
        read = read_rows(files, lambda batch: bar_rows(batch, job.grid), begin_ns, end_ns)
        bars = np.concatenate([bars, *(closed_bars(batch) for batch in read)])
    return bars


def _span(
    job: TableJob, features: FeatureSet, begin_ns: int, end_ns: int, on_progress: OnProgress | None
) -> list[Vectors]:
    vectors = list(_vectors(job, features, begin_ns, end_ns, on_progress))
    if end_ns == job.end_ns and job.config.end_ns is not None:
        vectors.append(features.advance(job.config.end_ns))
    start_ns = job.config.start_ns or 0
    return [_since(part, start_ns) for part in vectors] if begin_ns < start_ns else vectors


def _vectors(
    job: TableJob, features: FeatureSet, begin_ns: int, end_ns: int, on_progress: OnProgress | None
) -> Iterator[Vectors]:
    bars = bars_of_table(job, begin_ns, end_ns)
    book = job.config.features.reads_book
    for rows in job.catalog.events(job.instrument, start_ns=begin_ns, end_ns=end_ns, book=book):
        early = int(np.searchsorted(bars["ts_init"], rows["ts_init"][-1], side="right"))
        yield features.update_many(rows, bars[:early])
        bars = bars[early:]
        if on_progress:
            on_progress(job.instrument, int(rows["ts_init"][-1]) - job.start_ns, job.end_ns - job.start_ns)
    yield features.update_many(np.zeros(0, EVENT), bars)


def _since(vectors: Vectors, start_ns: int) -> Vectors:
    wanted = vectors.ts >= start_ns
    return Vectors(vectors.ts[wanted], vectors.values[wanted])


def _join(parts: list[Path], path: Path, facts: TableFacts) -> int:
    schema = facts.arrow_schema()
    rows, held = 0, schema.empty_table()
    # Neighbouring floats differ in their low bytes: split by byte they compress, and a dictionary is of no use.
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=["instrument"],
        use_byte_stream_split=list(facts.schema.names),
    ) as writer:
        for part in parts:
            held = pa.concat_tables([held, pq.read_table(part).cast(schema)])
            while held.num_rows >= _ROW_GROUP:
                writer.write_table(held.slice(0, _ROW_GROUP))
                held, rows = held.slice(_ROW_GROUP), rows + _ROW_GROUP
        writer.write_table(held)
    sync(path)
    return rows + int(held.num_rows)
