"""One simulated instrument as a stream of event rows and ground truth, the same whatever the batch size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from fathom.data_catalog.simulation import loop
from fathom.data_catalog.simulation.config import DISTURBANCE_KINDS, EPISODE_KINDS, InstrumentSpec, Simulation
from fathom.data_catalog.simulation.kinds import Stream
from fathom.data_catalog.simulation.memory import (
    EPISODE_SPEC,
    FAULT,
    HIDDEN,
    LEVEL,
    LOG,
    ORDER,
    POPULATION,
    SCALARS,
    SHOWN,
    SIDES,
    SIZE_TABLE,
    SLOT,
    SLOTS,
    TRADED_PENDING,
    Market,
)
from fathom.data_catalog.simulation.moves import state_moves, transition_rows, up_probability
from fathom.data_catalog.simulation.rng import seed_stream
from fathom.market.events import EVENT
from fathom.settings.times import SECOND

_HOUR_SECS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one step of the simulation; the arrays are the caller's to keep.

    Parameters
    ----------
    book, trades : ndarray of EVENT
        Ordered by ts_init, the trades' `sequence` numbering them from 1.
    truth : ndarray of LOG
        Ground truth, ordered by time of the venue.
    now_ns : int
        Simulated time reached.

    Examples
    --------
    >>> Batch(np.zeros(2, EVENT), np.zeros(0, EVENT), np.zeros(0, LOG), 5).now_ns
    5
    """

    book: NDArray[Any]
    trades: NDArray[Any]
    truth: NDArray[Any]
    now_ns: int


def _size_table(median: float, sigma: float) -> NDArray[np.int64]:
    z = ndtri((np.arange(SIZE_TABLE) + 0.5) / SIZE_TABLE)
    return np.maximum(np.rint(median * np.exp(sigma * z)), 1).astype(np.int64)


def build_market(config: Simulation, number: int, seed: int) -> Market:
    """Allocate the market of instrument `number` of a configuration, its streams seeded, its book still empty."""
    instrument = config.instruments[number]
    n_states, n_populations = len(config.states), len(config.populations)
    ring = 1 << (4 * config.book.range_ticks - 1).bit_length()
    scalars = np.zeros(1, SCALARS)
    s = scalars[0]
    sizes = state_moves(config, instrument)
    hidden = np.zeros(n_states, HIDDEN)
    for i, state in enumerate(config.states):
        up = up_probability(config, instrument, state, sizes[i])
        lean = (state.taker_lean, state.order_lean)
        hidden[i] = (state.mean_secs, state.intensity, state.moves, up, *lean, state.half_spread_ticks)
    populations = np.zeros(n_populations, POPULATION)
    for i, p in enumerate(config.populations):
        reach = p.distance_ticks * instrument.distance_scale
        populations[i] = (p.orders_per_sec * instrument.rate_scale, p.life_secs, reach, p.pegged_share, p.follow_share)
    drawn = [(p.size_lots, p.size_sigma) for p in config.populations]
    drawn += [(config.takers.size_lots, config.takers.size_sigma), (config.rpi.size_lots, config.rpi.size_sigma)]
    resting = sum(p.orders_per_sec * instrument.rate_scale * p.life_secs for p in config.populations)
    busiest = max(state.intensity for state in config.states)
    capacity = int(3 * resting * max(1.0, busiest)) + 16_384
    specs, episode_rate = _episode_specs(config)
    faults = _faults(config)
    s["range"], s["mask"], s["depth"] = config.book.range_ticks, ring - 1, config.feed.depth
    s["interval"], s["resolution"] = int(config.feed.interval_ms * 1e6), 1_000_000
    s["latency"], s["jitter"] = int(config.feed.latency_ms * 1e6), int(config.feed.jitter_ms * 1e6)
    s["at_once"] = config.feed.trades == "at_once"
    s["n_populations"], s["n_states"] = n_populations, n_states
    s["wide_ticks"], s["wide_rate"] = config.spread.wide_ticks, config.spread.wide_per_hour / _HOUR_SECS
    s["wide_secs"], s["taker_rate"] = config.spread.wide_secs, config.takers.orders_per_sec * instrument.rate_scale
    s["persistence"], s["traded_share"] = config.takers.persistence, config.price.traded_share
    s["max_move_rate"] = hidden["move_rate"].max()
    s["own_rate"] = (1.0 - config.price.correlation) * config.price.moves_per_sec
    s["common_rate"] = config.price.correlation * config.price.moves_per_sec * s["max_move_rate"]
    s["rpi_share"], s["rpi_rate"] = config.rpi.taker_share, config.rpi.refills_per_sec * (config.rpi.taker_share > 0)
    s["large"], s["episode_rate"] = config.book.large_lots * instrument.size_scale, episode_rate
    s["price"] = round(instrument.start_price / float(instrument.tick_size))
    s["busy_factor"], s["busy_secs"] = config.activity.busy_factor, config.activity.busy_secs
    s["calm_secs"], s["activity"], s["burst"] = config.activity.calm_secs, 1.0, 1.0
    s["last_taker"], s["n_free"] = 1, capacity
    lists = np.zeros((n_populations + 2, capacity), np.int32)
    lists[-1] = np.arange(capacity)[::-1]
    slots = np.zeros(SLOTS, SLOT)
    slots["kind"] = -1
    return Market(
        scalars=scalars,
        sides=np.zeros(3, SIDES),
        levels=np.zeros(ring, LEVEL),
        shown=np.zeros((3, ring), SHOWN),
        dirty=np.zeros((3, ring), np.int64),
        orders=np.zeros(capacity, ORDER),
        lists=lists,
        counts=np.zeros(n_populations + 1, np.int64),
        populations=populations,
        sizes=np.stack([_size_table(median * instrument.size_scale, sigma) for median, sigma in drawn]),
        hidden=hidden,
        chain=transition_rows(config).cumsum(axis=1),
        moves=sizes.cumsum(axis=1),
        streams=_streams(config, number, seed),
        pending=np.zeros(TRADED_PENDING, EVENT),
        specs=specs,
        slots=slots,
        faults=faults,
    )


