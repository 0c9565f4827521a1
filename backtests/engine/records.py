"""What the engine did, taken out of its cache as plain rows: orders, fills, funding payments, account states."""

import re
from typing import Any, NamedTuple

from nautilus_trader.model import OrderFilled, OrderSide, PositionAdjusted

from fathom.strategies.trading.engine_numbers import nearest
from fathom.strategies.trading.order_roles import role_of, tagged


class Order(NamedTuple):
    """One order; times in ns, prices and sizes as floats (None: does not apply)."""

    ts_init: int
    ts_last: int
    instrument_id: str
    strategy_id: str
    client_order_id: str
    signal_id: str | None
    role: str
    side: str
    type: str
    time_in_force: str
    post_only: bool
    reduce_only: bool
    quantity: float
    filled_qty: float
    price: float | None
    trigger_price: float | None
    avg_px: float | None
    decision_price: float | None
    status: str
    reason: str | None


class Fill(NamedTuple):
    """One execution; `sequence` is the venue's count of executions, by which fills of one time are ordered."""

    ts_event: int
    sequence: int
    order: Order
    liquidity: str
    quantity: float
    price: float
    commission: float
    currency: str

    @property
    def signed(self) -> float:
        """Quantity, negative for a sale."""
        return self.quantity if self.order.side == "BUY" else -self.quantity


class Payment(NamedTuple):
    """One funding payment of a position: positive when received."""

    ts_event: int
    instrument_id: str
    strategy_id: str
    amount: float


class Records(NamedTuple):
    """Everything that the engine remembers of a run, in order of time.

    Attributes
    ----------
    orders, fills, payments
        As rows.
    balances
        (time in ns, total balance of the account) after each event of the account.
    """

    orders: list[Order]
    fills: list[Fill]
    payments: list[Payment]
    balances: list[tuple[int, float]]


def collect(cache: Any, instruments: dict[str, Any]) -> Records:
    """Return the records of the engine's cache."""
    orders, fills = [], []
    sources = sorted(cache.orders(), key=lambda source: (source.ts_init, str(source.instrument_id)))
    for number, source in enumerate(sources):
        order = _order(source)
        if order.role == "LIQUIDATION":  # the venue's own ids are random
            order = order._replace(client_order_id=f"LIQUIDATION-{number}")
        orders.append(order)
        fills += [_fill(event, order) for event in source.events() if isinstance(event, OrderFilled)]
    fills.sort(key=lambda fill: (fill.ts_event, fill.sequence))
    orders.sort(key=lambda order: (order.ts_init, order.strategy_id, _number(order.client_order_id)))
    payments = [
        Payment(change.ts_event, str(position.instrument_id), str(position.strategy_id), _money(change.pnl_change))
        for position in [*cache.positions(), *cache.position_snapshots()]
        for change in position.adjustments()
        if isinstance(change, PositionAdjusted) and change.pnl_change is not None
    ]
    venue = next(iter(instruments.values())).id.venue
    account = cache.account_for_venue(venue)
    balances = [(event.ts_event, _money(event.balances[0].total)) for event in account.events]
    return Records(orders, fills, sorted(payments), balances)


def _order(source: Any) -> Order:
    decision = tagged(source, "decision")
    reasons = [event.reason for event in source.events() if getattr(event, "reason", None)]
    average = getattr(source, "avg_px", None)
    return Order(
        ts_init=source.ts_init,
        ts_last=source.ts_last,
        instrument_id=str(source.instrument_id),
        strategy_id=str(source.strategy_id),
        client_order_id=str(source.client_order_id),
        signal_id=tagged(source, "signal"),
        role="LIQUIDATION" if str(source.client_order_id).startswith("LIQUIDATION") else role_of(source),
        side="BUY" if source.side == OrderSide.BUY else "SELL",
        type=source.order_type.name,
        time_in_force=source.time_in_force.name,
        post_only=bool(getattr(source, "is_post_only", False)),
        reduce_only=bool(source.is_reduce_only),
        quantity=nearest(source.quantity),
        filled_qty=nearest(source.filled_qty),
        price=_price(source, "price"),
        trigger_price=_price(source, "trigger_price"),
        avg_px=float(average) if average is not None else None,
        decision_price=float(decision) if decision else None,
        status=source.status.name,
        reason=str(reasons[-1]) if reasons else None,
    )


def _fill(event: OrderFilled, order: Order) -> Fill:
    commission = event.commission
    return Fill(
        ts_event=event.ts_event,
        sequence=_number(str(event.trade_id)),
        order=order,
        liquidity=event.liquidity_side.name,
        quantity=nearest(event.last_qty),
        price=nearest(event.last_px),
        commission=_money(commission) if commission is not None else 0.0,
        currency=str(event.currency),
    )


def _money(value: Any) -> float:
    return float(value.as_decimal())


def _price(source: Any, name: str) -> float | None:
    value = getattr(source, name, None)
    return nearest(value) if value is not None else None


def _number(name: str) -> int:
    last = re.search(r"(\d+)$", name)
    return int(last[1]) if last else 0
