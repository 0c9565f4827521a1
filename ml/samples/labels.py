"""Labels: what a trade that is entered at a grid time would have earned, and the class that follows from it.

The label of grid time T compares the mid at T (of the events before T, as the features) with mids after T. Nothing is
smoothed, and no price before T is in it but the mid at T, so that inputs and label share no noise.
"""

from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fathom.market.kernel import kernel
from fathom.ml.samples.label_config import LABELS, LabelConfig
from fathom.ml.samples.plain_times import times_ns

HOLD: Final = 0
BUY: Final = 1
SELL: Final = 2
CLASSES: Final = ("HOLD", "BUY", "SELL")
"""Names of the classes, by number: in logits, probabilities and artifacts alike."""


class Prices(NamedTuple):
    """Prices of one or more instruments on the event-time grid.

    Attributes
    ----------
    mid : ndarray
        Mid of the events before each grid time, float64.
    spread_bps : ndarray
        Spread at the same time, bps of the mid.
    ahead : ndarray
        How many rows follow each row without a gap in the grid, int64 (see `rows_ahead`).
    grid_ns : int
        Distance of the grid times.

    Examples
    --------
    >>> mid = np.array([100.0, 100.1, 100.0])
    >>> Prices(mid, np.full(3, 1.0), np.array([2, 1, 0]), 1_000_000_000).mid.size
    3
    """

    mid: NDArray[np.float64]
    spread_bps: NDArray[np.float64]
    ahead: NDArray[np.int64]
    grid_ns: int


class Labels(NamedTuple):
    """Labels of every row; where `known` is False the rows ahead do not reach the horizon, and nothing else counts.

    Attributes
    ----------
    known : ndarray of bool
    classes : ndarray of int64
        HOLD 0, BUY 1, SELL 2.
    return_bps : ndarray of float64
        Return from the mid at T to the mid at the exit; NaN where not known.
    volatility_bps : ndarray of float64
        Realised volatility over the horizon: root of the summed squares of the returns of its grid steps.
    cost_bps : ndarray of float64
        Of a trade over this span: two fees and half the spread at each end.
    exit : ndarray of int64
        Rows to the exit: those of the horizon, or fewer where a barrier was touched.

    Examples
    --------
    >>> prices = Prices(np.array([100.0, 100.2]), np.zeros(2), np.array([1, 0]), 1_000_000_000)
    >>> made = label(prices, LabelConfig(horizon_secs=1.0, fee_bps=5.0))
    >>> made.classes.tolist(), made.return_bps.round(6).tolist(), made.known.tolist()
    ([1, 0], [20.0, nan], [True, False])

    From plain arrays:

    >>> times = np.arange(5) * 1_000_000_000
    >>> mids = np.array([100.0, 100.1, 100.3, 100.3, 100.2])
    >>> Labels.of(times, mids, LabelConfig(horizon_secs=2.0, fee_bps=5.0)).classes.tolist()
    [1, 1, 0, 0, 0]
    """

    known: NDArray[np.bool_]
    classes: NDArray[np.int64]
    return_bps: NDArray[np.float64]
    volatility_bps: NDArray[np.float64]
    cost_bps: NDArray[np.float64]
    exit: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        times: Any,
        mids: ArrayLike,
        config: LabelConfig | None = None,
        *,
        spread_bps: ArrayLike = 0.0,
        grid_ms: int | None = None,
    ) -> Self:
        """Return the labels of the prices of one instrument.

        Parameters
        ----------
        times : array
            See `times_ns`. They grow. A step longer than the grid is a gap: no label looks across it.
        mids : array of float
        config : LabelConfig, optional
            `FixedHorizon()` by default, or `TripleBarrier(...)`.
        spread_bps : float or array, default 0
        grid_ms : int, optional
            Distance of the times; by default the smallest that occurs.

        Raises
        ------
        ValueError
            The arrays differ in length, the times do not grow, or the horizon is no multiple of the grid.
        """
        ts, mid = times_ns(times), np.asarray(mids, np.float64)
        if ts.ndim != 1 or ts.shape != mid.shape:
            raise ValueError(f"Expected as many times as mids, was {ts.shape} and {mid.shape}")
        steps = np.diff(ts)
        if len(ts) < 2 or not (steps > 0).all():
            raise ValueError("Expected two or more times that grow, was another order or fewer")
        grid_ns = int(steps.min()) if grid_ms is None else grid_ms * 1_000_000
        ahead = rows_ahead(ts, np.zeros(len(ts), np.int64), mid, grid_ns)
        spread = np.broadcast_to(np.asarray(spread_bps, np.float64), mid.shape).copy()
        return cls(*label(Prices(mid, spread, ahead, grid_ns), config or LabelConfig()))


