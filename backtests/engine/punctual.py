"""Exact latency: a command takes effect at the venue at its time, not with the next event of the data after it."""

from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any, Final

from fathom.backtests.setup.config import Latency
from fathom.settings.times import MS

_INSERTS: Final = ("submit_order", "submit_order_list", "close_position", "close_all_positions", "market_exit")
_UPDATES: Final = ("modify_order", "modify_orders")
_CANCELS: Final = ("cancel_order", "cancel_orders", "cancel_all_orders")


def delays_ns(latency: Latency) -> dict[str, int]:
    """Return the time from a command of a strategy to its effect, by the name of the method.

    Examples
    --------
    >>> delays_ns(Latency(base_ms=20.0, cancel_ms=5.0))["cancel_order"]
    25000000
    """
    base, insert = latency.base_ms, latency.insert_ms
    delays = dict.fromkeys(_INSERTS, base + insert)
    delays |= dict.fromkeys(_UPDATES, base + latency.update_ms) | dict.fromkeys(_CANCELS, base + latency.cancel_ms)
    return {name: round(delay * MS) for name, delay in delays.items()}


def make_punctual(strategy: Any, latency: Latency) -> None:
    """Let the simulated clock wake the venue when a command of this strategy is due.

    The engine looks at commands on their way only when something happens: after the next event of the data, whose
    effect on the book they then meet, or at a timer. On sparse data (bars: a minute) that is far too late. So each
    command of the strategy sets an alert for the time of its effect.
    """
    numbers = count()
    for name, delay in delays_ns(latency).items():
        if delay:
            setattr(strategy, name, _with_alert(strategy, getattr(strategy, name), delay, numbers))


def _with_alert(strategy: Any, command: Callable[..., Any], delay: int, numbers: Any) -> Callable[..., Any]:
    @wraps(command)
    def send(*args: Any, **kwargs: Any) -> Any:
        result = command(*args, **kwargs)
        clock = strategy.clock
        clock.set_time_alert_ns(f"fathom-latency-{next(numbers)}", clock.timestamp_ns() + delay, _wake)
        return result

    return send


def _wake(event: Any) -> None:
    pass
