"""Labels as their definitions read, one row at a time: the oracle of `fathom.ml.samples.labels`."""

import math

import numpy as np

from fathom.ml.samples.label_config import LabelConfig


def naive_label(
    ts: np.ndarray, instrument: np.ndarray, mid: np.ndarray, spread_bps: np.ndarray, grid_ns: int, config: LabelConfig
) -> list[tuple[int, float, float, float, int] | None]:
    """Return for each row class, return, volatility, cost and rows to the exit; None where it is not known."""
    steps = round(config.horizon_secs * 1e9 / grid_ns)
    past = round(config.volatility_secs * 1e9 / grid_ns)
    return [_one(i, ts, instrument, mid, spread_bps, grid_ns, config, steps, past) for i in range(len(ts))]


def _whole(rows: range, ts: np.ndarray, instrument: np.ndarray, mid: np.ndarray, grid_ns: int) -> bool:
    if rows[0] < 0 or rows[-1] >= len(ts):
        return False
    return all(
        instrument[j] == instrument[rows[0]]
        and ts[j] - ts[rows[0]] == (j - rows[0]) * grid_ns
        and not math.isnan(mid[j])
        for j in rows
    )


def _one(
    i: int,
    ts: np.ndarray,
    instrument: np.ndarray,
    mid: np.ndarray,
    spread_bps: np.ndarray,
    grid_ns: int,
    config: LabelConfig,
    steps: int,
    past: int,
) -> tuple[int, float, float, float, int] | None:
    if not _whole(range(i, i + steps + 1), ts, instrument, mid, grid_ns):
        return None

    def change(a: int, b: int) -> float:
        return float((mid[b] / mid[a] - 1.0) * 1e4)

    leave = steps
    if config.kind == "barrier":
        if not _whole(range(i - past, i + 1), ts, instrument, mid, grid_ns):
            return None
        deviation = math.sqrt(sum(change(j - 1, j) ** 2 for j in range(i - past + 1, i + 1)) / past)
        least = config.threshold_bps
        if least is None:
            least = 2.0 * config.fee_bps + spread_bps[i]
        width = max(config.barrier_width * deviation * math.sqrt(steps), least)
        side = 0
        for j in range(1, steps + 1):
            moved = change(i, i + j)
            if moved != 0.0 and abs(moved) >= width:
                side, leave = (1 if moved > 0.0 else 2), j
                break
    cost = 2.0 * config.fee_bps + (spread_bps[i] + spread_bps[i + leave]) / 2.0
    earned = change(i, i + leave)
    if config.kind == "fixed":
        threshold = cost if config.threshold_bps is None else config.threshold_bps
        side = 1 if earned > threshold else 2 if earned < -threshold else 0
    volatility = math.sqrt(sum(change(j - 1, j) ** 2 for j in range(i + 1, i + steps + 1)))
    return side, earned, volatility, cost, leave
