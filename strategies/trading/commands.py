"""What a bracket hears of its orders, and what it asks for: plain values, so that it needs no engine."""

import math
from typing import Literal, NamedTuple

import msgspec

from fathom.strategies.risk.gate import Approved

type Status = Literal["sent", "live", "changing", "cancelling", "unsure"]


class LiveOrder(msgspec.Struct):
    """An order that may still be filled: its role, how far it is, and what was ordered.

    It is `sent` until the venue accepts it, and then `live`. An amendment makes it `changing`, a cancel `cancelling`.
    It is `unsure` where the venue refused a cancel before it answered the order.
    """

    role: str
    status: Status = "live"
    since: int = 0  # when our last command about it was sent (ns)
    price: float = math.nan  # of a target, the trigger of a stop
    quantity: float = math.nan
    filled: float = 0.0
    asked: float = 0.0  # size of the last amendment, accepted or refused
    accepted: bool = False


class OrderNews(NamedTuple):
    """An event of an order, as the event itself states it."""

    kind: Literal["filled", "accepted", "rejected", "cancelled", "amended", "kept", "other"]  # kept: not amended
    order_id: str
    role: str  # empty for an order that the strategy does not know
    ts: int = 0
    price: float = math.nan  # of a fill
    quantity: float = math.nan
    fee: float = 0.0
    reason: str = ""
    as_taker: bool = False  # refused because it is post-only and would have taken


class Step(NamedTuple):
    """A step in the life of a signal; the numbers are those of an order, a fill, or a closed position."""

    signal_id: str  # empty where a step concerns no signal
    stage: str  # approved, refused, submitted, repriced, rejected, cancelled, filled, stopped, target, exited or halted
    reason: str = ""  # in a few words; empty where the stage says all
    price: float | None = None
    quantity: float | None = None
    pnl: float | None = None  # realised, in quote currency, fees included


class Enter(NamedTuple):
    """Send the entry of an approved signal, alone; post-only at its price, or by market."""

    approval: Approved
    is_limit: bool


class PlaceStop(NamedTuple):
    """Send a stop that reduces the position, and triggers at a price."""

    price: float
    quantity: float


class PlaceTarget(NamedTuple):
    """Send a limit order that reduces the position."""

    price: float
    quantity: float


class Amend(NamedTuple):
    """Give an order that is not a stop another price or size; None: as it is."""

    order_id: str
    price: float | None = None
    quantity: float | None = None


class Cancel(NamedTuple):
    """Cancel an order."""

    order_id: str


class Forget(NamedTuple):
    """Count an order no longer as live: the venue has not answered in time."""

    order_id: str


class Close(NamedTuple):
    """Close a position by market; `held` is negative for short."""

    held: float


class Leave(NamedTuple):
    """Cancel all orders and close the position by the engine's own exit, which goes on until both are gone."""


class Wake(NamedTuple):
    """Call `Bracket.step` at a time (ns)."""

    name: str
    ts: int


type Command = Enter | PlaceStop | PlaceTarget | Amend | Cancel | Forget | Close | Leave | Wake
