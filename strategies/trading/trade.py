"""What a strategy must remember of its signals and its trade, beside what the venue knows."""

import math

import msgspec

from fathom.data_catalog.messages.signals import Signal


class Trade(msgspec.Struct, kw_only=True):
    """The memory of a bracket: all that a restart must not lose.

    Examples
    --------
    >>> trade = Trade(stop=98.0, target=103.0, ordered=2.0, stops=1)
    >>> trade.end()
    >>> trade.ended, trade.stop, trade.stops
    (True, nan, 0)
    """

    signals: int = 0  # named so far
    wish: Signal | None = None  # what is to be traded next
    confidence: float = 1.0  # how sure the wish is
    signal: Signal | None = None  # whose orders or position are live
    certainty: float = 1.0  # how sure it was
    price: float = 0.0  # of the last decision
    age: int = 0  # decisions since the entry was sent or repriced
    deadline: int = 0  # when the entry is late (ns); 0 where decisions count
    attempts: int = 0  # times that the entry was repriced
    refused_as_taker: bool = False  # whether the venue has just refused the post-only entry
    crosses: bool = False  # whether the wish is entered by market, whatever the configuration says
    ordered: float = 0.0  # size of the entry
    ended: bool = False  # whether the position of this entry was closed
    stop: float = math.nan  # trigger price of the stop
    trail: float = math.nan  # where the stop is to go; NaN: nowhere
    target: float = math.nan  # price of the target
    stops: int = 0  # times that the position got a first stop
    targets: int = 0  # times that the position got a target
    last_role: str = ""  # what the last fill that reduced the position was for

    def begin(self, ordered: float, stop: float, target: float) -> None:
        """Take a new entry with the prices of its stop and target."""
        self.end()
        self.ordered, self.stop, self.target, self.ended = ordered, stop, target, False

    def end(self) -> None:
        """Take the end of the position."""
        self.stop = self.trail = self.target = math.nan
        self.stops, self.targets, self.ended = 0, 0, True
