"""The engine's half of a strategy, `PolicyStrategy`, and the parts it owns: orders, bracket, risk seat, signal desk."""

from fathom.strategies.trading.bracket import Bracket
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.desk import SignalDesk
from fathom.strategies.trading.journal import Journal
from fathom.strategies.trading.member import Member
from fathom.strategies.trading.policy_strategy import PolicyStrategy, PolicyStrategyConfig

__all__ = [
    "Bracket",
    "Journal",
    "Member",
    "PolicyStrategy",
    "PolicyStrategyConfig",
    "SignalDesk",
    "SignalStrategyConfig",
]
