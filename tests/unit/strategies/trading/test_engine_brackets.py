"""What the bracket strategy does with rejections, partial fills, late entries and the end."""

import math
from pathlib import Path
from typing import Any

import pytest

from fathom.backtests import run
from fathom.backtests.setup.run_files import RunFiles
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.market.events import Kind
from tests.makers.random_market import random_market
from tests.makers.small_market import SECOND, START, config_file, make_market, zigzag


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_market(tmp_path_factory.mktemp("market"), seconds=90.0).path


def rows_of(folder: Path, catalog: Path, *sets: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], RunFiles]:
    config = config_file(folder, catalog)
    dotted = [f"strategies.0.parameters.{text}" if not text.startswith(("venue.", "bars_")) else text for text in sets]
    files = RunFiles(run([config], out=folder / "runs", assignments=dotted, pages=False).path)
    return files.table("orders").to_pylist(), files.table("fills").to_pylist(), files


@pytest.mark.parametrize(
    ("stop", "target", "role"), [("20", "1", "TARGET"), ("1", "20", "STOP")], ids=["target", "stop"]
)
def test_a_bracket_closes_by_stop_or_target_and_one_cancels_the_other(
    market: Path, tmp_path: Path, stop: str, target: str, role: str
) -> None:
    orders, _, files = rows_of(
        tmp_path, market, f"stop_atr={stop}", f"target_atr={target}", "exit_on_flip=false", "multiplier=0.5"
    )
    closed = [trip for trip in files.table("positions").to_pylist() if trip["exit_role"] != "EXIT"]
    assert len(closed) >= 2
    assert {trip["exit_role"] for trip in closed} == {role}
    for entry in [order for order in orders if order["role"] == "ENTRY"][: len(closed)]:
        exits = [o for o in orders if o["signal_id"] == entry["signal_id"] and o["role"] in ("STOP", "TARGET")]
        assert {o["ts_init"] for o in exits} == {entry["ts_last"]}  # they follow the fill
        assert {order["role"]: order["status"] for order in exits}[role] == "FILLED"
        assert sorted(order["status"] for order in exits) == ["CANCELED", "FILLED"]


@pytest.mark.parametrize(("direction", "side"), [("long", "LONG"), ("short", "SHORT")])
def test_one_direction_only(market: Path, tmp_path: Path, direction: str, side: str) -> None:
    _, _, files = rows_of(tmp_path, market, f"direction={direction}")
    assert set(files.table("positions")["side"].to_pylist()) == {side}
    assert files.table("positions").num_rows >= 2


def test_without_exit_on_flip_only_stop_and_target_close(market: Path, tmp_path: Path) -> None:
    _, fills, _ = rows_of(tmp_path, market, "exit_on_flip=false", "stop_atr=20", "target_atr=20")
    assert [fill["role"] for fill in fills if fill["role"] != "EXIT"] == ["ENTRY"]
    _, fills, files = rows_of(tmp_path, market, "stop_atr=20", "target_atr=20")
    assert set(files.table("positions")["exit_role"].to_pylist()) == {"EXIT"}
    assert sum(fill["role"] == "ENTRY" for fill in fills) >= 5


def test_a_limit_entry_is_filled_as_maker(tmp_path: Path) -> None:
    def wavy(seconds: float) -> int:  # comes back to the price of a decision now and then
        return zigzag(seconds) + round(90 * math.sin(1.1 * seconds))

    catalog = make_market(tmp_path / "catalog", mid=wavy).path
    orders, fills, files = rows_of(tmp_path, catalog, "entry=limit", "entry_decisions=4")
    entries = [order for order in orders if order["role"] == "ENTRY"]
    assert {(order["type"], order["post_only"]) for order in entries} == {("LIMIT", True)}
    assert {fill["liquidity"] for fill in fills if fill["role"] == "ENTRY"} == {"MAKER"}
    assert files.summary()["trades"]["open"] == 0


def falls_after_the_decision(seconds: float) -> int:
    """Fall, turn up at 20 s (a buy signal at 22 s), and fall 170 dollars before an order of 400 ms arrives."""
    base = 600_000 - round(20 * min(seconds, 20.0)) + (round(60 * (seconds - 20)) if seconds > 20 else 0)
    return base if seconds < 22.2 else 598_000


def test_a_post_only_entry_that_would_take_is_refused_and_forgotten(tmp_path: Path) -> None:
    catalog = make_market(tmp_path / "catalog", seconds=30.0, mid=falls_after_the_decision).path
    orders, fills, _ = rows_of(tmp_path, catalog, "venue.latency.base_ms=400", "direction=long", "entry=limit")
    assert [(order["role"], order["status"]) for order in orders] == [("ENTRY", "REJECTED")]
    assert "would have been a TAKER" in next(order["reason"] for order in orders if order["role"] == "ENTRY")
    assert fills == []


