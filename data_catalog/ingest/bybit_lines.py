"""Parse Bybit's order-book lines from raw bytes straight to event rows.

One line is one message, in the shape in which Bybit's archive has it::

    {"topic":"orderbook.500.BTCUSDT","type":"delta","ts":1,"data":{"s":"BTCUSDT","b":[["1.0","2"]],"a":[],"u":3,"seq":4},"cts":1}

What does not look exactly like this (other key order, blanks, a price off the grid) is left to `bybit_message`, which
reads it as JSON or says what is wrong with it.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.ingest.decimal_text import Step
from fathom.data_catalog.ingest.unsure import GAP
from fathom.market.events import Action, Flag, Kind, Side
from fathom.market.kernel_cache import cached

MS: Final = 1_000_000
"""Nanoseconds a millisecond."""

MAX_MS: Final = 9_000_000_000_000
"""In the year 2255, the last that int64 nanoseconds hold with room for a latency."""

PADDING: Final = 64
"""Zero bytes that must follow the text, so that comparing a pattern never reads beyond the buffer."""

# Positions in the state that is carried from message to message.
LAST_TS: Final = 0  # ts of the last message in ns, less than 0 before the first
LAST_INIT: Final = 1  # its ts_init
LAST_U: Final = 2  # its update id, less than 0 before the first
LINES: Final = 3  # lines read
MESSAGES: Final = 4
SNAPSHOTS: Final = 5
LEVELS: Final = 6  # level changes
LAST_SEQUENCE: Final = 7
HELD: Final = 8  # messages whose ts was before the last one's, by no more than the tolerance
UNANCHORED: Final = 9  # changes before the first snapshot
EARLIEST: Final = 10  # the first and the last stamp that the file may have, in ms
LATEST: Final = 11
DAY_START: Final = 12  # the first stamp of the day in the file's name, and the first after it, in ms
DAY_END: Final = 13
GAPPED: Final = 14  # messages are missing before the next row
WAS_CHANGE: Final = 15  # the last message was no snapshot
# What is odd: how often, then line, value and the value before it, of the first.
BREAKS: Final = 16  # changes whose update id does not follow the one before
BACKWARDS: Final = 20  # changes whose sequence is less than the one before
OTHER_DAY: Final = 24  # messages of another day than the file's name
STATE_SIZE: Final = 28

# What `accept` may answer.
OK: Final = 0
TIME_BACK: Final = 1

_SNAPSHOT_LEVEL = int(Flag.SNAPSHOT | Flag.MBP)
_CHANGE = int(Flag.MBP)
_LAST = int(Flag.LAST)
_SNAPSHOT = int(Flag.SNAPSHOT)
_ADD, _UPDATE, _DELETE, _CLEAR = (int(a) for a in (Action.ADD, Action.UPDATE, Action.DELETE, Action.CLEAR))
_BOOK = int(Kind.BOOK)
_GAP = GAP
_BUY, _SELL, _NO_SIDE = int(Side.BUY), int(Side.SELL), int(Side.NONE)
_POWERS = np.array([10**i for i in range(19)], dtype=np.int64)
_MAX_DIGITS = 18

_QUOTE, _COMMA, _OPEN, _CLOSE, _BRACE, _DOT, _NEWLINE, _RETURN = (ord(c) for c in '",[]}.\n\r')


class Patterns(NamedTuple):
    """The constant text of a line, for one symbol.

    Parameters
    ----------
    topic, kind, snapshot, change, data, asks, update, sequence, cross_time : uint8 arrays

    Examples
    --------
    >>> bytes(Patterns.of("BTCUSDT").data)
    b',"data":{"s":"BTCUSDT","b":['
    """

    topic: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    snapshot: NDArray[np.uint8]
    change: NDArray[np.uint8]
    data: NDArray[np.uint8]
    asks: NDArray[np.uint8]
    update: NDArray[np.uint8]
    sequence: NDArray[np.uint8]
    cross_time: NDArray[np.uint8]

    @classmethod
    def of(cls, symbol: str) -> "Patterns":
        """Return the patterns of a symbol."""
        return cls(
            *(
                np.frombuffer(text.encode(), dtype=np.uint8)
                for text in (
                    '{"topic":"orderbook.',
                    f'.{symbol}","type":"',
                    'snapshot","ts":',
                    'delta","ts":',
                    f',"data":{{"s":"{symbol}","b":[',
                    '],"a":[',
                    '],"u":',
                    ',"seq":',
                    '},"cts":',
                )
            )
        )


def new_state(
    earliest_ms: int = 0, latest_ms: int = MAX_MS, day_start_ms: int = 0, day_end_ms: int = MAX_MS + 1
) -> NDArray[np.int64]:
    """Return the state before the first message of a file whose stamps lie between two times, both included.

    Its name states a day, from its start to before its end.

    Examples
    --------
    >>> int(new_state()[LAST_U])
    -1
    """
    state = np.zeros(STATE_SIZE, dtype=np.int64)
    state[LAST_TS] = state[LAST_INIT] = state[LAST_U] = -1
    state[EARLIEST], state[LATEST], state[DAY_START], state[DAY_END] = earliest_ms, latest_ms, day_start_ms, day_end_ms
    return state


@cached
def _odd(state: NDArray[np.int64], kind: int, value: int, before: int) -> None:
    if state[kind] == 0:
        state[kind + 1], state[kind + 2], state[kind + 3] = state[LINES] + 1, value, before
    state[kind] += 1


@cached
def accept(
    state: NDArray[np.int64],
    ts: int,
    update: int,
    sequence: int,
    snapshot: bool,
    levels: int,
    latency: int,
    tolerance: int,
) -> int:
    """Take a message into the state, unless its time is before the last one's by more than the tolerance (all ns)."""
    if ts < state[LAST_TS] - tolerance:
        return TIME_BACK
    if ts < state[LAST_TS]:
        state[HELD] += 1
    state[LAST_TS] = max(ts, state[LAST_TS])
    # Rows are ordered by ts_init: a message whose stamp is a little early was known no sooner than the one before it.
    state[LAST_INIT] = max(ts + latency, state[LAST_INIT])
    if snapshot:
        state[SNAPSHOTS] += 1
    elif state[SNAPSHOTS] == 0:
        state[UNANCHORED] += 1
    if state[LAST_U] >= 0 and update != state[LAST_U] + 1 and (state[WAS_CHANGE] == 1 or not snapshot):
        if not snapshot:
            _odd(state, BREAKS, update, state[LAST_U])
        if update != state[LAST_U]:  # a message that comes twice does no harm
            state[GAPPED] = 1
    if not snapshot and sequence < state[LAST_SEQUENCE]:
        _odd(state, BACKWARDS, sequence, state[LAST_SEQUENCE])
    if ts < state[DAY_START] * MS or ts >= state[DAY_END] * MS:
        _odd(state, OTHER_DAY, ts, 0)
    state[LAST_SEQUENCE] = sequence
    state[WAS_CHANGE] = 0 if snapshot else 1
    state[LAST_U] = update
    state[MESSAGES] += 1
    state[LEVELS] += levels
    return OK


