import numpy as np
import pytest

from fathom.data_catalog.simulation.config import HiddenState, InstrumentSpec, Price, Simulation
from fathom.data_catalog.simulation.moves import SimulationError, move_sizes, state_moves, tick_bps, up_probability


@pytest.mark.parametrize("rms", [1.5, 30.0, 120.0])
def test_moves_have_the_root_mean_square_asked_for(rms: float) -> None:
    p = move_sizes(rms, 0.8, 1000)
    assert p.sum() == pytest.approx(1.0)
    assert (p * np.arange(1, 1001) ** 2).sum() ** 0.5 == pytest.approx(rms, rel=1e-6)


def test_volatility_and_drift_of_a_state_come_out_of_its_moves() -> None:
    state = HiddenState(name="up", drift_bps_per_sec=0.2, volatility=1.5, moves=2.0)
    config = Simulation(scenario="x", price=Price(volatility_bps=1.0, moves_per_sec=3.0), states=(state,))
    instrument = InstrumentSpec()
    (sizes,) = state_moves(config, instrument)
    up = up_probability(config, instrument, state, sizes)
    ticks = np.arange(1, len(sizes) + 1)
    rate, bps = 6.0, tick_bps(instrument)
    assert rate * (2 * up - 1) * (sizes @ ticks) * bps == pytest.approx(0.2)
    assert (rate * (sizes @ ticks**2)) ** 0.5 * bps == pytest.approx(1.0 * 1.5 * 2.0**0.5, rel=1e-6)


def test_a_drift_beyond_the_moves_is_refused() -> None:
    state = HiddenState(name="up", drift_bps_per_sec=9.0)
    config = Simulation(scenario="x", states=(state,))
    with pytest.raises(SimulationError, match="state 'up' that its moves can carry, at most 0"):
        up_probability(config, InstrumentSpec(), state, state_moves(config, InstrumentSpec())[0])


def test_moves_beyond_the_range_are_refused() -> None:
    with pytest.raises(SimulationError, match=r"Expected moves of 1\.00 to"):
        move_sizes(900.0, 0.5, 1000)
