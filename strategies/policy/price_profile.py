"""The profile of a session: how much traded at which price, its value area, and its thick and thin bins.

References
----------
Steidlmayer & Koy (1986), Markets and Market Logic; Dalton, Jones & Dalton (1990), Mind Over Markets: the value area of
70 %, found from the point of control outwards.
"""

from typing import Final, NamedTuple

import numpy as np

from fathom.market.kernel import kernel
from fathom.strategies.policy.policy import Floats

COUNT: Final = 0
CENTRE: Final = 1
WIDTH: Final = 2
POC: Final = 3
LOW_EDGE: Final = 4
HIGH_EDGE: Final = 5
SIDE: Final = 6
STREAK: Final = 7
EXTREME: Final = 8
STREAK_VOLUME: Final = 9
MEAN_VOLUME: Final = 10
RANGE: Final = 11
HIGH_NODE: Final = 12
LOW_NODE: Final = 13
RINGS: Final = 14
"""Cells of the state; from `RINGS` on, three rings of a session (highs, lows, volumes), then the bins' volumes."""


class Profile(NamedTuple):
    """Volume by price.

    Parameters
    ----------
    prices, volumes : ndarray
        Middle of each bin, and what traded in it; float64 of shape (bins,).
    point_of_control, low_edge, high_edge : float
        Price of the fullest bin, and the edges of the value area.
    high_nodes, low_nodes : ndarray
        Prices of the bins that are thicker, or thinner, than their neighbours and the mean by the set factors.

    Examples
    --------
    >>> Profile(np.array([1.0]), np.array([2.0]), 1.0, 0.5, 1.5, np.array([1.0]), np.array([])).high_edge
    1.5
    """

    prices: Floats
    volumes: Floats
    point_of_control: float
    low_edge: float
    high_edge: float
    high_nodes: Floats
    low_nodes: Floats


@kernel
def fill(state: Floats, highs: Floats, lows: Floats, volumes: Floats, bins: Floats) -> float:
    """Spread the volume of each bar evenly over its range into the bins; return the volume of all.

    Everything is measured from the centre of the session's range, so that a mirrored price gives mirrored bins.
    """
    top, bottom, total, reach = highs[0], lows[0], 0.0, 0.0
    for i in range(len(highs)):
        top, bottom = max(top, highs[i]), min(bottom, lows[i])
        total += volumes[i]
        reach += highs[i] - lows[i]
    half = len(bins) // 2
    centre, width = (top + bottom) / 2.0, (top - bottom) / len(bins)
    state[CENTRE], state[WIDTH] = centre, width
    state[MEAN_VOLUME], state[RANGE] = total / len(highs), reach / len(highs)
    for k in range(len(bins)):
        bins[k] = 0.0
    if width <= 0.0:
        return 0.0
    for i in range(len(highs)):
        a, b = (lows[i] - centre) / width, (highs[i] - centre) / width
        if b <= a:
            at = int(np.floor(a))
            on_edge = a == at
            for k in (at - 1, at) if on_edge else (at, at):
                bins[min(max(k + half, 0), 2 * half - 1)] += volumes[i] / 2.0
            continue
        for k in range(int(np.floor(a)), int(np.ceil(b))):
            part = (min(b, k + 1.0) - max(a, float(k))) / (b - a)
            bins[min(max(k + half, 0), 2 * half - 1)] += volumes[i] * part
    return total


@kernel
def _control(bins: Floats, close: float) -> int:
    # The fullest bin; of equal ones the nearest to `close` (in bins from the centre).
    half = len(bins) // 2
    best = 0
    for k in range(1, len(bins)):
        nearer = abs(k + 0.5 - half - close) < abs(best + 0.5 - half - close)
        if bins[k] > bins[best] or (bins[k] == bins[best] and nearer):
            best = k
    return best


@kernel
def find_area(state: Floats, bins: Floats, total: float, share: float, close: float) -> None:
    """Write point of control and edges: from the control outwards to the fuller neighbour, both if equal."""
    half = len(bins) // 2
    centre, width = state[CENTRE], state[WIDTH]
    control = _control(bins, (close - centre) / width)
    low = high = control
    held = bins[control]
    while held < share * total and (low > 0 or high < len(bins) - 1):
        above = bins[high + 1] if high < len(bins) - 1 else -1.0
        below = bins[low - 1] if low > 0 else -1.0
        if above >= below:
            high += 1
        if below >= above:
            low -= 1
        held += above + below if above == below else max(above, below)
    state[POC] = centre + (control + 0.5 - half) * width
    state[LOW_EDGE] = centre + (low - half) * width
    state[HIGH_EDGE] = centre + (high + 1.0 - half) * width


@kernel
def is_high_node(bins: Floats, k: int, least: float) -> bool:
    """Tell whether bin `k` holds at least `least` and no less than its neighbours."""
    below = bins[k - 1] if k > 0 else 0.0
    above = bins[k + 1] if k < len(bins) - 1 else 0.0
    return bins[k] >= least and bins[k] >= below and bins[k] >= above  # type: ignore[no-any-return]


@kernel
def is_low_node(bins: Floats, k: int, most: float) -> bool:
    """Tell whether bin `k` lies inside, holds at most `most` and no more than its neighbours."""
    if k == 0 or k == len(bins) - 1:
        return False
    return bins[k] <= most and bins[k] <= bins[k - 1] and bins[k] <= bins[k + 1]  # type: ignore[no-any-return]


@kernel
def find_nodes(
    state: Floats, bins: Floats, high_node: float, low_node: float, side: float, close: float, total: float
) -> None:
    """Write the thick bin nearest beyond the close, and the thin bin nearest to the edge between it and the control."""
    half = len(bins) // 2
    mean = total / len(bins)
    edge = state[HIGH_EDGE] if side > 0.0 else state[LOW_EDGE]
    state[HIGH_NODE] = state[LOW_NODE] = np.nan
    for k in range(len(bins)):
        price = state[CENTRE] + (k + 0.5 - half) * state[WIDTH]
        beyond, inside = side * (price - close), side * (edge - price)  # `not >=`: the first one beside NaN counts too
        nearer = beyond > 0.0 and not beyond >= side * (state[HIGH_NODE] - close)
        if nearer and is_high_node(bins, k, high_node * mean):
            state[HIGH_NODE] = price
        nearer = inside > 0.0 and not inside >= side * (edge - state[LOW_NODE])
        if nearer and side * (price - state[POC]) > 0.0 and is_low_node(bins, k, low_node * mean):
            state[LOW_NODE] = price
