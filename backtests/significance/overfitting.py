"""How often the best trial of one half of the data is below the median in the other half."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from fathom.backtests.account.statistics import Floats

_FLAT = 1e-14


class Overfitting(NamedTuple):
    """Result of the combinatorially symmetric cross-validation.

    Attributes
    ----------
    probability : float
        Share of splits in which the winner of one half is at or below the median of the other (PBO).
    logits : ndarray
        Logit of the winner's relative rank in the other half, one a split; at or below zero where the choice failed.
    in_sample, out_of_sample : ndarray
        The winner's ratio per period in either half, one a split.
    """

    probability: float
    logits: Floats
    in_sample: Floats
    out_of_sample: Floats


def overfitting(returns: Floats, blocks: int = 16) -> Overfitting:
    """Return the probability of backtest overfitting of a search.

    Bailey, Borwein, Lopez de Prado and Zhu 2017 (doi:10.21314/JCF.2016.322). The periods are cut into blocks; every
    choice of half of them is once the data to search in. A trial that does not vary has the ratio 0: it neither earns
    nor loses. Of equal winners the first counts; equal ranks are averaged.

    Parameters
    ----------
    returns : ndarray, shape (periods, trials)
        Simple returns of each trial. The last ``periods % blocks`` periods are left out.
    blocks : int
        Even. 16 give 12,870 splits.

    Raises
    ------
    ValueError
        There are fewer than two trials, fewer than two periods a block, an odd number of blocks, or NaN in the returns.

    Examples
    --------
    >>> luck = np.random.default_rng(1).normal(size=(160, 20))
    >>> skill = np.where(np.arange(20) == 3, 1.0, 0.0)
    >>> overfitting(luck + skill, blocks=8).probability
    0.0
    """
    periods, trials = returns.shape
    if trials < 2 or blocks < 2 or blocks % 2 or periods < 2 * blocks or np.isnan(returns).any():
        raise ValueError(
            f"Expected at least 2 trials, an even number of blocks with at least 2 periods each, and no NaN; was "
            f"{trials} trials, {periods} periods, {blocks} blocks and {int(np.isnan(returns).sum())} NaN."
        )
    length = periods // blocks
    parts = returns[: length * blocks].reshape(blocks, length, trials)
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    chosen = np.zeros((len(halves), blocks))
    np.put_along_axis(chosen, halves, 1.0, axis=1)
    size = length * blocks // 2
    inside, outside = (_ratios(half @ sums, half @ squares, size) for half in (chosen, 1.0 - chosen))
    row, winner = np.arange(len(halves)), inside.argmax(axis=1)
    later = outside[row, winner][:, None]
    rank = (outside < later).sum(axis=1) + ((outside == later).sum(axis=1) + 1.0) / 2.0
    relative = rank / (trials + 1.0)
    logits = np.log(relative / (1.0 - relative))
    return Overfitting(float(np.mean(logits <= 0.0)), logits, inside[row, winner], later[:, 0])


def _ratios(sums: Floats, squares: Floats, size: int) -> Floats:
    mean = sums / size
    spread = np.sqrt(np.maximum(squares - size * mean**2, 0.0) / (size - 1))
    return np.divide(mean, spread, out=np.zeros_like(mean), where=spread > _FLAT)
