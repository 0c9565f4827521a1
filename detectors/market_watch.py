"""Market watch: every detector of one instrument over one stream of event rows."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.detectors.bars.detector import BAR_FIELDS, Bar, BarDetector, FloatArray
from fathom.detectors.bars.elliott_wave import ElliottWave, ElliottWaveConfig, WaveReading
from fathom.detectors.bars.flat_market import FlatMarket, FlatMarketConfig, FlatReading
from fathom.detectors.bars.market_bars import (
    EDGE,
    MarketBars,
    begin,
    new_market_bars,
    write_walls,
)
from fathom.detectors.bars.regime import Regime, RegimeConfig, RegimeLabel, RegimeReading
from fathom.detectors.bars.support_resistance import SupportResistance, SupportResistanceConfig
from fathom.detectors.book.alerts import ALERT
from fathom.detectors.book.kernel import NOT_DUE, WRITTEN
from fathom.detectors.book.rpi import RpiReading
from fathom.detectors.book.surveillance import Surveillance, SurveillanceConfig
from fathom.detectors.errors import DetectorError
from fathom.settings.times import MS

type DetectorName = Literal["manipulation", "levels", "flat", "waves", "regime"]

_NO_ALERTS: Final = np.zeros(0, ALERT)
_NO_TIMES: Final = np.zeros(0, np.int64)
_NO_BARS: Final = np.zeros((0, BAR_FIELDS))


class MarketWatchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a `MarketWatch`.

    Parameters
    ----------
    detectors : tuple of str
        Which of `manipulation`, `levels`, `flat`, `waves` and `regime` run.
    bar_ms : int
        Length of the bars that the last four read, built from trades and the mid.
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

    detectors: Annotated[tuple[DetectorName, ...], Meta(min_length=1)] = (
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


class Zones(NamedTuple):
    """The nearest levels around a close.

    Parameters
    ----------
    supports, resistances : tuple of (float, float)
        Price and strength, the nearest first; prices in the unit of the bars.

    Examples
    --------
    >>> Zones(supports=((99.0, 0.5),), resistances=()).supports[0][0]
    99.0
    """

    supports: tuple[tuple[float, float], ...]
    resistances: tuple[tuple[float, float], ...]


class BarFindings(NamedTuple):
    """What the bar detectors hold to be true after a bar; None where a detector is off.

    Parameters
    ----------
    ts_ns : int
        Close of the bar.
    bar : Bar
        In ticks and lots.
    zones : Zones or None
    zones_changed : bool
        Whether a reported level came, went, moved by a tick, or changed in strength by `level_step`, since the last
        time that this was so.
    regime : RegimeReading or None
    flat : FlatReading or None
    regime_changed : bool
        Whether the regime (known by now), its pause flag or the flatness changed.
    previous : RegimeLabel
        The regime before that change; UNKNOWN before the first.
    wave : WaveReading or None
    wave_changed : bool
        Whether wave, direction or invalidation price changed.

    Examples
    --------
    >>> watch = MarketWatch(MarketWatchConfig(detectors=("waves",), bars="outside"))
    >>> from fathom.market import EVENT
    >>> found = watch.update(np.zeros(0, EVENT), np.array([5]), np.array([[2.0, 1.0, 1.5, 0.0, *[np.nan] * 4]]))
    >>> found.bars[0].ts_ns, found.bars[0].bar.close, found.bars[0].regime
    (5, 1.5, None)
    """

    ts_ns: int
    bar: Bar
    zones: Zones | None
    zones_changed: bool
    regime: RegimeReading | None
    flat: FlatReading | None
    regime_changed: bool
    previous: RegimeLabel
    wave: WaveReading | None
    wave_changed: bool


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
        self._alerting = "manipulation" in c.detectors
        self.levels = SupportResistance(c.levels) if "levels" in c.detectors else None
        self.flat = FlatMarket(c.flat) if "flat" in c.detectors else None
        self.waves = ElliottWave(c.waves) if "waves" in c.detectors else None
        self.regime = Regime(c.regime) if "regime" in c.detectors else None
        self._said: Zones | None = None
        # Regime, pause, flat; wave, direction, invalidation: as last reported.
        self._said_regime = np.zeros(3)
        self._said_wave = np.array([0.0, 0.0, np.nan])
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
        for name, detector in self._bar_detectors().items():
            saved |= {f"{name}/{key}": array for key, array in detector.snapshot().items()}
        for side in Zones._fields:
            zone = () if self._said is None else getattr(self._said, side)
            saved[f"said/{side}"] = np.array(zone, np.float64).reshape(-1, 2)
        saved |= {"said/any": np.array(self._said is not None), "said/regime": self._said_regime.copy()}
        saved["said/wave"] = self._said_wave.copy()
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
        mine = self._bar_detectors()
        wanted = {"surveillance", "bars", "said", *mine}
        if set(parts) != wanted or parts["bars"]["clock"][1] != self._clock.clock[1]:
            raise DetectorError(
                "Expected the snapshot of a MarketWatch with the same detectors and bars, was another. "
                "Restore it into one built from the configuration that was saved, or start afresh."
            )
        for name, detector in mine.items():
            detector.restore(parts[name])
        self.surveillance.restore(parts["surveillance"])
        for name, array in self._clock._asdict().items():
            array[:] = parts["bars"][name]
        said = parts["said"]
        zones = (tuple((float(price), float(strength)) for price, strength in said[side]) for side in Zones._fields)
        self._said = Zones(*zones) if said["any"] else None
        self._said_regime[:], self._said_wave[:] = said["regime"], said["wave"]

    def _bar_detectors(self) -> dict[str, BarDetector[Any]]:
        named = {"levels": self.levels, "flat": self.flat, "waves": self.waves, "regime": self.regime}
        return {name: detector for name, detector in named.items() if detector is not None}

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
        zones, changed = None, False
        if self.levels is not None:
            self.levels.take(self._bars)
            zones = Zones(*self.levels.nearest(bar.close, self.config.nearest))
            changed = _differ(self._said, zones, self.config.level_step)
            if changed:
                self._said = zones
        regime = None if self.regime is None else self.regime.take(self._bars)
        flat = None if self.flat is None else self.flat.take(self._bars)
        wave = None if self.waves is None else self.waves.take(self._bars)
        previous = RegimeLabel(int(self._said_regime[0]))
        regime_changed = wave_changed = False
        if regime is not None and regime.regime != RegimeLabel.UNKNOWN:
            news = (regime.regime, regime.auto_pause, flat is not None and flat.is_flat)
            regime_changed = _put(self._said_regime, news)
        if wave is not None:
            wave_changed = _put(self._said_wave, (wave.wave, wave.direction, wave.invalidation_price))
        return BarFindings(ts_ns, bar, zones, changed, regime, flat, regime_changed, previous, wave, wave_changed)


def _put(said: FloatArray, news: tuple[float, ...]) -> bool:
    if all(old == new or (old != old and new != new) for old, new in zip(said.tolist(), news, strict=True)):
        return False
    said[:] = news
    return True


def _differ(before: Zones | None, now: Zones, step: float) -> bool:
    if before is None:
        return True
    for old, new in zip(before, now, strict=True):
        if len(old) != len(new):
            return True
        for (price, strength), (new_price, new_strength) in zip(old, new, strict=True):
            if abs(new_price - price) >= 1.0 or abs(new_strength - strength) >= step:
                return True
    return False
