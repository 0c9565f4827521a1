"""The state of the manipulation detectors of one book."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.bars.market_bars import MarketBars
from fathom.detectors.book.alerts import AlertKind, Desk, new_desk
from fathom.detectors.book.evidence import EVIDENCE
from fathom.detectors.book.layering import LayeringConfig, LayeringState, new_layering
from fathom.detectors.book.placed_orders import PlacedOrders, new_placed_orders
from fathom.detectors.book.quote_stuffing import QuoteStuffingConfig, StuffingState, new_stuffing
from fathom.detectors.book.rpi import CELLS as RPI_CELLS
from fathom.detectors.book.spoofing import SpoofingConfig, SpoofingState, new_spoofing

STEP: Final = 4096
"""Rows between two collections of alerts."""
MOST_EVIDENCE: Final = max(map(len, EVIDENCE.values()))
_ROOM: Final = 5 * STEP  # a message raises at most five


class WatchArrays(NamedTuple):
    """Everything that the detectors of a book remember beside it; a copy of the arrays is a copy of the state.

    Parameters
    ----------
    placed : PlacedOrders
        What they share.
    spoofing : SpoofingState
    layering : LayeringState
    stuffing : StuffingState
    rpi : ndarray of float64
    desk : Desk
        Where they put what they find.
    bars : MarketBars
        The bar that the trades go into.
    """

    placed: PlacedOrders
    spoofing: SpoofingState
    layering: LayeringState
    stuffing: StuffingState
    rpi: NDArray[np.float64]
    desk: Desk
    bars: MarketBars


def new_watch(
    spoofing: SpoofingConfig,
    layering: LayeringConfig,
    rate: QuoteStuffingConfig,
    bars: MarketBars,
    *,
    levels: int,
    only: AlertKind | None = None,
    logs: bool = False,
) -> WatchArrays:
    """Return the state before the first row, for a book with room for `levels`; `logs`: with room for a log."""
    on: Any = tuple(int(only in (None, kind)) for kind in AlertKind)
    allowed = (spoofing.max_series_per_hour, layering.max_series_per_hour, rate.max_series_per_hour)
    return WatchArrays(
        placed=new_placed_orders(
            levels,
            layer=layering.size_percentile / 100.0,
            spoof=spoofing.size_percentile / 100.0,
            band_bps=layering.band_bps,
        ),
        spoofing=new_spoofing(spoofing),
        layering=new_layering(layering),
        stuffing=new_stuffing(rate),
        rpi=np.zeros(RPI_CELLS),
        desk=new_desk(on, allowed, room=_ROOM, evidence=MOST_EVIDENCE, logs=logs),
        bars=bars,
    )
