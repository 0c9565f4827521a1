"""The nearest support and resistance: the levels of `detectors.SupportResistance`, over bars built beside the book."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.bars.detector import BAR_FIELDS, HIGH, LOW
from fathom.detectors.bars.market_bars import MarketBars, add_trade, begin, close_bar, is_due, new_market_bars
from fathom.detectors.bars.support_resistance import new_levels_state
from fathom.detectors.bars.support_resistance import step as levels_step
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BEST, BID, COUNT, BookArrays
from fathom.ml.features.kernels.describe import Describe, places
from fathom.ml.features.spec import FeatureSpec

EXTREMES: Final = 120
"""Bars whose lowest and highest price stand in where the detector holds no level on that side."""

_begin = begin
_is_due = is_due
_add_trade = add_trade


class LevelArrays(NamedTuple):
    """State of the levels; prices in ticks.

    Parameters
    ----------
    clock, forming : ndarray
        Of `fathom.detectors.bars.market_bars.MarketBars`.
    state, params : ndarray of float64
        Of the recurrence of `detectors.SupportResistance`.
    bar : ndarray of float64, shape (8,)
        The bar that closed last.
    reading : ndarray of float64, shape (4,)
        What the detector said of it.
    lows, highs : ndarray of float64, shape (EXTREMES,)
        Rings of the last bars' extremes.
    closed : ndarray of int64, shape (1,)
        Bars closed so far.

    Examples
    --------
    >>> new_level_arrays(1000).reading.shape
    (4,)
    """

    clock: NDArray[np.int64]
    forming: NDArray[np.float64]
    state: NDArray[np.float64]
    params: NDArray[np.float64]
    bar: NDArray[np.float64]
    reading: NDArray[np.float64]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    closed: NDArray[np.int64]


def new_level_arrays(bar_ms: int) -> LevelArrays:
    """Return the state before the first row, with the default settings of `detectors.SupportResistance`."""
    bars = new_market_bars(bar_ms * 1_000_000)
    state, params = new_levels_state()
    return LevelArrays(
        clock=bars.clock,
        forming=bars.forming,
        state=state,
        params=params,
        bar=np.full(BAR_FIELDS, np.nan),
        reading=np.full(4, np.nan),
        lows=np.full(EXTREMES, np.inf),
        highs=np.full(EXTREMES, -np.inf),
        closed=np.zeros(1, np.int64),
    )


def specs(grid_ms: int, bar_ms: int = 1000) -> tuple[FeatureSpec, ...]:
    """Return what `step` writes, in the order of `PLACE`."""
    levels = Describe("levels", grid_ms)
    young = "no bar has closed yet"
    edges: tuple[tuple[str, str, str, str], ...] = (
        ("support", "below", "lowest", "Where the price turned up, traded much or met large bids before."),
        ("resistance", "above", "highest", "Where the price turned down, traded much or met large asks before."),
    )
    found: list[FeatureSpec] = []
    for name, where, extreme, text in edges:
        found.append(
            levels(
                f"{name}_level_1", "price",
                f"nearest level {where} the close of the last bar (bar_ms of trades and the mid) that "
                f"detectors.SupportResistance holds with a strength of 0.2 or more; where it holds none, the {extreme} "
                f"price of the last {EXTREMES} bars",
                text, source="Osler (2003), doi:10.1111/1540-6261.00588", nan=young, seconds=bar_ms / 1000,
                stationary=False,
            )
        )  # fmt: skip
    for name, formula in (("support", "1 - support_level_1 / mid"), ("resistance", "resistance_level_1 / mid - 1")):
        found.append(
            levels(
                f"distance_to_{name}", "bps", f"1e4 ({formula})",
                f"How far the {name} is; below 0 where the price has gone through it since the bar closed.",
                nan=f"{young}, or a side of the book is empty", seconds=bar_ms / 1000, of=f"{name}_level_1",
            )
        )  # fmt: skip
    return tuple(found)


PLACE: Final = places(specs(1000))
"""Place of each value by the name of its feature."""


@kernel
def close_until(book: BookArrays, levels: LevelArrays, ts_ns: int) -> None:
    """Close the bars that have ended by `ts_ns`, and take each into the levels."""
    bars = MarketBars(levels.clock, levels.forming)
    while _is_due(bars, ts_ns):
        if close_bar(bars, book, levels.bar):
            levels_step(levels.state, levels.params, levels.bar, levels.reading)
            at = levels.closed[0] % EXTREMES
            levels.lows[at] = levels.bar[LOW]
            levels.highs[at] = levels.bar[HIGH]
            levels.closed[0] += 1


@kernel(inline=True)
def before_row(book: BookArrays, levels: LevelArrays, ts_init: int) -> None:
    """Let time pass before a row is put into the book."""
    if levels.clock[0] == 0:
        _begin(MarketBars(levels.clock, levels.forming), ts_init)
    elif ts_init >= levels.clock[0]:
        close_until(book, levels, ts_init)
    levels.clock[3] = 0


@kernel
def trade(levels: LevelArrays, price: int, size: int, flags: int) -> None:
    """Take a trade."""
    _add_trade(MarketBars(levels.clock, levels.forming), float(price), float(size), flags)


@kernel
def step(book: BookArrays, levels: LevelArrays, tick: float, out: NDArray[np.float64]) -> None:
    """Write the values of `specs`, after `close_until` the grid time."""
    out[: len(PLACE)] = np.nan
    if levels.closed[0] == 0:
        return
    support = levels.reading[0]
    if np.isnan(support):
        support = np.inf
        for i in range(EXTREMES):
            support = min(support, levels.lows[i])
    resistance = levels.reading[2]
    if np.isnan(resistance):
        resistance = -np.inf
        for i in range(EXTREMES):
            resistance = max(resistance, levels.highs[i])
    out[PLACE.support_level_1] = tick * support
    out[PLACE.resistance_level_1] = tick * resistance
    sides = book.sides
    if sides[BID, COUNT] > 0 and sides[ASK, COUNT] > 0:
        mid = 0.5 * (sides[ASK, BEST] - sides[BID, BEST])
        out[PLACE.distance_to_support] = 1e4 * (mid - support) / mid
        out[PLACE.distance_to_resistance] = 1e4 * (resistance - mid) / mid


def copied(levels: LevelArrays, state: dict[str, NDArray[Any]]) -> LevelArrays:
    """Return the arrays of a snapshot where they fit `levels`, else raise `ValueError` with the name that does not."""
    for name, mine in levels._asdict().items():
        if state[name].shape != mine.shape or state[name].dtype != mine.dtype:
            raise ValueError(name)
    if not np.array_equal(state["params"], levels.params) or state["clock"][1] != levels.clock[1]:
        raise ValueError("params")
    return LevelArrays(**{name: state[name].copy() for name in LevelArrays._fields})
