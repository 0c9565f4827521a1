"""The files that hold feature tables: what they say of themselves, and their vectors."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fathom.data_catalog.errors import CatalogError
from fathom.ml.features import FeatureConfig, FeatureSchema, FeatureSpec, Vectors
from fathom.ml.features.micro_price import MicroPriceTable
from fathom.ml.features.registry import classes, joined, specs_of

FORMAT: Final = 1
_META: Final = b"fathom.features"
_TIME: Final = pa.timestamp("ns", tz="UTC")
_NAME: Final = pa.dictionary(pa.int16(), pa.string())


class TableFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a feature table says of itself, in the Parquet file's metadata under ``fathom.features``.

    Parameters
    ----------
    format : int
        Version of the layout.
    hash : str
        Hash of settings, features and data: equal hashes mean equal tables.
    config : dict
        The settings, as in the TOML file.
    schemas : dict
        Instrument id -> `FeatureSchema`. They differ only in the micro-price table, where there is one.
    sources : list
        For each file of the catalog that was read: path in the catalog, bytes, SHA-256 of its footer.
    micro_price : dict
        Instrument id -> fitted `MicroPriceTable`.
    catalog : str
        Folder of the catalog at the time of the build; no part of the hash.

    Examples
    --------
    >>> TableFacts(format=1, hash="ab", config={}, schemas={}, sources=[], micro_price={}).hash
    'ab'
    """

    format: int
    hash: str
    config: dict[str, Any]
    schemas: dict[str, FeatureSchema]
    sources: list[tuple[str, int, str]]
    micro_price: dict[str, MicroPriceTable]
    catalog: str = ""

    @property
    def schema(self) -> FeatureSchema:
        """Schema of the first instrument; its names and units are those of all."""
        return next(iter(self.schemas.values()))

    @property
    def specs(self) -> Mapping[str, FeatureSpec]:
        """Every feature of the groups that the table was built of, by name."""
        return specs_of(self._groups)

    @property
    def alike(self) -> Mapping[tuple[str, str], str]:
        """Pairs of features that may have a correlation beyond 0.999, and why."""
        return joined(group.alike for group in classes(self._groups))

    @property
    def _groups(self) -> tuple[str, ...]:
        return tuple(self.config.get("features", {}).get("groups", FeatureConfig().groups))

    def arrow_schema(self) -> pa.Schema:
        """Return the schema of the file: ``ts``, ``instrument``, and a column a feature."""
        fields = [pa.field("ts", _TIME, nullable=False), pa.field("instrument", _NAME, nullable=False)]
        fields += [pa.field(name, pa.float64(), nullable=False) for name in self.schema.names]
        return pa.schema(fields, metadata={_META: msgspec.json.encode(self)})


def as_arrow(instrument: str, schema: FeatureSchema, vectors: Sequence[Vectors]) -> pa.Table:
    """Return vectors of an instrument, in order of time, as the columns of a table."""
    ts = np.concatenate([np.zeros(0, np.int64), *(part.ts for part in vectors)])
    values = np.concatenate([np.zeros((0, len(schema))), *(part.values for part in vectors)])
    columns = [pa.array(ts).view(_TIME), pa.array([instrument] * len(ts), pa.string()).cast(_NAME)]
    columns += [pa.array(np.ascontiguousarray(values[:, i])) for i in range(len(schema))]
    return pa.table(columns, names=["ts", "instrument", *schema.names])


def read_facts(path: Path) -> TableFacts:
    """Return what a feature table says of itself.

    Raises
    ------
    CatalogError
        The file is not a feature table.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid) as error:
        raise CatalogError(f"Expected a feature table, was {path}: {error}") from None
    if _META not in metadata:
        raise CatalogError(f"Expected a feature table, was {path}, a Parquet file of another kind.")
    try:
        facts = msgspec.json.decode(metadata[_META], type=TableFacts)
    except msgspec.DecodeError as error:
        raise CatalogError(f"Expected a feature table of format {FORMAT}, was {path}: {error}") from None
    if facts.format != FORMAT:
        raise CatalogError(
            f"Expected a feature table of format {FORMAT}, was {facts.format} in {path}: build it again."
        )
    return facts
