"""Roles of orders: by their tags, by the engine's own tag, and guessed where the tags were lost."""

from types import SimpleNamespace
from typing import Any

import pytest
from nautilus_trader.model import OrderType

from fathom.strategies.trading.order_roles import ROLES, role_of, tagged, tags_of
from fathom.strategies.trading.orders import guessed_role


def order(kind: OrderType = OrderType.LIMIT, *, reduces: bool = False, tags: list[str] | None = None) -> Any:
    return SimpleNamespace(tags=tags, order_type=kind, is_reduce_only=reduces)


def test_tags_say_role_price_and_signal() -> None:
    for role in ROLES:
        made = order(tags=tags_of(role, 59_969.1, "S-1"))
        assert role_of(made) == guessed_role(made) == role
        assert (tagged(made, "decision"), tagged(made, "signal"), tagged(made, "other")) == ("59969.1", "S-1", None)
    unnamed = order(tags=tags_of("STOP", 1.0, ""))
    assert tagged(unnamed, "signal") is None


def test_what_the_engine_closes_by_itself_is_an_exit() -> None:
    assert role_of(order(OrderType.MARKET, reduces=True, tags=["MARKET_EXIT"])) == "EXIT"


@pytest.mark.parametrize(
    ("kind", "reduces", "role"),
    [
        (OrderType.STOP_MARKET, True, "STOP"),
        (OrderType.STOP_LIMIT, False, "STOP"),
        (OrderType.LIMIT, True, "TARGET"),
        (OrderType.LIMIT, False, "ENTRY"),
        (OrderType.MARKET, False, "ENTRY"),
        (OrderType.MARKET, True, "EXIT"),
    ],
)
def test_an_order_without_tags_is_known_by_its_kind(kind: OrderType, reduces: bool, role: str) -> None:
    assert guessed_role(order(kind, reduces=reduces)) == role
    assert role_of(order(kind, reduces=reduces)) == "OTHER"
