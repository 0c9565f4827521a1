"""The actor that watches markets for manipulation, levels and regimes: live, in a paper account and in backtests."""

from collections import Counter, deque
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from msgspec import Meta
from nautilus_trader.common import TimeEvent

from fathom.actors.detection_stream import DetectionStream, RecordedDetectionStream
from fathom.actors.market_stream import MarketStream, MarketStreamConfig
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.messages.detections import Detection, ManipulationAlert
from fathom.data_catalog.messages.findings import SureAlerts, message_kinds, messages_of, messages_table
from fathom.data_catalog.replay.recorded_arrivals import RecordedArrivals
from fathom.data_catalog.store.alert_store import AlertStore
from fathom.detectors import DetectorError, MarketWatch, MarketWatchConfig
from fathom.settings.times import SECOND
from fathom.settings.toml import ConfigPath
from fathom.settings.whole_files import write_whole


class DetectionActorConfig(MarketStreamConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a `DetectionActor`.

    Attributes
    ----------
    watch
        Which detectors with which thresholds, on bars of which length.
    min_confidence
        Alerts below it are counted, but neither published nor kept, nor numbered in their series. A detector's own
        `threshold` is the finer tool.
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

    watch: MarketWatchConfig = MarketWatchConfig()
    min_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.0
    store_in: ConfigPath | None = None
    state_folder: ConfigPath | None = None
    state_every_secs: Annotated[float, Meta(gt=0)] = 60.0
    keep: Annotated[int, Meta(ge=1)] = 100_000

    @property
    def depth_read(self) -> tuple[str, int]:
        """The setting that states how many levels a side are read, and its value; 0 for all."""
        return "watch.surveillance.depth", self.watch.surveillance.depth

    def __post_init__(self) -> None:
        if self.rows_from is not None and self.state_folder is not None:
            raise ValueError("Expected no state_folder with rows_from: a replay leaves nothing to go on from")
        self.check_bars("watch.bars", self.watch.bars)


class DetectionActor(MarketStream[DetectionActorConfig, DetectionStream]):
    """Publish what the detectors find: alerts, and levels, regimes and waves when they change.

    The messages are those of `fathom.data_catalog.messages.detections`, on `alerts.<instrument id>`, `levels.<...>`,
    `regimes.<...>` and `waves.<...>`, and on the `name` of each detector of your own; they do not depend on how the
    engine orders events of equal time. An alert comes with the first message of the book after the one that showed it,
    a bar's news with the first event after the bar's end or a timer. The state is saved with the engine's, or in a
    folder, and continued.

    Parameters
    ----------
    config
        The settings.
    actor_id
        Name in the engine, unique there; `Detection-001` by default.

    Attributes
    ----------
    counts : Counter
        Alerts by instrument and kind, those below `min_confidence` included.

    Examples
    --------
    >>> DetectionActor(DetectionActorConfig(instruments=("BTCUSDT-LINEAR.BYBIT",))).actor_id
    ActorId('Detection-001')
    """

    DEFAULT_ID = "Detection-001"
    TRADES_WAIT = True

    def __init__(self, config: DetectionActorConfig, actor_id: str = "") -> None:
        super().__init__(config, step_ms=config.watch.bar_ms, depth=config.watch.surveillance.depth)
        self.counts: Counter[tuple[str, str]] = Counter()
        self._sure = SureAlerts(config.min_confidence)
        self._grids: dict[str, Grid] = {}
        self._writes_ns: dict[str, int] = {}
        self._stores: dict[str, AlertStore] = {}
        self._kept: dict[type[Detection], deque[Detection]] = {
            kind: deque(maxlen=config.keep) for kind in message_kinds(config.watch)
        }

    def tables(self) -> dict[str, pa.Table]:
        """Return what was published, a table a kind, for the run directory."""
        return {kind.TOPIC: messages_table(kind, messages) for kind, messages in self._kept.items()}

    def on_start(self) -> None:
        super().on_start()
        settings, now_ns = self.settings, self.clock.timestamp_ns()
        self._writes_ns = dict.fromkeys(self.streams, now_ns + round(settings.state_every_secs * SECOND))
        for name in self.streams:
            if settings.store_in is not None:
                self._stores[name] = AlertStore(settings.store_in, name, str(self.actor_id), start_ns=now_ns)
            if settings.state_folder is not None and name not in self.saved:
                self._read_state(name)

    def on_time_event(self, event: TimeEvent) -> None:
        super().on_time_event(event)
        if self.settings.state_folder is not None:
            name = min(self._writes_ns, key=self._writes_ns.__getitem__)  # one at a time: the events wait meanwhile
            if event.ts_event >= self._writes_ns[name]:
                self._write_state(name, event.ts_event)

    def on_stop(self) -> None:
        super().on_stop()
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

    def open_stream(self, name: str, instrument: Any, grid: Grid, arrivals: RecordedArrivals | None) -> DetectionStream:
        watch = MarketWatch(self.settings.watch)
        self._grids[name] = grid
        if arrivals is None or self.settings.bar_type is not None:
            return DetectionStream(watch, arrivals)
        return RecordedDetectionStream(watch, arrivals)

    def _read_state(self, name: str) -> None:
        path = self._state_path(name)
        if path.exists():
            try:
                self.streams[name].load(path.read_bytes())
            except DetectorError as error:
                raise DetectorError(f"{path}: {error} Remove the file to start afresh.") from error

    def _write_state(self, name: str, now_ns: int) -> None:
        self._writes_ns[name] = now_ns + round(self.settings.state_every_secs * SECOND)
        write_whole(self._state_path(name), self.streams[name].save())

    def _state_path(self, name: str) -> Path:
        return Path(self.settings.state_folder or ".") / f"{name}.detection"

    def advance(self, name: str, ts_ns: int) -> None:
        findings = self.streams[name].until(ts_ns)
        if not len(findings.alerts) and not findings.bars:
            return
        for message in messages_of(findings, self._grids[name], self.clock.timestamp_ns()):
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
                self.publish_data(message.data_type(name), message.custom_data())
