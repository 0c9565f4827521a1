"""Plain-Python twins of the detectors, written from their definitions and without state between calls."""

import math
from itertools import pairwise

import numpy as np

from fathom.detectors import FlatMarketConfig, RegimeConfig

MEAN_ABS = math.sqrt(2 / math.pi)


def naive_scale(moves: list[float], span: int) -> float:
    """Winsorised mean absolute move: a plain mean for `span` moves, exponential from then on."""
    scale = 0.0
    for i, move in enumerate(moves):
        size = abs(move) if scale == 0.0 else min(abs(move), 4.0 * scale)
        scale += (size - scale) / min(i + 1, span)
    return scale


def naive_flat_strength(high: np.ndarray, low: np.ndarray, close: np.ndarray, config: FlatMarketConfig) -> list[float]:
    out = []
    for i in range(len(close)):
        scale = naive_scale([b - a for a, b in pairwise(close[: i + 1].tolist())], config.scale_span)
        if i + 1 < config.window or scale == 0.0:
            out.append(math.nan)
            continue
        ground = high[i + 1 - config.window : i + 1].max() - low[i + 1 - config.window : i + 1].min()
        expected = math.sqrt(8 / math.pi) * scale / MEAN_ABS * math.sqrt(config.window)
        out.append(max(0.0, 1.0 - ground / expected))
    return out


def naive_flags(strengths: list[float], enter: float, leave: float) -> list[bool]:
    flags, flat = [], False
    for strength in strengths:
        flat = not strength < leave if flat else strength >= enter
        flags.append(flat)
    return flags


def naive_posteriors(close: np.ndarray, config: RegimeConfig) -> list[np.ndarray | None]:
    """Probabilities of the seven hidden states after each bar, by the forward algorithm from the first bar on."""
    centres = np.array([config.trend_drift, -config.trend_drift, 0, 0, -config.crash_drift, config.crash_drift, 0])
    spreads = np.array([1, 1, config.range_scale, config.volatile_scale, config.crash_scale, config.crash_scale, 1])
    change = np.full((7, 7), 1 / config.stay_bars / 6)
    np.fill_diagonal(change, 1 - 1 / config.stay_bars)
    moves = np.diff(close).tolist()
    nu = config.freedom
    constant = math.gamma((nu + 1) / 2) / math.gamma(nu / 2) / math.sqrt(nu * math.pi)
    p = np.full(7, 1 / 7)
    out: list[np.ndarray | None] = [None]
    for i, move in enumerate(moves):
        if i + 1 > config.warm_up:
            x = move * MEAN_ABS / naive_scale(moves[:i], config.scale_span)
            density = constant / spreads * (1 + ((x - centres) / spreads) ** 2 / nu) ** (-(nu + 1) / 2)
            p = (change @ p) * density
            p /= p.sum()
            out.append(p)
        else:
            out.append(None)
    return out


def naive_pivots(high: np.ndarray, low: np.ndarray, distance: float) -> list[tuple[int, float, int]]:
    """Turning points for a fixed distance: (1 high or -1 low, price, bar), by scanning on from each one found."""
    n = len(high)
    found: list[tuple[int, float, int]] = []
    start = None
    for i in range(n):
        rose = max(high[i] - low[j] for j in range(i + 1)) if i else 0.0
        fell = max(high[j] - low[i] for j in range(i + 1)) if i else 0.0
        if i and rose >= distance and rose > fell:
            j = min(range(i), key=lambda k: (low[k], k))
            found.append((-1, float(low[j]), j))
            start = (1, i)
            break
        if i and fell >= distance and fell > rose:
            j = min(range(i), key=lambda k: (-high[k], k))
            found.append((1, float(high[j]), j))
            start = (-1, i)
            break
    while start is not None:
        direction, begin = start
        start = None
        best = begin
        for i in range(begin + 1, n):
            if direction > 0:
                if high[i] > high[best]:
                    best = i
                elif high[best] - low[i] >= distance:
                    found.append((1, float(high[best]), best))
                    start = (-1, i)
                    break
            elif low[i] < low[best]:
                best = i
            elif high[i] - low[best] >= distance:
                found.append((-1, float(low[best]), best))
                start = (1, i)
                break
    return found


def keeps_elliott_rules(pivots: list[float], wave: int, up: int, price: float) -> bool:
    """Check the three hard rules in the words of the wave principle: `pivots` are the turning points of the count."""
    p = [up * x for x in pivots]
    now = up * price
    starts = dict(enumerate(p, start=1))  # wave k starts at p[k - 1] and ends at p[k]
    ends = dict(enumerate([*p[1:], now], start=1))
    if wave >= 2 and not ends[2] > starts[1]:  # wave 2 never goes beyond the start of wave 1
        return False
    if wave >= 5:  # wave 3 is never the shortest of 1, 3 and 5
        lengths = [ends[k] - starts[k] for k in (1, 3, 5)]
        if lengths[1] < lengths[0] and lengths[1] < lengths[2]:
            return False
    return not (wave >= 4 and not ends[4] > ends[1])  # wave 4 never enters the ground of wave 1
