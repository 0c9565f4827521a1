"""Double entry of the fills: positions at average cost, round trips, slippage, and who earned what."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.backtests.engine.records import Fill, Order, Payment, Records

type Floats = NDArray[np.float64]
type Key = tuple[str, str]

_STOPS = ("STOP_MARKET", "STOP_LIMIT", "MARKET_IF_TOUCHED", "LIMIT_IF_TOUCHED", "TRAILING_STOP_MARKET")


class Entry(NamedTuple):
    """A fill in the books; one that takes a position through zero makes two entries.

    Attributes
    ----------
    fill
        What happened.
    position
        Number of the round trip, counted from 0 over the whole run.
    quantity, commission
        The part of the fill's that belongs to this entry.
    signed
        `quantity`, negative for a sale.
    after, average
        The position after it (signed), and its average entry price (0 when flat).
    realized
        Profit realised, before fees.
    reference, slippage
        The price from which slippage counts (`fathom.backtests.setup.run_files.RunFiles`), and the slippage in money.
    """

    fill: Fill
    position: int
    quantity: float
    commission: float
    signed: float
    after: float
    average: float
    realized: float
    reference: float
    slippage: float


class Trip(NamedTuple):
    """One round trip, from flat to flat or to the end: the indices of its entries, and its funding."""

    number: int
    instrument_id: str
    strategy_id: str
    entries: list[int]
    funding: float
    payments: int
    closed: bool


class Books(NamedTuple):
    """The books of a run: entries in order of time, round trips in order of their opening."""

    entries: list[Entry]
    trips: list[Trip]


def keep(records: Records, arrival: Mapping[str, float], multipliers: Mapping[str, float]) -> Books:
    """Enter the fills and funding payments of a run.

    Parameters
    ----------
    records
        The engine's.
    arrival
        Client order id -> mid at the time the order was sent; NaN where unknown.
    multipliers
        Instrument id -> value of one unit of size per unit of price.
    """
    entries: list[Entry] = []
    trips: list[Trip] = []
    open_trip: dict[Key, int] = {}
    spans: list[tuple[int, int]] = []
    for fill in records.fills:
        key = (fill.order.instrument_id, fill.order.strategy_id)
        multiplier = multipliers[fill.order.instrument_id]
        for part in _parts(fill, entries[trips[open_trip[key]].entries[-1]].after if key in open_trip else 0.0):
            if key not in open_trip:
                open_trip[key] = len(trips)
                trips.append(Trip(len(trips), *key, [], 0.0, 0, closed=False))
                spans.append((fill.ts_event, np.iinfo(np.int64).max))
            number = open_trip[key]
            before = entries[trips[number].entries[-1]] if trips[number].entries else None
            entry = _enter(fill, part, number, before, arrival[fill.order.client_order_id], multiplier)
            trips[number].entries.append(len(entries))
            entries.append(entry)
            if entry.after == 0.0:
                del open_trip[key]
                trips[number] = trips[number]._replace(closed=True)
                spans[number] = (spans[number][0], fill.ts_event)
    for payment in records.payments:
        at = _trip_of(payment, trips, spans)
        trips[at] = trips[at]._replace(funding=trips[at].funding + payment.amount, payments=trips[at].payments + 1)
    return Books(entries, trips)


def reference_price(order: Order, fill_price: float, arrival: float) -> float:
    """Return the price from which the slippage of an order's fills counts.

    The trigger price of a stop, the limit of a limit order, and the mid on arrival of a market order (the fill's own
    price where that mid is unknown: then no slippage is claimed).
    """
    if order.type in _STOPS and order.trigger_price is not None:
        return order.trigger_price
    if order.type == "LIMIT" and order.price is not None:
        return order.price
    return fill_price if np.isnan(arrival) else arrival


def _parts(fill: Fill, before: float) -> list[tuple[float, float]]:
    # Size and commission of the part that closes, then of the part that opens the other way.
    if before * fill.signed < 0.0 and abs(fill.signed) > abs(before):
        fee = _clean(fill.commission * abs(before) / fill.quantity)
        return [(abs(before), fee), (_clean(fill.quantity - abs(before)), _clean(fill.commission - fee))]
    return [(fill.quantity, fill.commission)]


def _enter(
    fill: Fill, part: tuple[float, float], number: int, before: Entry | None, arrival: float, multiplier: float
) -> Entry:
    quantity, fee = part
    signed = quantity if fill.signed > 0.0 else -quantity
    held, average = (before.after, before.average) if before else (0.0, 0.0)
    after = _clean(held + signed)
    realized = 0.0
    if held * signed >= 0.0:
        average = (average * abs(held) + fill.price * quantity) / (abs(held) + quantity)
    else:
        realized = (fill.price - average) * -signed * multiplier
        average = average if after else 0.0
    reference = reference_price(fill.order, fill.price, arrival)
    return Entry(
        fill=fill,
        position=number,
        quantity=quantity,
        commission=fee,
        signed=signed,
        after=after,
        average=average,
        realized=realized,
        reference=reference,
        slippage=(fill.price - reference) * signed * multiplier,
    )


def _trip_of(payment: Payment, trips: list[Trip], spans: list[tuple[int, int]]) -> int:
    key = (payment.instrument_id, payment.strategy_id)
    held = [
        trip.number
        for trip, (first, last) in zip(trips, spans, strict=True)
        if (trip.instrument_id, trip.strategy_id) == key and first <= payment.ts_event <= last
    ]
    return held[-1]


def _clean(quantity: float) -> float:
    # Sizes have no more than 12 decimals: what is left below is the rounding of the floats.
    return round(quantity, 12) + 0.0
