"""Curves of the benchmark: counted again by hand, and by a slow twin."""

import numpy as np
import pytest

from fathom.studies.benchmark.curves import OTHER, SERIES_NS, Curve, Scored, curve, raised, sort

S = 1_000_000_000


def scored(rows: list[tuple[float, int, int, int, int, int]]) -> Scored:
    """Return candidates from score, time in seconds, side, lots, episode and honest actor."""
    score, ts, side, lots, episode, honest = (np.array(column) for column in zip(*rows, strict=True))
    ts = ts.astype(np.int64) * S
    ints = (side.astype(np.int64), lots.astype(np.int64), episode.astype(np.int64), honest.astype(np.int64))
    return sort(Scored(score.astype(np.float64), ts, ts - 5, *ints))


def naive(found: Scored, threshold: float) -> tuple[int, int, set[int], set[int]]:
    """Return series, false series, episodes and honest actors, by lists."""
    open_series: list[list[int]] = []
    series = false = 0
    hits, honest = set(), set()
    for ts in np.unique(found.ts).tolist():
        for side in np.unique(found.side).tolist():
            group = [
                i for i in range(len(found.ts)) if found.ts[i] == ts and found.side[i] == side
                and found.score[i] >= threshold
            ]  # fmt: skip
            if not group:
                continue
            hits |= {int(found.episode[i]) for i in group if found.episode[i] >= 0}
            honest |= {int(found.honest[i]) for i in group if found.honest[i] >= 0}
            lots = int(found.lots[max(group, key=lambda i: found.score[i])])
            for one in open_series:
                alike = lots == 0 or (2 * one[1] >= lots and 2 * lots >= one[1])
                if one[0] == side and alike and ts - one[2] <= SERIES_NS:
                    one[1], one[2] = lots, ts
                    break
            else:
                open_series.append([side, lots, ts])
                true = any(found.episode[i] >= 0 for i in group)
                if true or all(found.episode[i] != OTHER for i in group):
                    series += 1
                    false += not true
    return series, false, hits, honest


@pytest.mark.parametrize("seed", range(4))
def test_raised_agrees_with_lists(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        (
            float(rng.random()),
            int(rng.integers(1, 60)),
            int(rng.integers(1, 3)),
            int(rng.choice([0, 10, 15, 40])) if seed % 2 else int(rng.integers(10, 20)),
            int(rng.choice([-1, -1, -1, OTHER, 3, 9])),
            int(rng.choice([-1, -1, 5])),
        )
        for _ in range(80)
    ]
    found = scored(rows)
    for threshold in (0.0, 0.5, 0.9, 1.1):
        got = raised(found, threshold)
        assert (got.series, got.false, set(got.hits), got.honest) == naive(found, threshold)


def test_a_like_alert_within_ten_seconds_goes_on_with_its_series() -> None:
    found = scored(
        [(0.9, 1, 1, 10, -1, -1), (0.9, 9, 1, 14, -1, -1), (0.9, 25, 1, 14, -1, -1), (0.9, 26, 2, 14, 7, -1)]
    )
    got = raised(found, 0.5)
    assert (got.series, got.false) == (3, 2)
    assert got.hits == {7: (26 * S, 26 * S - 5)}


def test_another_kind_of_manipulation_is_neither_hit_nor_false_alarm() -> None:
    got = raised(scored([(0.9, 1, 1, 10, OTHER, -1)]), 0.5)
    assert (got.series, got.false, got.hits) == (0, 0, {})


def test_precision_recall_and_alerts_an_hour() -> None:
    touched = scored(
        [(0.9, 1, 1, 10, 1, -1), (0.7, 30, 1, 10, -1, 4), (0.5, 60, 2, 10, 2, -1), (0.3, 90, 2, 10, 3, -1)]
    )
    calm = scored([(0.6, 1, 1, 10, -1, -1), (0.2, 60, 1, 10, -1, -1)])
    got = curve([(touched, {1, 2}, {1, 2, 3})], [(calm, 0.5)], np.array([0.1, 0.4, 0.65, 0.8, 0.95]))
    np.testing.assert_allclose(got.precision[:4], [3 / 4, 2 / 3, 1 / 2, 1.0])
    assert np.isnan(got.precision[4])
    np.testing.assert_allclose(got.recall, [1.0, 1.0, 0.5, 0.5, 0.0])
    np.testing.assert_allclose(got.recall_all, [1.0, 2 / 3, 1 / 3, 1 / 3, 0.0])
    np.testing.assert_allclose(got.false_per_hour, [4.0, 2.0, 0.0, 0.0, 0.0])
    assert got.area == pytest.approx(0.5 * 1.0 + 0.5 * 2 / 3)
    assert got.threshold[got.within(0.0)] == 0.65
    assert got.threshold[got.within(2.0)] == 0.4
    assert got.threshold[got.within(100.0)] == 0.1


def test_the_budget_holds_from_the_threshold_upwards() -> None:
    zero = np.zeros(3)
    rising = Curve(np.array([0.1, 0.2, 0.3]), zero, zero, zero, np.array([1.0, 5.0, 1.0]))
    assert rising.within(2.0) == 2
