"""SAR Wave: its SAR against Wilder's rules, TA-Lib and the feature; its gates one by one; its trailing stop."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import talib

from fathom.ml.features.bar_kernels.trends import parabolic
from fathom.strategies.policy.policy import MarketBar
from fathom.strategies.policy.sar_wave import ATR, run, wave_bias
from tests.makers.market_bars import market_bars, rows, sar_wave
from tests.twins.naive_policies import sar


def swings(seed: int, count: int) -> np.ndarray:
    bars = rows(seed, count)
    bars[1, 0], bars[1, 1] = bars[0, 0] + 1.0, bars[0, 1] + 0.5  # a first bar with a direction, as TA-Lib needs
    return bars


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_sar_is_wilders(seed: int) -> None:
    bars = np.ascontiguousarray(rows(seed, 250)[:, :3])
    policy = sar_wave()
    got = np.empty((len(bars), 5))
    run(policy.state, policy.params, bars, got)
    before = 0
    for at in range(len(bars)):
        want = sar(bars.tolist(), at, 0.02, 0.2)
        if want is None:
            assert np.isnan(got[at, 1:]).all()
            continue
        np.testing.assert_allclose(got[at, 1:4], want, rtol=1e-12)
        assert got[at, 0] == (want[0] if before and want[0] != before else 0)
        before = want[0]
    assert np.count_nonzero(got[:, 0]) >= 8


def test_the_sar_is_talibs_and_the_features_where_the_first_bar_has_a_direction() -> None:
    bars = swings(4, 400)
    high, low = bars[:, 0].copy(), bars[:, 1].copy()
    policy = sar_wave()
    got = np.empty((len(bars), 5))
    run(policy.state, policy.params, np.ascontiguousarray(bars[:, :3]), got)
    np.testing.assert_allclose(got[1:, 2], talib.SAR(high, low, 0.02, 0.2)[1:], rtol=1e-12)
    for at in (1, 2, 50, 399):
        np.testing.assert_allclose(got[at, 2], parabolic(high[: at + 1], low[: at + 1], 0.02, 0.2), rtol=1e-12)


def test_the_average_true_range_is_talibs_after_its_seed() -> None:
    bars = rows(5, 200)
    policy = sar_wave()
    got = np.empty((len(bars), 5))
    run(policy.state, policy.params, np.ascontiguousarray(bars[:, :3]), got)
    want = talib.ATR(bars[:, 0].copy(), bars[:, 1].copy(), bars[:, 2].copy(), 14)
    np.testing.assert_allclose(got[14:, 4], want[14:], rtol=1e-9)


def reversals(**replaced: Any) -> list[str]:
    policy = sar_wave()
    found: list[str] = []
    for bar in market_bars(6, 400):
        given = bar._replace(flat_strength=0.1, wave=3, wave_direction=1, wave_confidence=0.9)._replace(**replaced)
        signal = policy.decide(given)
        if signal is not None:
            found.append(signal.side)
    return found


def test_each_gate_keeps_a_reversal_from_being_a_signal() -> None:
    assert len(reversals()) >= 5
    assert set(reversals()) == {"BUY"}
    assert set(reversals(wave_direction=-1)) == {"SELL"}
    assert set(reversals(wave=7)) == {"SELL"}
    assert reversals(wave=0, wave_direction=0) == []
    assert reversals(flat_strength=0.71) == []
    assert reversals(flat_strength=0.7) == reversals()
    assert reversals(flat_strength=float("nan")) == []
    assert reversals(wave_confidence=0.19) == []
    assert reversals(wave_confidence=float("nan")) == []


def test_the_bias_of_a_count() -> None:
    assert [wave_bias(wave, 1) for wave in range(9)] == [0, 1, 1, 1, 1, 1, -1, -1, -1]
    assert [wave_bias(wave, -1) for wave in range(9)] == [0, -1, -1, -1, -1, -1, 1, 1, 1]


def test_the_stop_is_the_next_sar_but_not_nearer_than_told_and_the_target_a_multiple() -> None:
    policy = sar_wave(min_stop_atr=3.0)
    found = []
    for bar in market_bars(7, 600):
        signal = policy.decide(bar)
        if signal is not None:
            least = 3.0 * float(policy.state[ATR])
            distance = max(abs(bar.close - policy.trailing_stop), least)
            assert signal.risk == pytest.approx(distance)
            assert abs(signal.target - bar.close) == pytest.approx(2.0 * distance)
            assert policy.trend == signal.direction
            found.append(distance == least)
    assert set(found) == {True, False}


def test_the_trailing_stop_never_gives_way_while_the_trend_lasts() -> None:
    policy = sar_wave()
    stops: list[tuple[int, float, MarketBar]] = []
    for bar in market_bars(8, 400):
        policy.decide(bar)
        stops.append((policy.trend, policy.trailing_stop, bar))
    known = [row for row in stops if row[0]]
    assert np.isnan(stops[0][1])
    for (trend, stop, _), (trend_after, stop_after, _) in pairwise(known):
        if trend_after == trend:
            assert trend * (stop_after - stop) >= 0.0
    for trend, stop, bar in known:
        assert stop <= bar.low if trend > 0 else stop >= bar.high
