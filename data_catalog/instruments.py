"""Instruments: tick, lot and fees, read from Bybit's `instruments-info` JSON or from a small TOML file."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
from nautilus_trader.model import (
    CryptoPerpetual,
    Currency,
    CurrencyPair,
    CurrencyType,
    InstrumentId,
    Money,
    Price,
    Quantity,
    Symbol,
)
from numpy.typing import NDArray

from fathom.data_catalog.errors import InstrumentError
from fathom.data_catalog.products import bybit_product, refusal_of
from fathom.settings.decimals import decimal_of, is_plain
from fathom.settings.nearest import nearest
from fathom.settings.toml import shipped

type Instrument = CryptoPerpetual | CurrencyPair
"""The kinds of instrument that this package makes; the catalog reads any other kind of the engine too."""

FIXED_PRECISION: Final = 16
"""Decimal places of the engine's raw fixed-point numbers."""

MAX_PRICE_RAW: Final = 17_014_118_346_046 * 10**FIXED_PRECISION
MAX_SIZE_RAW: Final = 34_028_236_692_093 * 10**FIXED_PRECISION
"""The largest price and size that the engine can hold, raw."""


_LONGEST_NAME: Final = 40
_BAD_LETTERS: Final = frozenset(" /\\%#?")
_NUMBERS: Final = ("tick", "lot", "min_size", "max_size", "min_notional", "margin_init", "margin_maint")


