"""The compiled recurrence of `detectors.Surveillance`: what each event row does to the book and to every detector."""

from math import exp, log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.bars.detector import FloatArray
from fathom.detectors.bars.market_bars import IDLE, add_trade, close_bar, is_due, new_market_bars
from fathom.detectors.book.alerts import AlertKind
from fathom.detectors.book.arrays import (
    ALERTS,
    BUDGETS,
    BUILD,
    FARTHEST_BPS,
    HISTORY_COUNT,
    LAST_CLUSTER,
    LAYER_LIFE,
    LAYER_MEMORY,
    LAYER_SERIES,
    LAYER_THRESHOLD,
    LOST,
    MESSAGES,
    MIN_DISTANCE,
    MIN_LEVELS,
    PACED,
    PAST_COUNT,
    RATE_SERIES,
    RATE_THRESHOLD,
    RATE_WARM_UP,
    RATE_WINDOW,
    RECENT_COUNT,
    S_KIND,
    S_LOTS,
    S_NUMBER,
    S_SIDE,
    S_TS,
    SERIES,
    SPOOF_LIFE,
    SPOOF_MEMORY,
    SPOOF_SERIES,
    SPOOF_THRESHOLD,
    SPOOF_TTL,
    WITHDRAW,
    WatchArrays,
    new_watch,
)
from fathom.detectors.book.layering import (
    C_HIGH,
    C_LEVELS,
    C_LOTS,
    C_LOW,
    C_NEAREST,
    C_PLACED,
    C_PLACED_AFTER,
    C_REMOVED,
    C_REMOVED_AFTER,
    PAST,
    R_DISTANCE,
    R_MOVED,
    R_PLACED,
    R_SIDE,
    RECENT,
    LayeringConfig,
    remember_withdrawn,
    weigh_cluster,
)
from fathom.detectors.book.log import log_cluster, log_order, log_rate
from fathom.detectors.book.pacing import let_pace_fall, note_series
from fathom.detectors.book.placed_orders import (
    DISTANCE,
    IN_SNAPSHOT,
    PLACED,
    PLACED_AFTER,
    PRICE_KEY,
    RARITY,
    REMEMBERED,
    REMOVED,
    REMOVED_AFTER,
    SCROLLED,
    SIDE,
    SIZE,
    WAITING,
    end_of_message,
    forget_all,
    is_withdrawn,
    level_slot,
    note_addition,
    note_decrease,
    note_moves,
    note_scrolls,
    note_trade_at,
    shift_endings,
    twins,
    withdrawn_together,
)
from fathom.detectors.book.quote_stuffing import QuoteStuffingConfig, fade_rate, note_change, note_traded, weigh_rate
from fathom.detectors.book.rpi import rpi_step
from fathom.detectors.book.scores import log_odds
from fathom.detectors.book.sizes import LAYER, SPOOF
from fathom.detectors.book.spoofing import (
    LEAST_SUSPICION,
    PAST_WEIGHT,
    SpoofingConfig,
    life_secs,
    remember,
    score,
    weigh_order,
    weigh_past,
)
from fathom.detectors.book.taker_flow import MID2, NOW, note_mid, note_taken, pass_time
from fathom.market.events import Action, Flag, Kind, Side, TradeFlag
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BID, BookArrays
from fathom.market.lifecycle import CHANGE, book_row, is_full, new_book, trade_row
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
_ANCHORS: Final = 16
_NEAR, _MIDDLE, _WHOLE = 40, 160, 1 << 40  # ticks from the touch


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
    orders, flow, stuffing = watch.orders, watch.flow, watch.stuffing
    watch.bars.clock[IDLE] = 0
    for i in range(first, last):
        row = rows[i]
        if row.ts_init > flow.head[NOW]:
            pass_time(flow, row.ts_init)
            fade_rate(stuffing, row.ts_init, watch.params[RATE_WINDOW])
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
    note_trade_at(book, watch.orders, side, key, size, retail, ts_event)
    if not retail:
        note_taken(watch.flow, side, size)
        note_traded(watch.stuffing, size)


