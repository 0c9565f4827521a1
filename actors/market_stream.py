"""What the actors that follow a market share: subscriptions, rows of events, flags, a timer, and the saved state."""

from typing import Annotated, Any, ClassVar, Protocol, Self

import msgspec
from msgspec import Meta
from nautilus_trader.common import DataActor, DataActorConfig, TimeEvent
from nautilus_trader.model import ActorId, Bar, BarType, BookType, DataType, InstrumentId, OrderBookDeltas, TradeTick

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.messages.trade_flags import TradeFlags
from fathom.data_catalog.replay.arrivals import Arrivals
from fathom.data_catalog.replay.recorded_arrivals import RecordedArrivals
from fathom.data_catalog.replay.recorded_flags import RecordedFlags
from fathom.data_catalog.replay.rows_of_objects import Records, SharedRows
from fathom.settings.errors import SettingsError
from fathom.settings.times import MS
from fathom.settings.toml import ConfigPath


class Stream(Protocol):
    """What computes from the events of one instrument while they come in."""

    arrivals: Arrivals
    next_ns: int

    def until(self, ts_ns: int) -> object:
        """Take in the events before `ts_ns`; return what they show."""

    def save(self) -> bytes:
        """Return the whole state, for `load`."""

    def load(self, state: bytes) -> None:
        """Take over what `save` returned."""


class MarketStreamConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of every `MarketStream`.

    Attributes
    ----------
    instruments
        Ids of the instruments, such as `BTCUSDT-LINEAR.BYBIT`.
    bar_type
        Type of the closed bars without the instrument, such as `1-MINUTE-LAST-EXTERNAL`; with `bars = "outside"`.
    timer_delay_ms
        How long after the end of a step a timer ends it, if no event has come to do so. Live, an event may reach the
        actor this much after its ts_init and still be in time.
    flags_from
        Folder of the catalog that holds the flags of the replayed trades (RPI, block): the engine's `BacktestNode`
        replays no custom data. In backtests it is the catalog of the data by default (`data.flags`). Flags that come as
        custom data (`TradeFlags`) are used without it, unless rows are read.
    rows_from
        Folder of the catalog of which book and trades are replayed: the rows are read from there instead of being made
        of the engine's objects (`data_catalog.replay.recorded_arrivals`). The messages are the same, at the same times,
        in less time. For backtests, where it is the catalog of the data by default.
    record
        Whether to publish each message as custom data too, for a recorder.
    """

    instruments: Annotated[tuple[str, ...], Meta(min_length=1)]
    bar_type: str | None = None
    timer_delay_ms: Annotated[int, Meta(ge=0)] = 50
    flags_from: ConfigPath | None = None
    rows_from: ConfigPath | None = None
    record: bool = False

    def check_bars(self, name: str, bars: str) -> None:
        """Raise `ValueError` unless `bar_type` is there exactly with bars from outside, or where catalogs differ."""
        if (bars == "outside") != (self.bar_type is not None):
            raise ValueError(f'Expected bar_type with {name} = "outside", and only then; was {self.bar_type!r}')
        if None not in (self.rows_from, self.flags_from) and self.rows_from != self.flags_from:
            raise ValueError(f"Expected flags_from to be rows_from ({self.rows_from}), was {self.flags_from}")


class MarketStream[C: MarketStreamConfig, S: Stream](DataActor):
    """An actor with one stream an instrument: it subscribes, converts, wakes the streams, saves and loads them.

    A subclass opens a stream (`open_stream`) and publishes what it shows (`advance`).

    Parameters
    ----------
    config
        The settings.
    actor_id
        Name in the engine, unique there; `DEFAULT_ID` where empty.
    step_ms
        Between two times of the timer.
    depth
        Levels of the book that it subscribes to, 0 for all; None for no book.

    Attributes
    ----------
    streams : dict[str, Stream]
        By instrument id.
    saved : dict[str, bytes]
        States that the engine has loaded, by instrument id.
    """

    DEFAULT_ID: ClassVar[str]
    TRADES_WAIT: ClassVar[bool] = False
    """Whether trades are only held until something else comes."""

    def __new__(cls, config: C, actor_id: str = "") -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId(actor_id or cls.DEFAULT_ID)))  # type: ignore[call-arg]

    def __init__(self, config: C, *, step_ms: int, depth: int | None) -> None:
        super().__init__()
        self.settings = config
        self.streams: dict[str, S] = {}
        self.saved: dict[str, bytes] = {}
        self._step_ns, self._depth = step_ms * MS, depth
        self._replays = config.rows_from is not None
        self._next_ns = 0  # of the stream that has something to say first
        self._shared = SharedRows()
        self._records: dict[str, Records] = {}
        self._flags: dict[str, RecordedFlags] = {}

    def share(self, rows: SharedRows) -> None:
        """Take the rows of messages that another actor of the same engine has converted."""
        self._shared = rows

    def open_stream(self, name: str, instrument: Any, grid: Grid, arrivals: RecordedArrivals | None) -> S:
        """Return the stream of an instrument; `arrivals` where the rows of a catalog are read."""
        raise NotImplementedError

    def advance(self, name: str, ts_ns: int) -> None:
        """Let the stream take in what is earlier than `ts_ns`, and publish what it shows."""
        raise NotImplementedError

    def on_start(self) -> None:
        settings, now_ns = self.settings, self.clock.timestamp_ns()
        for name in settings.instruments:
            instrument_id = InstrumentId.from_str(name)
            self._open(name, instrument_id)
            if self._depth is not None:
                self.subscribe_book_deltas(instrument_id, BookType.L2_MBP, self._depth or None)
            if not (self._replays and self.TRADES_WAIT):
                self.subscribe_trades(instrument_id)
            self.subscribe_data(DataType("TradeFlags", identifier=name))
            if settings.bar_type is not None:
                self.subscribe_bars(BarType.from_str(f"{name}-{settings.bar_type}"))
        # A timer fires first one step after its start.
        start = now_ns // self._step_ns * self._step_ns + settings.timer_delay_ms * MS
        self.clock.set_timer_ns("step", self._step_ns, start, allow_past=True)

    def on_book_deltas(self, deltas: OrderBookDeltas) -> None:
        if self._replays:
            self._tell_time(deltas)
            return
        name, ts_ns = str(deltas.instrument_id), deltas.ts_init
        self.advance(name, ts_ns)
        self.streams[name].arrivals.add_book(self._records[name].deltas(deltas), ts_ns)

    def on_trade(self, trade: TradeTick) -> None:
        if self._replays:
            self._tell_time(trade)
            return
        name, ts_ns, trade_id = str(trade.instrument_id), trade.ts_init, str(trade.trade_id)
        if not self.TRADES_WAIT:
            self.advance(name, ts_ns)
        flags = self._flags[name].of(trade_id, ts_ns) if self._flags else 0
        self.streams[name].arrivals.add_trade(self._records[name].trade(trade, flags), ts_ns, trade_id)

    def on_data(self, data: Any) -> None:
        flags: TradeFlags = data.data
        name = str(flags.instrument_id)
        if not self.TRADES_WAIT:
            self.advance(name, data.ts_init)
        self.streams[name].arrivals.add_flags(flags.trade_id, flags.flags, data.ts_init)

    def on_bar(self, bar: Bar) -> None:
        name = str(bar.bar_type.instrument_id)
        self.advance(name, bar.ts_init)
        self.streams[name].arrivals.add_bars(self._records[name].bar(bar))

    def on_time_event(self, event: TimeEvent) -> None:
        ts_ns = event.ts_event - self.settings.timer_delay_ms * MS
        for name in self.streams:
            self.advance(name, ts_ns)

    def on_stop(self) -> None:
        self.clock.cancel_timers()

    def on_save(self) -> dict[str, bytes]:
        return {name: stream.save() for name, stream in self.streams.items()}

    def on_load(self, state: dict[str, bytes]) -> None:
        self.saved = dict(state)
        for name, stream in self.streams.items():
            if name in state:
                stream.load(bytes(state[name]))

    def _open(self, name: str, instrument_id: InstrumentId) -> None:
        settings, instrument = self.settings, self.cache.instrument(instrument_id)
        if instrument is None:
            raise SettingsError(f"Expected an instrument that the engine knows, was {name}: add it to the data")
        grid, flagged, arrivals = Grid.of(instrument), settings.flags_from is not None, None
        if settings.rows_from is not None:
            catalog, start_ns, book = Catalog(settings.rows_from), self.clock.timestamp_ns(), self._depth is not None
            arrivals = RecordedArrivals(catalog, name, start_ns=start_ns, book=book, flags=flagged)
        self._records[name] = Records(grid, self._shared)
        if settings.flags_from is not None:
            self._flags[name] = RecordedFlags(Catalog(settings.flags_from), name)
        self.streams[name] = self.open_stream(name, instrument, grid, arrivals)
        if name in self.saved:
            self.streams[name].load(bytes(self.saved[name]))

    def _tell_time(self, event: OrderBookDeltas | TradeTick) -> None:
        # All that an event of a replay says; of the many before a stream has something to say nobody need know.
        if event.ts_init >= self._next_ns:
            self.advance(str(event.instrument_id), event.ts_init)
            self._next_ns = min(stream.next_ns for stream in self.streams.values())
