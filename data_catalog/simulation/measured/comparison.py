"""Two markets side by side, measured by the same pass over the same rows."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.simulation.measured.statistics import (
    HORIZONS_SECS,
    LAGS,
    QUANTILES,
    MarketStatistics,
    market_statistics,
)
from fathom.data_catalog.simulation.moves import SimulationError
from fathom.data_catalog.store.layout import BOOK

SHOWN_LEVELS: Final = (1, 2, 3, 5, 10, 20)

type Measured = tuple[MarketStatistics, NDArray[np.float64]]


def measure_catalog(catalog: Catalog, instrument_id: str | None = None) -> Measured:
    """Measure one instrument of a catalog.

    Parameters
    ----------
    catalog : Catalog
    instrument_id : str, optional
        May be left out where the catalog has the book of one instrument only.

    Returns
    -------
    MarketStatistics
    ndarray of float64
        The mid on a grid, for plots.

    Raises
    ------
    SimulationError
        Where it is unclear which instrument is meant.
    InstrumentError
        Where the catalog has no such instrument.
    """
    if instrument_id is None:
        held = [span.identifier for span in catalog.spans() if span.data_type == BOOK]
        if len(held) != 1:
            raise SimulationError(
                f"Expected one instrument with a book in {catalog.path}, was {', '.join(held) or 'none'}. "
                "Name one with --instrument-a or --instrument-b."
            )
        instrument_id = held[0]
    grid = Grid.of(catalog.instrument(instrument_id))
    return market_statistics(catalog.events(instrument_id), instrument_id, grid.tick, grid.lot)


def comparison_rows(a: MarketStatistics, b: MarketStatistics) -> list[tuple[str, str, float, float]]:
    """Return section, measure and both values, for every line of the comparison.

    Examples
    --------
    >>> from fathom.data_catalog.simulation.config import Simulation
    >>> from fathom.data_catalog.simulation.generator import Generator
    >>> rows = [batch.book for batch in Generator(Simulation(scenario="null")).run(3.0)]
    >>> measured, _ = market_statistics(rows, "X", 0.1, 0.001)
    >>> comparison_rows(measured, measured)[0]
    ('spread', 'mean, bps', 0.016..., 0.016...)
    """
    lines: list[tuple[str, str, float, float]] = []

    def one(section: str, measure: str, name: str, scale: float = 1.0) -> None:
        lines.append((section, measure, scale * getattr(a, name), scale * getattr(b, name)))

    def many(section: str, name: str, labels: Sequence[str], picks: Sequence[int] | None = None) -> None:
        left, right = getattr(a, name), getattr(b, name)
        for label, i in zip(labels, picks or range(len(labels)), strict=True):
            lines.append((section, label, left[i], right[i]))

    def quantiles(section: str, name: str) -> None:
        many(section, name, [f"{q:.0%} quantile" for q in QUANTILES])

    levels = [k - 1 for k in SHOWN_LEVELS]
    one("spread", "mean, bps", "spread_mean_bps")
    one("spread", "one tick, % of messages", "spread_one_tick_share", 100)
    quantiles("spread, ticks", "spread_ticks")
    many("depth by level, quote currency", "depth_size", [f"level {k}" for k in SHOWN_LEVELS], levels)
    many("distance of level from mid, bps", "depth_distance_bps", [f"level {k}" for k in SHOWN_LEVELS], levels)
    quantiles("size at the touch, quote currency", "touch_size")
    one("messages", "per second", "messages_per_sec")
    one("messages", "level changes per second", "changes_per_sec")
    one("messages", "% new levels", "add_share", 100)
    one("messages", "% changed sizes", "update_share", 100)
    one("messages", "% removed levels", "delete_share", 100)
    quantiles("level changes per message", "changes_per_message")
    quantiles("time between messages, ms", "message_gap_ms")
    quantiles("lifetime of a level, s", "level_life_secs")
    quantiles("lifetime within 2 bps of the touch, s", "level_life_near_secs")
    one("trades", "per second", "trades_per_sec")
    one("trades", "taker orders per second", "taker_orders_per_sec")
    one("trades", "fills per taker order", "fills_per_taker_order")
    one("trades", "volume per second, quote currency", "traded_per_sec")
    one("trades", "cancelled to traded volume", "cancelled_to_traded")
    one("trades", "% RPI", "rpi_trade_share", 100)
    one("trades", "autocorrelation of taker side", "taker_sign_autocorrelation")
    quantiles("trade size, quote currency", "trade_size")
    quantiles("time between taker orders, ms", "taker_gap_ms")
    horizons = [f"{horizon:g} s" for horizon in HORIZONS_SECS]
    many("volatility, bps per sqrt(s), by horizon", "volatility_bps", horizons)
    many("unchanged mid, share by horizon", "unchanged_share", horizons)
    many("kurtosis of returns by horizon", "kurtosis", horizons)
    many("autocorrelation of 1 s returns", "return_autocorrelation", [f"lag {lag}" for lag in LAGS])
    many("autocorrelation of 100 ms returns", "return_autocorrelation_100ms", [f"lag {lag}" for lag in LAGS])
    return lines


def number_text(value: float) -> str:
    """Return a number for people: three or four figures."""
    if np.isnan(value):
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"
