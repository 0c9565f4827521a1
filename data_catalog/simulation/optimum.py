"""The best that anybody can predict: exact distributions of the price, given the hidden state and nothing else."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.simulation.config import InstrumentSpec, Simulation
from fathom.data_catalog.simulation.moves import state_moves, tick_bps, transition_rows, up_probability

_YEAR_SECS: Final = 365 * 86_400.0
_TERMS: Final = 18
_MOST_LATTICE: Final = 1 << 18


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What an observer of the hidden state gains at one horizon and one fee, entering and leaving as a taker.

    Examples
    --------
    >>> Decision(fee_bps=5.5, cost_bps=11.02, accuracy=0.9, majority=0.8, traded_share=0.0, net_bps=0.0, sharpe=0.0).cost_bps
    11.02
    """  # noqa: E501

    fee_bps: float
    cost_bps: float  # two fees and the spread of one tick
    accuracy: float  # of the classes up, flat, down, where up and down exceed the cost
    majority: float  # accuracy of always naming the commonest class
    traded_share: float  # share of time in which the expected move exceeds the cost
    net_bps: float  # per trade, expected; 0 where no trade pays
    sharpe: float  # annualised, of deciding once a horizon and trading whenever it pays


class Optimum(msgspec.Struct, frozen=True, kw_only=True):
    """Bayes-optimal prediction at one horizon.

    Examples
    --------
    >>> from fathom.data_catalog.simulation.config import Simulation
    >>> o = optimum(Simulation(scenario="null"), 0)[1]
    >>> o.horizon_secs, round(o.direction_accuracy, 3), o.decisions[0].traded_share
    (5.0, 0.5, 0.0)
    """

    horizon_secs: float
    direction_accuracy: float  # up or down, of moves that are not zero
    direction_majority: float
    unchanged_share: float
    threshold_bps: float
    threshold_accuracy: float  # up, flat or down at the label threshold
    threshold_majority: float
    mean_bps: dict[str, float]  # expected return by hidden state
    deviation_bps: dict[str, float]
    up: dict[str, float]  # probability of a move up, by hidden state
    down: dict[str, float]
    decisions: tuple[Decision, ...]


def generator_matrix(config: Simulation) -> NDArray[np.float64]:
    """Return the hidden chain's generator, shape (states, states), rates per second."""
    rates = np.array([1.0 / state.mean_secs for state in config.states])
    if len(rates) == 1:
        return np.zeros((1, 1))
    return np.asarray(transition_rows(config) * rates[:, None] - np.diag(rates))


def state_shares(config: Simulation) -> NDArray[np.float64]:
    """Return the long-run share of time in each hidden state."""
    q = generator_matrix(config)
    system = np.vstack([q.T, np.ones(len(q))])
    shares, *_ = np.linalg.lstsq(system, np.append(np.zeros(len(q)), 1.0))
    return np.asarray(np.clip(shares, 0.0, 1.0))


def _exponential(matrices: NDArray[np.complex128]) -> NDArray[np.complex128]:
    # Scaling and squaring of a Taylor series, all frequencies at once; the norms of the results never exceed one.
    norm = float(np.abs(matrices).sum(axis=-1).max())
    squarings = max(0, int(np.ceil(np.log2(max(norm, 1e-12)))) + 2)
    scaled = matrices / 2.0**squarings
    total = term = np.broadcast_to(np.eye(matrices.shape[-1], dtype=np.complex128), matrices.shape).copy()
    for k in range(1, _TERMS):
        term = term @ scaled / k
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total


def _laws(matrices: NDArray[np.complex128], horizons_secs: Sequence[float]) -> list[NDArray[np.complex128]]:
    # A horizon that is a few times the one before is a power of it.
    laws: list[NDArray[np.complex128]] = []
    reached, law = 0.0, matrices
    for horizon in horizons_secs:
        times = round(horizon / reached) if reached else 0
        if 1 <= times <= 8 and abs(times * reached - horizon) < 1e-9 * horizon:
            power = law
            for _ in range(times - 1):
                power = power @ law
            law = power
        else:
            law = _exponential(matrices * horizon)
        reached = horizon
        laws.append(law.sum(axis=-1))
    return laws


