"""Where things lie in a catalog folder: the engine's file names, and Fathom's own corner `fathom/`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from fathom.data_catalog.errors import CatalogError
from fathom.settings.times import SECOND

ENGINE_DATA: Final = "data"
"""The folder that the engine reads."""

OWN_DATA: Final = "fathom"
"""The folder that the engine does not read: staging, ledger, labels."""

BOOK: Final = "order_book_deltas"
TRADES: Final = "trades"
BARS: Final = "bars"
TRADE_FLAGS: Final = "custom/TradeFlags"
ALERTS: Final = "custom/ManipulationAlert"


@dataclass(frozen=True, slots=True)
class Span:
    """What the catalog holds of one data type and instrument, or of one file of it.

    Parameters
    ----------
    data_type : str
        Folder name: ``order_book_deltas``, ``trades``, ``bars``, ``custom/...``.
    identifier : str
        Instrument id, or bar type.
    first_ns, last_ns : int
        First and last ts_init.
    rows : int
    files : int

    Examples
    --------
    >>> Span("trades", "BTCUSDT-LINEAR.BYBIT", 0, 60_000_000_000, rows=12, files=1).secs
    60.0
    """

    data_type: str
    identifier: str
    first_ns: int
    last_ns: int
    rows: int
    files: int

    @property
    def secs(self) -> float:
        """Length of the span in seconds."""
        return (self.last_ns - self.first_ns) / 1e9


def folder_of(identifier: str) -> str:
    """Return the name of an identifier's folder, as the engine has it: letters beyond ASCII are written as `%XX`.

    Examples
    --------
    >>> folder_of("BTCUSDT-LINEAR.BYBIT"), folder_of("ÉCUUSDT-LINEAR.BYBIT")
    ('BTCUSDT-LINEAR.BYBIT', '%C3%89CUUSDT-LINEAR.BYBIT')
    """
    return "".join(letter if letter.isascii() else quote(letter) for letter in identifier)


def identifier_of(folder: str) -> str:
    """Return the identifier of a folder's name.

    Examples
    --------
    >>> identifier_of("%C3%89CUUSDT-LINEAR.BYBIT")
    'ÉCUUSDT-LINEAR.BYBIT'
    """
    return unquote(folder)


def parse_interval(path: Path) -> tuple[int, int]:
    """Return first and last ts_init from a file name.

    Examples
    --------
    >>> from fathom.settings.times import interval_name
    >>> parse_interval(Path(interval_name(1723161256501000007, 1723161599999000000)))
    (1723161256501000007, 1723161599999000000)
    """
    try:
        first, last = path.stem.split("_")
        return _instant(first), _instant(last)
    except ValueError:
        raise CatalogError(
            f"Expected a file named FIRST_LAST.parquet by its times, was {path}. Remove it from the catalog."
        ) from None


def _instant(text: str) -> int:
    second, fraction = text[:19], text[20:29]
    moment = datetime.strptime(second, "%Y-%m-%dT%H-%M-%S").replace(tzinfo=UTC)
    if len(fraction) != 9 or text[29:] != "Z":
        raise ValueError(text)
    return int(moment.timestamp()) * SECOND + int(fraction)
