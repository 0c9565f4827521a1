"""Intervals of a run: they hold the truth as often as they say, and say why where there are none."""

import numpy as np
import pytest
from scipy.signal import lfilter

from fathom.backtests.account.intervals import interval_text, of_net, of_trade


@pytest.mark.parametrize("rho", [0.0, 0.4])
def test_the_net_result_of_a_run_is_covered(rho: float) -> None:
    rng, covered = np.random.default_rng(3), 0
    for seed in range(150):
        gains = lfilter([1.0], [1.0, -rho], rng.standard_t(4, 1_000))[200:]
        equity = 1e5 + np.concatenate([[0.0], np.cumsum(gains)])
        found = of_net(np.arange(equity.size) * 10**9, equity, seed)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.0 <= found.high
    assert 133 <= covered <= 150  # 95 % of 150 are 142.5, the standard error is 2.7


def test_the_result_of_a_trade_is_covered() -> None:
    rng, covered = np.random.default_rng(5), 0
    for seed in range(150):
        found = of_trade(rng.exponential(3.0, 120) - 1.0, seed)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 2.0 <= found.high
    assert 133 <= covered <= 150


def test_too_little_has_no_interval_and_says_why() -> None:
    few = of_trade(np.array([1.0, -2.0, 3.0]))
    assert (few.low, few.high, few.note) == (None, None, "No 95 % interval: 3 closed round trips, 60 are needed.")
    walk = 1e5 + np.cumsum(np.cumsum(np.random.default_rng(1).normal(size=500)))
    assert of_net(np.arange(500) * 10**9, walk).note.startswith("No 95 % intervals: the data count as ")
    one = of_net(np.array([5]), np.array([1e5]))
    assert one.note == "No 95 % interval: 0 buckets of the equity, 60 are needed."


def test_an_interval_in_words() -> None:
    assert interval_text(None, "USDT") == ""
    assert interval_text({"level": 0.95, "low": None, "high": None, "note": "No."}, "USDT") == "No."
    assert (
        interval_text({"level": 0.9, "low": 1.0, "high": 2e3, "note": ""}, "USDT")
        == "90 % interval [+1.00, +2,000.00] USDT"
    )
