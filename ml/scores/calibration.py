"""Make the probabilities of a net honest: one temperature for the directions, a line for the confidence."""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, softmax

BINS: Final = 15
"""Bins of the calibration error."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State how the answers of a net become probabilities.

    Parameters
    ----------
    temperature : float
        What the logits are divided by; above 1 the net was too sure.
    scale, shift : float
        The logit of the confidence becomes ``scale * logit + shift``.

    Examples
    --------
    >>> Calibration(temperature=2.0).probabilities(np.array([[0.0, 0.0, 2.0]])).round(3).tolist()
    [[0.212, 0.212, 0.576]]
    """

    temperature: float = 1.0
    scale: float = 1.0
    shift: float = 0.0

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities of the classes, shape (n, 3)."""
        found: NDArray[np.float64] = softmax(np.asarray(logits, np.float64) / self.temperature, axis=1)
        return found

    def confidence(self, logit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability that the direction is right, shape (n,)."""
        found: NDArray[np.float64] = expit(np.asarray(logit, np.float64) * self.scale + self.shift)
        return found


def calibrate(
    logits: NDArray[np.float64], confidence: NDArray[np.float64], direction: NDArray[np.int64]
) -> Calibration:
    """Return the calibration with the least log loss on validation data.

    One temperature: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks", ICML 2017,
    arXiv:1706.04599. It changes no direction. The confidence: J. Platt, "Probabilistic outputs for support vector
    machines", 1999; its slope stays at 0 or above, so that more stays more.

    Parameters
    ----------
    logits : ndarray
        Shape (n, 3).
    confidence : ndarray
        Logits of shape (n,).
    direction : ndarray
        True classes, shape (n,).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> logits = rng.normal(size=(5_000, 3))
    >>> direction = (logits + rng.gumbel(size=(5_000, 3))).argmax(axis=1)
    >>> found = calibrate(3.0 * logits, logits.max(axis=1), direction)
    >>> abs(found.temperature - 3.0) < 0.2
    True
    """
    if not len(direction) == len(logits) == len(confidence) > 0:
        raise ValueError(f"Expected as many answers as directions, was {len(logits)} and {len(direction)}")
    logits, rows = np.asarray(logits, np.float64), np.arange(len(direction))

    def cost(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature), axis=1)[rows, direction].mean())

    best = minimize_scalar(cost, bounds=(-3.0, 3.0), method="bounded")
    right = (logits.argmax(axis=1) == direction).astype(np.float64)
    score = np.asarray(confidence, np.float64)

    def loss(line: NDArray[np.float64]) -> float:
        value = line[0] * score + line[1]
        # A faint pull towards leaving it alone: where every direction is right (or wrong), the best line is infinite.
        return float((np.logaddexp(0.0, value) - right * value).mean() + 1e-4 * ((line[0] - 1.0) ** 2 + line[1] ** 2))

    line = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=((0.0, 10.0), (-10.0, 10.0))).x
    return Calibration(temperature=float(np.exp(best.x)), scale=float(line[0]), shift=float(line[1]))


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """How often what was said with some probability was right.

    Parameters
    ----------
    said, right : tuple of float
        Mean probability and share of right answers of each bin that has answers.
    count : tuple of int
        Answers of each bin.
    error : float
        Expected calibration error: mean distance of the two, weighted by count.

    Examples
    --------
    >>> reliability(np.array([0.6, 0.6, 0.9, 0.9]), np.array([1, 0, 1, 1])).error.__round__(3)
    0.1
    """

    said: tuple[float, ...]
    right: tuple[float, ...]
    count: tuple[int, ...]
    error: float


def reliability(probability: NDArray[np.float64], right: NDArray[np.int64], bins: int = BINS) -> Reliability:
    """Return the reliability in `bins` bins of equal width.

    Parameters
    ----------
    probability : ndarray
        Of being right, shape (n,), 0 to 1.
    right : ndarray
        Whether it was, shape (n,).
    """
    place = np.clip((np.asarray(probability) * bins).astype(np.int64), 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    filled = count > 0
    said = np.bincount(place, probability, bins)[filled] / count[filled]
    hit = np.bincount(place, np.asarray(right, np.float64), bins)[filled] / count[filled]
    error = float(np.average(np.abs(said - hit), weights=count[filled])) if len(probability) else float("nan")
    return Reliability(
        said=tuple(said.tolist()), right=tuple(hit.tolist()), count=tuple(count[filled].tolist()), error=error
    )