@dataclass(frozen=True, slots=True)
class Grid:
    """The price and size grid of an instrument: ticks and lots to decimal text and to the engine's raw numbers.

    Parameters
    ----------
    instrument_id : str
        Such as ``BTCUSDT-LINEAR.BYBIT``.
    tick_raw, lot_raw : int
        One tick and one lot in units of 1e-16 (the engine's fixed-point unit).
    price_precision, size_precision : int
        Decimal places in which prices and sizes are shown.

    Examples
    --------
    >>> grid = Grid("BTCUSDT-LINEAR.BYBIT", tick_raw=10**15, lot_raw=10**13, price_precision=2, size_precision=3)
    >>> grid.ticks("61800.20"), grid.lots("2.909")
    (618002, 2909)
    >>> grid.price_text(618002), grid.size_text(2909)
    ('61800.20', '2.909')
    >>> grid.prices(np.array([618_002])).tolist(), grid.sizes(np.array([2909])).tolist()
    ([61800.2], [2.909])
    >>> grid.ticks("61800.25")
    Traceback (most recent call last):
    fathom.data_catalog.errors.InstrumentError: Expected a price that is a multiple of 0.10 (BTCUSDT-LINEAR.BYBIT), was '61800.25'.
    """  # noqa: E501

    instrument_id: str
    tick_raw: int
    lot_raw: int
    price_precision: int
    size_precision: int

    @classmethod
    def of(cls, instrument: Any) -> "Grid":
        """Return the grid of an engine instrument."""
        return cls(
            str(instrument.id),
            int(instrument.price_increment.raw),
            int(instrument.size_increment.raw),
            int(instrument.price_precision),
            int(instrument.size_precision),
        )

    def ticks(self, price: str | Decimal) -> int:
        """Return a price in ticks; raises `InstrumentError` if it is not a multiple of the tick."""
        return self._multiple(price, self.tick_raw, MAX_PRICE_RAW, "price", self.price_text(1))

    def lots(self, size: str | Decimal) -> int:
        """Return a size in lots; raises `InstrumentError` if it is not a multiple of the lot."""
        return self._multiple(size, self.lot_raw, MAX_SIZE_RAW, "size", self.size_text(1))

    def price_text(self, ticks: int) -> str:
        """Return a price as the venue writes it."""
        return self._text(ticks * self.tick_raw, self.price_precision)

    def size_text(self, lots: int) -> str:
        """Return a size as the venue writes it."""
        return self._text(lots * self.lot_raw, self.size_precision)

    def prices(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the floats nearest to prices in ticks: those that the decimal texts would give."""
        return _nearest_floats(ticks, self.tick_raw)

    def sizes(self, lots: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the floats nearest to sizes in lots."""
        return _nearest_floats(lots, self.lot_raw)

    @property
    def tick(self) -> float:
        """One tick in units of the quote currency."""
        return self.tick_raw / 10**FIXED_PRECISION

    @property
    def lot(self) -> float:
        """One lot in units of the base currency."""
        return self.lot_raw / 10**FIXED_PRECISION

    def _multiple(self, value: str | Decimal, unit: int, most_raw: int, name: str, step: str) -> int:
        most = min(most_raw // unit, 2**63 - 1)
        try:
            exact = decimal_of(value) if isinstance(value, str) else value
            raw = exact.scaleb(FIXED_PRECISION)
            count, rest = divmod(int(raw), unit)
        except (InvalidOperation, ValueError, OverflowError):
            shown = str(value) if len(str(value)) <= 60 else f"{str(value)[:60]}..."
            raise InstrumentError(f"Expected a {name} as a decimal number, was '{shown}'.") from None
        if abs(count) > most:
            raise InstrumentError(f"Expected a {name} of at most {most * unit // 10**FIXED_PRECISION}, was '{value}'.")
        if rest or raw != int(raw):
            raise InstrumentError(
                f"Expected a {name} that is a multiple of {step} ({self.instrument_id}), was '{value}'."
            )
        return count

    @staticmethod
    def _text(raw: int, precision: int) -> str:
        return f"{Decimal(raw).scaleb(-FIXED_PRECISION):.{precision}f}"


def _nearest_floats(counts: NDArray[np.int64], unit_raw: int) -> NDArray[np.float64]:
    # Numerator and denominator are whole numbers that a float holds exactly (below 2**53), so one rounding is left.
    whole = 10**FIXED_PRECISION
    common = math.gcd(unit_raw, whole)
    floats: NDArray[np.float64] = (counts * (unit_raw // common)) / (whole // common)
    return floats


class InstrumentSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[instrument]]` of an instruments TOML file.

    Parameters
    ----------
    symbol : str
        The venue's own name, as it stands in data files.
    base, quote, tick, lot : str
        Currencies, and price and size increment as text: "0.10" also sets the number of decimals shown.
    venue : str, default "BYBIT"
    kind : {"linear", "spot"}, default "linear"
        A linear perpetual settles in the quote currency; its instrument id is ``SYMBOL-LINEAR.VENUE`` on Bybit.
    id : str, optional
        The instrument id, where it is not the one above (``SYMBOL.VENUE`` for a venue other than Bybit).
    maker_fee, taker_fee : str, optional
        As fractions: "0.0002" is 2 basis points.
    margin_init, margin_maint : str
        Fractions of the notional.
    min_size, max_size, min_notional : str, optional
        Order limits.

    Examples
    --------
    >>> spec = InstrumentSpec(symbol="BTCUSDT", base="BTC", quote="USDT", tick="0.10", lot="0.001")
    >>> spec.instrument_id
    'BTCUSDT-LINEAR.BYBIT'
    >>> spec.build().price_precision
    2
    """

    symbol: str
    base: str
    quote: str
    tick: str
    lot: str
    venue: str = "BYBIT"
    kind: Literal["linear", "spot"] = "linear"
    id: str | None = None
    maker_fee: str | None = None
    taker_fee: str | None = None
    margin_init: str = "1"
    margin_maint: str = "0.005"
    min_size: str | None = None
    max_size: str | None = None
    min_notional: str | None = None

    @property
    def instrument_id(self) -> str:
        """The engine's instrument id."""
        if self.id is not None:
            return self.id
        product = f"-{self.kind.upper()}" if self.venue == "BYBIT" else ""
        return f"{self.symbol}{product}.{self.venue}"

    def build(self) -> Instrument:
        """Return the engine's instrument; raises `InstrumentError` on a value that it refuses."""
        try:
            return self._build()
        except (ValueError, OverflowError, InvalidOperation) as error:
            raise InstrumentError(f"Expected valid increments and limits for {self.symbol}, was: {error}") from error

    def _build(self) -> Instrument:
        self._check()
        tick, lot = Price.from_str(self.tick), Quantity.from_str(self.lot)
        if tick.raw <= 0 or lot.raw <= 0:
            raise InstrumentError(f"Expected tick and lot above 0 for {self.symbol}, was '{self.tick}', '{self.lot}'.")
        fees = {"maker_fee": self.maker_fee, "taker_fee": self.taker_fee}
        for name, fee in fees.items():
            if fee is not None and not _is_fraction(fee):
                raise InstrumentError(
                    f"Expected {name} of {self.symbol} as a fraction such as '0.0002' (2 basis points), was '{fee}'."
                )
        base, quote = _currency(self.base), _currency(self.quote)
        identity: dict[str, Any] = {
            "instrument_id": InstrumentId.from_str(self.instrument_id),
            "raw_symbol": Symbol(self.symbol),
            "base_currency": base,
            "quote_currency": quote,
            "price_precision": tick.precision,
            "size_precision": lot.precision,
            "price_increment": tick,
            "size_increment": lot,
            "ts_event": 0,
            "ts_init": 0,
            "min_quantity": Quantity.from_str(self.min_size) if self.min_size else lot,
            "max_quantity": Quantity.from_str(self.max_size) if self.max_size else None,
            "min_notional": Money(float(self.min_notional), quote) if self.min_notional else None,
            "margin_init": Decimal(self.margin_init),
            "margin_maint": Decimal(self.margin_maint),
            "info": {name: fee for name, fee in fees.items() if fee is not None},
        }
        if self.kind == "spot":
            return CurrencyPair(**identity)
        return CryptoPerpetual(**identity, settlement_currency=quote, is_inverse=False)

    def _check(self) -> None:
        for name in ("symbol", "base", "quote", "venue"):
            text = getattr(self, name)
            if not (0 < len(text) <= _LONGEST_NAME and text.isprintable() and _BAD_LETTERS.isdisjoint(text)):
                shown = text if len(text) <= _LONGEST_NAME else f"{text[:20]}... of {len(text):,} letters"
                raise InstrumentError(
                    f"Expected {name} of 1 to {_LONGEST_NAME} letters, without blanks and / \\ % # ?, was '{shown}'."
                )
        for name in _NUMBERS:
            text = getattr(self, name)
            if text is not None and not is_plain(text, negative=name in ("tick", "lot")):
                raise InstrumentError(
                    f"Expected valid increments and limits for {self.symbol}, was: {name} '{text[:60]}'. Write a plain "
                    "decimal number, such as '0.10'."
                )


class Instruments(Mapping[str, Any]):
    """Instruments by their id, which states venue and kind; a symbol alone may name several.

    Parameters
    ----------
    instruments : iterable
        The engine's instruments. Of two with the same id, the later one counts.
    where : str, default ""
        The file they come from, for errors.

    Examples
    --------
    >>> known = default_instruments()
    >>> str(known.of("BTCUSDT").id), str(known.of("BTCUSD", venue="BITSTAMP").id)
    ('BTCUSDT-LINEAR.BYBIT', 'BTCUSD.BITSTAMP')
    >>> known.of("BTCUSD", venue="BYBIT")
    Traceback (most recent call last):
    ...
    fathom.data_catalog.errors.InstrumentError: BTCUSD of Bybit is an inverse contract (...), which Fathom does not ...
    """

    def __init__(self, instruments: Iterable[Any], where: str = "") -> None:
        self._by_id = {str(instrument.id): instrument for instrument in instruments}
        self.where = where

    def __getitem__(self, name: str) -> Any:
        try:
            return self.of(name)
        except InstrumentError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def of(self, name: str, venue: str = "") -> Any:
        """Return the instrument of an id, or of a symbol that names only one.

        Parameters
        ----------
        name : str
            An id, such as ``BTCUSDT-LINEAR.BYBIT``, or the venue's symbol.
        venue : str, optional
            Only instruments of this venue.

        Raises
        ------
        InstrumentError
            No instrument, or several, or a contract that Fathom does not import; with the reason and the remedy.
        """
        if name in self._by_id and name.endswith(venue):
            return self._by_id[name]
        if venue == "BYBIT" and (refusal := refusal_of(name)):
            raise InstrumentError(refusal)
        symbols: dict[str, list[str]] = {}
        for known, instrument in self._by_id.items():
            if known.endswith(f".{venue}" if venue else ""):
                symbols.setdefault(str(instrument.raw_symbol), []).append(known)
        match symbols.get(name, []):
            case [known]:
                return self._by_id[known]
            case []:
                raise InstrumentError(self._unknown(name, venue, symbols))
            case several:
                raise InstrumentError(f"Expected one instrument, was '{name}', which names {', '.join(several)}.")

    def _unknown(self, name: str, venue: str, symbols: Mapping[str, list[str]]) -> str:
        where = f" of {self.where or venue}" if self.where or venue else ""
        names = [*symbols, *self._by_id]
        hint = nearest(name, names if len(names) < 40 else names[:40])
        example = toml_example(name.partition(".")[0].removesuffix("-LINEAR"))
        return (
            f"Expected an instrument{where}, was '{name}'. {hint} Define it with --instruments FILE: Bybit's "
            f"instruments-info JSON, or a .toml{example}"
        )


class _InstrumentsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    instrument: list[InstrumentSpec]


def load_instruments(path: Path | str) -> Instruments:
    """Read instruments from Bybit's `instruments-info` response (JSON) or from our TOML.

    Parameters
    ----------
    path : Path or str
        A `.toml` file of `[[instrument]]` tables (see `InstrumentSpec`), or the JSON response of Bybit's
        ``/v5/market/instruments-info``, whole or only its ``result`` or list.

    Returns
    -------
    Instruments
        By id, such as ``BTCUSDT-LINEAR.BYBIT``. Dated futures, inverse contracts and options of an
        ``instruments-info`` response are left out.

    Raises
    ------
    InstrumentError
        The file cannot be read, or an instrument in it is ill defined.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if path.suffix == ".toml":
            specs: Sequence[InstrumentSpec] = msgspec.toml.decode(content, type=_InstrumentsFile).instrument
        else:
            specs = _bybit_specs(msgspec.json.decode(content))
        if not specs:
            raise InstrumentError("Expected at least one instrument, was none.")
        return Instruments((spec.build() for spec in specs), str(path))
    except OSError as error:
        raise InstrumentError(f"Expected a readable file of instruments, was {path}: {error.strerror}") from error
    except msgspec.ValidationError as error:
        fields = ", ".join(InstrumentSpec.__struct_fields__)
        raise InstrumentError(
            f"{path}: {error}. Expected [[instrument]] tables, values in quotes, of these fields: {fields}."
        ) from error
    except msgspec.DecodeError as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON of Bybit's instruments-info (a TOML file is named *.toml)"
        raise InstrumentError(f"{path}: Expected {kind}, was broken: {error}.") from error
    except InstrumentError as error:
        raise InstrumentError(f"{path}: {error}") from error


def default_instruments() -> Instruments:
    """Return the instruments of `configs/system/instruments.toml`.

    Examples
    --------
    >>> default_instruments()["ETHUSDT"].price_increment
    Price(0.01)
    """
    return Instruments(load_instruments(shipped("system/instruments.toml") or "system/instruments.toml").values())


def toml_example(symbol: str) -> str:
    """Return the TOML that would define a symbol of Bybit, to be filled in, where the symbol says enough.

    Examples
    --------
    >>> toml_example("ETHBTC")
    ' with an [[instrument]] table: symbol, base, quote, tick, lot (see `fathom data import bybit --help`).'
    """
    product = bybit_product(symbol)
    if product is None or product.refusal:
        return " with an [[instrument]] table: symbol, base, quote, tick, lot (see `fathom data import bybit --help`)."
    return (
        f':\n\n[[instrument]]\nsymbol = "{symbol}"\nbase = "{product.base}"\nquote = "{product.quote}"\n'
        'tick = "?"    # price increment as the venue states it, such as "0.10"\n'
        'lot = "?"     # size increment, such as "0.001"\n'
    )


def _bybit_specs(response: Any) -> list[InstrumentSpec]:
    rows = response
    for key in ("result", "list"):
        if isinstance(rows, dict) and key in rows:
            rows = rows[key]
    if not isinstance(rows, list):
        raise InstrumentError("Expected Bybit's instruments-info response with 'result.list', was other JSON.")
    specs, left_out = [], []
    for number, row in enumerate(rows):
        try:
            lots = row["lotSizeFilter"]
            # Options have no contractType either, but no basePrecision. Dated futures and inverse contracts settle
            # by other rules.
            kind = row.get("contractType", "Option" if "optionsType" in row else "Spot")
            if kind not in ("LinearPerpetual", "Spot"):
                left_out.append(f"{row['symbol']} ({kind})")
                continue
            specs.append(
                InstrumentSpec(
                    symbol=row["symbol"],
                    base=row["baseCoin"],
                    quote=row["quoteCoin"],
                    tick=row["priceFilter"]["tickSize"],
                    lot=lots.get("qtyStep") or lots["basePrecision"],
                    kind="spot" if kind == "Spot" else "linear",
                    min_size=lots.get("minOrderQty"),
                    max_size=lots.get("maxOrderQty"),
                    min_notional=lots.get("minNotionalValue"),
                )
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InstrumentError(f"Expected field {error} in result.list[{number}], was none.") from error
    if left_out and not specs:
        raise InstrumentError(f"Expected a linear perpetual or a spot pair, was {', '.join(left_out[:5])}.")
    return specs


def _is_fraction(text: str) -> bool:
    try:
        return is_plain(text, negative=True) and -1 < Decimal(text) < 1
    except InvalidOperation:  # also of a comparison with NaN
        return False


def _currency(code: str) -> Currency:
    try:
        return Currency.from_str(code)
    except ValueError:
        # A coin the engine does not know: 8 decimals, as the engine's own adapters register them.
        return Currency(code, 8, 0, code, CurrencyType.CRYPTO)
