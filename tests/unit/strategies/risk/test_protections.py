"""Locks after bad trades, by hand-made sequences."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.strategies.risk.protections import (
    SYSTEM,
    ClosedTrade,
    Cooldown,
    LowProfit,
    Protections,
    ProtectionsConfig,
    ProtectionsState,
    Scope,
    StoplossGuard,
)

SECOND = 1_000_000_000
BTC, ETH = "BTC.X", "ETH.X"


def trade(secs: float, pnl: float = -1.0, *, instrument: str = BTC, by_stop: bool = True) -> ClosedTrade:
    return ClosedTrade(
        ts=round(secs * SECOND), instrument_id=instrument, pnl=pnl, profit=pnl / 1_000.0, by_stop=by_stop
    )


def locked(protections: Protections, secs: float, instrument: str = BTC) -> str | None:
    lock = protections.lock(round(secs * SECOND), instrument)
    return lock.reason if lock is not None else None


def test_the_stoploss_guard_counts_losing_stops_within_its_window() -> None:
    rule = StoplossGuard(trades=3, window_secs=100.0, lock_secs=50.0)
    guard = Protections(ProtectionsConfig(stoploss_guard=rule))
    assert guard.closed(trade(0)) == []
    assert guard.closed(trade(10, pnl=5.0)) == []  # a stop that was trailed into profit
    assert guard.closed(trade(20, by_stop=False)) == []  # a loss, but no stop
    assert guard.closed(trade(30, instrument=ETH)) == []
    assert guard.closed(trade(100, pnl=-3.0)) == []  # the first is 100 s old now, and counts no more
    (lock,) = guard.closed(trade(110))
    assert (lock.reason, lock.instrument_id, lock.since, lock.until) == (
        "stoploss_guard",
        SYSTEM,
        110 * SECOND,
        160 * SECOND,
    )
    for instrument in (BTC, ETH):
        assert locked(guard, 159.999999999, instrument) == "stoploss_guard"
        assert locked(guard, 160, instrument) is None


def test_the_stoploss_guard_of_an_instrument_leaves_the_others_alone() -> None:
    guard = Protections(ProtectionsConfig(stoploss_guard=StoplossGuard(trades=2, scope="instrument")))
    assert guard.closed(trade(0, instrument=ETH)) == []
    assert guard.closed(trade(1)) == []
    assert len(guard.closed(trade(2))) == 1
    assert (locked(guard, 3), locked(guard, 3, ETH)) == ("stoploss_guard", None)


@pytest.mark.parametrize(("scope", "other"), [("instrument", None), ("system", "cooldown")])
def test_the_cooldown_follows_losses_in_a_row(scope: Scope, other: str | None) -> None:
    cooling = Protections(ProtectionsConfig(cooldown=Cooldown(losses=2, lock_secs=60.0, scope=scope)))
    assert cooling.closed(trade(0)) == []
    assert cooling.closed(trade(1, pnl=0.5)) == []  # ends the row
    assert cooling.closed(trade(2)) == []
    assert [lock.until for lock in cooling.closed(trade(3, by_stop=False))] == [63 * SECOND]
    assert (locked(cooling, 62), locked(cooling, 62, ETH), locked(cooling, 63)) == ("cooldown", other, None)
    assert [lock.until for lock in cooling.closed(trade(70))] == [130 * SECOND]  # the third in a row, too


def test_an_instrument_that_does_not_earn_is_locked() -> None:
    rule = LowProfit(trades=3, window_secs=100.0, lock_secs=1_000.0, min_profit=0.002)
    profit = Protections(ProtectionsConfig(low_profit=rule))
    assert profit.closed(trade(0, pnl=9.0)) == []
    assert profit.closed(trade(60, pnl=-8.0)) == []
    assert profit.closed(trade(90, pnl=1.5)) == []  # 0.0025 together
    assert [lock.instrument_id for lock in profit.closed(trade(100, pnl=1.0))] == [BTC]  # without the first
    assert (locked(profit, 1_099), locked(profit, 1_099, ETH), locked(profit, 1_100)) == ("low_profit", None, None)


def test_the_longest_lock_is_named() -> None:
    config = ProtectionsConfig(
        cooldown=Cooldown(losses=1, lock_secs=10.0), stoploss_guard=StoplossGuard(trades=1, lock_secs=20.0)
    )
    both = Protections(config)
    assert {lock.reason for lock in both.closed(trade(0))} == {"cooldown", "stoploss_guard"}
    assert (locked(both, 5), locked(both, 15), locked(both, 20)) == ("stoploss_guard", "stoploss_guard", None)


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from([BTC, ETH]), st.integers(-3, 3), st.booleans()), max_size=40
    ),
    st.integers(0, 40),
)
def test_locks_are_those_of_the_whole_history_and_of_a_restored_state(
    steps: list[tuple[int, str, int, bool]], cut: int
) -> None:
    config = ProtectionsConfig(
        stoploss_guard=StoplossGuard(trades=2, window_secs=120.0, lock_secs=30.0),
        cooldown=Cooldown(losses=2, lock_secs=20.0),
        low_profit=LowProfit(trades=2, window_secs=200.0, lock_secs=90.0, min_profit=0.001),
    )
    machine, now, history = Protections(config), 0, []
    for at, (wait, instrument, pnl, by_stop) in enumerate(steps):
        now += wait
        history.append(trade(now, float(pnl), instrument=instrument, by_stop=by_stop))
        found = {lock.reason for lock in machine.closed(history[-1])}
        mine = [past for past in history if past.instrument_id == instrument]
        last = history[-1].ts
        stops = [p for p in history if p.by_stop and p.pnl < 0 and p.ts > last - 120 * SECOND]
        recent = [p.profit for p in mine if p.ts > last - 200 * SECOND]
        expected = set()
        if by_stop and pnl < 0 and len(stops) >= 2:
            expected.add("stoploss_guard")
        if len(mine) >= 2 and all(p.pnl < 0 for p in mine[-2:]):
            expected.add("cooldown")
        if len(recent) >= 2 and sum(recent) < 0.001:
            expected.add("low_profit")
        assert found == expected
        if at == cut:
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(machine.state), type=ProtectionsState)
            machine = Protections(config, state)
    assert len(machine.state.trades) <= len(history)
