"""The vectors of a feature table, as arrays."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fathom.data_catalog.errors import CatalogError
from fathom.ml.features import Vectors
from fathom.ml.tables.file import read_facts


def read_vectors(path: Path, instrument: str, names: Sequence[str] | None = None) -> Vectors:
    """Return the vectors of one instrument of a table.

    Parameters
    ----------
    path : Path
    instrument : str
        Its id.
    names : sequence of str, optional
        Columns, in this order; those of the schema by default.

    Raises
    ------
    CatalogError
        The file is not a feature table, or holds no such instrument.
    UnknownFeatureError
        It holds no such feature.
    """
    facts = read_facts(path)
    if instrument not in facts.schemas:
        raise CatalogError(f"Expected one of {', '.join(facts.schemas)}, was '{instrument}'; in {path}.")
    schema = facts.schemas[instrument]
    names = schema.names if names is None else schema.select(list(names)).names
    table = pq.read_table(path, columns=["ts", *names], filters=[("instrument", "==", instrument)])
    values = np.empty((table.num_rows, len(names)))
    for i, name in enumerate(names):
        values[:, i] = table.column(name).to_numpy()
    return Vectors(table.column("ts").cast(pa.int64()).to_numpy(), values)
