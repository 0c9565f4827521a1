"""What the detectors say, as it travels over the bus and as a catalog stores it: alerts, levels, regimes, waves."""

# No `from __future__ import annotations` here: the engine reads the annotations as types.
import functools
import hashlib
from typing import Any, ClassVar, Final, Literal, Self, cast

import msgspec
import pyarrow as pa
from nautilus_trader.model import register_custom_data_class

from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.messages.message import Message
from fathom.detectors import RegimeLabel, RegimeNews, Wave, WaveReading, Zones

type AlertName = Literal["SPOOFING", "LAYERING", "QUOTE_STUFFING"]
type OrderSide = Literal["BUY", "SELL", "NONE"]
type RegimeName = Literal["trend_up", "trend_down", "range", "volatile", "crash"]
type WaveName = Literal["1", "2", "3", "4", "5", "A", "B", "C", ""]
type PricedStrength = tuple[float, float]

ALERTS_TOPIC: Final = "alerts"
"""The topic of an instrument's alerts is ``alerts.`` and its id; ``alerts.*`` is all of them."""
LEVELS_TOPIC: Final = "levels"
"""The topic of an instrument's levels is ``levels.`` and its id."""
REGIMES_TOPIC: Final = "regimes"
"""The topic of an instrument's regimes is ``regimes.`` and its id."""
WAVES_TOPIC: Final = "waves"
"""The topic of an instrument's waves is ``waves.`` and its id."""

_REGIMES: Final[dict[RegimeLabel, RegimeName]] = {
    RegimeLabel.TREND_UP: "trend_up",
    RegimeLabel.TREND_DOWN: "trend_down",
    RegimeLabel.RANGE: "range",
    RegimeLabel.VOLATILE: "volatile",
    RegimeLabel.CRASH: "crash",
}
_WAVES: Final[dict[Wave, WaveName]] = {
    Wave.NONE: "",
    Wave.ONE: "1",
    Wave.TWO: "2",
    Wave.THREE: "3",
    Wave.FOUR: "4",
    Wave.FIVE: "5",
    Wave.A: "A",
    Wave.B: "B",
    Wave.C: "C",
}
_TIME: Final = pa.timestamp("ns", tz="UTC")
_ZONE: Final = pa.list_(pa.struct([pa.field("price", pa.float64()), pa.field("strength", pa.float64())]))
_COLUMNS: Final[dict[Any, pa.DataType]] = {float: pa.float64(), int: pa.int64(), bool: pa.bool_()}


