"""What the real venue refuses of any strategy, and the engine's simulated one would take: refused, counted and said."""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from fathom.strategies.trading.pacer import Pacer

LONGEST_ORDER_ID: Final = 36
"""Characters of a client order id (Bybit's `orderLinkId`)."""

_TRIGGER: Final = "amend the trigger of an order (send a new stop, and cancel the old one when it is accepted)"
_LIST: Final = "send a list of orders (send the entry, then stop and target after its fill)"
_PACE: Final = "cancel more orders in a second than the venue takes"


class VenueRules:
    """Stands between the strategies of an account and the engine's venue.

    A refused command is not sent. Orders beyond the pace of the account, and orders that only reduce a position where
    there is none, are refused by the engine itself: they are in `orders.parquet`, with the reason.

    Parameters
    ----------
    orders_per_sec
        How many commands of a kind the venue takes in a second.

    Examples
    --------
    >>> class Strategy:
    ...     strategy_id = "Mine-B"
    ...     def modify_order(self, order_id, quantity=None, price=None, trigger_price=None): ...
    ...     submit_order = submit_order_list = cancel_order = cancel_orders = cancel_all_orders = modify_order
    >>> rules, strategy = VenueRules(10), Strategy()
    >>> rules.bind(strategy)
    >>> strategy.modify_order("S-1", trigger_price=98.0)
    >>> rules.notes()[0][:68]
    'The venue refused 1 command of Mine-B: amend the trigger of an order'
    """

    def __init__(self, orders_per_sec: int) -> None:
        self._cancels = Pacer(orders_per_sec)
        self._refused: Counter[tuple[str, str]] = Counter()

    def bind(self, strategy: Any) -> None:
        """Let the commands of a strategy pass through these rules."""
        self._guard(strategy, "submit_order", lambda order, *_, **__: _order_id(order))
        self._guard(strategy, "submit_order_list", lambda *_, **__: _LIST)
        self._guard(strategy, "modify_order", _trigger)
        for command in ("cancel_order", "cancel_orders", "cancel_all_orders"):
            self._guard(strategy, command, lambda *_, **__: self._cancel(strategy.clock.timestamp_ns()))

    def notes(self) -> list[str]:
        """Return a sentence for each kind of command that was refused."""
        return [
            f"The venue refused {count} command{'s' * (count > 1)} of {strategy}: {why}."
            for (strategy, why), count in sorted(self._refused.items())
        ]

    def _guard(self, strategy: Any, command: str, problem: Callable[..., str]) -> None:
        send, name = getattr(strategy, command), str(strategy.strategy_id)

        @wraps(send)
        def checked(*args: Any, **kwargs: Any) -> Any:
            why = problem(*args, **kwargs)
            if not why:
                return send(*args, **kwargs)
            self._refused[name, why] += 1
            return None

        setattr(strategy, command, checked)

    def _cancel(self, now: int) -> str:
        if self._cancels.wait_ns(now, entry=False):
            return _PACE
        self._cancels.spend(now)
        return ""


def _order_id(order: Any) -> str:
    length = len(str(order.client_order_id))
    return f"an order id of {length} characters, at most {LONGEST_ORDER_ID}" if length > LONGEST_ORDER_ID else ""


def _trigger(*args: Any, trigger_price: Any = None, **_: Any) -> str:
    return _TRIGGER if trigger_price is not None or (len(args) > 3 and args[3] is not None) else ""
