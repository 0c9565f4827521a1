"""What makes a withdrawn order a bait, and what does not, on streams made by hand."""

import numpy as np
import pytest

from fathom.detectors import AlertKind
from fathom.market.events import Side, TradeFlag
from tests.makers.hand_made import MID, MS, HandMade, settings, weighed

BAIT = MID + 10  # an ask, nine ticks from the touch
LOTS = 200


def bait(market: HandMade, *, benefit: bool = True, stand: int = 4) -> None:
    """Place a large ask, hit the bids while it stands, withdraw it, and go on."""
    market.message(asks={BAIT: 10 + LOTS})
    for n in range(stand):
        if benefit and n == stand - 1:
            market.trade(Side.SELL, MID, 60)
        market.quiet(1)
    market.message(asks={BAIT: 10})
    market.quiet()


@pytest.mark.parametrize("step_ms", [20, 100, 200])
def test_a_bait_with_benefit_is_told_with_its_life_as_an_interval(step_ms: int) -> None:
    market = HandMade(step_ms).calm()
    placed = market.now + step_ms * MS
    bait(market)
    alerts, watch = market.watched()
    (alert,) = alerts
    assert (alert["kind"], alert["side"], alert["levels"], alert["series"]) == (AlertKind.SPOOFING, Side.SELL, 1, 1)
    assert (alert["price_low"], alert["price_high"], alert["lots"], alert["distance"]) == (BAIT, BAIT, LOTS, 9)
    assert alert["placed"] == placed
    removed = placed + 5 * step_ms * MS
    assert alert["removed"] == removed
    # It came after the message before the first that showed it, and went after the last that showed it.
    assert (alert["life_low"], alert["life_high"]) == (4 * step_ms * MS, 6 * step_ms * MS)
    assert alert["ts_init"] == removed + step_ms * MS  # a trade may come late: judged one message later
    assert alert["size_ratio"] > 10
    assert alert["confidence"] > 0.5
    assert watch.lost_alerts == 0


def test_the_mirror_image_is_a_bid() -> None:
    market = HandMade().calm()
    market.message(bids={MID - 9: 10 + LOTS})
    market.trade(Side.BUY, MID + 1, 60)
    market.quiet(1)
    market.message(bids={MID - 9: 10})
    market.quiet()
    (alert,) = market.watched()[0]
    assert (alert["side"], alert["price_low"], alert["distance"]) == (Side.BUY, MID - 9, 9)


def test_without_benefit_it_is_weighed_and_not_told() -> None:
    market = HandMade().calm()
    bait(market, benefit=False)
    alerts, watch = market.watched()
    assert len(alerts) == 0
    (evidence,) = weighed(watch, BAIT, LOTS)
    assert evidence["benefit"] < 0
    assert evidence["dominance"] == LOTS / (LOTS + 10)


def test_an_order_that_traded_was_no_bait() -> None:
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.trade(Side.SELL, MID, 60)
    market.trade(Side.BUY, BAIT, LOTS)
    market.message(asks={BAIT: 10})
    market.quiet()
    assert weighed(market.watched()[1], BAIT, LOTS) == []


def test_an_order_that_traded_in_part_was_no_bait() -> None:
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.trade(Side.BUY, BAIT, 60)
    market.message(asks={BAIT: 10 + LOTS - 60})
    market.message(asks={BAIT: 10})
    market.quiet()
    assert weighed(market.watched()[1], BAIT, LOTS) == []


@pytest.mark.parametrize(("late_ms", "found"), [(0, 0), (5, 0), (-5, 1)])
def test_a_late_trade_explains_what_the_message_before_showed(late_ms: int, found: int) -> None:
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.message(asks={BAIT: 10})
    # Late: told after the message, but it happened before. A trade that happened after it took something else.
    market.trade(Side.BUY, BAIT, LOTS, late_ms=late_ms)
    market.quiet()
    assert len(weighed(market.watched()[1], BAIT, LOTS)) == found


