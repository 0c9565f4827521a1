"""The manipulation filter: alerts count against the side they push for, while they live."""

import pytest

from fathom.data_catalog.messages.signals import Side
from fathom.strategies.policy.manipulation import Alert, ManipulationConfig, ManipulationFilter

SECOND = 1_000_000_000


def watch(*alerts: Alert, **settings: object) -> ManipulationFilter:
    found = ManipulationFilter(ManipulationConfig(**{"action": "block", "live_secs": 10.0, **settings}))  # type: ignore[arg-type]
    for alert in alerts:
        found.note(alert)
    return found


def alert(side: str, at: float = 0.0, confidence: float = 0.9, name: str = "a") -> Alert:
    return Alert(side, round(at * SECOND), confidence, "SPOOFING", name)


@pytest.mark.parametrize(
    ("fake", "side", "outcome"),
    [
        *(("BUY", "BUY", "blocked"), ("BUY", "SELL", "passed"), ("SELL", "SELL", "blocked")),
        *(("SELL", "BUY", "passed"), ("NONE", "BUY", "passed"), ("NONE", "SELL", "passed")),
    ],
)
def test_fake_orders_count_against_the_side_that_they_push_for(fake: str, side: Side, outcome: str) -> None:
    assert watch(alert(fake)).judge(side, 1.0, now_ns=SECOND).outcome == outcome


def test_an_alert_without_a_side_counts_against_both_where_configured() -> None:
    for side in ("BUY", "SELL"):
        assert watch(alert("NONE"), any_side=True).judge(side, 1.0, now_ns=0).outcome == "blocked"


def test_an_alert_lives_to_the_nanosecond() -> None:
    found = watch(alert("BUY"))
    assert found.judge("BUY", 1.0, now_ns=10 * SECOND).outcome == "blocked"
    assert found.judge("BUY", 1.0, now_ns=10 * SECOND + 1).outcome == "passed"
    assert found.alerts == []


def test_the_surest_live_alert_decides() -> None:
    found = watch(alert("BUY", 0.0, 0.95, "old"), alert("BUY", 5.0, 0.7, "new"), alert("BUY", 6.0, 0.4, "faint"))
    assert found.judge("BUY", 1.0, now_ns=7 * SECOND).trace_id == "old"
    assert found.judge("BUY", 1.0, now_ns=12 * SECOND).trace_id == "new"
    assert found.judge("BUY", 1.0, now_ns=16 * SECOND).outcome == "passed"  # the faint one is under the least


def test_scaling_multiplies_by_what_the_alert_leaves_and_blocks_under_the_least() -> None:
    found = watch(alert("SELL", 0.0, 0.75), action="scale")
    verdict = found.judge("SELL", 0.6, now_ns=0)
    assert verdict.outcome == "scaled"
    assert verdict.weight == pytest.approx(0.15)
    verdict = watch(alert("SELL", 0.0, 0.75), action="scale", least_weight=0.2).judge("SELL", 0.6, now_ns=0)
    assert (verdict.outcome, verdict.weight) == ("blocked", 0.0)
    assert "weight 0.15 under 0.20" in verdict.reason


def test_off_is_off() -> None:
    assert watch(alert("BUY"), action="off").judge("BUY", 0.3, now_ns=0) == ("off", 0.3, "", "")
