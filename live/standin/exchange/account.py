"""One unified account: wallet, positions, margin, and how the venue shows them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from fathom.live.standin.config import AccountConfig
from fathom.live.standin.exchange.orders import Order
from fathom.live.standin.market.symbol import Symbol
from fathom.settings.times import MS

_CENT: Final = Decimal("0.00000001")
_MAINTENANCE: Final = Decimal("0.005")


def money(amount: Decimal) -> Decimal:
    """Round an amount as the venue books it, to 8 decimals."""
    return amount.quantize(_CENT, ROUND_HALF_EVEN)


@dataclass
class Position:
    """A one-way position: lots signed, entry price as a number, realised profits with fees taken off."""

    symbol: Symbol
    leverage: Decimal
    lots: int = 0
    entry: Decimal = Decimal(0)
    realised: Decimal = Decimal(0)
    realised_now: Decimal = Decimal(0)
    created_ns: int = 0
    updated_ns: int = 0
    guards: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> Decimal:
        """Size in coins, signed."""
        return self.lots * self.symbol.contract.lot

    @property
    def mark(self) -> Decimal:
        """Mark price."""
        return (self.symbol.mark or 0) * self.symbol.contract.tick

    @property
    def unrealised(self) -> Decimal:
        """Profit that closing at the mark price would bring."""
        return self.size * (self.mark - self.entry)

    @property
    def margin(self) -> Decimal:
        """Initial margin."""
        return abs(self.size) * self.mark / self.leverage

    def fill(self, lots: int, price: Decimal) -> tuple[Decimal, int]:
        """Add a fill of signed lots at a price; returns the profit and the lots that were closed."""
        before, lot = self.lots, self.symbol.contract.lot
        closed = min(abs(before), abs(lots)) if before * lots < 0 else 0
        profit = closed * lot * (price - self.entry) * (1 if before > 0 else -1)
        self.lots += lots
        if closed < abs(lots):  # opened or turned
            kept = 0 if closed else before
            self.entry = (abs(kept) * self.entry + (abs(lots) - closed) * price) / abs(self.lots)
        elif self.lots == 0:
            self.entry = Decimal(0)
        return profit, closed

    def row(self, sequence: int, *, stream: bool) -> dict[str, Any]:
        """Return the position as `/v5/position/list` or the private stream shows it."""
        value, margin = abs(self.size) * self.entry, money(self.margin)
        side = "Buy" if self.lots > 0 else "Sell" if self.lots < 0 else ""
        maintenance = str(money(abs(self.size) * self.mark * _MAINTENANCE))
        row: dict[str, Any] = {
            **{"positionIdx": 0, "tradeMode": 0, "riskId": 1, "riskLimitValue": "2000000"},
            **{"symbol": self.symbol.contract.symbol, "side": side, "size": str(abs(self.size)) if self.lots else "0"},
            "entryPrice" if stream else "avgPrice": str(self.entry),
            **{"leverage": str(self.leverage), "positionValue": str(value), "positionBalance": "0"},
            **{"markPrice": str(self.mark), "positionIM": str(margin), "positionMM": maintenance},
            **{"positionIMByMp": str(margin), "positionMMByMp": maintenance},
            **{name: self.guards.get(name, "0") for name in ("takeProfit", "stopLoss", "trailingStop")},
            **{"unrealisedPnl": str(money(self.unrealised)), "cumRealisedPnl": str(self.realised)},
            **{"curRealisedPnl": str(self.realised_now), "sessionAvgPrice": ""},
            **{"createdTime": str(self.created_ns // MS), "updatedTime": str(self.updated_ns // MS)},
            **{"tpslMode": "Full", "liqPrice": "", "bustPrice": "", "positionStatus": "Normal"},
            **{"adlRankIndicator": 2 if self.lots else 0, "autoAddMargin": 0},
            **{"leverageSysUpdatedTime": "", "mmrSysUpdatedTime": "", "seq": sequence, "isReduceOnly": False},
            "openTime": self.created_ns // MS,
        }
        return {**row, "category": "linear"} if stream else row


class Account:
    """An account of the exchange.

    Parameters
    ----------
    config : AccountConfig
    symbols : iterable of Symbol
    leverage : int
    """

    def __init__(self, config: AccountConfig, symbols: Iterable[Symbol], leverage: int) -> None:
        self.config, self.uid = config, config.uid
        self.wallet = Decimal(config.balance)
        self.realised = Decimal(0)
        self.positions = {each.contract.symbol: Position(each, Decimal(leverage)) for each in symbols}
        self.orders: dict[str, Order] = {}  # all, by order id
        self.by_link: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        self.dcp_window: int | None = None

    @property
    def equity(self) -> Decimal:
        """Wallet and open profits."""
        return self.wallet + sum(position.unrealised for position in self.positions.values())

    @property
    def order_margin(self) -> Decimal:
        """Initial margin that open orders hold; a conditional order holds none."""
        return sum((self._margin_of(order) for order in self.open.values()), Decimal(0))

    @property
    def available(self) -> Decimal:
        """What new orders may use."""
        return self.equity - self._position_margin - self.order_margin

    def needed(self, order: Order, price: int) -> Decimal:
        """Return the initial margin and the fees of opening and closing that an order needs at a price."""
        position, contract = self.positions[order.symbol], order.contract
        against = -position.lots if order.is_buy else position.lots
        opening = max(0, order.quantity - order.filled - max(0, against))
        value = opening * contract.lot * price * contract.tick
        return value / position.leverage + 2 * value * contract.taker_fee

    def wallet_row(self) -> dict[str, Any]:
        """Return the account as `/v5/account/wallet-balance` and the private stream show it."""
        equity, held, orders = money(self.equity), money(self._position_margin), money(self.order_margin)
        wallet, unrealised = str(money(self.wallet)), str(money(self.equity - self.wallet))
        free = str(max(Decimal(0), money(self.available)))
        exposed = sum((abs(each.size) * each.mark for each in self.positions.values()), Decimal(0))
        maintenance = str(money(exposed * _MAINTENANCE))
        coin: dict[str, Any] = {
            **{"coin": "USDT", "equity": str(equity), "usdValue": str(equity), "walletBalance": wallet},
            **{"availableToWithdraw": free, "availableToBorrow": "", "borrowAmount": "0", "accruedInterest": "0"},
            **{"totalOrderIM": str(orders), "totalPositionIM": str(held), "totalPositionMM": maintenance},
            **{"unrealisedPnl": unrealised, "cumRealisedPnl": str(self.realised), "bonus": "0", "locked": "0"},
            **{"collateralSwitch": True, "marginCollateral": True, "spotBorrow": "0", "spotHedgingQty": "0"},
        }
        rates = {"accountIMRate": "0", "accountMMRate": "0", "accountLTV": "0", "accountType": "UNIFIED"}
        totals = {
            **{"totalEquity": str(equity), "totalWalletBalance": wallet, "totalMarginBalance": str(equity)},
            **{"totalAvailableBalance": free, "totalPerpUPL": unrealised},
            **{"totalInitialMargin": str(held + orders), "totalMaintenanceMargin": maintenance},
        }
        return {**rates, **totals, "coin": [coin]}

    @property
    def _position_margin(self) -> Decimal:
        return sum((position.margin for position in self.positions.values()), Decimal(0))

    def _margin_of(self, order: Order) -> Decimal:
        if order.reduce_only or order.status == "Untriggered" or order.price is None:
            return Decimal(0)
        return self.needed(order, order.price)
