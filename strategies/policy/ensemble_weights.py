"""Weights of an ensemble's members from their past results, shrunk towards equal weights."""

from collections.abc import Mapping, Sequence

import numpy as np


def learn_weights(returns: Mapping[str, Sequence[float]], *, prior_trades: float = 50.0) -> dict[str, float]:
    """Return the weight of each member: 1 is an equal share, they sum to the number of members.

    The skill of a member is the mean of its returns over their standard deviation, bounded to -1 to 1. It is drawn
    towards the mean skill of all members as if that had been seen in `prior_trades` trades more (a member that never
    traded is taken for an average one). Weights are proportional to what is positive of that; where nothing is, they
    are equal: the past then names no member to trust, only losers to leave alone altogether.

    Parameters
    ----------
    returns
        Member -> returns of its closed trades, net, **of a span that lies before the one where the weights are used**.
    prior_trades
        Strength of the shrinkage: with so many trades, half of the difference to the mean is believed.

    Raises
    ------
    ValueError
        No member, a prior that is not positive, or a return that is not finite.

    Examples
    --------
    >>> good, bad = [0.01, -0.005] * 50, [0.005, -0.01] * 50
    >>> {name: round(weight, 2) for name, weight in learn_weights({"a": good, "b": good, "c": []}).items()}
    {'a': 1.0, 'b': 1.0, 'c': 1.0}
    >>> learn_weights({"a": good, "b": bad})
    {'a': 2.0, 'b': 0.0}
    >>> learn_weights({"a": bad, "b": bad})
    {'a': 1.0, 'b': 1.0}
    """
    if not returns or not prior_trades > 0.0:
        raise ValueError(
            f"Expected members and a positive prior, was {len(returns)} members and {prior_trades} trades."
        )
    skills = {name: skill(values) for name, values in returns.items()}
    known = [value for value in skills.values() if not np.isnan(value)]
    usual = float(np.mean(known)) if known else 0.0
    shrunk = {}
    for name, value in skills.items():
        believed = len(returns[name]) / (len(returns[name]) + prior_trades)
        shrunk[name] = usual if np.isnan(value) else believed * value + (1.0 - believed) * usual
    positive = {name: max(0.0, value) for name, value in shrunk.items()}
    total = sum(positive.values())
    if total <= 0.0:
        return dict.fromkeys(returns, 1.0)
    return {name: len(positive) * value / total for name, value in positive.items()}


def skill(returns: Sequence[float]) -> float:
    """Return mean over standard deviation of returns, bounded to -1 to 1; NaN of fewer than two, or equal ones.

    Examples
    --------
    >>> round(skill([0.01, -0.005, 0.01, -0.005]), 3), skill([0.01])
    (0.289, nan)
    """
    values = np.asarray(returns, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"Expected finite returns, was {values[~np.isfinite(values)][0]}. Leave out open trades.")
    if len(values) < 2:
        return float("nan")
    spread = float(values.std(ddof=1))
    if spread <= 1e-12 * abs(float(values.mean())) or spread == 0.0:
        return float("nan")
    return min(1.0, max(-1.0, float(values.mean()) / spread))
