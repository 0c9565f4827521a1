"""What kind of contract a symbol of Bybit names: only perpetuals that settle in the quote currency are imported.

Bybit names its products by their symbols alone: archive files and book messages have no field for it.
"""

import re
from typing import Final, NamedTuple

_MONTHS: Final = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DATE: Final = rf"\d{{1,2}}(?:{_MONTHS})\d{{2}}"


class Product(NamedTuple):
    """What a symbol of Bybit names.

    Parameters
    ----------
    name : str
        In words, with its article.
    base, quote : str
        The coins, where the symbol says them; else empty.
    refusal : str
        Why Fathom does not import it; empty where it does.
    """

    name: str
    base: str = ""
    quote: str = ""
    refusal: str = ""


_DATED: Final = "its price follows another market than the perpetual, and it ends at a date"
_INVERSE: Final = "its size counts USD, and its profit is paid in the coin"
_OPTION: Final = "options have no book in the shape of a perpetual's"
_KINDS: Final = (
    (re.compile(rf"(?P<base>.+)-{_DATE}-[\d.]+-[CP](-USDT)?"), "an option", "", _OPTION),
    (re.compile(rf"(?P<base>.+)USDT-{_DATE}"), "a dated futures contract", "USDT", _DATED),
    (re.compile(rf"(?P<base>.+)-{_DATE}"), "a dated futures contract", "USDC", _DATED),
    (re.compile(r"(?P<base>.+)USD[FGHJKMNQUVXZ]\d{2}"), "a dated inverse contract", "USD", _INVERSE),
    (re.compile(r"(?P<base>[^-]+)USD"), "an inverse contract", "USD", _INVERSE),
    (re.compile(r"(?P<base>[^-]+)USDT"), "a linear perpetual", "USDT", ""),
    (re.compile(r"(?P<base>[^-]+)PERP"), "a linear perpetual", "USDC", ""),
)


def bybit_product(symbol: str) -> Product | None:
    """Return what a symbol of Bybit names, or None where its form says nothing.

    Examples
    --------
    >>> bybit_product("1000PEPEUSDT")
    Product(name='a linear perpetual', base='1000PEPE', quote='USDT', refusal='')
    >>> bybit_product("BTCPERP").quote, bybit_product("BTCUSDT-27DEC24").name, bybit_product("ETHBTC")
    ('USDC', 'a dated futures contract', None)
    """
    for pattern, name, quote, refusal in _KINDS:
        if match := pattern.fullmatch(symbol):
            return Product(name, match["base"], quote, refusal)
    return None


def refusal_of(symbol: str) -> str:
    """Return why Fathom does not import a symbol of Bybit, as a sentence; empty where it does, or does not know.

    Examples
    --------
    >>> refusal_of("BTCUSD")[:42], refusal_of("BTCUSDT")
    ('BTCUSD of Bybit is an inverse contract (it', '')
    """
    product = bybit_product(symbol)
    if product is None or not product.refusal:
        return ""
    return f"{symbol} of Bybit is {product.name} ({product.refusal}), which Fathom does not import."
