"""What `fathom detect run` looks at, and with which detectors, read from a TOML file."""

import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from fathom.detectors import MarketWatchConfig
from fathom.settings.times import check_moments, moment_ns
from fathom.settings.toml import ConfigPath


class DetectionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a run of the detectors over a catalog.

    Parameters
    ----------
    catalog : str
        Folder of the catalog.
    instruments : tuple of str
        Ids, such as ``BTCUSDT-LINEAR.BYBIT``; all that have a book by default.
    start, end : datetime, optional
        First and last time looked at, with a time zone. A book is whole only from a snapshot on: start with one.
    watch : MarketWatchConfig
        Which detectors with which thresholds; the same as of the actor `detection`.
    min_confidence : float
        Alerts below it are left out.
    episodes : int
        Strongest alerts that the page shows the book around.
    store : bool
        Whether to store the messages in the catalog too, as custom data.

    Examples
    --------
    >>> DetectionConfig(catalog="catalog").watch.bar_ms
    1000
    """

    catalog: ConfigPath
    instruments: tuple[str, ...] = ()
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None
    watch: MarketWatchConfig = MarketWatchConfig()
    min_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.0
    episodes: Annotated[int, Meta(ge=0, le=100)] = 12
    store: bool = False

    def __post_init__(self) -> None:
        check_moments(self, "start", "end")
        if self.watch.bars != "book":
            raise ValueError('Expected watch.bars = "book", was "outside": bars are built from the events here')

    @property
    def span_ns(self) -> tuple[int | None, int | None]:
        """First and last time in ns, None where open."""
        return moment_ns(self.start), moment_ns(self.end)
