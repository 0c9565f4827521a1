"""The parameters that all strategies share."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fathom.strategies.policy.manipulation import ManipulationConfig
from fathom.strategies.policy.placement import PlacementConfig
from fathom.strategies.risk.config import Limits


class SignalStrategyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How signals are looked at and traded: the parameters that all strategies share.

    Attributes
    ----------
    direction
        Which side may be entered.
    entry
        `market`, or `limit`: post-only at the price of the decision.
    entry_decisions
        A limit entry that is not filled is late after so many decisions (bars).
    entry_timeout_secs
        If given, it is late after this time instead.
    reprices
        How often a late limit entry, or one that was refused because it would have taken, goes to the present best
        price of its side. Each time the risk gate is asked again, and may make it smaller.
    entry_last
        What happens to the entry that is late once more: `cancel`, or `market`: what is asked for crosses the spread.
    answer_timeout_secs
        The venue has not answered an order or a cancel after this time: the entry is cancelled, then forgotten, and a
        position whose stop is not accepted is closed. Longer than two ways to the venue.
    horizon_secs
        For how long a signal holds that does not say so itself: what of its entry is still open then is cancelled, and
        its position closed by market. None: until stop, target or another signal.
    exit_on_flip
        Whether a signal against the position closes it (and reverses it, where `direction` allows).
    risk_fraction, notional
        See `fathom.strategies.risk.sizing.sized`.
    max_leverage
        Largest notional of the position / equity.
    risk
        Limits of this strategy, in place of those of the section `[risk]`.
    close_on_stop
        Whether to close the position when the strategy stops.
    claim_external
        Whether orders and positions that the venue reports, and nobody here knows, are this strategy's: for the live
        node, of one strategy in an instrument.
    validator
        Whether each signal waits for the answer of the `validation` actor.
    validation_deadline_ms
        How long it waits; without an answer by then it is refused.
    manipulation
        What alerts do to signals: `action` is `off`, `block` or `scale`.
    placement
        Whether stops go behind levels and targets before them.
    max_errors
        After so many exceptions of its policy the strategy takes no more signals.

    Examples
    --------
    >>> SignalStrategyConfig(entry="limit").risk_fraction
    0.01
    """

    direction: Literal["both", "long", "short"] = "both"
    entry: Literal["market", "limit"] = "market"
    entry_decisions: Annotated[int, Meta(ge=1)] = 3
    entry_timeout_secs: Annotated[float, Meta(gt=0)] | None = None
    reprices: Annotated[int, Meta(ge=0)] = 0
    entry_last: Literal["cancel", "market"] = "cancel"
    answer_timeout_secs: Annotated[float, Meta(gt=0)] = 5.0
    horizon_secs: Annotated[float, Meta(gt=0)] | None = None
    exit_on_flip: bool = True
    risk_fraction: Annotated[float, Meta(gt=0, le=1)] = 0.01
    notional: Annotated[float, Meta(gt=0)] | None = None
    max_leverage: Annotated[float, Meta(gt=0)] = 2.0
    risk: Limits = Limits()
    close_on_stop: bool = True
    claim_external: bool = False
    validator: bool = False
    validation_deadline_ms: Annotated[float, Meta(gt=0)] = 1_000.0
    manipulation: ManipulationConfig = ManipulationConfig()
    placement: PlacementConfig = PlacementConfig()
    max_errors: Annotated[int, Meta(ge=1)] = 5
