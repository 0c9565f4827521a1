"""The flow that knows nothing of the future: limit orders, cancellations and market orders as Poisson streams."""

from typing import Any, Final

from fathom.data_catalog.simulation.compiler import BUY, NOBODY, SELL, kernel, typed
from fathom.data_catalog.simulation.kinds import Stream
from fathom.data_catalog.simulation.matching import take_hidden, take_touch
from fathom.data_catalog.simulation.memory import Market
from fathom.data_catalog.simulation.orders import add_order, is_last_at_touch, outward, remove_order
from fathom.data_catalog.simulation.quotes import draw_size
from fathom.data_catalog.simulation.rng import below, exponential, uniform

_FLOW: Final = typed(Stream.FLOW)


@kernel
def schedule_flow(m: Market) -> None:
    """Draw when the next order, cancellation or market order comes, from the rates as they are now."""
    s = m.scalars[0]
    rate = s.taker_rate
    for c in range(s.n_populations):
        population = m.populations[c]
        rate += population.rate + m.counts[c] / population.life
    rate *= m.hidden[s.hidden].intensity * s.burst * s.activity
    s.t_flow = s.now + 1 + int(exponential(m.streams, _FLOW) / rate * 1e9)


@kernel
def _limit(m: Market, c: int) -> None:
    s = m.scalars[0]
    lean = m.hidden[s.hidden].order_lean
    side = BUY if uniform(m.streams, _FLOW) < 0.5 * (1.0 + lean) else SELL
    reach = m.populations[c].distance
    distance = 0
    if reach > 0.0:
        distance = int(exponential(m.streams, _FLOW) * reach)
        while distance > s.range - s.half:
            distance = int(exponential(m.streams, _FLOW) * reach)
    add_order(m, side, m.sides[side].best + outward(side) * distance, draw_size(m, c), c, NOBODY)


@kernel
def _cancel(m: Market, c: int) -> None:
    k = m.lists[c, below(m.streams, _FLOW, m.counts[c])]
    if not is_last_at_touch(m, m.orders[k]):
        remove_order(m, k)


@kernel
def _take(m: Market, out: Any, log: Any) -> None:
    s = m.scalars[0]
    lean = min(1.0, max(-1.0, m.hidden[s.hidden].taker_lean + s.push))
    side = s.last_taker
    if uniform(m.streams, _FLOW) >= s.persistence:
        side = BUY if uniform(m.streams, _FLOW) < 0.5 * (1.0 + lean) else SELL
    s.last_taker = side
    resting = SELL if side == BUY else BUY
    lots = draw_size(m, s.n_populations)
    if s.rpi_share > 0.0 and uniform(m.streams, _FLOW) < s.rpi_share:
        lots -= take_hidden(m, out, log, resting, lots)
    if lots > 0:
        take_touch(m, out, log, resting, lots)


@kernel
def flow_event(m: Market, out: Any, log: Any) -> None:
    """Let one thing happen, chosen by the rates, and schedule the next."""
    s = m.scalars[0]
    total = s.taker_rate
    for c in range(s.n_populations):
        population = m.populations[c]
        total += population.rate + m.counts[c] / population.life
    pick = uniform(m.streams, _FLOW) * total
    done = False
    for c in range(s.n_populations):
        population = m.populations[c]
        pick -= population.rate
        if pick < 0.0:
            _limit(m, c)
            done = True
            break
        pick -= m.counts[c] / population.life
        if pick < 0.0:
            _cancel(m, c)
            done = True
            break
    if not done:
        _take(m, out, log)
    schedule_flow(m)
