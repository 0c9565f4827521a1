"""Prices that the tests of the bar detectors share, and the detectors under the laws."""

from collections.abc import Callable

import numpy as np

from fathom.detectors import ElliottWave, FlatMarket, Regime, SupportResistance
from fathom.detectors.bars.detector import (
    ASK_WALL,
    ASK_WALL_RATIO,
    BID_WALL,
    BID_WALL_RATIO,
    VOLUME,
    BarDetector,
    FloatArray,
    bars_of,
)

BAR_DETECTORS: list[Callable[[], BarDetector[object]]] = [ElliottWave, FlatMarket, Regime, SupportResistance]


def walk(n: int, seed: int) -> FloatArray:
    """Bars on whole ticks: calm, trending, wild and crashing stretches, with volumes and now and then a wall."""
    rng = np.random.default_rng(seed)
    spread = rng.choice([0.3, 1.0, 4.0], size=n // 100 + 1, p=[0.3, 0.5, 0.2]).repeat(100)[:n]
    drift = rng.choice([-6.0, -0.8, 0.0, 0.8, 3.0], size=n // 100 + 1).repeat(100)[:n]
    close = 50_000 + np.rint(np.cumsum(10 * (rng.normal(size=n) * spread + 0.3 * drift * spread)))
    before = np.append(close[0], close[:-1])
    high = np.maximum(close, before) + rng.integers(0, 8, n)
    low = np.minimum(close, before) - rng.integers(0, 8, n)
    bars = bars_of(close, high, low)
    bars[:, VOLUME] = np.rint(rng.lognormal(3, 1, n))
    seen = rng.random(n) < 0.3
    bars[seen, BID_WALL] = low[seen] - 5
    bars[seen, ASK_WALL] = high[seen] + 5
    bars[seen, BID_WALL_RATIO] = rng.uniform(2, 20, seen.sum())
    bars[seen, ASK_WALL_RATIO] = rng.uniform(2, 20, seen.sum())
    return bars


def upside_down(bars: FloatArray, about: float = 50_000.0) -> FloatArray:
    """Return the mirror image of bars: highs become lows, bid walls become ask walls."""
    mirror = bars.copy()
    mirror[:, 0], mirror[:, 1], mirror[:, 2] = 2 * about - bars[:, 1], 2 * about - bars[:, 0], 2 * about - bars[:, 2]
    mirror[:, BID_WALL], mirror[:, ASK_WALL] = 2 * about - bars[:, ASK_WALL], 2 * about - bars[:, BID_WALL]
    mirror[:, BID_WALL_RATIO], mirror[:, ASK_WALL_RATIO] = bars[:, ASK_WALL_RATIO], bars[:, BID_WALL_RATIO]
    return mirror
