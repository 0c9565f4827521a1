"""Faults of the feed and of the venue, each with its line in the truth: what a careful consumer must survive."""

from typing import Any, Final

from fathom.data_catalog.simulation.compiler import BUY, NEVER, NONE, SECOND, SELL, kernel, typed
from fathom.data_catalog.simulation.feed import publish_snapshot
from fathom.data_catalog.simulation.flow import schedule_flow
from fathom.data_catalog.simulation.kinds import Act, Channel, Fault, Stream
from fathom.data_catalog.simulation.matching import note
from fathom.data_catalog.simulation.memory import Market
from fathom.data_catalog.simulation.orders import mark, outward
from fathom.data_catalog.simulation.rng import between, exponential, uniform

_START: Final = typed(Act.START)
_END: Final = typed(Act.END)
_FAULT: Final = typed(Channel.FAULT)
_FAULTS: Final = typed(Stream.FAULTS)
_GAP: Final = typed(Fault.GAP)
_BURST: Final = typed(Fault.BURST)
_ONE_SIDED: Final = typed(Fault.ONE_SIDED)
_CROSSED: Final = typed(Fault.CROSSED)
_HALT: Final = typed(Fault.HALT)
_DUPLICATE: Final = typed(Fault.DUPLICATE)
_CLOCK_STEP: Final = typed(Fault.CLOCK_STEP)


@kernel
def schedule_fault(m: Market, i: int) -> None:
    """Draw when fault `i` begins next."""
    s = m.scalars[0]
    fault = m.faults[i]
    if fault.rate > 0.0:
        fault.t_next = s.now + 1 + int(exponential(m.streams, _FAULTS) / fault.rate * SECOND)
    else:
        fault.t_next = NEVER


@kernel
def next_fault(m: Market) -> None:
    """Find when the next fault begins or ends."""
    s = m.scalars[0]
    s.t_fault = NEVER
    for i in range(m.faults.shape[0]):
        s.t_fault = min(s.t_fault, m.faults[i].t_next)


@kernel
def _mark_side(m: Market, side: int) -> None:
    s = m.scalars[0]
    half = m.sides[side]
    price = half.best
    while (half.bound - price) * outward(side) >= 0:
        if m.levels[price & s.mask].count > 0:
            mark(m, side, price)
        price += outward(side)


@kernel
def _halt(m: Market, number: int, nanos: int) -> None:
    # Nothing happens while the venue stands still: every appointment is put off by as long.
    s = m.scalars[0]
    s.t_flow += nanos
    for i in range(m.slots.shape[0]):
        if m.slots[i].kind >= 0:
            m.slots[i].t_next += nanos
            m.slots[i].t_end += nanos
    for j in range(m.faults.shape[0]):
        if j != number and m.faults[j].t_next != NEVER:
            m.faults[j].t_next += nanos
    if s.t_episode != NEVER:
        s.t_episode += nanos
    if s.t_start != NEVER:
        s.t_start += nanos
    s.t_own += nanos
    s.t_common += nanos
    s.t_chain += nanos
    s.t_spread += nanos
    s.t_activity += nanos
    s.t_rpi += nanos
    s.t_flush += nanos


@kernel
def _begin(m: Market, i: int, log: Any) -> None:
    s = m.scalars[0]
    fault = m.faults[i]
    kind = fault.kind
    nanos = int(between(m.streams, _FAULTS, fault.low, fault.high) * SECOND)
    fault.side = BUY if uniform(m.streams, _FAULTS) < 0.5 else SELL
    s.fault_number += 1
    fault.number = s.fault_number
    fault.on = 1
    fault.t_next = s.now + 1 + nanos
    half = m.sides[fault.side]
    side = 0
    price = 0
    size = int(fault.size)
    if kind == _GAP:
        s.in_gap = 1
        size = s.sequence
    elif kind == _BURST:
        s.burst = fault.size
        schedule_flow(m)
    elif kind == _ONE_SIDED:
        side = fault.side
        half.muted = 1
        _mark_side(m, side)
    elif kind == _CROSSED:
        side = fault.side
        opposite = m.sides[SELL if side == BUY else BUY].best
        price = opposite + (int(fault.size) if side == BUY else -int(fault.size))
        half.phantom_price = price
        half.phantom_size = max(1, int(0.02 * s.large))
        size = half.phantom_size
        mark(m, side, price)
    elif kind == _HALT:
        _halt(m, i, nanos)
    elif kind == _DUPLICATE:
        s.again = int(fault.size)
    elif kind == _CLOCK_STEP:
        sign = 1 if fault.side == BUY else -1
        s.clock_offset = sign * int(fault.size * SECOND)
        size = s.clock_offset
    note(m, log, _FAULT, fault.number, kind, _START, side, price, size)


@kernel
def _end(m: Market, i: int, out: Any, log: Any) -> None:
    s = m.scalars[0]
    fault = m.faults[i]
    kind = fault.kind
    fault.on = 0
    half = m.sides[fault.side]
    size = 0
    if kind == _GAP:
        s.in_gap = 0
        size = s.sequence
        publish_snapshot(m, out, log)
    elif kind == _BURST:
        s.burst = 1.0
        schedule_flow(m)
    elif kind == _ONE_SIDED:
        half.muted = 0
        _mark_side(m, fault.side)
    elif kind == _CROSSED:
        mark(m, fault.side, half.phantom_price)
        half.phantom_size = 0
        half.phantom_price = 0
    elif kind == _HALT:
        publish_snapshot(m, out, log)
    elif kind == _CLOCK_STEP:
        s.clock_offset = 0
    note(m, log, _FAULT, fault.number, kind, _END, NONE, NONE, size)
    schedule_fault(m, i)


@kernel
def step_faults(m: Market, out: Any, log: Any) -> None:
    """Begin or end every fault whose time has come."""
    s = m.scalars[0]
    for i in range(m.faults.shape[0]):
        if m.faults[i].t_next > s.now:
            continue
        if m.faults[i].on != 0:
            _end(m, i, out, log)
        else:
            _begin(m, i, log)
    next_fault(m)
