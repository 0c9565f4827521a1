"""Layers built and withdrawn together, and what falls short of it, on streams made by hand."""

import msgspec
import pytest

from fathom.detectors import AlertKind
from fathom.market.events import Side
from tests.makers.hand_made import LAYERING, MID, MS, HandMade, settings

LOTS = 120


def layers(
    market: HandMade,
    ticks: tuple[int, ...],
    *,
    build_ms: int = 0,
    withdraw_ms: int = 0,
    traded: tuple[int, ...] = (),
    benefit: int = 60,
    later: bool = False,
) -> None:
    """Place asks at these ticks above the touch, one a message where it takes time, and withdraw them."""

    def spread(sizes: dict[int, int], over_ms: int) -> None:
        if not over_ms:
            market.message(asks=sizes)
            return
        for price, size in sizes.items():
            market.message(asks={price: size})
            market.now += (over_ms // (len(sizes) - 1) - market.step_ms) * MS

    # Sizes grow from layer to layer: none of them looks like another one that moved.
    spread({MID + 1 + d: 10 + LOTS + 40 * n for n, d in enumerate(ticks)}, build_ms)
    market.quiet(2)
    if benefit:
        market.trade(Side.SELL, MID, benefit)
    for d in traded:
        market.trade(Side.BUY, MID + 1 + d, LOTS + 40 * ticks.index(d))
    spread({MID + 1 + d: 10 for d in ticks}, withdraw_ms)
    market.quiet()


def test_layers_with_benefit_are_told_once_and_not_as_spoofing_too() -> None:
    market = HandMade().calm()
    layers(market, (3, 5, 7, 9, 11))
    (alert,) = market.watched()[0]
    assert (alert["kind"], alert["side"], alert["levels"]) == (AlertKind.LAYERING, Side.SELL, 5)
    assert (alert["price_low"], alert["price_high"], alert["distance"]) == (MID + 4, MID + 12, 3)
    assert alert["lots"] == 5 * LOTS + 40 * (1 + 2 + 3 + 4)
    assert (alert["life_low"], alert["life_high"]) == (40 * MS, 80 * MS)


def layering_alerts(market: HandMade, **changes: float) -> int:
    config = msgspec.structs.replace(settings(), layering=msgspec.structs.replace(LAYERING, **changes))
    return int((market.watched(config)[0]["kind"] == AlertKind.LAYERING).sum())


@pytest.mark.parametrize(("ticks", "found"), [((3, 5, 7, 9, 11), 1), ((3, 5, 7, 9), 0)])
def test_fewer_levels_are_no_layers(ticks: tuple[int, ...], found: int) -> None:
    market = HandMade().calm()
    layers(market, ticks)
    assert layering_alerts(market) == found


@pytest.mark.parametrize(("build_ms", "withdraw_ms", "found"), [(400, 0, True), (900, 0, False), (0, 900, False)])
def test_layers_are_built_and_withdrawn_within_a_time(build_ms: int, withdraw_ms: int, found: bool) -> None:
    market = HandMade().calm()
    layers(market, (3, 5, 7, 9, 11), build_ms=build_ms, withdraw_ms=withdraw_ms)
    assert (layering_alerts(market) > 0) == found


@pytest.mark.parametrize(("reach", "found"), [(11, 1), (36, 0)])
def test_layers_lie_within_a_band(reach: int, found: int) -> None:
    market = HandMade().calm()
    layers(market, (3, 5, 7, 9, reach))
    # 2.5 bps of the mid: 25 ticks. No two of them may be farther apart.
    assert layering_alerts(market, band_bps=2.5) == found


def test_layers_around_an_anchor_do_not_make_the_band_twice_as_wide() -> None:
    market = HandMade().calm()
    # 2.5 bps are 25 ticks. The touch falls by twelve: what is then placed lies within 25 ticks of it, and of the anchor
    # in the middle, not of the farthest.
    market.message(asks={MID + 1 + d: 10 + LOTS + 40 * n for n, d in enumerate((17, 21, 24))})
    market.message(bids={MID - d: 0 for d in range(12)}, asks={MID - 11: 10})
    market.message(asks={MID - 11 + d: 10 + LOTS + 40 * n for n, d in enumerate((6, 7), start=3)})
    market.trade(Side.SELL, MID - 12, 60)
    market.quiet(2)
    market.message(asks={MID + 1 + d: 10 for d in (17, 21, 24)} | {MID - 11 + d: 0 for d in (6, 7)})
    market.quiet()
    assert layering_alerts(market, band_bps=2.5) == 0
    assert layering_alerts(market, band_bps=4.0) == 1


def test_layers_that_traded_are_no_layers() -> None:
    market = HandMade().calm()
    layers(market, (3, 5, 7, 9, 11), traded=(3, 5))
    assert layering_alerts(market) == 0


def test_layers_without_benefit_are_not_told() -> None:
    market = HandMade().calm()
    layers(market, (3, 5, 7, 9, 11), benefit=0)
    assert layering_alerts(market) == 0


def test_layers_that_only_moved_are_not_told() -> None:
    market = HandMade().calm()
    ticks = (3, 6, 9, 12, 15)
    placed = {MID + 1 + d: 10 + LOTS + 40 * n for n, d in enumerate(ticks)}
    market.message(asks=placed)
    market.trade(Side.SELL, MID, 60)
    market.message(asks=dict.fromkeys(placed, 10) | {price + 1: size for price, size in placed.items()})
    market.quiet()
    assert len(market.watched()[0]) == 0


def test_clusters_before_count_as_recurrence() -> None:
    market = HandMade().calm()
    for _ in range(3):
        layers(market, (3, 5, 7, 9, 11))
        market.quiet(40)
    alerts = market.watched()[0]
    assert alerts["series"].tolist() == [1, 2, 3]
    assert alerts["recurrence"][0] == 0.0 < alerts["recurrence"][1] < alerts["recurrence"][2]
