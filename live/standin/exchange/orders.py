"""One order of the exchange, and how the REST API and the private stream show it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from fathom.live.standin.market.contracts import Contract
from fathom.settings.times import MS

OPEN: Final = ("New", "PartiallyFilled", "Untriggered")
_NUMBER: Final = "0"


@dataclass(eq=False)
class Order:
    """An order: prices in ticks, quantities in lots, times in ns.

    Parameters
    ----------
    contract : Contract
    uid : int
    order_id, link_id : str
    is_buy : bool
    kind : str
        "Market" or "Limit".
    quantity : int
    price : int, optional
    time_in_force : str
        "GTC", "IOC", "FOK" or "PostOnly".
    reduce_only, close_on_trigger : bool
    trigger_price, trigger_direction, trigger_by
        Of a conditional order; direction 1 rises, 2 falls, 0 for no condition.
    stop_type : str
        "", "Stop", "StopLoss", "TakeProfit", "PartialStopLoss", "PartialTakeProfit" or "TrailingStop".
    guards : dict of str
        `takeProfit`, `stopLoss` and their like, for the position that the order opens.
    created_ns : int
    """

    contract: Contract
    uid: int
    order_id: str
    link_id: str
    is_buy: bool
    kind: str
    quantity: int
    price: int | None
    time_in_force: str
    reduce_only: bool
    created_ns: int
    close_on_trigger: bool = False
    trigger_price: int | None = None
    trigger_direction: int = 0
    trigger_by: str = ""
    stop_type: str = ""
    create_type: str = "CreateByUser"
    guards: dict[str, str] | None = None
    last_on_created: int = 0
    status: str = "New"
    filled: int = 0
    value: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    cancel_type: str = "UNKNOWN"
    reject_reason: str = "EC_NoError"
    updated_ns: int = 0
    ahead: int = 0
    number: int = 0

    @property
    def symbol(self) -> str:
        """The contract's symbol."""
        return self.contract.symbol

    @property
    def left(self) -> int:
        """Lots not yet filled; 0 for a closed order."""
        return self.quantity - self.filled if self.status in OPEN else 0

    @property
    def is_open(self) -> bool:
        """Tell whether the order can still trade."""
        return self.status in OPEN

    def row(self, *, stream: bool) -> dict[str, Any]:
        """Return the order as `/v5/order/realtime` or the private stream shows it."""
        contract, guards = self.contract, self.guards or {}
        price = contract.price_text(self.price) if self.price is not None else _NUMBER
        average = str(self.value / (self.filled * contract.lot)) if self.filled else ("" if stream else _NUMBER)
        row: dict[str, Any] = {
            **{"symbol": self.symbol, "orderId": self.order_id, "orderLinkId": self.link_id, "blockTradeId": ""},
            **{"side": "Buy" if self.is_buy else "Sell", "orderType": self.kind, "price": price},
            **{"qty": contract.size_text(self.quantity), "timeInForce": self.time_in_force, "orderIv": ""},
            **{"orderStatus": self.status, "cancelType": self.cancel_type, "rejectReason": self.reject_reason},
            "lastPriceOnCreated": contract.price_text(self.last_on_created),
            **{"reduceOnly": self.reduce_only, "closeOnTrigger": self.close_on_trigger},
            "leavesQty": contract.size_text(self.left),
            "leavesValue": str(self.left * contract.lot * (self.price or 0) * contract.tick),
            **{"cumExecQty": contract.size_text(self.filled), "cumExecValue": str(self.value), "avgPrice": average},
            **{"cumExecFee": str(self.fee), "positionIdx": 0, "stopOrderType": self.stop_type},
            "triggerPrice": contract.price_text(self.trigger_price) if self.trigger_price is not None else "",
            **{"triggerDirection": self.trigger_direction, "triggerBy": self.trigger_by},
            **{name: guards.get(name, "") for name in ("takeProfit", "stopLoss", "tpTriggerBy", "slTriggerBy")},
            **{name: guards.get(name, "0") for name in ("tpLimitPrice", "slLimitPrice")},
            "tpslMode": guards.get("tpslMode", "Full" if self.stop_type not in ("", "Stop") or guards else ""),
            **{"placeType": "", "smpType": "None", "smpGroup": 0, "smpOrderId": "", "createType": self.create_type},
            **{"createdTime": str(self.created_ns // MS), "updatedTime": str(self.updated_ns // MS)},
            **{"isLeverage": "", "rpiTakerAccess": False, "rpiMatchedQty": "0"},
        }
        if stream:
            return {"category": "linear", **row, "feeCurrency": contract.row["settleCoin"], "closedPnl": "0"}
        return row


@dataclass(frozen=True)
class Fill:
    """One execution.

    Parameters
    ----------
    order : Order
    price, size : int
        Ticks and lots.
    is_maker : bool
    kind : str
        `execType`.
    """

    order: Order
    price: int
    size: int
    is_maker: bool
    kind: str = "Trade"
