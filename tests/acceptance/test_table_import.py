"""A day of somebody's tables, and a month of bars, through the commands: import, list, check."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from fathom.commands.data.group import data
from fathom.data_catalog.catalog import Catalog
from fathom.market.events import Action, Kind, Side

pytestmark = pytest.mark.real_data

BTC_PERP = """[[instrument]]
symbol = "BTC-PERP"
base = "BTC"
quote = "USD"
tick = "0.001"
lot = "0.0001"
venue = "FTX"
"""
MINUTE = "1-MINUTE-LAST-EXTERNAL"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(data, list(arguments))


@pytest.fixture(scope="module")
def bitstamp(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    catalog = tmp_path_factory.mktemp("bitstamp") / "catalog"
    tables = ["--book", str(real_data / "bitstamp-24h/book.parquet")]
    tables += ["--trades", str(real_data / "bitstamp-24h/trades.parquet")]
    for answer in ("117,135 book changes in 29,992 messages, 4,251 trades", "had been imported before: nothing to do"):
        result = run("import", "table", *tables, "--instrument", "BTCUSD.BITSTAMP", "--catalog", str(catalog))
        assert result.exit_code == 0, result.output
        assert answer in result.stdout
    return catalog


def test_a_real_day_passes_the_check(bitstamp: Path) -> None:
    result = run("check", "--catalog", str(bitstamp), "--strict", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert [(one["rows"], one["messages"]) for one in report["checked"]] == [(117_136, 29_992), (4_251, 0)]
    assert {finding["check"] for finding in report["findings"]} == {"no_trades"}


def test_the_book_of_the_catalog_is_the_book_of_the_table_at_random_times(bitstamp: Path, real_data: Path) -> None:
    table = pq.read_table(real_data / "bitstamp-24h/book.parquet")
    times = np.asarray(table["ts_init"].cast("int64")).tolist()
    changes = list(zip(*(table[name].to_pylist() for name in ("side", "price", "size")), strict=True))
    rows = np.concatenate(list(Catalog(bitstamp).events("BTCUSD.BITSTAMP", trades=False)))
    assert (rows["kind"] == Kind.BOOK).all()
    stored = rows[["ts_init", "action", "side", "price", "size"]].tolist()
    moments = np.sort(np.random.default_rng(11).integers(times[0], times[-1], 100)).tolist()
    ours: dict[tuple[str, Decimal], Decimal] = {}
    theirs: dict[tuple[str, Decimal], Decimal] = {}
    i = k = 0
    for moment in moments:
        while i < len(stored) and stored[i][0] <= moment:
            _, action, side, ticks, lots = stored[i]
            level = "bid" if side == Side.BUY else "ask", Decimal(ticks).scaleb(-2)
            if action == Action.CLEAR:
                ours.clear()
            elif action == Action.DELETE:
                del ours[level]
            else:
                ours[level] = Decimal(lots).scaleb(-8)
            i += 1
        while k < len(times) and times[k] <= moment:
            word, price, size = changes[k]
            theirs[word, price] = size
            if not size:
                del theirs[word, price]
            k += 1
        assert ours == theirs
        assert len(ours) == 40


def test_a_month_of_bars_is_listed_whole(real_data: Path, tmp_path: Path) -> None:
    (tmp_path / "instruments.toml").write_text(BTC_PERP)
    catalog = str(tmp_path / "catalog")
    options = ["--bar", MINUTE, "--timestamp", "open", "--volume-unit", "quote", "--catalog", catalog]
    options += ["--instrument", "BTC-PERP.FTX", "--instruments", str(tmp_path / "instruments.toml")]
    result = run("import", "bars", str(real_data / "bars/btc-perp-20211231-20220201_1m.csv.gz"), *options)
    assert result.exit_code == 0, result.output
    [bars] = json.loads(run("list", "--catalog", catalog, "--json").stdout)["data"]
    assert (bars["rows"], bars["files"], bars["holes"]) == (45_031, 1, [])
    assert (bars["first"], bars["last"]) == ("2021-12-31T23:02:00Z", "2022-02-01T05:32:00Z")
    assert run("check", "--catalog", catalog, "--strict").exit_code == 0
    first = Catalog(catalog).bar_rows(f"BTC-PERP.FTX-{MINUTE}")[0]
    assert (first["open"], first["high"], first["low"], first["close"]) == (
        46_319_000,
        46_385_000,
        46_319_000,
        46_377_000,
    )
    assert first["volume"] == round(2_300_413.7295 / ((46_385 + 46_319 + 46_377) / 3) * 10_000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--instrument", "BTCUSD.BITSTAM"), "Did you mean 'BTCUSD.BITSTAMP'?"),
        (("--instrument", "GOLD"), "[[instrument]]"),
        (("--instrument", "BTCUSDT"), "row 1, column 'price': Expected a price that is a multiple of 0.1, was 236.47"),
        (("--instrument", "BTCUSD", "--map", "size"), "Expected --map NAME=COLUMN, was --map size."),
        (("--instrument", "BTCUSD", "--map", "sequence=seq"), "Expected a column 'seq' for sequence, was none."),
    ],
)
def test_a_wrong_call_says_what_to_do_and_writes_nothing(
    real_data: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    book = ["--book", str(real_data / "bitstamp-24h/book.parquet"), "--catalog", str(tmp_path / "catalog")]
    result = run("import", "table", *book, *arguments)
    assert result.exit_code != 0
    assert message in " ".join(result.output.split())
    assert list((tmp_path / "catalog").rglob("*.parquet")) == []
