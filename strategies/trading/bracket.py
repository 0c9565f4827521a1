"""The bracket of a strategy: an entry, then stop and target, whatever the venue answers; a machine without an engine.

- `decide` remembers the wish. `step` looks at what is true now (position, live orders) and returns the commands that
  lead towards the wish. Everything that changes the truth (a fill, a rejection, a cancel) calls for another `step`, so
  that a rejected or partly filled order needs no code of its own.
- An entry is built from an `Approved` of the risk gate and from nothing else (`strategies.risk.gate`). At a halt,
  orders are cancelled and the position is closed; nothing is sent until the halt ends.
- A signal holds for its horizon, if it has one: then its entry is cancelled, and its position closed.
- Stop and target follow the first fill of the entry (`order_stages`). A position whose stop the venue refused is closed
  at once. Without a position and an entry, every order is cancelled before the next entry goes.
- An order or a cancel that the venue does not answer in time is cancelled or forgotten: it blocks nothing.
- What a restart must not lose is in one struct, `Trade`. What the venue knows (orders, position) comes from the cache.
"""

import math
from collections import deque
from typing import Final

import msgspec

from fathom.data_catalog.messages.signals import Signal
from fathom.strategies.risk.gate import Approved, Refused
from fathom.strategies.risk.seat import RiskSeat
from fathom.strategies.trading.commands import (
    Amend,
    Close,
    Command,
    Enter,
    Forget,
    Leave,
    LiveOrder,
    OrderNews,
    Step,
    Wake,
)
from fathom.strategies.trading.config import SignalStrategyConfig
from fathom.strategies.trading.order_roles import tags_of
from fathom.strategies.trading.order_stages import Grid, Live, cancels, first, protect
from fathom.strategies.trading.pacer import Pacer
from fathom.strategies.trading.trade import Trade

_SECOND: Final = 1_000_000_000
_CLOSING: Final = {"STOP": "stopped", "TARGET": "target"}


