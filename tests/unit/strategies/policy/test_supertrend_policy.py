"""SuperTrend: its average true range against TA-Lib, its bands against a twin that recomputes all at each bar."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest
import talib
from numpy.typing import NDArray

from fathom.data_catalog.messages.signals import Signal
from fathom.strategies.policy.supertrend import SuperTrendParameters, SuperTrendPolicy, new_state, run, step

type Floats = NDArray[np.float64]


def bars(seed: int, count: int) -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    close = 100.0 + np.cumsum(rng.normal(0.0, 0.5, count) + 0.4 * np.sin(np.arange(count) / 9.0))
    high = close + rng.exponential(0.3, count)
    low = close - rng.exponential(0.3, count)
    return high, low, close, np.where(rng.random(count) < 0.1, 0.0, rng.exponential(5.0, count))


def naive(high: Floats, low: Floats, close: Floats, period: int, multiplier: float) -> list[tuple[int, float, float]]:
    """Return (trend, upper, lower) a bar, from the definition, recomputing the true ranges of the whole past."""
    out: list[tuple[int, float, float]] = []
    trend, upper, lower = 0, np.nan, np.nan
    for at in range(len(close)):
        ranges = [
            max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1])) for i in range(1, at + 1)
        ]
        if len(ranges) < period:
            out.append((0, np.nan, np.nan))
            continue
        atr = sum(ranges[:period]) / period
        for value in ranges[period:]:
            atr = (atr * (period - 1) + value) / period
        middle = (high[at] + low[at]) / 2
        above, below = middle + multiplier * atr, middle - multiplier * atr
        if trend == 0:
            trend, upper, lower = 1 if close[at] >= middle else -1, above, below
        else:
            upper = above if above < upper or close[at - 1] > upper else upper
            lower = below if below > lower or close[at - 1] < lower else lower
            if (trend > 0 and close[at] < lower) or (trend < 0 and close[at] > upper):
                trend = -trend
        out.append((trend, upper, lower))
    return out


@pytest.mark.parametrize(("seed", "period", "multiplier"), [(1, 2, 0.5), (2, 5, 1.0), (3, 14, 2.0), (4, 10, 3.0)])
def test_run_equals_the_definition(seed: int, period: int, multiplier: float) -> None:
    high, low, close, volume = bars(seed, 300)
    got = run(new_state(0), period, multiplier, high, low, close, volume)
    want = naive(high, low, close, period, multiplier)
    np.testing.assert_array_equal(np.nan_to_num(got[:, 1]), [trend for trend, _, _ in want])
    np.testing.assert_allclose(got[:, 3], [upper for _, upper, _ in want], rtol=1e-12)
    np.testing.assert_allclose(got[:, 4], [lower for _, _, lower in want], rtol=1e-12)
    trends = np.array([trend for trend, _, _ in want])
    flips = np.where((trends[1:] != trends[:-1]) & (trends[:-1] != 0), trends[1:], 0)
    np.testing.assert_array_equal(got[1:, 0], flips)
    assert np.count_nonzero(flips) >= 3


@pytest.mark.parametrize("period", [2, 7, 14])
def test_the_average_true_range_is_talibs(period: int) -> None:
    high, low, close, volume = bars(5, 400)
    got = run(new_state(0), period, 3.0, high, low, close, volume)[:, 2]
    np.testing.assert_allclose(got, talib.ATR(high, low, close, period), rtol=1e-12)


def test_steps_and_chunks_equal_one_run_bit_for_bit() -> None:
    high, low, close, volume = bars(6, 250)
    whole = run(new_state(8), 5, 1.5, high, low, close, volume)
    state = new_state(8)
    parts = [run(state, 5, 1.5, high[a:b], low[a:b], close[a:b], volume[a:b]) for a, b in ((0, 1), (1, 40), (40, 250))]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    state = new_state(8)
    flips = [step(state, 5, 1.5, *row) for row in zip(high, low, close, volume, strict=True)]
    np.testing.assert_array_equal(whole[:, 0], flips)


@pytest.mark.parametrize("window", [1, 4, 20])
def test_the_volume_ratio_is_to_the_mean_of_the_bars_before(window: int) -> None:
    high, low, close, volume = bars(7, 120)
    got = run(new_state(window), 5, 3.0, high, low, close, volume)[:, 5]
    for at in range(len(volume)):
        past = volume[max(0, at - window) : at]
        if at < window or past.mean() == 0.0:
            assert np.isnan(got[at])
        else:
            np.testing.assert_allclose(got[at], volume[at] / past.mean(), rtol=1e-12)


def signals(volume_window: int, volume_ratio: float, seed: int = 8) -> list[tuple[int, str, float, float, float]]:
    policy = SuperTrendPolicy(
        "X",
        SuperTrendParameters(
            atr_period=5,
            multiplier=1.0,
            volume_window=volume_window,
            volume_ratio=volume_ratio,
            stop_atr=2.0,
            target_atr=3.0,
        ),
    )
    found: list[tuple[int, str, float, float, float]] = []
    for at, (high, low, close, volume) in enumerate(zip(*bars(seed, 300), strict=True)):
        signal = policy.update(high, low, close, volume, ts_init=at)
        if signal is not None:
            assert (signal.ts_init, signal.entry) == (at, close)
            assert 0.0 <= signal.strength <= 1.0
            assert (signal.stop < close < signal.target) == (signal.side == "BUY")
            assert (signal.stop > close > signal.target) == (signal.side == "SELL")
            np.testing.assert_allclose(abs(signal.target - close), 1.5 * signal.risk, rtol=1e-9)
            found.append((at, signal.side, signal.entry, signal.stop, signal.target))
    return found


def test_signals_alternate_and_the_volume_filter_only_removes() -> None:
    free = signals(0, 1.0)
    assert len(free) >= 6
    sides = [side for _, side, *_ in free]
    assert all(one != two for one, two in pairwise(sides))
    confirmed = signals(10, 1.0)
    assert set(confirmed) < set(free)
    assert min(at for at, *_ in signals(50, 0.01)) >= 50
    assert signals(10, 1e9) == []


def test_numpy_numbers_make_a_plain_signal() -> None:
    numbers = np.array([0.5, 100.0, 98.0, 104.0, 60.0])
    strength, entry, stop, target, horizon = numbers
    signal = Signal(
        instrument_id="A.B",
        side="BUY",
        strength=strength,
        entry=entry,
        stop=stop,
        target=target,
        horizon_secs=horizon,
        ts_init=np.int64(7),  # type: ignore[arg-type]
        source="mine",
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(signal), type=Signal) == signal
    assert {type(getattr(signal, name)) for name in ("strength", "entry", "stop", "target", "horizon_secs")} == {float}
    assert type(signal.ts_init) is int


@pytest.mark.parametrize(("change", "problem"), [({"strength": 1.2}, "strength from 0 to 1"), ({"side": "UP"}, "side")])
def test_a_signal_checks_itself(change: dict[str, object], problem: str) -> None:
    [signal] = [signal for signal in _one() if signal]
    with pytest.raises(ValueError, match=f"Expected .*{problem}"):
        msgspec.structs.replace(signal, **change)


def _one() -> list[Signal | None]:
    policy = SuperTrendPolicy("A.B", SuperTrendParameters(atr_period=2, multiplier=1.0, volume_window=0))
    return [policy.update(c + 0.5, c - 0.5, c, 1.0, ts_init=i) for i, c in enumerate([100.0, 99, 98, 97, 96, 99.5])]
