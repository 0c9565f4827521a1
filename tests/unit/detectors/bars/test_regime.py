import itertools

import numpy as np
import pytest

from fathom.detectors import Bar, Regime, RegimeConfig, RegimeLabel, bars_of
from fathom.detectors.bars.detector import CLOSE
from tests.makers.bar_cases import upside_down, walk
from tests.twins.naive_detectors import naive_posteriors


def test_confidence_is_the_probability_of_the_label() -> None:
    config = RegimeConfig(scale_span=200)
    bars = walk(600, seed=2)
    readings = Regime(config).update_many(bars)
    seen = set()
    for reading, p in zip(readings, naive_posteriors(bars[:, CLOSE], config), strict=True):
        label = int(reading[0])
        seen.add(label)
        if p is None:
            assert label == 0
            assert np.isnan(reading[1])
        elif label:
            also = {RegimeLabel.VOLATILE: p[5], RegimeLabel.RANGE: p[6]}
            mine = p[label - 1] + also.get(RegimeLabel(label), 0.0)
            assert reading[1] == pytest.approx(mine, rel=1e-8, abs=1e-12)
    assert len(seen) >= 4


def test_the_pause_has_hysteresis_over_the_probability_of_a_shock() -> None:
    config = RegimeConfig(scale_span=200)
    bars = walk(600, seed=3)
    pause, expected = False, []
    for p in naive_posteriors(bars[:, CLOSE], config):
        if p is not None:
            shock = p[4] + p[5]
            pause = shock >= config.pause_leave if pause else shock >= config.pause_enter
        expected.append(pause)
    assert Regime(config).update_many(bars)[:, 2].astype(bool).tolist() == expected
    assert any(expected)


def test_a_mirrored_price_swaps_the_trends_and_pauses_alike() -> None:
    bars = walk(3000, seed=4)
    here = Regime().update_many(bars)
    there = Regime().update_many(upside_down(bars))
    np.testing.assert_array_equal(here[:, 2], there[:, 2])
    # A crash mirrored is VOLATILE by name; where neither says so the labels are swapped exactly.
    calm = ~np.isin(here[:, 0], [4, 5]) & ~np.isin(there[:, 0], [4, 5])
    swap = np.array([0, 2, 1, 3, 4, 5])
    agree = swap[here[calm, 0].astype(int)] == there[calm, 0]
    assert agree.mean() > 0.97
    assert set(here[calm, 0]) >= {1, 2, 3}


@pytest.mark.parametrize(
    ("drift", "spread", "label"),
    [
        (1.0, 1.0, RegimeLabel.TREND_UP),
        (-1.0, 1.0, RegimeLabel.TREND_DOWN),
        (0.0, 0.6, RegimeLabel.RANGE),
        (0.0, 3.0, RegimeLabel.VOLATILE),
        (-3.0, 2.0, RegimeLabel.CRASH),
    ],
)
def test_each_spell_gets_its_name(drift: float, spread: float, label: RegimeLabel) -> None:
    rng = np.random.default_rng(8)
    steps = rng.normal(size=700)
    steps[600:] = drift + spread * steps[600:]
    readings = Regime().update_many(bars_of(np.cumsum(steps)))
    assert (readings[625:, 0] == label).mean() > 0.8
    if label is RegimeLabel.CRASH:
        assert readings[610:, 2].all()


def test_a_name_is_kept_for_the_least_number_of_bars() -> None:
    config = RegimeConfig(min_bars=12)
    labels = Regime(config).update_many(walk(5000, seed=9))[:, 0]
    changes = np.flatnonzero(np.diff(labels)) + 1
    quick = [labels[b] for a, b in itertools.pairwise(changes) if b - a < 12]
    assert all(label == RegimeLabel.CRASH for label in quick)


def test_the_warm_up_has_no_opinion() -> None:
    detector = Regime(RegimeConfig(warm_up=10))
    readings = [detector.update(Bar(x, x, x)) for x in (1.0, 2.0, 1.0, 2.0, 3.0)]
    assert {r.regime for r in readings} == {RegimeLabel.UNKNOWN}
    assert not any(r.auto_pause for r in readings)


def test_a_walk_of_the_usual_spread_is_no_trend() -> None:
    """Where every bar is as wide as in a trend, a trend must still show by its drift."""
    config = RegimeConfig(trend_drift=0.25, range_scale=0.4, stay_bars=130.0)
    bars = bars_of(np.cumsum(np.random.default_rng(12).normal(size=20_000)))
    labels = Regime(config).update_many(bars)[1_000:, 0]
    assert np.isin(labels, [RegimeLabel.TREND_UP, RegimeLabel.TREND_DOWN]).mean() < 0.15
    assert (labels == RegimeLabel.RANGE).mean() > 0.8


@pytest.mark.parametrize("freedom", [6.0, 1_000.0])
@pytest.mark.parametrize("size", [400.0, 1e9])
def test_a_move_beyond_all_densities_is_a_shock_and_not_the_end(freedom: float, size: float) -> None:
    steps = np.random.default_rng(3).normal(size=600)
    for sign in (-1.0, 1.0):
        jump = steps.copy()
        jump[300] = sign * size
        readings = Regime(RegimeConfig(freedom=freedom)).update_many(bars_of(np.cumsum(jump)))
        assert np.isfinite(readings[100:, 1]).all()
        if freedom > 100.0:  # many degrees of freedom: one such move says all
            assert readings[301, 0] in (RegimeLabel.VOLATILE, RegimeLabel.CRASH)
        assert readings[-1, 0] not in (RegimeLabel.UNKNOWN, RegimeLabel.CRASH)


def test_a_pause_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected pause_leave up to pause_enter \(0.1\), was 0.5"):
        RegimeConfig(pause_enter=0.1, pause_leave=0.5)