def _streams(config: Simulation, number: int, seed: int) -> NDArray[np.uint64]:
    shared = {Stream.COMMON_PRICE} | ({Stream.CHAIN} if config.price.shared_states else set())
    return np.stack([seed_stream(seed, 0 if k in shared else number + 1, k) for k in Stream])


def _episode_specs(config: Simulation) -> tuple[NDArray[Any], float]:
    total = sum(e.per_hour for e in config.episodes)
    specs = np.zeros(max(1, len(config.episodes)), EPISODE_SPEC)
    for spec, e in zip(specs, config.episodes, strict=False):
        spec["kind"], spec["weight"] = EPISODE_KINDS.index(e.kind), e.per_hour / total if total else 0.0
        spec["orders_low"], spec["orders_high"] = e.orders
        spec["size_low"], spec["size_high"] = e.size
        spec["distance_low"], spec["distance_high"] = e.distance_ticks
        spec["life_low"], spec["life_high"] = e.life_secs
        spec["trade_share"], spec["evade_share"], spec["response"] = e.trade_share, e.evade_share, e.response
    return specs, total / _HOUR_SECS


def _faults(config: Simulation) -> NDArray[Any]:
    faults = np.zeros(len(config.disturbances), FAULT)
    for fault, d in zip(faults, config.disturbances, strict=True):
        fault["kind"], fault["rate"] = DISTURBANCE_KINDS.index(d.kind), d.per_hour / _HOUR_SECS
        fault["low"], fault["high"] = d.secs
        fault["size"] = d.size
    return faults


class Generator:
    """A simulated instrument that can be run on in steps of any length.

    Parameters
    ----------
    config : Simulation
        The market.
    number : int, default 0
        Which of its instruments.
    seed : int, default 0
        The same seed and configuration give the same rows, byte for byte, on the same machine.
    batch_rows : int, default 262144
        How many book rows one batch holds at most; it does not change the rows.

    Examples
    --------
    >>> from fathom.data_catalog.simulation.config import Simulation
    >>> batches = list(Generator(Simulation(scenario="null"), seed=7).run(0.5))
    >>> int(batches[0].book["flags"][0])  # a snapshot begins
    32
    """

    def __init__(self, config: Simulation, number: int = 0, seed: int = 0, *, batch_rows: int = 1 << 18) -> None:
        self.config = config
        self.instrument: InstrumentSpec = config.instruments[number]
        self.market = build_market(config, number, seed)
        ring = len(self.market.levels)
        self._book = np.zeros(max(batch_rows, 8 * ring), EVENT)
        self._trades = np.zeros(TRADED_PENDING + 8 * ring, EVENT)
        self._log = np.zeros(16 * ring, LOG)
        self._live = False
        self._start_ns = int(config.start.timestamp()) * SECOND
        self.now_ns = self._start_ns

    def run(self, secs: float) -> Iterator[Batch]:
        """Yield the rows of the next `secs` of simulated time (the first call begins with a snapshot)."""
        buffers = (self._book, self._trades, self._log)
        if not self._live:
            warm = self._start_ns - int(self.config.book.warmup_secs * SECOND)
            loop.prepare(self.market, warm)
            while not loop.advance(self.market, self._start_ns, *buffers):
                self._drain()
            self.market.scalars["now"] = self._start_ns
            self._drain()
            loop.go_live(self.market, self._book, self._log)
            self._live = True
        end = self.now_ns + int(secs * SECOND)
        while True:
            done = loop.advance(self.market, end, *buffers)
            self.now_ns = end if done else int(self.market.scalars["now"][0])
            yield self._drain()
            if done:
                return

    def _drain(self) -> Batch:
        s = self.market.scalars
        n_book, n_trades, n_log = int(s["n_book"][0]), int(s["n_trades"][0]), int(s["n_log"][0])
        s["n_book"] = s["n_trades"] = s["n_log"] = 0
        copies = self._book[:n_book].copy(), self._trades[:n_trades].copy(), self._log[:n_log].copy()
        return Batch(*copies, now_ns=self.now_ns)