def test_a_limit_entry_that_nobody_takes_is_cancelled_in_time(tmp_path: Path) -> None:
    def runaway(seconds: float) -> int:  # turns up, and never comes back to the price of the decision
        return 600_000 - round(20 * seconds) if seconds < 20 else 599_600 + round(60 * (seconds - 20))

    catalog = make_market(tmp_path / "catalog", mid=runaway).path
    orders, fills, _ = rows_of(tmp_path, catalog, "entry=limit", "entry_decisions=3", "bars_delay_ms=0")
    entry = next(order for order in orders if order["role"] == "ENTRY" and order["side"] == "BUY")
    assert entry["status"] == "CANCELED"
    assert (entry["ts_last"] - entry["ts_init"]).value == 3 * 2 * SECOND + 20 * 10**6
    assert not [fill for fill in fills if fill["client_order_id"] == entry["client_order_id"]]


def test_a_position_whose_stop_is_refused_is_closed_at_once(tmp_path: Path) -> None:
    catalog = make_market(tmp_path / "catalog", seconds=30.0, mid=falls_after_the_decision).path
    orders, _, files = rows_of(tmp_path, catalog, "venue.latency.base_ms=400", "direction=long")
    by_role = {order["role"]: order for order in orders}
    assert by_role["ENTRY"]["status"] == "FILLED"
    assert by_role["STOP"]["status"] == "REJECTED"
    assert "in the market" in by_role["STOP"]["reason"]
    assert by_role["EXIT"]["status"] == "FILLED"
    assert (by_role["EXIT"]["ts_init"] - by_role["ENTRY"]["ts_last"]).value < SECOND
    assert files.summary()["trades"]["open"] == 0


def test_an_entry_larger_than_the_touch_is_filled_in_parts_and_closed_whole(market: Path, tmp_path: Path) -> None:
    _, fills, files = rows_of(tmp_path, market, "notional=600000", "max_leverage=20")
    entries = [fill for fill in fills if fill["role"] == "ENTRY"]
    per_order: dict[str, int] = {}
    for fill in entries:
        per_order[fill["client_order_id"]] = per_order.get(fill["client_order_id"], 0) + 1
    assert max(per_order.values()) >= 3
    assert files.summary()["trades"]["open"] == 0
    for trip in files.table("positions").to_pylist():
        parts = [fill for fill in fills if fill["position"] == trip["position"]]
        assert parts[-1]["position_after"] == 0.0


def test_it_closes_at_the_end_or_leaves_the_position_as_configured(market: Path, tmp_path: Path) -> None:
    end = "data.end=2024-08-09T00:00:50Z"
    for closes, open_trips in (("true", 0), ("false", 1)):
        config = config_file(tmp_path, market, more=f"close_on_stop = {closes}\nstop_atr = 50.0\ntarget_atr = 50.0")
        files = RunFiles(run([config], out=tmp_path / "runs", assignments=[end], pages=False).path)
        assert files.summary()["trades"]["open"] == open_trips
        orders = files.table("orders").to_pylist()
        assert max(order["ts_init"].value for order in orders) <= START + 50 * SECOND
        assert not [order for order in orders if order["status"] in ("ACCEPTED", "SUBMITTED", "INITIALIZED")]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("entry", ["market", "limit"])
def test_whatever_the_market_does_there_is_one_position_with_its_stop(tmp_path: Path, seed: int, entry: str) -> None:
    rows = random_market(seed, seconds=240.0)
    catalog, instrument = Catalog(tmp_path / "catalog"), default_instruments()["BTCUSDT"]
    book, trades = rows[rows["kind"] == Kind.BOOK], rows[rows["kind"] == Kind.TRADE]
    with catalog.book_writer(instrument) as writer:
        writer.write(book)
    with catalog.trade_writer(instrument) as writer:
        writer.write(trades, [str(number) for number in range(len(trades))])
    orders, fills, files = rows_of(tmp_path, catalog.path, f"entry={entry}", "notional=40000", "max_leverage=20")
    assert len(fills) >= 3
    largest = max(order["quantity"] for order in orders if order["role"] == "ENTRY")
    for trip in files.table("positions").to_pylist():
        mine = [fill for fill in fills if fill["position"] == trip["position"]]
        assert trip["peak_quantity"] <= largest + 1e-9
        assert len({fill["client_order_id"] for fill in mine if fill["role"] == "ENTRY"}) == 1
        assert trip["ts_closed"] is None or mine[-1]["position_after"] == 0.0
    assert len(orders) < 40 * max(1, files.table("positions").num_rows)  # no storm of orders