@cached
def finish_message(
    rows: NDArray[np.void],
    first: int,
    end: int,
    ts_event: int,
    sequence: int,
    snapshot: bool,
    state: NDArray[np.int64],
) -> None:
    """Give the rows `first` to `end` of one message what they share, and mark the last (see `unsure.Guard`)."""
    ts_init = state[LAST_INIT]
    flags = _SNAPSHOT_LEVEL if snapshot else _CHANGE
    for i in range(first, end):
        row = rows[i]
        row.ts_event = ts_event
        row.ts_init = ts_init
        row.sequence = sequence
        row.kind = _BOOK
        row.flags = flags
    if snapshot:
        rows[first].flags = _SNAPSHOT
        rows[first].size = state[LINES] + 1
    if end > first:
        rows[end - 1].flags |= _LAST
        if state[GAPPED] == 1:
            rows[first].flags |= _GAP
            state[GAPPED] = 0


@cached
def _match(text: NDArray[np.uint8], at: int, pattern: NDArray[np.uint8]) -> int:
    for i in range(pattern.shape[0]):
        if text[at + i] != pattern[i]:
            return -1
    return at + len(pattern)


@cached
def _digit(text: NDArray[np.uint8], at: int) -> int:
    return np.int64(text[at]) - 48  # type: ignore[return-value]


@cached
def _integer(text: NDArray[np.uint8], at: int) -> tuple[int, int]:
    value, start = 0, at
    while True:
        digit = _digit(text, at)
        if digit < 0 or digit > 9:
            break
        value = value * 10 + digit
        at += 1
    if at == start or at - start > _MAX_DIGITS:
        return 0, -1
    return value, at


@cached
def _decimal(text: NDArray[np.uint8], at: int, step: Step) -> tuple[int, int]:
    # The text as a multiple of the step, and where it ends: -1 if it is no such multiple.
    places, mantissa, most = step
    value, start = 0, at
    while True:
        digit = _digit(text, at)
        if digit < 0 or digit > 9:
            break
        value = value * 10 + digit
        at += 1
    digits = at - start
    if digits == 0 or digits > _MAX_DIGITS:
        return 0, -1
    missing = places
    if text[at] == _DOT:
        at += 1
        start = at
        while True:
            digit = _digit(text, at)
            if digit < 0 or digit > 9:
                break
            if missing > 0:
                value = value * 10 + digit
                missing -= 1
                digits += 1
            elif digit != 0:
                return 0, -1
            at += 1
        if at == start:
            return 0, -1
    if digits + missing > _MAX_DIGITS:
        return 0, -1
    value *= _POWERS[missing]
    if mantissa != 1:
        if value % mantissa != 0:
            return 0, -1
        value //= mantissa
    if value > most:
        return 0, -1
    return value, at


