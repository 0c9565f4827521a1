"""The actor that turns market data into vectors of features: live, in a paper account and in backtests alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

import msgspec
from msgspec import Meta
from nautilus_trader.common import DataActor, DataActorConfig, TimeEvent
from nautilus_trader.model import ActorId, Bar, BarType, BookType, DataType, InstrumentId, OrderBookDeltas, TradeTick

from fathom.actors.feature_stream import FeatureStream, RecordedFeatureStream
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.messages.features import SCHEMAS_TOPIC, FeatureVector, feature_data_type
from fathom.data_catalog.messages.trade_flags import TradeFlags
from fathom.data_catalog.replay.recorded_arrivals import RecordedArrivals
from fathom.data_catalog.replay.recorded_flags import RecordedFlags
from fathom.data_catalog.replay.rows_of_objects import Records
from fathom.ml.features import FeatureConfig, FeatureError, FeatureSet, Vectors
from fathom.ml.features.config import MS
from fathom.ml.features.micro_price import MicroPriceTable
from fathom.ml.serving.redis_store import FeatureStore, open_store
from fathom.settings.toml import ConfigPath

_TIMER: Final = "grid"


class FeatureActorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a `FeatureActor`.

    Attributes
    ----------
    instruments
        Ids of the instruments, such as `BTCUSDT-LINEAR.BYBIT`.
    features
        Which features, on which grid.
    bar_type
        Type of the closed bars without the instrument, such as `1-MINUTE-LAST-EXTERNAL`; for `bars = "outside"`.
    micro_price
        Instrument id -> JSON file of its fitted `MicroPriceTable`.
    timer_delay_ms
        How long after a grid time a timer publishes its vectors, if no event has come to do so. Live, an event may
        reach the actor this much after its ts_init and still be in time.
    flags_from
        Folder of the catalog that holds the flags of the replayed trades (RPI, block): the engine's `BacktestNode`
        replays no custom data. In backtests it is the catalog of the data by default (`data.flags`). Flags that come as
        custom data (`TradeFlags`) are used without it, unless rows are read.
    rows_from
        Folder of the catalog of which book and trades are replayed: the rows are read from there instead of being made
        of the engine's objects (`data_catalog.replay.recorded_arrivals`). The vectors are the same, at the same
        times, in less
        time. For backtests, where it is the catalog of the data by default.
    record
        Whether to publish each vector as custom data too, for a recorder.
    store
        URL of a feature store (see `fathom.ml.serving.redis_store.open_store`), or `memory`; none by default.

    Examples
    --------
    >>> FeatureActorConfig(instruments=("BTCUSDT-LINEAR.BYBIT",)).features.grid_ms
    1000
    """

    instruments: Annotated[tuple[str, ...], Meta(min_length=1)]
    features: FeatureConfig = FeatureConfig()
    bar_type: str | None = None
    micro_price: Mapping[str, ConfigPath] = {}
    timer_delay_ms: Annotated[int, Meta(ge=0)] = 50
    flags_from: ConfigPath | None = None
    rows_from: ConfigPath | None = None
    record: bool = False
    store: str | None = None

    def __post_init__(self) -> None:
        outside = self.features.bars == "outside"
        if outside != (self.bar_type is not None):
            raise ValueError(f'Expected bar_type with bars = "outside", and only then; was {self.bar_type!r}')
        unknown = sorted(set(self.micro_price) - set(self.instruments))
        if unknown:
            raise ValueError(f"Expected micro_price tables of the instruments, was one of {unknown[0]}")
        if None not in (self.rows_from, self.flags_from) and self.rows_from != self.flags_from:
            raise ValueError(f"Expected flags_from to be rows_from ({self.rows_from}), was {self.flags_from}")


