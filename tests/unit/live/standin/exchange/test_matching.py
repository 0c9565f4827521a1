"""Orders against the replayed book: a naive twin, and each rule by hand."""

import random
from dataclasses import dataclass
from typing import Any

import pytest

from fathom.market.events import Side, TradeFlag
from tests.unit.live.standin.desk import MID, Desk


@dataclass
class Twin:
    """One resting buy order, told in the plainest way: lots ahead, lots left, lots filled."""

    price: int
    left: int
    ahead: int
    filled: int = 0

    def fill(self, size: int) -> None:
        size = max(0, min(size, self.left))
        self.left, self.filled = self.left - size, self.filled + size

    def trade(self, side: Side, price: int, size: int) -> None:
        if side == Side.SELL and price < self.price:
            self.fill(size)  # nobody stands ahead at a price that was traded through
            self.ahead = 0
        elif side == Side.SELL and price == self.price:
            self.fill(size - self.ahead)
            self.ahead = max(0, self.ahead - size)

    def level(self, size: int) -> None:
        self.ahead = min(self.ahead, size)


@pytest.mark.parametrize("seed", range(20))
def test_a_resting_order_fills_as_its_naive_twin(seed: int) -> None:
    rng, desk = random.Random(seed), Desk()
    price = MID - rng.randrange(1, 4)
    order_id = desk.create("Buy", "0.9", price)
    twin = Twin(price, 900, 1000)
    for _ in range(60):
        if rng.random() < 0.6:
            side, at, size = rng.choice([Side.BUY, Side.SELL]), MID - rng.randrange(-3, 5), rng.randrange(1, 400)
            desk.trade(side, at, size)
            twin.trade(side, at, size)
        else:
            at, size = MID - rng.randrange(1, 6), rng.randrange(0, 1500)
            desk.book(bids={at: size})
            if at == price:
                twin.level(size)
        order = desk.account.orders[order_id]
        assert (order.filled, order.left) == (twin.filled, twin.left)
        if twin.left:
            assert order.ahead == twin.ahead
    assert desk.position() == twin.filled


@pytest.mark.parametrize("seed", range(20))
def test_a_taker_gets_the_best_of_what_is_left(seed: int) -> None:
    rng, desk = random.Random(seed), Desk(balance="10000000")
    left = {MID + n: 1000 for n in range(1, 6)}
    for _ in range(6):
        wanted, before = rng.randrange(1, 1500), len(desk.fills())
        desk.create("Buy", f"{wanted / 1000:.3f}", MID + rng.randrange(1, 6), timeInForce="IOC")
        limit = int(desk.account.orders[list(desk.account.orders)[-1]].price or 0)
        expected = []
        for price in sorted(left):
            size = min(left[price], wanted) if price <= limit else 0
            left[price] -= size
            wanted -= size
            expected += [(str(price), f"{size / 1000:.3f}", False)] if size else []
        assert desk.fills()[before:] == expected
    desk.book(asks={MID + 1: 500})  # the recording changes the level: it is there again
    desk.create("Buy", "0.500", MID + 1, timeInForce="IOC")
    assert desk.fills()[-1] == (str(MID + 1), "0.500", False)


def test_two_own_orders_share_a_trade_in_order_of_arrival() -> None:
    desk = Desk()
    first, second = (desk.create("Buy", "0.1", MID - 1) for _ in range(2))
    desk.trade(Side.SELL, MID - 1, 1150)
    assert (desk.status(first), desk.status(second)) == ("Filled", "PartiallyFilled")
    assert desk.account.orders[second].filled == 50


@pytest.mark.parametrize("flag", [TradeFlag.RPI, TradeFlag.BLOCK])
def test_trades_off_the_book_take_nothing_from_the_queue(flag: TradeFlag) -> None:
    desk = Desk()
    order = desk.create("Buy", "0.1", MID - 1)
    desk.trade(Side.SELL, MID - 1, 5000, flags=flag)
    assert (desk.status(order), desk.account.orders[order].ahead) == ("New", 1000)


def test_a_book_that_crosses_an_order_fills_it_as_maker_at_its_price() -> None:
    desk = Desk()
    order = desk.create("Buy", "0.1", MID - 2)
    desk.book(asks={MID - 3: 40})
    assert (desk.status(order), desk.fills()) == ("PartiallyFilled", [(str(MID - 2), "0.040", True)])


def test_post_only_that_would_take_is_cancelled_without_a_fill() -> None:
    desk = Desk()
    order = desk.account.orders[desk.create("Buy", "0.1", MID + 1, timeInForce="PostOnly")]
    assert (order.status, order.reject_reason) == ("Cancelled", "EC_PostOnlyWillTakeLiquidity")
    assert desk.status(desk.create("Buy", "0.1", MID, timeInForce="PostOnly")) == "New"
    assert not desk.fills()


def test_ioc_fok_and_market_leave_nothing_behind() -> None:
    desk = Desk(balance="10000000")
    ioc = desk.account.orders[desk.create("Buy", "1.5", MID + 1, timeInForce="IOC")]
    assert (ioc.status, ioc.filled, ioc.reject_reason) == ("Cancelled", 1000, "EC_NoImmediateQtyToFill")
    fok = desk.account.orders[desk.create("Buy", "1.5", MID + 2, timeInForce="FOK")]
    assert (fok.status, fok.filled) == ("Cancelled", 0)
    assert desk.status(desk.create("Buy", "1", MID + 2, timeInForce="FOK")) == "Filled"
    market = desk.account.orders[desk.create("Sell", "9")]
    assert (market.status, market.filled) == ("Cancelled", 5000)
    assert not desk.account.open


def test_a_conditional_order_waits_triggers_and_fills() -> None:
    desk = Desk()
    desk.trade(Side.BUY, MID + 1, 1)
    stop = desk.create("Sell", "0.1", triggerPrice=str(MID - 2), triggerDirection=2)
    desk.trade(Side.SELL, MID - 1, 1)
    assert desk.status(stop) == "Untriggered"
    desk.trade(Side.SELL, MID - 2, 1)
    states = [entry.data["orderStatus"] for entry in desk.ledger.of("order")]
    assert states == ["Untriggered", "Triggered", "Filled"]
    assert desk.position() == -100


def test_a_trigger_by_mark_price_follows_the_book() -> None:
    desk = Desk()
    args: dict[str, Any] = {"triggerPrice": str(MID + 3), "triggerDirection": 1, "triggerBy": "MarkPrice"}
    stop = desk.create("Buy", "0.1", **args)
    desk.trade(Side.BUY, MID + 9, 1)
    assert desk.status(stop) == "Untriggered"
    desk.book(bids={MID + 5: 10}, asks={MID + n: 0 for n in range(1, 6)} | {MID + 6: 500})
    assert desk.status(stop) == "Filled"


def test_a_limit_order_behind_a_trigger_rests_after_it() -> None:
    desk = Desk()
    desk.trade(Side.BUY, MID + 1, 1)
    order = desk.create("Sell", "0.1", MID + 4, triggerPrice=str(MID - 2), triggerDirection=2)
    desk.trade(Side.SELL, MID - 2, 1)
    assert (desk.status(order), desk.account.orders[order].ahead) == ("New", 1000)
