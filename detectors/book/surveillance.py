"""Surveillance: every detector of manipulation over one book, and each of them alone."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from fathom.detectors.bars.market_bars import MarketBars, new_market_bars
from fathom.detectors.book.alerts import AlertKind
from fathom.detectors.book.arrays import WatchArrays, new_watch
from fathom.detectors.book.driver import BookDetector
from fathom.detectors.book.fitted import read_fitted
from fathom.detectors.book.layering import LayeringConfig
from fathom.detectors.book.quote_stuffing import QuoteStuffingConfig
from fathom.detectors.book.spoofing import SpoofingConfig
from fathom.market.levels import BookArrays
from fathom.market.lifecycle import new_book
from fathom.settings.toml import ConfigPath


class SurveillanceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `Surveillance`.

    Parameters
    ----------
    depth : int
        Levels a side that the feed shows (200 for ``orderbook.200``); 0 when it publishes every change.
    spoofing : SpoofingConfig
    layering : LayeringConfig
    quote_stuffing : QuoteStuffingConfig
    fitted : str
        File of ``fathom detect benchmark --fit``, relative to the working directory: what the detectors' settings leave
        at the default of weights, trees and threshold comes from there. The project's own by default.

    Examples
    --------
    >>> SurveillanceConfig(depth=200).spoofing.ttl_threshold_ms
    200.0
    """

    depth: Annotated[int, Meta(ge=0)] = 0
    spoofing: SpoofingConfig = SpoofingConfig()
    layering: LayeringConfig = LayeringConfig()
    quote_stuffing: QuoteStuffingConfig = QuoteStuffingConfig()
    fitted: ConfigPath = ""

    def __post_init__(self) -> None:
        if not self.fitted:
            return
        for name, known in read_fitted(Path(self.fitted)).items():
            part = getattr(self, name)
            usual = type(part)()
            left = {field: value for field, value in known.items() if getattr(part, field) == getattr(usual, field)}
            msgspec.structs.force_setattr(self, name, msgspec.structs.replace(part, **left))


class Surveillance(BookDetector):
    """Watch one instrument for spoofing, layering and quote stuffing, and measure its RPI share.

    All detectors read one book and one record of large orders (`detectors.book.placed_orders`); of a side with layers
    no spoofing order is reported. An order is judged one message after it vanished, because a trade that explains it
    may come late. Feed it every row of the instrument in the order of ``ts_init``; the alerts do not depend on how the
    rows are cut into calls.

    Parameters
    ----------
    config : SurveillanceConfig, optional
    keep_candidates : bool, default False
        Also keep every candidate that was weighed, with its evidence, for the benchmark.
    bars : MarketBars, optional
        A forming bar that takes the trades; it stays the caller's, and is no part of a snapshot.

    Examples
    --------
    >>> from fathom.market import EVENT
    >>> watch = Surveillance()
    >>> import numpy as np
    >>> len(watch.update(np.zeros(0, EVENT)))
    0
    >>> watch.rpi.trades
    0

    References
    ----------
    Lee, E. J., Eom, K. S. and Park, K. S. (2013). Microstructure-based manipulation: strategic behavior and performance
    of spoofing traders. Journal of Financial Markets 16(2), 227-252. https://doi.org/10.1016/j.finmar.2012.05.004

    Egginton, J. F., Van Ness, B. F. and Van Ness, R. A. (2016). Quote stuffing. Financial Management 45(3), 583-608.
    https://doi.org/10.1111/fima.12126
    """

    def __init__(
        self,
        config: SurveillanceConfig | None = None,
        *,
        keep_candidates: bool = False,
        bars: MarketBars | None = None,
    ) -> None:
        self.config = config or SurveillanceConfig()
        super().__init__(*_arrays(self.config, None, bars, logs=keep_candidates))


class Spoofing(BookDetector):
    """Watch one instrument for spoofing alone; else as `Surveillance`.

    Parameters
    ----------
    config : SpoofingConfig, optional
    depth : int
        Levels a side that the feed shows; 0 when it publishes every change.

    Examples
    --------
    >>> from fathom.market import EVENT
    >>> import numpy as np
    >>> rows = np.zeros(0, EVENT)  # as `Catalog.events` yields them
    >>> alerts = Spoofing(SpoofingConfig(threshold=0.3), depth=200).update(rows)
    >>> alerts["confidence"].tolist()
    []
    """

    def __init__(self, config: SpoofingConfig | None = None, *, depth: int = 0) -> None:
        self.config = config or SpoofingConfig()
        super().__init__(*_arrays(SurveillanceConfig(depth=depth, spoofing=self.config), AlertKind.SPOOFING))


class Layering(BookDetector):
    """Watch one instrument for layering alone; else as `Surveillance`.

    Parameters
    ----------
    config : LayeringConfig, optional
    depth : int
        Levels a side that the feed shows; 0 when it publishes every change.

    Examples
    --------
    >>> from fathom.market import EVENT
    >>> import numpy as np
    >>> rows = np.zeros(0, EVENT)  # as `Catalog.events` yields them
    >>> alerts = Layering(LayeringConfig(min_levels=4), depth=200).update(rows)
    >>> alerts["levels"].tolist()
    []
    """

    def __init__(self, config: LayeringConfig | None = None, *, depth: int = 0) -> None:
        self.config = config or LayeringConfig()
        super().__init__(*_arrays(SurveillanceConfig(depth=depth, layering=self.config), AlertKind.LAYERING))


class QuoteStuffing(BookDetector):
    """Watch one instrument for quote stuffing alone; else as `Surveillance`.

    Parameters
    ----------
    config : QuoteStuffingConfig, optional
    depth : int
        Levels a side that the feed shows; 0 when it publishes every change.

    Examples
    --------
    A level comes and goes once a second for a minute, then every millisecond:

    >>> import numpy as np
    >>> from fathom.market import EVENT, Action, Flag, Kind, Side
    >>> rows = np.zeros(160, EVENT)
    >>> rows["ts_init"] = rows["ts_event"] = np.cumsum([10**9] * 60 + [10**6] * 100)
    >>> rows["kind"], rows["side"], rows["action"], rows["flags"] = Kind.BOOK, Side.BUY, Action.UPDATE, Flag.LAST
    >>> rows["price"], rows["size"] = 500, [5, 0] * 80
    >>> bool((QuoteStuffing().update(rows)["ts_event"] > 60 * 10**9).any())
    True
    """

    def __init__(self, config: QuoteStuffingConfig | None = None, *, depth: int = 0) -> None:
        self.config = config or QuoteStuffingConfig()
        super().__init__(
            *_arrays(SurveillanceConfig(depth=depth, quote_stuffing=self.config), AlertKind.QUOTE_STUFFING)
        )


def _arrays(
    config: SurveillanceConfig, only: AlertKind | None, bars: MarketBars | None = None, *, logs: bool = False
) -> tuple[BookArrays, WatchArrays]:
    book, parts = new_book(depth=config.depth), (config.spoofing, config.layering, config.quote_stuffing)
    forming = new_market_bars(1) if bars is None else bars
    return book, new_watch(*parts, forming, levels=len(book.pool), only=only, logs=logs)
