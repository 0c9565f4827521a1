"""The actor that watches markets for manipulation, levels and regimes: live, in a paper account and in backtests."""

from collections import Counter, deque
from pathlib import Path
from typing import Annotated, Any, Final, Self

import msgspec
import pyarrow as pa
from msgspec import Meta
from nautilus_trader.common import DataActor, DataActorConfig, TimeEvent
from nautilus_trader.model import ActorId, Bar, BarType, BookType, DataType, InstrumentId, OrderBookDeltas, TradeTick

from fathom.actors.detection_stream import DetectionStream, RecordedDetectionStream
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.messages.detections import (
    Detection,
    LevelUpdate,
    ManipulationAlert,
    RegimeChange,
    WaveUpdate,
    detection_data_type,
)
from fathom.data_catalog.messages.findings import SureAlerts, messages_of, messages_table
from fathom.data_catalog.messages.trade_flags import TradeFlags
from fathom.data_catalog.replay.recorded_arrivals import RecordedArrivals
from fathom.data_catalog.replay.recorded_flags import RecordedFlags
from fathom.data_catalog.replay.rows_of_objects import Records
from fathom.data_catalog.store.alert_store import AlertStore
from fathom.detectors import DetectorError, Findings, MarketWatch, MarketWatchConfig
from fathom.settings.toml import ConfigPath

_TIMER: Final = "detection"
_MS: Final = 1_000_000
_SECOND: Final = 1_000_000_000
_TABLES: Final[dict[str, type[Detection]]] = {
    "alerts": ManipulationAlert,
    "levels": LevelUpdate,
    "regimes": RegimeChange,
    "waves": WaveUpdate,
}


class DetectionActorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a `DetectionActor`.

    Attributes
    ----------
    instruments
        Ids of the instruments, such as `BTCUSDT-LINEAR.BYBIT`.
    watch
        Which detectors with which thresholds, on bars of which length.
    bar_type
        Type of the closed bars without the instrument, such as `1-MINUTE-LAST-EXTERNAL`; for `watch.bars = "outside"`.
    min_confidence
        Alerts below it are counted, but neither published nor kept, nor numbered in their series. A detector's own
        `threshold` is the finer tool.
    timer_delay_ms
        How long after the end of a bar a timer closes it, if no event has come to do so. Live, an event may reach the
        actor this much after its ts_init and still be in time.
    flags_from
        Folder of the catalog that holds the flags of the replayed trades (RPI, block): the engine's `BacktestNode`
        replays no custom data. In backtests it is the catalog of the data by default (`data.flags`). Flags that come as
        custom data (`TradeFlags`) are used without it, unless rows are read.
    rows_from
        Folder of the catalog of which book and trades are replayed: the rows are read from there instead of being made
        of the engine's objects (`data_catalog.replay.recorded_arrivals`). The messages are the same, at the same
        times, in
        less time. For backtests, where it is the catalog of the data by default.
    record
        Whether to publish each message as custom data too, for a recorder.
    store_in
        Folder of a catalog in which the alerts are stored, as a series of the actor's own, when it stops (and now and
        then before): see `fathom.data_catalog.store.alert_store`.
    state_folder
        Where the state is kept from one run to the next, a file an instrument, written when the actor stops and now and
        then before; without it only where the engine saves the state of its actors.
    state_every_secs
        How often it is written while the actor runs: so much of what levels and regimes have learnt a crash may cost.
        One instrument's at the end of a bar: of many instruments each comes by later.
    keep
        Messages of each kind that are kept for the run directory: the newest.

    Examples
    --------
    >>> DetectionActorConfig(instruments=("BTCUSDT-LINEAR.BYBIT",)).watch.bar_ms
    1000
    """

    instruments: Annotated[tuple[str, ...], Meta(min_length=1)]
    watch: MarketWatchConfig = MarketWatchConfig()
    bar_type: str | None = None
    min_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.0
    timer_delay_ms: Annotated[int, Meta(ge=0)] = 50
    flags_from: ConfigPath | None = None
    rows_from: ConfigPath | None = None
    record: bool = False
    store_in: ConfigPath | None = None
    state_folder: ConfigPath | None = None
    state_every_secs: Annotated[float, Meta(gt=0)] = 60.0
    keep: Annotated[int, Meta(ge=1)] = 100_000

    def __post_init__(self) -> None:
        if (self.watch.bars == "outside") != (self.bar_type is not None):
            raise ValueError(f'Expected bar_type with watch.bars = "outside", and only then; was {self.bar_type!r}')
        if self.rows_from is not None and self.state_folder is not None:
            raise ValueError("Expected no state_folder with rows_from: a replay leaves nothing to go on from")
        if None not in (self.rows_from, self.flags_from) and self.rows_from != self.flags_from:
            raise ValueError(f"Expected flags_from to be rows_from ({self.rows_from}), was {self.flags_from}")


class DetectionActor(DataActor):
    """Publish what the detectors find: alerts, and levels, regimes and waves when they change.

    The messages are those of `fathom.data_catalog.messages.detections`, on `alerts.<instrument id>`, `levels.<...>`,
    `regimes.<...>` and `waves.<...>`; they do not depend on how the engine orders events of equal time. An alert comes
    with the first message of the book after the one that showed it, a bar's news with the first event after the bar's
    end or a timer. The state is saved with the engine's, or in a folder, and continued.

    Parameters
    ----------
    config
        The settings.
    actor_id
        Name in the engine, unique there.

    Attributes
    ----------
    counts : Counter
        Alerts by instrument and kind, those below `min_confidence` included.

    Examples
    --------
    >>> DetectionActor(DetectionActorConfig(instruments=("BTCUSDT-LINEAR.BYBIT",))).actor_id
    ActorId('Detection-001')
    """

    def __new__(cls, config: DetectionActorConfig, actor_id: str = "Detection-001") -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId(actor_id)))  # type: ignore[call-arg]

    def __init__(self, config: DetectionActorConfig, actor_id: str = "Detection-001") -> None:
        super().__init__()
        self.settings = config
        self.streams: dict[str, DetectionStream] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self._sure = SureAlerts(config.min_confidence)
        self._records: dict[str, Records] = {}
        self._flags: dict[str, RecordedFlags] = {}
        self._replays = config.rows_from is not None
        self._news_ns = 0  # of the stream that has something to say first
        self._writes_ns: dict[str, int] = {}
        self._saved: dict[str, bytes] = {}
        self._stores: dict[str, AlertStore] = {}
        self._kept: dict[type[Detection], deque[Detection]] = {
            kind: deque(maxlen=config.keep) for kind in _TABLES.values()
        }

    def tables(self) -> dict[str, pa.Table]:
        """Return what was published, a table a kind, for the run directory."""
        return {name: messages_table(kind, self._kept[kind]) for name, kind in _TABLES.items()}

    def on_start(self) -> None:
        settings = self.settings
        for name in settings.instruments:
            self._open(name)
            if settings.store_in is not None:
                now_ns = self.clock.timestamp_ns()
                self._stores[name] = AlertStore(settings.store_in, name, str(self.actor_id), start_ns=now_ns)
            depth = settings.watch.surveillance.depth or None
            self.subscribe_book_deltas(InstrumentId.from_str(name), BookType.L2_MBP, depth)
            if not self._replays:
                self.subscribe_trades(InstrumentId.from_str(name))
            self.subscribe_data(DataType("TradeFlags", identifier=name))
            if settings.bar_type is not None:
                self.subscribe_bars(BarType.from_str(f"{name}-{settings.bar_type}"))
        step = settings.watch.bar_ms * _MS
        # A timer fires first one step after its start.
        now_ns = self.clock.timestamp_ns()
        self._writes_ns = dict.fromkeys(self.streams, now_ns + round(settings.state_every_secs * _SECOND))
        start = now_ns // step * step + settings.timer_delay_ms * _MS
        self.clock.set_timer_ns(_TIMER, step, start, allow_past=True)

    def on_book_deltas(self, deltas: OrderBookDeltas) -> None:
        ts_ns = deltas.ts_init
        if ts_ns < self._news_ns:  # most messages of a replay: nobody need know of them
            return
        name = str(deltas.instrument_id)
        stream = self.streams[name]
        self._publish(name, stream.until(ts_ns))
        if self._replays:
            self._news_ns = min(each.news_ns for each in self.streams.values())
        else:
            stream.arrivals.add_book(self._records[name].deltas(deltas), ts_ns)

    def on_trade(self, trade: TradeTick) -> None:
        name, ts_ns, trade_id = str(trade.instrument_id), trade.ts_init, str(trade.trade_id)
        flags = self._flags[name].of(trade_id, ts_ns) if self._flags else 0
        self.streams[name].arrivals.add_trade(self._records[name].trade(trade, flags), ts_ns, trade_id)

    def on_data(self, data: Any) -> None:
        flags: TradeFlags = data.data
        self.streams[str(flags.instrument_id)].arrivals.add_flags(flags.trade_id, flags.flags, data.ts_init)

    def on_bar(self, bar: Bar) -> None:
        name = str(bar.bar_type.instrument_id)
        self._publish(name, self.streams[name].until(bar.ts_init))
        self.streams[name].arrivals.add_bars(self._records[name].bar(bar))

    def on_time_event(self, event: TimeEvent) -> None:
        ts_ns = event.ts_event - self.settings.timer_delay_ms * _MS
        for name, stream in self.streams.items():
            self._publish(name, stream.until(ts_ns))
        if self.settings.state_folder is not None:
            name = min(self._writes_ns, key=self._writes_ns.__getitem__)  # one at a time: the events wait meanwhile
            if event.ts_event >= self._writes_ns[name]:
                self._write_state(name, event.ts_event)

    def on_stop(self) -> None:
        self.clock.cancel_timers()
        for name in self.settings.instruments:
            kinds = {kind: count for (of, kind), count in sorted(self.counts.items()) if of == name}
            rpi = self.streams[name].watch.rpi
            self.log.info(
                f"{name}: {sum(kinds.values())} alerts {kinds}; {rpi.rpi_trades} of {rpi.trades} trades RPI, "
                f"{rpi.inside} inside the spread ({rpi.inside_rpi} of them RPI)"
            )
        if self.settings.state_folder is not None:
            for name in self.streams:
                self._write_state(name, self.clock.timestamp_ns())
        for store in self._stores.values():
            store.close(self.clock.timestamp_ns())

    def on_save(self) -> dict[str, bytes]:
        return {name: stream.save() for name, stream in self.streams.items()}

    def on_load(self, state: dict[str, bytes]) -> None:
        self._saved = dict(state)
        for name, stream in self.streams.items():
            if name in state:
                stream.load(bytes(state[name]))

    def _open(self, name: str) -> None:
        instrument = self.cache.instrument(InstrumentId.from_str(name))
        if instrument is None:
            raise DetectorError(f"Expected an instrument that the engine knows, was {name}: add it to the data")
        self._records[name] = Records(Grid.of(instrument), shared=True)
        if self.settings.flags_from is not None:
            self._flags[name] = RecordedFlags(Catalog(self.settings.flags_from), name)
        self.streams[name] = self._stream(name)
        if name in self._saved:
            self.streams[name].load(bytes(self._saved[name]))
        elif self.settings.state_folder is not None and (path := self._state_path(name)).exists():
            try:
                self.streams[name].load(path.read_bytes())
            except DetectorError as error:
                raise DetectorError(f"{path}: {error} Remove the file to start afresh.") from error

    def _stream(self, name: str) -> DetectionStream:
        watch, folder = MarketWatch(self.settings.watch), self.settings.rows_from
        if folder is None:
            return DetectionStream(watch)
        flags, start_ns = self.settings.flags_from is not None, self.clock.timestamp_ns()
        arrivals = RecordedArrivals(Catalog(folder), name, start_ns=start_ns, flags=flags)
        if self.settings.bar_type is None:
            return RecordedDetectionStream(watch, arrivals)
        return DetectionStream(watch, arrivals)

    def _write_state(self, name: str, now_ns: int) -> None:
        self._writes_ns[name] = now_ns + round(self.settings.state_every_secs * _SECOND)
        path = self._state_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(self.streams[name].save())
        new.replace(path)

    def _state_path(self, name: str) -> Path:
        return Path(self.settings.state_folder or ".") / f"{name}.detection"

    def _publish(self, name: str, findings: Findings) -> None:
        if not len(findings.alerts) and not findings.bars:
            return
        for message in messages_of(findings, self._records[name].grid, self.clock.timestamp_ns()):
            if isinstance(message, ManipulationAlert):
                self.counts[name, message.kind] += 1
                sure = self._sure.take(message)
                if sure is None:
                    continue
                message = sure
                self.log.info(
                    f"{message.kind} {message.side} {name} {message.price_low:g}-{message.price_high:g} "
                    f"size {message.size:g} confidence {message.confidence:.2f} trace {message.trace_id}"
                )
                if name in self._stores:
                    self._stores[name].add(message)
            self._kept[type(message)].append(message)
            self.publish_message(message.topic, message)
            if self.settings.record:
                self.publish_data(detection_data_type(type(message), name), message.custom_data())
