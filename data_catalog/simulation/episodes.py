"""Manipulators and their honest look-alikes: small state machines that own some of the orders in the book."""

from typing import Any, Final

from fathom.data_catalog.simulation.compiler import BUY, NEVER, NOBODY, NONE, SECOND, SELL, YES, kernel, typed
from fathom.data_catalog.simulation.kinds import Act, Episode, Stream
from fathom.data_catalog.simulation.matching import note_episode, take_touch
from fathom.data_catalog.simulation.memory import Market
from fathom.data_catalog.simulation.orders import add_order, is_last_at_touch, outward, remove_order
from fathom.data_catalog.simulation.rng import below, between, exponential, uniform

_START, _PLACE, _CANCEL, _BENEFIT, _END = (typed(a) for a in (Act.START, Act.PLACE, Act.CANCEL, Act.BENEFIT, Act.END))
_SPOOFING: Final = typed(Episode.SPOOFING)
_LAYERING: Final = typed(Episode.LAYERING)
_STUFFING: Final = typed(Episode.QUOTE_STUFFING)
_FLICKER: Final = typed(Episode.DECOY_FLICKER)
_ICEBERG: Final = typed(Episode.DECOY_ICEBERG)
_SCROLL: Final = typed(Episode.DECOY_SCROLL)
_EPISODES: Final = typed(Stream.EPISODES)
_FREE: Final = typed(-1)
# An iceberg shows one slice of this many; small orders of flicker and stuffing are fractions of a large one.
_SLICES: Final = typed(12)
_FLICKER_PART: Final = 0.04
_STUFFING_PART: Final = 0.01


@kernel
def _within(m: Market, low: float, high: float) -> float:
    return float(between(m.streams, _EPISODES, low, high))


@kernel
def _owned_left(m: Market, owner: int) -> int:
    table = m.scalars[0].n_populations
    left = 0
    for i in range(m.counts[table]):
        if m.orders[m.lists[table, i]].owner == owner:
            left += 1
    return left


@kernel
def _pull(m: Market, log: Any, owner: int) -> None:
    table = m.scalars[0].n_populations
    i = m.counts[table] - 1
    while i >= 0:
        k = m.lists[table, i]
        order = m.orders[k]
        if order.owner == owner:
            if is_last_at_touch(m, order):
                # The touch is never empty: the flow takes the place over.
                add_order(m, order.side, order.price, YES, NONE, NOBODY)
            note_episode(m, log, owner, _CANCEL, order.side, order.price, order.size)
            remove_order(m, k)
        i = min(i, m.counts[table]) - 1


@kernel
def _place(m: Market, log: Any, owner: int, side: int, distance: int, lots: int) -> None:
    s = m.scalars[0]
    price = m.sides[side].best + outward(side) * min(distance, s.range - s.half - 1)
    if add_order(m, side, price, max(1, lots), s.n_populations, owner) >= 0:
        note_episode(m, log, owner, _PLACE, side, price, max(1, lots))


@kernel
def _place_all(m: Market, log: Any, owner: int) -> None:
    s = m.scalars[0]
    slot = m.slots[owner]
    spec = m.specs[slot.spec]
    kind = slot.kind
    if kind in (_STUFFING, _FLICKER):
        part = _STUFFING_PART if kind == _STUFFING else _FLICKER_PART
        for i in range(slot.n_orders):
            side = slot.side if kind == _STUFFING else (BUY if i % 2 == 0 else SELL)
            distance = int(_within(m, spec.distance_low, spec.distance_high))
            lots = int(part * s.large * _within(m, spec.size_low, spec.size_high))
            _place(m, log, owner, side, distance, lots)
        return
    for i in range(slot.n_orders):
        lots = slot.lots
        if kind == _LAYERING:
            lots = int(s.large * _within(m, spec.size_low, spec.size_high))
        _place(m, log, owner, slot.side, slot.distance + i * slot.step, lots)


@kernel
def schedule_start(m: Market) -> None:
    """Draw when the next episode begins."""
    s = m.scalars[0]
    if s.episode_rate > 0.0:
        s.t_start = s.now + 1 + int(exponential(m.streams, _EPISODES) / s.episode_rate * SECOND)
    else:
        s.t_start = NEVER


@kernel
def _next_step(m: Market) -> None:
    s = m.scalars[0]
    s.t_episode = NEVER
    for i in range(m.slots.shape[0]):
        if m.slots[i].kind != _FREE:
            s.t_episode = min(s.t_episode, m.slots[i].t_next)


@kernel
def _visible_edge(m: Market, side: int) -> int:
    return int(abs(m.sides[side].bound - m.sides[side].best))