class Detection(Message, frozen=True, kw_only=True):
    """What all messages of the detectors have in common; not sent by itself.

    Parameters
    ----------
    instrument_id, ts_init
        See `Message`.
    ts_event : int
        Venue time in ns of the message, or close of the bar, that made it known.
    """

    @classmethod
    def fields_of(cls, before: Any, now: Any, grid: Grid) -> dict[str, Any]:
        """Return the fields beside the common ones from a detector's news; `before` is its last, None at first."""
        return cast(dict[str, Any], now._asdict())

    @classmethod
    def arrow_schema_py(cls) -> pa.Schema:
        return _schema(cls)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**{field.name: _decoded(field.type, values[field.name]) for field in msgspec.structs.fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        return {name: _encoded(getattr(self, name)) for name in self.__struct_fields__}


class ManipulationAlert(Detection, frozen=True, kw_only=True):
    """An order, a set of layers or a burst of messages that looks like manipulation.

    Parameters
    ----------
    instrument_id, ts_event, ts_init
        See `Detection`; `ts_event` is the message that made it known: one after the orders were gone.
    kind : str
        `SPOOFING`, `LAYERING` or `QUOTE_STUFFING`.
    side : str
        Of the fake orders: `BUY` = fake bids, which push the price up; `NONE` for quote stuffing.
    confidence : float
        0 to 1.
    price_low, price_high : float
        Lowest and highest price of the orders; 0 for quote stuffing.
    size : float
        Of all layers together; of quote stuffing, size added and taken away in the burst.
    distance_ticks : int
        From the touch when it was placed; of layers, the nearest.
    levels : int
        Prices involved; of quote stuffing, changes in the burst.
    size_ratio : float
        Size over the size that the given share of additions at this distance stays below.
    benefit : float
        Logarithm of the volume that traded against the opposite side over what is usual.
    recurrence : float
        Like orders of this side withdrawn before, each by its suspicion (0 to 1), and fading with time; of layers,
        clusters of this side before.
    life_low_ms, life_high_ms : float
        The orders stood at least and at most this long; the feed's steps allow no more to be known.
    series : int
        Number within a series of like alerts: 1 is news, the others go on with it.
    trace_id : str
        Names the alert in logs, tables and catalogs; the same for the same events (`trace_id_of`).
    placed, removed : int
        Venue times in ns that first showed the orders and that showed them gone.

    Examples
    --------
    >>> alert = ManipulationAlert(instrument_id="BTCUSDT-LINEAR.BYBIT", ts_event=5, ts_init=6, kind="SPOOFING",
    ...                           side="BUY", confidence=0.8, price_low=100.0, price_high=100.0, size=12.5,
    ...                           distance_ticks=4, levels=1, size_ratio=3.0, benefit=1.2, recurrence=0.0,
    ...                           life_low_ms=20.0, life_high_ms=60.0, series=1, trace_id="ab")
    >>> alert.topic, alert.direction
    ('alerts.BTCUSDT-LINEAR.BYBIT', 1)
    >>> ManipulationAlert.from_json(alert.to_json()) == alert
    True
    """

    TOPIC: ClassVar[str] = ALERTS_TOPIC

    kind: AlertName
    side: OrderSide
    confidence: float
    price_low: float
    price_high: float
    size: float
    distance_ticks: int
    levels: int
    size_ratio: float
    benefit: float
    recurrence: float
    life_low_ms: float
    life_high_ms: float
    series: int
    trace_id: str
    placed: int = 0
    removed: int = 0

    @property
    def direction(self) -> int:
        """Where the fake orders push the price: 1 up (fake bids), -1 down (fake asks), 0 not known."""
        return {"BUY": 1, "SELL": -1}.get(self.side, 0)


class LevelUpdate(Detection, frozen=True, kw_only=True):
    """The support and resistance levels around the price after a bar.

    Parameters
    ----------
    instrument_id, ts_event, ts_init
        See `Detection`; `ts_event` is the close of the bar.
    supports : tuple of (float, float)
        Price and strength (0 to 1) of the levels below the close, the nearest first.
    resistances : tuple of (float, float)
        Of those above.

    Examples
    --------
    >>> update = LevelUpdate(instrument_id="BTCUSDT-LINEAR.BYBIT", ts_event=5, ts_init=5,
    ...                      supports=((99.0, 0.6), (97.5, 0.8)), resistances=())
    >>> update.support, update.resistance
    (99.0, nan)
    """

    TOPIC: ClassVar[str] = LEVELS_TOPIC

    supports: tuple[PricedStrength, ...]
    resistances: tuple[PricedStrength, ...]

    @classmethod
    def fields_of(cls, before: Zones | None, now: Zones, grid: Grid) -> dict[str, Any]:
        zones = now._asdict().items()
        return {side: tuple((priced(price, grid), strength) for price, strength in zone) for side, zone in zones}

    @property
    def support(self) -> float:
        """Price of the nearest support, NaN where there is none."""
        return self.supports[0][0] if self.supports else float("nan")

    @property
    def resistance(self) -> float:
        """Price of the nearest resistance, NaN where there is none."""
        return self.resistances[0][0] if self.resistances else float("nan")


class RegimeChange(Detection, frozen=True, kw_only=True):
    """The market's regime, pause flag or flatness has changed with a bar.

    Parameters
    ----------
    instrument_id, ts_event, ts_init
        See `Detection`; `ts_event` is the close of the bar.
    regime : str
        `trend_up`, `trend_down`, `range`, `volatile` or `crash`.
    previous : str
        The regime of the message before; empty in the first.
    confidence : float
        Probability of the regime, 0 to 1.
    pause : bool
        Whether to open nothing new: a crash, or its mirror image, is likely.
    is_flat : bool
        Whether the price covers much less ground than a random walk would.
    flat_strength : float
        0 to 1; NaN during the warm-up.

    Examples
    --------
    >>> RegimeChange(instrument_id="BTCUSDT-LINEAR.BYBIT", ts_event=5, ts_init=5, regime="range", previous="",
    ...              confidence=0.7, pause=False, is_flat=True, flat_strength=0.6).topic
    'regimes.BTCUSDT-LINEAR.BYBIT'
    """

    TOPIC: ClassVar[str] = REGIMES_TOPIC

    regime: RegimeName
    previous: RegimeName | Literal[""]
    confidence: float
    pause: bool
    is_flat: bool
    flat_strength: float

    @classmethod
    def fields_of(cls, before: RegimeNews | None, now: RegimeNews, grid: Grid) -> dict[str, Any]:
        names = {"regime": _REGIMES[now.regime], "previous": "" if before is None else _REGIMES[before.regime]}
        return {**now._asdict(), **names}


class WaveUpdate(Detection, frozen=True, kw_only=True):
    """The Elliott count has changed with a bar.

    Parameters
    ----------
    instrument_id, ts_event, ts_init
        See `Detection`; `ts_event` is the close of the bar.
    wave : str
        `1` to `5`, `A` to `C`; empty where no count fits.
    direction : int
        1 where the counted impulse rises, -1 where it falls, 0 without a count.
    confidence : float
        0 to 1; 0 without a count.
    invalidation : float
        Price at which the count breaks a hard rule; NaN without a count.

    Examples
    --------
    >>> wave = WaveUpdate(instrument_id="BTCUSDT-LINEAR.BYBIT", ts_event=5, ts_init=5, wave="", direction=0,
    ...                   confidence=0.0, invalidation=float("nan"))
    >>> WaveUpdate.from_json(wave.to_json()).invalidation
    nan
    """

    TOPIC: ClassVar[str] = WAVES_TOPIC

    wave: WaveName
    direction: int
    confidence: float
    invalidation: float

    @classmethod
    def fields_of(cls, before: WaveReading | None, now: WaveReading, grid: Grid) -> dict[str, Any]:
        return {
            "wave": _WAVES[now.wave],
            "direction": now.direction,
            "confidence": 0.0 if now.wave == Wave.NONE else now.confidence,
            "invalidation": priced(now.invalidation_price, grid),
        }


def priced(ticks: float, grid: Grid) -> float:
    """Return a price, off the noise of the product; a level, the mean of its evidence, need not lie on a tick."""
    return round(ticks * grid.tick, 12)


def trace_id_of(instrument_id: str, kind: str, ts_event: int, *which: int) -> str:
    """Return a name for an alert that is the same whenever the same events are seen again.

    Parameters
    ----------
    instrument_id
    kind
        `SPOOFING`, `LAYERING` or `QUOTE_STUFFING`.
    ts_event
        Venue time in ns.
    *which
        What tells it from others of this kind and time: side, prices, size.

    Examples
    --------
    >>> trace_id_of("BTCUSDT-LINEAR.BYBIT", "SPOOFING", 1_723_161_240_000_000_000, 0)
    '4e9dcb86c327'
    """
    text = " ".join(map(str, (instrument_id, kind, ts_event, *which)))
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


@functools.cache
def _schema(kind: type[Detection]) -> pa.Schema:
    columns = []
    for field in msgspec.structs.fields(kind):
        if field.name in ("ts_event", "ts_init"):
            column = _TIME
        elif field.name in ("supports", "resistances"):
            column = _ZONE
        else:
            column = _COLUMNS.get(field.type, pa.string())  # the rest are strings and names
        columns.append(pa.field(field.name, column, nullable=False))
    return pa.schema(columns)


def _encoded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [{"price": price, "strength": strength} for price, strength in value]
    return value


def _decoded(kind: Any, value: Any) -> Any:
    if isinstance(value, list):
        return tuple((level["price"], level["strength"]) for level in value)
    return float("nan") if value is None and kind is float else value


BUILT_IN: Final = (ManipulationAlert, LevelUpdate, RegimeChange, WaveUpdate)
"""The messages of Fathom's own detectors."""
for _kind in BUILT_IN:
    register_custom_data_class(_kind)
