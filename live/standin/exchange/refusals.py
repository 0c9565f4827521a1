"""Refusals of the venue: its codes and its words."""

from typing import Final

from fathom.live.errors import LiveError

TEXTS: Final = {
    10001: "params error",
    10002: "invalid request, please check your server timestamp or recv_window param",
    10003: "API key is invalid.",
    10004: "error sign! please check your signature generation algorithm.",
    10005: "Permission denied, please check your API key permissions.",
    10006: "Too many visits. Exceeded the API Rate Limit.",
    10010: "Unmatched IP, please check your API key's bound IP addresses.",
    10016: "Internal System Error.",
    10018: "Exceeded the IP Rate Limit.",
    10404: "op type is not found",
    10429: "System level frequency protection",
    20006: "reqId is duplicated",
    110001: "order not exists or too late to cancel",
    110003: "Order price exceeds the allowable range.",
    110007: "ab not enough for new order",
    110008: "order has been completed or cancelled",
    110009: "the number of stop orders exceeds the maximum allowable limit",
    110010: "order has been cancelled",
    110017: "current position is zero, cannot fix reduce-only order qty",
    110020: "not allowed to have more than 500 active orders",
    110023: "This contract only supports position closing via reduceOnly orders.",
    110043: "leverage not modified",
    110059: "Cannot modify the TP/SL of a partially filled open order",
    110063: "The number of contracts modified cannot be less than or equal to the filled quantity",
    110072: "OrderLinkedID is duplicate",
    110092: "expect Rising, but trigger_price is not above the current price",
    110093: "expect Falling, but trigger_price is not below the current price",
    110094: "Order does not meet minimum order value",
    34040: "not modified",
}


class RefusedError(LiveError):
    """A request that the venue refuses.

    Parameters
    ----------
    code : int
        The venue's `retCode`.
    text : str, optional
        Its words, where they are not the usual ones.

    Examples
    --------
    >>> RefusedError(110072).code, str(RefusedError(10001, "Qty invalid"))
    (110072, 'Qty invalid')
    """

    def __init__(self, code: int, text: str = "") -> None:
        self.code = code
        super().__init__(text or TEXTS.get(code, "refused"))
