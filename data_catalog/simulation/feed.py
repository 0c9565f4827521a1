"""What the venue publishes: the difference between the book as it is and the book as it was shown, as messages."""

from typing import Any, Final

from fathom.data_catalog.simulation.compiler import BUY, NONE, SELL, kernel, typed
from fathom.data_catalog.simulation.kinds import Act, Channel, Episode, Stream
from fathom.data_catalog.simulation.matching import note
from fathom.data_catalog.simulation.memory import Market
from fathom.data_catalog.simulation.orders import mark, outward
from fathom.data_catalog.simulation.rng import exponential

_BOOK: Final = typed(1)
_ADD, _UPDATE, _DELETE, _CLEAR = (typed(a) for a in (1, 2, 3, 4))
_MBP: Final = typed(16)
_SNAPSHOT: Final = typed(32)
_SNAPSHOT_LEVEL: Final = typed(48)
_LAST: Final = typed(128)
_FEED: Final = typed(Stream.FEED)
_EPISODE: Final = typed(Channel.EPISODE)
_SCROLL_OUT: Final = typed(Act.SCROLL_OUT)
_SCROLL_IN: Final = typed(Act.SCROLL_IN)
_SCROLL: Final = typed(Episode.DECOY_SCROLL)


@kernel
def _fit_depth(m: Market, side: int) -> None:
    # `bound` is the worst visible price; `inside` counts the levels up to it.
    s = m.scalars[0]
    half = m.sides[side]
    out = outward(side)
    edge = s.price - s.range if side == BUY else s.price + 1 + s.range
    if (half.bound - edge) * out > 0:
        half.bound = edge
    while half.inside > s.depth:
        if m.levels[half.bound & s.mask].count > 0:
            mark(m, side, half.bound)
            half.inside -= 1
        half.bound -= out
    while half.inside < s.depth and (edge - half.bound) * out > 0:
        half.bound += out
        # Seen from a bound that a move left behind, the first prices may still belong to the other side.
        if (half.bound - half.best) * out >= 0 and m.levels[half.bound & s.mask].count > 0:
            mark(m, side, half.bound)
            half.inside += 1


@kernel
def _note_scroll(m: Market, log: Any, side: int, price: int, action: int) -> None:
    k = m.levels[price & m.scalars[0].mask].head
    while k >= 0:
        order = m.orders[k]
        if order.owner >= 0:
            slot = m.slots[order.owner]
            # A new order "enters" too; only where scrolling is the point is that worth a line.
            if action == _SCROLL_OUT or slot.kind == _SCROLL:
                note(m, log, _EPISODE, slot.number, slot.kind, action, side, price, order.size)
        k = order.next


@kernel
def _visible(m: Market, side: int, price: int) -> int:
    s = m.scalars[0]
    half = m.sides[side]
    if half.muted != 0:
        return 0
    size = 0
    out = outward(side)
    if (half.bound - price) * out >= 0 and (price - half.best) * out >= 0:
        size = m.levels[price & s.mask].total
    if price == half.phantom_price:
        size += half.phantom_size
    return int(size)


@kernel
def _sort(prices: Any, n: int) -> None:
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            price = prices[i]
            j = i
            while j >= gap and prices[j - gap] > price:
                prices[j] = prices[j - gap]
                j -= gap
            prices[j] = price
        gap //= 3


@kernel
def _row(m: Market, out: Any, side: int, price: int, size: int, action: int, flags: int) -> None:
    s = m.scalars[0]
    row = out[s.n_book]
    row.price = price
    row.size = size
    row.kind = _BOOK
    row.action = action
    row.side = side
    row.flags = flags
    s.n_book += 1