def rows_ahead(
    ts: NDArray[np.int64], instrument: NDArray[np.integer], mid: NDArray[np.float64], grid_ns: int
) -> NDArray[np.int64]:
    """Return how many rows follow each row on the grid: same instrument, `grid_ns` apart, with a mid.

    Examples
    --------
    >>> rows_ahead(np.array([1, 2, 4, 5]), np.zeros(4, int), np.ones(4), 1).tolist()
    [1, 0, 1, 0]
    """
    follows = (np.diff(ts) == grid_ns) & (np.diff(instrument) == 0) & ~np.isnan(mid[1:]) & ~np.isnan(mid[:-1])
    ends = np.append(np.flatnonzero(~follows), len(ts) - 1) if len(ts) else np.zeros(0, np.int64)
    at = np.arange(len(ts))
    ahead: NDArray[np.int64] = ends[np.searchsorted(ends, at)] - at
    return ahead


def label(prices: Prices, config: LabelConfig) -> Labels:
    """Label every row.

    Fixed horizon: BUY where the return over the horizon exceeds the threshold, SELL where it is below minus the
    threshold, HOLD otherwise. The threshold is the cost of that very trade unless `threshold_bps` says another.

    Triple barrier (Lopez de Prado 2018, ch. 3): the first grid time at which the return has reached plus or minus the
    width decides, BUY or SELL; HOLD where neither is reached within the horizon. The width is `barrier_width` times the
    volatility of the steps in the `volatility_secs` up to T (past only), scaled to the horizon, and at least the
    threshold (the cost by two fees and the spread at T). Ties: the mid has one value a grid time and the barriers lie
    on both sides of the mid at T, so both are never touched at once; touching is reaching, equality counts; a width of
    zero and an unchanged price is no touch.

    Parameters
    ----------
    prices : Prices
    config : LabelConfig

    Raises
    ------
    ValueError
        The horizon is no multiple of the grid.
    """
    steps = _steps(config.horizon_secs, prices.grid_ns, "horizon_secs")
    kind: LabelKind = LABELS.load(config.kind)
    outcome = kind(prices, config, steps)
    _check(outcome, len(prices.mid), steps, config.kind)
    known = (prices.ahead >= steps) & (outcome.exits > 0)
    exits = np.where(known, outcome.exits, steps)
    return_bps, cost = _paid(prices, config, known, exits)
    volatility = np.empty(len(known))
    _realised(prices.mid, known, steps, volatility)
    classes = np.where(known, outcome.classes, HOLD).astype(np.int64)
    return Labels(known, classes, return_bps, volatility, cost, exits)


class Outcome(NamedTuple):
    """What a kind of label says of every row.

    Attributes
    ----------
    exits : ndarray of int64
        Rows to the exit, at most those of the horizon; 0 where it is not known.
    classes : ndarray of int64
        HOLD, BUY or SELL.
    """

    exits: NDArray[np.int64]
    classes: NDArray[np.int64]


class LabelKind(Protocol):
    """A kind of label: where a trade entered at each row ends within `steps` rows, and the class that follows."""

    def __call__(self, prices: Prices, config: LabelConfig, steps: int) -> Outcome: ...


def fixed(prices: Prices, config: LabelConfig, steps: int) -> Outcome:
    """Compare the return after the horizon with the threshold (see `label`)."""
    known = prices.ahead >= steps
    exits = np.where(known, steps, 0)
    return_bps, cost = _paid(prices, config, known, exits)
    threshold = cost if config.threshold_bps is None else config.threshold_bps
    return Outcome(exits, np.where(return_bps > threshold, BUY, np.where(return_bps < -threshold, SELL, HOLD)))


def barrier(prices: Prices, config: LabelConfig, steps: int) -> Outcome:
    """Say which of two barriers the price touches first (see `label`)."""
    past = _steps(config.volatility_secs, prices.grid_ns, "volatility_secs")
    deviation = np.empty(len(prices.mid))
    _past_deviation(prices.mid, prices.ahead, past, deviation)
    floor = prices.spread_bps + 2.0 * config.fee_bps if config.threshold_bps is None else config.threshold_bps
    width = np.maximum(config.barrier_width * deviation * steps**0.5, floor)
    known = (prices.ahead >= steps) & ~np.isnan(width)
    exits, touched = np.where(known, steps, 0), np.empty(len(known), np.int64)
    _first_touch(prices.mid, known, width, steps, exits, touched)
    return Outcome(exits, touched)


