"""The verdict on a run: skill, not sure or luck, and why there is none."""

import numpy as np

from fathom.backtests.significance import luck_sentence


def test_more_trials_ask_for_more() -> None:
    returns = np.random.default_rng(3).normal(size=500)
    returns = (returns - returns.mean()) / returns.std() + 0.12
    verdicts = [luck_sentence(returns, trials, "minute").partition(":")[0] for trials in (1, 20, 10_000)]
    assert verdicts == ["skill", "not sure", "luck"]


def test_searches_without_skill_are_rarely_called_skill() -> None:
    rng = np.random.default_rng(5)
    words = []
    for _ in range(200):
        searched = rng.normal(size=(40, 200))
        best = searched[np.argmax(searched.mean(axis=1) / searched.std(axis=1))]
        words.append(luck_sentence(best, 40, "hour").partition(":")[0])
    assert words.count("skill") <= 8


def test_why_there_is_no_verdict() -> None:
    assert luck_sentence(np.ones(500), None, "day").startswith("unknown: ")
    assert luck_sentence(np.ones(99), 2, "day") == "too short to say: 99 returns, 100 are needed"
    assert luck_sentence(np.zeros(500), 2, "day") == "undefined: the returns do not vary"
    said = luck_sentence(np.random.default_rng(1).normal(size=200), 1, "day")
    assert "where one trial without skill shows 0.000" in said
