"""Run every kernel, model and library once before the node connects: the first call compiles or loads, and stalls.

A stall in a handler makes later events late: vectors and bars then differ from those of a backtest.
"""

import gc
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from fathom.actors.detection import DetectionActorConfig
from fathom.actors.features import FeatureActorConfig
from fathom.detectors import MarketWatch
from fathom.market.events import EVENT, Action, Flag, Kind, Side
from fathom.ml.features import FeatureSet
from fathom.settings.times import MS, SECOND
from fathom.strategies.policy.policy import MarketBar
from fathom.strategies.system_config import Components
from fathom.strategies.trading.policy_strategy import PolicyStrategy

_STEP_NS = 250 * MS
_STEPS = 40
_LEVELS = 60


def warm_up(components: Components, strategies: Iterable[Any]) -> float:
    """Call the parts of a system on a made-up market of ten seconds; return how long it took, in seconds.

    States of policies are as before afterwards; those of actors begin when the node starts them. Objects that exist by
    now are left out of garbage collections.
    """
    began = time.perf_counter()
    rows = _market()
    for actor in components.actors:
        if isinstance(actor.parameters, FeatureActorConfig):
            features = FeatureSet(actor.parameters.features, price_increment=0.1, size_increment=0.001)
            for part in np.array_split(rows, 4):
                features.update(part)
        elif isinstance(actor.parameters, DetectionActorConfig):
            watch = MarketWatch(actor.parameters.watch)
            for part in np.array_split(rows, 4):
                watch.update(part)
    bars = [MarketBar(101.0 + at % 3, 99.0 - at % 2, 100.0 + at % 2, 1.0, ts_init=at * SECOND) for at in range(5)]
    for strategy in strategies:
        if isinstance(strategy, PolicyStrategy):
            for member in strategy.members:
                before = member.policy.snapshot()
                for bar in bars:
                    member.policy.decide(bar)
                member.policy.restore(before)
    gc.collect()
    gc.freeze()
    return time.perf_counter() - began


def _market() -> np.ndarray[Any, np.dtype[np.void]]:
    rows = []
    for step in range(_STEPS):
        ts_ns, mid = (step + 4) * _STEP_NS, 100_000 + step % 5
        rows.append((ts_ns, ts_ns, step, 0, 0, Kind.BOOK, Action.CLEAR, 0, Flag.SNAPSHOT))
        for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
            for level in range(_LEVELS):
                price, size = mid + sign * (level + 1), 1_000 + 37 * level
                rows.append((ts_ns, ts_ns, step, price, size, Kind.BOOK, Action.ADD, side, Flag.SNAPSHOT | Flag.MBP))
        rows[-1] = (*rows[-1][:-1], rows[-1][-1] | Flag.LAST)
        side = Side.BUY if step % 2 else Side.SELL
        price = mid + (1 if step % 2 else -1)
        rows.append((ts_ns + MS, ts_ns + MS, 0, price, 500, Kind.TRADE, Action.CLEAR, side, Flag(0)))
    return np.array(rows, EVENT)
