"""Vectors of features as they travel over the bus and as a catalog stores them."""

# No `from __future__ import annotations` here: the engine reads the annotations as types.
from collections.abc import Sequence
from typing import Any, Final, Self

import msgspec
import numpy as np
import pyarrow as pa
from nautilus_trader.model import CustomData, DataType, register_custom_data_class
from numpy.typing import NDArray

FEATURES_TOPIC: Final = "features"
"""The topic of an instrument's vectors is ``features.`` and its id; ``features.*`` is all of them."""
SCHEMAS_TOPIC: Final = "schemas"
"""The topic of the `fathom.ml.features.FeatureSchema` of an instrument's vectors is ``schemas.`` and its id."""

_TIME: Final = pa.timestamp("ns", tz="UTC")
_SCHEMA: Final = pa.schema(
    [
        pa.field("instrument_id", pa.string(), nullable=False),
        pa.field("values", pa.list_(pa.float64()), nullable=False),
        pa.field("schema_hash", pa.string(), nullable=False),
        pa.field("ts_event", _TIME, nullable=False),
        pa.field("ts_init", _TIME, nullable=False),
    ]
)


class FeatureVector(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The features of an instrument at a grid time: a message of the bus, and custom data of a catalog.

    Parameters
    ----------
    instrument_id : str
    ts_event : int
        Grid time T in ns: exactly the events with ``ts_init < T`` are in the values.
    ts_init : int
        When the vector was published, in ns; T or a little later.
    values : ndarray
        float64 of shape (features,), in the order of the schema; not to be written to.
    schema_hash : str
        `fathom.ml.features.FeatureSchema.hash`.

    Examples
    --------
    >>> vector = FeatureVector(instrument_id="BTCUSDT-LINEAR.BYBIT", ts_event=5, ts_init=6,
    ...                        values=np.array([0.5, np.nan]), schema_hash="ab")
    >>> vector.topic, vector.ready
    ('features.BTCUSDT-LINEAR.BYBIT', False)
    >>> FeatureVector.from_json(vector.to_json()).values
    array([0.5, nan])
    """

    instrument_id: str
    ts_event: int
    ts_init: int
    values: NDArray[np.float64]
    schema_hash: str

    @property
    def topic(self) -> str:
        """Topic on the bus."""
        return f"{FEATURES_TOPIC}.{self.instrument_id}"

    @property
    def ready(self) -> bool:
        """Whether no value is NaN. A model reads no vector that is not ready."""
        return not np.isnan(self.values).any()

    def custom_data(self) -> CustomData:
        """Return the vector as the engine publishes and stores it."""
        return CustomData(feature_data_type(self.instrument_id), self)

    # --- what the engine asks of custom data

    @classmethod
    def type_name_static(cls) -> str:
        return "FeatureVector"

    @classmethod
    def arrow_schema_py(cls) -> pa.Schema:
        return _SCHEMA

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        wanted = {name: values[name] for name in cls.__struct_fields__}
        return cls(**wanted | {"values": np.array(values["values"], np.float64)})

    @classmethod
    def from_json(cls, data: bytes | str | dict[str, Any]) -> Self:
        return cls.from_dict(data if isinstance(data, dict) else msgspec.json.decode(data))

    @classmethod
    def decode_record_batch_py(cls, metadata: dict[str, str], batch: pa.RecordBatch) -> list[Self]:
        for name in ("ts_event", "ts_init"):
            at = batch.schema.get_field_index(name)
            batch = batch.set_column(at, name, batch.column(at).cast(pa.int64()))
        return [cls.from_dict(row) for row in batch.to_pylist()]

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__struct_fields__} | {"values": self.values.tolist()}

    def to_json(self) -> str:
        return msgspec.json.encode(self.to_dict()).decode()  # NaN becomes null, and is NaN again in `from_dict`

    def encode_record_batch_py(self, items: Sequence["FeatureVector"]) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([item.to_dict() for item in items], schema=_SCHEMA)


def feature_data_type(instrument_id: str) -> DataType:
    """Return the data type under which an instrument's vectors are published and stored."""
    return DataType("FeatureVector", identifier=instrument_id)


register_custom_data_class(FeatureVector)