@cached
def _levels(
    text: NDArray[np.uint8],
    at: int,
    side: int,
    snapshot: bool,
    price_step: Step,
    size_step: Step,
    rows: NDArray[np.void],
    count: int,
) -> tuple[int, int]:
    # From behind the opening bracket to the closing one.
    if text[at] == _CLOSE:
        return at, count
    while True:
        if text[at] != _OPEN or text[at + 1] != _QUOTE:
            return -1, count
        price, at = _decimal(text, at + 2, price_step)
        if at < 0 or price <= 0 or text[at] != _QUOTE or text[at + 1] != _COMMA or text[at + 2] != _QUOTE:
            return -1, count
        size, at = _decimal(text, at + 3, size_step)
        if at < 0 or text[at] != _QUOTE or text[at + 1] != _CLOSE or (snapshot and size == 0):
            return -1, count
        row = rows[count]
        row.price = price
        row.size = size
        row.side = side
        row.action = _ADD if snapshot else (_DELETE if size == 0 else _UPDATE)
        count += 1
        at += 2
        if text[at] == _CLOSE:
            return at, count
        if text[at] != _COMMA:
            return -1, count
        at += 1


@cached
def _line(
    text: NDArray[np.uint8],
    at: int,
    patterns: Patterns,
    price_step: Step,
    size_step: Step,
    latency: int,
    tolerance: int,
    state: NDArray[np.int64],
    rows: NDArray[np.void],
    first: int,
) -> tuple[int, int]:
    # Where the line ends and the count of rows: -1 if the line is not of the exact shape, or not acceptable.
    at = _match(text, at, patterns.topic)
    if at < 0:
        return -1, first
    _, at = _integer(text, at)
    if at < 0:
        return -1, first
    at = _match(text, at, patterns.kind)
    if at < 0:
        return -1, first
    begin = _match(text, at, patterns.change)
    snapshot = begin < 0
    if snapshot:
        begin = _match(text, at, patterns.snapshot)
        if begin < 0:
            return -1, first
    ts, at = _integer(text, begin)
    if at < 0 or ts < state[EARLIEST] or ts > state[LATEST]:
        return -1, first
    at = _match(text, at, patterns.data)
    if at < 0:
        return -1, first
    count = first
    if snapshot:
        row = rows[count]
        row.price = 0
        row.size = 0
        row.side = _NO_SIDE
        row.action = _CLEAR
        count += 1
    at, count = _levels(text, at, _BUY, snapshot, price_step, size_step, rows, count)
    if at < 0:
        return -1, first
    at = _match(text, at, patterns.asks)
    if at < 0:
        return -1, first
    at, count = _levels(text, at, _SELL, snapshot, price_step, size_step, rows, count)
    if at < 0:
        return -1, first
    at = _match(text, at, patterns.update)
    if at < 0:
        return -1, first
    update, at = _integer(text, at)
    if at < 0:
        return -1, first
    at = _match(text, at, patterns.sequence)
    if at < 0:
        return -1, first
    sequence, at = _integer(text, at)
    if at < 0:
        return -1, first
    cross_time = ts
    begin = _match(text, at, patterns.cross_time)
    if begin >= 0:
        cross_time, at = _integer(text, begin)
        if at < 0 or cross_time < state[EARLIEST] or cross_time > state[LATEST]:
            return -1, first
    elif text[at] == _BRACE:
        at += 1
    else:
        return -1, first
    if text[at] != _BRACE:
        return -1, first
    at += 1
    if text[at] == _RETURN:
        at += 1
    if text[at] != _NEWLINE:
        return -1, first
    levels = count - first - (1 if snapshot else 0)
    if accept(state, ts * MS, update, sequence, snapshot, levels, latency, tolerance) != OK:
        return -1, first
    finish_message(rows, first, count, cross_time * MS, sequence, snapshot, state)
    return at + 1, count


@cached
def parse_lines(
    text: NDArray[np.uint8],
    at: int,
    end: int,
    patterns: Patterns,
    price_step: Step,
    size_step: Step,
    latency: int,
    tolerance: int,
    state: NDArray[np.int64],
    rows: NDArray[np.void],
    count: int,
) -> tuple[int, int, bool]:
    """Parse whole lines.

    Parameters
    ----------
    text : uint8 array
        At least `PADDING` bytes longer than `end`.
    at, end : int
        Where to begin; behind the newline of the last whole line.
    patterns, price_step, size_step
        Of the instrument.
    latency, tolerance : int
        Feed latency, and how far a message's time may lie before the last one's, in ns.
    state : int64 array
        Carried along, see `new_state`.
    rows : EVENT array
        Filled from `count` on; needs room for a row each 9 bytes of text.
    count : int

    Returns
    -------
    at : int
        `end`, or where the line starts that needs the careful reader.
    count : int
        Rows filled.
    stuck : bool
        Whether it stopped at such a line.
    """
    while at < end:
        after, filled = _line(text, at, patterns, price_step, size_step, latency, tolerance, state, rows, count)
        if after < 0:
            return at, count, True
        at, count = after, filled
        state[LINES] += 1
    return at, count, False
