"""What the detectors find, as messages: ticks and lots become prices and sizes, findings become news."""

import functools
from collections.abc import Sequence
from typing import Any, Final, cast, get_type_hints

import msgspec
import numpy as np
import pyarrow as pa
from nautilus_trader.model import register_custom_data_class
from numpy.typing import NDArray

from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.messages.detections import (
    BUILT_IN,
    AlertName,
    Detection,
    ManipulationAlert,
    OrderSide,
    priced,
    trace_id_of,
)
from fathom.detectors import AlertKind, DetectorError, Findings, MarketWatchConfig
from fathom.detectors.bars.detector import BAR_FIELDS, CLOSE, HIGH, LOW, VOLUME, FloatArray
from fathom.market import Side
from fathom.settings.doors import load

_SERIES: Final = 16  # of an instrument, kind and side, that may go on: as many as `detectors` keeps

_KINDS: Final[dict[int, AlertName]] = {
    AlertKind.SPOOFING: "SPOOFING",
    AlertKind.LAYERING: "LAYERING",
    AlertKind.QUOTE_STUFFING: "QUOTE_STUFFING",
}
_SIDES: Final[dict[int, OrderSide]] = {Side.NONE: "NONE", Side.BUY: "BUY", Side.SELL: "SELL"}


def messages_of(findings: Findings, grid: Grid, now_ns: int | None = None) -> list[Detection]:
    """Return the messages that findings call for: every alert, and what has changed with a bar.

    Parameters
    ----------
    findings : Findings
    grid : Grid
        Of the instrument.
    now_ns : int, optional
        When they are published; by default each when it could be known.

    Examples
    --------
    >>> import numpy as np
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> from fathom.detectors import MarketWatch
    >>> from fathom.market import EVENT, Kind
    >>> trades = np.zeros(2, EVENT)
    >>> trades["kind"], trades["price"], trades["ts_init"] = Kind.TRADE, 618_000, [1, 1_500_000_000]
    >>> grid = Grid.of(default_instruments()["BTCUSDT"])
    >>> [message.topic for message in messages_of(MarketWatch().update(trades), grid)]
    ['levels.BTCUSDT-LINEAR.BYBIT']
    """
    messages: list[Detection] = [_alert(row, grid, now_ns) for row in findings.alerts]
    for found in findings.bars:
        for news in found.news:
            kind, ts_init = message_kind(news.detector), found.ts_ns if now_ns is None else now_ns
            head: dict[str, Any] = {"instrument_id": grid.instrument_id, "ts_event": found.ts_ns, "ts_init": ts_init}
            messages.append(kind(**head, **kind.fields_of(news.before, news.now, grid)))
    return messages


def message_kinds(watch: MarketWatchConfig) -> tuple[type[Detection], ...]:
    """Return the classes of messages that detectors with these settings send; each names a table and a topic.

    Examples
    --------
    >>> [kind.TOPIC for kind in message_kinds(MarketWatchConfig(detectors=("flat",)))]
    ['alerts', 'levels', 'regimes', 'waves']
    """
    spoken: list[Any] = [detector for detector in watch.bar_detectors if detector.message is not None]
    return tuple(dict.fromkeys([*BUILT_IN, *map(message_kind, spoken)]))


@functools.cache
def message_kind(detector: Any) -> type[Detection]:
    """Return the class of the messages of a `BarDetector`: its own, or one made of the fields of its `News`."""
    if detector.message:
        return cast(type[Detection], load(detector.message, kind="message"))
    if not hasattr(detector.News, "_asdict"):
        raise DetectorError(f"Expected a NamedTuple as {detector.__name__}.News, was {detector.News!r}.")
    fields = list(get_type_hints(detector.News).items())
    if odd := [name for name, of in fields if of not in (float, int, bool, str)]:
        raise DetectorError(
            f"Expected float, int, bool or str in {detector.News.__name__}.{odd[0]}, was another type. "
            f"Change it, or name a message of your own: {detector.__name__}.message."
        )
    made: Any = msgspec.defstruct(
        f"{detector.__name__}News",
        fields,
        bases=(Detection,),
        namespace={"TOPIC": detector.name},
        frozen=True,
        kw_only=True,
    )
    register_custom_data_class(made)
    return cast(type[Detection], made)


