"""Whether a signal may be traded: blending with the model, thresholds, the circuit breaker, and the fallbacks.

Everything here is a pure function of numbers and times; `fathom.actors.validation` feeds it with what happens.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple, Self

import msgspec
from msgspec import Meta

from fathom.settings.times import SECOND

type Unit = Annotated[float, Meta(ge=0.0, le=1.0)]
type FallbackName = Literal["RULE_BASED", "PASS", "BLOCK"]
type BreakerState = Literal["CLOSED", "OPEN", "HALF_OPEN"]

RULE_CONFIDENCE: Final = 0.5
"""Confidence of a fallback that lets a signal pass."""


class Blending(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the strength of a signal and the confidence of the model become one number, and how large it must be.

    Attributes
    ----------
    strategy_weight, ml_weight
        Their sum is 1, so that the blend of two numbers from 0 to 1 is one.
    threshold
        The least blend that may be traded.
    thresholds
        Source of a signal (`supertrend`) -> its own threshold.
    must_agree
        Whether the model must itself say the signal's side, too: HOLD, which is no opposition, then does not pass.

    Examples
    --------
    >>> Blending(threshold=0.55, thresholds={"momentum": 0.6}).threshold_of("momentum")
    0.6
    >>> Blending(threshold=0.0, must_agree=True).judge("momentum", direction=1, model_direction=0, final=0.8)
    (False, 'the model says HOLD and must agree')
    """

    strategy_weight: Unit = 0.5
    ml_weight: Unit = 0.5
    threshold: Unit = 0.5
    thresholds: Mapping[str, Unit] = {}
    must_agree: bool = False

    def __post_init__(self) -> None:
        total = self.strategy_weight + self.ml_weight
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"Expected strategy_weight and ml_weight with the sum 1, was {total:g}")

    def threshold_of(self, source: str) -> float:
        """Return the threshold for signals of this source."""
        return self.thresholds.get(source, self.threshold)

    def judge(self, source: str, *, direction: int, model_direction: int, final: float) -> tuple[bool, str]:
        """Return whether a blended signal may be traded, and why, in a few words.

        Parameters
        ----------
        source
            Of the signal.
        direction, model_direction
            See `blend`.
        final
            Its blend.
        """
        if self.must_agree and model_direction != direction:
            said = "HOLD" if model_direction == 0 else "the opposite"
            return False, f"the model says {said} and must agree"
        threshold = self.threshold_of(source)
        accepted = final >= threshold
        return accepted, f"blended {final:.3f} {'reaches' if accepted else 'under'} {threshold:.3f}"

    def blend(self, *, direction: int, strength: float, model_direction: int, confidence: float) -> "Blend":
        """Return how far signal and model agree.

        Parameters
        ----------
        direction
            1 where the signal buys, -1 where it sells.
        strength
            Of the signal, 0 to 1.
        model_direction
            1 up, -1 down, 0 HOLD.
        confidence
            Of the model, 0 to 1; it is halved first where the model says the opposite of the signal.
        """
        aligned = model_direction in (0, direction)
        counted = confidence if aligned else confidence / 2.0
        return Blend(aligned, counted, self.strategy_weight * strength + self.ml_weight * counted)


class Blend(NamedTuple):
    """A blended signal.

    Attributes
    ----------
    aligned
        Whether the model says the signal's side, or HOLD.
    counted
        The confidence that was counted: halved where not aligned.
    final
        `strategy_weight * strength + ml_weight * counted`.

    Examples
    --------
    A model that sees the opposite is counted half:

    >>> Blending().blend(direction=-1, strength=0.75, model_direction=1, confidence=0.5)
    Blend(aligned=False, counted=0.25, final=0.5)
    """

    aligned: bool
    counted: float
    final: float


