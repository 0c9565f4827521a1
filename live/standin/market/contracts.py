"""Contracts as the venue states them: grid, limits, fees, and the row of `instruments-info`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from fathom.data_catalog.store.layout import BOOK
from fathom.live.errors import LiveError
from fathom.live.standin.config import StandInConfig

_DEFINITIONS: Final = "crypto_perpetual"
_MOST_TEXTS: Final = 100_000


@dataclass
class Contract:
    """One linear perpetual.

    Parameters
    ----------
    symbol, instrument_id : str
        The venue's name, and the one of the catalog.
    row : dict
        As `instruments-info` shows it; `status` may change in a session.
    maker_fee, taker_fee : Decimal
        Fractions.

    Examples
    --------
    >>> btc = Contract("BTCUSDT", "BTCUSDT-LINEAR.BYBIT", instrument_row("BTCUSDT", "BTC", "USDT", "0.10", "0.001"))
    >>> btc.price_text(618002), btc.size_text(7), btc.ticks("61800.20")
    ('61800.20', '0.007', 618002)
    """

    symbol: str
    instrument_id: str
    row: dict[str, Any]
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.00055")
    tick: Decimal = field(init=False)
    lot: Decimal = field(init=False)

    def __post_init__(self) -> None:
        """Read the grid from the row."""
        self.tick = Decimal(self.row["priceFilter"]["tickSize"])
        self.lot = Decimal(self.row["lotSizeFilter"]["qtyStep"])
        self._prices: dict[int, str] = {}
        self._sizes: dict[int, str] = {}

    def price_text(self, ticks: int) -> str:
        """Return a price as the venue writes it."""
        return self._text(self._prices, ticks, self.tick)

    def size_text(self, lots: int) -> str:
        """Return a size as the venue writes it; "0" for none."""
        return self._text(self._sizes, lots, self.lot) if lots else "0"

    def ticks(self, price: str) -> int | None:
        """Return a price in ticks, None off the grid."""
        return _multiple(price, self.tick)

    def lots(self, size: str) -> int | None:
        """Return a size in lots, None off the grid."""
        return _multiple(size, self.lot)

    def limit(self, name: str) -> int:
        """Return a limit of `lotSizeFilter` in lots."""
        return int(Decimal(self.row["lotSizeFilter"][name]) / self.lot)

    @staticmethod
    def _text(known: dict[int, str], count: int, unit: Decimal) -> str:
        # Each text is made once; volumes that only grow must not fill the memory.
        text = known.get(count)
        if text is None:
            if len(known) >= _MOST_TEXTS:
                known.clear()
            text = known[count] = str(count * unit)
        return text

    @property
    def funding_minutes(self) -> int:
        """Minutes between fundings."""
        return int(self.row["fundingInterval"])


def instrument_row(symbol: str, base: str, quote: str, tick: str, lot: str, **more: str) -> dict[str, Any]:
    """Return a row of `instruments-info`, with limits that hold for no contract in particular."""
    scale = -Decimal(tick).as_tuple().exponent  # type: ignore[operator]
    return {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": base,
        "quoteCoin": quote,
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(scale),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": tick, "maxPrice": str(Decimal(tick) * 19_999_998), "tickSize": tick},
        "lotSizeFilter": {
            "maxOrderQty": more.get("most") or str(Decimal(lot) * 1_500_000),
            "minOrderQty": more.get("least") or lot,
            "qtyStep": lot,
            "postOnlyMaxOrderQty": more.get("most") or str(Decimal(lot) * 1_500_000),
            "maxMktOrderQty": str(Decimal(lot) * 150_000),
            "minNotionalValue": more.get("notional") or "5",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "settleCoin": quote,
        "copyTrading": "both",
        "upperFundingRate": "0.005",
        "lowerFundingRate": "-0.005",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
        "displayName": "",
        "symbolType": "",
        "forbidUplWithdrawal": False,
        "symbolId": 5,
    }


def load_contracts(config: StandInConfig) -> dict[str, Contract]:
    """Return the contracts of a catalog by symbol, with the rows of an `instruments-info` response where one is given.

    Raises
    ------
    LiveError
        The catalog holds no linear perpetual, or not the one asked for.
    """
    folder = Path(config.catalog) / "data" / _DEFINITIONS
    held = [pq.read_table(path).to_pylist()[-1] for path in sorted(folder.glob("*/*.parquet"))]
    books = Path(config.catalog) / "data" / BOOK
    held = [row for row in held if not row["is_inverse"] and (books / row["id"]).is_dir()]
    known = {row["raw_symbol"]: row for row in held}
    if len(known) < len(held):
        names = ", ".join(row["id"] for row in held)
        raise LiveError(f"Expected each symbol of one venue in {config.catalog}, was {names}: make a catalog for one.")
    if not known:
        raise LiveError(
            f"Expected a catalog with books of linear perpetuals, was {config.catalog}: import or simulate a market."
        )
    missing = [symbol for symbol in config.symbols if symbol not in known]
    if missing:
        raise LiveError(f"Expected symbols of the catalog ({', '.join(known)}), was {missing[0]}.")
    rows = _response_rows(config.instruments) if config.instruments else {}
    return {symbol: _contract(known[symbol], rows, config) for symbol in config.symbols or sorted(known)}


def _contract(held: dict[str, Any], rows: dict[str, Any], config: StandInConfig) -> Contract:
    symbol, names = held["raw_symbol"], ("base_currency", "quote_currency", "price_increment", "size_increment")
    limits = {"most": held["max_quantity"], "least": held["min_quantity"], "notional": held["min_notional"]}
    limits = {name: str(value).partition(" ")[0] for name, value in limits.items() if value is not None}
    made = instrument_row(symbol, *(held[name] for name in names), **limits)
    row = rows.get(symbol, made)
    same = [Decimal(row[part][name]) == Decimal(made[part][name]) for part, name in _GRID]
    if not all(same):
        raise LiveError(f"Expected {symbol} in {config.instruments} with the catalog's tick and lot, was another grid.")
    info = json.loads(held["info"] or "{}")
    maker, taker = info.get("maker_fee", config.maker_fee), info.get("taker_fee", config.taker_fee)
    return Contract(symbol, held["id"], json.loads(json.dumps(row)), Decimal(maker), Decimal(taker))


_GRID: Final = (("priceFilter", "tickSize"), ("lotSizeFilter", "qtyStep"))


def _response_rows(path: str) -> dict[str, Any]:
    try:
        answer = json.loads(Path(path).read_bytes())
        rows: Iterable[Any] = answer["result"]["list"]
        return {row["symbol"]: row for row in rows if row.get("contractType") == "LinearPerpetual"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LiveError(f"Expected Bybit's instruments-info response, was {path}: {error}.") from error


def _multiple(text: str, unit: Decimal) -> int | None:
    try:
        count = Decimal(text) / unit
    except ArithmeticError:
        return None
    return int(count) if count.is_finite() and count == count.to_integral_value() else None
