"""The actor that turns market data into vectors of features: live, in a paper account and in backtests alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from fathom.actors.feature_stream import FeatureStream, RecordedFeatureStream
from fathom.actors.market_stream import MarketStream, MarketStreamConfig
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.messages.features import SCHEMAS_TOPIC, FeatureVector
from fathom.data_catalog.replay.recorded_arrivals import RecordedArrivals
from fathom.ml.features import FeatureConfig, FeatureSet
from fathom.ml.features.micro_price import MicroPriceTable
from fathom.ml.serving.redis_store import LIVE, FeatureStore, open_store
from fathom.settings.toml import ConfigPath


class FeatureActorConfig(MarketStreamConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a `FeatureActor`.

    Attributes
    ----------
    features
        Which features, on which grid.
    micro_price
        Instrument id -> JSON file of its fitted `MicroPriceTable`.
    store
        URL of a feature store (see `fathom.ml.serving.redis_store.open_store`), or `memory`; none by default.
    store_run
        Name of this run in the store's keys; in a backtest its own, and `live` otherwise.

    Examples
    --------
    >>> FeatureActorConfig(instruments=("BTCUSDT-LINEAR.BYBIT",)).features.grid_ms
    1000
    """

    features: FeatureConfig = FeatureConfig()
    micro_price: Mapping[str, ConfigPath] = {}
    store: str | None = None
    store_run: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]+$")] | None = None

    @property
    def depth_read(self) -> tuple[str, int]:
        """The setting that states how many levels a side are read, and its value; 0 for all."""
        return "features.depth", self.features.depth

    def __post_init__(self) -> None:
        unknown = sorted(set(self.micro_price) - set(self.instruments))
        if unknown:
            raise ValueError(f"Expected micro_price tables of the instruments, was one of {unknown[0]}")
        self.check_bars("bars", self.features.bars)


class FeatureActor(MarketStream[FeatureActorConfig, FeatureStream]):
    """Publish the vectors of some instruments: `FeatureVector` on the topic `features.<instrument id>`.

    What they mean is published once, before the first: `FeatureSchema` on the topic `schemas.<instrument id>`.

    The vector for grid time T uses exactly the events with ``ts_init < T``. The first event at or after T publishes it,
    of any of the instrument's streams, or a timer `timer_delay_ms` after T: the values are the same. The actor saves
    its state with the engine's and goes on where it was; what it missed of a book, the next snapshot mends.

    Parameters
    ----------
    config
        The settings.
    actor_id
        Name in the engine, unique there; `Features-001` by default.

    Examples
    --------
    >>> FeatureActor(FeatureActorConfig(instruments=("BTCUSDT-LINEAR.BYBIT",))).actor_id
    ActorId('Features-001')
    """

    DEFAULT_ID = "Features-001"

    def __init__(self, config: FeatureActorConfig, actor_id: str = "") -> None:
        features = config.features
        super().__init__(config, step_ms=features.grid_ms, depth=features.depth if features.reads_book else None)
        self._hashes: dict[str, str] = {}
        self._announced: set[str] = set()
        self._store: FeatureStore | None = None
        self._notes: list[str] = []

    def on_start(self) -> None:
        if self.settings.store is not None:
            url = None if self.settings.store == "memory" else self.settings.store
            self._store = open_store(url, self.settings.store_run or LIVE)
        super().on_start()

    def on_stop(self) -> None:
        super().on_stop()
        late = {name: stream.features.late for name, stream in self.streams.items() if stream.features.late}
        if late:
            self.log.warning(f"Events that came after their vector had been published: {late}; raise timer_delay_ms")
        if self._store is not None:
            self._store.close()
            if self._store.counts.dropped:
                self._notes.append("The feature store did not take all vectors; the run went on without it.")
            self._store = None

    def notes(self) -> list[str]:
        """Return what a reader of the run should know, in sentences."""
        return self._notes

    def open_stream(self, name: str, instrument: Any, grid: Grid, arrivals: RecordedArrivals | None) -> FeatureStream:
        table = self.settings.micro_price.get(name)
        features = FeatureSet(
            self.settings.features,
            price_increment=grid.tick,
            size_increment=grid.lot,
            micro_price=None if table is None else MicroPriceTable.from_json(Path(table).read_bytes()),
        )
        self._hashes[name] = features.schema.hash
        if arrivals is None or self.settings.bar_type is not None:
            return FeatureStream(features, arrivals)
        return RecordedFeatureStream(features, arrivals)

    def advance(self, name: str, ts_ns: int) -> None:
        stream = self.streams[name]
        vectors = stream.until(ts_ns)
        if vectors is None:
            return
        schema, now_ns = stream.features.schema, self.clock.timestamp_ns()
        vectors.values.flags.writeable = False
        if name not in self._announced:  # by now everybody who listens has started
            self._announced.add(name)
            self.publish_message(f"{SCHEMAS_TOPIC}.{name}", schema)
        for vector_ns, values in zip(vectors.ts.tolist(), vectors.values, strict=True):
            vector = FeatureVector(
                instrument_id=name, ts_event=vector_ns, ts_init=now_ns, values=values, schema_hash=self._hashes[name]
            )
            self.publish_message(vector.topic, vector)
            if self.settings.record:
                self.publish_data(vector.data_type(name), vector.custom_data())
            if self._store is not None:
                self._store.put(name, vector_ns, values, schema)
