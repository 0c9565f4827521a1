"""A rehearsal: the live node trades a system on the stand-in exchange, and the exchange's auditor judges it."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from fathom.live.errors import LiveError
from fathom.live.node.build import build
from fathom.live.node.warm_up import warm_up
from fathom.live.setup.rehearsal_config import Plan, Rehearsal
from fathom.live.standin import AccountConfig, StandIn, StandInConfig
from fathom.settings import escapes
from fathom.strategies.system import LeavesNotes
from fathom.strategies.trading.policy_strategy import PolicyStrategy

type Tick = Callable[[float], None]
"""Called once a second with the seconds since the node began to run."""

_STEP_SECS: Final = 0.25
_KEPT: Final = ("INITIALIZED", "DENIED")


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One order of the node's own journal: what a strategy asked for, and how it ended."""

    ts_init: int
    order_id: str
    instrument: str
    strategy: str
    side: str
    type: str
    reduce_only: bool
    quantity: str
    filled: str
    status: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal left.

    Attributes
    ----------
    name, digest : str
    instruments : list of str
    secs, warm_up_secs : float
        How long the node ran, and how long it warmed up before.
    events : int
        Recorded messages that the exchange replayed meanwhile.
    commands, refused : dict
        Order commands at the exchange by operation, and refused ones by code.
    executions : int
    fees, net : str
        USDT: paid, and what the account gained with them.
    signals : dict
        Signals of our strategies, by what became of each: why it was not traded, or the last stage that it reached.
    equity : list of (int, str)
        Time in ns and wallet balance, from the start, after each change.
    orders : list of Sent
        In order of time.
    findings : list of str
        Of the auditor; empty where nothing happened that should not.
    errors : list of str
        Exceptions that left a strategy or an actor.
    notes : list of str
        What strategies and actors want a reader to know.
    """

    name: str
    digest: str
    instruments: list[str]
    secs: float
    warm_up_secs: float
    events: int
    commands: dict[str, int]
    refused: dict[str, int]
    executions: int
    fees: str
    net: str
    signals: dict[str, int]
    equity: list[tuple[int, str]]
    orders: list[Sent]
    findings: list[str]
    errors: list[str]
    notes: list[str]

    @property
    def clean(self) -> bool:
        """Whether the auditor found nothing, and no component failed."""
        return not self.findings and not self.errors

    @property
    def sent(self) -> int:
        """How many orders left the node; the engine denied the others."""
        return sum(order.status not in _KEPT for order in self.orders)


def rehearse(
    rehearsal: Rehearsal, plan: Plan, *, trade: bool = True, tick: Tick | None = None, log_level: str = "ERROR"
) -> Outcome:
    """Let the live node trade, or only watch, for as long as the rehearsal lasts.

    The exchange serves this machine alone. The recording begins when the node has subscribed to its books, and the node
    closes its positions when it stops.

    Raises
    ------
    LiveError
        The catalog has no recording of an instrument, or the node ended before its time.
    """
    exchange = rehearsal.exchange
    if not (Path(exchange.catalog) / "data").is_dir():
        raise LiveError(
            f"Expected a catalog to replay, was {exchange.catalog}. `fathom data import` or `fathom data simulate` "
            "makes one; exchange.catalog names it."
        )
    account = AccountConfig(balance=exchange.balance)
    config = StandInConfig(
        catalog=exchange.catalog,
        symbols=[name.partition("-")[0] for name in plan.system.data.instruments],
        speed=exchange.speed,
        skip_secs=exchange.skip_secs,
        start_on_connect=True,
        maker_fee=exchange.maker_fee,
        taker_fee=exchange.taker_fee,
        latency_ms=exchange.latency_ms,
        accounts=[account],
        faults=exchange.faults,
    )
    with StandIn(config) as stand_in:
        fee = float(exchange.taker_fee)
        keys = (account.key, account.secret)
        built = build(plan, stand_in.urls, *keys, taker_fee=fee, trade=trade, log_level=log_level)
        try:
            warmed = warm_up(plan.components, built.strategies)
            secs, errors = _run(built.node, rehearsal, tick)
            orders = sorted((_sent(order) for order in built.node.cache.orders()), key=lambda order: order.ts_init)
            findings = stand_in.audit(journal=[order.order_id for order in orders])
        finally:
            built.node.dispose()
        parts = [part for part in (*built.actors, *built.strategies) if isinstance(part, LeavesNotes)]
        return Outcome(
            name=rehearsal.name,
            digest=plan.digest,
            instruments=plan.system.data.instruments,
            secs=secs,
            warm_up_secs=warmed,
            events=stand_in.events,
            **_exchange_figures(stand_in, account),
            signals=_signals(built.strategies),
            orders=orders,
            findings=[f"{found.rule}: {found.text}" for found in findings],
            errors=errors,
            notes=[note for part in parts for note in part.notes()],
        )


def _run(node: Any, rehearsal: Rehearsal, tick: Tick | None) -> tuple[float, list[str]]:
    handle, done = node.handle(), threading.Event()
    clock, escaped = _Stopwatch(), list[escapes.Escape]()

    def watch() -> None:
        while not done.wait(_STEP_SECS):
            if handle.is_running and not clock.began:
                clock.start()
            if tick is not None:
                tick(clock.secs)
            if clock.secs >= rehearsal.duration_secs or len(escaped) >= rehearsal.max_errors:
                handle.stop()
                return

    watcher = threading.Thread(target=watch, name="rehearsal", daemon=True)
    watcher.start()
    try:
        escapes.call_into(escaped, node.run)
    finally:
        done.set()
        watcher.join()
    for escape in escaped:
        if isinstance(escape.error, KeyboardInterrupt):
            raise LiveError(f"Stopped after {clock.secs:.0f} s of the rehearsal.") from escape.error
    if not clock.began:
        raise LiveError("Expected a node that runs, was one that ended at once: `--log-level info` shows why.")
    return clock.secs, [f"{escape.handler}: {escape.error!r}" for escape in escaped]


class _Stopwatch:
    def __init__(self) -> None:
        self.began = 0.0

    def start(self) -> None:
        self.began = time.monotonic()

    @property
    def secs(self) -> float:
        return time.monotonic() - self.began if self.began else 0.0


def _sent(order: Any) -> Sent:
    return Sent(
        ts_init=order.ts_init,
        order_id=str(order.client_order_id),
        instrument=str(order.instrument_id),
        strategy=str(order.strategy_id),
        side=order.side.name,
        type=order.order_type.name,
        reduce_only=bool(order.is_reduce_only),
        quantity=str(order.quantity),
        filled=str(order.filled_qty),
        status=order.status.name,
    )


def _signals(strategies: list[Any]) -> dict[str, int]:
    tables = [each.desk.journal.table() for each in strategies if isinstance(each, PolicyStrategy)]
    rows = [row for table in tables for row in table.select(["stage", "reason"]).to_pylist()]
    return dict(Counter(row["reason"] or row["stage"] for row in rows))


def _exchange_figures(stand_in: StandIn, account: AccountConfig) -> dict[str, Any]:
    ledger = stand_in.ledger
    commands = ledger.of("command", uid=account.uid)
    executions = ledger.of("execution", uid=account.uid)
    start = Decimal(account.balance)
    equity = [(entry.time_ns, _balance(entry.data)) for entry in ledger.of("wallet", uid=account.uid)]
    first_ns = ledger[0].time_ns if len(ledger) else 0
    return {
        "commands": dict(Counter(entry.data["op"] for entry in commands)),
        "refused": dict(Counter(f"{e.data['code']} {e.data['text']}" for e in commands if e.data["code"])),
        "executions": len(executions),
        "fees": str(sum((Decimal(str(entry.data["execFee"])) for entry in executions), Decimal(0))),
        "net": str(Decimal(equity[-1][1]) - start if equity else Decimal(0)),
        "equity": [(first_ns, account.balance), *equity],
    }


def _balance(data: dict[str, Any]) -> str:
    return str(data["coin"][0]["walletBalance"])
