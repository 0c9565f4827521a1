"""A stand-in of Bybit for rehearsals: V5 over REST and WebSockets, which matches orders against replayed books.

It is an exchange of its own and knows no engine, so that it can judge one.
"""

from fathom.live.standin.auditor import Auditor, AuditRules, Finding
from fathom.live.standin.config import AccountConfig, FaultConfig, StandInConfig
from fathom.live.standin.exchange.ledger import Entry, Ledger
from fathom.live.standin.wire.server import StandIn

__all__ = [
    "AccountConfig",
    "AuditRules",
    "Auditor",
    "Entry",
    "FaultConfig",
    "Finding",
    "Ledger",
    "StandIn",
    "StandInConfig",
]
