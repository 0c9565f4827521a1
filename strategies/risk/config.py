"""The parameters of the risk gate: limits of one order, and of the whole account."""

from typing import Annotated, Self

import msgspec
from msgspec import Meta

from fathom.strategies.risk.protections import ProtectionsConfig

type Positive = Annotated[float, Meta(gt=0)]
type Share = Annotated[float, Meta(gt=0, le=1)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an entry must keep to. An absent limit does not hold; a strategy's own replaces the system's.

    Attributes
    ----------
    max_position
        Largest size of a position, in base currency.
    max_notional
        Largest size of a position, in quote currency.
    volatility_target
        The position's standard deviation over a day, as a share of the equity, is at most this.
    volatility_half_life_secs
        Half-life of the estimate of the volatility; nothing is entered before it has passed once. 600 where absent.
    fee_rate
        A taker's fee, as a fraction, that the loss at a stop includes; that of the account where absent.
    min_confidence
        A decision of less confidence is refused.
    confidence_scaling
        Whether the wished size is multiplied by the confidence.
    max_spread_bps
        Widest spread at which is entered. The strategy then holds the book, which takes time.
    max_data_age_ms
        Oldest last quote or trade.
    max_signal_age_ms
        Oldest signal, from its forming to the order.
    pause_on_regime
        Whether the regime detector's pause flag keeps from entering.

    Examples
    --------
    >>> own = Limits(max_notional=500.0)
    >>> own.over(Limits(max_notional=1_000.0, max_spread_bps=2.0)).max_spread_bps
    2.0
    """

    max_position: Positive | None = None
    max_notional: Positive | None = None
    volatility_target: Positive | None = None
    volatility_half_life_secs: Positive | None = None
    fee_rate: Annotated[float, Meta(ge=0, le=0.1)] | None = None
    min_confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    confidence_scaling: bool | None = None
    max_spread_bps: Positive | None = None
    max_data_age_ms: Positive | None = None
    max_signal_age_ms: Positive | None = None
    pause_on_regime: bool | None = None

    def over(self, base: "Limits") -> "Limits":
        """Return these limits, and those of `base` where these are absent."""
        mine = {name: getattr(self, name) for name in Limits.__struct_fields__}
        return Limits(**{name: getattr(base, name) if value is None else value for name, value in mine.items()})


class RiskConfig(Limits, frozen=True, kw_only=True):
    """The section `[risk]`: limits of each order, and of the account that all strategies of a system share.

    Attributes
    ----------
    max_daily_loss
        Loss since the start of the day (UTC), open positions included, as a share of the equity then. At it, entries
        are cancelled, positions closed, and nothing is entered until the next day. An entry is so small that all stops
        together cannot lead there. 1 turns it off.
    max_drawdown
        Fall of the equity from its highest, likewise; nothing is entered until somebody resets it. 1 turns it off.
    max_leverage
        Notional of all positions together / equity.
    one_position
        Whether only one strategy at a time may be in an instrument.
    check_ms
        Time between two looks at the equity.
    shutdown_on_halt
        Whether a drawdown also asks the trading node to shut down. A backtest goes on.
    protections
        Locks after bad trades.

    Examples
    --------
    >>> RiskConfig().max_daily_loss
    0.02
    >>> RiskConfig.off().max_drawdown is None
    True
    """

    max_daily_loss: Share | None = 0.02
    max_drawdown: Share | None = 0.15
    max_leverage: Positive | None = None
    one_position: bool = True
    check_ms: Annotated[int, Meta(ge=10)] = 1_000
    shutdown_on_halt: bool = False
    protections: ProtectionsConfig = ProtectionsConfig()

    @classmethod
    def off(cls) -> Self:
        """Return a configuration without any limit: that of a system without the section."""
        return cls(max_daily_loss=None, max_drawdown=None, one_position=False)


def with_fees[T: Limits](limits: T, taker: float) -> T:
    """Return limits that count the taker's fee of the account, where they do not state a `fee_rate` of their own.

    A backtest takes it from `venue.fees`, a live node from the venue.

    Examples
    --------
    >>> with_fees(Limits(), 0.00055).fee_rate, with_fees(Limits(fee_rate=0.001), 0.00055).fee_rate
    (0.00055, 0.001)
    """
    return limits if limits.fee_rate is not None else msgspec.structs.replace(limits, fee_rate=max(0.0, taker))
