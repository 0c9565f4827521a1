"""Thresholds that keep to a number of series an hour."""

from functools import cache

import msgspec
import numpy as np
import pytest

from fathom.detectors import AlertKind, Surveillance, SurveillanceConfig
from fathom.detectors.book.pacing import STEP
from fathom.market.events import Flag
from tests.makers.random_market import random_market

_SECS = 900.0
_KINDS = {"spoofing": AlertKind.SPOOFING, "layering": AlertKind.LAYERING, "quote_stuffing": AlertKind.QUOTE_STUFFING}


def settings(most: float, threshold: float = 0.02, kinds: tuple[str, ...] = tuple(_KINDS)) -> SurveillanceConfig:
    # A series of its own for nearly every alert: what is limited are series.
    part = {"threshold": threshold, "series_ms": 1.0}
    config: dict[str, dict[str, float]] = {
        "spoofing": {"size_percentile": 60, "min_distance_ticks": 0, **part},
        "layering": {"min_levels": 2, "size_percentile": 55, **part},
        "quote_stuffing": {"warm_up_secs": 2, **part},
    }
    for kind in kinds:
        config[kind]["max_series_per_hour"] = most
    return msgspec.convert(config, SurveillanceConfig)


@cache
def market() -> np.ndarray:
    return random_market(5, seconds=_SECS)


def watched(config: SurveillanceConfig) -> tuple[np.ndarray, np.ndarray]:
    watch = Surveillance(config)
    return watch.update(market()), watch.snapshot()["watch.desk.pace"]


def series(alerts: np.ndarray, kind: str) -> int:
    return int(((alerts["kind"] == _KINDS[kind]) & (alerts["series"] == 1)).sum())


def test_without_a_limit_the_thresholds_stay() -> None:
    alerts, pace = watched(settings(0.0))
    assert pace.tolist() == [0.0, 0.0, 0.0]
    assert all(series(alerts, kind) > 60 for kind in _KINDS)


@pytest.mark.parametrize("kind", list(_KINDS))
@pytest.mark.parametrize("most", [60.0, 240.0])
def test_no_more_series_than_allowed_and_some_to_begin_with(kind: str, most: float) -> None:
    alerts, pace = watched(settings(most))
    held = float(pace[_KINDS[kind] - 1])
    found = series(alerts, kind)
    assert 0 < found <= most * _SECS / 3600 + held / STEP + 1e-6
    free, _ = watched(settings(0.0))
    assert found < series(free, kind)


def test_the_level_of_a_market_is_found() -> None:
    """Once the threshold has risen, the series come at the number allowed."""
    most = 600.0
    alerts, _ = watched(settings(most, kinds=("spoofing",)))
    begun = alerts["ts_init"][(alerts["kind"] == AlertKind.SPOOFING) & (alerts["series"] == 1)]
    secs = (begun - market()["ts_init"][0]) * 1e-9
    late = int((secs > _SECS / 2).sum())
    expected = most * _SECS / 2 / 3600
    assert 0.6 * expected < late < 1.4 * expected
    assert int((secs < 120.0).sum()) > 1.5 * most * 120 / 3600


@pytest.mark.parametrize("kind", list(_KINDS))
def test_what_is_raised_is_raised_without_a_limit_too(kind: str) -> None:
    # One kind limited: where a layering is not raised any more, its orders may be raised as spoofing.
    free, _ = watched(settings(0.0))
    paced, _ = watched(settings(240.0, kinds=(kind,)))
    same = ["side", "ts_init", "lots", "confidence"]
    mine, all_of_kind = (set(alerts[same][alerts["kind"] == _KINDS[kind]].tolist()) for alerts in (paced, free))
    assert mine < all_of_kind


def test_one_kind_does_not_hold_back_another() -> None:
    free, _ = watched(settings(0.0))
    alerts, pace = watched(settings(60.0, kinds=("quote_stuffing",)))
    assert pace[:2].tolist() == [0.0, 0.0]
    assert pace[2] > 0.0
    for kind in ("spoofing", "layering"):
        assert series(alerts, kind) == series(free, kind)


def test_a_silence_gives_back_what_was_asked_beyond_the_threshold() -> None:
    watch = Surveillance(settings(60.0))
    watch.update(market())
    before = watch.snapshot()["watch.desk.pace"]
    last = np.flatnonzero(market()["flags"] & Flag.LAST != 0)[-1]
    later = market()[last : last + 1].copy()
    later["ts_init"] += 600 * 10**9
    later["ts_event"] += 600 * 10**9
    watch.update(later)
    np.testing.assert_allclose(
        watch.snapshot()["watch.desk.pace"], np.maximum(before - STEP * 60.0 / 6, 0.0), atol=2 * STEP
    )
    assert (before > STEP * 10).all()
