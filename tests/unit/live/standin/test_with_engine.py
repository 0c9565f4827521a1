"""The engine's own Bybit adapter trades here, loses its sockets, comes back and closes what it holds."""

import json
import subprocess
import sys
from pathlib import Path

NODE = '''
import json, sys
from pathlib import Path

from nautilus_trader.adapters.bybit import (
    BybitDataClientConfig, BybitDataClientFactory, BybitExecutionClientConfig, BybitExecutionClientFactory,
    BybitProductType,
)
from nautilus_trader.common import Environment
from nautilus_trader.live import LiveNode
from nautilus_trader.model import BookType, InstrumentId, OrderSide, Price, Quantity, StrategyId, TraderId
from nautilus_trader.trading import Strategy, StrategyConfig

from fathom.live.standin import AuditRules, StandIn, StandInConfig

BTC = InstrumentId.from_str("BTCUSDT-LINEAR.BYBIT")
SIZE = Quantity.from_str("0.010")


class Trader(Strategy):
    """Opens, sees its sockets die, and closes over the new ones."""

    step, deltas, ticks = "open", 0, 0

    def on_start(self):
        self.subscribe_book_deltas(BTC, BookType.L2_MBP, 50)
        self.subscribe_trades(BTC)
        self.clock.set_timer_ns("look", 100_000_000, None, None, self.look)

    def on_book_deltas(self, deltas):
        self.deltas += 1

    def look(self, event):
        self.ticks += 1
        states = [entry.data["orderStatus"] for entry in exchange.ledger.of("order")]
        opened = [entry.data["channel"] for entry in exchange.ledger.of("socket") if entry.data["event"] == "open"]
        if self.step == "open" and self.deltas > 2:
            self.step, orders = "wait", self.order_factory
            self.submit_order(orders.market(BTC, OrderSide.BUY, SIZE))
            self.limit = orders.limit(BTC, OrderSide.BUY, SIZE, Price.from_str("59500.00"))
            self.stop = orders.stop_market(BTC, OrderSide.SELL, SIZE, Price.from_str("59500.00"), reduce_only=True)
            self.submit_order(self.limit)
            self.submit_order(self.stop)
        elif self.step == "wait" and {"Filled", "New", "Untriggered"} <= set(states):
            self.step = "dead"
            exchange.inject("socket_kill", channel="all")
        elif self.step == "dead" and min(opened.count(name) for name in ("public", "private", "trade")) == 2:
            if private_is_back():
                self.step = "close"
                self.cancel_order(self.limit.client_order_id)
                self.cancel_order(self.stop.client_order_id)
                self.submit_order(self.order_factory.market(BTC, OrderSide.SELL, SIZE, reduce_only=True))
        elif self.step == "close" and not exchange.exchange.accounts[1001].open and states.count("Filled") == 2:
            self.step = "done"
        if self.step == "done" or self.ticks > 900:
            self.clock.cancel_timers()
            handle.stop()


def private_is_back():
    subscribed = exchange._hub.subscribers
    return subscribed["order"] and subscribed["execution"] and any(
        each.channel == "trade" and each.account for each in exchange._hub.connections.values()
    )


with StandIn(StandInConfig(sys.argv[1], repeat=True)) as exchange:
    urls, keys = exchange.urls, {"api_key": "rehearsal-key", "api_secret": "rehearsal-secret"}
    data = BybitDataClientConfig(
        product_types=[BybitProductType.LINEAR], base_url_http=urls["http"], base_url_ws_public=urls["ws_public"],
        base_url_ws_private=urls["ws_private"], **keys,
    )
    execution = BybitExecutionClientConfig(
        product_types=[BybitProductType.LINEAR], base_url_http=urls["http"], base_url_ws_trade=urls["ws_trade"],
        base_url_ws_private=urls["ws_private"], **keys,
    )
    builder = LiveNode.builder("rehearsal", TraderId("T-001"), Environment.LIVE).with_delay_post_stop_secs(0)
    builder = builder.add_data_client(None, BybitDataClientFactory(), data)
    node = builder.add_exec_client(None, BybitExecutionClientFactory(), execution).build()
    trader = Trader(StrategyConfig(strategy_id=StrategyId("S-001")))
    node.add_strategy(trader)
    handle = node.handle()
    node.run()
    rules = AuditRules(stop_gap_round_trips=None, flat_at_end=True)
    commands = [(entry.data["op"], entry.data["code"]) for entry in exchange.ledger.of("command")]
    found = [finding.text for finding in exchange.audit(rules)]
    Path(sys.argv[2]).write_text(json.dumps([trader.step, commands, found]))
'''


def test_the_engine_trades_through_a_loss_of_all_sockets(catalog: Path, tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    command = [sys.executable, "-c", NODE, str(catalog), str(answer)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.is_file(), done.stdout[-3000:] + done.stderr[-3000:]
    step, commands, found = json.loads(answer.read_text())
    assert step == "done"
    assert sorted(commands) == [["order.cancel", 0]] * 2 + [["order.create", 0]] * 4
    assert found == []
