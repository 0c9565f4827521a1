"""The risk gate: a signal comes out as `Approved`, with a size, or as `Refused`, with a reason.

Orders that open a position are built from an `Approved` and from nothing else. Only `RiskGate.review` makes one, it is
good once, and `RiskGate.redeem` (which whoever builds an order must call) refuses all others.
"""

import math
from typing import Any, Final, Literal, NamedTuple, NoReturn, final

from fathom.data_catalog.messages.signals import Signal
from fathom.settings.errors import FathomError
from fathom.settings.times import MS
from fathom.strategies.risk.book import Claim, RiskBook, loss_per_unit
from fathom.strategies.risk.config import Limits
from fathom.strategies.risk.sizing import sized
from fathom.strategies.risk.volatility import Volatility

REASONS: Final = (
    "halted",
    "daily_loss",
    "drawdown",
    "paused",
    "stoploss_guard",
    "cooldown",
    "low_profit",
    "instrument_taken",
    "direction",
    "confidence",
    "price",
    "stale_signal",
    "stale_data",
    "spread",
    "volatility",
    "equity",
    "max_leverage",
    "account_leverage",
    "max_position",
    "max_notional",
    "volatility_target",
    "loss_budget",
    "size",
)
"""Why an entry is refused, in the order in which the gate asks."""

_KEY: Final = object()


class UnapprovedError(FathomError, RuntimeError):
    """Somebody tried to build an order without an approval of the risk gate."""


class Refused(NamedTuple):
    """No: one of `REASONS`, and the numbers behind it.

    Examples
    --------
    >>> Refused("spread", "3.1 bps, at most 2").text
    'spread: 3.1 bps, at most 2'
    """

    reason: str
    detail: str = ""

    @property
    def text(self) -> str:
        """Reason and detail."""
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@final
class Approved:
    """Yes: this signal, at this time, in this size. Immutable, made by `RiskGate.review` alone, good for one order.

    Attributes
    ----------
    signal
        What was approved.
    lots, quantity
        The size, in lots and in base currency.
    confidence
        Of the decision.
    bound
        What bounds the size (`fathom.strategies.risk.sizing.Size`).
    ts
        When (ns).

    Raises
    ------
    UnapprovedError
        When made by anybody else.

    Examples
    --------
    >>> Approved(None, signal=None, lots=1, quantity=1.0, confidence=1.0, bound="wish", ts=0)
    Traceback (most recent call last):
    ...
    fathom.strategies.risk.gate.UnapprovedError: Expected an approval of the risk gate, was one made by hand. Ask ...
    """

    __slots__ = ("bound", "claim", "confidence", "lots", "quantity", "signal", "ts")

    signal: Signal
    lots: int
    quantity: float
    confidence: float
    bound: str
    ts: int
    claim: Claim

    def __init__(self, key: object, **fields: Any) -> None:
        if key is not _KEY:
            raise UnapprovedError(
                "Expected an approval of the risk gate, was one made by hand. Ask `RiskGate.review` for one."
            )
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("Expected no other kind of approval, was a subclass of Approved.")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Expected an approval to stay as it is, was a change of '{name}'.")

    def __reduce__(self) -> NoReturn:
        raise TypeError("Expected an approval to be used where it was given, was a copy of it.")


class Sizing(NamedTuple):
    """How large a strategy wishes to trade, and on which side; see `fathom.strategies.trading.config`.

    Examples
    --------
    >>> Sizing().max_leverage
    2.0
    """

    direction: Literal["both", "long", "short"] = "both"
    risk_fraction: float = 0.01
    notional: float | None = None
    max_leverage: float = 2.0


class Circumstances(NamedTuple):
    """What the gate must know beside the signal; the market as it is at `ts`.

    Attributes
    ----------
    ts
        Now (ns).
    balance
        The account without open profit, in quote currency.
    lot
        Size increment, in base currency.
    min_lots, min_notional
        The venue's smallest order.
    fee_rate
        A taker's fee, as a fraction.
    multiplier
        Value of one unit of size per unit of price.
    spread_bps
        NaN where nobody knows.
    data_age_ms
        Age of the last quote or trade; infinite where there is none.

    Examples
    --------
    >>> Circumstances(ts=0, balance=1_000.0, lot=0.001).min_lots
    1
    """

    ts: int
    balance: float
    lot: float
    min_lots: int = 1
    min_notional: float = 0.0
    fee_rate: float = 0.0
    multiplier: float = 1.0
    spread_bps: float = math.nan
    data_age_ms: float = 0.0


