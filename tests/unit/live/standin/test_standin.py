"""A stand-in as a whole: it starts, serves, ends, and does the same thing twice."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.live.errors import LiveError
from fathom.live.standin import StandIn, StandInConfig
from fathom.live.standin.market.contracts import instrument_row
from fathom.settings.errors import FathomError
from fathom.settings.times import interval_name
from fathom.settings.toml import read
from tests.makers.small_market import START, make_market
from tests.unit.live.standin.wire.client import PATIENCE, Socket, call, result

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


def rehearse(catalog: Path, seed: int) -> list[dict[str, Any]]:
    """Trade by exchange time for twenty seconds; return the ledger."""
    config = StandInConfig(str(catalog), speed=0, stamps="recorded", seed=seed)
    with StandIn(config) as exchange:
        for second in range(20):
            exchange.advance(1.0)
            book = result(exchange, "GET", "/v5/market/orderbook", **LINEAR)
            side = "Buy" if second % 3 else "Sell"
            price = book["b" if side == "Buy" else "a"][0][0]
            order = {"side": side, "orderType": "Limit", "qty": "0.01", "price": price, "orderLinkId": f"s{second}"}
            call(exchange, "POST", "/v5/order/create", LINEAR | order)
            if second % 4 == 3:
                call(exchange, "POST", "/v5/order/cancel-all", LINEAR)
        return [entry._asdict() for entry in exchange.ledger]


def test_the_same_seed_and_catalog_give_the_same_ledger(catalog: Path) -> None:
    first = rehearse(catalog, 7)
    assert first == rehearse(catalog, 7)
    assert {"command", "order", "execution", "position", "wallet"} <= {entry["kind"] for entry in first}
    other = rehearse(catalog, 8)
    ids = [[entry["data"]["orderId"] for entry in ledger if entry["kind"] == "order"] for ledger in (first, other)]
    assert len(ids[0]) == len(ids[1])
    assert not set(ids[0]) & set(ids[1])


def test_the_replay_waits_for_a_book_where_it_is_told_to(catalog: Path) -> None:
    config = StandInConfig(str(catalog), speed=0, stamps="recorded", start_on_connect=True)
    with StandIn(config) as exchange:
        exchange.advance(5.0)
        assert exchange.events == 0
        with Socket(exchange, "public", "orderbook.50.BTCUSDT"):
            exchange.advance(5.0)
            assert exchange.events > 0


def test_what_is_skipped_is_history(catalog: Path) -> None:
    ages = {}
    for skip in (0.0, 30.0):
        config = StandInConfig(str(catalog), speed=0, stamps="recorded", skip_secs=skip)
        with StandIn(config) as exchange:
            trades = result(exchange, "GET", "/v5/market/recent-trade", **LINEAR, limit=1000)["list"]
            candles = result(exchange, "GET", "/v5/market/kline", **LINEAR, interval="1")["list"]
            now = exchange.clock.now() // 1_000_000
            ages[skip] = (len(trades), len(candles), bool(trades) and now - int(trades[0]["time"]), exchange.events)
    # Two messages are due at the begin itself; a trade each 400 ms, the last one at 29,607 ms.
    assert ages == {0.0: (0, 0, False, 2), 30.0: (75, 1, 393, 2)}


def test_a_recording_that_is_skipped_whole_is_refused(catalog: Path) -> None:
    with pytest.raises(LiveError, match="skip_secs"):
        StandIn(StandInConfig(str(catalog), skip_secs=1000.0))


def test_instruments_without_a_book_are_left_out(catalog: Path, tmp_path: Path) -> None:
    both = Catalog(tmp_path)
    both.put_instrument(default_instruments()["XRPUSDT"])
    make_market(tmp_path, seconds=1.0)
    with StandIn(StandInConfig(str(tmp_path), speed=0, stamps="recorded")) as exchange:
        rows = result(exchange, "GET", "/v5/market/instruments-info", category="linear")["list"]
    assert [row["symbol"] for row in rows] == ["BTCUSDT"]


def test_an_instruments_response_states_the_rules(catalog: Path, tmp_path: Path) -> None:
    row = instrument_row("BTCUSDT", "BTC", "USDT", "0.10", "0.001", notional="100")
    file = tmp_path / "instruments.json"
    file.write_text(json.dumps({"result": {"list": [row]}}))
    config: dict[str, Any] = {"speed": 0, "stamps": "recorded", "symbols": ["BTCUSDT"], "instruments": str(file)}
    with StandIn(StandInConfig(str(catalog), **config)) as exchange:
        order = {"side": "Buy", "orderType": "Limit", "qty": "0.001", "price": "59900"}
        assert call(exchange, "POST", "/v5/order/create", LINEAR | order).json()["retCode"] == 110094
    file.write_text(json.dumps({"result": {"list": [row | {"priceFilter": {"tickSize": "0.5"}}]}}))
    with pytest.raises(LiveError, match="another grid"):
        StandIn(StandInConfig(str(catalog), **config))
    file.write_text("{}")
    with pytest.raises(LiveError, match="instruments-info"):
        StandIn(StandInConfig(str(catalog), **config))


def test_a_fast_replay_ends_and_a_repeated_one_does_not(catalog: Path) -> None:
    for repeat in (False, True):
        with StandIn(StandInConfig(str(catalog), speed=1e6, repeat=repeat)) as exchange:
            deadline = time.monotonic() + PATIENCE
            while exchange.events < 1000 and not exchange.ended and time.monotonic() < deadline:
                result(exchange, "GET", "/v5/market/time")
            assert exchange.ended is not repeat
            assert exchange.events == 520 if not repeat else exchange.events >= 1000


def test_messages_carry_the_wall_clock_unless_told_otherwise(catalog: Path) -> None:
    with StandIn(StandInConfig(str(catalog))) as exchange, Socket(exchange, "public", "orderbook.1.BTCUSDT") as book:
        assert abs(book.read()["ts"] - time.time_ns() // 1_000_000) < 5000


def test_the_command_prints_its_urls_and_serves(catalog: Path) -> None:
    command = [sys.executable, "-m", "fathom.live.standin", "--catalog", str(catalog), "--speed", "2", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            urls = json.loads(process.stdout.readline())
            assert set(urls) == {"http", "ws_public", "ws_private", "ws_trade"}
            assert urls["ws_public"].endswith("/v5/public/linear")
        finally:
            process.terminate()


def test_a_wrong_command_says_what_was_expected(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fathom.live.standin", "--catalog", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Expected a catalog with books of linear perpetuals")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return a catalog whose second file of trades is no Parquet file."""
    make_market(tmp_path, seconds=10.0)
    folder = tmp_path / "data" / "trades" / "BTCUSDT-LINEAR.BYBIT"
    (folder / interval_name(START + 20 * 10**9, START + 21 * 10**9)).write_bytes(b"no parquet")
    return tmp_path


