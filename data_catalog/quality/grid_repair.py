"""Find the prices and sizes of a record batch that lie off the grid, and move them there."""

from typing import Any

import numpy as np
import pyarrow as pa

from fathom.data_catalog.instruments import FIXED_PRECISION

_DECIMAL = pa.decimal128(38, FIXED_PRECISION)
_LOW = (1 << 64) - 1
_SIGN = 1 << 63


def on_grid(batch: Any, name: str, unit_raw: int) -> tuple[Any, list[tuple[int, str]]]:
    """Return a batch whose column lies on the grid, and where it did not.

    This is the slow way, for the rare batch that the fast one refuses.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
    name : str
        A column of decimal128(38, 16).
    unit_raw : int
        One tick or lot in units of 1e-16.

    Returns
    -------
    batch : pyarrow.RecordBatch
        Cells off the grid are moved to the multiple below.
    bad : list of (int, str)
        Position and text of each of them.

    Examples
    --------
    >>> from decimal import Decimal
    >>> column = pa.array([Decimal("1.5"), Decimal("1.25"), None], type=pa.decimal128(38, 16))
    >>> repaired, bad = on_grid(pa.record_batch({"price": column}), "price", 5 * 10**15)
    >>> bad, [f"{cell:f}"[:4] for cell in repaired["price"].to_pylist()[:2]]
    ([(1, '1.25')], ['1.50', '1.00'])
    """
    column = batch.column(name)
    words = np.frombuffer(column.buffers()[1], dtype=np.int64).reshape(-1, 2)
    words = words[column.offset : column.offset + len(column)].copy()
    bad = []
    for i, (low, high) in enumerate(words.tolist()):
        raw = (high << 64) | (low & _LOW) if column[i].is_valid else 0
        count, rest = divmod(raw, unit_raw)
        if rest or not -(2**63) <= count < 2**63:
            bad.append((i, f"{column[i].as_py().normalize():f}"))
            raw = raw - rest if -(2**63) <= count < 2**63 else 0
        words[i] = ((raw & _LOW) ^ _SIGN) - _SIGN, raw >> 64
    repaired = pa.Array.from_buffers(_DECIMAL, len(column), [None, pa.py_buffer(words)])
    return batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), repaired), bad
