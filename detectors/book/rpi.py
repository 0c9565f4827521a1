"""Retail price improvement: the share of trades that never met the visible queue, and prints inside the spread."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.market.events import Side, TradeFlag
from fathom.market.kernel import kernel
from fathom.market.levels import ASK, BEST, BID, COUNT, BookArrays

_HALF_LIFE_TRADES: Final = 500.0
_KEEP: Final = 0.5 ** (1.0 / _HALF_LIFE_TRADES)
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_RPI: Final = int(TradeFlag.RPI)
_BLOCK: Final = int(TradeFlag.BLOCK)

# Entries of the state, float64.
LOTS: Final = 0  # fading sums of all trades and of RPI trades
RPI_LOTS: Final = 1
TRADES: Final = 2  # counts of all trades so far
RPI_TRADES: Final = 3
INSIDE: Final = 4  # trades strictly inside the public spread, and those of them that were RPI
INSIDE_RPI: Final = 5
HIDDEN_CROSS: Final = 6  # 1 when the last trade was strictly inside the public spread
CELLS: Final = 7


class RpiReading(NamedTuple):
    """What is known of retail price improvement on an instrument.

    Parameters
    ----------
    share : float
        RPI share of the traded size, over some 500 trades; NaN before the first trade.
    hidden_cross : bool
        The last trade printed strictly inside the public spread: there is size that the public book does not show.
        That is no anomaly where RPI orders exist: they are missing from the public book.
    trades, rpi_trades : int
        Trades so far, and those flagged RPI.
    inside, inside_rpi : int
        Trades strictly inside the public spread, and those of them flagged RPI.

    Examples
    --------
    >>> RpiReading(0.1, False, 10, 1, 1, 1).share
    0.1
    """

    share: float
    hidden_cross: bool
    trades: int
    rpi_trades: int
    inside: int
    inside_rpi: int


def read_rpi(state: NDArray[np.float64]) -> RpiReading:
    """Return the state in words.

    Examples
    --------
    >>> read_rpi(np.zeros(CELLS)).trades
    0
    """
    return RpiReading(
        share=float(state[RPI_LOTS] / state[LOTS]) if state[LOTS] > 0 else float("nan"),
        hidden_cross=bool(state[HIDDEN_CROSS]),
        trades=int(state[TRADES]),
        rpi_trades=int(state[RPI_TRADES]),
        inside=int(state[INSIDE]),
        inside_rpi=int(state[INSIDE_RPI]),
    )


@kernel
def rpi_step(state: NDArray[np.float64], book: BookArrays, price: int, size: int, side_code: int, flags: int) -> None:
    """Take a trade; block trades are negotiated elsewhere and say nothing."""
    if flags & _BLOCK or size <= 0 or (side_code != _BUY and side_code != _SELL):
        return
    retail = flags & _RPI != 0
    state[LOTS] = _KEEP * state[LOTS] + size
    state[RPI_LOTS] = _KEEP * state[RPI_LOTS] + (size if retail else 0)
    state[TRADES] += 1.0
    if retail:
        state[RPI_TRADES] += 1.0
    state[HIDDEN_CROSS] = 0.0
    two_sided = book.sides[BID, COUNT] > 0 and book.sides[ASK, COUNT] > 0
    if two_sided and -book.sides[BID, BEST] < price < book.sides[ASK, BEST]:
        state[HIDDEN_CROSS] = 1.0
        state[INSIDE] += 1.0
        if retail:
            state[INSIDE_RPI] += 1.0