def price_distributions(
    config: Simulation, number: int, horizons_secs: Sequence[float]
) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    """Return the distribution of the efficient price's change over horizons, for each hidden state at their start.

    The price is a compound Poisson process modulated by a Markov chain, so its characteristic function is a matrix
    exponential, inverted here on the tick lattice: exact but for rounding.

    Parameters
    ----------
    config : Simulation
    number : int
        Of the instrument.
    horizons_secs : sequence of float

    Returns
    -------
    ticks : ndarray of int64, shape (n,)
    probabilities : list of ndarray of float64, shape (states, n)
        One for each horizon.

    References
    ----------
    Asmussen, "Applied Probability and Queues" (2003), ch. XI (Markov additive processes), doi:10.1007/b97236.
    """
    instrument = config.instruments[number]
    sizes = state_moves(config, instrument)
    ticks = np.arange(1, sizes.shape[1] + 1)
    rates = np.array([state.moves * config.price.moves_per_sec for state in config.states])
    ups = np.array([up_probability(config, instrument, state, sizes[i]) for i, state in enumerate(config.states)])
    drift = float(np.abs(rates * (2 * ups - 1) * (sizes @ ticks)).max())
    longest = max(horizons_secs)
    spread = float(np.sqrt((rates * (sizes @ ticks**2)).max() * longest))
    reach = drift * longest + 8 * spread + 2 * len(ticks)
    n = min(_MOST_LATTICE, 1 << int(np.ceil(np.log2(2 * reach))))
    lattice = np.zeros((len(rates), n))
    lattice[:, ticks] = ups[:, None] * sizes
    lattice[:, n - ticks] += (1 - ups)[:, None] * sizes
    characteristic = np.fft.rfft(lattice, axis=1)
    matrices = np.zeros((characteristic.shape[1], len(rates), len(rates)), np.complex128)
    matrices += generator_matrix(config)
    diagonal = np.arange(len(rates))
    matrices[:, diagonal, diagonal] += (rates[:, None] * (characteristic - 1.0)).T
    found = []
    for law in _laws(matrices, horizons_secs):
        probability = np.clip(np.fft.irfft(law.T, n, axis=1), 0.0, None)
        probability /= probability.sum(axis=1, keepdims=True)
        found.append(np.roll(probability, n // 2, axis=1))
    return np.arange(-n // 2, n // 2), found


def _classes(ticks: NDArray[Any], probability: NDArray[Any], threshold: float) -> NDArray[np.float64]:
    up = probability[:, ticks > threshold].sum(axis=1)
    down = probability[:, ticks < -threshold].sum(axis=1)
    return np.stack([down, 1.0 - up - down, up], axis=1)


def _decision(
    fee: float, horizon: float, shares: NDArray[Any], ticks: NDArray[Any], law: NDArray[Any], tick: float
) -> Decision:
    cost = 2 * fee + tick
    classes = _classes(ticks, law, cost / tick)
    mean = law @ ticks * tick
    square = law @ ticks**2 * tick**2
    gain = np.abs(mean) - cost
    traded = gain > 0
    share = float(shares[traded].sum())
    expected = float((shares * gain)[traded].sum())
    # Once a horizon: a return of gain with the state's spread where it trades, zero elsewhere.
    second = float((shares * (square - 2 * np.abs(mean) * cost + cost**2))[traded].sum())
    variance = second - expected**2
    sharpe = expected / variance**0.5 * (_YEAR_SECS / horizon) ** 0.5 if variance > 0 else 0.0
    return Decision(
        fee_bps=fee,
        cost_bps=cost,
        accuracy=float(shares @ classes.max(axis=1)),
        majority=float((shares @ classes).max()),
        traded_share=share,
        net_bps=expected / share if share > 0 else 0.0,
        sharpe=sharpe,
    )


def optimum(config: Simulation, number: int) -> tuple[Optimum, ...]:
    """Compute the best possible predictions of an observer who knows the hidden state at the moment of deciding.

    The chain is Markov: knowing its past as well would add nothing. Returns are of the efficient price, in basis points
    of the start price; the mid that a consumer sees equals it half a tick up, but for the feed's interval and latency.
    Fees are paid twice and the spread of one tick once.

    Parameters
    ----------
    config : Simulation
    number : int
        Of the instrument.

    Returns
    -------
    tuple of Optimum
        One for each of `labels.horizons_secs`.
    """
    instrument: InstrumentSpec = config.instruments[number]
    tick = tick_bps(instrument)
    shares = state_shares(config)
    names = [state.name for state in config.states]
    found = []
    horizons = sorted(config.labels.horizons_secs)
    ticks, laws = price_distributions(config, number, horizons)
    for horizon, law in zip(horizons, laws, strict=True):
        signs = _classes(ticks, law, 0.0)
        moved = signs[:, [0, 2]]
        at_threshold = _classes(ticks, law, config.labels.threshold_bps / tick)
        mean = law @ ticks * tick
        deviation = np.sqrt(np.maximum(law @ ticks**2 * tick**2 - mean**2, 0.0))
        found.append(
            Optimum(
                horizon_secs=horizon,
                direction_accuracy=float(shares @ moved.max(axis=1) / (shares @ moved.sum(axis=1))),
                direction_majority=float((shares @ moved).max() / (shares @ moved).sum()),
                unchanged_share=float(shares @ signs[:, 1]),
                threshold_bps=config.labels.threshold_bps,
                threshold_accuracy=float(shares @ at_threshold.max(axis=1)),
                threshold_majority=float((shares @ at_threshold).max()),
                mean_bps=dict(zip(names, mean.tolist(), strict=True)),
                deviation_bps=dict(zip(names, deviation.tolist(), strict=True)),
                up=dict(zip(names, signs[:, 2].tolist(), strict=True)),
                down=dict(zip(names, signs[:, 0].tolist(), strict=True)),
                decisions=tuple(_decision(fee, horizon, shares, ticks, law, tick) for fee in config.labels.fees_bps),
            )
        )
    return tuple(found)