def test_an_order_that_left_a_limited_depth_is_not_withdrawn() -> None:
    def watched(shown: dict[int, int]) -> int:
        market = HandMade()
        market.snapshot(levels=30)
        for n in range(100):
            market.message(asks={MID + 1 + d: 10 + (7 * n + 3 * d) % 10 for d in range(n % 3, 30, 3)})
        market.message(asks={MID + 30: 10 + LOTS})
        market.message(asks={**shown, MID + 30: 0})
        market.quiet()
        log, _ = market.watched(settings(depth=30))[1].candidates()
        return int((log["lots"] >= LOTS - 10).sum())

    assert watched({MID: 10, MID + 31: 10}) == 1  # the next level moved up: it is gone
    assert watched({MID: 10}) == 0  # a better level came: it may stand on, out of sight
    assert watched({}) == 1  # there was room: it is gone


def test_an_rpi_trade_explains_a_drop_and_is_no_taking() -> None:
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.trade(Side.BUY, BAIT, LOTS, flags=TradeFlag.RPI)
    market.message(asks={BAIT: 10})
    market.quiet()
    assert weighed(market.watched()[1], BAIT, LOTS) == []

    # Told after the message that showed the drop.
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.message(asks={BAIT: 10})
    market.trade(Side.BUY, BAIT, LOTS, flags=TradeFlag.RPI, late_ms=1)
    market.quiet()
    assert weighed(market.watched()[1], BAIT, LOTS) == []

    # What an RPI order gave does not benefit whoever stands behind a bait: it met no visible bid.
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.trade(Side.SELL, MID, 60, flags=TradeFlag.RPI)
    market.message(asks={BAIT: 10})
    market.quiet()
    (evidence,) = weighed(market.watched()[1], BAIT, LOTS)
    assert evidence["benefit"] < 0.1


@pytest.mark.parametrize(("before", "found"), [(0, 0), (1, 0), (2, 1), (9, 1)])
def test_an_rpi_trade_of_long_ago_explains_nothing(before: int, found: int) -> None:
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.trade(Side.BUY, BAIT, LOTS, flags=TradeFlag.RPI)
    market.quiet(before)
    market.message(asks={BAIT: 10})
    # One lot more, late, must not bring the old ones back.
    market.trade(Side.BUY, BAIT, 1, flags=TradeFlag.RPI, late_ms=1)
    market.quiet()
    assert len(weighed(market.watched()[1], BAIT, LOTS)) == found


