from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.data_catalog.simulation.config import HiddenState, InstrumentSpec, Labels, Price, Simulation
from fathom.data_catalog.simulation.moves import state_moves, tick_bps, up_probability
from fathom.data_catalog.simulation.optimum import optimum, price_distributions, state_shares

TWO = Simulation(
    scenario="x",
    price=Price(volatility_bps=1.0, moves_per_sec=2.0, tail=0.7),
    states=(
        HiddenState(name="up", mean_secs=20.0, drift_bps_per_sec=0.3),
        HiddenState(name="down", mean_secs=40.0, drift_bps_per_sec=-0.2, volatility=1.5),
    ),
)


def naive_changes(config: Simulation, state: int, horizon: float, n: int, seed: int) -> NDArray[Any]:
    """Simulate the hidden chain and the moves with plain numpy, and return the price changes in ticks."""
    rng = np.random.default_rng(seed)
    instrument = InstrumentSpec()
    sizes = state_moves(config, instrument)
    ups = [up_probability(config, instrument, s, sizes[i]) for i, s in enumerate(config.states)]
    out = np.zeros(n)
    for k in range(n):
        left, now = horizon, state
        while left > 0:
            spell = min(left, rng.exponential(config.states[now].mean_secs))
            moves = rng.poisson(config.price.moves_per_sec * config.states[now].moves * spell)
            ticks = rng.choice(np.arange(1, sizes.shape[1] + 1), moves, p=sizes[now])
            out[k] += (ticks * np.where(rng.random(moves) < ups[now], 1, -1)).sum()
            left -= spell
            now = 1 - now
    return out


@pytest.mark.parametrize("horizon", [5.0, 60.0])
@pytest.mark.parametrize("state", [0, 1])
def test_the_law_is_that_of_a_plain_simulation(state: int, horizon: float) -> None:
    n = 3000
    changes = naive_changes(TWO, state, horizon, n, seed=1)
    ticks, (law,) = price_distributions(TWO, 0, (horizon,))
    exact = law[state].cumsum()
    empirical = np.searchsorted(np.sort(changes), ticks, side="right") / n
    assert np.abs(exact - empirical).max() < 1.95 / n**0.5  # Kolmogorov-Smirnov, 99.9 %


def test_powers_of_a_law_equal_the_law_itself() -> None:
    _, chained = price_distributions(TWO, 0, (1.0, 5.0, 10.0, 60.0))
    _, (alone,) = price_distributions(TWO, 0, (60.0,))
    assert np.abs(chained[-1] - alone).max() < 1e-12


def test_mean_and_shares_have_a_closed_form() -> None:
    # Two states: the expected drift relaxes to its long-run mean at the sum of the two rates.
    rates, drifts = np.array([1 / 20, 1 / 40]), np.array([0.3, -0.2])
    shares = rates[::-1] / rates.sum()
    assert state_shares(TWO) == pytest.approx(shares)
    mean = shares @ drifts
    for found in optimum(TWO, 0):
        h, kappa = found.horizon_secs, rates.sum()
        settle = (1 - np.exp(-kappa * h)) / kappa
        assert found.mean_bps["up"] == pytest.approx(mean * h + (drifts[0] - mean) * settle, abs=1e-8)
        assert found.mean_bps["down"] == pytest.approx(mean * h + (drifts[1] - mean) * settle, abs=1e-8)


def test_nothing_is_to_be_known_without_states() -> None:
    for found in optimum(Simulation(scenario="null"), 0):
        assert found.direction_accuracy == pytest.approx(0.5)
        assert found.threshold_accuracy == pytest.approx(found.threshold_majority)
        assert found.deviation_bps["steady"] == pytest.approx(1.2 * found.horizon_secs**0.5)
        assert [decision.traded_share for decision in found.decisions] == [0.0, 0.0, 0.0]


def test_decisions_follow_from_the_law() -> None:
    config = msgspec.structs.replace(TWO, labels=Labels(horizons_secs=(60.0,), fees_bps=(1.0,)))
    (found,) = optimum(config, 0)
    (decision,) = found.decisions
    ticks, (law,) = price_distributions(config, 0, (60.0,))
    bps = tick_bps(InstrumentSpec())
    shares, means = state_shares(config), law @ ticks * bps
    assert decision.cost_bps == pytest.approx(2.0 + bps)
    gains = np.abs(means) - decision.cost_bps
    assert decision.traded_share == pytest.approx(shares[gains > 0].sum())
    assert decision.net_bps == pytest.approx((shares * gains)[gains > 0].sum() / shares[gains > 0].sum())
    rng = np.random.default_rng(3)
    earned = []
    for state, share in enumerate(shares):
        drawn = rng.choice(ticks, int(200_000 * share), p=law[state]) * bps
        earned.append(np.sign(means[state]) * drawn - decision.cost_bps if gains[state] > 0 else 0.0 * drawn)
    total = np.concatenate(earned)
    assert decision.sharpe == pytest.approx(total.mean() / total.std() * (365 * 1440) ** 0.5, rel=0.05)
