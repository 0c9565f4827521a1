"""Market watch: every detector of one instrument over one stream of event rows."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.detectors.bars.detector import BAR_FIELDS, Bar, BarDetector, FloatArray
from fathom.detectors.bars.elliott_wave import ElliottWaveConfig
from fathom.detectors.bars.flat_market import FlatMarketConfig
from fathom.detectors.bars.market_bars import (
    EDGE,
    MarketBars,
    begin,
    new_market_bars,
    write_walls,
)
from fathom.detectors.bars.regime import RegimeConfig
from fathom.detectors.bars.support_resistance import SupportResistanceConfig
from fathom.detectors.book.alerts import ALERT
from fathom.detectors.book.kernel import NOT_DUE, WRITTEN
from fathom.detectors.book.rpi import RpiReading
from fathom.detectors.book.surveillance import Surveillance, SurveillanceConfig
from fathom.detectors.errors import DetectorError
from fathom.detectors.registry import DETECTORS
from fathom.settings.times import MS

_MANIPULATION: Final = "manipulation"
_NO_ALERTS: Final = np.zeros(0, ALERT)
_NO_TIMES: Final = np.zeros(0, np.int64)
_NO_BARS: Final = np.zeros((0, BAR_FIELDS))


class MarketWatchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a `MarketWatch`.

    Parameters
    ----------
    detectors : tuple of str
        Which of `manipulation`, `levels`, `flat`, `waves` and `regime` run, and detectors over bars of your own: each
        by "module:Class" of its `BarDetector`, or by the name of an entry point.
    settings : dict
        Settings of your own detectors, by their `BarDetector.name`.
    bar_ms : int
        Length of the bars that the detectors over bars read, built from trades and the mid.
    bars : {"book", "outside"}
        Whether bars are built here, or closed bars are fed beside the events.
    nearest : int
        Levels a side that are reported.
    level_step : float
        Change of a level's strength that is news.
    surveillance : SurveillanceConfig
        `depth` in it is also that of the feed.
    levels : SupportResistanceConfig
    flat : FlatMarketConfig
    waves : ElliottWaveConfig
    regime : RegimeConfig

    Examples
    --------
    >>> MarketWatchConfig(detectors=("levels",)).bar_ms
    1000
    """

    detectors: Annotated[tuple[str, ...], Meta(min_length=1)] = (
        "manipulation",
        "levels",
        "flat",
        "waves",
        "regime",
    )
    bar_ms: Annotated[int, Meta(ge=1)] = 1_000
    bars: Literal["book", "outside"] = "book"
    nearest: Annotated[int, Meta(ge=1, le=16)] = 3
    level_step: Annotated[float, Meta(gt=0, le=1)] = 0.05
    surveillance: SurveillanceConfig = SurveillanceConfig()
    levels: SupportResistanceConfig = SupportResistanceConfig()
    flat: FlatMarketConfig = FlatMarketConfig()
    waves: ElliottWaveConfig = ElliottWaveConfig()
    regime: RegimeConfig = RegimeConfig()
    settings: dict[str, dict[str, Any]] = {}

    def __post_init__(self) -> None:
        for name in self.detectors:
            DETECTORS.place(name)
        outside = {detector.name: detector for detector in self.outside}
        if odd := [name for name in self.settings if name not in outside]:
            raise ValueError(f"Expected settings of detectors of your own that run, was of '{odd[0]}'")
        for detector in outside.values():
            self.settings_of(detector)

    @property
    def bar_detectors(self) -> tuple[type[BarDetector[Any]], ...]:
        """The detectors over bars that run, in the order of `DETECTORS`, then your own."""
        order = [*(name for name in DETECTORS if name in self.detectors), *self.detectors]
        return tuple(DETECTORS.load(name) for name in dict.fromkeys(order) if name != _MANIPULATION)

    @property
    def outside(self) -> tuple[type[BarDetector[Any]], ...]:
        """Your own among them.

        Raises
        ------
        ValueError
            One is no `BarDetector`, or has the name of another.
        """
        names: set[str] = {"", "alerts", *self.__struct_fields__}
        own = []
        for name in self.detectors:
            if name == _MANIPULATION or name in self.__struct_fields__:
                continue
            detector = DETECTORS.load(name)
            if not (isinstance(detector, type) and issubclass(detector, BarDetector)) or detector.name in names:
                raise ValueError(f"Expected '{name}' to be a BarDetector with a `name` of its own, was {detector!r}")
            names.add(detector.name)
            own.append(detector)
        return tuple(own)

    def settings_of(self, detector: type[BarDetector[Any]]) -> Any:
        """Return the settings of one of the `bar_detectors`."""
        if detector.name in self.__struct_fields__:
            return getattr(self, detector.name)
        try:
            return msgspec.convert(self.settings.get(detector.name, {}), detector.Config)
        except msgspec.ValidationError as error:
            raise ValueError(f"settings.{detector.name}: {error}") from None


