"""The order book below the feed: single orders in first-in-first-out queues, one queue a level."""

from typing import Any

from fathom.data_catalog.simulation.compiler import BUY, kernel
from fathom.data_catalog.simulation.memory import Market


@kernel
def outward(side: int) -> int:
    """Return the direction in which prices get worse for a resting order: -1 for bids, 1 for asks."""
    return -1 if side == BUY else 1


@kernel
def mark(m: Market, side: int, price: int) -> None:
    """Note that the level may have to be published."""
    shown = m.shown[side, price & m.scalars[0].mask]
    if shown.dirty == 0:
        shown.dirty = 1
        half = m.sides[side]
        m.dirty[side, half.n_dirty] = price
        half.n_dirty += 1


@kernel
def add_order(m: Market, side: int, price: int, size: int, population: int, owner: int) -> int:
    """Queue an order at the end of its level; return its number, or -1 where the pool is full."""
    s = m.scalars[0]
    if s.n_free == 0:
        s.refused += 1
        return -1
    s.n_free -= 1
    k = m.lists[s.n_populations + 1, s.n_free]
    level = m.levels[price & s.mask]
    order = m.orders[k]
    order.price = price
    order.size = size
    order.side = side
    order.population = population
    order.owner = owner
    order.next = -1
    if level.count == 0:
        order.prev = -1
        level.head = k
        half = m.sides[side]
        if (half.bound - price) * outward(side) >= 0:
            half.inside += 1
    else:
        order.prev = level.tail
        m.orders[level.tail].next = k
    level.tail = k
    level.count += 1
    level.total += size
    if owner >= 0:
        level.owned += 1
    slot = m.counts[population]
    m.lists[population, slot] = k
    order.slot = slot
    m.counts[population] = slot + 1
    mark(m, side, price)
    return int(k)


@kernel
def remove_order(m: Market, k: int) -> None:
    """Take an order out of its queue, whatever is left of it."""
    s = m.scalars[0]
    order = m.orders[k]
    price = order.price
    side = order.side
    level = m.levels[price & s.mask]
    if order.prev >= 0:
        m.orders[order.prev].next = order.next
    else:
        level.head = order.next
    if order.next >= 0:
        m.orders[order.next].prev = order.prev
    else:
        level.tail = order.prev
    level.count -= 1
    level.total -= order.size
    if order.owner >= 0:
        level.owned -= 1
    if level.count == 0:
        half = m.sides[side]
        if (half.bound - price) * outward(side) >= 0:
            half.inside -= 1
    population = order.population
    last = m.counts[population] - 1
    moved = m.lists[population, last]
    m.lists[population, order.slot] = moved
    m.orders[moved].slot = order.slot
    m.counts[population] = last
    m.lists[s.n_populations + 1, s.n_free] = k
    s.n_free += 1
    mark(m, side, price)


@kernel
def reduce_order(m: Market, k: int, lots: int) -> None:
    """Fill part of an order; it keeps its place."""
    order = m.orders[k]
    order.size -= lots
    m.levels[order.price & m.scalars[0].mask].total -= lots
    mark(m, order.side, order.price)


@kernel
def is_last_at_touch(m: Market, order: Any) -> bool:
    """Say whether the touch would be empty without this order."""
    if order.price != m.sides[order.side].best:
        return False
    return bool(m.levels[order.price & m.scalars[0].mask].count == 1)
