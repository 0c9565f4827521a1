"""Instruments from Bybit's JSON and from TOML."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from nautilus_trader.model import CryptoPerpetual, CurrencyPair, Price, Quantity

from fathom.data_catalog.errors import InstrumentError
from fathom.data_catalog.instruments import (
    MAX_PRICE_RAW,
    MAX_SIZE_RAW,
    Grid,
    Instruments,
    InstrumentSpec,
    default_instruments,
    load_instruments,
    toml_example,
)
from fathom.data_catalog.store.fixed_point import decode_fixed, encode_fixed

X_SPEC = {"symbol": "XUSDT", "base": "X", "quote": "USDT", "tick": "0.1", "lot": "0.1"}
BTC = Grid("BTCUSDT-LINEAR.BYBIT", tick_raw=10**15, lot_raw=10**13, price_precision=2, size_precision=3)


@pytest.mark.real_data
def test_bybits_response_is_read(real_data: Path) -> None:
    found = load_instruments(real_data / "bybit-protocol" / "instruments-info_linear_5syms.json")
    assert set(found) == {f"{coin}USDT-LINEAR.BYBIT" for coin in ("BTC", "ETH", "XRP", "SOL", "DOGE")}
    btc = found["BTCUSDT"]
    assert isinstance(btc, CryptoPerpetual)
    assert (str(btc.id), btc.price_precision, btc.size_precision) == ("BTCUSDT-LINEAR.BYBIT", 2, 3)
    assert (str(btc.price_increment), str(btc.size_increment)) == ("0.10", "0.001")
    assert (str(btc.min_quantity), str(btc.max_quantity), str(btc.min_notional)) == (
        "0.001",
        "1500.000",
        "5.00000000 USDT",
    )


@pytest.mark.real_data
def test_a_part_of_the_response_is_read_too(real_data: Path, tmp_path: Path) -> None:
    whole = json.loads((real_data / "bybit-protocol" / "instruments-info_linear_5syms.json").read_text())
    for number, part in enumerate((whole["result"], whole["result"]["list"])):
        (tmp_path / f"{number}.json").write_text(json.dumps(part))
        assert len(load_instruments(tmp_path / f"{number}.json")) == 5


@pytest.mark.real_data
def test_spot_instruments_are_read_and_inverse_ones_left_out(real_data: Path) -> None:
    messages = real_data / "bybit-protocol" / "messages"
    spot = load_instruments(messages / "http_get_instruments_spot.json")["BTCUSDT"]
    assert isinstance(spot, CurrencyPair)
    assert (str(spot.id), str(spot.size_increment)) == ("BTCUSDT-SPOT.BYBIT", "0.0001")
    with pytest.raises(
        InstrumentError, match=r"Expected a linear perpetual or a spot pair, was .*\(InversePerpetual\)"
    ):
        load_instruments(messages / "http_get_instruments_inverse.json")


@pytest.mark.real_data
def test_the_shipped_ticks_are_bybits(real_data: Path) -> None:
    bybit = load_instruments(real_data / "bybit-protocol" / "instruments-info_linear_5syms.json")
    for identifier, instrument in default_instruments().items():
        if identifier.endswith(".BYBIT"):
            assert instrument.price_increment == bybit[identifier].price_increment


def test_fees_are_kept() -> None:
    assert default_instruments()["BTCUSDT"].info == {"maker_fee": "0.0002", "taker_fee": "0.00055"}


def example(symbol: str) -> str:
    """Return the template that an error prints, with tick and lot filled in."""
    text = toml_example(symbol).partition("\n\n")[2]
    return text.replace('tick = "?"', 'tick = "0.0001"').replace('lot = "?"', 'lot = "1"')


@pytest.mark.parametrize(("symbol", "base", "quote"), [("ABCUSDT", "ABC", "USDT"), ("1000XPERP", "1000X", "USDC")])
def test_the_example_for_an_unknown_symbol_is_right(tmp_path: Path, symbol: str, base: str, quote: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(example(symbol))
    instrument = load_instruments(path)[symbol]
    coins = str(instrument.base_currency), str(instrument.quote_currency), str(instrument.settlement_currency)
    assert (str(instrument.id), *coins) == (f"{symbol}-LINEAR.BYBIT", base, quote, quote)


def test_a_template_that_is_not_filled_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(toml_example("ABCUSDT").partition("\n\n")[2])
    with pytest.raises(InstrumentError, match="Expected valid increments and limits for ABCUSDT"):
        load_instruments(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("symbol", "product"),
    [
        ("BTCUSD", "an inverse contract"),
        ("BTCUSDH25", "a dated inverse contract"),
        ("BTC-27DEC24", "a dated futures contract"),
        ("BTCUSDT-27DEC24", "a dated futures contract"),
        ("BTC-27DEC24-100000-C", "an option"),
        ("BTC-27DEC24-100000-P-USDT", "an option"),
    ],
)
def test_a_contract_that_is_not_imported_is_refused_with_the_reason(symbol: str, product: str) -> None:
    with pytest.raises(InstrumentError, match=rf"{symbol} of Bybit is {product} .*, which Fathom does not import\."):
        default_instruments().of(symbol, venue="BYBIT")
    assert toml_example(symbol) == toml_example("ETHBTC")


def test_no_template_has_a_base_that_is_no_coin() -> None:
    assert "base" not in toml_example("BTC-USDT").partition(":")[2].partition("symbol")[0]
    assert "[[instrument]]\n" not in toml_example("BTC-USDT")
    assert 'base = "1000PEPE"' in toml_example("1000PEPEUSDT")


@pytest.mark.parametrize("name", ["tick", "lot", "min_size", "max_size", "min_notional", "margin_init", "margin_maint"])
@pytest.mark.parametrize("text", ["1e-1", "٠.١", "０.１", "0.1_0", " 0.1", "+0.1", "0x1", "nan", "1" * 5_000, ""])
def test_numbers_are_what_they_look_like(name: str, text: str) -> None:
    fields: dict[str, Any] = {"symbol": "XUSDT", "base": "X", "quote": "USDT", "tick": "0.1", "lot": "0.1"} | {
        name: text
    }
    with pytest.raises(InstrumentError, match=f"limits for XUSDT, was: {name} '.*Write a plain") as caught:
        InstrumentSpec(**fields).build()
    assert len(str(caught.value)) < 250
    with pytest.raises(InstrumentError, match="Expected maker_fee of XUSDT as a fraction"):
        InstrumentSpec(**(fields | {name: "0.1", "maker_fee": text})).build()


@pytest.mark.parametrize("name", ["symbol", "base", "quote", "venue"])
@pytest.mark.parametrize("text", ["B" * 5_000, "B C", "B/C", "..\\B", "50%", "B\n", ""])
def test_names_are_short_and_fit_a_path(name: str, text: str) -> None:
    fields: dict[str, Any] = {"symbol": "XUSDT", "base": "X", "quote": "USDT", "tick": "0.1", "lot": "0.1"} | {
        name: text
    }
    with pytest.raises(InstrumentError, match=f"Expected {name} of 1 to 40 letters") as caught:
        InstrumentSpec(**fields).build()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["٦١٨٠٠.٢", "６１８００.２", "61_800.2", " 61800.2", "1e999999", "1" * 5_000])
def test_digits_of_other_scripts_and_endless_numbers_are_no_price(text: str) -> None:
    grid = Grid.of(default_instruments()["BTCUSDT"])
    with pytest.raises(InstrumentError, match="Expected a price as a decimal number, was") as caught:
        grid.ticks(text)
    assert len(str(caught.value)) < 200


def test_a_symbol_that_names_two_instruments_is_refused() -> None:
    fields = {"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "tick": "0.10", "lot": "0.001"}
    both = Instruments(msgspec.convert({**fields, "kind": kind}, InstrumentSpec).build() for kind in ("linear", "spot"))
    assert str(both.of("BTCUSDT-SPOT.BYBIT").id) == "BTCUSDT-SPOT.BYBIT"
    with pytest.raises(InstrumentError, match=r"which names BTCUSDT-LINEAR\.BYBIT, BTCUSDT-SPOT\.BYBIT"):
        both.of("BTCUSDT")


@pytest.mark.real_data
def test_every_linear_perpetual_of_bybit_is_read_and_its_numbers_stored(real_data: Path, tmp_path: Path) -> None:
    text = ""
    with zstandard.open(real_data / "bybit-protocol" / "capture_2026-08-09.jsonl.zst", "rt") as lines:
        text = next(row["data"] for row in map(json.loads, lines) if row["t"] == "http" and "qtyStep" in row["data"])
    (tmp_path / "info.json").write_text(text)
    found = load_instruments(tmp_path / "info.json")
    assert len(found) == 760
    for instrument in found.values():
        grid = Grid.of(instrument)
        for unit in (grid.tick_raw, grid.lot_raw):
            counts = np.array([1, 7, 12_345], np.int64)
            decoded, bad = decode_fixed(encode_fixed(counts, unit), unit)
            assert bad == -1
            assert decoded.tolist() == counts.tolist()


def test_ids_of_other_venues() -> None:
    def spec(**fields: str) -> InstrumentSpec:
        given = {"symbol": "A", "base": "BTC", "quote": "USD", "tick": "1", "lot": "1", **fields}
        return msgspec.convert(given, InstrumentSpec)

    assert spec(venue="BITSTAMP", kind="spot").instrument_id == "A.BITSTAMP"
    assert spec(kind="spot").instrument_id == "A-SPOT.BYBIT"
    assert str(spec(id="B.SIM").build().id) == "B.SIM"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[instrument]]\nsymbol = 'X'\n", r"missing required field `base` - at `\$\.instrument\[0\]`"),
        (example("XUSDT").replace("tick", "tik"), "unknown field `tik`"),
        (example("XUSDT").replace('"0.0001"', '"zero"'), "Expected valid increments and limits for XUSDT"),
        (example("XUSDT").replace('"0.0001"', '"0.0"'), r"Expected tick and lot above 0 for XUSDT, was '0\.0', '1'"),
        ("instrument = []", "Expected at least one instrument, was none"),
        ("[[instrument", "Invalid TOML|Expected|expected"),
    ],
)
def test_a_bad_toml_names_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InstrumentError, match=message) as caught:
        load_instruments(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "truncated"),
        ("{}", r"Expected Bybit's instruments-info response with 'result\.list'"),
        ('[{"symbol": "X", "lotSizeFilter": {}}]', r"Expected field 'baseCoin' in result\.list\[0\], was none"),
        ("[7]", r"Expected field .* in result\.list\[0\]"),
    ],
)
def test_a_bad_json_names_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InstrumentError, match=message) as caught:
        load_instruments(path)
    assert str(path) in str(caught.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstrumentError, match="No such file"):
        load_instruments(tmp_path / "absent.toml")


@pytest.mark.parametrize("fee", ["x", "", "NaN", "2", "5.5"])
def test_a_fee_that_is_no_fraction_is_refused(fee: str) -> None:
    with pytest.raises(InstrumentError, match=f"Expected taker_fee of X as a fraction .*, was '{fee}'"):
        InstrumentSpec(symbol="X", base="X", quote="USDT", tick="0.1", lot="1", taker_fee=fee).build()


@pytest.mark.parametrize(("text", "largest"), [("17014118346046.10", "price"), ("1e30", "price")])
def test_a_price_that_the_engine_cannot_hold_is_refused(text: str, largest: str) -> None:
    with pytest.raises(InstrumentError, match=f"Expected a {largest} of at most 17014118346046, was '{text}'"):
        BTC.ticks(text)
    assert BTC.ticks("17014118346046.00") == MAX_PRICE_RAW // BTC.tick_raw
    assert Price.from_str(f"{MAX_PRICE_RAW // 10**16}").raw == MAX_PRICE_RAW
    assert Quantity.from_str(f"{MAX_SIZE_RAW // 10**16}").raw == MAX_SIZE_RAW


@given(st.integers(0, 2**47))
def test_text_and_ticks_are_inverse(ticks: int) -> None:
    assert BTC.ticks(BTC.price_text(ticks)) == ticks
    assert BTC.lots(BTC.size_text(ticks)) == ticks
    assert Decimal(BTC.price_text(ticks)) == ticks * Decimal("0.1")


@pytest.mark.parametrize("text", ["61800.25", "1e-9", "0.000000000000000000001"])
def test_a_price_off_the_grid_is_refused(text: str) -> None:
    with pytest.raises(InstrumentError, match=r"Expected a price that is a multiple of 0\.10"):
        BTC.ticks(text)


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity", "1.2.3"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InstrumentError, match="Expected a size"):
        BTC.lots(text)


def test_huge_counts_do_not_overflow() -> None:
    with pytest.raises(InstrumentError, match="Expected a price"):
        BTC.ticks("1e30")


def test_steps_in_floats() -> None:
    assert (BTC.tick, BTC.lot) == (0.1, 0.001)
