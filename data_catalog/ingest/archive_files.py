"""The files of a venue's public archive: their names, days and addresses."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Literal

import msgspec

from fathom.data_catalog.errors import DownloadError

TRADES_URL: Final = "https://public.bybit.com/trading"
BOOKS_URL: Final = "https://quote-saver.bycsi.com/orderbook/linear"
DEPTHS: Final = (500, 200)
"""Depths to ask for, in this order: Bybit published `ob500` files until August 2025 and publishes `ob200` since."""

type Kind = Literal["book", "trades"]

_SYMBOL: Final = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")


class DownloadConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a TOML file may say about downloads; None leaves it to the options and their defaults.

    Attributes
    ----------
    books_url, trades_url
        Addresses below which the files of books and of trades are looked for.
    depths
        Book depths to ask for, in this order.
    attempts
        Attempts without any progress.
    out
        Folder of the files.

    Examples
    --------
    >>> read_config("attempts = 3", "download.toml").attempts
    3
    >>> read_config("atempts = 3", "download.toml")
    Traceback (most recent call last):
    fathom.data_catalog.errors.DownloadError: download.toml: Object contains unknown field `atempts`
    """

    books_url: str | None = None
    trades_url: str | None = None
    depths: tuple[int, ...] | None = None
    attempts: int | None = None
    out: str | None = None


def read_config(text: str | bytes, name: str | Path) -> DownloadConfig:
    """Decode a TOML file's text; the name is for the error.

    Raises
    ------
    DownloadError
        It is no TOML, or has a field that is unknown or of another type.
    """
    try:
        return msgspec.toml.decode(text, type=DownloadConfig)
    except msgspec.DecodeError as error:
        raise DownloadError(f"{name}: {error}") from error


class ArchiveFile(msgspec.Struct, frozen=True):
    """One file of one day, and the addresses at which it may be found, in the order in which to try them.

    Examples
    --------
    >>> [file] = bybit_files("BTCUSDT", date(2024, 8, 8), date(2024, 8, 8), books=True, depths=(200,))
    >>> file.urls
    ('https://quote-saver.bycsi.com/orderbook/linear/BTCUSDT/2024-08-08_BTCUSDT_ob200.data.zip',)
    """

    kind: Kind
    day: date
    urls: tuple[str, ...]


def bybit_files(
    symbol: str,
    first: date,
    last: date,
    *,
    books: bool = False,
    trades: bool = False,
    depths: tuple[int, ...] = DEPTHS,
    books_url: str = BOOKS_URL,
    trades_url: str = TRADES_URL,
) -> list[ArchiveFile]:
    """List the files of Bybit's public archive for a symbol, both days included.

    Raises
    ------
    DownloadError
        The symbol is not written as Bybit writes it, the days run backwards, or no depth is given for books.
    """
    if not _SYMBOL.fullmatch(symbol):
        raise DownloadError(f"Expected a symbol as Bybit writes it, such as BTCUSDT, was {symbol!r}.")
    if last < first:
        raise DownloadError(f"Expected --to on or after --from, was --from {first} --to {last}. Exchange the two.")
    if books and not depths:
        raise DownloadError("Expected at least one book depth, was none. Give --depths 500,200.")
    files = []
    for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
        if books:
            base = f"{books_url.rstrip('/')}/{symbol}/{day}_{symbol}"
            files.append(ArchiveFile("book", day, tuple(f"{base}_ob{depth}.data.zip" for depth in depths)))
        if trades:
            files.append(ArchiveFile("trades", day, (f"{trades_url.rstrip('/')}/{symbol}/{symbol}{day}.csv.gz",)))
    return files
