"""The event loop: whichever appointment is next happens next, until the time is up or the output is full."""

from typing import Any, Final

import numpy as np

from fathom.data_catalog.simulation.compiler import (
    BUY,
    NEVER,
    NO,
    NOBODY,
    NONE,
    SECOND,
    SELL,
    YES,
    entry,
    kernel,
    typed,
)
from fathom.data_catalog.simulation.episodes import schedule_start, start_episode, step_episodes
from fathom.data_catalog.simulation.faults import next_fault, schedule_fault, step_faults
from fathom.data_catalog.simulation.feed import publish, publish_snapshot
from fathom.data_catalog.simulation.flow import flow_event, schedule_flow
from fathom.data_catalog.simulation.kinds import Act, Channel, Stream
from fathom.data_catalog.simulation.matching import note
from fathom.data_catalog.simulation.memory import Market
from fathom.data_catalog.simulation.orders import add_order
from fathom.data_catalog.simulation.quotes import draw_move, draw_size, requote
from fathom.data_catalog.simulation.rng import below, exponential, uniform

_OWN: Final = typed(Stream.OWN_PRICE)
_COMMON: Final = typed(Stream.COMMON_PRICE)
_CHAIN: Final = typed(Stream.CHAIN)
_SPREAD: Final = typed(Stream.SPREAD)
_FLOW: Final = typed(Stream.FLOW)
_RPI: Final = typed(Stream.RPI)
_ACTIVITY: Final = typed(Stream.ACTIVITY)
_STATE: Final = typed(Channel.STATE)
_START: Final = typed(Act.START)
_PLACE: Final = typed(Act.PLACE)
_PRICE: Final = typed(Channel.PRICE)
_RPI_TABLE: Final = typed(Channel.RPI)


@kernel
def _wait(m: Market, stream: int, rate: float) -> int:
    if rate <= 0.0:
        return NEVER
    return int(m.scalars[0].now + 1 + int(exponential(m.streams, stream) / rate * SECOND))


@kernel
def _schedule_chain(m: Market) -> None:
    s = m.scalars[0]
    s.t_chain = _wait(m, _CHAIN, 1.0 / m.hidden[s.hidden].mean_secs) if s.n_states > 1 else NEVER


@kernel
def _schedule_own(m: Market) -> None:
    s = m.scalars[0]
    s.t_own = _wait(m, _OWN, s.own_rate * m.hidden[s.hidden].move_rate)


@kernel
def _want(m: Market, price: int, half: int, traded: int) -> None:
    # One place moves the touch, after the event: numba would compile a copy of `requote` for each caller.
    s = m.scalars[0]
    s.wanted = YES
    s.wanted_price = price
    s.wanted_half = half
    s.wanted_traded = traded


@kernel
def _enter_state(m: Market, log: Any) -> None:
    s = m.scalars[0]
    u = uniform(m.streams, _CHAIN)
    s.hidden = min(int(np.searchsorted(m.chain[s.hidden], u, side="right")), s.n_states - 1)
    note(m, log, _STATE, NONE, s.hidden, _START, NONE, s.price, NONE)
    _schedule_chain(m)
    _schedule_own(m)
    schedule_flow(m)
    _want(m, s.price, m.hidden[s.hidden].half + s.wide * s.wide_ticks, NO)


@kernel
def _own_move(m: Market) -> None:
    s = m.scalars[0]
    ticks = draw_move(m, uniform(m.streams, _OWN), uniform(m.streams, _OWN))
    _want(m, s.price + ticks, s.half, YES if uniform(m.streams, _OWN) < s.traded_share else NO)
    _schedule_own(m)


@kernel
def _common_move(m: Market) -> None:
    # Every instrument draws the same four numbers here, whatever its state: they stay in step.
    s = m.scalars[0]
    keep = uniform(m.streams, _COMMON) * s.max_move_rate < m.hidden[s.hidden].move_rate
    u_side = uniform(m.streams, _COMMON)
    u_size = uniform(m.streams, _COMMON)
    traded = YES if uniform(m.streams, _COMMON) < s.traded_share else NO
    if keep:
        _want(m, s.price + draw_move(m, u_side, u_size), s.half, traded)
    s.t_common = _wait(m, _COMMON, s.common_rate)


@kernel
def _change_spread(m: Market) -> None:
    s = m.scalars[0]
    s.wide = 1 - s.wide
    _want(m, s.price, m.hidden[s.hidden].half + s.wide * s.wide_ticks, NO)
    s.t_spread = _wait(m, _SPREAD, 1.0 / s.wide_secs if s.wide != 0 else s.wide_rate)


@kernel
def _change_activity(m: Market) -> None:
    s = m.scalars[0]
    busy = s.activity == 1.0
    s.activity = s.busy_factor if busy else 1.0
    s.t_activity = _wait(m, _ACTIVITY, 1.0 / (s.busy_secs if busy else s.calm_secs))
    schedule_flow(m)


@kernel
def _refill_rpi(m: Market, log: Any) -> None:
    s = m.scalars[0]
    side = BUY if uniform(m.streams, _RPI) < 0.5 else SELL
    table = s.n_populations + 1
    m.sides[side].rpi = m.sizes[table, below(m.streams, _RPI, m.sizes.shape[1])]
    note(m, log, _RPI_TABLE, NONE, NONE, _PLACE, side, m.sides[side].best, m.sides[side].rpi)
    s.t_rpi = _wait(m, _RPI, s.rpi_rate)


