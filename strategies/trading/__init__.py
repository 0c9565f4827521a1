"""The engine's half of a strategy, `PolicyStrategy`, and the parts it owns: orders, bracket, risk seat, signal desk."""

from typing import TYPE_CHECKING

from fathom.settings.lazy_names import lazy_names

if TYPE_CHECKING:
    from fathom.strategies.trading.bracket import Bracket
    from fathom.strategies.trading.config import SignalStrategyConfig
    from fathom.strategies.trading.desk import SignalDesk
    from fathom.strategies.trading.member import Member
    from fathom.strategies.trading.policy_strategy import PolicyStrategy, PolicyStrategyConfig
else:
    _PLACES = {
        "Bracket": "fathom.strategies.trading.bracket",
        "Member": "fathom.strategies.trading.member",
        "PolicyStrategy": "fathom.strategies.trading.policy_strategy",
        "PolicyStrategyConfig": "fathom.strategies.trading.policy_strategy",
        "SignalDesk": "fathom.strategies.trading.desk",
        "SignalStrategyConfig": "fathom.strategies.trading.config",
    }
    __getattr__, __dir__ = lazy_names(__name__, _PLACES)

__all__ = ["Bracket", "Member", "PolicyStrategy", "PolicyStrategyConfig", "SignalDesk", "SignalStrategyConfig"]