def _paid(
    prices: Prices, config: LabelConfig, known: NDArray[np.bool_], exits: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = np.arange(len(known))
    last = np.where(known, rows + exits, rows)
    return_bps = np.where(known, (prices.mid[last] / prices.mid - 1.0) * 1e4, np.nan)
    cost = np.where(known, 2.0 * config.fee_bps + (prices.spread_bps + prices.spread_bps[last]) / 2.0, np.nan)
    return return_bps, cost


def _check(outcome: Outcome, rows: int, steps: int, kind: str) -> None:
    exits, classes = outcome
    if exits.shape != (rows,) or classes.shape != (rows,):
        raise ValueError(
            f"Expected {rows} exits and classes of the label {kind}, was {exits.shape} and {classes.shape}"
        )
    if ((exits < 0) | (exits > steps)).any():
        raise ValueError(f"Expected exits of the label {kind} within 0 to {steps} rows, was one outside")
    if not np.isin(classes[exits > 0], (HOLD, BUY, SELL)).all():
        raise ValueError(f"Expected classes of the label {kind} of {HOLD}, {BUY} or {SELL}, was another")


def meta_labels(labels: Labels, rows: NDArray[np.int64], sides: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return whether signals of a strategy paid: 1.0 after costs, 0.0 not, NaN where the label is not known.

    Parameters
    ----------
    labels : Labels
    rows : ndarray
        Row of each signal's grid time.
    sides : ndarray
        1 to buy, -1 to sell.

    Examples
    --------
    >>> prices = Prices(np.array([100.0, 100.2]), np.zeros(2), np.array([1, 0]), 1_000_000_000)
    >>> made = label(prices, LabelConfig(horizon_secs=1.0, fee_bps=5.0))
    >>> meta_labels(made, np.array([0, 0, 1]), np.array([1, -1, 1])).tolist()
    [1.0, 0.0, nan]
    """
    if not np.isin(sides, (-1, 1)).all():
        raise ValueError("Expected sides of 1 or -1, was another")
    net = sides * labels.return_bps[rows] - labels.cost_bps[rows]
    return np.where(labels.known[rows], (net > 0.0).astype(np.float64), np.nan)


def past_classes(prices: Prices, config: LabelConfig) -> NDArray[np.int64]:
    """Return the class of the move that has just ended at each row, against the threshold known then.

    This is what naive persistence says: the return of the horizon before T, HOLD where there is none.

    Examples
    --------
    >>> prices = Prices(np.array([100.0, 100.2]), np.zeros(2), np.array([1, 0]), 1_000_000_000)
    >>> past_classes(prices, LabelConfig(horizon_secs=1.0)).tolist()
    [0, 1]
    """
    steps = _steps(config.horizon_secs, prices.grid_ns, "horizon_secs")
    found = np.zeros(len(prices.mid), np.int64)
    from_rows = np.flatnonzero(prices.ahead >= steps)
    change = (prices.mid[from_rows + steps] / prices.mid[from_rows] - 1.0) * 1e4
    if config.threshold_bps is None:
        threshold = 2.0 * config.fee_bps + prices.spread_bps[from_rows + steps]
    else:
        threshold = np.full(len(from_rows), config.threshold_bps)
    found[from_rows + steps] = np.where(change > threshold, BUY, np.where(change < -threshold, SELL, HOLD))
    return found


def _steps(secs: float, grid_ns: int, name: str) -> int:
    steps = round(secs * 1e9) / grid_ns
    if steps < 1 or steps != int(steps):
        raise ValueError(f"Expected {name} to be a multiple of the grid of {grid_ns / 1e9:g} s, was {secs:g}")
    return int(steps)


@kernel
def _past_deviation(mid, ahead, steps, deviation):  # type: ignore[no-untyped-def]
    # Root mean square of the returns (bps) of the last `steps` steps; NaN until there are as many without a gap.
    run = 0
    for i in range(mid.shape[0]):
        run = run + 1 if i > 0 and ahead[i - 1] > 0 else 0
        deviation[i] = np.nan
        if run >= steps:
            total = 0.0
            for j in range(i - steps + 1, i + 1):
                change = (mid[j] / mid[j - 1] - 1.0) * 1e4
                total += change * change
            deviation[i] = (total / steps) ** 0.5


@kernel
def _first_touch(mid, known, width, steps, exits, touched):  # type: ignore[no-untyped-def]
    for i in range(mid.shape[0]):
        touched[i] = 0
        if not known[i]:
            continue
        for j in range(1, steps + 1):
            change = (mid[i + j] / mid[i] - 1.0) * 1e4
            if change != 0.0 and abs(change) >= width[i]:
                touched[i] = 1 if change > 0.0 else 2
                exits[i] = j
                break


@kernel
def _realised(mid, known, steps, volatility):  # type: ignore[no-untyped-def]
    for i in range(mid.shape[0]):
        volatility[i] = np.nan
        if known[i]:
            total = 0.0
            for j in range(i + 1, i + steps + 1):
                change = (mid[j] / mid[j - 1] - 1.0) * 1e4
                total += change * change
            volatility[i] = total**0.5
