"""Writing the arrays of a dataset from a feature table, in the memory of one batch of rows."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.errors import DatasetError
from fathom.ml.features import FeatureSchema
from fathom.ml.features.registry import SPECS
from fathom.ml.features.spec import FeatureSpec
from fathom.ml.samples.datasets import FACTS, FORMAT, PARTS, ArrayFacts, content_hash
from fathom.settings.whole_files import whole_folder

MID: Final = "mid_price"
SPREAD: Final = "bid_ask_spread_rel"
"""Columns of the table that label: the mid, and the spread in bps of it."""


def write_arrays(
    table: Path | str,
    out: Path | str,
    *,
    inputs: str | Sequence[str] = "stationary",
    mid: str = MID,
    spread: str | float = SPREAD,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the arrays of a feature table, unless they are there.

    The folder's name ends with a hash of the table, the columns and the layout. It is written under another name and
    renamed when it is whole.

    Parameters
    ----------
    table : Path
        Of `fathom.ml.tables.build.build`.
    out : Path
        Folder of the folder.
    inputs : {"stationary", "all"} or sequence of str
        Columns that a model reads: those that may be used as they are, all, or the named ones. The name of a group
        (``orderbook``) stands for its stationary features.
    mid : str
        Column with the price that labels.
    spread : str or float
        Column with the spread, bps; or one number where the table holds none (bars).
    on_progress : callable, optional
        Called with the rows done and all rows.

    Raises
    ------
    DatasetError
        The table lacks a column that is asked for.
    CatalogError
        The file is not a feature table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fathom.ml.tables.file import read_facts

    table, out = Path(table), Path(out)
    facts = read_facts(table)
    names = columns_of(facts.schema, inputs, facts.specs)
    for wanted in (mid, *([spread] if isinstance(spread, str) else [])):
        if wanted not in facts.schema.names:
            raise DatasetError(
                f"Expected the column '{wanted}', which labels, in {table}, was absent: build the table with "
                'features = "all" and the group orderbook, or name another column.'
            )
    key = sha256(msgspec.json.encode([FORMAT, facts.hash, names, mid, spread])).hexdigest()[:12]
    folder = out / f"{table.stem.rpartition('-')[0] or table.stem}-{key}"
    if (folder / FACTS).is_file():
        return folder
    with whole_folder(folder) as temporary:
        numbers = {instrument: number for number, instrument in enumerate(facts.schemas)}
        with pq.ParquetFile(table) as file:
            rows = file.metadata.num_rows
            shapes = {name: (rows, len(names)) if name == "features" else (rows,) for name in PARTS}
            parts: Mapping[str, NDArray[Any]] = {
                name: np.lib.format.open_memmap(temporary / f"{name}.npy", mode="w+", dtype=kind, shape=shapes[name])
                for name, kind in PARTS.items()
            }
            at = 0
            read = dict.fromkeys(["ts", "instrument", *names, mid, *([spread] if isinstance(spread, str) else [])])
            for batch in file.iter_batches(batch_size=16_384, columns=list(read)):
                here = slice(at, at + batch.num_rows)
                for i, name in enumerate(names):
                    parts["features"][here, i] = batch.column(name).to_numpy()
                parts["ts"][here] = batch.column("ts").cast(pa.int64()).to_numpy()
                kinds = batch.column("instrument").dictionary_decode().to_pylist()
                parts["instrument"][here] = [numbers[kind] for kind in kinds]
                parts["mid"][here] = batch.column(mid).to_numpy()
                parts["spread_bps"][here] = batch.column(spread).to_numpy() if isinstance(spread, str) else spread
                at += batch.num_rows
                if on_progress:
                    on_progress(at, rows)
        for part in parts.values():
            part.flush()  # type: ignore[attr-defined]
        schema = facts.schema.select(names)
        written = ArrayFacts(
            format=FORMAT,
            hash=content_hash(parts, schema),
            source=facts.hash,
            schema=schema,
            instruments=tuple(facts.schemas),
            grid_ms=int(schema.settings["grid_ms"]),
            rows=rows,
            table=facts.config | {"catalog": facts.catalog},
        )
        (temporary / FACTS).write_bytes(msgspec.json.encode(written))
    return folder


def columns_of(
    schema: FeatureSchema, inputs: str | Sequence[str], specs: Mapping[str, FeatureSpec] = SPECS
) -> list[str]:
    """Return the names of the columns that `inputs` asks for, in the schema's order.

    Examples
    --------
    >>> from fathom.ml.features import FeatureConfig, FeatureSet
    >>> schema = FeatureSet(FeatureConfig(), price_increment=0.1, size_increment=0.001).schema
    >>> len(columns_of(schema, "stationary")) < len(columns_of(schema, "all")) == len(schema)
    True
    >>> columns_of(schema, ["rsi_14", "mid_return"])
    ['mid_return', 'rsi_14']
    """
    wanted = [inputs] if isinstance(inputs, str) else list(inputs)
    groups = {name for name in wanted if name in schema.groups}
    named = {name for name in wanted if name not in groups and name not in ("stationary", "all")}
    schema.select(sorted(named))  # refuses what it does not know, with the nearest name
    chosen = []
    for column in schema.columns:
        stationary = column.name not in specs or specs[column.name].stationary
        by_kind = "all" in wanted or (stationary and ("stationary" in wanted or column.group in groups))
        if by_kind or column.name in named:
            chosen.append(column.name)
    if not chosen:
        raise DatasetError("Expected at least one input, was none; name features, groups, or 'stationary'")
    return chosen
