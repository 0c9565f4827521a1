"""Hears everything that the components of a run say over the bus, and keeps it."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId
from numpy.typing import NDArray

from fathom.data_catalog.messages.features import FeatureVector
from fathom.data_catalog.messages.signals import ValidatedSignal
from fathom.ml.features import FeatureSchema


class Saying(NamedTuple):
    """One message of a run.

    Attributes
    ----------
    topic : str
        Such as ``alerts.BTCUSDT-LINEAR.BYBIT``.
    ts_ns : int
        When it was published.
    text : str
        Its content.
    """

    topic: str
    ts_ns: int
    text: str


class Witness(DataActor):
    """Keeps the messages of some topics. (With all topics, the engine would hang on its first error.)

    Parameters
    ----------
    topics
        Such as `features.*`.

    Attributes
    ----------
    vectors : dict
        Instrument id -> its feature vectors, as pairs of grid time (ns) and values.
    names : dict
        Instrument id -> names of the features.
    sayings : list of Saying
        All other messages, in the order in which they came.
    """

    def __new__(cls, topics: Iterable[str]) -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId("Witness-001")))  # type: ignore[call-arg]

    def __init__(self, topics: Iterable[str]) -> None:
        super().__init__()
        self._topics = tuple(topics)
        self.vectors: dict[str, list[tuple[int, NDArray[np.float64]]]] = {}
        self.names: dict[str, list[str]] = {}
        self.sayings: list[Saying] = []
        self._columns: dict[str, list[str]] = {}

    def on_start(self) -> None:
        for topic in self._topics:
            self.subscribe_topic(topic, self.hear)

    def hear(self, message: Any) -> None:
        """Keep a message."""
        if isinstance(message, FeatureVector):
            vectors = self.vectors.setdefault(message.instrument_id, [])
            if not vectors:
                self.names[message.instrument_id] = self._columns[message.schema_hash]
            vectors.append((message.ts_event, message.values))
        elif isinstance(message, FeatureSchema):
            self._columns[message.hash] = [column.name for column in message.columns]
        elif isinstance(message, msgspec.Struct) and isinstance(ts_ns := getattr(message, "ts_init", None), int):
            if isinstance(message, ValidatedSignal):
                message = msgspec.structs.replace(message, inference_ms=0.0)  # measured, so another each time
            topic = getattr(message, "topic", "") or type(message).__name__
            self.sayings.append(Saying(topic, ts_ns, repr(message)))
