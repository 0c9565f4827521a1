"""A threshold that keeps to a number of alerts an hour: what is usual elsewhere says little about this market.

Each new series of alerts raises what is asked of the next one by `STEP` in log-odds; with time this falls again, by
`STEP` times the series allowed, an hour, and never below the configured threshold. So no span of T hours that begins at
the configured threshold brings more series than allowed * T + raised / STEP, where `raised` is what is asked beyond the
threshold at its end: some dozens at first, until the level of the market is found, and then the allowed number. This is
the integral part of a controller, or a stochastic approximation of the quantile [1]_. It looks at nothing but the
alerts, so that a restart goes on where it was.

.. [1] Robbins, H. and Monro, S. (1951). A stochastic approximation method. Annals of Mathematical Statistics 22(3),
   400-407. https://doi.org/10.1214/aoms/1177729586
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.market.kernel import kernel

STEP: Final = 0.1
_NS_PER_HOUR: Final = 3.6e12


@kernel
def let_pace_fall(pace: NDArray[np.float64], allowed: NDArray[np.float64], passed_ns: int) -> None:
    """Let what is asked beyond the thresholds fall with time; `allowed` are the series an hour, 0 for no limit."""
    for kind in range(len(pace)):
        if pace[kind] > 0.0:
            pace[kind] = max(0.0, pace[kind] - STEP * allowed[kind] * passed_ns / _NS_PER_HOUR)


@kernel
def note_series(pace: NDArray[np.float64], allowed: NDArray[np.float64], kind: int) -> None:
    """Ask more of the next series, where their number is limited."""
    if allowed[kind] > 0.0:
        pace[kind] += STEP
