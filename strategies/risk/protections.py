"""Locks after bad trades: after a series of stops, after losses, and on an instrument that does not earn.

The vocabulary is that of freqtrade's protections (StoplossGuard, CooldownPeriod, LowProfitPairs); the rules here are
evaluated each time a position closes, and a lock counts from that close. Pure: times are arguments.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from fathom.settings.times import SECOND

type Seconds = Annotated[float, Meta(gt=0)]
type Count = Annotated[int, Meta(ge=1)]
type Scope = Literal["system", "instrument"]

SYSTEM: Final = ""
"""The instrument id of a lock on all instruments."""


class StoplossGuard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Lock after `trades` losing stops within `window_secs`, of one instrument or of the whole system (`scope`).

    Attributes
    ----------
    trades, window_secs
        So many losing stops within so long.
    lock_secs
        How long nothing new is opened.
    scope
        `system` or `instrument`.

    Examples
    --------
    >>> StoplossGuard(trades=3).scope
    'system'
    """

    trades: Count = 4
    window_secs: Seconds = 3_600.0
    lock_secs: Seconds = 3_600.0
    scope: Scope = "system"


class Cooldown(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Lock after `losses` losing trades in a row, of one instrument or of the whole system (`scope`).

    Attributes
    ----------
    losses
        Losing trades in a row.
    lock_secs
        How long nothing new is opened.
    scope
        `system` or `instrument`.

    Examples
    --------
    >>> Cooldown().losses
    1
    """

    losses: Count = 1
    lock_secs: Seconds = 300.0
    scope: Scope = "instrument"


class LowProfit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Lock an instrument whose last trades, at least `trades` within `window_secs`, earned too little.

    `min_profit` is the least sum of their profits, each a fraction of its position's notional, fees included.

    Attributes
    ----------
    trades, window_secs
        At least so many trades within so long.
    lock_secs
        How long the instrument is locked.
    min_profit
        Least sum of the trades' profits.

    Examples
    --------
    >>> LowProfit(min_profit=0.001).trades
    4
    """

    trades: Count = 4
    window_secs: Seconds = 21_600.0
    lock_secs: Seconds = 21_600.0
    min_profit: Annotated[float, Meta(gt=-1, lt=1)] = 0.0


class ProtectionsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which protections hold; absent ones do not.

    Attributes
    ----------
    stoploss_guard
        Lock after losing stops.
    cooldown
        Lock after losses in a row.
    low_profit
        Lock an instrument that earns too little.

    Examples
    --------
    >>> ProtectionsConfig(cooldown=Cooldown()).stoploss_guard is None
    True
    """

    stoploss_guard: StoplossGuard | None = None
    cooldown: Cooldown | None = None
    low_profit: LowProfit | None = None


class ClosedTrade(msgspec.Struct, frozen=True, kw_only=True):
    """A position that was closed.

    Attributes
    ----------
    ts
        When (ns).
    instrument_id
        Of what.
    pnl
        Realised, in quote currency, fees included.
    profit
        `pnl` as a fraction of the position's notional.
    by_stop
        Whether its stop closed it.

    Examples
    --------
    >>> ClosedTrade(ts=0, instrument_id="A.B", pnl=-5.0, profit=-0.001, by_stop=True).pnl
    -5.0
    """

    ts: int
    instrument_id: str
    pnl: float
    profit: float
    by_stop: bool


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """No new entry in an instrument (`SYSTEM`: in any) from `since` on, before `until` (ns).

    Examples
    --------
    >>> Lock(reason="cooldown", instrument_id="A.B", since=0, until=10).holds(10, "A.B")
    False
    """

    reason: Literal["stoploss_guard", "cooldown", "low_profit"]
    instrument_id: str
    since: int
    until: int

    def holds(self, now: int, instrument_id: str) -> bool:
        """Return whether it forbids an entry in the instrument at `now`."""
        return now < self.until and self.instrument_id in (SYSTEM, instrument_id)


class ProtectionsState(msgspec.Struct, kw_only=True):
    """What the protections remember: trades within the longest window, losses in a row by scope, locks.

    Examples
    --------
    >>> ProtectionsState().locks
    []
    """

    trades: list[ClosedTrade] = []
    losses: dict[str, int] = {}
    locks: list[Lock] = []


class Protections:
    """The state machine: closed trades in, locks out.

    Parameters
    ----------
    config
        Which protections hold.
    state
        To go on from; nothing where absent.

    Examples
    --------
    >>> guard = Protections(ProtectionsConfig(cooldown=Cooldown(losses=2, lock_secs=60.0)))
    >>> loss = ClosedTrade(ts=0, instrument_id="A.B", pnl=-5.0, profit=-0.001, by_stop=True)
    >>> guard.closed(loss), [lock.reason for lock in guard.closed(loss)]
    ([], ['cooldown'])
    >>> guard.lock(59_999_999_999, "A.B").reason, guard.lock(60_000_000_000, "A.B"), guard.lock(1, "C.B")
    ('cooldown', None, None)
    """

    def __init__(self, config: ProtectionsConfig, state: ProtectionsState | None = None) -> None:
        self.config = config
        self.state = state if state is not None else ProtectionsState()

    def closed(self, trade: ClosedTrade) -> list[Lock]:
        """Take a closed trade; return the locks that it causes."""
        state = self.state
        state.trades.append(trade)
        for scope in (SYSTEM, trade.instrument_id):
            state.losses[scope] = state.losses.get(scope, 0) + 1 if trade.pnl < 0.0 else 0
        locks = [lock for lock in (self._guard(trade), self._cool(trade), self._profit(trade)) if lock is not None]
        state.locks = [lock for lock in state.locks if trade.ts < lock.until] + locks
        self._forget(trade.ts)
        return locks

    def lock(self, now: int, instrument_id: str) -> Lock | None:
        """Return the lock on the instrument that lasts longest, None where there is none."""
        held = [lock for lock in self.state.locks if lock.holds(now, instrument_id)]
        return max(held, key=lambda lock: lock.until) if held else None

    def _guard(self, trade: ClosedTrade) -> Lock | None:
        rule = self.config.stoploss_guard
        if rule is None or not _is_losing_stop(trade):
            return None
        scope = SYSTEM if rule.scope == "system" else trade.instrument_id
        stops = [past for past in self._within(rule.window_secs, trade.ts, scope) if _is_losing_stop(past)]
        return _lock("stoploss_guard", scope, trade.ts, rule.lock_secs) if len(stops) >= rule.trades else None

    def _cool(self, trade: ClosedTrade) -> Lock | None:
        rule = self.config.cooldown
        if rule is None:
            return None
        scope = SYSTEM if rule.scope == "system" else trade.instrument_id
        return _lock("cooldown", scope, trade.ts, rule.lock_secs) if self.state.losses[scope] >= rule.losses else None

    def _profit(self, trade: ClosedTrade) -> Lock | None:
        rule = self.config.low_profit
        if rule is None:
            return None
        trades = self._within(rule.window_secs, trade.ts, trade.instrument_id)
        if len(trades) < rule.trades or sum(past.profit for past in trades) >= rule.min_profit:
            return None
        return _lock("low_profit", trade.instrument_id, trade.ts, rule.lock_secs)

    def _within(self, window_secs: float, now: int, scope: str) -> list[ClosedTrade]:
        first = now - round(window_secs * SECOND)
        return [t for t in self.state.trades if t.ts > first and scope in (SYSTEM, t.instrument_id)]

    def _forget(self, now: int) -> None:
        rules = (self.config.stoploss_guard, self.config.low_profit)
        longest = max((rule.window_secs for rule in rules if rule is not None), default=0.0)
        first = now - round(longest * SECOND)
        self.state.trades = [trade for trade in self.state.trades if trade.ts > first]


def _is_losing_stop(trade: ClosedTrade) -> bool:
    return trade.by_stop and trade.pnl < 0.0


def _lock(reason: Literal["stoploss_guard", "cooldown", "low_profit"], scope: str, now: int, secs: float) -> Lock:
    return Lock(reason=reason, instrument_id=scope, since=now, until=now + round(secs * SECOND))
