"""The auditor: it judges a run from the exchange's ledger alone, knowing nothing of the system that traded."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from fathom.live.standin.exchange.ledger import Entry, Ledger
from fathom.settings.times import MS, SECOND

_OPEN: Final = ("New", "PartiallyFilled", "Untriggered", "Triggered")
_ROUNDING: Final = Decimal("0.0000001")


@dataclass(frozen=True)
class Finding:
    """Something that should not have happened.

    Parameters
    ----------
    rule : str
        "orphan_order", "open_position", "duplicate_order", "position", "wallet", "stop_gap",
        "command_rate" or "not_in_journal".
    uid : int
    text : str
        What was expected, and what was.
    time_ns : int
    """

    rule: str
    uid: int
    text: str
    time_ns: int


@dataclass(frozen=True)
class AuditRules:
    """What the auditor asks for.

    Parameters
    ----------
    round_trip_ms : float
        From a message of the exchange to the command that it led to, and the effect of that command.
    stop_gap_round_trips : float, optional
        A position stands without a stop for at most so many round trips; None to ask for no stop.
    orphan_round_trips : float
        A closing order (reduce-only, conditional) may outlive its position for so many round trips.
    commands_per_sec : int
        Most order commands of an account within any second.
    flat_at_end : bool
        At the end there is no position and no order.
    """

    round_trip_ms: float = 50.0
    stop_gap_round_trips: float | None = 2.0
    orphan_round_trips: float = 2.0
    commands_per_sec: int = 10
    flat_at_end: bool = False


class _Account:
    """The state of one account, rebuilt from the ledger."""

    def __init__(self, wallet: Decimal) -> None:
        self.wallet = wallet
        self.orders: dict[str, dict[str, Any]] = {}
        self.live: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.sizes: dict[str, Decimal] = defaultdict(Decimal)
        self.costs: dict[str, Decimal] = defaultdict(Decimal)
        self.bare_since: dict[str, int] = {}
        self.orphan_since: dict[str, int] = {}
        self.commands: dict[tuple[str, bool], deque[int]] = defaultdict(deque)
        self.links: dict[str, str] = {}
        self.executions: set[str] = set()
        self.symbols: dict[str, None] = {}

    def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Return the open orders of a symbol."""
        return list(self.live[symbol].values())


