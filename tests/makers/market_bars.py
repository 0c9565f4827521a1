"""Bars, quotes and policies for the tests of the policies."""

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.messages.signals import Signal
from fathom.strategies.policy.momentum import MomentumParameters, MomentumPolicy
from fathom.strategies.policy.policy import MarketBar, Policy
from fathom.strategies.policy.sar_wave import SarWaveParameters, SarWavePolicy
from fathom.strategies.policy.supertrend import SuperTrendParameters, SuperTrendPolicy
from fathom.strategies.policy.volume_profile import VolumeProfileParameters, VolumeProfilePolicy


def rows(seed: int, count: int, tick: float = 0.25) -> NDArray[np.float64]:
    """Return bars (n, 5) of high, low, close, volume, flow: a swinging walk on ticks, some bars without range."""
    rng = np.random.default_rng(seed)
    close = 100.0 + np.cumsum(rng.normal(0.0, 0.5, count) + 0.4 * np.sin(np.arange(count) / 9.0))
    still = rng.random(count) < 0.05
    high = close + np.where(still, 0.0, rng.exponential(0.3, count))
    low = close - np.where(still, 0.0, rng.exponential(0.3, count))
    prices = np.round(np.stack([high, low, close], axis=1) / tick) * tick
    volume = np.where(rng.random(count) < 0.1, 0.0, rng.exponential(5.0, count))
    flow = rng.normal(0.0, 3.0, count) + 4.0 * np.gradient(close)
    flow[:7] = np.nan
    return np.column_stack([prices, volume, flow])


def market_bars(seed: int, count: int) -> list[MarketBar]:
    """Return bars with all that a policy may read; flat strength and waves are told at random."""
    rng = np.random.default_rng(seed + 1000)
    found = []
    for at, (high, low, close, volume, flow) in enumerate(rows(seed, count)):
        wave = int(rng.integers(0, 9))
        found.append(
            MarketBar(
                high,
                low,
                close,
                volume,
                ts_init=at,
                flow=flow,
                flat_strength=float(rng.random()) if at > 5 else float("nan"),
                wave=wave,
                wave_direction=0 if wave == 0 else int(rng.choice([-1, 1])),
                wave_confidence=float("nan") if wave == 0 else float(rng.random()),
            )
        )
    return found


def mirrored(bars: Iterable[MarketBar]) -> list[MarketBar]:
    """Return the bars with negated prices, flow and waves."""
    return [
        bar._replace(high=-bar.low, low=-bar.high, close=-bar.close, flow=-bar.flow, wave_direction=-bar.wave_direction)
        for bar in bars
    ]


def momentum() -> MomentumPolicy:
    return MomentumPolicy(
        "A.B",
        MomentumParameters(
            lookback=5,
            window=20,
            price_weight=0.4,
            volume_weight=0.3,
            flow_weight=0.3,
            min_score=0.4,
            entry_deviations=0.25,
            stop_deviations=1.0,
            target_deviations=2.0,
        ),
    )


def sar_wave(min_stop_atr: float = 1.0) -> SarWavePolicy:
    return SarWavePolicy(
        "A.B",
        SarWaveParameters(
            acceleration=0.02,
            max_acceleration=0.2,
            max_flat=0.7,
            min_wave_confidence=0.2,
            atr_period=14,
            min_stop_atr=min_stop_atr,
            target_risk=2.0,
        ),
    )


def supertrend() -> SuperTrendPolicy:
    quick = SuperTrendParameters(atr_period=5, multiplier=1.0, volume_window=10, volume_ratio=0.5, target_atr=3.0)
    return SuperTrendPolicy("A.B", quick)


def volume_profile(
    by: Literal["volume", "time"] = "volume", acceptance: int = 3, min_reward: float = 0.3, extension: float = 1.0
) -> VolumeProfilePolicy:
    return VolumeProfilePolicy(
        "A.B",
        VolumeProfileParameters(
            session=40,
            bins=16,
            by=by,
            value_share=0.7,
            high_node=1.3,
            low_node=0.7,
            acceptance=acceptance,
            volume_ratio=0.5,
            stop_ranges=1.0,
            extension=extension,
            min_reward=min_reward,
            reversion=True,
            breakout=True,
        ),
    )


POLICIES: tuple[Callable[[], Policy], ...] = (momentum, sar_wave, supertrend, volume_profile)


def told(policy: Policy, bars: Iterable[MarketBar]) -> list[Signal]:
    """Return the signals of a policy over bars."""
    return [signal for signal in map(policy.decide, bars) if signal is not None]
