"""The compiled loop of the injector: the real rows pass through, the orders of the actors are laid over the levels."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.market.events import Action, Flag, Kind, Side
from fathom.market.kernel import kernel
from fathom.market.levels import BEST, COUNT, LOTS, BookArrays, find, first_place, next_place, slot_at
from fathom.market.lifecycle import book_row

_BOOK, _TRADE = int(Kind.BOOK), int(Kind.TRADE)
_ADD, _UPDATE, _DELETE = int(Action.ADD), int(Action.UPDATE), int(Action.DELETE)
_BUY, _SELL = int(Side.BUY), int(Side.SELL)
_LAST, _MBP, _SNAPSHOT = int(Flag.LAST), int(Flag.MBP), int(Flag.SNAPSHOT)

# The numbers of `fathom.market.actors_truth.ActorKind` and `Ending`.
_SPOOFING, _LAYERING, _STUFFING, _FLICKER, _ICEBERG, _LARGE, _PEG = 1, 2, 3, 11, 12, 13, 14
_NEVER_SEEN, _WITHDRAWN, _EVADED, _TRADED, _OVERTAKEN, _MOVED, _CUT = 0, 1, 2, 3, 4, 5, 6

_NEAREST: Final = 20  # levels whose mean size is the local depth
_LIVE: Final = 2048
# Columns of the table of live orders.
_KEY, _SIDE, _SIZE, _ACTOR, _ROLE, _TOLD = range(6)
_BAIT, _GENUINE = 0, 1
# Columns of what an actor is doing.
_STAGE, _TRADED_LOTS, _PAID, _PRINTED, _WAIT = range(5)
_IDLE, _ON, _DONE = 0, 1, 2


class Stage(NamedTuple):
    """Arrays that the injector works with.

    Parameters
    ----------
    live : ndarray of int64
        Orders of the actors that stand.
    doing : ndarray of int64
        What each actor is at.
    order : ndarray of int64
        Scratch.
    late : ndarray of int64
        Trades told after the message; the first row counts the others.
    random : ndarray of uint64
        State of the random numbers.

    Examples
    --------
    >>> new_stage(3, seed=1).doing.shape
    (3, 5)
    """

    live: NDArray[np.int64]
    doing: NDArray[np.int64]
    order: NDArray[np.int64]
    late: NDArray[np.int64]
    random: NDArray[np.uint64]


def new_stage(actors: int, seed: int) -> Stage:
    """Return the empty stage for so many actors."""
    return Stage(
        live=np.zeros((_LIVE, 6), np.int64),
        doing=np.zeros((actors, 5), np.int64),
        order=np.zeros(6, np.int64),
        late=np.zeros((_LIVE, 3), np.int64),
        random=np.array([(seed * 0x9E3779B97F4A7C15 + 0x1234567) % (1 << 64) or 1], np.uint64),
    )


@kernel
def _random(stage: Stage) -> float:
    # xorshift64*: the few draws that depend on the book need no more.
    x = stage.random[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    stage.random[0] = x
    return np.float64((x * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(11)) * (1.0 / (1 << 53))


@kernel
def _overlay(live: NDArray[np.int64], count: int, side: int, key: int) -> int:
    total = np.int64(0)
    for i in range(count):
        if live[i, _KEY] == key and live[i, _SIDE] == side:
            total += live[i, _SIZE]
    return int(total)


@kernel
def local_depth(book: BookArrays, side: int) -> float:
    """Return the mean size of the nearest levels of a side, 0 where it is empty."""
    place = first_place(book, side)
    total = 0.0
    n = 0
    while place >= 0 and n < _NEAREST:
        total += book.pool[slot_at(book, side, place), LOTS]
        n += 1
        place = next_place(book, side, place + 1)
    return total / max(n, 1)


@kernel
def _show(
    book: BookArrays, out: Any, at: int, live: NDArray[np.int64], count: int, side: int, key: int, row: Any, was: int
) -> int:
    """Write the present size of a level as one more row of the message of `row`."""
    slot = find(book, side, key)
    size = _overlay(live, count, side, key)
    if slot >= 0:
        size += book.pool[slot, LOTS]
    made = out[at]
    made.ts_event, made.ts_init, made.sequence = row.ts_event, row.ts_init, row.sequence
    made.price = -key if side == 0 else key
    made.size = size
    made.kind = _BOOK
    made.side = _BUY if side == 0 else _SELL
    made.action = _DELETE if size == 0 else (_ADD if was == 0 else _UPDATE)
    made.flags = _MBP
    return at + 1


@kernel
def _place(book: BookArrays, out: Any, at: int, live: NDArray[np.int64], count: int, order: Any, row: Any) -> int:
    key, side = order[_KEY], order[_SIDE]
    slot = find(book, side, key)
    was = _overlay(live, count, side, key) + (book.pool[slot, LOTS] if slot >= 0 else 0)
    for k in range(6):
        live[count, k] = order[k]
    return int(_show(book, out, at, live, count + 1, side, key, row, was))


@kernel
def _take(book: BookArrays, out: Any, at: int, live: NDArray[np.int64], count: int, i: int, row: Any) -> int:
    key, side = live[i, _KEY], live[i, _SIDE]
    for k in range(6):
        live[i, k] = live[count - 1, k]
    return int(_show(book, out, at, live, count - 1, side, key, row, 1))


@kernel
def _print(out: Any, at: int, ts: int, price: int, lots: int, aggressor: int) -> int:
    made = out[at]
    made.ts_event = made.ts_init = ts
    made.price, made.size = price, lots
    made.kind = _TRADE
    made.side = aggressor
    return at + 1


@kernel
def _tell(truth: Any, told: int, actor: Any, side: int, key: int, lots: int, distance: int, placed: int) -> int:
    t = truth[told]
    t.episode, t.kind = actor.episode, actor.kind
    t.side = _BUY if side == 0 else _SELL
    t.price = -key if side == 0 else key
    t.lots, t.distance = lots, distance
    t.start, t.end = actor.start, actor.end
    t.placed, t.removed = placed, 0
    t.ending = _CUT
    t.multiple = actor.multiple
    return told + 1


@kernel
def inject_rows(
    book: BookArrays,
    rows: NDArray[Any],
    actors: NDArray[Any],
    out: NDArray[Any],
    truth: NDArray[Any],
    stage: Stage,
) -> tuple[int, int]:
    """Pass `rows` on with the actors' orders; return how many rows and truths were made, or -1 for want of room."""
    live, doing, late = stage.live, stage.doing, stage.late
    count = at = told = 0
    begun = 0  # actors before it have started
    oldest = 0  # actors before it are done
    now = before = np.int64(0)
    for r in range(len(rows)):
        row = rows[r]
        if at + 4096 > len(out) or told + 1024 > len(truth):
            return -1, -1
        if row.ts_init > now:
            at = _trade(book, actors, doing, oldest, begun, live, count, out, at, now, row.ts_init)
            now = row.ts_init
        if row.kind != _BOOK:
            out[at] = row
            at += 1
            continue
        side = 0 if row.side == _BUY else 1
        key = -row.price if side == 0 else row.price
        out[at] = row
        if count > 0 and row.side != 0:
            extra = _overlay(live, count, side, key)
            if extra > 0:
                out[at].size = row.size + extra
                out[at].action = _UPDATE
        at += 1
        book_row(book, row.price, row.size, np.int64(row.action), np.int64(row.side), np.int64(row.flags), row.ts_event)
        if not row.flags & _LAST or row.flags & _SNAPSHOT:
            continue
        out[at - 1].flags = row.flags & ~_LAST
        while begun < len(actors) and actors[begun].start <= row.ts_init:
            begun += 1
        while oldest < begun and doing[oldest, _STAGE] == _DONE:
            oldest += 1
        for a in range(oldest, begun):
            if doing[a, _STAGE] == _DONE:
                continue
            if actors[a].kind == _STUFFING:
                at, count, told = _stuff(book, actors[a], a, stage, count, out, at, truth, told, row)
            else:
                at, count, told = _act(book, actors[a], a, stage, count, out, at, truth, told, row)
        out[at - 1].flags |= _LAST
        # What the price jumped over was hit: the trade channel tells a little later than the book.
        for k in range(late[0, 0]):
            at = _print(out, at, row.ts_init, late[k + 1, 0], late[k + 1, 1], late[k + 1, 2])
            out[at - 1].ts_event = max(before, row.ts_event - 1)
        late[0, 0] = 0
        before = row.ts_event
    return at, told