class News(NamedTuple):
    """Something that a detector holds to be true since a bar, and that it did not hold before.

    Parameters
    ----------
    detector : type of BarDetector
    before, now : NamedTuple
        `BarDetector.News`; `before` as of the last news, None before the first.

    Examples
    --------
    >>> from fathom.detectors import FlatMarket
    >>> News(FlatMarket, None, (True, 0.7)).detector.name
    'flat'
    """

    detector: Any
    before: Any
    now: Any


class BarFindings(NamedTuple):
    """What the bar detectors hold to be true after a bar.

    Parameters
    ----------
    ts_ns : int
        Close of the bar.
    bar : Bar
        In ticks and lots.
    views : dict
        By the name of each detector that is on, its `BarDetector.News`; None while it has no view.
    news : tuple of News
        Those that have changed since they were news last.

    Examples
    --------
    >>> watch = MarketWatch(MarketWatchConfig(detectors=("waves",), bars="outside"))
    >>> from fathom.market import EVENT
    >>> found = watch.update(np.zeros(0, EVENT), np.array([5]), np.array([[2.0, 1.0, 1.5, 0.0, *[np.nan] * 4]]))
    >>> found.bars[0].ts_ns, found.bars[0].bar.close, list(found.bars[0].views), found.bars[0].news
    (5, 1.5, ['waves'], ())
    """

    ts_ns: int
    bar: Bar
    views: dict[str, Any]
    news: tuple[News, ...]


class Findings(NamedTuple):
    """What some rows brought to light.

    Parameters
    ----------
    alerts : ndarray
        `detectors.ALERT`, in ticks and lots.
    bars : list of BarFindings
        One for each bar that has closed.

    Examples
    --------
    >>> Findings(np.zeros(0, ALERT), []).bars
    []
    """

    alerts: NDArray[Any]
    bars: list[BarFindings]


