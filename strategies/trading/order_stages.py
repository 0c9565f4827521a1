"""The stages of a bracket: the entry goes alone, stop and target follow its first fill; a machine without an engine.

The stop is conditional, reduces only, and has the whole size of the entry: it never needs an amendment. The target is a
limit order that reduces only; it has the size of the position, and grows with it. The venue cannot amend a trigger, so
a stop moves by a second one, and the first is cancelled when the second is accepted.
"""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from fathom.strategies.trading.commands import Amend, Cancel, Command, LiveOrder, PlaceStop, PlaceTarget
from fathom.strategies.trading.trade import Trade

type Live = Mapping[str, LiveOrder]

_TARGETS: Final = 3


class Grid(NamedTuple):
    """Steps of an instrument's prices and sizes.

    Examples
    --------
    >>> Grid(tick=0.1, decimals=2).price(99.96)
    100.0
    """

    tick: float = 0.01
    decimals: int = 2
    lot: float = 1e-9

    def price(self, price: float) -> float:
        """Return the nearest price that an order may have; NaN stays NaN."""
        return price if math.isnan(price) else round(round(price / self.tick) * self.tick, self.decimals)


def first(live: Live, role: str) -> str | None:
    """Return the first order with a role, None without one."""
    return next((order_id for order_id, order in live.items() if order.role == role), None)


def cancels(live: Live, *order_ids: str) -> list[Command]:
    """Return the cancels of orders, except where the venue's answer to one is still awaited."""
    return [Cancel(order_id) for order_id in order_ids if live[order_id].status not in ("cancelling", "unsure")]


def protect(trade: Trade, held: float, live: Live, grid: Grid, late: frozenset[str]) -> list[Command] | None:
    """Return what gives a position its stop and target; None where it cannot have a stop, and must be closed.

    Parameters
    ----------
    trade
        What is remembered; it notes what is asked for here.
    held
        Size of the position, negative for short.
    live
        The orders that may still be filled, by id; a later one was sent later.
    grid
        Steps of prices and sizes.
    late
        Orders whose answer is overdue.

    Examples
    --------
    >>> trade = Trade(stop=98.0, target=103.0, ordered=2.0)
    >>> protect(trade, 0.5, {}, Grid(), frozenset())
    [PlaceStop(price=98.0, quantity=2.0), PlaceTarget(price=103.0, quantity=0.5)]
    >>> protect(trade, 0.5, {}, Grid(), frozenset()) is None  # the venue refused the stop
    True
    """
    stops = _protect_by_stop(trade, held, live, grid, late)
    return None if stops is None else [*stops, *_set_target(trade, abs(held), live, grid)]


def _protect_by_stop(trade: Trade, held: float, live: Live, grid: Grid, late: frozenset[str]) -> list[Command] | None:
    stops = [name for name, order in live.items() if order.role == "STOP" and order.status != "cancelling"]
    accepted = [name for name in stops if live[name].status == "live"]
    size = max(trade.ordered, abs(held))
    if not stops:
        if trade.stops or math.isnan(trade.stop) or not _fits(trade, held):
            return None
        trade.stops = 1
        return [PlaceStop(trade.stop, size)]
    if not accepted:
        return None if late.intersection(stops) else []
    valid, newest = accepted[-1], stops[-1]
    if not math.isnan(live[valid].price):
        trade.stop = live[valid].price
    if valid != newest:  # the next one is on its way
        if newest not in late:
            return []
        trade.trail = math.nan
        return cancels(live, newest)
    if len(stops) > 1:
        return cancels(live, *stops[:-1])
    if any(order.role == "STOP" and order.status == "cancelling" for order in live.values()):
        return []  # the last move is not over
    place, sign = grid.price(trade.trail), math.copysign(1.0, held)
    ahead = sign * (place - trade.stop) > 0.5 * grid.tick  # NaN: there is nowhere to go
    safe = sign * (trade.price - place) > 0.5 * grid.tick  # else the venue would trigger or refuse it
    if ahead and safe:
        return [PlaceStop(place, size)]
    small = live[valid].quantity < abs(held) - 0.5 * grid.lot  # NaN: unknown
    return [PlaceStop(trade.stop, size)] if small else []


def _set_target(trade: Trade, held: float, live: Live, grid: Grid) -> list[Command]:
    name = next((name for name, order in live.items() if order.role == "TARGET" and order.status != "cancelling"), None)
    if name is None:
        if math.isnan(trade.target) or trade.targets == _TARGETS:
            return []
        trade.targets += 1
        return [PlaceTarget(trade.target, held)]
    order = live[name]
    size = order.filled + held
    if order.status != "live" or not size > max(order.quantity, order.asked) + 0.5 * grid.lot:
        return []
    return [Amend(name, None, size)]


def _fits(trade: Trade, held: float) -> bool:
    return trade.signal is None or trade.signal.direction * held > 0.0
