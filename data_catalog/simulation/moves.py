"""The distribution of the efficient price's moves: the same table is drawn from and computed with."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.simulation.config import HiddenState, InstrumentSpec, Simulation

BPS: Final = 1e-4


class SimulationError(CatalogError):
    """A simulated market was asked for that cannot be.

    Examples
    --------
    >>> raise SimulationError("Expected a drift that the moves can carry, was 5.0 bps/s.")
    Traceback (most recent call last):
    fathom.data_catalog.simulation.moves.SimulationError: Expected a drift that the moves can carry, was 5.0 bps/s.
    """


def move_sizes(rms_ticks: float, sigma: float, longest: int) -> NDArray[np.float64]:
    """Return the probabilities of a move of 1, 2, ... `longest` ticks.

    A lognormal of shape `sigma`, rounded to the lattice and cut at `longest`, whose scale is chosen so that the root
    mean square is `rms_ticks`.

    Parameters
    ----------
    rms_ticks : float
        Root mean square of the moves, at least 1.
    sigma : float
        Standard deviation of the logarithm before rounding.
    longest : int
        Longest move, in ticks.

    Returns
    -------
    ndarray of float64, shape (longest,)
        Sums to 1.

    Raises
    ------
    SimulationError
        Where no scale gives that root mean square.

    Examples
    --------
    >>> p = move_sizes(10.0, 1.0, 500)
    >>> round(float((p * np.arange(1, 501) ** 2).sum()) ** 0.5, 6)
    10.0
    """
    edges = np.arange(longest + 1) + 0.5
    edges[0] = 0.0
    squares = np.arange(1, longest + 1) ** 2

    def table(log_median: float) -> Any:
        z = (np.log(np.maximum(edges, 1e-300)) - log_median) / sigma
        mass = np.diff(ndtr(z))
        total = mass.sum()
        return mass / total if total > 1e-12 else None

    low, high = np.log(1e-3), np.log(float(longest))
    target = rms_ticks**2
    smallest, largest = table(low), table(high)
    if not (smallest @ squares) <= target <= (largest @ squares):
        raise SimulationError(
            f"Expected moves of {(smallest @ squares) ** 0.5:.2f} to {(largest @ squares) ** 0.5:.1f} ticks (root mean "
            f"square), was {rms_ticks:.2f}. Change `price.volatility_bps`, `price.moves_per_sec` or `book.range_ticks`."
        )
    for _ in range(200):
        middle = 0.5 * (low + high)
        if table(middle) @ squares < target:
            low = middle
        else:
            high = middle
    mass: NDArray[np.float64] = table(0.5 * (low + high))
    return mass


def tick_bps(instrument: InstrumentSpec) -> float:
    """Return one tick in basis points of the start price."""
    return float(instrument.tick_size) / instrument.start_price / BPS


def state_moves(config: Simulation, instrument: InstrumentSpec) -> NDArray[np.float64]:
    """Return for each hidden state the probabilities of the moves' sizes, shape (states, range_ticks // 2)."""
    scale = config.price.volatility_bps * instrument.volatility_scale / tick_bps(instrument)
    rms = scale / config.price.moves_per_sec**0.5
    longest = config.book.range_ticks // 2
    return np.stack([move_sizes(rms * state.volatility, config.price.tail, longest) for state in config.states])


def up_probability(
    config: Simulation, instrument: InstrumentSpec, state: HiddenState, sizes: NDArray[np.float64]
) -> float:
    """Return the probability that a move goes up, from the drift that the state asks for."""
    mean = float(sizes @ np.arange(1, len(sizes) + 1))
    drift_ticks = state.drift_bps_per_sec * instrument.volatility_scale / tick_bps(instrument)
    most = mean * config.price.moves_per_sec * state.moves
    if abs(drift_ticks) > most:
        raise SimulationError(
            f"Expected a drift of state '{state.name}' that its moves can carry, at most "
            f"{most * tick_bps(instrument) / instrument.volatility_scale:.3f} bps/s, was {state.drift_bps_per_sec}. "
            "Raise `price.moves_per_sec`, `price.volatility_bps`, or the state's `moves` or `volatility`."
        )
    return 0.5 * (1.0 + drift_ticks / most)


def transition_rows(config: Simulation) -> NDArray[np.float64]:
    """Return the probabilities of the next hidden state, shape (states, states), zero on the diagonal."""
    names = [state.name for state in config.states]
    rows = np.zeros((len(names), len(names)))
    for i, state in enumerate(config.states):
        weights = state.next or {name: 1.0 for name in names if name != state.name}
        for name, weight in weights.items():
            rows[i, names.index(name)] = weight
        if rows[i].sum() > 0:
            rows[i] /= rows[i].sum()
    return rows
