"""What the simulated markets are for: `null` gives nothing away, `edge` gives what it says and no more."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.data_catalog.simulation.kinds import Channel
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.moves import tick_bps
from fathom.data_catalog.simulation.optimum import optimum
from tests.makers.simulated_features import (
    FEATURES,
    grid_features,
    merged,
    rank_correlations,
    ranks,
    shifted_correlations,
    simulate_arrays,
)

SEEDS = (1, 2, 3, 4, 5)
HORIZONS = (1, 5, 10, 50, 100, 300)  # in grid steps of 100 ms
SHIFTS = 99
SECS = 1500.0


def scenario_path(project: Path, name: str) -> Path:
    return project / "configs" / "simulation" / f"{name}.toml"


@pytest.fixture(scope="module")
def null_runs() -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    config = load_scenario(scenario_path(Path(__file__).resolve().parents[2], "null"), ["feed.depth=200"])
    runs = []
    for seed in SEEDS:
        book, trades, _ = simulate_arrays(config, seed, SECS)
        runs.append(grid_features(merged(book, trades), 0.1, 50))
    return runs


def test_nothing_predicts_the_mid_of_null(null_runs: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> None:
    # The largest of all standardised rank correlations, against the same largest after turning the outcomes in time.
    rng = np.random.default_rng(0)
    found, turned = [], []
    for steps in HORIZONS:
        actual, by_chance = np.zeros(len(FEATURES)), np.zeros((SHIFTS, len(FEATURES)))
        for features, mids in null_runs:
            x, y = features[:-steps], mids[steps:] - mids[:-steps]
            shifts = rng.integers(600, len(y) - 600, SHIFTS)
            actual = actual + rank_correlations(x, y)
            by_chance = by_chance + shifted_correlations(x, y, shifts.tolist())
        spread = np.asarray(by_chance).std(axis=0)
        found.append(np.abs(actual / spread))
        turned.append(np.abs(by_chance / spread))
    largest = float(np.max(found))
    by_turning = np.max(np.concatenate(turned, axis=1), axis=1)
    p = (1 + int((by_turning >= largest).sum())) / (1 + SHIFTS)
    assert p > 0.02, f"largest {largest:.2f}, chance {np.quantile(by_turning, [0.5, 0.95])}"


def test_the_same_question_finds_what_edge_hides(project: Path) -> None:
    # The check above is no check unless it can fail.
    config = load_scenario(scenario_path(project, "edge"), ["feed.depth=200"])
    book, trades, _ = simulate_arrays(config, 1, 1200.0)
    features, mids = grid_features(merged(book, trades), 0.1, 50)
    for steps in (10, 100):
        x, y = features[:-steps], mids[steps:] - mids[:-steps]
        chance = shifted_correlations(x, y, list(range(700, len(y) - 700, 150)))
        assert (rank_correlations(x, y) > np.quantile(chance, 0.99, axis=0)).all()


def test_costs_make_every_simple_rule_lose_on_null(
    null_runs: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> None:
    # Follow or fade the strongest tenth of each feature, hold for a horizon, pay the spread of one tick alone.
    gains = []
    for k in range(6):
        for steps in (10, 100, 300):
            for direction in (1.0, -1.0):
                trades = []
                for features, mids in null_runs:
                    x, y = features[:-steps:steps, k], (mids[steps:] - mids[:-steps])[::steps]
                    strong = np.abs(ranks(x[:, None])[:, 0]) > 1.5
                    trades.append(direction * np.sign(x[strong]) * y[strong] - 1.0)
                result = np.concatenate(trades)
                gains.append((result.mean(), result.std() / len(result) ** 0.5))
    means, errors = (np.array(column) for column in zip(*gains, strict=True))
    assert np.mean(means) < 0
    # Of 36 rules, none gains more before costs than luck allows (Bonferroni, 99 %); all lose at taker fees.
    assert ((means + 1.0) / errors).max() < 3.7
    ticks_of_fees = 2 * 5.5 / (0.1 / 60_000 * 1e4)
    assert (means - ticks_of_fees).max() < 0


def test_a_plain_learner_finds_the_edge_and_stays_below_the_optimum(project: Path) -> None:
    config = load_scenario(scenario_path(project, "edge"), ["feed.depth=200", "feed.interval_ms=100"])
    found = {one.horizon_secs: one for one in optimum(config, 0)}
    assert found[10.0].direction_accuracy > 0.7
    assert found[60.0].decisions[0].net_bps > 0  # at 5.5 bps a side
    sides = []
    for seed in (1, 2, 3):
        book, trades, _ = simulate_arrays(config, seed, 2400.0)
        sides.append(grid_features(merged(book, trades), 1.0, 20))
    steps = 10
    (x, y), (test_x, test_y) = (
        (np.concatenate([f[:-steps] for f, _ in part]), np.concatenate([m[steps:] - m[:-steps] for _, m in part]))
        for part in (sides[:2], sides[2:])
    )
    x, test_x = (np.column_stack([ranks(part), np.ones(len(part))]) for part in (x, test_x))
    weights, *_ = np.linalg.lstsq(x, np.sign(y))
    moved = test_y != 0
    accuracy = float((np.sign(test_x @ weights) == np.sign(test_y))[moved].mean())
    assert 0.6 < accuracy < found[10.0].direction_accuracy + 0.03


def test_the_optimum_is_what_the_hidden_state_earns(project: Path) -> None:
    # Thin order flow: only the price matters here, over days of it.
    config = load_scenario(
        scenario_path(project, "edge"),
        [
            "feed.interval_ms=1000",
            "takers.orders_per_sec=0.01",
            'populations=[{name="touch", orders_per_sec=0.1, life_secs=10.0}]',
        ],
    )
    secs = 200_000
    _, _, truth = simulate_arrays(config, 4, secs)
    price, states = truth[truth["channel"] == Channel.PRICE], truth[truth["channel"] == Channel.STATE]
    start = int(price["ts"][0])
    bps = tick_bps(config.instruments[0])
    for one in optimum(config, 0):
        step = int(one.horizon_secs)
        grid = start + np.arange(0, secs - step, step) * 1_000_000_000
        now = price["price"][np.searchsorted(price["ts"], grid, side="right") - 1]
        then = price["price"][np.searchsorted(price["ts"], grid + step * 1_000_000_000, side="right") - 1]
        state = states["kind"][np.searchsorted(states["ts"], grid, side="right") - 1]
        change = (then - now).astype(np.float64)
        names = [s.name for s in config.states]
        best = np.array([1 if one.up[name] >= one.down[name] else -1 for name in names])
        moved = change != 0
        accuracy = (np.sign(change) == best[state])[moved].mean()
        assert accuracy == pytest.approx(one.direction_accuracy, abs=4 * (0.5 / moved.sum()) ** 0.5 + 0.005)
        for k, name in enumerate(names):
            sample = change[state == k] * bps
            error = sample.std() / len(sample) ** 0.5
            assert sample.mean() == pytest.approx(one.mean_bps[name], abs=4.5 * error)
