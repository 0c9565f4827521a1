"""What a bracket hears of its orders, and what it asks for: plain values, so that it needs no engine."""

import math
from typing import Literal, NamedTuple

import msgspec

from fathom.strategies.risk.gate import Approved


class LiveOrder(msgspec.Struct):
    """An order that may still be filled: its role, and whether a change or a cancel of it is under way."""

    role: str
    status: Literal["live", "changing", "cancelling"] = "live"


class OrderNews(NamedTuple):
    """An event of an order, as the event itself states it."""

    kind: Literal["filled", "rejected", "cancelled", "amended", "kept", "other"]  # kept: the venue refused to amend it
    order_id: str
    role: str  # empty for an order that the strategy does not know
    ts: int = 0
    price: float = math.nan  # of a fill, or the new trigger of a stop
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
    """Send the entry of an approved signal with its stop and target; post-only at its price, or by market."""

    approval: Approved
    is_limit: bool


class Amend(NamedTuple):
    """Move an order to a price, a stop its trigger; without a quantity its size stays."""

    order_id: str
    price: float
    quantity: float | None = None


class Cancel(NamedTuple):
    """Cancel an order."""

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


type Command = Enter | Amend | Cancel | Close | Leave | Wake
