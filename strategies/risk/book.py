"""What all strategies of a system share in one account: equity, claims on instruments, halts, protections.

A state machine without a clock of its own: every method takes the time (ns). Its whole state is one struct, so that
`restore(snapshot())` in another process goes on as if nothing had happened.
"""

import math
from collections import deque
from typing import Final, Literal

import msgspec

from fathom.strategies.risk.config import RiskConfig, with_fees
from fathom.strategies.risk.protections import ClosedTrade, Protections, ProtectionsState

DAY_NS: Final = 86_400 * 10**9

type HaltReason = Literal["daily_loss", "drawdown", "manual"]


class Claim(msgspec.Struct, kw_only=True):
    """What a strategy holds, or has ordered, in an instrument.

    Attributes
    ----------
    strategy_id, instrument_id
        Whose, and of what.
    direction
        1 long, -1 short.
    ordered
        Size of the entry; what of it is not yet filled counts while `live`.
    entry, stop
        Prices of the approval; the stop follows the live one. NaN: without a stop, the whole value is at risk.
    fee_rate, multiplier
        Of the instrument, as in `fathom.strategies.risk.gate.Circumstances`.
    live
        Whether the entry may still be filled.
    held, average, peak, mark
        Size of the position, its average price, its largest size, the latest price.

    Examples
    --------
    >>> claim = Claim(strategy_id="S", instrument_id="A.B", direction=1, ordered=2.0, entry=100.0, stop=99.0)
    >>> claim.risk
    2.0
    >>> claim.held, claim.average, claim.mark, claim.live = 2.0, 100.0, 101.5, False
    >>> claim.risk, claim.unrealized, claim.notional
    (5.0, 3.0, 203.0)
    """

    strategy_id: str
    instrument_id: str
    direction: int
    ordered: float
    entry: float
    stop: float
    fee_rate: float = 0.0
    multiplier: float = 1.0
    live: bool = True
    held: float = 0.0
    average: float = 0.0
    peak: float = 0.0
    mark: float = 0.0

    @property
    def pending(self) -> float:
        """Size that may still be filled."""
        return max(0.0, self.ordered - self.held) if self.live else 0.0

    @property
    def unrealized(self) -> float:
        """Profit at the mark, before fees."""
        return self.direction * self.held * (self.mark - self.average) * self.multiplier if self.held else 0.0

    @property
    def notional(self) -> float:
        """Value of the position and of what may still be filled."""
        return (self.held * self.mark + self.pending * self.entry) * self.multiplier

    @property
    def risk(self) -> float:
        """Loss from now until the stop closes it all, the fees yet to be paid included."""
        if math.isnan(self.stop):
            return self.notional
        ahead = loss_per_unit(self.entry, self.stop, self.fee_rate) * self.pending
        if self.held:
            left = max(0.0, self.direction * (self.mark - self.stop)) + self.fee_rate * self.stop
            ahead += left * self.held
        return ahead * self.multiplier


class RiskEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A halt, its end, a lock or a pause. `instrument_id` is empty where it concerns all; `until` 0 where open.

    Examples
    --------
    >>> RiskEvent(ts=0, kind="halt", reason="manual", instrument_id="", until=0, equity=1.0, detail="").kind
    'halt'
    """

    ts: int
    kind: Literal["halt", "resume", "lock", "pause", "unpause"]
    reason: str
    instrument_id: str
    until: int
    equity: float
    detail: str


class BookState(msgspec.Struct, kw_only=True):
    """Everything a `RiskBook` remembers; times in ns, money in the account's currency.

    Examples
    --------
    >>> BookState().halt
    ''
    """

    now: int = 0
    day: int = -1
    day_start: float = math.nan
    equity: float = math.nan
    peak: float = math.nan
    halt: HaltReason | Literal[""] = ""
    halt_until: int = 0
    halt_detail: str = ""
    claims: dict[str, Claim] = {}
    paused: dict[str, bool] = {}
    protections: ProtectionsState = msgspec.field(default_factory=ProtectionsState)


class RiskBook:
    """The account-wide half of the risk gate, one for all strategies of a system in a process.

    Parameters
    ----------
    config
        The section `[risk]`; None: no limit holds.
    taker_fee
        Of the account, as a fraction, where it is known (`with_fees`).

    Examples
    --------
    A day that starts with 1,000 may lose 2 %:

    >>> book = RiskBook(RiskConfig())
    >>> book.settle(0, 1_000.0), book.settle(1, 980.5), book.settle(2, 980.0)
    (False, False, True)
    >>> book.halt, book.settle(DAY_NS, 980.0), book.halt
    ('daily_loss', False, '')
    """

    def __init__(self, config: RiskConfig | None = None, *, taker_fee: float | None = None) -> None:
        self.active = config is not None
        limits = config if config is not None else RiskConfig.off()
        self.config = with_fees(limits, taker_fee) if taker_fee is not None else limits
        self.events: deque[RiskEvent] = deque(maxlen=10_000)
        self.state = BookState()
        self.protections = Protections(self.config.protections, self.state.protections)

    @property
    def halt(self) -> str:
        """Why nothing may be entered and all is closed; empty where nothing speaks against it."""
        return self.state.halt

    @property
    def equity(self) -> float:
        """The account with open positions at their marks, as of the last `settle`; NaN before."""
        return self.state.equity

    @property
    def floor(self) -> float:
        """The equity at which a daily loss or a drawdown halts; minus infinity without either limit."""
        return max(self._daily_floor(), self._drawdown_floor())

    def settle(self, now: int, balance: float) -> bool:
        """Look at the account: the balance is without open profit. Return whether that begins a halt."""
        state = self.state
        if not math.isfinite(balance):
            return False
        equity = balance + sum(claim.unrealized for claim in state.claims.values())
        self._turn_day(now, equity)
        state.equity = equity
        state.peak = equity if math.isnan(state.peak) else max(state.peak, equity)
        if not state.peak > 0.0:
            return False  # an account that is not yet paid in
        if equity <= self._drawdown_floor() and state.halt in ("", "daily_loss"):
            return self.stop_all(state.now, "drawdown", f"equity {equity:.2f}, highest {state.peak:.2f}")
        if equity <= self._daily_floor() and not state.halt:
            detail = f"equity {equity:.2f}, at the start of the day {state.day_start:.2f}"
            return self.stop_all(state.now, "daily_loss", detail, until=(state.day + 1) * DAY_NS)
        return False

    def stop_all(self, now: int, reason: HaltReason, detail: str, until: int = 0) -> bool:
        """Halt until a time, or until `reset`; return True."""
        state = self.state
        state.now = max(state.now, now)
        state.halt, state.halt_until, state.halt_detail = reason, until, detail
        self._note("halt", reason, until=until, detail=detail)
        return True

    def reset(self, now: int) -> None:
        """End a halt by hand: losses count from the present equity on. Locks stay."""
        state = self.state
        state.now = max(state.now, now)
        if state.halt:
            self._note("resume", state.halt, detail="reset")
        state.halt, state.halt_until, state.halt_detail = "", 0, ""
        state.peak = state.day_start = state.equity

    def pause(self, now: int, instrument_id: str, paused: bool) -> None:
        """Take the pause flag of an instrument's regime."""
        if self.state.paused.get(instrument_id, False) != paused:
            self.state.now = max(self.state.now, now)
            self.state.paused[instrument_id] = paused
            self._note("pause" if paused else "unpause", "regime", instrument_id=instrument_id)

    def mark(self, instrument_id: str, price: float) -> None:
        """Take the latest price of an instrument; one that is no positive number is ignored."""
        if price > 0.0 and math.isfinite(price):
            for claim in self.state.claims.values():
                if claim.instrument_id == instrument_id:
                    claim.mark = price

    def claim(self, claim: Claim) -> None:
        """Enter the claim of a strategy, which has at most one."""
        self.state.claims[claim.strategy_id] = claim

    def claim_of(self, strategy_id: str) -> Claim | None:
        """Return what a strategy claims; None where nothing."""
        return self.state.claims.get(strategy_id)

    def others(self, strategy_id: str) -> list[Claim]:
        """Return the claims of all other strategies."""
        return [claim for name, claim in self.state.claims.items() if name != strategy_id]

    def hold(self, strategy_id: str, instrument_id: str, direction: int, held: float, average: float) -> None:
        """Take the size and the average price of a strategy's open position."""
        claim = self.state.claims.get(strategy_id)
        if claim is None or claim.direction != direction:
            claim = Claim(
                strategy_id=strategy_id,
                instrument_id=instrument_id,
                direction=direction,
                ordered=held,
                entry=average,
                stop=math.nan,
                live=False,
            )
            self.state.claims[strategy_id] = claim
        claim.held, claim.average = held, average
        claim.peak = max(claim.peak, held)
        claim.mark = claim.mark or average

    def close(self, now: int, strategy_id: str, pnl: float, *, by_stop: bool) -> None:
        """Take the end of a strategy's position, with its realised profit, fees included."""
        claim = self.state.claims.get(strategy_id)
        if claim is None:
            return
        self.state.now = max(self.state.now, now)
        notional = claim.average * claim.peak * claim.multiplier
        trade = ClosedTrade(
            ts=now,
            instrument_id=claim.instrument_id,
            pnl=pnl,
            profit=pnl / notional if notional > 0.0 else 0.0,
            by_stop=by_stop,
        )
        for lock in self.protections.closed(trade):
            self._note("lock", lock.reason, instrument_id=lock.instrument_id, until=lock.until)
        claim.held = 0.0
        self._drop_empty(claim)

    def end_entry(self, strategy_id: str) -> None:
        """Take that the entry of a strategy can be filled no more."""
        claim = self.state.claims.get(strategy_id)
        if claim is not None:
            claim.live = False
            self._drop_empty(claim)

    def move_stop(self, strategy_id: str, stop: float) -> None:
        """Take the trigger price of a strategy's live stop."""
        claim = self.state.claims.get(strategy_id)
        if claim is not None:
            claim.stop = stop

    def snapshot(self) -> bytes:
        """Return the state, for `restore`."""
        return msgspec.msgpack.encode(self.state)

    def restore(self, snapshot: bytes, *, claims: bool = True) -> None:
        """Go on from a snapshot, unless this book already knows of later times.

        Without `claims`, the claims stay as they are: each strategy brings its own.
        """
        state = msgspec.msgpack.decode(snapshot, type=BookState)
        if state.now >= self.state.now:
            if not claims:
                state.claims = self.state.claims
            self.state = state
            self.protections = Protections(self.config.protections, state.protections)

    def release(self, strategy_id: str) -> None:
        """Forget the claim of a strategy that holds nothing and has ordered nothing."""
        self.state.claims.pop(strategy_id, None)

    def _turn_day(self, now: int, equity: float) -> None:
        state = self.state
        state.now = max(state.now, now)
        day = state.now // DAY_NS
        if day != state.day:
            # What was lost between the last look of the old day and the first of the new one counts for the new one.
            state.day_start = equity if math.isnan(state.equity) else state.equity
            state.day = day
        if state.halt and 0 < state.halt_until <= state.now:
            self._note("resume", state.halt)
            state.halt, state.halt_until, state.halt_detail = "", 0, ""

    def _daily_floor(self) -> float:
        share = self.config.max_daily_loss
        return self.state.day_start * (1.0 - share) if share is not None else -math.inf

    def _drawdown_floor(self) -> float:
        share = self.config.max_drawdown
        return self.state.peak * (1.0 - share) if share is not None else -math.inf

    def _drop_empty(self, claim: Claim) -> None:
        if not claim.held and not claim.live:
            self.state.claims.pop(claim.strategy_id, None)

    def _note(
        self,
        kind: Literal["halt", "resume", "lock", "pause", "unpause"],
        reason: str,
        *,
        instrument_id: str = "",
        until: int = 0,
        detail: str = "",
    ) -> None:
        event = RiskEvent(
            ts=self.state.now,
            kind=kind,
            reason=reason,
            instrument_id=instrument_id,
            until=until,
            equity=self.state.equity,
            detail=detail,
        )
        self.events.append(event)


def loss_per_unit(entry: float, stop: float, fee_rate: float) -> float:
    """Return what one unit of size loses from an entry to its stop, a taker's fees on both included.

    Examples
    --------
    >>> loss_per_unit(100.0, 99.0, 0.001)
    1.199
    """
    return abs(entry - stop) + fee_rate * (entry + stop)
