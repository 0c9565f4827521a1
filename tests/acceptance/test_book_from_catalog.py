"""The book rebuilt from the catalog equals the book rebuilt straight from the raw archive files.

The two sides share nothing: here the engine's own query and order book, there `json`, `Decimal` and a dict.
"""

import functools
import json
import random
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from nautilus_trader.model import BookType, InstrumentId, OrderBook
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.commands.main import main

type Levels = dict[Decimal, Decimal]
type Book = tuple[Levels, Levels]

ARCHIVES = {
    "BTCUSDT": "perp-ticks/2024-08-08_BTCUSDT_ob1000.data.zip",
    "ETHUSDT": "perp-ticks/2024-08-08_ETHUSDT_ob1000.data.zip",
    "XRPUSDT": "bybit-archive/2024-12-01_XRPUSDT_ob500.data.zip",
}
SEED = 20240808

number_of = functools.cache(Decimal)


@pytest.fixture(scope="module")
def catalog(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    files = [str(real_data / name) for name in ARCHIVES.values()]
    result = CliRunner().invoke(main, ["data", "import", "bybit", *files, "--catalog", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


def raw_books(path: Path) -> Iterator[tuple[int, Book]]:
    """Yield the book after each message, with the message's number."""
    book: Book = ({}, {})
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    for number, line in enumerate(lines):
        message = json.loads(line)
        if message["type"] == "snapshot":
            book = ({}, {})
        for levels, changes in zip(book, (message["data"]["b"], message["data"]["a"]), strict=True):
            for price, size in changes:
                if number_of(size) == 0:
                    levels.pop(number_of(price), None)
                else:
                    levels[number_of(price)] = number_of(size)
        yield number, book


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", ARCHIVES)
def test_the_book_from_the_catalog_is_the_book_of_the_raw_file(symbol: str, catalog: Path, real_data: Path) -> None:
    instrument_id = f"{symbol}-LINEAR.BYBIT"
    with zipfile.ZipFile(real_data / ARCHIVES[symbol]) as archive:
        count = archive.read(archive.namelist()[0]).count(b"\n")
    # After 100 random messages; where the file has fewer, after each.
    chosen = set(random.Random(SEED).sample(range(count), min(100, count)))

    deltas = iter(ParquetDataCatalog(str(catalog)).query_order_book_deltas([instrument_id]))
    book = OrderBook(InstrumentId.from_str(instrument_id), BookType.L2_MBP)
    compared = 0
    for number, (bids, asks) in raw_books(real_data / ARCHIVES[symbol]):
        for delta in deltas:
            book.apply_delta(delta)
            if delta.flags & 128:  # the last of its message
                break
        if number in chosen:
            assert book.bids_to_dict() == bids, f"bids after message {number + 1}"
            assert book.asks_to_dict() == asks, f"asks after message {number + 1}"
            compared += 1
    assert compared == len(chosen)
    assert next(deltas, None) is None, "the catalog holds messages that the file does not"
