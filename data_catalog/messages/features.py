"""Vectors of features as they travel over the bus and as a catalog stores them."""

# No `from __future__ import annotations` here: the engine reads the annotations as types.
from typing import Any, ClassVar, Final, Self

import numpy as np
import pyarrow as pa
from nautilus_trader.model import register_custom_data_class
from numpy.typing import NDArray

from fathom.data_catalog.messages.message import Message

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


class FeatureVector(Message, frozen=True, eq=False, kw_only=True):
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

    TOPIC: ClassVar[str] = FEATURES_TOPIC

    values: NDArray[np.float64]
    schema_hash: str

    @property
    def ready(self) -> bool:
        """Whether no value is NaN. A model reads no vector that is not ready."""
        return not np.isnan(self.values).any()

    @classmethod
    def arrow_schema_py(cls) -> pa.Schema:
        return _SCHEMA

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return super().from_dict(values | {"values": np.array(values["values"], np.float64)})

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"values": self.values.tolist()}


register_custom_data_class(FeatureVector)