@kernel
def _message_ends(book: BookArrays, watch: WatchArrays, ts_event: int, ts_init: int) -> None:
    orders, flow, params = watch.orders, watch.flow, watch.params
    let_pace_fall(watch.pace, params[BUDGETS:], max(0, ts_init - watch.head[PACED]))
    watch.head[PACED] = max(ts_init, watch.head[PACED])
    note_mid(flow, book)
    note_scrolls(book, orders)
    note_moves(orders)
    if orders.head[WAITING] > 0:
        layered = _seek_layers(watch, ts_event, ts_init)
        _seek_spoofs(watch, ts_event, ts_init, layered)
    shift_endings(orders)
    farthest = np.int64(0.5e-4 * flow.head[MID2] * params[FARTHEST_BPS])
    end_of_message(book, orders, watch.sizes, flow, farthest, ts_event)
    if weigh_rate(watch.stuffing, params[RATE_WINDOW], params[RATE_WARM_UP], watch.evidence):
        confidence = score(watch.rate_weights, watch.evidence)
        log_rate(watch, ts_event, ts_init)
        if _is_raised(watch, _STUFFING, confidence, params[RATE_THRESHOLD]):
            number = _series(watch, _STUFFING, 0, 1, ts_init, params[RATE_SERIES])
            if number > 0:
                _alert_rate(watch, number, ts_event, ts_init, confidence)
    watch.head[MESSAGES] += 1


@kernel
def _series(watch: WatchArrays, kind: int, side: int, lots: int, ts_init: int, series_ms: float) -> int:
    """Return the number of an alert within its series: 1 begins one. -1 where there is no room for an alert."""
    if watch.head[ALERTS] >= len(watch.alerts):
        watch.head[LOST] += 1
        return -1
    oldest = 0
    for n in range(SERIES):
        row = watch.series[n]
        alike = kind != _SPOOFING or (2 * row[S_LOTS] >= lots and 2 * lots >= row[S_LOTS])
        if row[S_KIND] == kind and row[S_SIDE] == side and alike and ts_init - row[S_TS] <= series_ms * 1e6:
            row[S_TS], row[S_LOTS] = ts_init, lots
            row[S_NUMBER] += 1
            return int(row[S_NUMBER])
        if row[S_TS] < watch.series[oldest, S_TS]:
            oldest = n
    note_series(watch.pace, watch.params[BUDGETS:], kind - 1)
    row = watch.series[oldest]
    row[S_KIND], row[S_SIDE], row[S_LOTS], row[S_TS], row[S_NUMBER] = kind, side, lots, ts_init, 1
    return 1


@kernel
def _is_raised(watch: WatchArrays, kind: int, confidence: float, threshold: float) -> bool:
    """Tell whether a confidence suffices for an alert: beyond the threshold by what the pace asks of its kind."""
    if confidence < threshold:
        return False
    more = watch.pace[kind - 1]
    return bool(more == 0.0 or confidence / (1.0 - confidence) >= threshold / (1.0 - threshold) * exp(more))


@kernel
def _needed(threshold: float) -> float:
    """Return the log-odds of a confidence, or a little less: below it no alert is raised."""
    return log(threshold / (1.0 - threshold)) - 1e-6


@kernel
def _confidence(odds: float) -> float:
    return 1.0 / (1.0 + exp(-odds))