@kernel
def _trade(
    book: BookArrays,
    actors: Any,
    doing: NDArray[np.int64],
    oldest: int,
    begun: int,
    live: NDArray[np.int64],
    count: int,
    out: Any,
    at: int,
    after: int,
    until: int,
) -> int:
    """Print what trades against the actors' orders between two times."""
    for a in range(oldest, begun):
        actor = actors[a]
        if doing[a, _STAGE] != _ON or actor.prints == 0 or doing[a, _PRINTED] == 1:
            continue
        if actor.kind == _SPOOFING or actor.kind == _LAYERING:
            if actor.benefit <= 0.0 or not after < actor.benefit_at <= until:
                continue
            role = _GENUINE
        elif doing[a, _WAIT] == 1:
            role = _BAIT
        else:
            continue
        for i in range(count):
            if live[i, _ACTOR] != a or live[i, _ROLE] != role:
                continue
            side, key = live[i, _SIDE], live[i, _KEY]
            price = -key if side == 0 else key
            lots = live[i, _SIZE]
            aggressor = _SELL if side == 0 else _BUY
            ts = actor.benefit_at if role == _GENUINE else after + (until - after) // 2
            part = max(np.int64(1), lots // actor.prints)
            left = lots
            while left > 0:
                part = left if left < 2 * part else part
                at = _print(out, at, ts, price, part, aggressor)
                left -= part
            doing[a, _TRADED_LOTS] = lots
            doing[a, _PRINTED] = 1
            break
    return at


@kernel
def _act(
    book: BookArrays,
    actor: Any,
    a: int,
    stage: Stage,
    count: int,
    out: Any,
    at: int,
    truth: Any,
    told: int,
    row: Any,
) -> tuple[int, int, int]:
    live, doing, order, late = stage.live, stage.doing, stage.order, stage.late
    side = actor.side
    bait = actor.kind == _SPOOFING or actor.kind == _LAYERING
    best = book.sides[side, BEST]
    if book.sides[0, COUNT] == 0 or book.sides[1, COUNT] == 0:
        return at, count, told
    if doing[a, _STAGE] == _IDLE:
        depth = local_depth(book, side)
        if actor.end <= row.ts_init:
            doing[a, _STAGE] = _DONE
            for k in range(actor.orders):
                distance = actor.distance + k * actor.step
                told = _tell(truth, told, actor, side, best + distance, 0, distance, 0)
                truth[told - 1].ending = _NEVER_SEEN
            return at, count, told
        total = np.int64(0)
        for k in range(actor.orders):
            if count >= _LIVE - 2:
                break
            distance = actor.distance + k * actor.step
            scale = 0.85 + 0.3 * _random(stage) if actor.kind == _LAYERING else 1.0
            lots = max(np.int64(1), np.int64(depth * actor.multiple * scale))
            order[_KEY], order[_SIDE], order[_SIZE] = best + distance, side, lots
            order[_ACTOR], order[_ROLE], order[_TOLD] = a, _BAIT, told
            told = _tell(truth, told, actor, side, best + distance, lots, distance, row.ts_event)
            at = _place(book, out, at, live, count, order, row)
            count += 1
            total += lots
        if bait and actor.benefit > 0.0:
            order[_KEY], order[_SIDE] = book.sides[1 - side, BEST], 1 - side
            order[_SIZE] = max(np.int64(1), np.int64(actor.benefit * total))
            order[_ACTOR], order[_ROLE], order[_TOLD] = a, _GENUINE, -1
            at = _place(book, out, at, live, count, order, row)
            count += 1
        doing[a, _STAGE] = _ON
        return at, count, told
    # The genuine order stays at the opposite touch until it has traded.
    i = 0
    traded = doing[a, _PRINTED] == 1
    while i < count:
        if live[i, _ACTOR] == a and live[i, _ROLE] == _GENUINE:
            touch = book.sides[1 - side, BEST]
            if traded:
                at = _take(book, out, at, live, count, i, row)
                count -= 1
                continue
            if live[i, _KEY] != touch:
                for k in range(6):
                    order[k] = live[i, k]
                at = _take(book, out, at, live, count, i, row)
                order[_KEY] = touch
                at = _place(book, out, at, live, count - 1, order, row)
                i = 0
                continue
        i += 1
    reached = overtaken = False
    nearest = np.int64(1) << 60
    for i in range(count):
        if live[i, _ACTOR] == a and live[i, _ROLE] == _BAIT:
            nearest = min(nearest, live[i, _KEY])
    if nearest <= best:
        reached = True
    if -nearest >= book.sides[1 - side, BEST]:
        overtaken = True
    ending = -1
    if overtaken:
        ending = _OVERTAKEN
    elif bait and reached:
        ending = _EVADED
    elif row.ts_init >= actor.end:
        ending = _WITHDRAWN
    if not bait:
        if traded:
            ending = _TRADED
        elif not overtaken and reached and (actor.kind == _LARGE or actor.kind == _ICEBERG):
            doing[a, _WAIT] = 1  # the touch has come: it trades before the next message
            ending = _WITHDRAWN if row.ts_init >= actor.end and actor.kind == _LARGE and actor.distance == 0 else -1
        if actor.kind == _PEG and ending < 0 and abs(nearest - best - actor.distance) >= 2:
            for i in range(count):
                if live[i, _ACTOR] == a:
                    for k in range(6):
                        order[k] = live[i, k]
                    truth[order[_TOLD]].removed = row.ts_event
                    truth[order[_TOLD]].ending = _MOVED
                    at = _take(book, out, at, live, count, i, row)
                    order[_KEY], order[_TOLD] = best + actor.distance, told
                    told = _tell(truth, told, actor, side, order[_KEY], order[_SIZE], actor.distance, row.ts_event)
                    at = _place(book, out, at, live, count - 1, order, row)
                    break
    if ending < 0:
        return at, count, told
    i = 0
    while i < count:
        if live[i, _ACTOR] == a:
            t = live[i, _TOLD]
            if t >= 0:
                truth[t].removed = row.ts_event
                truth[t].ending = ending
                truth[t].benefit = doing[a, _TRADED_LOTS] if bait else 0
            if ending == _OVERTAKEN and live[i, _ROLE] == _BAIT and late[0, 0] < _LIVE - 1:
                late[0, 0] += 1
                key = live[i, _KEY]
                late[late[0, 0], 0] = -key if side == 0 else key
                late[late[0, 0], 1] = live[i, _SIZE]
                late[late[0, 0], 2] = _SELL if side == 0 else _BUY
            at = _take(book, out, at, live, count, i, row)
            count -= 1
        else:
            i += 1
    doing[a, _STAGE] = _DONE
    return at, count, told


@kernel
def _stuff(
    book: BookArrays,
    actor: Any,
    a: int,
    stage: Stage,
    count: int,
    out: Any,
    at: int,
    truth: Any,
    told: int,
    row: Any,
) -> tuple[int, int, int]:
    live, doing, order = stage.live, stage.doing, stage.order
    # Every message takes the small orders of the one before away and puts others in.
    if doing[a, _STAGE] == _IDLE:
        told = _tell(truth, told, actor, 0, 0, 0, 0, row.ts_event)
        truth[told - 1].side = 0
        doing[a, _STAGE], doing[a, _PAID] = _ON, told - 1
    i = 0
    while i < count:
        if live[i, _ACTOR] == a:
            at = _take(book, out, at, live, count, i, row)
            count -= 1
        else:
            i += 1
    t = doing[a, _PAID]
    if row.ts_init >= actor.end:
        truth[t].removed, truth[t].ending = row.ts_event, _WITHDRAWN
        doing[a, _STAGE] = _DONE
        return at, count, told
    for _ in range(actor.orders):
        if count >= _LIVE - 2:
            break
        side = np.int64(2 * _random(stage))
        order[_KEY] = book.sides[side, BEST] + 1 + np.int64(199 * _random(stage))
        order[_SIDE], order[_SIZE] = side, 1 + np.int64(19 * _random(stage))
        order[_ACTOR], order[_ROLE], order[_TOLD] = a, _BAIT, -1
        at = _place(book, out, at, live, count, order, row)
        count += 1
    return at, count, told