class Bracket:
    """Events in, commands out: what is to be done about the orders of one strategy in one instrument.

    Parameters
    ----------
    config
        The parameters.
    risk
        Who approves entries, and hears what is held.

    Examples
    --------
    >>> from fathom.strategies.risk.book import RiskBook
    >>> from fathom.strategies.risk.config import Limits
    >>> from fathom.strategies.risk.gate import Circumstances, RiskGate, Sizing
    >>> class Quiet:
    ...     def circumstances(self, fee_rate):
    ...         return Circumstances(ts=0, balance=10_000.0, lot=0.1)
    >>> seat = RiskSeat(RiskGate(Limits(), Sizing(), "Mine-B", "A.B", RiskBook()), Quiet())
    >>> bracket = Bracket(SignalStrategyConfig(), seat)
    >>> up = Signal(instrument_id="A.B", side="BUY", strength=0.7, entry=100.0, stop=98.0, target=103.0,
    ...             horizon_secs=0.0, ts_init=0, source="mine")
    >>> bracket.decide(0, 100.0, up, confidence=1.0)
    >>> (enter,) = bracket.step(0, {})
    >>> enter.approval.quantity, enter.is_limit, [step.stage for step in bracket.steps]
    (50.0, False, ['approved', 'submitted'])
    >>> bracket.hold(50.0, average=100.0)
    >>> bracket.step(1, {})
    [PlaceStop(price=98.0, quantity=50.0), PlaceTarget(price=103.0, quantity=50.0)]
    """

    def __init__(self, config: SignalStrategyConfig, risk: RiskSeat) -> None:
        self.config = config
        self.trade = Trade()
        self.held = 0.0  # the position in base currency, negative for short
        self.steps: deque[Step] = deque()  # of the lives of signals, that nobody was told of yet
        self.grid = Grid()  # of the instrument: set before the first step
        self.pacer = Pacer()  # of the account
        self.leaving = False  # whether the engine's own exit is under way
        self._risk = risk
        self._stands_down = False

    @property
    def direction(self) -> int:
        """1 long, -1 short, 0 flat."""
        return (self.held > 0.0) - (self.held < 0.0)

    @property
    def waits_for_risk(self) -> bool:
        """Whether a halt or a pause is to be acted on."""
        return self._risk.halt is not None or self._stands_down or self._risk.paused

    def name(self, signal: Signal) -> Signal:
        """Return the signal with a `signal_id` that is unique in the run, as it is where it has one.

        It also gets the configured horizon, where it has none.
        """
        if signal.signal_id:
            return signal
        self.trade.signals += 1
        return msgspec.structs.replace(
            signal,
            signal_id=f"{self._risk.gate.strategy_id}-{self.trade.signals}",
            horizon_secs=signal.horizon_secs or self.config.horizon_secs or 0.0,
        )

    def tags(self, role: str) -> list[str]:
        """Return the tags of an order that is sent now."""
        signal = self.trade.signal
        return tags_of(role, self.trade.price, signal.signal_id if signal is not None else "")

    def decide(self, now: int, price: float, signal: Signal | None, confidence: float) -> None:
        """Take a decision at a price: a new signal replaces the last wish; None leaves it as it is."""
        trade = self.trade
        trade.price = price
        trade.age += 1
        self._risk.gate.look(now, price)
        if signal is not None:
            self.drop_wish(Refused("superseded"))
            trade.wish, trade.confidence = self.name(signal), confidence
            trade.crosses, trade.attempts = False, 0

    def drop_wish(self, refused: Refused) -> None:
        """Refuse the signal that was to be traded next, if there is one."""
        wish, self.trade.wish = self.trade.wish, None
        if wish is not None and wish != self.trade.signal and not self.trade.crosses:
            self.tell("refused", refused.text, signal=wish)

    def trail(self, price: float) -> None:
        """Ask for the stop to be moved to a price, if that is nearer to the market than before, and not through it."""
        sign, trade = self.direction, self.trade
        if sign * (trade.price - price) > 0.0 and not sign * (price - trade.trail) <= 0.0:  # NaN: none yet
            trade.trail = price

    def note(self, news: OrderNews) -> None:
        """Take what happened to an order; only the news is read: the engine may be in the middle of something."""
        trade = self.trade
        match news.kind, news.role:
            case "filled", "ENTRY":
                self.tell("filled", price=news.price, quantity=news.quantity)
            case "filled", role:
                trade.last_role = role or "EXIT"
            case "rejected", "ENTRY":
                trade.refused_as_taker = news.as_taker
                self.tell("rejected", news.reason)
            case "rejected", role if role and self.held:
                if role == "STOP":  # where another one is live, it stays where it is
                    trade.trail = math.nan
                self.tell("rejected", f"{role}: {news.reason}")
            case "cancelled", "ENTRY":
                self.tell("cancelled")
            case "kept", "ENTRY":
                self._risk.undo_resize()

    def hold(self, held: float, average: float) -> None:
        """Take the size of the open position, negative for short, and its average price."""
        self.held = held
        self._risk.hold(held, average)

    def close(self, ts: int, *, price: float | None, quantity: float, pnl: float) -> None:
        """Take the end of the position: average price, largest size, and result with fees."""
        trade = self.trade
        self.held = 0.0
        trade.end()
        self._risk.close(ts, pnl, by_stop=trade.last_role == "STOP")
        is_late = trade.last_role == "EXIT" and self._is_over(ts)
        reason = "at the end of its horizon" if is_late else ""
        self.tell(_CLOSING.get(trade.last_role, "exited"), reason, price=price, quantity=quantity, pnl=pnl)

    def go_on(self, now: int) -> list[Command]:
        """Return the commands that wake a restarted bracket."""
        return [*self._wake_when_late(now), *self._wake_at_the_end(now)]

    def step(self, now: int, live: Live) -> list[Command]:
        """Return what is to be done next.

        Parameters
        ----------
        now
            Time (ns).
        live
            The orders that may still be filled, by id.
        """
        late = frozenset(name for name, order in live.items() if self._is_unanswered(now, order))
        lost = [name for name in late if live[name].role == "EXIT" or live[name].status in ("cancelling", "unsure")]
        if any(live[name].role == "ENTRY" for name in lost):
            self.tell("cancelled", "the venue did not answer")
        live = {name: order for name, order in live.items() if name not in lost}
        return [*(Forget(name) for name in sorted(lost)), *self._step(now, live, late)]

    def _step(self, now: int, live: Live, late: frozenset[str]) -> list[Command]:
        entry = first(live, "ENTRY")
        if entry is None:
            self._risk.end_entry()
        halt = self._risk.halt
        if halt is not None:
            self.drop_wish(halt)
            return self._stand_down(live, halt)
        self._stands_down = False
        if self.leaving or first(live, "EXIT") is not None:
            return []
        if self.held:
            return self._watch(now, live, entry, late)
        if entry is not None and not self.trade.ended:
            return self._watch_entry(now, live, entry, late)
        if live:
            return cancels(live, *live)
        self._retry_refused_entry()
        wait = self.pacer.wait_ns(now, entry=True)
        if self.trade.wish is not None and wait:
            return [Wake(f"pace-{now + wait}", now + wait)]
        signal, self.trade.wish = self.trade.wish, None
        answer = self._review(signal, self.trade.confidence) if signal is not None else None
        return self._enter(now, answer) if isinstance(answer, Approved) else []

    def tell(self, stage: str, reason: str = "", *, signal: Signal | None = None, **numbers: float | None) -> None:
        """Add a step in the life of a signal, by default of the one that is traded, with the numbers of `Step`."""
        signal = signal or self.trade.signal
        self.steps.append(Step(signal.signal_id if signal is not None else "", stage, reason, **numbers))

    def save(self) -> bytes:
        """Return the trade, for `load`."""
        return msgspec.msgpack.encode(self.trade)

    def load(self, content: bytes) -> None:
        """Go on from what `save` returned."""
        self.trade = msgspec.msgpack.decode(content, type=Trade)

    def _is_unanswered(self, now: int, order: LiveOrder) -> bool:
        # An exit by market is over at once: one that still looks live has lost its last answer.
        waits = order.status != "live" or order.role == "EXIT"
        return waits and now - order.since >= round(self.config.answer_timeout_secs * _SECOND)

    def _stand_down(self, live: Live, halt: Refused) -> list[Command]:
        if not self._stands_down:
            self._stands_down = True
            self.tell("halted", halt.text)
        if self.leaving or not (live or self.held):
            return []
        self.leaving = True
        return [Leave()]

    def _watch(self, now: int, live: Live, entry: str | None, late: frozenset[str]) -> list[Command]:
        wish = self.trade.wish
        if wish is not None and (wish.direction == self.direction or not self.config.exit_on_flip):
            self.drop_wish(Refused("held"))
            wish = None
        ends = wish is not None or self._is_over(now)
        commands = protect(self.trade, self.held, live, self.grid, late) if not ends else None
        if commands is None:
            return [*cancels(live, *live), Close(self.held)]
        if entry is not None and (self._entry_is_late(now) or self._risk.paused or entry in late or self.trade.ended):
            commands = [*cancels(live, entry), *commands]
        self._risk.move_stop(self.trade.stop)
        return commands

    def _watch_entry(self, now: int, live: Live, entry: str, late: frozenset[str]) -> list[Command]:
        if self.trade.wish is not None or self._risk.paused or self._is_over(now) or entry in late:
            return cancels(live, entry)
        if not self._entry_is_late(now) or live[entry].status != "live":
            return []
        wait = self.pacer.wait_ns(now, entry=True)
        if wait:
            return [Wake(f"pace-{now + wait}", now + wait)]
        signal = self._next_attempt()
        if signal is not None and not self.trade.crosses:
            return self._reprice(now, live, entry, signal)
        self.trade.wish = signal  # one that crosses is entered when the cancelled order is gone
        return cancels(live, entry)

    def _next_attempt(self) -> Signal | None:
        trade = self.trade
        if trade.signal is None:
            return None
        if trade.attempts < self.config.reprices:
            trade.attempts += 1
        elif self.config.entry_last == "market" and not trade.crosses:
            trade.crosses = True
        else:
            return None
        trade.confidence = trade.certainty
        return msgspec.structs.replace(
            trade.signal, entry=self._risk.market.best_price(trade.signal.direction, trade.price)
        )

    def _retry_refused_entry(self) -> None:
        refused, self.trade.refused_as_taker = self.trade.refused_as_taker, False
        if refused and self.trade.wish is None:
            self.trade.wish = self._next_attempt()

    def _reprice(self, now: int, live: Live, entry: str, signal: Signal) -> list[Command]:
        answer, claim = self._review(signal, self.trade.certainty), self._risk.claim
        if not isinstance(answer, Approved) or claim is None:
            return cancels(live, entry)
        size, price = self._risk.resize(answer), self.grid.price(signal.entry)
        smaller = size < claim.ordered - 0.5 * self.grid.lot
        if price == live[entry].price and not smaller:  # the engine refuses an amendment that changes nothing
            return self._restart_clock(now)
        self.trade.ordered = size
        self.tell("repriced", price=price, quantity=size)
        return [*self._restart_clock(now), Amend(entry, price, size if smaller else None)]

    def _review(self, signal: Signal, confidence: float) -> Approved | Refused:
        answer = self._risk.review(signal, confidence)
        if isinstance(answer, Refused):
            self.tell("refused", answer.text, signal=signal)
        else:
            bound = "" if answer.bound == "wish" else f"size bound by {answer.bound}"
            self.tell("approved", bound, signal=signal, price=signal.entry, quantity=answer.quantity)
        return answer

    def _enter(self, now: int, approval: Approved) -> list[Command]:
        self._risk.gate.redeem(approval)
        signal, trade = approval.signal, self.trade
        again = trade.signal is not None and trade.signal.signal_id == signal.signal_id
        if not again:
            trade.attempts = 0
        trade.signal, trade.certainty = signal, approval.confidence
        trade.begin(approval.quantity, self.grid.price(signal.stop), self.grid.price(signal.target))
        is_limit = self.config.entry == "limit" and not trade.crosses
        self.tell("repriced" if again else "submitted", price=signal.entry, quantity=approval.quantity)
        return [*self._restart_clock(now), *self._wake_at_the_end(now), Enter(approval, is_limit)]

    def _restart_clock(self, now: int) -> list[Command]:
        self.trade.age = 0
        timeout = self.config.entry_timeout_secs
        self.trade.deadline = now + round(timeout * _SECOND) if timeout is not None else 0
        return self._wake_when_late(now)

    def _wake_when_late(self, now: int) -> list[Command]:
        deadline = self.trade.deadline
        return [Wake(f"entry-{deadline}", deadline)] if self.config.entry == "limit" and deadline > now else []

    def _wake_at_the_end(self, now: int) -> list[Command]:
        end = self.trade.signal.ends_ns if self.trade.signal is not None else None
        return [Wake(f"horizon-{end}", end)] if end is not None and end > now else []

    def _is_over(self, now: int) -> bool:
        end = self.trade.signal.ends_ns if self.trade.signal is not None else None
        return end is not None and now >= end

    def _entry_is_late(self, now: int) -> bool:
        if self.config.entry != "limit" or self.trade.crosses:
            return False
        return now >= self.trade.deadline if self.trade.deadline else self.trade.age >= self.config.entry_decisions
