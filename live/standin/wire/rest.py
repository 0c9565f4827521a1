"""The REST calls of the venue that a trading system makes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fathom.live.errors import LiveError
from fathom.live.standin.exchange.account import Account
from fathom.live.standin.exchange.exchange import ORDER_OPS, is_chosen
from fathom.live.standin.exchange.orders import Order
from fathom.live.standin.exchange.refusals import RefusedError
from fathom.live.standin.market.candles import INTERVALS
from fathom.live.standin.market.symbol import Symbol
from fathom.live.standin.wire.hub import Hub
from fathom.live.standin.wire.sockets import BATCH_LIMIT
from fathom.settings.times import MS

type Args = Mapping[str, Any]

OPS: Final = {
    **{f"/v5/order/{op.partition('.')[2]}": op for op in (*ORDER_OPS, "order.cancel-all")},
    "/v5/position/trading-stop": "position.trading-stop",
    "/v5/position/set-leverage": "position.set-leverage",
}
BATCHES: Final = {f"/v5/order/{op.partition('.')[2]}-batch": op for op in ORDER_OPS}


class UnknownPathError(LiveError):
    """No call of this method and path exists here."""


@dataclass
class Answer:
    """What a call returns: `result`, `retExtInfo`, and how many calls are left."""

    result: dict[str, Any]
    extra: dict[str, Any]
    left: int | None = None


class Rest:
    """Answers REST calls.

    Parameters
    ----------
    hub : Hub
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.public: dict[str, Callable[[Args], dict[str, Any]]] = {
            "/v5/market/time": self._time,
            "/v5/market/instruments-info": self._instruments,
            "/v5/market/tickers": self._tickers,
            "/v5/market/orderbook": self._orderbook,
            "/v5/market/recent-trade": self._trades,
            "/v5/market/kline": self._klines,
            "/v5/market/price-limit": self._price_limit,
            "/v5/market/funding/history": lambda args: {"category": args.get("category", "linear"), "list": []},
        }
        self.private: dict[str, Callable[[Account, Args], dict[str, Any]]] = {
            "/v5/account/wallet-balance": lambda account, args: {"list": [account.wallet_row()]},
            "/v5/account/info": self._info,
            "/v5/account/fee-rate": self._fees,
            "/v5/account/query-dcp-info": self._dcp_info,
            "/v5/order/realtime": self._open_orders,
            "/v5/order/history": self._order_history,
            "/v5/order/disconnected-cancel-all": self._set_dcp,
            "/v5/execution/list": self._executions,
            "/v5/position/list": self._positions,
            "/v5/position/closed-pnl": lambda account, args: _page([], args),
            "/v5/position/switch-mode": self._switch_mode,
            "/v5/account/set-margin-mode": self._set_margin_mode,
            "/v5/user/query-api": self._key,
            "/v5/asset/coin/query-info": lambda account, args: {"rows": []},
        }

    def call(self, method: str, path: str, args: Args, account: Account | None) -> Answer:
        """Return the answer to a call; raises `RefusedError` or `UnknownPathError`."""
        if path in self.public and method == "GET":
            return Answer(self.public[path](args), {})
        if account is None:
            raise RefusedError(10003)
        writes = path in OPS or path in BATCHES or path in _SETTERS
        if writes != (method == "POST") or not (writes or path in self.private):
            raise UnknownPathError(path)
        if writes and account.config.read_only:
            raise RefusedError(10005)
        if path in BATCHES:
            return self._batch(account, path, args)
        if path in OPS:
            left = self._hub.admit(account, OPS[path], args)
            return Answer(self._hub.exchange.run(account, OPS[path], args), {}, left)
        left = self._hub.limits.use(account.uid, path)
        return Answer(self.private[path](account, args), {}, left)

    def _batch(self, account: Account, path: str, args: Args) -> Answer:
        requests = args.get("request") or []
        if not 0 < len(requests) <= BATCH_LIMIT or args.get("category") != "linear":
            raise RefusedError(10001)
        left = self._hub.admit(account, f"{BATCHES[path]}-batch", args, len(requests))
        result = self._hub.exchange.batch(account, BATCHES[path], requests)
        return Answer({"list": result["list"]}, {"list": result["codes"]}, left)

    def _time(self, args: Args) -> dict[str, Any]:
        now = self._hub.clock.server_ms()
        return {"timeSecond": str(now // 1000), "timeNano": str(now * MS)}

    def _instruments(self, args: Args) -> dict[str, Any]:
        rows = [symbol.contract.row for symbol in self._chosen(args)]
        return {"category": args.get("category", "linear"), **_page(rows, args, 500)}

    def _tickers(self, args: Args) -> dict[str, Any]:
        extra = {"predictedDeliveryPrice": "", "basisRate": "", "deliveryFeeRate": "", "deliveryTime": "0", "basis": ""}
        rows = [symbol.ticker() | extra for symbol in self._chosen(args)]
        return {"category": args.get("category", "linear"), "list": rows}

    def _orderbook(self, args: Args) -> dict[str, Any]:
        return self._symbol(args).book_answer(_number(args, "limit", 25, 1000), self._hub.time)

    def _trades(self, args: Args) -> dict[str, Any]:
        rows = [
            {
                **{"execId": row["i"], "symbol": row["s"], "price": row["p"], "size": row["v"], "side": row["S"]},
                **{"time": str(row["T"]), "isBlockTrade": row["BT"], "isRPITrade": row["RPI"], "seq": str(row["seq"])},
            }
            for row in reversed(self._symbol(args).recent)
        ]
        rows = rows[: _number(args, "limit", 500, 1000)]
        return {"category": "linear", "list": rows}

    def _price_limit(self, args: Args) -> dict[str, Any]:
        return {**self._symbol(args).price_limits(), "ts": str(self._hub.time // MS)}

    def _klines(self, args: Args) -> dict[str, Any]:
        symbol, interval = self._symbol(args), str(args.get("interval"))
        if interval not in INTERVALS:
            raise RefusedError(10001, "Invalid period!")
        first, last = int(args.get("start") or 0), int(args.get("end") or 2**62)
        rows = [row for row in symbol.candles.rows(interval, 10**9) if first <= int(row[0]) <= last]
        rows = rows[: _number(args, "limit", 200, 1000)]
        return {"category": "linear", "symbol": symbol.contract.symbol, "list": rows}

    def _info(self, account: Account, args: Args) -> dict[str, Any]:
        return {
            **{"marginMode": "REGULAR_MARGIN", "updatedTime": "1697078946000", "unifiedMarginStatus": 5},
            **{"dcpStatus": "ON" if account.dcp_window else "OFF", "timeWindow": account.dcp_window or 10},
            **{"smpGroup": 0, "isMasterTrader": False, "spotHedgingStatus": "OFF"},
        }

    def _fees(self, account: Account, args: Args) -> dict[str, Any]:
        contracts = [symbol.contract for symbol in self._chosen(args)]
        return {
            "list": [
                {
                    **{"symbol": contract.symbol, "baseCoin": ""},
                    **{"takerFeeRate": str(contract.taker_fee), "makerFeeRate": str(contract.maker_fee)},
                }
                for contract in contracts
            ]
        }

    def _dcp_info(self, account: Account, args: Args) -> dict[str, Any]:
        if not account.config.dcp:
            return {"dcpInfos": []}
        status, window = ("ON", account.dcp_window) if account.dcp_window else ("OFF", 10)
        return {"dcpInfos": [{"product": "DERIVATIVES", "dcpStatus": status, "timeWindow": str(window)}]}

    def _set_dcp(self, account: Account, args: Args) -> dict[str, Any]:
        window = int(args.get("timeWindow") or 0)
        if not account.config.dcp:
            raise RefusedError(10005)
        if not 3 <= window <= 300:
            raise RefusedError(10001, "timeWindow invalid")
        if args.get("product", "OPTIONS") == "DERIVATIVES":
            account.dcp_window = window
        return {}

    def _open_orders(self, account: Account, args: Args) -> dict[str, Any]:
        _need(args, "symbol", "baseCoin", "settleCoin", "orderId", "orderLinkId")
        named = args.get("orderId") or args.get("orderLinkId")
        closed = named or str(args.get("openOnly")) == "1"
        orders = list(account.orders.values())[::-1]
        return self._rows([order for order in orders if closed or order.is_open], args)

    def _order_history(self, account: Account, args: Args) -> dict[str, Any]:
        orders = [order for order in list(account.orders.values())[::-1] if not order.is_open]
        first, last = int(args.get("startTime") or 0), int(args.get("endTime") or 2**62)
        return self._rows([order for order in orders if first <= order.created_ns // MS <= last], args)

    def _rows(self, orders: Sequence[Order], args: Args) -> dict[str, Any]:
        status = args.get("orderStatus")
        chosen = [order for order in orders if is_chosen(order, args) and status in (None, "", order.status)]
        linear = args.get("category") == "linear"
        rows = [order.row(stream=False) for order in chosen] if linear else []
        return {"category": args.get("category"), **_page(rows, args, 20, 50)}

    def _executions(self, account: Account, args: Args) -> dict[str, Any]:
        names = ("symbol", "orderId", "orderLinkId", "execType")
        first, last = int(args.get("startTime") or 0), int(args.get("endTime") or 2**62)
        symbols = {symbol.contract.symbol for symbol in self._chosen({**args, "symbol": ""})}
        rows = [
            row
            for row in self._hub.exchange.executions[account.uid][::-1]
            if first <= int(row["execTime"]) <= last
            and row["symbol"] in symbols
            and all(args.get(name) in (None, "", row[name]) for name in names)
        ]
        return {"category": args.get("category"), **_page(rows, args, 50, 100)}

    def _positions(self, account: Account, args: Args) -> dict[str, Any]:
        _need(args, "symbol", "settleCoin")
        chosen = [symbol.contract.symbol for symbol in self._chosen(args)]
        positions = [account.positions[name] for name in chosen]
        if not args.get("symbol"):
            positions = [position for position in positions if position.lots]
        rows = [position.row(position.symbol.sequence, stream=False) for position in positions]
        return {"category": args.get("category"), **_page(rows, args, 20, 200)}

    def _switch_mode(self, account: Account, args: Args) -> dict[str, Any]:
        if int(args.get("mode", -1)) != 0:
            raise RefusedError(10001, "Expected mode 0 (one-way): the stand-in has no hedge mode")
        raise RefusedError(110025, "Position mode is not modified")

    def _set_margin_mode(self, account: Account, args: Args) -> dict[str, Any]:
        if args.get("setMarginMode") != "REGULAR_MARGIN":
            raise RefusedError(10001, "Expected REGULAR_MARGIN: the stand-in has no other margin mode")
        return {"reasons": []}

    def _key(self, account: Account, args: Args) -> dict[str, Any]:
        config = account.config
        permissions: dict[str, list[str]] = {name: [] for name in _PERMISSIONS}
        permissions["ContractTrade"] = ["Order", "Position"]
        permissions["Derivatives"] = ["DerivativesTrade"]
        return {
            **{"id": str(config.uid), "note": "rehearsal", "apiKey": config.key, "readOnly": int(config.read_only)},
            **{"secret": "", "permissions": permissions, "ips": config.ips, "type": 1, "deadlineDay": 90},
            **{"expiredAt": "2099-01-01T00:00:00Z", "createdAt": "2024-01-01T00:00:00Z", "unified": 0, "uta": 1},
            **{"userID": config.uid, "inviterID": 0, "vipLevel": "No VIP", "mktMakerLevel": "0", "affiliateID": 0},
            **{"rsaPublicKey": "", "isMaster": True, "parentUid": "0", "kycLevel": "LEVEL_1", "kycRegion": ""},
            **{"userIDInt64": str(config.uid), "inviterIDInt64": "0", "affiliateIDInt64": "0"},
        }

    def _chosen(self, args: Args) -> list[Symbol]:
        if args.get("category", "linear") != "linear":
            return []
        if args.get("symbol"):
            return [self._symbol(args)]
        wanted = {"baseCoin": args.get("baseCoin"), "settleCoin": args.get("settleCoin")}
        return [
            symbol
            for symbol in self._hub.symbols.values()
            if all(value in (None, "", symbol.contract.row[name]) for name, value in wanted.items())
        ]

    def _symbol(self, args: Args) -> Symbol:
        symbol = self._hub.symbols.get(str(args.get("symbol")))
        if symbol is None or args.get("category", "linear") != "linear":
            raise RefusedError(10001, "params error: symbol invalid")
        return symbol


_PERMISSIONS: Final = (
    *("ContractTrade", "Spot", "Wallet", "Options", "Derivatives", "CopyTrading", "BlockTrade", "Exchange", "NFT"),
    *("Affiliate", "Earn", "FiatP2P", "FiatBybitPay", "FiatConvertBroker", "FiatGlobalPay", "FiatBitPay", "BitCard"),
    "ByXPost",
)
_SETTERS: Final = ("/v5/order/disconnected-cancel-all", "/v5/position/switch-mode", "/v5/account/set-margin-mode")


def _need(args: Args, *names: str) -> None:
    if args.get("category") == "linear" and not any(args.get(name) for name in names):
        raise RefusedError(10001, f"Missing some parameters that must be filled in: {', '.join(names)}")


def _number(args: Args, name: str, default: int, most: int) -> int:
    try:
        return max(1, min(most, int(args.get(name) or default)))
    except ValueError as error:
        raise RefusedError(10001, f"{name} invalid") from error


def _page(rows: Sequence[Any], args: Args, default: int = 50, most: int = 1000) -> dict[str, Any]:
    limit, first = _number(args, "limit", default, most), int(args.get("cursor") or 0)
    more = first + limit < len(rows)
    return {"list": list(rows[first : first + limit]), "nextPageCursor": str(first + limit) if more else ""}