class Fallback(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What answers where the model cannot.

    Attributes
    ----------
    name
        `RULE_BASED`: the signal passes where the order book's imbalance is beyond `imbalance` on its side; `PASS`: it
        passes; `BLOCK`: it does not.
    imbalance
        Of the sizes in the book, from 0 to 1 (1: all bids, or all asks).

    Examples
    --------
    >>> Fallback().answer(direction=1, imbalance=0.8)
    Answer(accepted=True, confidence=0.5, reason='imbalance +0.80 agrees')
    >>> Fallback().answer(direction=-1, imbalance=0.8).reason
    'imbalance +0.80 not under -0.70'
    >>> Fallback().answer(direction=1, imbalance=float("nan")).accepted
    False
    """

    name: FallbackName = "RULE_BASED"
    imbalance: Unit = 0.7

    def answer(self, *, direction: int, imbalance: float) -> "Answer":
        """Return whether a signal passes without a model.

        Parameters
        ----------
        direction
            1 where the signal buys, -1 where it sells.
        imbalance
            (bids - asks) / (bids + asks) of the book, -1 to 1; NaN where it is not known, with which no rule agrees.
        """
        if self.name == "PASS":
            return Answer(True, RULE_CONFIDENCE, "passed without a model")
        if self.name == "BLOCK":
            return Answer(False, 0.0, "blocked without a model")
        if direction * imbalance > self.imbalance:
            return Answer(True, RULE_CONFIDENCE, f"imbalance {imbalance:+.2f} agrees")
        if imbalance != imbalance:
            return Answer(False, 0.0, "imbalance of the book not known")
        beyond = f"not over +{self.imbalance:.2f}" if direction > 0 else f"not under -{self.imbalance:.2f}"
        return Answer(False, 0.0, f"imbalance {imbalance:+.2f} {beyond}")


class Answer(NamedTuple):
    """What a fallback says: whether the signal passes, with which confidence, and why.

    Examples
    --------
    >>> Fallback(name="BLOCK").answer(direction=1, imbalance=0.9)
    Answer(accepted=False, confidence=0.0, reason='blocked without a model')
    """

    accepted: bool
    confidence: float
    reason: str


class BreakerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a circuit breaker opens, and for how long.

    Attributes
    ----------
    failures
        Failures in a row after which it opens.
    open_secs
        How long it stays open before one call may try again.

    Examples
    --------
    >>> BreakerConfig().failures
    5
    """

    failures: Annotated[int, Meta(ge=1)] = 5
    open_secs: Annotated[float, Meta(gt=0)] = 30.0


class CircuitBreaker:
    """Keep calls away from what fails, and let one try it again now and then.

    Closed, it lets calls through and counts failures in a row. After `failures` of them it opens, and lets none through
    for `open_secs`; then it is half open: one call may try, whose success closes it and whose failure opens it again.
    Time is given with each call (ns), so that simulated time counts in a backtest.

    Source: M. T. Nygard, *Release It!*, 2nd ed., Pragmatic Bookshelf 2018, chapter 5.

    Parameters
    ----------
    config
        When to open, for how long.

    Examples
    --------
    >>> breaker = CircuitBreaker(BreakerConfig(failures=2, open_secs=1.0))
    >>> breaker.fail(0), breaker.fail(1), breaker.state(2), breaker.allows(2)
    (False, True, 'OPEN', False)
    >>> breaker.allows(1_000_000_001), breaker.state(1_000_000_001), breaker.allows(1_000_000_002)
    (True, 'HALF_OPEN', False)
    >>> breaker.succeed(), breaker.state(1_000_000_003)
    (None, 'CLOSED')
    """

    def __init__(self, config: BreakerConfig) -> None:
        self.config = config
        self.failures = 0
        self.opened_ns: int | None = None
        self.trying = False
        self.openings = 0

    def state(self, now_ns: int) -> BreakerState:
        """Return the state at a time."""
        if self.opened_ns is None:
            return "CLOSED"
        return "HALF_OPEN" if now_ns - self.opened_ns >= self.config.open_secs * SECOND else "OPEN"

    def allows(self, now_ns: int) -> bool:
        """Whether a call may go through now. Half open, only the first that asks; it owes `succeed` or `fail`."""
        state = self.state(now_ns)
        if state == "HALF_OPEN" and not self.trying:
            self.trying = True
            return True
        return state == "CLOSED"

    def succeed(self) -> None:
        """Take note of a call that went well."""
        self.failures, self.opened_ns, self.trying = 0, None, False

    def fail(self, now_ns: int) -> bool:
        """Take note of a call that failed; return whether that opened the breaker."""
        self.failures += 1
        if not self.trying and self.failures < self.config.failures:
            return False
        self.opened_ns, self.trying = now_ns, False
        self.openings += 1
        return True

    def abandon(self) -> None:
        """Take note of a call that was not made after all: it is nobody's failure."""
        self.trying = False

    def save(self) -> dict[str, int | None]:
        """Return the state, for `load`. A call that was on trial counts as not made."""
        return {"failures": self.failures, "opened_ns": self.opened_ns, "openings": self.openings}

    def load(self, state: Mapping[str, int | None]) -> Self:
        """Take over what `save` returned."""
        self.failures, self.openings = state["failures"] or 0, state["openings"] or 0
        self.opened_ns, self.trying = state["opened_ns"], False
        return self


def is_challenged(signal_id: str, share: float) -> bool:
    """Whether the challenger answers this signal in an A/B test: the same signals in every run, `share` of all.

    Parameters
    ----------
    signal_id
        Of the signal.
    share
        0 (none) to 1 (all).

    Examples
    --------
    >>> sum(is_challenged(f"S-{number}", 0.25) for number in range(4_000))
    980
    """
    number = int.from_bytes(hashlib.blake2b(signal_id.encode(), digest_size=8).digest())
    return number < share * 2**64
