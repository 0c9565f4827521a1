"""What strategies and actors say to one another over the bus: signals, and signals that a model has looked at.

Plain frozen structs without the engine, so that the pure policies can make and read them. What is also stored is a
custom data class instead (`fathom.data_catalog.messages.trade_flags`, `types_features`, `types_detection`).
"""

from typing import Final, Literal

import msgspec
from msgspec.structs import force_setattr

type Side = Literal["BUY", "SELL"]

SIGNALS_TOPIC: Final = "signals"
"""The topic of an instrument's signals is ``signals.`` and its id."""
VALIDATED_TOPIC: Final = "validated"
"""The topic of an instrument's validated signals is ``validated.`` and its id."""


_NUMBERS: Final = ("strength", "entry", "stop", "target", "horizon_secs")
_TEXTS: Final = ("instrument_id", "side", "source", "signal_id")


def _number(signal: "Signal", name: str) -> float:
    value = getattr(signal, name)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"Expected a number as {name} of the signal of '{signal.source}', was {value!r}") from None


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """An opinion about one instrument, with the prices at which it is right or wrong.

    Attributes
    ----------
    instrument_id
        The engine's id as text.
    side
        `BUY` or `SELL`.
    strength
        Conviction, 0 to 1.
    entry, stop, target
        Prices: on which the decision was taken, where it is given up, where the profit is taken.
    horizon_secs
        For how long the opinion holds, from `ts_init` on: then nothing is entered on it any more, and a position that
        was is closed. 0: until stop, target or another signal.
    ts_init
        When it was formed (ns).
    source
        The policy's name.
    signal_id
        Names the signal in every record of it, unique in a run; empty until a strategy sends it.

    Numbers of any kind, such as numpy's, become plain ones. A stop or a target on the wrong side, or no number, is
    refused by the strategy, which says so in the journal.

    Raises
    ------
    ValueError
        The side is no side, or the strength is not within 0 to 1.

    Examples
    --------
    >>> up = Signal(instrument_id="BTCUSDT-LINEAR.BYBIT", side="BUY", strength=0.7, entry=100.0, stop=98.0,
    ...             target=103.0, horizon_secs=0.0, ts_init=0, source="supertrend")
    >>> up.direction, up.risk, up.topic
    (1, 2.0, 'signals.BTCUSDT-LINEAR.BYBIT')
    """

    instrument_id: str
    side: Side
    strength: float
    entry: float
    stop: float
    target: float
    horizon_secs: float
    ts_init: int
    source: str
    signal_id: str = ""

    def __post_init__(self) -> None:
        for name in _TEXTS:
            force_setattr(self, name, str(getattr(self, name)))
        for name in _NUMBERS:
            force_setattr(self, name, _number(self, name))
        if int(self.ts_init) != self.ts_init:
            raise ValueError(f"Expected ts_init in whole nanoseconds of '{self.source}', was {self.ts_init!r}")
        force_setattr(self, "ts_init", int(self.ts_init))
        if self.side not in ("BUY", "SELL"):
            raise ValueError(f"Expected side BUY or SELL of the signal of '{self.source}', was {self.side!r}")
        if not 0.0 <= self.strength <= 1.0:
            raise ValueError(f"Expected a strength from 0 to 1 of the signal of '{self.source}', was {self.strength}")

    @property
    def ends_ns(self) -> int | None:
        """When the opinion ends (ns); None where it has no horizon."""
        return self.ts_init + round(self.horizon_secs * 1e9) if self.horizon_secs > 0.0 else None

    @property
    def direction(self) -> int:
        """1 for `BUY`, -1 for `SELL`."""
        return 1 if self.side == "BUY" else -1

    @property
    def risk(self) -> float:
        """Loss per unit of size at the stop, in quote currency."""
        return abs(self.entry - self.stop)

    @property
    def topic(self) -> str:
        """Topic on the bus."""
        return f"{SIGNALS_TOPIC}.{self.instrument_id}"


class ValidatedSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A signal with what the model says of it.

    Attributes
    ----------
    signal
        As the strategy sent it.
    accepted
        Whether it may be traded: `blended` reached the threshold of its strategy, or the stated fallback let it pass.
    reason
        Why not, or how it passed, in a few words such as `blended 0.41 under 0.55`.
    model_direction
        1 up, -1 down, 0 HOLD; 0 where a fallback answered.
    confidence
        Calibrated probability that the model's direction is right, 0 to 1; of a fallback, its fixed confidence.
    expected_return_bps
        Of the model, signed; NaN where a fallback answered.
    aligned
        Whether the model's direction equals the signal's side or is HOLD.
    blended
        strategy_weight * strength + ml_weight * confidence, the confidence halved first where not aligned.
    model_version
        Name and version of the model that answered; empty where none did.
    inference_ms
        Time that the model took, as charged to the clock.
    fallback
        Name of the fallback that answered instead (`RULE_BASED`, `PASS`, `BLOCK`); empty where the model did.
    ts_init
        When it was published (ns).

    Examples
    --------
    >>> up = Signal(instrument_id="A.B", side="BUY", strength=0.7, entry=100.0, stop=98.0, target=103.0,
    ...             horizon_secs=0.0, ts_init=0, source="supertrend", signal_id="S-1")
    >>> ValidatedSignal(signal=up, accepted=True, reason="", model_direction=1, confidence=0.6,
    ...                 expected_return_bps=2.0, aligned=True, blended=0.65, model_version="m:1", inference_ms=1.0,
    ...                 fallback="", ts_init=5).topic
    'validated.A.B'
    """

    signal: Signal
    accepted: bool
    reason: str
    model_direction: int
    confidence: float
    expected_return_bps: float
    aligned: bool
    blended: float
    model_version: str
    inference_ms: float
    fallback: str
    ts_init: int

    def __post_init__(self) -> None:
        for name, kind in (("accepted", bool), ("aligned", bool), ("model_direction", int), ("ts_init", int)):
            force_setattr(self, name, kind(getattr(self, name)))
        for name in ("confidence", "expected_return_bps", "blended", "inference_ms"):
            force_setattr(self, name, float(getattr(self, name)))

    @property
    def topic(self) -> str:
        """Topic on the bus."""
        return f"{VALIDATED_TOPIC}.{self.signal.instrument_id}"