@kernel
def _side_rows(m: Market, out: Any, log: Any, side: int) -> None:
    s = m.scalars[0]
    half = m.sides[side]
    n = half.n_dirty
    _sort(m.dirty[side], n)
    # Bids come best first, that is from the highest price down.
    for i in range(n):
        price = m.dirty[side, n - 1 - i] if side == BUY else m.dirty[side, i]
        shown = m.shown[side, price & s.mask]
        shown.dirty = 0
        size = _visible(m, side, price)
        if size == shown.size:
            continue
        if size == 0:
            action = _DELETE
        elif shown.size == 0:
            action = _ADD
        else:
            action = _UPDATE
        out_of_way = (price - half.best) * outward(side) < 0
        if not out_of_way and m.levels[price & s.mask].owned > 0 and action != _UPDATE and half.muted == 0:
            # A level whose owner did nothing: it left or entered the visible depth.
            beyond = (half.bound - price) * outward(side) < 0
            if beyond or shown.size == 0:
                _note_scroll(m, log, side, price, _SCROLL_OUT if beyond else _SCROLL_IN)
        shown.size = size
        _row(m, out, side, price, size, action, _MBP)
    half.n_dirty = 0


@kernel
def stamp_message(m: Market, out: Any, start: int) -> None:
    """Give the rows from `start` on their times and number, and end the message."""
    s = m.scalars[0]
    happened = s.now - s.now % s.resolution
    arrival = happened + s.latency + int(exponential(m.streams, _FEED) * s.jitter)
    s.last_init = max(s.last_init + 1, arrival)
    s.sequence += 1
    for i in range(start, s.n_book):
        row = out[i]
        row.ts_event = happened + s.clock_offset
        row.ts_init = s.last_init
        row.sequence = s.sequence
    out[s.n_book - 1].flags |= _LAST


@kernel
def _repeat(m: Market, out: Any, start: int) -> None:
    s = m.scalars[0]
    end = s.n_book
    for _ in range(s.again):
        s.last_init += 1_000_000
        for i in range(start, end):
            row = out[s.n_book]
            row.ts_event = out[i].ts_event
            row.ts_init = s.last_init
            row.sequence = out[i].sequence
            row.price = out[i].price
            row.size = out[i].size
            row.kind = out[i].kind
            row.action = out[i].action
            row.side = out[i].side
            row.flags = out[i].flags
            s.n_book += 1
    s.again = 0


@kernel
def _release_trades(m: Market, trades: Any) -> None:
    s = m.scalars[0]
    happened = s.now - s.now % s.resolution
    arrival = max(s.last_init, s.last_trade_init, happened + s.latency)
    for i in range(s.n_pending):
        trades[s.n_trades] = m.pending[i]
        trades[s.n_trades].ts_init = arrival
        s.n_trades += 1
    if s.n_pending > 0:
        s.last_trade_init = arrival
    s.n_pending = 0


@kernel
def publish(m: Market, out: Any, trades: Any, log: Any) -> None:
    """Send one message with every visible level that changed since the last; nothing where nothing did."""
    s = m.scalars[0]
    start = s.n_book
    _fit_depth(m, BUY)
    _fit_depth(m, SELL)
    _side_rows(m, out, log, BUY)
    _side_rows(m, out, log, SELL)
    s.shown_price = s.price
    if s.live == 0:
        s.n_book = start
        return
    if s.n_book > start:
        if s.in_gap != 0:
            s.sequence += 1  # the venue sent it; the consumer never saw it
            s.n_book = start
        else:
            stamp_message(m, out, start)
            if s.again > 0:
                _repeat(m, out, start)
    _release_trades(m, trades)


@kernel
def publish_snapshot(m: Market, out: Any, log: Any) -> None:
    """Send the whole visible book: a CLEAR row, then the levels."""
    s = m.scalars[0]
    _fit_depth(m, BUY)
    _fit_depth(m, SELL)
    start = s.n_book
    _row(m, out, NONE, NONE, NONE, _CLEAR, _SNAPSHOT)
    for side in range(BUY, SELL + 1):
        half = m.sides[side]
        half.n_dirty = 0
        for i in range(m.shown.shape[1]):
            m.shown[side, i].size = 0
            m.shown[side, i].dirty = 0
        price = half.best
        out_of = outward(side)
        while (half.bound - price) * out_of >= 0:
            size = _visible(m, side, price)
            if size > 0:
                m.shown[side, price & s.mask].size = size
                _row(m, out, side, price, size, _ADD, _SNAPSHOT_LEVEL)
            price += out_of
    s.shown_price = s.price
    stamp_message(m, out, start)
