"""The presets of `fathom data import table`, by the names that the vendors give to their files."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.ingest.cells import TimeUnit
from fathom.data_catalog.ingest.presets.ladders import DATABENTO, TARDIS, Ladder
from fathom.market.events import Side
from fathom.settings.nearest import nearest


class Preset(NamedTuple):
    """How a vendor's table is read.

    Parameters
    ----------
    part : {"book", "trades"}
    columns : Mapping[str, str]
        Our name to the vendor's.
    time_unit : {"s", "ms", "us", "ns"}, optional
        What times count that are plain numbers.
    ladder : Ladder, optional
        Of a table whose rows are whole ladders.
    messages : bool, default False
        Whether a row is a message with lists of levels (`depth_updates`).
    sides : Mapping[str, Side], optional
        What the words of the column of the side mean.
    header : tuple of str, optional
        Columns of a file that comes without a header.
    others : tuple of Mapping, optional
        Other names under which the vendor gives the same columns.

    Examples
    --------
    >>> preset_of("binance:aggTrades").columns["trade_id"]
    'agg_trade_id'
    >>> preset_of("tardis:trade")
    Traceback (most recent call last):
    fathom.data_catalog.errors.CatalogError: Expected a preset, was 'tardis:trade'. Did you mean 'tardis:trades'?
    """

    part: Literal["book", "trades"]
    columns: Mapping[str, str]
    time_unit: TimeUnit | None = None
    ladder: Ladder | None = None
    messages: bool = False
    sides: Mapping[str, Side] | None = None
    header: tuple[str, ...] = ()
    others: tuple[Mapping[str, str], ...] = ()

    def columns_of(self, header: Sequence[str]) -> Mapping[str, str]:
        """Return our names to those that a file of this header has."""
        known = (each for each in (self.columns, *self.others) if set(each.values()) <= {*header, each.get("symbol")})
        return next(known, self.columns)


_TARDIS: Final = {"ts_init": "local_timestamp", "ts_event": "timestamp", "symbol": "symbol"}
_LEVEL: Final = {"side": "side", "price": "price", "size": "amount"}
_MAKER: Final = MappingProxyType({"true": Side.SELL, "false": Side.BUY})  # the buyer was the maker: a seller took

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "tardis:incremental_book_L2": Preset("book", _TARDIS | _LEVEL | {"is_snapshot": "is_snapshot"}, "us"),
        "tardis:book_snapshot": Preset("book", _TARDIS, "us", TARDIS),
        "tardis:trades": Preset("trades", _TARDIS | _LEVEL | {"trade_id": "id"}, "us"),
        "databento:mbp-10": Preset(
            "book",
            {"ts_init": "ts_recv", "ts_event": "ts_event", "sequence": "sequence", "symbol": "symbol"},
            "ns",
            DATABENTO,
        ),
        "binance:depthUpdate": Preset("book", {}, "ms", messages=True),
        "binance:T_DEPTH": Preset(
            "book",
            {"ts_init": "timestamp", "sequence": "last_update_id", "previous": "pu", "is_snapshot": "update_type"}
            | {"side": "side", "price": "price", "size": "qty", "symbol": "symbol"},
            "ms",
        ),
        "binance:aggTrades": Preset(
            "trades",
            {"ts_init": "transact_time", "trade_id": "agg_trade_id", "side": "is_buyer_maker"}
            | {"price": "price", "size": "quantity"},
            "ms",
            sides=_MAKER,
            header=(
                *("agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id"),
                *("transact_time", "is_buyer_maker", "is_best_match"),
            ),
            others=({"ts_init": "T", "trade_id": "a", "side": "m", "price": "p", "size": "q", "symbol": "s"},),
        ),
    }
)
"""Every preset by its name, ``vendor:file``."""


def preset_of(name: str) -> Preset:
    """Return a preset by its name; raises `CatalogError` for another name."""
    if name not in PRESETS:
        raise CatalogError(f"Expected a preset, was '{name}'. {nearest(name, list(PRESETS))}")
    return PRESETS[name]