class MarketWatch:
    """Run every detector over one instrument, fed with its event rows (and with closed bars, where they come so).

    A bar holds the rows with ``ts_init`` before its end. It closes with the first row at or after the end, or with
    `advance`, and reads the book as it stood then: the same for any way of cutting the rows into calls.

    Parameters
    ----------
    config : MarketWatchConfig, optional

    Examples
    --------
    >>> from fathom.market import EVENT, Kind
    >>> trades = np.zeros(3, EVENT)
    >>> trades["kind"], trades["size"], trades["price"] = Kind.TRADE, 1, [500, 502, 501]
    >>> trades["ts_init"] = trades["ts_event"] = [100_000_000, 300_000_000, 1_200_000_000]
    >>> watch = MarketWatch()
    >>> [(found.ts_ns, found.bar.close) for found in watch.update(trades).bars]
    [(1000000000, 502.0)]
    """

    def __init__(self, config: MarketWatchConfig | None = None) -> None:
        self.config = c = config or MarketWatchConfig()
        # Without the manipulation detectors the same object keeps the book, at the same cost.
        self._clock: MarketBars = new_market_bars(c.bar_ms * MS)
        self._inside = c.bars == "book"
        self.surveillance = Surveillance(c.surveillance, bars=self._clock if self._inside else None)
        self._alerting = _MANIPULATION in c.detectors
        self._detectors = {kind.name: kind.watching(c) for kind in c.bar_detectors}
        self._said: dict[str, Any] = {}  # by the name of the detector, its last news
        self._bars = np.empty((1, BAR_FIELDS))  # the one that has just closed

    def update(
        self, rows: NDArray[Any], bars_ns: NDArray[np.int64] = _NO_TIMES, bars: FloatArray = _NO_BARS
    ) -> Findings:
        """Take the next rows, and return what they brought to light.

        Parameters
        ----------
        rows : ndarray
            `fathom.market.EVENT`, ordered by ``ts_init``, from no earlier than those before.
        bars_ns, bars : ndarray, optional
            Times at which closed bars were known, and the bars in ticks and lots, shape (n, 8), walls left NaN; where
            ``bars = "outside"``. A bar comes before the rows of its time.

        Raises
        ------
        DetectorError
            The rows are no `EVENT` rows, or bars came where they are built here.
        """
        if len(bars) and self._inside:
            raise DetectorError('Expected no bars, as they are built here; set bars = "outside" to feed them')
        if not self._inside:
            return self._update_outside(rows, bars_ns, bars)
        if not len(rows):
            return Findings(_NO_ALERTS, [])
        ts = rows["ts_init"]
        newest, edge = int(ts[-1]), int(self._clock.clock[EDGE])
        if edge and newest < edge:
            return Findings(self._absorb(rows), [])
        if not edge:
            begin(self._clock, int(ts[0]))
        found: list[BarFindings] = []
        before, done = [], 0
        while newest >= (edge := int(self._clock.clock[EDGE])):
            if ts[done] < edge:
                cut = done + int(np.searchsorted(ts[done:], edge))
                before.append(self._absorb(rows[done:cut]))
                done = cut
            self._close(int(ts[done]), found)
        alerts = self._absorb(rows[done:] if done else rows)
        return Findings(np.concatenate([*before, alerts]) if before else alerts, found)

    def advance(self, ts_ns: int) -> Findings:
        """Close the bars that end at or before `ts_ns`, though no row has come since.

        A timer may call this where every row before `ts_ns` has been taken.
        """
        found: list[BarFindings] = []
        if self._inside:
            self._close(ts_ns, found)
        return Findings(_NO_ALERTS, found)

    @property
    def rpi(self) -> RpiReading:
        """What is known of retail price improvement on this instrument."""
        return self.surveillance.rpi

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold the whole state."""
        saved = {f"surveillance/{name}": array for name, array in self.surveillance.snapshot().items()}
        saved |= {f"bars/{name}": array.copy() for name, array in self._clock._asdict().items()}
        for name, detector in self._detectors.items():
            saved |= {f"{name}/{key}": array for key, array in detector.snapshot().items()}
            said = msgspec.msgpack.encode(self._said.get(name))
            saved[f"{name}/said"] = np.frombuffer(said, np.uint8).copy()
        return saved

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `snapshot` of a watch with the same settings.

        Raises
        ------
        DetectorError
            The snapshot is of other settings.
        """
        parts: dict[str, dict[str, NDArray[Any]]] = {}
        for name, array in snapshot.items():
            part, _, key = name.partition("/")
            parts.setdefault(part, {})[key] = array
        wanted = {"surveillance", "bars", *self._detectors}
        if set(parts) != wanted or parts["bars"]["clock"][1] != self._clock.clock[1]:
            raise DetectorError(
                "Expected the snapshot of a MarketWatch with the same detectors and bars, was another. "
                "Restore it into one built from the configuration that was saved, or start afresh."
            )
        for name, detector in self._detectors.items():
            detector.restore(parts[name])
        self.surveillance.restore(parts["surveillance"])
        for name, array in self._clock._asdict().items():
            array[:] = parts["bars"][name]
        said = {
            name: msgspec.msgpack.decode(parts[name]["said"].tobytes(), type=detector.News | None)
            for name, detector in self._detectors.items()
        }
        self._said = {name: news for name, news in said.items() if news is not None}

    def _update_outside(self, rows: NDArray[Any], bars_ns: NDArray[np.int64], bars: FloatArray) -> Findings:
        BarDetector.check(bars)
        alerts, found, done = [_NO_ALERTS], [], 0
        for ts_ns, cut, bar in zip(bars_ns.tolist(), np.searchsorted(rows["ts_init"], bars_ns), bars, strict=True):
            if cut > done:
                alerts.append(self._absorb(rows[done:cut]))
                done = cut
            self._bars[0] = bar
            write_walls(self.surveillance.book, self._bars[0])
            found.append(self._judged(ts_ns))
        if done < len(rows):
            alerts.append(self._absorb(rows[done:]))
        return Findings(np.concatenate(alerts), found)

    def _absorb(self, rows: NDArray[Any]) -> NDArray[Any]:
        alerts = self.surveillance.update(rows)
        return alerts if self._alerting else _NO_ALERTS

    def _close(self, ts_ns: int, found: list[BarFindings]) -> None:
        end = int(self._clock.clock[EDGE])
        while (done := self.surveillance.close_bar(ts_ns, self._bars[0])) != NOT_DUE:
            if done == WRITTEN:
                found.append(self._judged(end))
            end = int(self._clock.clock[EDGE])

    def _judged(self, ts_ns: int) -> BarFindings:
        bar = Bar(*self._bars[0].tolist())
        readings = {name: detector.take(self._bars) for name, detector in self._detectors.items()}
        views = {name: detector.news(bar, readings) for name, detector in self._detectors.items()}
        news = []
        for name, detector in self._detectors.items():
            before, now = self._said.get(name), views[name]
            if now is not None and detector.message is not None and detector.changed(before, now):
                self._said[name] = now
                news.append(News(type(detector), before, now))
        return BarFindings(ts_ns, bar, views, tuple(news))
