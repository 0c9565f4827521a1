"""What a feature table is made of, read from a TOML file."""

import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fathom.ml.features import FeatureConfig
from fathom.settings.toml import ConfigPath

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


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
        for name in ("start", "end", "micro_price_until"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"Expected {name} with a time zone, was {moment.isoformat()}; append a Z for UTC")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"Expected start before end, was {self.start.isoformat()}")
        if len(set(self.instruments)) != len(self.instruments):
            raise ValueError("Expected each instrument once, was one twice")
        if (self.features.bars == "outside") != (self.bar_type is not None):
            raise ValueError(f'Expected bar_type with features.bars = "outside", and only then; was {self.bar_type!r}')
        if self.micro_price_until is not None and "orderbook" not in self.features.groups:
            raise ValueError("Expected the group orderbook with micro_price_until, was none")

    @property
    def start_ns(self) -> int | None:
        """First grid time."""
        return _nanos(self.start)

    @property
    def end_ns(self) -> int | None:
        """Last grid time."""
        return _nanos(self.end)

    @property
    def micro_price_until_ns(self) -> int | None:
        """The events before it fit the micro-price."""
        return _nanos(self.micro_price_until)


def _nanos(moment: datetime.datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // datetime.timedelta(microseconds=1) * 1000
