"""The compiled recurrence of the manipulation detectors: what each event row does to the book and to each of them."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.bars.detector import FloatArray
from fathom.detectors.bars.market_bars import IDLE, add_trade, close_bar, is_due, new_market_bars
from fathom.detectors.book.alerts import MESSAGES, PACED, AlertKind
from fathom.detectors.book.arrays import WatchArrays, new_watch
from fathom.detectors.book.layering import LayeringConfig, seek_layers
from fathom.detectors.book.pacing import let_pace_fall
from fathom.detectors.book.placed_orders import (
    IN_SNAPSHOT,
    WAITING,
    end_of_message,
    forget_all,
    level_slot,
    note_addition,
    note_decrease,
    note_moves,
    note_scrolls,
    note_trade_at,
    shift_endings,
)
from fathom.detectors.book.quote_stuffing import QuoteStuffingConfig, fade_rate, note_change, note_traded, seek_burst
from fathom.detectors.book.rpi import rpi_step
from fathom.detectors.book.spoofing import SpoofingConfig, seek_spoofs
from fathom.detectors.book.taker_flow import NOW, note_mid, note_taken, pass_time
from fathom.market.events import Action, Flag, Kind, Side, TradeFlag
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BID, BookArrays
from fathom.market.lifecycle import CHANGE, UNSURE, book_row, is_full, new_book, trade_row
from fathom.market.pack import ArrayPack

_SPOOFING: Final = int(AlertKind.SPOOFING)
_LAYERING: Final = int(AlertKind.LAYERING)
_STUFFING: Final = int(AlertKind.QUOTE_STUFFING)
_BOOK: Final = int(Kind.BOOK)
_TRADE: Final = int(Kind.TRADE)
_CLEAR: Final = int(Action.CLEAR)
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_LAST: Final = int(Flag.LAST)
_RPI: Final = int(TradeFlag.RPI)
_BLOCK: Final = int(TradeFlag.BLOCK)

NOT_DUE, NO_PRICE, WRITTEN = range(3)  # what `close_due_bar` says

PACK: Final = ArrayPack(
    (
        new_book(levels=1),
        new_watch(SpoofingConfig(), LayeringConfig(), QuoteStuffingConfig(), new_market_bars(1), levels=1),
    )
)
_unpack = PACK.unpack


@kernel
def watch_rows(words: NDArray[np.int64], rows: NDArray[Any], first: int, last: int) -> int:
    """Take ``rows[first:last]``; return where it stopped, which is before `last` when the book must grow.

    `words` are those of `PACK` for the book and the watch.
    """
    # What most rows need is done right here: a call that hands on all arrays costs more than the work.
    book, watch = _unpack(words)
    orders, flow, stuffing = watch.placed.orders, watch.placed.flow, watch.stuffing
    watch.bars.clock[IDLE] = 0
    for i in range(first, last):
        row = rows[i]
        if row.ts_init > flow.head[NOW]:
            pass_time(flow, row.ts_init)
            fade_rate(stuffing, row.ts_init)
        side_code = np.int64(row.side)
        flags = np.int64(row.flags)
        if row.kind != _BOOK:
            if row.kind == _TRADE:
                add_trade(watch.bars, float(row.price), float(row.size), flags)
            _trade_event(book, watch, row.price, row.size, side_code, flags, row.ts_event)
            continue
        if is_full(book):
            return i
        action = np.int64(row.action)
        slot = book_row(book, row.price, row.size, action, side_code, flags, row.ts_event)
        if action == _CLEAR:
            forget_all(orders)
        elif side_code in (_BUY, _SELL) and orders.head[IN_SNAPSHOT] == 0:
            side = BID if side_code == _BUY else ASK
            change = book.head[CHANGE]
            note_change(stuffing, side, change)
            if change > 0:
                key = -row.price if side_code == _BUY else row.price
                note_addition(orders.head, orders.additions, side, key, change, row.size)
            elif change < 0 and orders.first[level_slot(book.free, slot)] != 0:
                note_decrease(book, orders, slot, row.size, row.ts_event)
        if flags & _LAST:
            _message_ends(book, watch, row.ts_event, row.ts_init)
    return last


@kernel
def close_due_bar(words: NDArray[np.int64], ts_ns: int, out: FloatArray) -> int:
    """Close the forming bar into `out` if it ends by `ts_ns`, and say what came of it."""
    book, watch = _unpack(words)
    if not is_due(watch.bars, ts_ns):
        return NOT_DUE
    return WRITTEN if close_bar(watch.bars, book, out) else NO_PRICE


@kernel
def _trade_event(
    book: BookArrays, watch: WatchArrays, price: int, size: int, side_code: int, flags: int, ts_event: int
) -> None:
    rpi_step(watch.rpi, book, price, size, side_code, flags)
    trade_row(book, price, size, side_code, flags, ts_event)
    if flags & _BLOCK or size <= 0:
        return
    if side_code == _BUY:
        side, key = ASK, price
    elif side_code == _SELL:
        side, key = BID, -price
    else:
        return
    retail = flags & _RPI != 0
    note_trade_at(book, watch.placed.orders, side, key, size, retail, ts_event)
    if not retail:
        note_taken(watch.placed.flow, side, size)
        note_traded(watch.stuffing, size)


@kernel
def _message_ends(book: BookArrays, watch: WatchArrays, ts_event: int, ts_init: int) -> None:
    placed, desk = watch.placed, watch.desk
    orders = placed.orders
    let_pace_fall(desk.pace, desk.allowed, max(0, ts_init - desk.head[PACED]))
    desk.head[PACED] = max(ts_init, desk.head[PACED])
    if book.head[UNSURE] == 1:  # nobody knows the book: nothing is noted of it, as in a snapshot
        end_of_message(book, placed, ts_event)
        forget_all(orders)
        desk.head[MESSAGES] += 1
        return
    note_mid(placed.flow, book)
    note_scrolls(book, orders)
    note_moves(orders)
    if orders.head[WAITING] > 0:
        layered = 0
        if desk.on[_LAYERING - 1]:
            layered = seek_layers(placed, watch.layering, desk, ts_event, ts_init)
        if desk.on[_SPOOFING - 1]:
            seek_spoofs(placed, watch.spoofing, desk, ts_event, ts_init, layered)
    shift_endings(orders)
    end_of_message(book, placed, ts_event)
    if desk.on[_STUFFING - 1]:
        seek_burst(watch.stuffing, desk, ts_event, ts_init)
    desk.head[MESSAGES] += 1