class Auditor:
    """Reads a ledger once, from the first entry to the last.

    Parameters
    ----------
    balances : mapping of int to str
        USDT of each account at the start.
    rules : AuditRules
    journal : iterable of str, optional
        `orderLinkId` of every order that the system says it sent; None to ask for no journal.

    Examples
    --------
    >>> Auditor({1001: "10000"}, AuditRules()).audit(Ledger(), end_ns=0)
    []
    """

    def __init__(self, balances: Mapping[int, str], rules: AuditRules, journal: Iterable[str] | None = None) -> None:
        self._rules = rules
        self._journal = None if journal is None else set(journal)
        self._accounts = {uid: _Account(Decimal(text)) for uid, text in balances.items()}
        self._findings: list[Finding] = []

    def audit(self, ledger: Ledger | Iterable[Entry], end_ns: int) -> list[Finding]:
        """Return what should not have happened until an end, in order of time."""
        for entry in ledger:
            account = self._accounts.get(entry.uid)
            if account is not None and entry.kind in _STEPS:
                _STEPS[entry.kind](self, account, entry)
                self._watch(account, entry.uid, entry.time_ns)
        for uid, account in self._accounts.items():
            self._watch(account, uid, end_ns, final=True)
        return sorted(self._findings, key=lambda finding: finding.time_ns)

    def _command(self, account: _Account, entry: Entry) -> None:
        if not entry.data["op"].startswith("order."):
            return
        bucket, most = (entry.data["op"], entry.data["batch"]), self._rules.commands_per_sec
        recent = account.commands[bucket]
        while recent and recent[0] <= entry.time_ns - SECOND:
            recent.popleft()
        recent.append(entry.time_ns)
        if len(recent) > most:
            self._find("command_rate", entry, f"Expected at most {most} {bucket[0]} a second, was {len(recent)}.")
            recent.clear()
        if entry.data["code"] == 110072:
            link = entry.data["args"].get("orderLinkId")
            self._find("duplicate_order", entry, f"Expected an order once, was sent again with orderLinkId {link}.")

    def _order(self, account: _Account, entry: Entry) -> None:
        row = entry.data
        known = account.links.setdefault(row["orderLinkId"] or row["orderId"], row["orderId"])
        if known != row["orderId"]:
            self._find("duplicate_order", entry, f"Expected one order for {row['orderLinkId']}, was two.")
        account.orders[row["orderId"]] = row
        account.symbols[row["symbol"]] = None
        if row["orderStatus"] not in _OPEN:
            account.live[row["symbol"]].pop(row["orderId"], None)
        else:
            account.live[row["symbol"]][row["orderId"]] = row
        if (
            self._journal is not None
            and row["createType"] == "CreateByUser"
            and row["orderLinkId"] not in self._journal
        ):
            self._find("not_in_journal", entry, f"Expected order {row['orderLinkId']} in the journal, was none.")
            self._journal.add(row["orderLinkId"])

    def _execution(self, account: _Account, entry: Entry) -> None:
        row = entry.data
        if row["execId"] in account.executions:
            self._find("duplicate_order", entry, f"Expected an execution once, was {row['execId']} again.")
            return
        account.executions.add(row["execId"])
        account.wallet -= Decimal(row["execFee"])
        if row["execType"] == "Funding":
            return
        symbol, price = row["symbol"], Decimal(row["execPrice"])
        account.symbols[symbol] = None
        size = Decimal(row["execQty"]) * (1 if row["side"] == "Buy" else -1)
        held, cost = account.sizes[symbol], account.costs[symbol]
        closed = min(abs(held), abs(size)) if held * size < 0 else Decimal(0)
        if closed:
            entry_price = cost / held
            account.wallet += closed * (price - entry_price) * (1 if held > 0 else -1)
            held += closed if held < 0 else -closed
            cost = entry_price * held
        opened = size + (closed if size < 0 else -closed)
        account.sizes[symbol] = held + opened
        account.costs[symbol] = cost + opened * price

    def _position(self, account: _Account, entry: Entry) -> None:
        row = entry.data
        size = Decimal(row["size"]) * (-1 if row["side"] == "Sell" else 1)
        if size != account.sizes[row["symbol"]]:
            text = f"Expected {row['symbol']} {account.sizes[row['symbol']]} as the sum of fills, was {size}."
            self._find("position", entry, text)

    def _wallet(self, account: _Account, entry: Entry) -> None:
        said = Decimal(entry.data["totalWalletBalance"])
        if abs(said - account.wallet) > _ROUNDING * (1 + len(account.executions)):
            text = f"Expected a wallet of {account.wallet:.6f} (start, profits, fees, funding), was {said}."
            self._find("wallet", entry, text)

    def _watch(self, account: _Account, uid: int, now: int, *, final: bool = False) -> None:
        trip = self._rules.round_trip_ms * MS
        for symbol in account.symbols:
            size, orders = account.sizes[symbol], account.open_orders(symbol)
            closing = [row for row in orders if row["reduceOnly"] or row["stopOrderType"]]
            if self._rules.stop_gap_round_trips is not None:
                bare = size != 0 and not any(_stops(row, size) for row in closing)
                allowed = self._rules.stop_gap_round_trips * trip
                self._time(
                    account.bare_since, symbol, bare, now, allowed, uid, "stop_gap", "a stop for the position in"
                )
            orphan = size == 0 and bool(closing) and len(closing) == len(orders)
            allowed = self._rules.orphan_round_trips * trip
            self._time(account.orphan_since, symbol, orphan, now, allowed, uid, "orphan_order", "no closing order of")
            if final and self._rules.flat_at_end and size:
                self._findings.append(Finding("open_position", uid, f"Expected no {symbol}, was {size}.", now))
        if final and self._rules.flat_at_end:
            for row in account.orders.values():
                if row["orderStatus"] in _OPEN:
                    text = f"Expected no order, was {row['orderId']} ({row['orderStatus']})."
                    self._findings.append(Finding("orphan_order", uid, text, now))

    def _time(
        self, since: dict[str, int], symbol: str, bad: bool, now: int, allowed: float, uid: int, rule: str, what: str
    ) -> None:
        # A bad state counts where it lasted longer than allowed; then it counts once.
        began = since.get(symbol)
        if began is not None and began >= 0 and now - began > allowed:
            text = f"Expected {what} {symbol} within {allowed / MS:.0f} ms, was {(now - began) / MS:.0f} ms or longer."
            self._findings.append(Finding(rule, uid, text, began))
            since[symbol] = -1
        if not bad:
            since.pop(symbol, None)
        elif symbol not in since:
            since[symbol] = now

    def _find(self, rule: str, entry: Entry, text: str) -> None:
        self._findings.append(Finding(rule, entry.uid, text, entry.time_ns))


def _stops(row: dict[str, Any], size: Decimal) -> bool:
    # A conditional order that closes the whole position at a loss-side trigger; a venue's stop-loss does too.
    side = "Sell" if size > 0 else "Buy"
    falls = 2 if size > 0 else 1
    whole = Decimal(row["qty"]) >= abs(size)
    return row["side"] == side and row["triggerDirection"] == falls and whole and row["orderStatus"] == "Untriggered"


_STEPS: Final = {
    "command": Auditor._command,
    "order": Auditor._order,
    "execution": Auditor._execution,
    "position": Auditor._position,
    "wallet": Auditor._wallet,
}
