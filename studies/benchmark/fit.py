"""Fitting the scores of the detectors on labelled candidates: half a ridge-penalised regression, half boosted trees."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor

from fathom.detectors.book.alerts import AlertKind
from fathom.detectors.book.evidence import ALONE, EVIDENCE, SPOOFING
from fathom.detectors.book.scores import (
    DIGITS,
    LEAVES,
    NEVER,
    SPLITS,
    Grove,
    Tree,
    added,
    all_log_odds,
    grove_from,
    grove_of,
    trees_of,
)
from fathom.detectors.book.surveillance import Surveillance, SurveillanceConfig
from fathom.market.actors_truth import ActorKind
from fathom.studies.benchmark.labels import Market, evident, label_candidates

FloatArray = NDArray[np.float64]

_ALONE: Final = len(ALONE)
_DISTANCE: Final = SPOOFING.index("distance")
_FARTHEST: Final = np.log1p(200.0)  # orders farther out are not fitted: they are many and easy
_PRIOR: Final = 0.03  # odds of manipulation at which "suspicion by itself" is fitted
# Orders of honest actors are the hard cases among the many: they weigh this much, and this share of all at least.
_HONEST: Final = 5.0
_HONEST_SHARE: Final = 0.02
RIDGE: Final = 20.0
"""Penalty of the weights: chosen on tuning seeds so that weights fitted on one instrument serve another."""
_THIN: Final = 8.0
# A score is the mean of a regression, which carries over best from one instrument to another, and of trees, which know
# bounds and combinations. These were chosen on tuning seeds too.
ROUNDS: Final = 100
"""Trees of a detector."""
_RATE: Final = 0.1
_LEAF_RIDGE: Final = 10.0
_LEAST: Final = 40
_FINE: Final = 10.0**DIGITS


class Candidates(NamedTuple):
    """The candidates of one market, labelled.

    Parameters
    ----------
    market : Market
        Without its rows.
    log : ndarray of ALERT
        As `Surveillance.candidates` returns it.
    evidence : ndarray of float64
    labels : ndarray of int64
        Row of the truth, or -1.
    """

    market: Market
    log: NDArray[Any]
    evidence: FloatArray
    labels: NDArray[np.int64]

    def of(self, kind: AlertKind) -> tuple[NDArray[Any], FloatArray, NDArray[np.int64]]:
        """Return log, evidence and labels of one detector."""
        mine = self.log["kind"] == kind
        return self.log[mine], self.evidence[mine][:, : len(EVIDENCE[kind])], self.labels[mine]


def candidates_of(market: Market, config: SurveillanceConfig) -> Candidates:
    """Run the detectors over a market and label what they weighed."""
    watch = Surveillance(msgspec.structs.replace(config, depth=market.depth), keep_candidates=True)
    watch.update(market.rows)
    log, evidence = watch.candidates()
    labels = label_candidates(log, market.truth, market.slack_ns)
    return Candidates(market._replace(rows=market.rows[:0]), log, evidence, labels)


def logistic(x: FloatArray, y: NDArray[np.bool_], weights: FloatArray, ridge: float = RIDGE) -> FloatArray:
    """Fit a logistic regression; the first column is the constant and is not penalised.

    Parameters
    ----------
    x : ndarray, shape (n, k)
    y : ndarray of bool, shape (n,)
    weights : ndarray, shape (n,)
    ridge : float

    Returns
    -------
    ndarray, shape (k,)

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = np.column_stack([np.ones(20_000), rng.normal(size=20_000)])
    >>> y = rng.random(20_000) < 1 / (1 + np.exp(-(x @ [-1.0, 2.0])))
    >>> logistic(x, y, np.ones(20_000), ridge=1.0).round(1).tolist()
    [-1.0, 2.0]
    """
    model = LogisticRegression(C=1.0 / ridge, solver="newton-cholesky", tol=1e-10, max_iter=100)
    model.fit(x[:, 1:], y, sample_weight=weights)
    return np.concatenate([model.intercept_, model.coef_[0]])


def boost(
    x: FloatArray,
    y: NDArray[np.bool_],
    weights: FloatArray,
    offset: FloatArray,
    *,
    rounds: int,
    rate: float,
    ridge: float,
    least: int,
) -> Grove:
    """Fit trees that correct a log-odds score, one after another (Friedman 2001, with second derivatives).

    Parameters
    ----------
    x : ndarray, shape (n, k)
    y : ndarray of bool, shape (n,)
    weights : ndarray, shape (n,)
    offset : ndarray, shape (n,)
        The score that the trees add to.
    rounds : int
        Number of trees.
    rate : float
        Share of its best value that each takes.
    ridge : float
        Curvature added to each leaf's, against large values on little: without it a leaf of a handful of rare events
        takes any value.
    least : int
        Rows in a leaf.

    Returns
    -------
    Grove

    References
    ----------
    Friedman, J. H. (2001). Greedy function approximation: a gradient boosting machine. Annals of Statistics 29(5),
    1189-1232. https://doi.org/10.1214/aos/1013203451

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(4_000, 2))
    >>> y = (x[:, 0] > 0.0) & (x[:, 1] > 0.0)
    >>> grove = boost(x, y, np.ones(4_000), np.zeros(4_000), rounds=20, rate=0.3, ridge=1.0, least=20)
    >>> bool(np.mean((added(grove, x) > 0) == y) > 0.95)
    True
    """
    # Rounded up, what is above a bound of so many digits is above it in the fit and in the detector alike.
    x = np.ceil(x * _FINE) / _FINE
    split, add = np.zeros((rounds, SPLITS), np.int64), np.zeros((rounds, LEAVES))
    above = np.full((rounds, SPLITS), NEVER)
    score = offset.copy()
    for n in range(rounds):
        p = 1.0 / (1.0 + np.exp(-np.clip(score, -30, 30)))
        slope, curve = weights * (y - p), weights * np.maximum(p * (1 - p), 1e-6)
        model = DecisionTreeRegressor(max_depth=2, min_samples_leaf=least, random_state=0)
        leaf = model.fit(x, slope / curve, sample_weight=curve).apply(x)
        tree, size = model.tree_, model.tree_.node_count
        values = rate * np.bincount(leaf, slope, size) / (np.bincount(leaf, curve, size) + ridge)
        score += values[leaf]
        for k, (node, leaves) in enumerate(_questions(tree)):
            if tree.children_left[node] >= 0:
                split[n, k], above[n, k] = tree.feature[node], np.floor(tree.threshold[node] * _FINE) / _FINE
            for place, end in leaves:
                add[n, place] = values[end]
    return grove_from(split, above, add)


def _questions(tree: Any) -> list[tuple[int, list[tuple[int, int]]]]:
    """Return the nodes of the three questions of a tree, each with the leaves that it leads to and their places."""
    root = (0, tree.children_left[0], tree.children_right[0])
    if root[1] < 0:
        return [(0, [(place, 0) for place in range(LEAVES)])]
    ends = []
    for k, node in enumerate(root[1:]):
        low, high = tree.children_left[node], tree.children_right[node]
        ends.append((node, [(2 * k, low if low >= 0 else node), (2 * k + 1, high if high >= 0 else node)]))
    return [(0, []), *ends]


def _design(
    found: list[Candidates], kind: AlertKind, *, final: bool, sample: int = 0
) -> tuple[FloatArray, NDArray[np.bool_], FloatArray, FloatArray]:
    """Return evidence, whether it is manipulation, weights of the fit, and of each row how many it stands for."""
    rng = np.random.default_rng(sample)
    xs, ys, honest, stands = [], [], [], []
    for one in found:
        _, evidence, labels = one.of(kind)
        truth = one.market.truth
        known = labels >= 0
        actor = np.where(known, truth["kind"][labels] if len(truth) else 0, 0)
        mine = known & (actor == int(kind))
        # An order of another kind of manipulation is neither a hit nor a false alarm.
        use = ~(known & (actor <= ActorKind.QUOTE_STUFFING) & ~mine)
        if final and len(truth) and kind != AlertKind.QUOTE_STUFFING:
            use &= ~(mine & ~evident(truth)[labels])
        if kind == AlertKind.SPOOFING:
            use &= evidence[:, _DISTANCE] < _FARTHEST
        # What is not of an actor is the same in every injected market of an instrument: a sample stands for all.
        all_of_it = known | (len(truth) == 0)
        use &= all_of_it | (rng.random(len(known)) < 1.0 / _THIN)
        xs.append(evidence[use])
        ys.append(mine[use])
        honest.append((known & ~mine)[use])
        stands.append(np.where(all_of_it, 1.0, _THIN)[use])
    x, y, hard, stand = (np.concatenate(part) for part in (xs, ys, honest, stands))
    weights = stand.copy()
    weights[hard] = max(_HONEST, _HONEST_SHARE * stand.sum() / max(1, hard.sum()))
    return x, y, weights, stand


def fit(
    markets: Callable[[], Iterable[Market]], config: SurveillanceConfig, ridge: float = RIDGE
) -> SurveillanceConfig:
    """Return the configuration with weights fitted on markets with known truth.

    Afterwards the scores are calibrated: a confidence of 0.2 means that of the candidates of `markets` that score so,
    those of all manipulation counted, a fifth is manipulation.

    Parameters
    ----------
    markets : callable
        Gives the markets, each time the same: they are gone through twice, because what an order recalls of those
        before it depends on the weights.
    config : SurveillanceConfig
    ridge : float

    Returns
    -------
    SurveillanceConfig
    """
    for _ in range(2):
        found = [candidates_of(market, config) for market in markets()]
        x, y, w, _ = _design(found, AlertKind.SPOOFING, final=False)
        alone = {}
        if _has_both(y):
            even = w.copy()
            even[y] = _PRIOR * w[~y].sum() / y.sum()
            fitted = logistic(x[:, :_ALONE], y, even * (len(even) / even.sum()), ridge)
            alone["alone_weights"] = tuple(fitted.round(4).tolist())
        replace = msgspec.structs.replace
        scores = {kind: _score_of(found, kind, ridge) for kind in AlertKind}
        config = replace(
            config,
            spoofing=replace(config.spoofing, **alone, **scores[AlertKind.SPOOFING]),
            layering=replace(config.layering, **scores[AlertKind.LAYERING]),
            quote_stuffing=replace(config.quote_stuffing, **scores[AlertKind.QUOTE_STUFFING]),
        )
    return config


def part_of(config: SurveillanceConfig, kind: AlertKind) -> Any:
    """Return the settings of one detector."""
    parts = (config.spoofing, config.layering, config.quote_stuffing)
    return dict(zip(AlertKind, parts, strict=True))[kind]


def odds_of(kind: AlertKind, config: SurveillanceConfig, evidence: FloatArray) -> FloatArray:
    """Return the log-odds that a detector gives to each row of its evidence."""
    part = part_of(config, kind)
    trees: tuple[Tree, ...] = () if kind is AlertKind.QUOTE_STUFFING else part.trees
    return all_log_odds(np.array(part.weights), grove_of(trees, EVIDENCE[kind]), evidence)


def _score_of(found: list[Candidates], kind: AlertKind, ridge: float) -> dict[str, Any]:
    """Return weights, and trees where the detector has them, or nothing where there is nothing to learn from."""
    x, y, w, _ = _design(found, kind, final=True)
    # Trees know the natural orders they were fitted on: others say how far the score can be trusted.
    every, true, _, stand = _design(found, kind, final=False, sample=1)
    if not (_has_both(y) and _has_both(true)):
        return {}
    weights = logistic(x, y, w, ridge)
    if kind is AlertKind.QUOTE_STUFFING:
        scale, shift = _calibration(every @ weights, true, stand)
        return {"weights": _rounded(scale * weights, shift)}
    base = float(np.log((w * y).sum() / (w * ~y).sum()))
    grove = boost(x, y, w, np.full(len(x), base), rounds=ROUNDS, rate=_RATE, ridge=_LEAF_RIDGE, least=_LEAST)
    scale, shift = _calibration(0.5 * (every @ weights + base + added(grove, every)), true, stand)
    return {
        "weights": _rounded(0.5 * scale * weights, shift + 0.5 * scale * base),
        "trees": trees_of(grove._replace(add=0.5 * scale * grove.add), EVIDENCE[kind]),
    }


def _has_both(y: NDArray[np.bool_]) -> bool:
    return bool(y.any() and not y.all())


def _calibration(score: FloatArray, true: NDArray[np.bool_], stand: FloatArray) -> tuple[float, float]:
    """Return scale and shift with which the score is the share of manipulation (Platt 1999)."""
    shift, scale = logistic(np.column_stack([np.ones(len(score)), score]), true, stand, ridge=1e-3).tolist()
    return (scale, shift) if scale > 0.0 else (1.0, 0.0)


def _rounded(weights: FloatArray, shift: float) -> tuple[float, ...]:
    weights = weights.copy()
    weights[0] += shift
    return tuple(weights.round(4).tolist())