def messages_table(kind: type[Detection], messages: Sequence[Detection]) -> pa.Table:
    """Return messages of one kind as a table, a column a field.

    Examples
    --------
    >>> from fathom.data_catalog.messages.detections import LevelUpdate
    >>> messages_table(LevelUpdate, []).column_names
    ['instrument_id', 'ts_event', 'ts_init', 'supports', 'resistances']
    """
    return pa.Table.from_pylist([message.to_dict() for message in messages], schema=kind.arrow_schema_py())


class SureAlerts:
    """Leave out alerts under a confidence, and number what is left of each series anew.

    Parameters
    ----------
    min_confidence : float
        0 to 1.

    Examples
    --------
    >>> def alert(confidence, series):
    ...     return ManipulationAlert(instrument_id="A.B", ts_event=series, ts_init=series, kind="SPOOFING", side="BUY",
    ...         confidence=confidence, price_low=1.0, price_high=1.0, size=1.0, distance_ticks=1, levels=1,
    ...         size_ratio=1.0, benefit=0.0, recurrence=0.0, life_low_ms=1.0, life_high_ms=1.0, series=series,
    ...         trace_id="")
    >>> sure = SureAlerts(0.5)
    >>> found = [sure.take(alert(*one)) for one in ((0.4, 1), (0.7, 2), (0.3, 3), (0.6, 4))]
    >>> [one and one.series for one in found]
    [None, 1, None, 2]
    """

    def __init__(self, min_confidence: float) -> None:
        self.min_confidence = min_confidence
        # Instrument, kind and side -> of each series going on: its last number, and how many of it were taken.
        self._going: dict[tuple[str, str, str], list[list[int]]] = {}

    def take(self, alert: ManipulationAlert) -> ManipulationAlert | None:
        """Return the alert with its number among those that are sure enough; None where it is not."""
        if self.min_confidence <= 0.0:
            return alert
        going = self._going.setdefault((alert.instrument_id, alert.kind, alert.side), [])
        before = [one for one in going if one[0] == alert.series - 1]
        series = before[-1] if before else [0, 0]
        others = [one for one in going if one is not series]
        going[:] = [*others[1 - _SERIES :], series]
        series[0] = alert.series
        if alert.confidence < self.min_confidence:
            return None
        series[1] += 1
        return msgspec.structs.replace(alert, series=series[1])


def detector_bars(bars: NDArray[np.void]) -> FloatArray:
    """Return closed bars (`fathom.market.bar_rows.BAR`) as the detectors take them, the walls not known yet.

    Examples
    --------
    >>> from fathom.market.bar_rows import BAR
    >>> detector_bars(np.ones(1, BAR))[0, :4].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    rows = np.full((len(bars), BAR_FIELDS), np.nan)
    for place, name in ((HIGH, "high"), (LOW, "low"), (CLOSE, "close"), (VOLUME, "volume")):
        rows[:, place] = bars[name]
    return rows


def _alert(row: Any, grid: Grid, now_ns: int | None) -> ManipulationAlert:
    kind, ts_ns = _KINDS[int(row["kind"])], int(row["ts_event"])
    low, high, lots, side = (int(row[name]) for name in ("price_low", "price_high", "lots", "side"))
    return ManipulationAlert(
        instrument_id=grid.instrument_id,
        ts_event=ts_ns,
        ts_init=int(row["ts_init"]) if now_ns is None else now_ns,
        kind=kind,
        side=_SIDES[side],
        confidence=float(row["confidence"]),
        price_low=priced(low, grid),
        price_high=priced(high, grid),
        size=round(lots * grid.lot, 12),
        distance_ticks=int(row["distance"]),
        levels=int(row["levels"]),
        size_ratio=float(row["size_ratio"]),
        benefit=float(row["benefit"]),
        recurrence=float(row["recurrence"]),
        life_low_ms=int(row["life_low"]) / 1e6,
        life_high_ms=int(row["life_high"]) / 1e6,
        series=int(row["series"]),
        trace_id=trace_id_of(grid.instrument_id, kind, ts_ns, side, low, high, lots),
        placed=int(row["placed"]),
        removed=int(row["removed"]),
    )