@kernel
def _seek_layers(watch: WatchArrays, ts_event: int, ts_init: int) -> int:
    """Put the orders withdrawn into the ring and look at their clusters; return 1, 2 or 3 for alerts of bids, asks."""
    head, params, orders, recent = watch.head, watch.params, watch.orders, watch.recent
    start = head[RECENT_COUNT]
    for n in range(orders.head[WAITING]):
        i = orders.ending[n]
        order = orders.orders[i]
        if is_withdrawn(order) and life_secs(order) <= params[LAYER_LIFE]:
            remember_withdrawn(recent, watch.recent_ratios, head[RECENT_COUNT], order, orders.ratios[i, LAYER])
            head[RECENT_COUNT] += 1
    count = head[RECENT_COUNT]
    raised = 0
    band = 0.5e-4 * watch.flow.head[MID2] * params[FARTHEST_BPS]
    for side in range(2):
        best = -1.0
        anchors = 0
        for r in range(start, count):
            anchor = recent[r % RECENT]
            if anchors == _ANCHORS:
                break
            if anchor[R_SIDE] != side:
                continue
            known = False
            for before in range(start, r):
                other = recent[before % RECENT]
                if other[R_SIDE] == side and other[R_PLACED] == anchor[R_PLACED]:
                    known = True
                    break
            if known:
                continue
            anchors += 1
            # The same cluster near the touch, farther out, and in the whole band: the most suspicious counts.
            for reach in (_NEAR, _MIDDLE, _WHOLE):
                if anchor[R_MOVED] != 0 or anchor[R_DISTANCE] > reach:
                    continue
                if not weigh_cluster(
                    recent,
                    watch.recent_ratios,
                    count,
                    r,
                    watch.flow,
                    watch.past,
                    np.int64(params[MIN_LEVELS]),
                    band,
                    np.int64(params[BUILD]),
                    np.int64(params[WITHDRAW]),
                    params[LAYER_MEMORY],
                    reach,
                    watch.members,
                    watch.evidence,
                    watch.cluster,
                ):
                    continue
                # The trees judge the one that the weights choose.
                linear = score(watch.layer_weights, watch.evidence)
                if linear > best:
                    best = linear
                    for k in range(len(watch.cluster)):
                        watch.best_cluster[k] = watch.cluster[k]
                    for k in range(len(watch.evidence)):
                        watch.best_evidence[k] = watch.evidence[k]
        if best < 0.0:
            continue
        log_cluster(watch, side, ts_event, ts_init)
        if watch.best_cluster[C_REMOVED] - head[LAST_CLUSTER + side] > np.int64(params[WITHDRAW]):
            past = watch.past[head[PAST_COUNT] % PAST]
            past[0], past[1] = watch.best_cluster[C_REMOVED] * 1e-9, side
            head[PAST_COUNT] += 1
            head[LAST_CLUSTER + side] = watch.best_cluster[C_REMOVED]
        confidence = _confidence(
            log_odds(watch.layer_weights, watch.layer_grove, watch.best_evidence, _needed(params[LAYER_THRESHOLD]))
        )
        if _is_raised(watch, _LAYERING, confidence, params[LAYER_THRESHOLD]):
            raised |= 1 << side
            number = _series(watch, _LAYERING, side, 1, ts_init, params[LAYER_SERIES])
            if number > 0:
                _alert_cluster(watch, side, number, ts_event, ts_init, confidence)
    return raised


@kernel
def _seek_spoofs(watch: WatchArrays, ts_event: int, ts_init: int, layered: int) -> None:
    head, params, orders, evidence = watch.head, watch.params, watch.orders, watch.evidence
    least = _needed(params[SPOOF_THRESHOLD])
    for side in range(2):
        best = np.int64(-1)
        top = -np.inf
        together = withdrawn_together(orders, side)
        for n in range(orders.head[WAITING]):
            i = np.int64(orders.ending[n])
            order = orders.orders[i]
            if (
                order[SIDE] != side
                or not orders.ratios[i, SPOOF] >= 1.0
                or order[DISTANCE] < params[MIN_DISTANCE]
                or not is_withdrawn(order)
                or life_secs(order) > params[SPOOF_LIFE]
            ):
                continue
            weigh_order(
                order,
                orders.ratios[i, SPOOF],
                orders.ratios[i, RARITY],
                together,
                twins(orders, i),
                watch.flow,
                params[SPOOF_TTL],
                evidence,
            )
            suspicious = score(watch.alone_weights, evidence)
            if suspicious >= LEAST_SUSPICION:
                weigh_past(order, watch.history, params[SPOOF_MEMORY], evidence)
                # Orders of one message do not make one another recurrent: they are remembered below.
                orders.ratios[i, LAYER] = suspicious
                order[SCROLLED] = REMEMBERED
            odds = log_odds(watch.spoof_weights, watch.spoof_grove, evidence, max(least, top))
            log_order(watch, order, ts_event, ts_init)
            if odds > top:
                best, top = i, odds
                for k in range(len(evidence)):
                    watch.best_evidence[k] = evidence[k]
        if best >= 0:
            for n in range(orders.head[WAITING]):
                i = np.int64(orders.ending[n])
                if orders.orders[i, SIDE] == side and orders.orders[i, SCROLLED] == REMEMBERED:
                    remember(watch.history, head[HISTORY_COUNT], orders.orders[i], orders.ratios[i, LAYER])
                    head[HISTORY_COUNT] += 1
        confidence = _confidence(top)
        if _is_raised(watch, _SPOOFING, confidence, params[SPOOF_THRESHOLD]) and (layered >> side) & 1 == 0:
            number = _series(watch, _SPOOFING, side, orders.orders[best, SIZE], ts_init, params[SPOOF_SERIES])
            if number > 0:
                _alert_order(watch, best, number, ts_event, ts_init, confidence)


