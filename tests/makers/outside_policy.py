"""A policy of a user, with numbers of numpy, and the strategy that trades it."""

from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from fathom.data_catalog.messages.signals import Signal
from fathom.strategies.policy.policy import MarketBar, Policy
from fathom.strategies.trading.member import Member
from fathom.strategies.trading.policy_strategy import PolicyStrategy, with_parameters


class TurnsParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    every: Annotated[int, Meta(ge=1)] = 3


class TurnsPolicy(Policy):
    """Says BUY and SELL by turns, each time after some bars; every number is numpy's."""

    source = "turns"

    def __init__(self, instrument_id: str, parameters: TurnsParameters) -> None:
        super().__init__(instrument_id, np.zeros(1), (parameters.every,))

    def decide(self, bar: MarketBar) -> Signal | None:
        self.state[0] += 1
        count, rest = divmod(int(self.state[0]), int(self.params[0]))
        if rest:
            return None
        side = 1 if count % 2 else -1
        close = np.float64(bar.close)
        return self._signal(
            side, bar, strength=np.float64(0.8), stop=close - side * np.float64(5), target=close + side * np.float64(10)
        )


class TurnsConfig(with_parameters(TurnsParameters), kw_only=True):  # type: ignore[misc, call-arg]
    def member(self, instrument_id: str) -> Member:
        policy = TurnsPolicy(instrument_id, self.policy)
        return Member(policy, self.bar_type(instrument_id))


class Turns(PolicyStrategy):
    pass
