"""Trades: a taker meets the queue of one level, first come first filled."""

from typing import Any, Final

from fathom.data_catalog.simulation.compiler import BUY, NONE, SELL, kernel, typed
from fathom.data_catalog.simulation.kinds import Act, Channel, Episode, Stream
from fathom.data_catalog.simulation.memory import Market
from fathom.data_catalog.simulation.orders import add_order, reduce_order, remove_order
from fathom.data_catalog.simulation.rng import exponential

_TRADE: Final = typed(2)
_RPI: Final = typed(1)
_EPISODE: Final = typed(Channel.EPISODE)
_FILL: Final = typed(Act.FILL)
_PLACE: Final = typed(Act.PLACE)
_ICEBERG: Final = typed(Episode.DECOY_ICEBERG)
_FEED: Final = typed(Stream.FEED)
_HIDDEN: Final = typed(Channel.RPI)


@kernel
def note(
    m: Market, log: Any, channel: int, number: int, kind: int, action: int, side: int, price: int, size: int
) -> None:
    """Write one line of ground truth."""
    s = m.scalars[0]
    if s.live == 0:
        return
    line = log[s.n_log]
    line.ts = s.now
    line.channel = channel
    line.number = number
    line.kind = kind
    line.action = action
    line.side = side
    line.price = price
    line.size = size
    s.n_log += 1


@kernel
def note_episode(m: Market, log: Any, owner: int, action: int, side: int, price: int, size: int) -> None:
    """Write one line about the episode in slot `owner`."""
    slot = m.slots[owner]
    note(m, log, _EPISODE, slot.number, slot.kind, action, side, price, size)


@kernel
def print_trade(m: Market, out: Any, aggressor: int, price: int, lots: int, flags: int) -> None:
    """Report a trade: at once, or held back until the book message that shows its effect."""
    s = m.scalars[0]
    s.trade_number += 1
    if s.live == 0 or s.in_gap != 0:
        return
    stamp = s.now - s.now % s.resolution
    row = out[s.n_trades] if s.at_once != 0 else m.pending[s.n_pending]
    row.ts_event = stamp + s.clock_offset
    row.sequence = s.trade_number
    row.price = price
    row.size = lots
    row.kind = _TRADE
    row.action = 0
    row.side = aggressor
    row.flags = flags
    if s.at_once != 0:
        arrival = stamp + s.latency + int(exponential(m.streams, _FEED) * s.jitter)
        s.last_trade_init = max(s.last_trade_init, arrival)
        row.ts_init = s.last_trade_init
        s.n_trades += 1
    else:
        s.n_pending += 1


@kernel
def take_level(m: Market, out: Any, log: Any, side: int, price: int, lots: int) -> int:
    """Fill up to `lots` of the resting `side` at `price`, oldest order first; return what was filled."""
    s = m.scalars[0]
    level = m.levels[price & s.mask]
    aggressor = SELL if side == BUY else BUY
    left = lots
    while left > 0 and level.count > 0:
        k = level.head
        order = m.orders[k]
        fill = min(left, order.size)
        print_trade(m, out, aggressor, price, fill, NONE)
        left -= fill
        owner = order.owner
        if owner >= 0:
            note_episode(m, log, owner, _FILL, side, price, fill)
        if fill < order.size:
            reduce_order(m, k, fill)
            continue
        population = order.population
        remove_order(m, k)
        if owner >= 0 and m.slots[owner].kind == _ICEBERG and m.slots[owner].hidden > 0:
            slot = m.slots[owner]
            piece = min(slot.hidden, slot.lots)
            slot.hidden -= piece
            add_order(m, side, price, piece, population, owner)
            note_episode(m, log, owner, _PLACE, side, price, piece)
    return lots - left


@kernel
def take_touch(m: Market, out: Any, log: Any, side: int, lots: int) -> int:
    """Fill a market order against the resting `side` at the touch, whose last lot always stays."""
    s = m.scalars[0]
    best = m.sides[side].best
    room = m.levels[best & s.mask].total - 1
    if room <= 0:
        return 0
    return int(take_level(m, out, log, side, best, min(lots, room)))


@kernel
def take_hidden(m: Market, out: Any, log: Any, side: int, lots: int) -> int:
    """Fill a retail market order against the hidden RPI size of the resting `side`; the visible queue stays."""
    half = m.sides[side]
    fill = min(lots, half.rpi)
    if fill <= 0:
        return 0
    half.rpi -= fill
    # Where the spread has room, price improvement is one tick; otherwise it is priority at the touch.
    inward = 1 if side == BUY else -1
    price = half.best + (inward if m.sides[SELL].best - m.sides[BUY].best > 2 else 0)
    print_trade(m, out, SELL if side == BUY else BUY, price, fill, _RPI)
    note(m, log, _HIDDEN, NONE, NONE, _FILL, side, price, half.rpi)
    return int(fill)
