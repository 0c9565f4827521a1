"""Rate limits hold by account, by operation and by address, and end by exchange time."""

from pathlib import Path
from typing import Any

import pytest

from fathom.live.standin import StandIn, StandInConfig
from fathom.live.standin.exchange.refusals import RefusedError
from fathom.live.standin.wire.limits import BAN_SECS, CALLS_PER_ADDRESS, Limits
from tests.unit.live.standin.wire.client import Socket, call

ORDER: dict[str, Any] = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
ORDER |= {"qty": "0.01", "price": "59900"}


def test_ten_orders_a_second_and_account_over_both_wires(catalog: Path) -> None:
    with (
        StandIn(StandInConfig(str(catalog), speed=0, stamps="recorded")) as exchange,
        Socket(exchange, "trade") as trade,
    ):
        codes = [call(exchange, "POST", "/v5/order/create", ORDER).json()["retCode"] for _ in range(5)]
        codes += [trade.order("order.create", **ORDER)["retCode"] for _ in range(6)]
        assert codes == [0] * 10 + [10006]
        assert exchange.ledger.of("command")[-1].data["code"] == 10006
        assert exchange.count("order.create") == 11
        answer = trade.order("order.create-batch", request=[ORDER] * 10)  # a budget of its own
        assert answer["retCode"] == 0
        assert trade.order("order.create-batch", request=[ORDER])["retCode"] == 10006
        exchange.advance(1.0)
        assert trade.order("order.create", **ORDER)["header"]["X-Bapi-Limit-Status"] == "9"


def test_an_address_is_banned_for_ten_minutes() -> None:
    now = [0.0]
    limits = Limits(enabled=True, now=lambda: now[0])
    assert [limits.is_banned("a") for _ in range(CALLS_PER_ADDRESS + 1)] == [False] * CALLS_PER_ADDRESS + [True]
    assert not limits.is_banned("b")
    now[0] = BAN_SECS - 1
    assert limits.is_banned("a")
    now[0] = BAN_SECS + 1
    assert not limits.is_banned("a")


def test_a_steady_pace_below_the_limit_goes_on() -> None:
    now = [0.0]
    limits = Limits(enabled=True, now=lambda: now[0])
    for _ in range(100):
        now[0] += 0.11
        limits.use(1, "order.create")
    now[0] += 0.5
    left = limits.use(1, "order.create")
    assert 0 < left < 9
    limits.use(1, "order.create", left)
    with pytest.raises(RefusedError) as caught:
        limits.use(1, "order.create")
    assert caught.value.code == 10006
    assert limits.use(2, "order.create") == 9