def test_rpi_trades_of_many_messages_do_not_add_up() -> None:
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    for _ in range(20):
        market.trade(Side.BUY, BAIT, LOTS // 20, flags=TradeFlag.RPI)
        market.quiet(1)
    market.message(asks={BAIT: 10})
    market.quiet()
    assert len(weighed(market.watched()[1], BAIT, LOTS)) == 1


def test_a_print_inside_the_public_spread_is_no_anomaly() -> None:
    market = HandMade().calm()
    market.message(bids={MID: 0})
    market.quiet(60)
    calm = market.watched()[1].rpi
    market.trade(Side.SELL, MID, 7, flags=TradeFlag.RPI)
    alerts, watch = market.watched()
    rpi = watch.rpi
    assert len(alerts) == 0
    assert (calm.hidden_cross, calm.inside, calm.rpi_trades, calm.share) == (False, 0, 0, 0.0)
    assert (rpi.hidden_cross, rpi.inside, rpi.inside_rpi, rpi.rpi_trades) == (True, 1, 1, 1)
    assert rpi.trades == calm.trades + 1
    assert rpi.share == pytest.approx(7 / (100 + 7), rel=0.1)
    market.quiet(2)
    market.trade(Side.SELL, MID - 1, 1)
    assert market.watched()[1].rpi.hidden_cross is False


def test_a_block_trade_says_nothing() -> None:
    market = HandMade().calm()
    before = market.watched()[1].rpi
    market.trade(Side.BUY, BAIT, 10_000, flags=TradeFlag.BLOCK)
    bait(market, benefit=False)
    alerts, watch = market.watched()
    assert watch.rpi == before
    assert len(alerts) == 0


def test_an_iceberg_is_not_withdrawn() -> None:
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    for _ in range(5):
        market.trade(Side.BUY, BAIT, LOTS)
        market.message(asks={BAIT: 10})  # eaten
        market.message(asks={BAIT: 10 + LOTS})  # the next tip
        market.trade(Side.BUY, BAIT, LOTS)
        market.message(asks={BAIT: 10 + LOTS})  # eaten and shown again in one message
    alerts, watch = market.watched()
    assert len(alerts) == 0
    assert weighed(watch, BAIT, LOTS) == []


def test_a_flicker_of_usual_size_is_not_told() -> None:
    market = HandMade().calm()
    for n in range(60):
        market.message(asks={BAIT: 10 + 9 * (n % 2)})
        market.trade(Side.SELL, MID, 60 if n % 10 == 0 else 1)
    assert len(market.watched()[0]) == 0


@pytest.mark.parametrize("same_message", [True, False])
def test_a_quote_that_moved_is_not_told(same_message: bool) -> None:
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.trade(Side.SELL, MID, 60)
    if same_message:
        market.message(asks={BAIT: 10, BAIT + 1: 10 + LOTS - 5})
    else:
        market.message(asks={BAIT: 10})
        market.message(asks={BAIT + 1: 10 + LOTS + 5})
    market.quiet()
    alerts, watch = market.watched()
    assert len(alerts) == 0
    (evidence,) = weighed(watch, BAIT, LOTS)
    assert evidence["moved"] == 1.0


def test_a_change_said_in_two_rows_is_no_withdrawal() -> None:
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.trade(Side.SELL, MID, 60)
    market.now += 20 * MS
    market._send([(Side.SELL, BAIT, 0), (Side.SELL, BAIT, 10 + LOTS)], 0)
    market.quiet()
    assert len(market.watched()[0]) == 0


def test_a_snapshot_in_mid_stream_withdraws_nothing() -> None:
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.trade(Side.SELL, MID, 60)
    market.snapshot()
    market.quiet()
    alerts, watch = market.watched()
    assert len(alerts) == 0
    assert weighed(watch, BAIT, LOTS) == []
    # Withdrawn in the last message before it: what decides would be in the message that never came.
    market = HandMade().calm()
    market.message(asks={BAIT: 10 + LOTS})
    market.trade(Side.SELL, MID, 60)
    market.message(asks={BAIT: 10})
    market.snapshot()
    market.quiet()
    assert weighed(market.watched()[1], BAIT, LOTS) == []


def test_like_baits_make_a_series_until_it_is_over() -> None:
    market = HandMade().calm()
    for _ in range(3):
        bait(market)
        market.quiet(20)
    market.seconds(11)
    market.quiet()
    bait(market)
    market.message(asks={BAIT: 10 + 9 * LOTS})
    market.trade(Side.SELL, MID, 60)
    market.message(asks={BAIT: 10})
    market.quiet()
    alerts = market.watched()[0]
    assert alerts["series"].tolist() == [1, 2, 3, 1, 1]  # the last is of another size
    assert alerts["recurrence"][0] == 0.0
    assert (np.diff(alerts["recurrence"][:3]) > 0).all()
    # Each of the like orders before counts by its suspicion, so for one at most.
    assert 0.1 < alerts["recurrence"][1] < 1.0
    assert alerts["recurrence"][2] < 2.0


def test_nearer_than_the_least_distance_orders_are_there_to_trade() -> None:
    market = HandMade().calm()
    market.message(asks={MID + 1: 10 + LOTS})
    market.trade(Side.SELL, MID, 60)
    market.message(asks={MID + 1: 10})
    market.quiet()
    assert weighed(market.watched()[1], MID + 1, LOTS) == []


def test_a_book_of_one_side_and_a_crossed_book_are_read() -> None:
    market = HandMade().calm()
    market.message(bids={MID - d: 0 for d in range(40)})
    market.message(asks={BAIT: 10 + LOTS})
    market.message(asks={BAIT: 10})
    market.quiet()
    market.message(bids={MID + 5: 10})  # crosses the asks from MID + 1 on
    market.message(asks={BAIT: 10 + LOTS})
    market.message(asks={BAIT: 10})
    market.quiet()
    alerts, watch = market.watched()
    assert len(alerts) == 0
    assert len(weighed(watch, BAIT, LOTS)) == 2


def test_a_clock_that_steps_back_leaves_the_evidence_finite() -> None:
    market = HandMade().calm()
    bait(market)
    first = len(market.rows)
    bait(market)
    for n in range(first, len(market.rows)):
        row = list(market.rows[n])
        row[0] -= 3_600_000 * MS
        market.rows[n] = tuple(row)
    alerts, watch = market.watched()
    assert len(alerts) == 2
    assert np.isfinite(watch.candidates()[1]).all()
    assert np.isfinite(alerts["confidence"]).all()
    assert (alerts["life_low"] <= alerts["life_high"]).all()
