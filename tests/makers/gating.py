"""Signals, circumstances and gates for the tests of the risk gate."""

from typing import Any

import msgspec

from fathom.data_catalog.messages.signals import Side, Signal
from fathom.strategies.risk.book import RiskBook
from fathom.strategies.risk.config import Limits, RiskConfig
from fathom.strategies.risk.gate import Approved, Circumstances, Refused, RiskGate, Sizing

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
BTC, ETH = "BTC.X", "ETH.X"


def signal_of(side: Side = "BUY", *, instrument: str = BTC, **changes: Any) -> Signal:
    """Return a signal at 100 with the stop 2 away and the target 4 away."""
    sign = 1.0 if side == "BUY" else -1.0
    signal = Signal(
        instrument_id=instrument,
        side=side,
        strength=0.5,
        entry=100.0,
        stop=100.0 - 2.0 * sign,
        target=100.0 + 4.0 * sign,
        horizon_secs=0.0,
        ts_init=0,
        source="test",
        signal_id="T-1",
    )
    return msgspec.structs.replace(signal, **changes)


def now_of(ts: int = 0, balance: float = 10_000.0, **changes: Any) -> Circumstances:
    """Return circumstances with lots of 0.1 and a spread of 1 bps."""
    return Circumstances(ts=ts, balance=balance, lot=0.1, spread_bps=1.0)._replace(**changes)


def gate_of(
    book: RiskBook | None = None,
    *,
    strategy: str = "A",
    instrument: str = BTC,
    limits: Limits | None = None,
    **sizing: Any,
) -> RiskGate:
    """Return a gate to a book of the default limits."""
    book = book if book is not None else RiskBook(RiskConfig())
    return RiskGate(limits or Limits(), Sizing(**sizing), strategy, instrument, book)


def answer_of(gate: RiskGate, **changes: Any) -> str:
    """Return `yes`, or the reason of the refusal, of a signal to buy at a balance of 10,000."""
    answer = gate.review(signal_of(instrument=gate.instrument_id), 1.0, now_of(**changes))
    return answer.reason if isinstance(answer, Refused) else "yes"


def enter(gate: RiskGate, *, side: Side = "BUY", ts: int = 0, balance: float = 10_000.0, filled: float = 1.0) -> float:
    """Enter at 100, fill a part of it, and return the filled size."""
    answer = gate.review(signal_of(side, instrument=gate.instrument_id), 1.0, now_of(ts, balance))
    assert isinstance(answer, Approved), answer
    gate.redeem(answer)
    held = answer.quantity * filled
    sign = 1 if side == "BUY" else -1
    if held:
        gate.book.hold(gate.strategy_id, gate.instrument_id, sign, held, 100.0)
    if filled == 1.0:
        gate.book.end_entry(gate.strategy_id)
    return held
