"""The touch follows the efficient price: what stood in the way is traded or pulled, and makers follow."""

from typing import Any, Final

import numpy as np

from fathom.data_catalog.simulation.compiler import BUY, NOBODY, NONE, SELL, kernel, typed
from fathom.data_catalog.simulation.kinds import Act, Channel, Episode, Stream
from fathom.data_catalog.simulation.matching import note, note_episode, take_level
from fathom.data_catalog.simulation.memory import SIZE_TABLE, Market
from fathom.data_catalog.simulation.orders import add_order, is_last_at_touch, outward, remove_order
from fathom.data_catalog.simulation.rng import below, uniform

_CANCEL: Final = typed(Act.CANCEL)
_FIRST_DECOY: Final = typed(Episode.DECOY_FLICKER)
_LARGE_TRADE: Final = typed(Episode.DECOY_LARGE_TRADE)
_SCROLL: Final = typed(Episode.DECOY_SCROLL)
_PRICE: Final = typed(Channel.PRICE)
_FLOW: Final = typed(Stream.FLOW)
_ALL: Final = typed(1 << 60)


@kernel
def draw_size(m: Market, table: int) -> int:
    """Return a size from one of the tables of equally likely sizes."""
    return int(m.sizes[table, below(m.streams, _FLOW, SIZE_TABLE)])


@kernel
def _evades(m: Market, owner: int) -> bool:
    slot = m.slots[owner]
    if slot.kind < _FIRST_DECOY:
        return bool(slot.evade != 0)
    return bool(slot.kind != _LARGE_TRADE and slot.kind < _LARGE_TRADE + 2)


@kernel
def _clear_level(m: Market, out: Any, log: Any, side: int, price: int, target: int, traded: int) -> None:
    s = m.scalars[0]
    level = m.levels[price & s.mask]
    # Owners who watch the market pull first; their orders never trade in a move.
    k = level.head
    while level.owned > 0 and k >= 0:
        order = m.orders[k]
        following = order.next
        owner = order.owner
        if owner >= 0 and _evades(m, owner):
            note_episode(m, log, owner, _CANCEL, side, price, order.size)
            remove_order(m, k)
        k = following
    if level.count == 0:
        return
    if traded != 0 or level.owned > 0:
        # A price cannot pass a large honest order without lifting it; an iceberg shows new slices meanwhile.
        take_level(m, out, log, side, price, _ALL)
        return
    while level.count > 0:
        k = level.head
        order = m.orders[k]
        population = order.population
        size = order.size
        pegged = m.populations[population].pegged
        remove_order(m, k)
        if pegged > 0.0 and uniform(m.streams, _FLOW) < pegged:
            add_order(m, side, target, size, population, NOBODY)


@kernel
def _follow(m: Market, side: int, old: int, new: int) -> None:
    level = m.levels[old & m.scalars[0].mask]
    k = level.head
    while k >= 0:
        order = m.orders[k]
        following = order.next
        population = order.population
        if order.owner < 0:
            pegged = m.populations[population].pegged
            if pegged > 0.0 and uniform(m.streams, _FLOW) < pegged:
                size = order.size
                remove_order(m, k)
                add_order(m, side, new, size, population, NOBODY)
        k = following


@kernel
def _purge(m: Market, log: Any, side: int, old_edge: int, new_edge: int) -> None:
    s = m.scalars[0]
    price = old_edge
    step = -outward(side)
    while price != new_edge and (new_edge - price) * step > 0:
        level = m.levels[price & s.mask]
        while level.count > 0:
            k = level.head
            order = m.orders[k]
            if order.owner >= 0:
                note_episode(m, log, order.owner, _CANCEL, side, price, order.size)
            remove_order(m, k)
        price += step


@kernel
def _shift(m: Market, side: int, ticks: int) -> None:
    # Makers who quote at a distance put their orders where they were, seen from the new price.
    s = m.scalars[0]
    best = m.sides[side].best
    edge = s.price - s.range if side == BUY else s.price + 1 + s.range
    for c in range(s.n_populations):
        share = m.populations[c].follow
        if share <= 0.0:
            continue
        i = m.counts[c] - 1
        while i >= 0:
            k = m.lists[c, i]
            order = m.orders[k]
            i -= 1
            if order.side != side or uniform(m.streams, _FLOW) >= share:
                continue
            price = order.price + ticks
            if (price - best) * outward(side) < 0 or (edge - price) * outward(side) < 0:
                continue
            if is_last_at_touch(m, order):
                continue
            size = order.size
            remove_order(m, k)
            add_order(m, side, price, size, c, NOBODY)


@kernel
def requote(m: Market, out: Any, log: Any, price: int, half: int, traded: int) -> None:
    """Move the efficient price to `price` and the touch to `half` ticks beyond the one-tick spread on both sides."""
    s = m.scalars[0]
    bids = m.sides[BUY]
    asks = m.sides[SELL]
    old_price = s.price
    old_bid = bids.best
    old_ask = asks.best
    new_bid = price - half
    new_ask = price + 1 + half
    for p in range(old_ask, new_ask):
        _clear_level(m, out, log, SELL, p, new_ask, traded)
    for p in range(old_bid, new_bid, NOBODY):
        _clear_level(m, out, log, BUY, p, new_bid, traded)
    s.price = price
    s.half = half
    bids.best = new_bid
    asks.best = new_ask
    if new_bid > old_bid:
        _follow(m, BUY, old_bid, new_bid)
    if new_ask < old_ask:
        _follow(m, SELL, old_ask, new_ask)
    if m.levels[new_bid & s.mask].count == 0:
        add_order(m, BUY, new_bid, draw_size(m, NONE), NONE, NOBODY)
    if m.levels[new_ask & s.mask].count == 0:
        add_order(m, SELL, new_ask, draw_size(m, NONE), NONE, NOBODY)
    _purge(m, log, BUY, old_price - s.range, price - s.range)
    _purge(m, log, SELL, old_price + 1 + s.range, price + 1 + s.range)
    if price != old_price:
        _shift(m, BUY, price - old_price)
        _shift(m, SELL, price - old_price)
        note(m, log, _PRICE, NONE, NONE, NONE, NONE, price, NONE)


@kernel
def draw_move(m: Market, u_side: float, u_size: float) -> int:
    """Return the signed ticks of a move in the present hidden state."""
    s = m.scalars[0]
    up = m.hidden[s.hidden].up + 0.5 * s.push
    ticks = np.searchsorted(m.moves[s.hidden], u_size, side="right") + 1
    return int(ticks) if u_side < up else -int(ticks)
