"""What a market looks like in numbers, so that a simulated one can be laid beside a real one."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.simulation.measured.measures import OCTAVE_BINS, Gauges, measure_rows, new_gauges
from fathom.data_catalog.simulation.moves import SimulationError
from fathom.market.events import EVENT

GRID_SECS: Final = 0.1
HORIZONS_SECS: Final = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0)
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
LAGS: Final = (1, 2, 5, 10)
_ROOM: Final = 1 << 16


class MarketStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The measures of one instrument over one span.

    Quantiles are those of `QUANTILES`; sizes are in quote currency; `nan` stands for what the span is too short for.
    """

    instrument: str
    secs: float
    messages_per_sec: float
    changes_per_sec: float
    changes_per_message: tuple[float, ...]
    message_gap_ms: tuple[float, ...]
    add_share: float
    update_share: float
    delete_share: float
    spread_ticks: tuple[float, ...]
    spread_one_tick_share: float
    spread_mean_bps: float
    touch_size: tuple[float, ...]
    depth_size: tuple[float, ...]
    depth_distance_bps: tuple[float, ...]
    level_life_secs: tuple[float, ...]
    level_life_near_secs: tuple[float, ...]
    trades_per_sec: float
    taker_orders_per_sec: float
    fills_per_taker_order: float
    taker_gap_ms: tuple[float, ...]
    trade_size: tuple[float, ...]
    traded_per_sec: float
    cancelled_to_traded: float
    rpi_trade_share: float
    taker_sign_autocorrelation: float
    volatility_bps: tuple[float, ...]
    unchanged_share: tuple[float, ...]
    kurtosis: tuple[float, ...]
    return_autocorrelation: tuple[float, ...]
    return_autocorrelation_100ms: tuple[float, ...]


def count_quantiles(counts: NDArray[Any]) -> tuple[float, ...]:
    """Return the quantiles of a histogram with one bin a value."""
    total = int(counts.sum())
    if total == 0:
        return (float("nan"),) * len(QUANTILES)
    return tuple(float(place) for place in np.searchsorted(counts.cumsum(), np.array(QUANTILES) * total))


def log_quantiles(counts: NDArray[Any], unit: float = 1.0) -> tuple[float, ...]:
    """Return the quantiles of a logarithmic histogram, times `unit`."""
    return tuple(2 ** ((place + 0.5) / OCTAVE_BINS) * unit for place in count_quantiles(counts))


def _autocorrelation(x: NDArray[np.float64], lag: int) -> float:
    if len(x) < 10 * lag + 10 or x.std() == 0:
        return float("nan")
    centred = x - x.mean()
    return float((centred[:-lag] * centred[lag:]).mean() / centred.var())


def _returns(mids: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    # Overlapping, in basis points.
    return (
        np.asarray(1e4 * np.diff(np.log(mids))) if steps == 1 else 1e4 * (np.log(mids[steps:]) - np.log(mids[:-steps]))
    )


def market_statistics(
    events: Iterable[NDArray[Any]], instrument: str, tick: float, lot: float
) -> tuple[MarketStatistics, NDArray[np.float64]]:
    """Measure a market in one pass.

    Parameters
    ----------
    events : iterable of EVENT arrays
        In order of ts_init, as `Catalog.events` yields them.
    instrument : str
        Its name in the result.
    tick, lot : float
        In quote and base currency.

    Returns
    -------
    MarketStatistics
    ndarray of float64
        The mid in quote currency on the grid of `GRID_SECS`, for plots.

    Raises
    ------
    SimulationError
        Where the events hold no book with two sides.
    """
    g = new_gauges()
    step_ns = int(GRID_SECS * 1e9)
    parts: list[NDArray[np.int64]] = []
    for batch in events:
        rest = np.ascontiguousarray(batch, EVENT)
        while len(rest):
            room = np.zeros(_ROOM, np.int64)
            used = measure_rows(g, rest, room, step_ns)
            parts.append(room[: int(g.scalars["n_mids"][0])])
            g.scalars["n_mids"] = 0
            rest = rest[used:]
    twice = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    mids = np.asarray(twice[twice > 0] * (0.5 * tick), np.float64)
    if len(mids) < 2:
        raise SimulationError(f"Expected a book with two sides for at least a second, was none of {instrument}.")
    return _summary(g, mids, instrument, tick, lot), mids


def _summary(g: Gauges, mids: NDArray[np.float64], instrument: str, tick: float, lot: float) -> MarketStatistics:
    s = {name: int(g.scalars[name][0]) for name in g.scalars.dtype.names or () if name != "spread_bps"}
    secs = max((s["last"] - s["first"]) / 1e9, 1e-9)
    price = float(mids.mean())
    rows, messages = max(s["rows"], 1), max(int(g.spread.sum()), 1)
    samples = max(s["depth_samples"], 1)
    volatility, unchanged, kurtosis = [], [], []
    for horizon in HORIZONS_SECS:
        steps = round(horizon / GRID_SECS)
        r = _returns(mids, steps) if len(mids) > 3 * steps else np.zeros(0)
        spread = r.std() if len(r) else float("nan")
        volatility.append(float(spread / np.sqrt(horizon)))
        unchanged.append(float((r == 0).mean()) if len(r) else float("nan"))
        kurtosis.append(float(((r - r.mean()) ** 4).mean() / spread**4) if len(r) and spread > 0 else float("nan"))
    seconds = np.diff(np.log(mids[::10])) if len(mids) > 20 else np.zeros(0)
    tenths = np.diff(np.log(mids))
    traded = s["traded"]
    return MarketStatistics(
        instrument=instrument,
        secs=secs,
        messages_per_sec=s["messages"] / secs,
        changes_per_sec=s["rows"] / secs,
        changes_per_message=count_quantiles(g.message_rows),
        message_gap_ms=log_quantiles(g.message_gap, 1e-6),
        add_share=s["adds"] / rows,
        update_share=s["updates"] / rows,
        delete_share=s["deletes"] / rows,
        spread_ticks=count_quantiles(g.spread),
        spread_one_tick_share=float(g.spread[1] / messages),
        spread_mean_bps=float(g.scalars["spread_bps"][0]) / messages,
        touch_size=log_quantiles(g.touch_lots, lot * price),
        depth_size=tuple(float(x) for x in g.depth_lots / samples * lot * price),
        depth_distance_bps=tuple(float(x) for x in g.depth_ticks / samples * tick / price * 1e4),
        level_life_secs=log_quantiles(g.life, 1e-9),
        level_life_near_secs=log_quantiles(g.life_near, 1e-9),
        trades_per_sec=s["trades"] / secs,
        taker_orders_per_sec=s["taker_orders"] / secs,
        fills_per_taker_order=s["trades"] / max(s["taker_orders"], 1),
        taker_gap_ms=log_quantiles(g.trade_gap, 1e-6),
        trade_size=log_quantiles(g.trade_lots, lot * price),
        traded_per_sec=traded * lot * price / secs,
        cancelled_to_traded=(s["removed"] - traded) / traded if traded else float("nan"),
        rpi_trade_share=s["rpi_trades"] / max(s["trades"], 1),
        taker_sign_autocorrelation=s["sign_sum"] / s["sign_pairs"] if s["sign_pairs"] else float("nan"),
        volatility_bps=tuple(volatility),
        unchanged_share=tuple(unchanged),
        kurtosis=tuple(kurtosis),
        return_autocorrelation=tuple(_autocorrelation(seconds, lag) for lag in LAGS),
        return_autocorrelation_100ms=tuple(_autocorrelation(tenths, lag) for lag in LAGS),
    )
