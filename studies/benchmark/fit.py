"""Fitting the scores of the detectors on labelled candidates: half a ridge-penalised regression, half boosted trees."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.detectors.book.alerts import AlertKind
from fathom.detectors.book.evidence import ALONE, EVIDENCE, SPOOFING
from fathom.detectors.book.scores import Tree, added, all_log_odds, boost, grove_of, trees_of
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
_LEAST: Final = 40.0


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
    """Fit a logistic regression by Newton's method; the first column is the constant and is not penalised.

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
    found = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], ridge)
    penalty[0] = 1e-6
    for _ in range(60):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ found, -30, 30)))
        slope = x.T @ (weights * (y - p)) - penalty * found
        curve = (x * (weights * p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        found += step / max(1.0, np.abs(step).max() / 4.0)
        if np.abs(step).max() < 1e-8:
            break
    return found


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
        even = w.copy()
        even[y] = _PRIOR * w[~y].sum() / max(1, int(y.sum()))
        alone = logistic(x[:, :_ALONE], y, even * (len(even) / even.sum()), ridge)
        replace = msgspec.structs.replace
        scores = {kind: _score_of(found, kind, ridge) for kind in AlertKind}
        config = replace(
            config,
            spoofing=replace(
                config.spoofing, alone_weights=tuple(alone.round(4).tolist()), **scores[AlertKind.SPOOFING]
            ),
            layering=replace(config.layering, **scores[AlertKind.LAYERING]),
            quote_stuffing=replace(config.quote_stuffing, **scores[AlertKind.QUOTE_STUFFING]),
        )
    return config


def odds_of(kind: AlertKind, config: SurveillanceConfig, evidence: FloatArray) -> FloatArray:
    """Return the log-odds that a detector gives to each row of its evidence."""
    part: Any = {
        AlertKind.SPOOFING: config.spoofing,
        AlertKind.LAYERING: config.layering,
        AlertKind.QUOTE_STUFFING: config.quote_stuffing,
    }[kind]
    trees: tuple[Tree, ...] = getattr(part, "trees", ())
    return all_log_odds(np.array(part.weights), grove_of(trees, EVIDENCE[kind]), evidence)


def _score_of(found: list[Candidates], kind: AlertKind, ridge: float) -> dict[str, Any]:
    """Return weights, and trees where the detector has them, or nothing where there is nothing to learn from."""
    x, y, w, _ = _design(found, kind, final=True)
    if not y.any():
        return {}
    weights = logistic(x, y, w, ridge)
    # Trees know the natural orders they were fitted on: others say how far the score can be trusted.
    every, true, _, stand = _design(found, kind, final=False, sample=1)
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


def _calibration(score: FloatArray, true: NDArray[np.bool_], stand: FloatArray) -> tuple[float, float]:
    """Return scale and shift with which the score is the share of manipulation (Platt 1999)."""
    shift, scale = logistic(np.column_stack([np.ones(len(score)), score]), true, stand, ridge=1e-3).tolist()
    return (scale, shift) if scale > 0.0 else (1.0, 0.0)


def _rounded(weights: FloatArray, shift: float) -> tuple[float, ...]:
    weights = weights.copy()
    weights[0] += shift
    return tuple(weights.round(4).tolist())
