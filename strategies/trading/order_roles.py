"""What an order is for, as its tags say it: its role, the price of the decision, the signal."""

from typing import Any, Final

ROLES: Final = ("ENTRY", "STOP", "TARGET", "EXIT")
"""What an order is for, as its tags state it."""

_MARKET_EXIT: Final = "MARKET_EXIT"  # the engine's own tag


def tags_of(role: str, price: float, signal_id: str) -> list[str]:
    """Return the tags of an order.

    Examples
    --------
    >>> tags_of("STOP", 100.5, "S-1")
    ['STOP', 'decision=100.5', 'signal=S-1']
    """
    return [role, f"decision={price!r}", *([f"signal={signal_id}"] if signal_id else [])]


def role_of(order: Any) -> str:
    """Return the role that the tags of an order state (of `ROLES`), `OTHER` without one."""
    tags = order.tags or ()
    if _MARKET_EXIT in tags:
        return "EXIT"
    return next((tag for tag in tags if tag in ROLES), "OTHER")


def tagged(order: Any, name: str) -> str | None:
    """Return the value of the tag `name=value` of an order, None without one."""
    return next((tag.partition("=")[2] for tag in order.tags or () if tag.startswith(f"{name}=")), None)