class FeatureActor(DataActor):
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
        Name in the engine, unique there.

    Examples
    --------
    >>> FeatureActor(FeatureActorConfig(instruments=("BTCUSDT-LINEAR.BYBIT",))).actor_id
    ActorId('Features-001')
    """

    def __new__(cls, config: FeatureActorConfig, actor_id: str = "Features-001") -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId(actor_id)))  # type: ignore[call-arg]

    def __init__(self, config: FeatureActorConfig, actor_id: str = "Features-001") -> None:
        super().__init__()
        self.settings = config
        self.streams: dict[str, FeatureStream] = {}
        self._records: dict[str, Records] = {}
        self._flags: dict[str, RecordedFlags] = {}
        self._replays = config.rows_from is not None
        self._due_ns = 0  # of the stream that is farthest behind
        self._symbols: dict[str, str] = {}
        self._hashes: dict[str, str] = {}
        self._announced: set[str] = set()
        self._saved: dict[str, bytes] = {}
        self._store: FeatureStore | None = None
        self._notes: list[str] = []

    def on_start(self) -> None:
        settings = self.settings
        if settings.store is not None:
            self._store = open_store(None if settings.store == "memory" else settings.store)
        for name in settings.instruments:
            self._open(name)
            instrument_id = InstrumentId.from_str(name)
            if settings.features.reads_book:
                depth = settings.features.depth or None
                self.subscribe_book_deltas(instrument_id, BookType.L2_MBP, depth)
            self.subscribe_trades(instrument_id)
            self.subscribe_data(DataType("TradeFlags", identifier=name))
            if settings.bar_type is not None:
                self.subscribe_bars(BarType.from_str(f"{name}-{settings.bar_type}"))
        step = settings.features.grid_ms * MS
        # A timer fires first one step after its start.
        start = self.clock.timestamp_ns() // step * step + settings.timer_delay_ms * MS
        self.clock.set_timer_ns(_TIMER, step, start, allow_past=True)

    def on_book_deltas(self, deltas: OrderBookDeltas) -> None:
        if self._replays:
            self._tell_time(deltas)
            return
        name, ts_ns = str(deltas.instrument_id), deltas.ts_init
        stream = self._until(name, ts_ns)
        stream.arrivals.add_book(self._records[name].deltas(deltas), ts_ns)

    def on_trade(self, trade: TradeTick) -> None:
        if self._replays:
            self._tell_time(trade)
            return
        name, ts_ns = str(trade.instrument_id), trade.ts_init
        stream = self._until(name, ts_ns)
        trade_id = str(trade.trade_id)
        flags = self._flags[name].of(trade_id, ts_ns) if self._flags else 0
        stream.arrivals.add_trade(self._records[name].trade(trade, flags), ts_ns, trade_id)

    def on_data(self, data: Any) -> None:
        flags: TradeFlags = data.data
        stream = self._until(str(flags.instrument_id), data.ts_init)
        stream.arrivals.add_flags(flags.trade_id, flags.flags, data.ts_init)

    def on_bar(self, bar: Bar) -> None:
        name = str(bar.bar_type.instrument_id)
        stream = self._until(name, bar.ts_init)
        stream.arrivals.add_bars(self._records[name].bar(bar))

    def on_time_event(self, event: TimeEvent) -> None:
        ts_ns = event.ts_event - self.settings.timer_delay_ms * MS
        for name in self.streams:
            self._until(name, ts_ns)

    def on_stop(self) -> None:
        self.clock.cancel_timers()
        late = {name: stream.features.late for name, stream in self.streams.items() if stream.features.late}
        if late:
            self.log.warning(f"Events that came after their vector had been published: {late}; raise timer_delay_ms")
        if self._store is not None:
            self._store.close()
            if self._store.counts.dropped:
                self._notes.append("The feature store did not take all vectors; the run went on without it.")
            self._store = None

    def on_save(self) -> dict[str, bytes]:
        return {name: stream.save() for name, stream in self.streams.items()}

    def on_load(self, state: dict[str, bytes]) -> None:
        self._saved = dict(state)
        for name, stream in self.streams.items():
            if name in state:
                stream.load(bytes(state[name]))

    def notes(self) -> list[str]:
        """Return what a reader of the run should know, in sentences."""
        return self._notes

    def _open(self, name: str) -> None:
        instrument = self.cache.instrument(InstrumentId.from_str(name))
        if instrument is None:
            raise FeatureError(f"Expected an instrument that the engine knows, was {name}: add it to the data")
        grid = Grid.of(instrument)
        table = self.settings.micro_price.get(name)
        features = FeatureSet(
            self.settings.features,
            price_increment=grid.tick,
            size_increment=grid.lot,
            micro_price=None if table is None else MicroPriceTable.from_json(Path(table).read_bytes()),
        )
        self._records[name] = Records(grid, shared=True)
        if self.settings.flags_from is not None:
            self._flags[name] = RecordedFlags(Catalog(self.settings.flags_from), name)
        self._symbols[name] = str(instrument.raw_symbol)
        self._hashes[name] = features.schema.hash
        self.streams[name] = self._stream(name, features)
        if name in self._saved:
            self.streams[name].load(bytes(self._saved[name]))

    def _stream(self, name: str, features: FeatureSet) -> FeatureStream:
        folder = self.settings.rows_from
        if folder is None:
            return FeatureStream(features)
        arrivals = RecordedArrivals(
            Catalog(folder),
            name,
            start_ns=self.clock.timestamp_ns(),
            book=self.settings.features.reads_book,
            flags=self.settings.flags_from is not None,
        )
        if self.settings.bar_type is None:
            return RecordedFeatureStream(features, arrivals)
        return FeatureStream(features, arrivals)

    def _tell_time(self, event: OrderBookDeltas | TradeTick) -> None:
        # All that an event of a replay says; of the many between two grid times nobody need know.
        ts_ns = event.ts_init
        if ts_ns >= self._due_ns:
            self._until(str(event.instrument_id), ts_ns)
            self._due_ns = min(stream.due_ns for stream in self.streams.values())

    def _until(self, name: str, ts_ns: int) -> FeatureStream:
        stream = self.streams[name]
        vectors = stream.until(ts_ns)
        if vectors is not None:
            self._publish(name, stream, vectors)
        return stream

    def _publish(self, name: str, stream: FeatureStream, vectors: Vectors) -> None:
        now_ns = self.clock.timestamp_ns()
        vectors.values.flags.writeable = False
        if name not in self._announced:  # by now everybody who listens has started
            self._announced.add(name)
            self.publish_message(f"{SCHEMAS_TOPIC}.{name}", stream.features.schema)
        for ts_ns, values in zip(vectors.ts.tolist(), vectors.values, strict=True):
            vector = FeatureVector(
                instrument_id=name, ts_event=ts_ns, ts_init=now_ns, values=values, schema_hash=self._hashes[name]
            )
            self.publish_message(vector.topic, vector)
            if self.settings.record:
                self.publish_data(feature_data_type(name), vector.custom_data())
            if self._store is not None:
                self._store.put(self._symbols[name], ts_ns, values, stream.features.schema)
