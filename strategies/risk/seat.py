"""A strategy's seat at the account: it asks the gate, and tells the shared book what the strategy holds."""

from typing import Protocol

import msgspec

from fathom.data_catalog.messages.signals import Signal
from fathom.strategies.risk.book import Claim, RiskBook
from fathom.strategies.risk.gate import Approved, Circumstances, Refused, RiskGate
from fathom.strategies.risk.volatility import Volatility

type _State = tuple[bytes, Claim | None, Volatility]


class Market(Protocol):
    """What a strategy reads of its instrument and its account; `last` is the price where the market has none."""

    def price(self, last: float) -> float:
        """Return the mid, or the price of the last trade."""

    def best_price(self, direction: int, last: float) -> float:
        """Return the best price of the side on which a passive order in this direction waits."""

    def balance(self) -> float:
        """Return the account without open profit, in quote currency; NaN where it is unknown."""

    def circumstances(self, fee_rate: float | None) -> Circumstances:
        """Return what the gate must know; `fee_rate` is used in place of the instrument's."""


class RiskSeat:
    """One strategy's place at the `RiskBook` of its account.

    Parameters
    ----------
    gate
        The strategy's way to an approval.
    market
        Where circumstances and prices come from.

    Examples
    --------
    >>> from fathom.strategies.risk.config import Limits
    >>> from fathom.strategies.risk.gate import Sizing
    >>> gate = RiskGate(Limits(), Sizing(), "Mine-BTCUSDT", "BTCUSDT-LINEAR.BYBIT", RiskBook())
    >>> seat = RiskSeat(gate, market=None)  # a market is asked for a review only
    >>> seat.hold(2.0, average=100.0)
    >>> seat.claim.held, seat.halt, seat.paused
    (2.0, None, False)
    """

    def __init__(self, gate: RiskGate, market: Market) -> None:
        self.gate = gate
        self.market = market
        self._before: Claim | None = None

    @property
    def book(self) -> RiskBook:
        """What the strategies of the system share."""
        return self.gate.book

    @property
    def claim(self) -> Claim | None:
        """What the strategy holds or has ordered; None where nothing."""
        return self.book.claim_of(self.gate.strategy_id)

    @property
    def halt(self) -> Refused | None:
        """Why nothing may be held; None where nothing halts."""
        state = self.book.state
        return Refused(state.halt, state.halt_detail) if state.halt else None

    @property
    def shutdown_reason(self) -> str:
        """Why the system is to end now that the strategy is flat; empty where it is not."""
        ends = self.book.halt == "drawdown" and self.book.config.shutdown_on_halt
        return f"Halt at a drawdown: {self.book.state.halt_detail}" if ends else ""

    @property
    def paused(self) -> bool:
        """Whether the instrument's regime keeps the strategy from entering."""
        return self.gate.paused

    def check(self, now: int, last: float) -> None:
        """Look at the market and the account: a limit that is exceeded halts."""
        self.gate.look(now, self.market.price(last))
        if self.book.active:
            self.book.settle(now, self.market.balance())

    def review(self, signal: Signal, confidence: float) -> Approved | Refused:
        """Ask the gate, in the circumstances of this moment."""
        return self.gate.review(signal, confidence, self.market.circumstances(self.gate.limits.fee_rate))

    def resize(self, approval: Approved) -> float:
        """Use an approval for the live entry and return its size: it may become smaller, but never larger."""
        self._before = self.claim
        self.gate.redeem(approval)
        if self._before is not None:
            approval.claim.ordered = min(approval.claim.ordered, self._before.ordered)
        return approval.claim.ordered

    def undo_resize(self) -> None:
        """Take that the entry stays as it was before `resize`."""
        if self._before is not None:
            self.book.claim(self._before)

    def end_entry(self) -> None:
        """Take that no entry can be filled any more."""
        self.book.end_entry(self.gate.strategy_id)

    def move_stop(self, stop: float) -> None:
        """Take the trigger price of the live stop."""
        self.book.move_stop(self.gate.strategy_id, stop)

    def hold(self, held: float, average: float) -> None:
        """Take the size of the position, negative for short, and its average price."""
        direction = 1 if held > 0.0 else -1
        self.book.hold(self.gate.strategy_id, self.gate.instrument_id, direction, abs(held), average)

    def close(self, now: int, pnl: float, *, by_stop: bool) -> None:
        """Take the end of the position, with its realised profit, fees included."""
        self.book.close(now, self.gate.strategy_id, pnl, by_stop=by_stop)

    def release(self) -> None:
        """Forget a claim that no position and no order stand behind."""
        self.book.release(self.gate.strategy_id)

    def save(self) -> bytes:
        """Return the book, the claim in it, and the volatility, for `load`."""
        return msgspec.msgpack.encode((self.book.snapshot(), self.claim, self.gate.volatility))

    def load(self, content: bytes) -> None:
        """Go on from what `save` returned.

        Raises
        ------
        msgspec.MsgspecError, UnicodeDecodeError
            It cannot be read; what was lost may have been a halt.
        """
        book, claim, volatility = msgspec.msgpack.decode(content, type=_State)
        self.book.restore(book, claims=False)
        if claim is not None:
            self.book.claim(claim)
        if volatility.half_life_secs == self.gate.volatility.half_life_secs:
            self.gate.volatility = volatility
