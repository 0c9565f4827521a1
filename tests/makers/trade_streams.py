"""Streams of trades with what is hard for bars in them: silences, flat stretches, ties, block trades, edges."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fathom.market import EVENT, Kind, Side, TradeFlag

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def busy(seed: int, count: int, *, seconds: int = 400) -> NDArray[np.void]:
    """Return trades of a busy market, with a flat stretch and a silence of a tenth of the time in the middle."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, EVENT)
    rows["kind"] = Kind.TRADE
    times = np.sort(rng.integers(0, seconds * SECOND, count))
    on_edge = rng.random(count) < 0.05
    times[on_edge] = times[on_edge] // SECOND * SECOND
    times = np.sort(times)
    times[times > seconds * SECOND // 2] += seconds * SECOND // 10
    rows["ts_init"] = START + times
    rows["ts_event"] = rows["ts_init"] - 1_000_000
    steps = rng.integers(-4, 5, count)
    steps[count // 4 : count // 3] = 0
    rows["price"] = 61_800 + np.cumsum(steps)
    rows["size"] = rng.integers(1, 200, count)
    rows["side"] = rng.choice([Side.BUY, Side.SELL], count)
    block = rng.random(count) < 0.01
    rows["flags"] = np.where(block, TradeFlag.BLOCK, np.where(rng.random(count) < 0.1, TradeFlag.RPI, 0))
    rows["price"][block] += 500
    return rows


def chunks(rng: np.random.Generator, length: int, pieces: int) -> list[slice]:
    """Cut ``range(length)`` into `pieces` parts at random; some may be empty."""
    cuts = [0, *np.sort(rng.integers(0, length + 1, pieces - 1)).tolist(), length]
    return [slice(a, b) for a, b in pairwise(cuts)]