@kernel
def start_episode(m: Market, log: Any) -> None:
    """Begin an episode of a kind drawn by its frequency, where a slot is free."""
    s = m.scalars[0]
    schedule_start(m)
    u = uniform(m.streams, _EPISODES)
    spec_number = 0
    while spec_number < m.specs.shape[0] - 1 and u >= m.specs[spec_number].weight:
        u -= m.specs[spec_number].weight
        spec_number += 1
    owner = 0
    while owner < m.slots.shape[0] and m.slots[owner].kind != _FREE:
        owner += 1
    if owner == m.slots.shape[0]:
        return
    spec = m.specs[spec_number]
    slot = m.slots[owner]
    s.episode_number += 1
    slot.number = s.episode_number
    slot.kind = spec.kind
    slot.spec = spec_number
    slot.side = BUY if uniform(m.streams, _EPISODES) < 0.5 else SELL
    slot.stage = 0
    slot.t_end = s.now + int(_within(m, spec.life_low, spec.life_high) * SECOND)
    slot.distance = int(_within(m, spec.distance_low, spec.distance_high))
    slot.step = 1 + below(m.streams, _EPISODES, 6)
    slot.n_orders = spec.orders_low + below(m.streams, _EPISODES, spec.orders_high - spec.orders_low + 1)
    slot.lots = max(1, int(s.large * _within(m, spec.size_low, spec.size_high)))
    slot.hidden = 0
    slot.evade = 1 if uniform(m.streams, _EPISODES) < spec.evade_share else 0
    slot.trade = 1 if slot.kind < _FLICKER and uniform(m.streams, _EPISODES) < spec.trade_share else 0
    slot.push = spec.response if slot.side == BUY else -spec.response
    if slot.kind == _ICEBERG:
        slot.hidden = slot.lots
        slot.lots = max(1, slot.lots // _SLICES)
        slot.hidden -= slot.lots
    if slot.kind == _SCROLL:
        slot.distance = max(1, _visible_edge(m, slot.side) + slot.distance - int(0.5 * spec.distance_high))
    s.push += slot.push
    note_episode(m, log, owner, _START, slot.side if slot.kind != _FLICKER else NONE, NONE, NONE)
    _place_all(m, log, owner)
    slot.t_next = _pause(m, owner)
    _next_step(m)


@kernel
def _pause(m: Market, owner: int) -> int:
    s = m.scalars[0]
    slot = m.slots[owner]
    wait = 0.25
    if slot.kind == _STUFFING:
        wait = _within(m, 0.004, 0.02)
    elif slot.kind == _FLICKER:
        wait = _within(m, 0.05, 0.3)
    return int(min(slot.t_end, s.now + 1 + int(wait * SECOND)))


@kernel
def _benefit(m: Market, out: Any, log: Any, owner: int) -> None:
    # The bait pushes one side; the genuine order trades on the other, against the touch that the bait stands behind.
    s = m.scalars[0]
    slot = m.slots[owner]
    resting = slot.side
    best = m.sides[resting].best
    lots = max(1, int(0.1 * s.large * _within(m, 0.2, 2.0)))
    before = m.levels[best & s.mask].owned
    if before == 0:
        done = take_touch(m, out, log, resting, lots)
        if done > 0:
            note_episode(m, log, owner, _BENEFIT, SELL if resting == BUY else BUY, best, done)


@kernel
def _finish(m: Market, log: Any, owner: int) -> None:
    slot = m.slots[owner]
    _pull(m, log, owner)
    note_episode(m, log, owner, _END, slot.side if slot.kind != _FLICKER else NONE, NONE, NONE)
    m.scalars[0].push -= slot.push
    slot.kind = _FREE


@kernel
def _chase(m: Market, log: Any, owner: int) -> None:
    # Bait that the market left behind is of no use: it is taken away and put back at its distance.
    s = m.scalars[0]
    slot = m.slots[owner]
    table = s.n_populations
    far = False
    for i in range(m.counts[table]):
        order = m.orders[m.lists[table, i]]
        if order.owner == owner:
            distance = (order.price - m.sides[slot.side].best) * outward(slot.side)
            far = far or distance > slot.distance + slot.n_orders * slot.step + 60
    if far or _owned_left(m, owner) == 0:
        _pull(m, log, owner)
        _place_all(m, log, owner)


@kernel
def step_episodes(m: Market, out: Any, log: Any) -> None:
    """Let every episode whose time has come do its next thing."""
    s = m.scalars[0]
    for owner in range(m.slots.shape[0]):
        slot = m.slots[owner]
        if slot.kind == _FREE or slot.t_next > s.now:
            continue
        kind = slot.kind
        if slot.stage == 1:
            _finish(m, log, owner)
            continue
        if s.now >= slot.t_end:
            if slot.trade != 0 and _owned_left(m, owner) > 0:
                _benefit(m, out, log, owner)
                slot.stage = 1
                slot.t_next = s.now + 1 + int(_within(m, 0.002, 0.12) * SECOND)
                continue
            _finish(m, log, owner)
            continue
        if kind in (_STUFFING, _FLICKER):
            if _owned_left(m, owner) > 0:
                _pull(m, log, owner)
            if kind == _FLICKER or uniform(m.streams, _EPISODES) < 0.5:
                _place_all(m, log, owner)
        elif kind in (_SPOOFING, _LAYERING):
            _chase(m, log, owner)
        elif _owned_left(m, owner) == 0:
            _finish(m, log, owner)
            continue
        slot.t_next = _pause(m, owner)
    _next_step(m)
