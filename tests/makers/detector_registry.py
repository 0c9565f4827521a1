"""Every detector, and how a law drives it: the one list that `tests/checks` holds against `detectors.__all__`."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from fathom.detectors import (
    ElliottWave,
    FlatMarket,
    Layering,
    MarketWatch,
    MarketWatchConfig,
    QuoteStuffing,
    Regime,
    Spoofing,
    SupportResistance,
    Surveillance,
    SurveillanceConfig,
)
from fathom.market.events import Flag, Kind

type Said = list[tuple[int, bytes]]
"""What a detector said: times at which it was known (0 for bars: one reading each), and the bytes."""


class Registered(NamedTuple):
    """A detector under the laws.

    Parameters
    ----------
    make : callable
        Builds it for a feed that shows `depth` levels.
    reads : str
        ``events`` or ``bars``.
    feed : callable
        Hand it inputs, many at once; return what it said.
    """

    make: Callable[[int], Any]
    reads: str
    feed: Callable[[Any, np.ndarray], Said]


def _alerts(detector: Any, rows: np.ndarray) -> Said:
    return [(int(alert["ts_init"]), alert.tobytes()) for alert in detector.update(rows)]


def _findings(detector: Any, rows: np.ndarray) -> Said:
    found = detector.update(rows)
    said = [(int(alert["ts_init"]), b"alert" + alert.tobytes()) for alert in found.alerts]
    # A bar says what it holds when the first row after its end has come.
    return sorted([*said, *((bar.ts_ns, b"bar" + repr(bar).encode()) for bar in found.bars)])


def _readings(detector: Any, bars: np.ndarray) -> Said:
    return [(0, reading.tobytes()) for reading in detector.update_many(bars)]


def _watch(depth: int) -> MarketWatch:
    return MarketWatch(MarketWatchConfig(bar_ms=250, surveillance=_settings(depth, most=4_000.0)))


def _settings(depth: int, most: float = 0.0) -> SurveillanceConfig:
    # Low thresholds: the laws are about what is said, so much must be said.
    config = {
        "depth": depth,
        "spoofing": {"threshold": 0.02, "size_percentile": 60, "min_distance_ticks": 0, "max_series_per_hour": most},
        "layering": {"threshold": 0.02, "min_levels": 2, "size_percentile": 55, "max_series_per_hour": most},
        "quote_stuffing": {"threshold": 0.02, "warm_up_secs": 2},
    }
    return msgspec.convert(config, SurveillanceConfig)


def _alone[Config: msgspec.Struct](config: Config) -> Config:
    return msgspec.structs.replace(config, threshold=1e-9)  # whatever is weighed is said


DETECTORS: dict[str, Registered] = {
    "ElliottWave": Registered(lambda _: ElliottWave(), "bars", _readings),
    "FlatMarket": Registered(lambda _: FlatMarket(), "bars", _readings),
    "Layering": Registered(lambda depth: Layering(_alone(_settings(depth).layering), depth=depth), "events", _alerts),
    "MarketWatch": Registered(_watch, "events", _findings),
    "QuoteStuffing": Registered(
        lambda depth: QuoteStuffing(_alone(_settings(depth).quote_stuffing), depth=depth), "events", _alerts
    ),
    "Regime": Registered(lambda _: Regime(), "bars", _readings),
    "Spoofing": Registered(lambda depth: Spoofing(_alone(_settings(depth).spoofing), depth=depth), "events", _alerts),
    "SupportResistance": Registered(lambda _: SupportResistance(), "bars", _readings),
    "Surveillance": Registered(lambda depth: Surveillance(_settings(depth)), "events", _alerts),
}


def bars_of_events(rows: np.ndarray, bar_ms: int = 100) -> np.ndarray:
    """Return the bars, shape (n, 8), that a `MarketWatch` builds from event rows."""
    watch = MarketWatch(MarketWatchConfig(detectors=("flat",), bar_ms=bar_ms))
    return np.array([found.bar for found in watch.update(rows).bars], dtype=np.float64)


def ends_of_messages(rows: np.ndarray) -> np.ndarray:
    """Return the positions behind the last row of each message, and behind each trade."""
    last = (rows["kind"] == Kind.TRADE) | (rows["flags"] & Flag.LAST != 0)
    return np.flatnonzero(last) + 1


def fed(registered: Registered, detector: Any, parts: Sequence[np.ndarray]) -> Said:
    """Hand a detector parts in turn; return all that it said."""
    return [one for part in parts for one in registered.feed(detector, part)]
