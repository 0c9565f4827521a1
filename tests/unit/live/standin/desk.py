"""An exchange without a server: a test sets the book, lets trades happen and sends commands."""

from decimal import Decimal
from typing import Any

import pytest

from fathom.live.standin.clock import Clock
from fathom.live.standin.config import AccountConfig, StandInConfig
from fathom.live.standin.exchange.exchange import Exchange
from fathom.live.standin.exchange.refusals import RefusedError
from fathom.live.standin.market.contracts import Contract, instrument_row
from fathom.live.standin.market.recording import BookMessage, TradeMessage
from fathom.live.standin.market.symbol import Symbol
from fathom.market.events import Side

MS = 1_000_000
START = 1_723_161_600_000 * MS
MID = 60_000  # ticks of 1 USDT


class Desk:
    """One or more symbols with a tick of 1 USDT and a lot of 0.001, and the account 1001."""

    def __init__(self, *symbols: str, balance: str = "10000", accounts: int = 1, **config: Any) -> None:
        names = symbols or ("BTCUSDT",)
        self.now = START
        clock = Clock(START, 0, "recorded")
        contracts = {name: Contract(name, name, instrument_row(name, name[:3], "USDT", "1", "0.001")) for name in names}
        self.symbols = {
            name: Symbol(contract, clock, Decimal("0.0001"), recorded_cadence=False)
            for name, contract in contracts.items()
        }
        people = [AccountConfig(key=f"k{n}", uid=1001 + n, balance=balance) for n in range(accounts)]
        settings = StandInConfig("nowhere", speed=0, stamps="recorded", accounts=people, **config)
        self.sent: list[tuple[int, str, dict[str, Any]]] = []
        self.exchange = Exchange(settings, self.symbols, lambda: self.now, lambda *each: self.sent.append(each))
        self.account = self.exchange.accounts[1001]
        for name in names:
            self.book(symbol=name, bids={MID - n: 1000 for n in range(1, 6)}, asks={MID + n: 1000 for n in range(1, 6)})

    @property
    def ledger(self) -> Any:
        return self.exchange.ledger

    def book(
        self,
        bids: dict[int, int] | None = None,
        asks: dict[int, int] | None = None,
        *,
        symbol: str = "BTCUSDT",
        clear: bool = False,
    ) -> None:
        """Apply sizes of levels in lots."""
        self.now += MS
        changes = [(True, *level) for level in (bids or {}).items()] + [
            (False, *level) for level in (asks or {}).items()
        ]
        self.exchange.apply(BookMessage(self.now, self.now, symbol, clear, changes))

    def trade(self, side: Side, price: int, size: int, *, flags: int = 0, symbol: str = "BTCUSDT") -> None:
        """Let an aggressor of this side trade."""
        self.now += MS
        self.exchange.apply(TradeMessage(self.now, self.now, symbol, [(int(side), price, size, flags, str(self.now))]))

    def run(self, op: str, **args: Any) -> dict[str, Any]:
        """Run a command of the first account."""
        return self.exchange.run(self.account, op, {"category": "linear", "symbol": "BTCUSDT", **args})

    def create(self, side: str, qty: str, price: int | None = None, **more: Any) -> str:
        """Create an order; returns its id."""
        kind = {"orderType": "Market"} if price is None else {"orderType": "Limit", "price": str(price)}
        answer = self.run("order.create", side=side, qty=qty, **kind, **more)
        return str(answer["orderId"])

    def refused(self, op: str, **args: Any) -> int:
        """Run a command that is refused; returns the code."""
        with pytest.raises(RefusedError) as caught:
            self.run(op, **args)
        assert self.ledger.of("command")[-1].data["code"] == caught.value.code
        return caught.value.code

    def status(self, order_id: str) -> str:
        return self.account.orders[order_id].status

    def fills(self) -> list[tuple[str, str, bool]]:
        """Return price, size and maker of each execution."""
        rows = [entry.data for entry in self.ledger.of("execution")]
        return [(row["execPrice"], row["execQty"], row["isMaker"]) for row in rows]

    def position(self, symbol: str = "BTCUSDT") -> int:
        return self.account.positions[symbol].lots
