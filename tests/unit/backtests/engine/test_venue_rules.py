"""What Bybit refuses does not happen in a backtest, and the refusal is stated."""

from pathlib import Path
from typing import Any

import pytest
from nautilus_trader.model import ClientOrderId, InstrumentId, OrderSide, Price, Quantity

from fathom.backtests import run
from fathom.backtests.setup.config import load
from fathom.backtests.setup.run_files import RunFiles
from fathom.settings.errors import SettingsError
from fathom.strategies.system import order_tag
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.policy_strategy import PolicyStrategy
from tests.makers.small_market import BTC, SECOND, config_file, make_market


class RudeConfig(SignalStrategyConfig, frozen=True, kw_only=True):
    """What it does at the fifth second."""

    deed: str = ""


class Rude(PolicyStrategy):
    """Sends what the venue does not take."""

    def on_start(self) -> None:
        super().on_start()
        self.clock.set_time_alert_ns("deed", self.clock.timestamp_ns() + 5 * SECOND, self.act)

    def on_order_event(self, event: Any) -> None:
        """Take no notice."""

    def on_position_event(self, event: Any) -> None:
        """Take no notice."""

    def act(self, event: Any) -> None:
        self.bracket.trade.price = 60_000.0
        instrument, one = InstrumentId.from_str(BTC), Quantity(0.01, 3)
        match self.settings.deed:  # type: ignore[attr-defined]
            case "reduce":
                self.submit_order(self.order_factory.market(instrument, OrderSide.SELL, one, reduce_only=True))
            case "many":
                for _ in range(12):
                    self.submit_order(
                        self.order_factory.market(instrument, OrderSide.BUY, one, tags=["ENTRY", "decision=60000.0"])
                    )
            case "long":
                name = ClientOrderId("O-" + "9" * 35)
                self.submit_order(self.order_factory.market(instrument, OrderSide.BUY, one, client_order_id=name))
            case "large":
                self.submit_order(
                    self.order_factory.market(
                        instrument, OrderSide.BUY, Quantity(40.0, 3), tags=["ENTRY", "decision=60000.0"]
                    )
                )
            case "trigger":
                order = self.order_factory.stop_market(instrument, OrderSide.BUY, one, Price(60_500.0, 2))
                self.submit_order(order)
                self.modify_order(order.client_order_id, trigger_price=Price(60_600.0, 2))


RUDE = "tests.unit.backtests.engine.test_venue_rules:Rude,tests.unit.backtests.engine.test_venue_rules:RudeConfig"


def play(folder: Path, deed: str) -> tuple[list[dict[str, Any]], list[str]]:
    catalog = make_market(folder / "catalog", seconds=12.0).path
    config = config_file(folder, catalog, strategy=RUDE, more=f'deed = "{deed}"')
    files = RunFiles(run([config], out=folder / "runs", assignments=["venue.leverage=100"], pages=False).path)
    return files.table("orders").to_pylist(), files.summary()["notes"]


def test_a_reduce_only_order_without_a_position_is_refused(tmp_path: Path) -> None:
    (order,) = play(tmp_path, "reduce")[0]
    assert (order["status"], order["filled_qty"]) == ("REJECTED", 0.0)
    assert "educe" in order["reason"]


def test_the_eleventh_order_of_a_second_is_refused(tmp_path: Path) -> None:
    orders, _ = play(tmp_path, "many")
    assert sum(order["status"] == "FILLED" for order in orders if order["side"] == "BUY") == 10
    assert [order["reason"] for order in orders if order["status"] == "DENIED"] != []


def test_long_ids_and_amended_triggers_are_refused_in_the_notes(tmp_path: Path) -> None:
    orders, notes = play(tmp_path, "long")
    assert orders == []
    assert any("an order id of 37 characters, at most 36" in note for note in notes)
    (tmp_path / "b").mkdir()
    orders, notes = play(tmp_path / "b", "trigger")
    assert orders[0]["trigger_price"] == 60_500.0
    assert any("amend the trigger" in note for note in notes)


def test_what_the_book_does_not_hold_of_a_market_order_is_cancelled(tmp_path: Path) -> None:
    orders, _ = play(tmp_path, "large")
    entry = orders[0]
    assert 0.0 < entry["filled_qty"] < entry["quantity"]
    assert entry["status"] == "CANCELED"


def test_two_strategies_in_an_instrument_are_refused_at_load() -> None:
    settings = {
        "name": "x",
        "data": {"catalog": "c", "instruments": [BTC, "ETHUSDT-LINEAR.BYBIT"]},
        "venue": {"fees": {"maker": 0.0, "taker": 0.0}},
        "strategies": [{"name": "momentum"}, {"name": "supertrend", "instruments": [BTC]}],
    }
    with pytest.raises(SettingsError, match=r"strategies\[0\] \(momentum\) and strategies\[1\] \(supertrend\)"):
        load([settings])


@pytest.mark.parametrize("symbol", ["1000PEPEUSDT", "币安人生USDT", "BTC-27DEC24", "A", "10000000AIDOGEUSDT"])
def test_an_order_id_has_36_characters_at_most(symbol: str) -> None:
    tag = order_tag(f"{symbol}-LINEAR.BYBIT")
    assert len(f"O-20261201-001548-001-{tag}-999999") <= 36
    assert tag.isascii()
    assert tag.isalnum()
    other = order_tag(f"{symbol}-LINEAR.BYBIT", {tag})
    assert other != tag
    assert len(other) <= 7


@pytest.mark.parametrize(("stated", "kept"), [(None, "all"), ("all", "all"), (50, 50)])
def test_the_depth_is_stated(stated: Any, kept: Any) -> None:
    data = {"catalog": "c", "instruments": [BTC]} | ({"depth": stated} if stated else {})
    resolved = load([{"name": "x", "data": data, "venue": {"fees": {"maker": 0.0, "taker": 0.0}}}])
    assert f"depth = {kept!r}".replace("'", '"') in resolved.text
    assert resolved.depth == (None if kept == "all" else kept)
    assert "bars_delay_ms = 30.0" in resolved.text
