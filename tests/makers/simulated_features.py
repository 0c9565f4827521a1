"""Plain features of a book on a time grid, for tests that ask what a simulated market gives away."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fathom.data_catalog.simulation.config import Simulation
from fathom.data_catalog.simulation.generator import Generator

FEATURES: Final = ("touch imbalance", "depth imbalance", "taker flow", "taker count", "order flow", "past return")
_RING: Final = 1 << 17


def simulate_arrays(config: Simulation, seed: int, secs: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return book rows, trades and ground truth of the first instrument."""
    batches = list(Generator(config, 0, seed).run(secs))
    book, trades, truth = ([getattr(batch, name) for batch in batches] for name in ("book", "trades", "truth"))
    return np.concatenate(book), np.concatenate(trades), np.concatenate(truth)


def merged(book: NDArray[Any], trades: NDArray[Any]) -> NDArray[Any]:
    """Return both in order of ts_init, book rows first among equals."""
    rows = np.concatenate([book, trades])
    return rows[np.argsort(rows["ts_init"], kind="stable")]


@njit(cache=True)
def _sides(sizes: Any, best: Any, levels: int) -> tuple[float, float]:
    totals = np.zeros(3)
    for side in range(1, 3):
        step = -1 if side == 1 else 1
        price = best[side]
        found = 0
        while found < levels:
            size = sizes[side, price & (_RING - 1)]
            if size > 0:
                totals[side] += size
                found += 1
            price += step
    return totals[1], totals[2]


@njit(cache=True)
def _run(rows: Any, grid: Any, out: Any, mids: Any) -> None:
    # Row g of the output uses exactly the rows with ts_init before grid time g.
    sizes = np.zeros((3, _RING), np.int64)
    best = np.zeros(3, np.int64)
    before = np.zeros((3, 2), np.int64)
    flow = count = ofi = 0.0
    g = 0
    for i in range(rows.shape[0] + 1):
        now = rows[i].ts_init if i < rows.shape[0] else grid[-1] + 1
        while g < grid.shape[0] and grid[g] <= now:
            if best[1] > 0:
                bid, ask = _sides(sizes, best, 1)
                deep_bid, deep_ask = _sides(sizes, best, 10)
                out[g, 0] = (bid - ask) / (bid + ask)
                out[g, 1] = (deep_bid - deep_ask) / (deep_bid + deep_ask)
                mids[g] = 0.5 * (best[1] + best[2])
            out[g, 2] = flow
            out[g, 3] = count
            out[g, 4] = ofi
            flow = count = ofi = 0.0
            g += 1
        if i == rows.shape[0] or g == grid.shape[0]:
            break
        row = rows[i]
        side = np.int64(row.side)
        if row.kind == 2:
            sign = 1.0 if side == 1 else -1.0
            flow += sign * np.sqrt(row.size)
            count += sign
            continue
        if row.action == 4:
            sizes[:] = 0
            best[:] = 0
            continue
        place = row.price & (_RING - 1)
        sizes[side, place] = row.size
        step = -1 if side == 1 else 1
        if row.size > 0 and (best[side] == 0 or (best[side] - row.price) * step > 0):
            best[side] = row.price
        elif row.size == 0 and row.price == best[side]:
            price = best[side]
            for _ in range(_RING):
                if sizes[side, price & (_RING - 1)] > 0:
                    break
                price += step
            best[side] = price
        if row.flags & 128 and best[1] > 0 and best[2] > 0:
            # Order flow imbalance of Cont, Kukanov and Stoikov (2014), doi:10.1093/jjfinec/nbt003.
            for s in range(1, 3):
                sign = 1.0 if s == 1 else -1.0
                size = sizes[s, best[s] & (_RING - 1)]
                better = (best[s] - before[s, 0]) * sign
                if better >= 0:
                    ofi += sign * size
                if better <= 0:
                    ofi -= sign * before[s, 1]
                before[s, 0] = best[s]
                before[s, 1] = size


def grid_features(rows: NDArray[Any], step_secs: float, window: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return features (grid, `FEATURES`) summed over the last `window` grid steps where they are flows, and the mid."""
    start, end = int(rows["ts_init"][0]), int(rows["ts_init"][-1])
    step = int(step_secs * 1e9)
    grid = np.arange(start + step, end, step)
    out, mids = np.zeros((len(grid), len(FEATURES))), np.zeros(len(grid))
    _run(rows, grid, out, mids)
    for k in (2, 3, 4):
        total = np.concatenate([[0.0], np.cumsum(out[:, k])])
        out[:, k] = total[1:] - total[np.maximum(np.arange(1, len(grid) + 1) - window, 0)]
    out[window:, 5] = mids[window:] - mids[:-window]
    return out[window:], mids[window:]


def rank_correlations(features: NDArray[np.float64], outcome: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Spearman's rank correlation of each column with the outcome."""
    x, y = ranks(features), ranks(outcome[:, None])[:, 0]
    return np.asarray((x * y[:, None]).mean(axis=0))


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return standardised average ranks of each column."""
    out = np.empty(values.shape)
    for k in range(values.shape[1]):
        _, inverse, counts = np.unique(values[:, k], return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        average = (ends - (counts - 1) / 2)[inverse]
        spread = average.std()
        out[:, k] = (average - average.mean()) / spread if spread > 0 else 0.0
    return out


def shifted_correlations(
    features: NDArray[np.float64], outcome: NDArray[np.float64], shifts: Sequence[int]
) -> NDArray[np.float64]:
    """Return what the rank correlations would be by chance: the outcome turned by each shift, (shifts, features).

    Turning keeps the autocorrelation of both sides and breaks what ties them.
    """
    x, y = ranks(features), ranks(outcome[:, None])[:, 0]
    return np.stack([(x * np.roll(y, shift)[:, None]).mean(axis=0) for shift in shifts])
