"""Bursts of changes against the instrument's own rate, on streams made by hand."""

import pytest

from fathom.detectors import AlertKind, QuoteStuffingConfig, SurveillanceConfig
from tests.makers.hand_made import MID, STUFFING, HandMade, settings

CHANGES = 150


def rate(market: HandMade, messages: int, changes: int) -> None:
    """Let messages pass that change this many levels, to and fro."""
    for n in range(messages):
        market.message(asks={MID + 50 + k: 10 + (n + k) % 2 for k in range(changes)})


def stuffing(market: HandMade, config: SurveillanceConfig | None = None) -> list[int]:
    alerts = market.watched(config)[0]
    return [int(alert["series"]) for alert in alerts if alert["kind"] == AlertKind.QUOTE_STUFFING]


@pytest.mark.parametrize("usual", [3, 20])
def test_a_burst_far_above_the_own_rate_is_told(usual: int) -> None:
    market = HandMade(step_ms=50)
    rate(market, 400, usual)
    assert stuffing(market) == []
    rate(market, 10, 40 * usual)
    series = stuffing(market)
    assert series == list(range(1, len(series) + 1))
    assert series


def test_a_busy_instrument_is_not_stuffed() -> None:
    market = HandMade(step_ms=50)
    rate(market, 400, 120)
    rate(market, 10, 130)
    assert stuffing(market) == []


def test_nothing_is_told_before_the_usual_rate_is_known() -> None:
    market = HandMade(step_ms=50)
    rate(market, 100, 3)
    rate(market, 10, 120)
    assert stuffing(market) == []
    early = QuoteStuffingConfig(warm_up_secs=2.0, threshold=0.5, weights=STUFFING.weights)
    assert stuffing(market, SurveillanceConfig(quote_stuffing=early)) != []


@pytest.mark.parametrize("gap_secs", [5.0, 60.0, 7200.0])
def test_after_a_gap_the_usual_rate_is_what_it_was(gap_secs: float) -> None:
    market = HandMade(step_ms=50)
    rate(market, 400, 20)
    market.seconds(gap_secs)
    market.snapshot(levels=100)
    rate(market, 1200, 20)
    assert stuffing(market) == []
    rate(market, 10, 1600)
    assert stuffing(market) != []


def test_a_snapshot_is_no_burst() -> None:
    market = HandMade(step_ms=50)
    rate(market, 400, 3)
    market.snapshot(levels=1000)
    market.quiet()
    assert stuffing(market) == []


def test_an_alert_tells_changes_and_lots_of_the_burst() -> None:
    market = HandMade(step_ms=50)
    rate(market, 400, 3)
    rate(market, 1, CHANGES)
    (alert,) = market.watched(settings())[0]
    assert alert["levels"] == pytest.approx(CHANGES + 3 * 10, rel=0.05)  # those of half a second before, fading
    assert alert["side"] == 0
    assert alert["ts_init"] == market.now
