"""Small trees that correct a linear score: fitted by gradient boosting, kept as a few numbers each."""

from math import exp, log
from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.market.kernel import kernel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SPLITS: Final = 3  # of a tree: the first, that of what is at most its bound, that of what is above
LEAVES: Final = 4
NEVER: Final = 1e9
"""Bound of a question that is always answered with no."""
_BINS: Final = 64
_DIGITS: Final = 4  # of bounds and values
_FINE: Final = 10.0**_DIGITS


class Tree(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two questions about the evidence, and what the answers add to the log-odds.

    Parameters
    ----------
    evidence : tuple of str
        What is asked about: first, then where that was at most its bound, then where it was above.
    above : tuple of float
        Their bounds.
    add : tuple of float
        For the answers no-no, no-yes, yes-no and yes-yes.

    Examples
    --------
    >>> tree = Tree(("size", "benefit", "benefit"), (1.0, 0.5, 0.2), (-0.1, 0.0, 0.1, 0.3))
    >>> grove = grove_of((tree,), ("constant", "size", "benefit"))
    >>> added(grove, np.array([[1.0, 2.0, 0.4], [1.0, 0.0, 0.4]])).tolist()
    [0.3, -0.1]
    """

    evidence: Annotated[tuple[str, ...], Meta(min_length=SPLITS, max_length=SPLITS)]
    above: Annotated[tuple[float, ...], Meta(min_length=SPLITS, max_length=SPLITS)]
    add: Annotated[tuple[float, ...], Meta(min_length=LEAVES, max_length=LEAVES)]


class Grove(NamedTuple):
    """Trees as arrays, for a kernel.

    Parameters
    ----------
    split : ndarray of int64, shape (n, 3)
        Positions in the evidence.
    above : ndarray of float64, shape (n, 3)
    add : ndarray of float64, shape (n, 4)
    rest : ndarray of float64, shape (n,)
        The most that a tree and those after it can add together.
    """

    split: IntArray
    above: FloatArray
    add: FloatArray
    rest: FloatArray


def grove_of(trees: tuple[Tree, ...], names: tuple[str, ...]) -> Grove:
    """Return the arrays of trees over evidence of these names.

    Raises
    ------
    ValueError
        A tree asks about evidence that there is not.
    """
    unknown = sorted({name for tree in trees for name in tree.evidence} - set(names))
    if unknown:
        raise ValueError(f"Expected trees over {', '.join(names)}, was one over {', '.join(unknown)}.")
    at = np.array([[names.index(name) for name in tree.evidence] for tree in trees], np.int64)
    above = np.array([tree.above for tree in trees], np.float64)
    add = np.array([tree.add for tree in trees], np.float64)
    return _grove(at.reshape(-1, SPLITS), above.reshape(-1, SPLITS), add.reshape(-1, LEAVES))


def _grove(split: IntArray, above: FloatArray, add: FloatArray) -> Grove:
    most = add.max(axis=1) if len(add) else np.zeros(0)
    return Grove(split, above, add, np.ascontiguousarray(np.cumsum(most[::-1])[::-1]))


def trees_of(grove: Grove, names: tuple[str, ...]) -> tuple[Tree, ...]:
    """Return trees that can be read and written, rounded."""
    return tuple(
        Tree(
            tuple(names[i] for i in split),
            tuple(round(x, _DIGITS) for x in above),
            tuple(round(x, _DIGITS) for x in add),
        )
        for split, above, add in zip(grove.split.tolist(), grove.above.tolist(), grove.add.tolist(), strict=True)
    )


@kernel
def clip(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


@kernel
def confidence_of(odds: float) -> float:
    """Return the confidence of log-odds, 0 to 1."""
    return 1.0 / (1.0 + exp(-odds))


@kernel
def needed(threshold: float) -> float:
    """Return the log-odds of a confidence, or a little less: below it no alert is raised."""
    return log(threshold / (1.0 - threshold)) - 1e-6


@kernel
def score(weights: FloatArray, evidence: FloatArray) -> float:
    """Return the logistic score of the evidence."""
    total = 0.0
    for i in range(len(weights)):
        total += weights[i] * evidence[i]
    return 1.0 / (1.0 + exp(-total))


@kernel
def log_odds(weights: FloatArray, grove: Grove, evidence: FloatArray, needed: float) -> float:
    """Return the weighted evidence and what the trees add to it.

    As soon as it is sure that this is less than `needed`, something less than `needed` is returned.
    """
    total = 0.0
    for i in range(len(weights)):
        total += weights[i] * evidence[i]
    for n in range(len(grove.split)):
        if total + grove.rest[n] < needed:
            return float(total + grove.rest[n])
        total += grove.add[n, _leaf(grove, n, evidence)]
    return total


@kernel
def _leaf(grove: Grove, n: int, evidence: FloatArray) -> int:
    if evidence[grove.split[n, 0]] > grove.above[n, 0]:
        return 3 if evidence[grove.split[n, 2]] > grove.above[n, 2] else 2
    return 1 if evidence[grove.split[n, 1]] > grove.above[n, 1] else 0


@kernel
def _score_rows(weights: FloatArray, grove: Grove, evidence: FloatArray, out: FloatArray) -> None:
    for i in range(len(evidence)):
        out[i] = log_odds(weights, grove, evidence[i], -np.inf)


def all_log_odds(weights: FloatArray, grove: Grove, evidence: FloatArray) -> FloatArray:
    """Return the log-odds of each row of `evidence`."""
    out = np.empty(len(evidence))
    _score_rows(weights, grove, np.ascontiguousarray(evidence), out)
    return out


def added(grove: Grove, evidence: FloatArray) -> FloatArray:
    """Return what the trees add to each row of `evidence`."""
    return all_log_odds(np.zeros(0), grove, evidence)


@kernel
def _gather(
    bins: NDArray[np.uint8], node: IntArray, slope: FloatArray, curve: FloatArray, many: FloatArray, sums: FloatArray
) -> None:
    """Sum slope, curvature and number by node, column and bin."""
    sums[:] = 0.0
    for i in range(len(bins)):
        if curve[i] <= 0.0:
            continue
        for j in range(bins.shape[1]):
            cell = sums[node[i], j, bins[i, j]]
            cell[0] += slope[i]
            cell[1] += curve[i]
            cell[2] += many[i]


def _best_split(sums: FloatArray, ridge: float, least: float) -> tuple[int, int, float]:
    """Return column, last bin of the lower part, and gain of the best split of one node."""
    left = np.cumsum(sums, axis=1)[:, :-1]
    total = sums[0].sum(axis=0)
    right = total - left

    def worth(part: FloatArray) -> FloatArray:
        return np.asarray(part[..., 0] ** 2 / (part[..., 1] + ridge))

    gain = worth(left) + worth(right) - worth(total)
    gain[(left[..., 2] < least) | (right[..., 2] < least)] = -np.inf
    column, at = np.unravel_index(int(np.argmax(gain)), gain.shape)
    return int(column), int(at), float(gain[column, at])


def boost(
    x: FloatArray,
    y: NDArray[np.bool_],
    weights: FloatArray,
    offset: FloatArray,
    *,
    rounds: int,
    rate: float,
    ridge: float,
    least: float,
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
        Curvature added to each leaf's, against large values on little.
    least : float
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
    columns = x.shape[1]
    # Bounds are rounded up, so that a value that is met often stays on its side of the bound when that is written.
    shares = np.linspace(0.0, 1.0, _BINS + 1)[1:-1]
    edges = [np.unique(np.ceil(np.quantile(x[:, j], shares) * _FINE) / _FINE) for j in range(columns)]
    bins = np.column_stack([np.searchsorted(edge, x[:, j], "left") for j, edge in enumerate(edges)]).astype(np.uint8)
    bounds = np.full((columns, _BINS), NEVER)
    for j, edge in enumerate(edges):
        bounds[j, : len(edge)] = edge
    split, above, add = np.zeros((rounds, SPLITS), np.int64), np.zeros((rounds, SPLITS)), np.zeros((rounds, LEAVES))
    score, many = offset.copy(), np.ones(len(x))
    for n in range(rounds):
        p = 1.0 / (1.0 + np.exp(-np.clip(score, -30, 30)))
        slope, curve = weights * (y - p), weights * np.maximum(p * (1 - p), 1e-6)
        node = np.zeros(len(x), np.int64)
        sums = np.zeros((2, columns, _BINS, 3))
        for depth in range(2):
            _gather(bins, node, slope, curve, many, sums)
            for k in range(depth + 1):
                column, at, gain = _best_split(sums[k], ridge, least)
                split[n, depth + k] = column
                # Where no split is worth it, nothing is above.
                above[n, depth + k] = bounds[column, at] if gain > 0.0 else NEVER
            if depth == 0:
                node = (x[:, split[n, 0]] > above[n, 0]).astype(np.int64)
        below, over = (x[:, split[n, k]] > above[n, k] for k in (1, 2))
        leaf = 2 * node + np.where(node == 1, over, below)
        add[n] = rate * np.bincount(leaf, slope, LEAVES) / (np.bincount(leaf, curve, LEAVES) + ridge)
        score += add[n][leaf]
    return _grove(split, above, add)
