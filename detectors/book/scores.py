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
DIGITS: Final = 4
"""Of bounds and values."""


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
    return grove_from(at.reshape(-1, SPLITS), above.reshape(-1, SPLITS), add.reshape(-1, LEAVES))


def grove_from(split: IntArray, above: FloatArray, add: FloatArray) -> Grove:
    """Return the grove of questions, bounds and values, a row a tree."""
    most = add.max(axis=1) if len(add) else np.zeros(0)
    return Grove(split, above, add, np.ascontiguousarray(np.cumsum(most[::-1])[::-1]))


def trees_of(grove: Grove, names: tuple[str, ...]) -> tuple[Tree, ...]:
    """Return trees that can be read and written, rounded."""
    return tuple(
        Tree(
            tuple(names[i] for i in split),
            tuple(round(x, DIGITS) for x in above),
            tuple(round(x, DIGITS) for x in add),
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