class RiskGate:
    """One strategy's way to an order, past its limits and those of the account.

    Parameters
    ----------
    limits
        The strategy's own limits.
    sizing
        Its wishes.
    strategy_id, instrument_id
        Whose gate, and for what.
    book
        What the strategies of the system share.

    Examples
    --------
    >>> from fathom.strategies.risk.config import RiskConfig
    >>> gate = RiskGate(Limits(max_notional=5_000.0), Sizing(), "S", "A.B", RiskBook(RiskConfig()))
    >>> up = Signal(instrument_id="A.B", side="BUY", strength=0.7, entry=100.0, stop=98.0, target=103.0,
    ...             horizon_secs=0.0, ts_init=0, source="supertrend", signal_id="S-1")
    >>> answer = gate.review(up, 1.0, Circumstances(ts=0, balance=10_000.0, lot=0.1))
    >>> answer.quantity, answer.bound
    (50.0, 'wish')
    >>> gate.redeem(answer)
    >>> gate.redeem(answer)
    Traceback (most recent call last):
    ...
    fathom.strategies.risk.gate.UnapprovedError: Expected an approval that this gate has just given, was ...
    """

    def __init__(self, limits: Limits, sizing: Sizing, strategy_id: str, instrument_id: str, book: RiskBook) -> None:
        self.own, self.sizing = limits, sizing
        self.strategy_id, self.instrument_id = strategy_id, instrument_id
        self._issued: Approved | None = None
        self.join(book)

    def join(self, book: RiskBook) -> None:
        """Share another book from now on."""
        self.book = book
        self.limits = self.own.over(book.config)
        half_life = self.limits.volatility_half_life_secs or 600.0
        self.volatility = Volatility(half_life_secs=half_life, step_ns=book.config.check_ms * MS)

    def look(self, now: int, price: float) -> None:
        """Take the latest price of the instrument."""
        self.book.mark(self.instrument_id, price)
        if self.limits.volatility_target is not None:
            self.volatility.look(now, price)

    @property
    def paused(self) -> bool:
        """Whether the instrument's regime keeps this strategy from entering."""
        return bool(self.limits.pause_on_regime) and self.book.state.paused.get(self.instrument_id, False)

    def review(self, signal: Signal, confidence: float, now: Circumstances) -> Approved | Refused:
        """Answer whether a position may be opened on a signal, and how large.

        Parameters
        ----------
        signal
            With the price of the entry order in `entry`.
        confidence
            Of the decision, 0 to 1.
        now
            The market and the account.
        """
        self._issued = None
        if self.book.active:
            self.book.settle(now.ts, now.balance)
        refused = self._stands_still(now.ts) or self._unfit(signal, confidence, now) or self._market(signal, now)
        return refused or self._approve(signal, confidence, now)

    def redeem(self, approval: Approved) -> None:
        """Use an approval: the next thing must be its order. The book counts it as live.

        Raises
        ------
        UnapprovedError
            It is no approval, not the last one of this gate, was used, or something halted since.
        """
        if type(approval) is not Approved or approval is not self._issued or self.book.halt:
            raise UnapprovedError(
                "Expected an approval that this gate has just given, was another or a used one, or a halt came between."
            )
        self._issued = None
        self.book.claim(approval.claim)

    def _stands_still(self, now: int) -> Refused | None:
        state = self.book.state
        if state.halt:
            return Refused("halted" if state.halt == "manual" else state.halt, state.halt_detail)
        if self.paused:
            return Refused("paused", "by the regime")
        lock = self.book.protections.lock(now, self.instrument_id)
        if lock is not None:
            return Refused(lock.reason, f"for another {(lock.until - now) / 1e9:.0f} s")
        if self.book.config.one_position:
            for claim in self.book.others(self.strategy_id):
                if claim.instrument_id == self.instrument_id:
                    return Refused("instrument_taken", f"by {claim.strategy_id}")
        return None

    def _unfit(self, signal: Signal, confidence: float, now: Circumstances) -> Refused | None:
        if self.sizing.direction not in ("both", "long" if signal.direction > 0 else "short"):
            return Refused("direction", f"{self.sizing.direction} only")
        least = self.limits.min_confidence or 0.0
        if not least <= confidence <= 1.0:
            return Refused("confidence", f"{confidence:.3f}, at least {least:g}")
        up = signal.direction
        prices = (signal.entry, signal.stop, signal.target)
        if not (
            all(math.isfinite(price) for price in prices) and up * signal.stop < up * signal.entry < up * signal.target
        ):
            return Refused("price", f"stop {signal.stop:g}, entry {signal.entry:g}, target {signal.target:g}")
        age = (now.ts - signal.ts_init) / MS
        if signal.ends_ns is not None and now.ts >= signal.ends_ns:
            return Refused("stale_signal", f"{age:.0f} ms, it holds for {1e3 * signal.horizon_secs:g}")
        if self.limits.max_signal_age_ms is not None and age > self.limits.max_signal_age_ms:
            return Refused("stale_signal", f"{age:.0f} ms, at most {self.limits.max_signal_age_ms:g}")
        return None

    def _market(self, signal: Signal, now: Circumstances) -> Refused | None:
        limits = self.limits
        if limits.max_data_age_ms is not None and not now.data_age_ms <= limits.max_data_age_ms:
            return Refused("stale_data", f"{now.data_age_ms:.0f} ms, at most {limits.max_data_age_ms:g}")
        if limits.max_spread_bps is not None and not now.spread_bps <= limits.max_spread_bps:
            return Refused("spread", f"{now.spread_bps:.2f} bps, at most {limits.max_spread_bps:g}")
        if limits.volatility_target is not None and not self.volatility.daily > 0.0:
            return Refused("volatility", f"known after {self.volatility.half_life_secs:g} s")
        return None

    def _approve(self, signal: Signal, confidence: float, now: Circumstances) -> Approved | Refused:
        book = self.book
        equity = book.equity if book.active else now.balance
        if not equity > 0.0:
            return Refused("equity", f"{equity:g}")
        size = sized(
            equity=equity,
            entry=signal.entry,
            stop=signal.stop,
            lot=now.lot,
            risk_fraction=self.sizing.risk_fraction,
            notional=self.sizing.notional,
            scale=confidence if self.limits.confidence_scaling else 1.0,
            caps=self._caps(signal, equity, now),
            min_lots=now.min_lots,
            min_notional=now.min_notional,
            multiplier=now.multiplier,
        )
        if not size.lots:
            reason = "size" if size.bound == "wish" else size.bound
            return Refused(reason, "less than the smallest order")
        quantity = size.lots * now.lot
        claim = Claim(
            strategy_id=self.strategy_id,
            instrument_id=self.instrument_id,
            direction=signal.direction,
            ordered=quantity,
            entry=signal.entry,
            stop=signal.stop,
            fee_rate=now.fee_rate,
            multiplier=now.multiplier,
            mark=signal.entry,
        )
        self._issued = Approved(
            _KEY,
            signal=signal,
            lots=size.lots,
            quantity=quantity,
            confidence=confidence,
            bound=size.bound,
            ts=now.ts,
            claim=claim,
        )
        return self._issued

    def _caps(self, signal: Signal, equity: float, now: Circumstances) -> dict[str, float]:
        limits, book = self.limits, self.book
        unit = signal.entry * now.multiplier
        caps = {"max_leverage": equity * self.sizing.max_leverage / unit}
        others = book.others(self.strategy_id)
        if book.config.max_leverage is not None:
            taken = sum(claim.notional for claim in others)
            caps["account_leverage"] = (equity * book.config.max_leverage - taken) / unit
        if limits.max_position is not None:
            caps["max_position"] = limits.max_position
        if limits.max_notional is not None:
            caps["max_notional"] = limits.max_notional / unit
        if limits.volatility_target is not None:
            caps["volatility_target"] = equity * limits.volatility_target / self.volatility.daily / unit
        if book.floor > -math.inf:
            room = equity - book.floor - sum(claim.risk for claim in others)
            loss = loss_per_unit(signal.entry, signal.stop, now.fee_rate) * now.multiplier
            caps["loss_budget"] = room / loss
        return caps
