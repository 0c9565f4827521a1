"""What a feature table is made of, read from a TOML file."""

import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from fathom.ml.features import FeatureConfig
from fathom.settings.times import check_moments, moment_ns
from fathom.settings.toml import ConfigPath


class TableConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a feature table.

    Parameters
    ----------
    catalog : str
        Folder of the catalog.
    instruments : tuple of str
        Ids, such as ``BTCUSDT-LINEAR.BYBIT``; one or more.
    start, end : datetime, optional
        First and last grid time, with a time zone; all there are by default. The events before `start` in the files
        that hold it are read too, since a book is whole only from its snapshot on.
    features : FeatureConfig
        Which features, on which grid.
    bar_type : str, optional
        Type of the catalog's bars without the instrument (``1-MINUTE-LAST-EXTERNAL``), for ``bars = "outside"``.
    micro_price_until : datetime, optional
        Fit a `MicroPriceTable` on the events before this time and add the features that need it. The rows before it
        are in sample: set it to the end of the training span. The fit holds 48 bytes for each event before it.

    Examples
    --------
    >>> config = TableConfig(catalog="catalog", instruments=("BTCUSDT-LINEAR.BYBIT",))
    >>> config.features.grid_ms, config.start_ns
    (1000, None)
    """

    catalog: ConfigPath
    instruments: Annotated[tuple[str, ...], Meta(min_length=1)]
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None
    features: FeatureConfig = FeatureConfig()
    bar_type: str | None = None
    micro_price_until: datetime.datetime | None = None

    def __post_init__(self) -> None:
        check_moments(self, "start", "end", "micro_price_until")
        if len(set(self.instruments)) != len(self.instruments):
            raise ValueError("Expected each instrument once, was one twice")
        if (self.features.bars == "outside") != (self.bar_type is not None):
            raise ValueError(f'Expected bar_type with features.bars = "outside", and only then; was {self.bar_type!r}')
        if self.micro_price_until is not None and "orderbook" not in self.features.groups:
            raise ValueError("Expected the group orderbook with micro_price_until, was none")

    @property
    def start_ns(self) -> int | None:
        """First grid time."""
        return moment_ns(self.start)

    @property
    def end_ns(self) -> int | None:
        """Last grid time."""
        return moment_ns(self.end)

    @property
    def micro_price_until_ns(self) -> int | None:
        """The events before it fit the micro-price."""
        return moment_ns(self.micro_price_until)