def test_a_recording_that_breaks_ends_the_command_with_one_line(broken: Path) -> None:
    command = [sys.executable, "-m", "fathom.live.standin", "--catalog", str(broken), "--speed", "1e6"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("Expected a Parquet file of the engine")


def test_a_recording_that_breaks_is_told_where_it_is_used(broken: Path) -> None:
    config = StandInConfig(str(broken), speed=1e6)
    with pytest.raises(FathomError, match="Parquet"), StandIn(config) as exchange:
        exchange.wait()


def test_a_taken_port_is_refused(held: StandIn, catalog: Path) -> None:
    port = int(held.urls["http"].rpartition(":")[2])
    with pytest.raises(LiveError, match="free port"), StandIn(StandInConfig(str(catalog), port=port)):
        pass


ACCOUNTS = [
    'accounts=[{key=""}]',
    'accounts=[{secret=""}]',
    'accounts=[{balance="lots"}]',
    'accounts=[{balance="-1"}]',
    'accounts=[{key="a"}, {key="b"}]',
]


@pytest.mark.parametrize(
    "change", ["speed=0", "accounts=[]", "port=70000", "stamps='local'", "latency=1", "speed=-1", *ACCOUNTS]
)
def test_a_wrong_setting_is_refused(change: str) -> None:
    with pytest.raises(FathomError, match=r"[Ee]xpected"):
        read(StandInConfig, [], ["catalog='c'", change])
