"""Order-flow imbalance at the touch between two closed bars: what was added to and taken from the best prices.

References
----------
Cont, Kukanov & Stoikov (2014), The Price Impact of Order Book Events, doi:10.1093/jjfinec/nbt003.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from fathom.market.kernel import kernel
from fathom.strategies.policy.policy import Floats

KNOWN: Final = 0
BID: Final = 1
BID_SIZE: Final = 2
ASK: Final = 3
ASK_SIZE: Final = 4
FLOW: Final = 5
DEPTH: Final = 6
QUOTES: Final = 7
CELLS: Final = 8


@kernel
def step(state: Floats, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
    """Take one quote: add what it changes at the touch to the flow since the last `take`."""
    if state[KNOWN] > 0.0:
        bought = sold = 0.0
        if bid >= state[BID]:
            bought += bid_size
        if bid <= state[BID]:
            bought -= state[BID_SIZE]
        if ask <= state[ASK]:
            sold += ask_size
        if ask >= state[ASK]:
            sold -= state[ASK_SIZE]
        state[FLOW] += bought - sold
        state[DEPTH] += (bid_size + ask_size) / 2.0
        state[QUOTES] += 1.0
    state[KNOWN], state[BID], state[BID_SIZE], state[ASK], state[ASK_SIZE] = 1.0, bid, bid_size, ask, ask_size


@kernel
def take(state: Floats) -> float:
    """Return the flow since the last `take` over the mean size at the touch, and begin anew; NaN without a quote.

    Before the first quote nothing is known. After it, no change is a flow of 0.
    """
    if state[KNOWN] == 0.0:
        return np.nan
    flow = state[FLOW] * state[QUOTES] / state[DEPTH] if state[DEPTH] > 0.0 else 0.0
    state[FLOW] = state[DEPTH] = state[QUOTES] = 0.0
    return flow


@kernel
def run(state: Floats, quotes: Floats, cuts: Floats, out: Floats) -> None:
    """Take quotes (n, 4) of bid, bid size, ask, ask size; ``out[i]`` is taken after the first ``cuts[i]`` of them."""
    done = 0
    for i in range(len(cuts)):
        while done < cuts[i]:
            step(state, quotes[done, 0], quotes[done, 1], quotes[done, 2], quotes[done, 3])
            done += 1
        out[i] = take(state)
    while done < len(quotes):
        step(state, quotes[done, 0], quotes[done, 1], quotes[done, 2], quotes[done, 3])
        done += 1


class OrderFlow:
    """Quotes in, one order-flow imbalance a bar out.

    A quote that raises the best bid, or adds to it, is a flow upwards; one that takes from it, or lowers it, a flow
    downwards; the ask likewise, turned around. The sum is divided by the mean size at the touch.

    Examples
    --------
    >>> flow = OrderFlow()
    >>> flow.update(99.0, 2.0, 101.0, 2.0)
    >>> flow.update(99.0, 3.0, 101.0, 1.0)
    >>> flow.take(), flow.take()
    (1.0, 0.0)
    """

    def __init__(self) -> None:
        self.state = np.zeros(CELLS)

    def update(self, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        """Take one quote."""
        step(self.state, bid, bid_size, ask, ask_size)

    def take(self) -> float:
        """Return the flow since the last call; NaN before the first quote."""
        return float(take(self.state))

    def snapshot(self) -> dict[str, Floats]:
        """Return a copy of the state."""
        return {"state": self.state.copy()}

    def restore(self, snapshot: Mapping[str, Floats]) -> None:
        """Continue from a `snapshot`."""
        self.state[:] = snapshot["state"]