@kernel
def _next_other(m: Market) -> None:
    s = m.scalars[0]
    s.t_other = min(
        min(min(s.t_own, s.t_common), min(s.t_chain, s.t_flush)),
        min(min(min(s.t_spread, s.t_activity), s.t_rpi), min(min(s.t_start, s.t_episode), s.t_fault)),
    )


@kernel
def _other_event(m: Market, out: Any, trades: Any, log: Any) -> None:
    s = m.scalars[0]
    now = s.t_other
    s.now = now
    if now in (s.t_flush, s.t_fault):
        publish(m, out, trades, log)  # a fault begins and ends on a book that was shown
    if s.t_flush == now:
        s.t_flush = now + s.interval
    elif s.t_fault == now:
        step_faults(m, out, log)
    elif s.t_own == now:
        _own_move(m)
    elif s.t_common == now:
        _common_move(m)
    elif s.t_chain == now:
        _enter_state(m, log)
    elif s.t_spread == now:
        _change_spread(m)
    elif s.t_activity == now:
        _change_activity(m)
    elif s.t_rpi == now:
        _refill_rpi(m, log)
    elif s.t_start == now:
        start_episode(m, log)
    else:
        step_episodes(m, trades, log)
    if s.wanted != NO:
        s.wanted = NO
        requote(m, trades, log, s.wanted_price, s.wanted_half, s.wanted_traded)
    _next_other(m)


@entry
def prepare(m: Market, start: int) -> None:
    """Fill the book at time `start` with as many orders as the populations hold in the long run, unpublished."""
    s = m.scalars[0]
    s.now = start
    bids = m.sides[BUY]
    asks = m.sides[SELL]
    s.half = m.hidden[s.hidden].half
    bids.best = s.price - s.half
    asks.best = s.price + 1 + s.half
    bids.bound = s.price - s.range
    asks.bound = s.price + 1 + s.range
    for c in range(s.n_populations):
        population = m.populations[c]
        for _ in range(int(population.rate * population.life)):
            side = BUY if uniform(m.streams, _FLOW) < 0.5 else SELL
            distance = int(exponential(m.streams, _FLOW) * population.distance)
            if distance <= s.range - s.half:
                sign = -1 if side == BUY else 1
                add_order(m, side, m.sides[side].best + sign * distance, draw_size(m, c), c, NOBODY)
    _schedule_chain(m)
    _schedule_own(m)
    s.t_common = _wait(m, _COMMON, s.common_rate)
    s.t_spread = _wait(m, _SPREAD, s.wide_rate)
    s.t_activity = _wait(m, _ACTIVITY, 1.0 / s.calm_secs) if s.busy_factor != 1.0 else NEVER
    s.t_rpi = _wait(m, _RPI, s.rpi_rate)
    s.t_flush = start + s.interval if s.interval > 0 else NEVER
    s.t_start = NEVER
    s.t_episode = NEVER
    s.t_fault = NEVER
    for side in range(BUY, SELL + 1):
        if m.levels[m.sides[side].best & s.mask].count == 0:
            add_order(m, side, m.sides[side].best, draw_size(m, NONE), NONE, NOBODY)
    schedule_flow(m)
    _next_other(m)


@entry
def go_live(m: Market, out: Any, log: Any) -> None:
    """Publish the first snapshot and let episodes and faults begin."""
    s = m.scalars[0]
    s.live = 1
    s.n_pending = 0
    note(m, log, _STATE, NONE, s.hidden, _START, NONE, s.price, NONE)
    note(m, log, _PRICE, NONE, NONE, NONE, NONE, s.price, NONE)
    publish_snapshot(m, out, log)
    schedule_start(m)
    for i in range(m.faults.shape[0]):
        schedule_fault(m, i)
    next_fault(m)
    _next_other(m)


@entry
def advance(m: Market, end: int, out: Any, trades: Any, log: Any) -> bool:
    """Run until time `end`, or until a buffer may not hold what the next event writes; say whether the end was reached.

    Events at `end` or later stay in the future. Where the buffers are emptied between two calls, and how often, does
    not change what is written.
    """
    s = m.scalars[0]
    room_book = out.shape[0] - 6 * m.levels.shape[0]
    room_trades = trades.shape[0] - m.pending.shape[0] - 4 * m.levels.shape[0]
    room_log = log.shape[0] - 8 * m.levels.shape[0]
    every_event = s.interval == 0
    while True:
        now = min(s.t_flow, s.t_other)
        if now >= end:
            return True
        if s.n_book > room_book or s.n_trades > room_trades or s.n_log > room_log:
            return False
        if s.t_flow < s.t_other:
            s.now = s.t_flow
            flow_event(m, trades, log)
        else:
            _other_event(m, out, trades, log)
        # The last: before two prices could share a place in the ring.
        crowded = s.n_pending * 2 > m.pending.shape[0] or abs(s.price - s.shown_price) > s.range
        if every_event or crowded:
            publish(m, out, trades, log)
