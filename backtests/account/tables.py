"""The tables of a run: orders, fills and round trips, as columns of `fathom.backtests.setup.run_files.SCHEMAS`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fathom.backtests.account.equity import Curve
from fathom.backtests.account.ledger import Books, Trip
from fathom.backtests.account.liquidation import Liquidation
from fathom.backtests.account.marks import Marks
from fathom.backtests.account.met_books import met_books
from fathom.backtests.engine.records import Records
from fathom.backtests.setup.config import Resolved
from fathom.backtests.setup.data_feed import Feed
from fathom.backtests.setup.run_files import SCHEMAS


class Ground:
    """What all figures of a run stand on, gathered once.

    Parameters
    ----------
    resolved, feed, records, books, curve, marks
        The run.
    strategies
        Their ids.
    arrival
        Client order id -> mid at which it was sent; NaN where unknown.
    counts
        Rows replayed, by kind.
    multipliers
        Instrument id -> value of one unit of size per unit of price.
    liquidation
        The end of the account, where there was one.

    Attributes
    ----------
    met
        The book that each fill met.
    """

    def __init__(
        self,
        resolved: Resolved,
        feed: Feed,
        records: Records,
        strategies: list[str],
        arrival: Mapping[str, float],
        books: Books,
        curve: Curve,
        marks: Mapping[str, Marks],
        counts: Mapping[str, int],
        multipliers: Mapping[str, float],
        liquidation: Liquidation | None = None,
    ) -> None:
        self.liquidation = liquidation
        self.resolved, self.feed, self.records = resolved, feed, records
        self.strategies, self.arrival = strategies, arrival
        self.books, self.curve, self.marks = books, curve, marks
        self.counts, self.multipliers = counts, multipliers
        self.met = met_books(records.fills, marks, resolved.config.venue.stale_book_secs)
        self.rows = [_trip_row(self, trip) for trip in books.trips]

    def last_mark(self, instrument_id: str) -> float:
        """Return the mark at the end of the run."""
        return float(self.curve.holdings[instrument_id].mark[-1])


def order_columns(ground: Ground) -> dict[str, list[Any]]:
    """Return the columns of `orders.parquet`."""
    orders = ground.records.orders
    columns: dict[str, list[Any]] = {
        name: [getattr(order, name) for order in orders] for name in SCHEMAS["orders"].names if name != "arrival_mid"
    }
    columns["arrival_mid"] = [_null(ground.arrival[order.client_order_id]) for order in orders]
    return columns


def fill_columns(ground: Ground, fill_mids: Sequence[float]) -> dict[str, list[Any]]:
    """Return the columns of `fills.parquet`; `fill_mids` are the mids at the time of each entry."""
    rows = []
    opened_by = {trip.number: _opening_signal(ground, trip) for trip in ground.books.trips}
    for entry, mid in zip(ground.books.entries, fill_mids, strict=True):
        fill, order = entry.fill, entry.fill.order
        arrived = ground.arrival[order.client_order_id]
        notional = fill.price * entry.quantity * ground.multipliers[order.instrument_id]
        sign = 1.0 if entry.signed > 0.0 else -1.0
        met = ground.met[fill]
        rows.append(
            {
                "ts_event": fill.ts_event,
                "instrument_id": order.instrument_id,
                "strategy_id": order.strategy_id,
                "client_order_id": order.client_order_id,
                "signal_id": order.signal_id or opened_by[entry.position],
                "position": entry.position,
                "role": order.role,
                "type": order.type,
                "side": order.side,
                "liquidity": fill.liquidity,
                "quantity": entry.quantity,
                "price": fill.price,
                "notional": notional,
                "commission": entry.commission,
                "currency": fill.currency,
                "position_after": entry.after,
                "realized_pnl": entry.realized,
                "fill_mid": _null(mid),
                "arrival_mid": _null(arrived),
                "decision_price": order.decision_price,
                "reference_price": entry.reference,
                "slippage": entry.slippage,
                "slippage_bps": _bps(fill.price, entry.reference, sign),
                "arrival_slippage_bps": _bps(fill.price, arrived, sign),
                "decision_slippage_bps": _bps(fill.price, order.decision_price, sign),
                "book_state": met.state,
                "book_age_secs": _null(met.age_secs),
            }
        )
    return {name: [row[name] for row in rows] for name in SCHEMAS["fills"].names}


def position_columns(ground: Ground) -> dict[str, list[Any]]:
    """Return the columns of `positions.parquet`."""
    return {name: [row[name] for row in ground.rows] for name in SCHEMAS["positions"].names}


def _trip_row(ground: Ground, trip: Trip) -> dict[str, Any]:
    entries = [ground.books.entries[at] for at in trip.entries]
    multiplier = ground.multipliers[trip.instrument_id]
    side = 1.0 if entries[0].signed > 0.0 else -1.0
    opened = [(e.fill.price, e.quantity) for e in entries if e.signed * side > 0.0]
    shut = [(e.fill.price, e.quantity) for e in entries if e.signed * side < 0.0]
    left = entries[-1]
    gross = sum(e.realized for e in entries)
    if left.after:
        gross += (ground.last_mark(trip.instrument_id) - left.average) * left.after * multiplier
    fees = -sum(e.commission for e in entries)
    slippage = -sum(e.slippage for e in entries)
    peak = max(abs(e.after) for e in entries)
    average = sum(p * q for p, q in opened) / sum(q for _, q in opened)
    net = gross + fees + trip.funding
    end = left.fill.ts_event if trip.closed else int(ground.curve.times_ns[-1])
    return {
        "position": trip.number,
        "instrument_id": trip.instrument_id,
        "strategy_id": trip.strategy_id,
        "signal_id": _opening_signal(ground, trip),
        "side": "LONG" if side > 0.0 else "SHORT",
        "ts_opened": entries[0].fill.ts_event,
        "ts_closed": left.fill.ts_event if trip.closed else None,
        "holding_secs": (end - entries[0].fill.ts_event) / 1e9,
        "peak_quantity": peak,
        "avg_px_open": average,
        "avg_px_close": sum(p * q for p, q in shut) / sum(q for _, q in shut) if trip.closed else None,
        "fills": len(entries),
        "exit_role": left.fill.order.role if trip.closed else None,
        "pnl_price": gross - slippage,
        "pnl_fees": fees,
        "pnl_funding": trip.funding,
        "pnl_slippage": slippage,
        "pnl_net": net,
        "return": net / (average * peak * multiplier),
    }


def _opening_signal(ground: Ground, trip: Trip) -> str | None:
    return ground.books.entries[trip.entries[0]].fill.order.signal_id


def _null(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)


def _bps(price: float, reference: float | None, sign: float) -> float | None:
    if reference is None or np.isnan(reference):
        return None
    return 1e4 * sign * (price - reference) / reference
