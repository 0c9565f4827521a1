"""What every message of the bus that a catalog also stores has in common: its fields and how the engine reads it."""

# No `from __future__ import annotations` here: the engine reads the annotations as types.
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import msgspec
import pyarrow as pa
from nautilus_trader.model import CustomData, DataType


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message about an instrument; not sent by itself.

    Parameters
    ----------
    instrument_id : str
        The engine's id as text.
    ts_event : int
        Venue time in ns of what it tells.
    ts_init : int
        When it was published (ns).
    """

    TOPIC: ClassVar[str] = ""

    instrument_id: str
    ts_event: int
    ts_init: int

    @property
    def topic(self) -> str:
        """Topic on the bus."""
        return f"{self.TOPIC}.{self.instrument_id}"

    @classmethod
    def data_type(cls, instrument_id: str) -> DataType:
        """Return the data type under which an instrument's messages are published and stored."""
        return DataType(cls.__name__, identifier=instrument_id)

    def custom_data(self) -> CustomData:
        """Return the message as the engine publishes and stores it."""
        return CustomData(self.data_type(self.instrument_id), self)

    # --- what the engine asks of custom data; a subclass adds `arrow_schema_py`

    @classmethod
    def type_name_static(cls) -> str:
        return cls.__name__

    @classmethod
    def arrow_schema_py(cls) -> pa.Schema:
        raise NotImplementedError

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**{name: values[name] for name in cls.__struct_fields__})

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
        return {name: getattr(self, name) for name in self.__struct_fields__}

    def to_json(self) -> str:
        return msgspec.json.encode(self.to_dict()).decode()  # NaN becomes null, and is NaN again in `from_dict`

    def encode_record_batch_py(self, items: Sequence["Message"]) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([item.to_dict() for item in items], schema=self.arrow_schema_py())