@kernel
def _alert_order(watch: WatchArrays, which: int, number: int, ts_event: int, ts_init: int, confidence: float) -> None:
    n = watch.head[ALERTS]
    order = watch.orders.orders[which]
    price = -order[PRICE_KEY] if order[SIDE] == BID else order[PRICE_KEY]
    alert = watch.alerts[n]
    alert.ts_event, alert.ts_init = ts_event, ts_init
    alert.placed, alert.removed = order[PLACED], order[REMOVED]
    alert.life_low = max(0, order[REMOVED_AFTER] - order[PLACED])
    alert.life_high = max(alert.life_low, order[REMOVED] - order[PLACED_AFTER])
    alert.price_low = alert.price_high = price
    alert.lots = order[SIZE]
    alert.message = watch.head[MESSAGES]
    alert.confidence = confidence
    alert.size_ratio = watch.orders.ratios[which, SPOOF]
    alert.series = number
    alert.benefit = watch.best_evidence[6]
    alert.recurrence = (np.exp(watch.best_evidence[17]) - 1.0) / PAST_WEIGHT
    alert.distance = order[DISTANCE]
    alert.levels = 1
    alert.kind = _SPOOFING
    alert.side = _BUY if order[SIDE] == BID else _SELL
    watch.head[ALERTS] = n + 1


@kernel
def _alert_cluster(watch: WatchArrays, side: int, number: int, ts_event: int, ts_init: int, confidence: float) -> None:
    n = watch.head[ALERTS]
    c = watch.best_cluster
    alert = watch.alerts[n]
    alert.ts_event, alert.ts_init = ts_event, ts_init
    alert.placed, alert.removed = c[C_PLACED], c[C_REMOVED]
    alert.life_low = max(0, c[C_REMOVED_AFTER] - c[C_PLACED])
    alert.life_high = max(alert.life_low, c[C_REMOVED] - c[C_PLACED_AFTER])
    alert.price_low = -c[C_HIGH] if side == BID else c[C_LOW]
    alert.price_high = -c[C_LOW] if side == BID else c[C_HIGH]
    alert.lots = c[C_LOTS]
    alert.message = watch.head[MESSAGES]
    alert.confidence = confidence
    alert.size_ratio = np.exp(watch.best_evidence[2])
    alert.series = number
    alert.benefit = watch.best_evidence[7]
    alert.recurrence = np.exp(watch.best_evidence[10]) - 1.0
    alert.distance = c[C_NEAREST]
    alert.levels = c[C_LEVELS]
    alert.kind = _LAYERING
    alert.side = _BUY if side == BID else _SELL
    watch.head[ALERTS] = n + 1


@kernel
def _alert_rate(watch: WatchArrays, number: int, ts_event: int, ts_init: int, confidence: float) -> None:
    n = watch.head[ALERTS]
    alert = watch.alerts[n]
    alert.ts_event, alert.ts_init = ts_event, ts_init
    alert.placed = alert.removed = ts_event
    alert.life_low = alert.life_high = 0
    alert.price_low = alert.price_high = 0
    alert.lots = np.int64(watch.stuffing.level[1])
    alert.message = watch.head[MESSAGES]
    alert.confidence = confidence
    alert.size_ratio = watch.evidence[1]
    alert.series = number
    alert.benefit = 0.0
    alert.recurrence = 0.0
    alert.distance = 0
    alert.levels = np.int64(watch.stuffing.level[0])
    alert.kind = _STUFFING
    alert.side = 0
    watch.head[ALERTS] = n + 1
