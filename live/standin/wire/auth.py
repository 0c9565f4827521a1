"""Signatures, timestamps and windows of requests, judged as the venue judges them."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from fathom.live.standin.clock import Clock
from fathom.live.standin.exchange.account import Account
from fathom.live.standin.exchange.refusals import RefusedError

_AHEAD_MS: Final = 1000
_WINDOW_MS: Final = "5000"


def signature(secret: str, text: str) -> str:
    """Return the HMAC-SHA256 of a text in hex.

    Examples
    --------
    >>> signature("secret", "GET/realtime1")[:12]
    'c1a6629018c1'
    """
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Gatekeeper:
    """Knows the keys of all accounts.

    Parameters
    ----------
    accounts : mapping of uid to Account
    clock : Clock
    """

    def __init__(self, accounts: Mapping[int, Account], clock: Clock) -> None:
        self._accounts = {account.config.key: account for account in accounts.values()}
        self._clock = clock

    def rest(self, headers: Mapping[str, str], payload: str) -> Account:
        """Return the account that signed a REST call over its query string or body; raises `RefusedError`."""
        key, stamp = headers.get("X-BAPI-API-KEY", ""), headers.get("X-BAPI-TIMESTAMP", "")
        window = headers.get("X-BAPI-RECV-WINDOW", "")
        account = self._account(key)
        self.check_time(stamp, window)
        self._compare(account, f"{stamp}{key}{window}{payload}", headers.get("X-BAPI-SIGN", ""))
        return account

    def socket(self, args: Any) -> Account:
        """Return the account of `{"op": "auth", "args": [key, expires, signature]}`; raises `RefusedError`."""
        try:
            key, expires, sign = args
            late = int(float(expires)) <= self._clock.server_ms()
        except (ValueError, TypeError) as error:
            raise RefusedError(10001, "Params Error") from error
        account = self._account(str(key))
        if late:
            raise RefusedError(10004, "Request expired, please check your expires param")
        self._compare(account, f"GET/realtime{expires}", str(sign))
        return account

    def check_time(self, stamp: str, window: str) -> None:
        """Refuse a timestamp outside of the window around the server's time."""
        now = self._clock.server_ms()
        try:
            fits = now - int(window or _WINDOW_MS) <= int(stamp) < now + _AHEAD_MS
        except ValueError as error:
            raise RefusedError(10001, "Invalid timestamp or recv_window") from error
        if not fits:
            text = f"req_timestamp[{stamp}],server_timestamp[{now}],recv_window[{window or _WINDOW_MS}]"
            raise RefusedError(
                10002, f"invalid request, please check your server timestamp or recv_window param. {text}"
            )

    def _account(self, key: str) -> Account:
        account = self._accounts.get(key)
        if account is None:
            raise RefusedError(10003)
        return account

    def _compare(self, account: Account, text: str, given: str) -> None:
        if not hmac.compare_digest(signature(account.config.secret, text), given.lower()):
            raise RefusedError(10004)
