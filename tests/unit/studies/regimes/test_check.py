"""How regimes and waves are held against known states: the counting, and that fitting helps on other seeds."""

import msgspec
import numpy as np
import pytest

from fathom.detectors import RegimeConfig, RegimeLabel
from fathom.detectors.bars.detector import bars_of
from fathom.detectors.bars.elliott_wave import ElliottWave
from fathom.detectors.bars.regime import Regime
from fathom.studies.regimes.check import (
    STATES,
    WANTED,
    LabelledBars,
    _races,
    check_regimes,
    check_waves,
    fit_regimes,
)

DRIFT = {"flat": 0.0, "trend_up": 0.4, "trend_down": -0.4, "volatile": 0.0, "crash": -4.0, "rebound": 4.0}
SPREAD = {"flat": 0.4, "trend_up": 1.0, "trend_down": 1.0, "volatile": 2.0, "crash": 3.0, "rebound": 3.0}


def market(seed: int, spells: int = 40) -> LabelledBars:
    rng = np.random.default_rng(seed)
    names = ["trend_up", *rng.choice(STATES, spells, p=[0.25, 0.2, 0.2, 0.2, 0.1, 0.05])]
    lengths = [15 if name in ("crash", "rebound") else 80 for name in names]
    moves = np.concatenate([rng.normal(DRIFT[str(n)], SPREAD[str(n)], k) for n, k in zip(names, lengths, strict=True)])
    states = np.repeat([STATES.index(str(name)) for name in names], lengths)
    return LabelledBars(bars_of(10_000 + np.cumsum(moves)), states)


def test_every_bar_is_counted_once_under_its_name() -> None:
    markets = [market(1), market(2)]
    report = check_regimes(markets)
    want = np.zeros((len(STATES), len(RegimeLabel)), np.int64)
    paused = np.zeros(len(STATES))
    for one in markets:
        readings = Regime().update_many(one.bars)
        for state, reading in zip(one.states, readings, strict=True):
            want[state, int(reading[0])] += 1
            paused[state] += reading[2]
    np.testing.assert_array_equal(report.confusion, want)
    np.testing.assert_allclose(report.pause, paused / want.sum(axis=1))
    for state, label in enumerate(WANTED):
        assert report.recall[state] == want[state, label] / want[state].sum()
    assert report.balanced == pytest.approx(np.mean(report.recall))
    assert ((report.delay_bars >= 0) & (report.delay_bars < 80)).all()
    assert ((report.named > 0) & (report.named <= 1)).all()


def test_a_state_that_was_not_there_counts_for_nothing() -> None:
    bars = market(3)
    calm = LabelledBars(bars.bars, np.zeros(len(bars.bars), np.int64))
    report = check_regimes([calm])
    assert np.isnan(report.recall[1:]).all()
    assert report.balanced == report.recall[0]


def test_fitted_thresholds_are_better_on_other_seeds() -> None:
    known, other = [market(seed) for seed in range(4)], [market(seed) for seed in range(10, 14)]
    fitted = fit_regimes(known, trials=80)
    assert check_regimes(other, fitted).balanced > check_regimes(other, RegimeConfig()).balanced + 0.03
    assert fitted == fit_regimes(known, trials=80)
    assert msgspec.convert(msgspec.to_builtins(fitted), RegimeConfig) == fitted


def test_no_count_is_past_its_own_invalidation() -> None:
    report = check_waves([market(seed) for seed in range(6)])
    assert report.broken == 0
    assert report.counted > 0.9 * report.bars
    assert 0 < report.with_trend <= report.trend_bars


def test_waves_of_a_random_walk_lose_half_of_their_races() -> None:
    rng = np.random.default_rng(8)
    walks = [
        LabelledBars(bars_of(np.cumsum(rng.normal(size=20_000)) + 1e5), np.zeros(20_000, np.int64)) for _ in range(6)
    ]
    report = check_waves(walks)
    assert report.races > 300
    assert abs(report.lost_share - 0.5) < 4 * report.error


def test_a_race_ends_where_the_price_reaches_an_end() -> None:
    bars = bars_of(np.array([100.0, 101, 102, 99, 95, 94, 104, 108, 112]))
    readings = np.full((9, 5), np.nan)
    readings[:, :2] = 0.0
    readings[1, [0, 1, 3]] = 3, 1, 98.0  # from 101: lost at 98, won at 104
    readings[2:, [0, 1, 3]] = 3, 1, 98.0
    assert _races(bars, readings) == (1, 1)
    readings[5:, [0, 1, 3]] = 5, 1, 90.0  # from 94: won at 98
    assert _races(bars, readings) == (2, 1)


def test_the_wave_report_reads_the_detector() -> None:
    one = market(5)
    readings = ElliottWave().update_many(one.bars)
    report = check_waves([one])
    assert report.bars == len(one.bars)
    assert report.counted == int((readings[:, 0] > 0).sum())
