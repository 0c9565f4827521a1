"""The numbers behind names: tables of ground truth, what their lines tell, episodes, faults, random streams."""

from enum import IntEnum


class Channel(IntEnum):
    """The table that a line of ground truth belongs to.

    Examples
    --------
    >>> Channel.PRICE.value
    2
    """

    STATE = 1  # kind: the hidden state entered
    PRICE = 2  # price: the efficient price after a move, in ticks (the mid is half a tick above)
    EPISODE = 3
    RPI = 4  # size: hidden lots now resting on that side
    FAULT = 5


class Act(IntEnum):
    """What a line about an episode or a fault tells.

    Examples
    --------
    >>> Act(5).name.lower()
    'benefit'
    """

    START = 1
    PLACE = 2
    CANCEL = 3
    FILL = 4
    BENEFIT = 5
    SCROLL_OUT = 6
    SCROLL_IN = 7
    END = 8


class Episode(IntEnum):
    """Manipulations, then honest look-alikes.

    Examples
    --------
    >>> Episode.DECOY_FLICKER > Episode.QUOTE_STUFFING
    True
    """

    SPOOFING = 0
    LAYERING = 1
    QUOTE_STUFFING = 2
    DECOY_FLICKER = 3
    DECOY_LARGE_TRADE = 4
    DECOY_LARGE_CANCEL = 5
    DECOY_ICEBERG = 6
    DECOY_SCROLL = 7


class Fault(IntEnum):
    """Faults of the feed and of the venue.

    Examples
    --------
    >>> Fault(0).name.lower()
    'gap'
    """

    GAP = 0
    BURST = 1
    ONE_SIDED = 2
    CROSSED = 3
    HALT = 4
    DUPLICATE = 5
    CLOCK_STEP = 6


class Stream(IntEnum):
    """What each random stream decides: the price does not change where the flow draws more.

    Examples
    --------
    >>> Stream.FLOW.value
    3
    """

    OWN_PRICE = 0
    COMMON_PRICE = 1
    CHAIN = 2
    FLOW = 3
    SPREAD = 4
    FEED = 5
    EPISODES = 6
    FAULTS = 7
    RPI = 8
    ACTIVITY = 9
