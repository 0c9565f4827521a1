"""Trees over evidence: against scikit-learn's, written and read, and stopped early only where nothing is lost."""

import math

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from fathom.detectors import LayeringConfig, SpoofingConfig
from fathom.detectors.book.scores import NEVER, Tree, added, all_log_odds, grove_of, log_odds, trees_of
from fathom.studies.benchmark.fit import boost

NAMES = ("constant", "size", "benefit", "moved")


def problem(seed: int, n: int = 6_000) -> tuple[np.ndarray, np.ndarray]:
    """Return evidence with a constant, two continuous columns and a flag, and labels that need combinations."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2)), rng.random(n) < 0.3])
    odds = 2.5 * (x[:, 1] > 0.5) * (x[:, 2] > 0.0) - 3.0 * x[:, 3] - 1.0
    return x, rng.random(n) < 1 / (1 + np.exp(-odds))


def test_it_is_as_good_as_scikit_learn() -> None:
    x, y = problem(1)
    base = math.log(y.mean() / (1 - y.mean()))
    weights = np.where(x[:, 3] > 0, 2.0, 1.0)
    grove = boost(x, y, weights, np.full(len(x), base), rounds=60, rate=0.1, ridge=10.0, least=40)
    theirs = HistGradientBoostingClassifier(
        max_leaf_nodes=4, max_depth=2, max_iter=60, learning_rate=0.1, l2_regularization=10.0, min_samples_leaf=40,
        early_stopping=False, max_bins=64,
    )  # fmt: skip
    with threadpool_limits(1):  # its threads wait for one another where cores are busy
        theirs.fit(x, y, sample_weight=weights)
    held, true = problem(2)
    mine = log_loss(true, 1 / (1 + np.exp(-base - added(grove, held))))
    assert mine == pytest.approx(log_loss(true, theirs.predict_proba(held)[:, 1]), rel=0.01)
    assert mine < log_loss(true, np.full(len(true), y.mean())) - 0.05


def test_the_score_is_that_of_the_trees_asked_one_by_one() -> None:
    x, y = problem(3)
    trees = trees_of(boost(x, y, np.ones(len(x)), np.zeros(len(x)), rounds=20, rate=0.3, ridge=1.0, least=40), NAMES)
    weights = np.array([0.5, -1.0, 0.25, 0.0])
    told = all_log_odds(weights, grove_of(trees, NAMES), x[:50])
    for row, odds in zip(x[:50], told.tolist(), strict=True):
        evidence = dict(zip(NAMES, row.tolist(), strict=True))
        total = float(row @ weights)
        for tree in trees:
            first, *others = (evidence[name] > bound for name, bound in zip(tree.evidence, tree.above, strict=True))
            total += tree.add[2 * first + others[first]]
        assert odds == pytest.approx(total)


def test_rounding_moves_no_row_to_the_other_side() -> None:
    x, y = problem(4)
    x[:, 1] = np.log1p(np.floor(np.exp(x[:, 1])))  # met often, with more digits than are written
    grove = boost(x, y, np.ones(len(x)), np.zeros(len(x)), rounds=30, rate=0.3, ridge=1.0, least=40)
    kept = grove_of(trees_of(grove, NAMES), NAMES)
    np.testing.assert_array_equal(kept.above, grove.above)
    np.testing.assert_allclose(added(kept, x), added(grove, x), atol=30 * 0.5e-4)


def test_it_stops_early_only_below_what_is_needed() -> None:
    x, y = problem(5)
    grove = boost(x, y, np.ones(len(x)), np.zeros(len(x)), rounds=40, rate=0.2, ridge=1.0, least=40)
    weights = np.array([-1.0, 0.5, 0.5, 0.0])
    whole = all_log_odds(weights, grove, x)
    stopped = 0
    for needed in (-2.0, 0.0, 1.5):
        for row, odds in zip(x[:400], whole.tolist(), strict=False):
            found = log_odds(weights, grove, row, needed)
            stopped += found != odds
            assert found == odds or (odds <= found < needed)
    assert stopped > 100


def test_nothing_to_split_adds_the_same_to_all() -> None:
    x = np.ones((500, 2))
    y = np.arange(500) < 50
    grove = boost(x, y, np.ones(500), np.zeros(500), rounds=60, rate=0.5, ridge=1.0, least=40)
    assert (grove.above == NEVER).all()
    assert added(grove, x) == pytest.approx(math.log(0.1 / 0.9), abs=1e-3)


@pytest.mark.parametrize("kind", [SpoofingConfig, LayeringConfig])
def test_trees_over_unknown_evidence_are_refused(kind: type[SpoofingConfig] | type[LayeringConfig]) -> None:
    tree = Tree(("size", "no such", "size"), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="was one over no such"):
        kind(trees=(tree,))
