"""Momentum: its parts and sides against the definition, and what a signal is made of."""

import math

import numpy as np
import pytest

from fathom.strategies.policy.momentum import MomentumParameters, MomentumPolicy, run
from tests.makers.market_bars import market_bars, momentum, rows
from tests.twins.naive_policies import momentum_parts, momentum_sides


@pytest.mark.parametrize("seed", [1, 2])
def test_parts_score_and_sides_are_those_of_the_definition(seed: int) -> None:
    bars = rows(seed, 300)
    policy = momentum()
    got = np.empty((len(bars), 6))
    run(policy.state, policy.params, bars, got)
    want = [momentum_parts(bars.tolist(), at, 5, 20) for at in range(len(bars))]
    assert [part is None for part in want] == np.isnan(got[:, 1]).tolist()
    scores = [0.0 if part is None else 0.4 * part[0] + 0.3 * part[1] + 0.3 * part[2] for part in want]
    for row, part, score in zip(got, want, scores, strict=True):
        if part is not None:
            np.testing.assert_allclose(row[1:], (score, *part), rtol=1e-9, atol=1e-12)
    assert got[:, 0].tolist() == momentum_sides(scores, 0.4)
    assert np.count_nonzero(got[:, 0]) >= 8


def test_prices_of_a_signal_lie_at_deviations_of_a_lookback() -> None:
    bars = market_bars(3, 300)
    policy = momentum()
    found = 0
    for at, bar in enumerate(bars):
        signal = policy.decide(bar)
        if signal is None:
            continue
        found += 1
        part = momentum_parts([(b.high, b.low, b.close, b.volume, b.flow) for b in bars], at, 5, 20)
        assert part is not None
        scale = part[3] * math.sqrt(5)
        sign = signal.direction
        assert signal.strength == pytest.approx(abs(policy.score))
        assert signal.direction == math.copysign(1, policy.score)
        assert signal.entry == pytest.approx(bar.close - sign * 0.25 * scale)
        assert signal.stop == pytest.approx(signal.entry - sign * scale)
        assert signal.target == pytest.approx(signal.entry + sign * 2 * scale)
    assert found >= 8


def test_a_part_that_is_not_known_counts_nothing() -> None:
    bars = rows(4, 100)
    bars[:, 3], bars[:, 4] = 0.0, np.nan
    policy = momentum()
    got = np.empty((len(bars), 6))
    run(policy.state, policy.params, bars, got)
    np.testing.assert_array_equal(got[20:, 3:5], 0.0)
    np.testing.assert_allclose(got[20:, 1], 0.4 * got[20:, 2])
    assert np.abs(got[20:, 2]).max() > 0.3


def test_the_score_does_not_depend_on_units() -> None:
    bars = rows(5, 200)
    scores = []
    for unit in (np.ones(5), np.array([1e3, 1e3, 1e3, 1e-4, 50.0])):
        policy = momentum()
        got = np.empty((len(bars), 6))
        run(policy.state, policy.params, np.ascontiguousarray(bars * unit), got)
        scores.append(got[:, :2])
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-9, atol=1e-12)


def test_still_prices_give_no_signal() -> None:
    policy = momentum()
    for bar in market_bars(6, 60):
        assert policy.decide(bar._replace(high=5.0, low=5.0, close=5.0)) is None


def test_a_lookback_longer_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected lookback up to window, was 5 over 4"):
        MomentumPolicy(
            "A.B",
            MomentumParameters(
                lookback=5,
                window=4,
                price_weight=1.0,
                volume_weight=0.0,
                flow_weight=0.0,
                min_score=0.5,
                entry_deviations=0.0,
                stop_deviations=1.0,
                target_deviations=1.0,
            ),
        )
